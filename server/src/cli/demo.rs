//! `vivarium demo`: `serve` with a small shop, declared and filled on the first start; on several nodes when asked.

mod cluster;
mod process;

use super::{Client, Exit, Failure};
use crate::config::{Flags, Settings};
use crate::import::{Format, Job, Options, Source, Translator, import};
use crate::schema_file::SchemaFile;
use crate::serve;
use clap::Args;
use serde_json::{Value, json};
use std::io::Cursor;
use std::net::SocketAddr;
use vivarium_schema::sdl;

/// The shop keeps to itself: a `serve` in the same place has its own folder.
const DATA_DEFAULT: &str = "./vivarium-demo";
/// Several nodes have a folder each in this one.
const CLUSTER_DATA_DEFAULT: &str = "./vivarium-demo-cluster";

const SCHEMA: &str = include_str!("../../../examples/shop/schema.graphql");

/// The shop's records, in the order in which they are imported.
const RECORDS: &[(&str, &str)] = &[
    ("Category", include_str!("../../../examples/shop/Category.jsonl")),
    ("Product", include_str!("../../../examples/shop/Product.jsonl")),
    ("Customer", include_str!("../../../examples/shop/Customer.jsonl")),
    ("Order", include_str!("../../../examples/shop/Order.jsonl")),
    ("OrderLine", include_str!("../../../examples/shop/OrderLine.jsonl")),
    ("Review", include_str!("../../../examples/shop/Review.jsonl")),
];

/// Serve a small shop to try things on, in a folder of its own.
#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    flags: Flags,
    /// Start so many nodes, each a process of its own, with ports from that of --listen on
    #[arg(long, value_name = "NODES", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=7))]
    nodes: u16,
}

impl Demo {
    /// Serves until a signal.
    ///
    /// # Errors
    /// As `serve`.
    pub fn run(self) -> Result<(), Failure> {
        if self.flags.schema.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "The demo brings its own schema. Use `vivarium serve --schema FILE`.",
            ));
        }
        if self.nodes > 1 {
            let settings = Settings::resolve(self.flags, CLUSTER_DATA_DEFAULT)?;
            if settings.cluster.is_some() {
                let message = "With --nodes the demo gives its nodes their addresses. Leave --cluster-listen out.";
                return Err(Failure::new(Exit::Usage, message));
            }
            return cluster::run(&settings, self.nodes);
        }
        let settings = Settings::resolve(self.flags, DATA_DEFAULT)?;
        let schema = SchemaFile { name: "the shop's schema".to_owned(), sdl: SCHEMA.to_owned(), only_first: true };
        serve::run(settings, Some(schema), Some(Box::new(fill)))
    }
}

/// Imports the shop's records, unless they are there. A start that was cut short is finished by the next one: the
/// import answers what it has already done from memory.
fn fill(address: SocketAddr) -> Result<(), Failure> {
    let client = Client::new(&format!("http://{address}"))?;
    let catalog = sdl::declare(SCHEMA, None).expect("the shop's schema is tested");
    let Some((last, _)) = RECORDS.last() else { return Ok(()) };
    let last = catalog.collection_named(last).expect("the shop's files are named after its collections");
    if count(&client, &last.plural)? != 0 {
        return Ok(());
    }
    for (name, lines) in RECORDS {
        let collection = catalog.collection_named(name).expect("the shop's files are named after its collections");
        let source = Source {
            name: format!("{name}.jsonl"),
            reader: Box::new(Cursor::new(lines.as_bytes())),
            bytes: Some(lines.len() as u64),
            format: Format::Jsonl,
        };
        let translator = Translator::new(catalog.clone(), collection.id);
        import(Job { client: client.clone(), translator, source }, &Options::default())?;
    }
    Ok(())
}

/// Records of the collection. One that the user's own schema no longer has counts as filled.
fn count(client: &Client, plural: &str) -> Result<u64, Failure> {
    let body = json!({ "query": format!("{{ {plural} {{ totalCount }} }}") }).to_string();
    let answer = client.graphql(body.as_bytes(), None)?;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(answer["data"][plural]["totalCount"].as_u64().unwrap_or(1))
}
