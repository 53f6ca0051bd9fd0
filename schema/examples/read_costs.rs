//! What reading costs in process: CPU time of four operations on the Chinook data set, plan cache warm.
//!
//! `cargo run --release -p vivarium-schema --example read_costs -- <folder of Chinook> [one of them]`

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

#[path = "../tests/chinook/import.rs"]
mod import;
#[path = "../tests/server/mod.rs"]
mod server;

use serde_json::{Value, json};
use server::{Server, request};
use std::path::PathBuf;
use vivarium_schema::Request;

/// What the server allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds, of which the median counts.
const ROUNDS: usize = 5;
/// CPU time of a round: the kernel's account of it is some milliseconds coarse.
const ROUND_NANOS: u64 = 400_000_000;
/// Requests that are made between two looks at the account.
const REQUESTS: usize = 300;

/// Nanoseconds of CPU that this thread has had.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

const Q1: &str = "query($id: Int!) { track(by: { trackId: $id }) { trackId name composer milliseconds unitPrice } }";

fn operations() -> [(&'static str, &'static str, Vec<Value>); 6] {
    let ids = |count: i64| (0..count).map(|at| json!({ "id": 1 + at * 37 % count })).collect::<Vec<_>>();
    let genres = |first: i64| [1, 2, 3, 4, 7].map(|genre| json!({ "g": genre, "n": first })).to_vec();
    let page = "query($g: Int!, $n: Int!) { tracks(where: { genre: { genreId: { eq: $g } } }, orderBy: { milliseconds: DESC }, first: $n) { nodes { trackId name composer milliseconds unitPrice } } }";
    [
        ("q1", Q1, ids(3503)),
        (
            "q2",
            "query($id: Int!) { artist(by: { artistId: $id }) { artistId name albums { nodes { albumId title tracks { nodes { trackId name milliseconds } } } } } }",
            ids(275),
        ),
        ("q3", page, genres(20)),
        ("q3b", page, genres(100)),
        (
            "q4",
            "query($n: Int!) { artists(orderBy: { artistId: ASC }, first: $n) { nodes { artistId name albums(first: 50) { nodes { albumId title tracks(first: 50) { nodes { trackId name milliseconds } } } } } } }",
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
        let only = std::env::args().nth(2);
        for (name, query, variables) in operations() {
            if only.as_deref().is_some_and(|only| only != name) {
                continue;
            }
            let (mut rounds, mut bytes, mut asked) = (Vec::new(), 0, 0);
            for _ in 0..ROUNDS {
                let before = cpu_nanos();
                let mut count = 0;
                while cpu_nanos() - before < ROUND_NANOS {
                    for _ in 0..REQUESTS {
                        let variables = &variables[asked % variables.len()];
                        let response = match name {
                            "miss" => server.send(miss(asked, variables)).await,
                            _ => server.send(request(query, variables.clone())).await,
                        };
                        assert!(response.errors.is_empty(), "{}", String::from_utf8_lossy(&response.body));
                        bytes = response.body.len();
                        count += 1;
                        asked += 1;
                    }
                }
                rounds.push((cpu_nanos() - before) as f64 / 1000.0 / f64::from(count));
            }
            rounds.sort_by(f64::total_cmp);
            println!("{name}: {:.1} µs, {bytes} bytes", rounds[ROUNDS / 2]);
        }
    });
}

/// The first operation as a document that no cache knows.
fn miss(number: usize, variables: &Value) -> Request {
    request(&format!("# {number}\n{}", Q1), variables.clone())
}
