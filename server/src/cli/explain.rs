//! `vivarium explain`: the plan of an operation, without running it.

use super::{Client, Exit, Failure, Server, output};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Show how an operation would be executed.
#[derive(Args)]
pub struct Explain {
    #[command(flatten)]
    server: Server,
    /// The operation; - reads standard input
    file: PathBuf,
    /// Its variables, as JSON
    #[arg(long, value_name = "JSON")]
    variables: Option<String>,
    /// Which operation, when the file has several
    #[arg(long, value_name = "NAME")]
    operation_name: Option<String>,
}

#[derive(Deserialize)]
struct Explained {
    explain: Outcome,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum Outcome {
    Explanation { plan: String },
    RefusedOperation { errors: Vec<RefusedError> },
}

#[derive(Deserialize)]
struct RefusedError {
    message: String,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Deserialize)]
struct Location {
    line: u32,
    column: u32,
}

const EXPLAIN: &str = "query ($query: String!, $variables: JSON, $operationName: String) {
  explain(query: $query, variables: $variables, operationName: $operationName) { __typename
    ... on Explanation { plan } ... on RefusedOperation { errors { message locations { line column } } } } }";

impl Explain {
    /// Prints the plan.
    ///
    /// # Errors
    /// A file, the server, or an operation that would be refused.
    pub fn run(self) -> Result<(), Failure> {
        let query = if self.file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(&self.file)
        };
        let query = query.map_err(|error| Failure::file("read", &self.file, &error))?;
        let variables: Value = match &self.variables {
            None => Value::Null,
            Some(text) => serde_json::from_str(text)
                .map_err(|error| Failure::new(Exit::Usage, format!("--variables is not JSON: {error}.")))?,
        };
        let asked = json!({ "query": query, "variables": variables, "operationName": self.operation_name });
        let explained: Explained = Client::new(&self.server.url)?.admin(EXPLAIN, &asked)?;
        match explained.explain {
            Outcome::Explanation { plan } => output::data(&plan),
            Outcome::RefusedOperation { errors } => {
                let line = |error: &RefusedError| match error.locations.first() {
                    Some(place) => format!("{} (line {}, column {})\n", error.message, place.line, place.column),
                    None => format!("{}\n", error.message),
                };
                let message: String = errors.iter().map(line).collect();
                Err(Failure::new(Exit::Refused, message.trim_end()))
            }
        }
    }
}
