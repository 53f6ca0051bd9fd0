//! `vivarium status`: what a server's node knows of itself.

use super::{Client, Failure, Server, output};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Show what a server's node knows of itself.
#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    server: Server,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Told {
    status: Map<String, Value>,
    schema: Map<String, Value>,
}

const STATUS: &str =
    "{ schema { version } status { release cluster node role term leader voters learners lastIndex committedIndex
  appliedIndex version logBytes storeBytes documents stopped } }";

impl Status {
    /// Prints the status.
    ///
    /// # Errors
    /// No server.
    pub fn run(self) -> Result<(), Failure> {
        let mut told: Told = Client::new(&self.server.url)?.admin(STATUS, &json!({}))?;
        told.status.insert("schemaVersion".to_owned(), told.schema.remove("version").unwrap_or_default());
        if self.json {
            return output::json(&told.status);
        }
        let line = |(name, value): (&String, &Value)| format!("{name:<16}{}\n", plain(value));
        output::data(&told.status.iter().map(line).collect::<String>())
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
