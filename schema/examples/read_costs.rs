//! What reading costs in process: CPU time of four operations on the Chinook data set, plan cache warm.
//!
//! `cargo run --release -p vivarium-schema --example read_costs -- <folder of Chinook>`

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

#[path = "../tests/chinook/import.rs"]
mod import;
#[path = "../tests/server/mod.rs"]
mod server;

use serde_json::{Value, json};
use server::{Server, request};
use std::path::PathBuf;
use vivarium_schema::Request;

/// Requests of one round, and rounds of which the fastest counts.
const REQUESTS: u32 = 300;
const ROUNDS: u32 = 7;

/// Nanoseconds of CPU that this thread has had.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn operations() -> [(&'static str, &'static str, Vec<Value>); 6] {
    let ids = |count: i64| (0..count).map(|at| json!({ "id": 1 + at * 37 % count })).collect::<Vec<_>>();
    let genres = |first: i64| [1, 2, 3, 4, 7].map(|genre| json!({ "g": genre, "n": first })).to_vec();
    let page = "query($g: Int!, $n: Int!) { tracks(where: { genre: { genreId: { eq: $g } } }, orderBy: { milliseconds: DESC }, first: $n) { nodes { trackId name composer milliseconds unitPrice } } }";
    [
        (
            "q1",
            "query($id: Int!) { track(by: { trackId: $id }) { trackId name composer milliseconds unitPrice } }",
            ids(3503),
        ),
        (
            "q2",
            "query($id: Int!) { artist(by: { artistId: $id }) { artistId name albums { nodes { albumId title tracks { nodes { trackId name milliseconds } } } } } }",
            ids(275),
        ),
        ("q3", page, genres(20)),
        ("q3b", page, genres(100)),
        (
            "q4",
            "query($n: Int!) { artists(orderBy: { artistId: ASC }, first: $n) { nodes { artistId name albums(first: 100) { nodes { albumId title tracks(first: 100) { nodes { trackId name milliseconds } } } } } } }",
            vec![json!({ "n": 100 })],
        ),
        ("miss", "", ids(3503)),
    ]
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder of the Chinook data set"));
    server::run(async {
        let schema = std::fs::read_to_string(folder.join("schema.graphql")).unwrap();
        let server = Server::open(&schema).await;
        let before = std::time::Instant::now();
        let rows = import::import(&server, &folder).await;
        println!("import: {rows} rows, {:.0} rows/s", rows as f64 / before.elapsed().as_secs_f64());
        for (name, query, variables) in operations() {
            let requests: Vec<Request> = (0..REQUESTS)
                .map(|at| {
                    let variables = variables[at as usize % variables.len()].clone();
                    if name == "miss" {
                        return request(&format!("# {at}\n{}", operations()[0].1), variables);
                    }
                    request(query, variables)
                })
                .collect();
            let (mut best, mut bytes) = (u64::MAX, 0);
            for round in 0..ROUNDS {
                let requests = requests.clone();
                let requests: Vec<Request> = match name {
                    "miss" => requests
                        .into_iter()
                        .map(|one| Request { query: format!("# {round}\n{}", one.query), ..one })
                        .collect(),
                    _ => requests,
                };
                let before = cpu_nanos();
                bytes = 0;
                for request in requests {
                    let response = server.send(request).await;
                    assert!(response.errors.is_empty(), "{}", String::from_utf8_lossy(&response.body));
                    bytes += response.body.len();
                }
                best = best.min(cpu_nanos() - before);
            }
            let micros = best as f64 / 1000.0 / f64::from(REQUESTS);
            println!("{name}: {micros:.1} µs, {} bytes", bytes / REQUESTS as usize);
        }
    });
}
