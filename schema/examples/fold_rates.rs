//! How many records a second are folded: from covering indexes, and from documents.
//!
//! `cargo run --release -p vivarium-schema --example fold_rates [records]`

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

#[path = "../tests/server/mod.rs"]
mod server;

use serde_json::{Value, json};
use server::{Server, request};

/// What the server allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SCHEMA: &str = "type Sale @collection @index(fields: [\"land\", \"amount\"]) @index(fields: [\"at\", \"points\"]) { \
    id: ID! land: String! points: Int! amount: Decimal! @precision(digits: 12, scale: 2) at: DateTime! text: String! }";
/// Records of an ordinary run.
const RECORDS: usize = 300_000;
/// Records that are created at once.
const BATCH: usize = 1_000;
/// Rounds, of which the median counts.
const ROUNDS: usize = 5;

const OPERATIONS: [(&str, &str); 8] = [
    ("count", "{ sales { aggregate { count } } }"),
    ("sum, avg of an Int", "{ sales { aggregate { points { sum avg } } } }"),
    ("sum, avg, min, max of an Int", "{ sales { aggregate { points { sum avg min max } } } }"),
    ("sum of a Decimal", "{ sales { aggregate { amount { sum } } } }"),
    ("count by a String", "{ sales { groups(by: { land: true }) { key { land } aggregate { count } } } }"),
    ("sum by a String", "{ sales { groups(by: { land: true }) { key { land } aggregate { amount { sum } } } } }"),
    ("sum by month", "{ sales { groups(by: { at: MONTH }) { key { at } aggregate { count points { sum } } } } }"),
    ("count of documents", "{ sales { aggregate { text { countDistinct } } } }"),
];

/// Nanoseconds of CPU that this thread has had.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn sale(number: usize) -> Value {
    const LANDS: [&str; 25] = [
        "DE", "FR", "US", "AT", "CH", "IT", "ES", "PT", "NL", "BE", "DK", "SE", "NO", "FI", "PL", "CZ", "HU", "RO",
        "GR", "IE", "GB", "CA", "BR", "JP", "AU",
    ];
    let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let cents = mixed % 1_000_000;
    json!({
        "land": LANDS[(mixed % 25) as usize],
        "points": mixed % 10_000,
        "amount": format!("{}.{:02}", cents / 100, cents % 100),
        "at": format!("20{:02}-{:02}-{:02}T{:02}:30:00Z", 20 + mixed % 5, 1 + mixed % 12, 1 + mixed % 28, mixed % 24),
        "text": format!("Sale number {number} of many"),
    })
}

fn main() {
    let records = std::env::args().nth(1).map_or(RECORDS, |text| text.parse().expect("a number of records"));
    server::run(async {
        let server = Server::open(SCHEMA).await;
        let create = "mutation($data: [SaleCreate!]!) { createSales(data: $data) { affectedCount } }";
        for batch in 0..records / BATCH {
            let data: Vec<Value> = (0..BATCH).map(|at| sale(batch * BATCH + at)).collect();
            server.data(create, json!({ "data": data })).await;
        }
        println!("{records} records");
        for (name, query) in OPERATIONS {
            let plan = server.explain(query, json!({})).await;
            let how = if plan.contains("from entries alone") { "entries" } else { "documents" };
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                let before = cpu_nanos();
                let response = server.send(request(query, json!({}))).await;
                assert!(response.errors.is_empty(), "{}", String::from_utf8_lossy(&response.body));
                rounds.push((cpu_nanos() - before) as f64 / records as f64);
            }
            rounds.sort_by(f64::total_cmp);
            let nanos = rounds[ROUNDS / 2];
            println!("{name}, from {how}: {nanos:.0} ns a record, {:.2} million a second", 1000.0 / nanos);
        }
    });
}
