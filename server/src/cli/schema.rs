//! `vivarium schema`: print, compare, apply, look back.

use super::caret::{self, Place};
use super::{Client, Exit, Failure, Server, output};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Look at and change the schema of a server.
#[derive(Subcommand)]
pub enum Schema {
    /// Print the schema that is applied
    Print(Print),
    /// Say what applying a file would change
    Diff(Diff),
    /// Make a file the schema
    Apply(Apply),
    /// List the schemas applied so far, newest first
    History(History),
    /// List all indexes
    Indexes(Indexes),
}

#[derive(Args)]
pub struct Print {
    #[command(flatten)]
    server: Server,
    /// Print the API that is generated from it instead
    #[arg(long)]
    api: bool,
}

#[derive(Args)]
pub struct Diff {
    #[command(flatten)]
    server: Server,
    /// The schema; - reads standard input
    file: PathBuf,
    /// Exit with 1 when there are differences
    #[arg(long)]
    exit_code: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Apply {
    #[command(flatten)]
    server: Server,
    /// The schema; - reads standard input
    file: PathBuf,
    /// Do everything but keep it
    #[arg(long)]
    dry_run: bool,
    /// Also make changes that break clients or lose data
    #[arg(long)]
    force: bool,
    /// Refuse when the schema is at another version than this
    #[arg(long, value_name = "VERSION")]
    expected_version: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct History {
    #[command(flatten)]
    server: Server,
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print JSON, with the SDL of each
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Indexes {
    #[command(flatten)]
    server: Server,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Schema {
    /// Runs the command.
    ///
    /// # Errors
    /// A file, the server, or what the server refuses.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Schema::Print(print) => print.run(),
            Schema::Diff(diff) => diff.run(),
            Schema::Apply(apply) => apply.run(),
            Schema::History(history) => history.run(),
            Schema::Indexes(indexes) => indexes.run(),
        }
    }
}

#[derive(Deserialize)]
struct Declared {
    schema: DeclaredSchema,
}

#[derive(Deserialize)]
struct DeclaredSchema {
    sdl: String,
}

impl Print {
    fn run(self) -> Result<(), Failure> {
        let field = if self.api { "api" } else { "schema" };
        let declared: Declared =
            Client::new(&self.server.url)?.admin(&format!("{{ schema: {field} {{ sdl }} }}"), &json!({}))?;
        output::data(&declared.schema.sdl)
    }
}

/// One difference.
#[derive(Debug, Deserialize, Serialize)]
struct Change {
    coordinate: String,
    description: String,
    safety: Safety,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Safety {
    Safe,
    NeedsBackfill,
    Breaking,
}

impl Safety {
    fn word(self) -> &'static str {
        match self {
            Safety::Safe => "safe",
            Safety::NeedsBackfill => "backfill",
            Safety::Breaking => "BREAKING",
        }
    }
}

#[derive(Deserialize)]
struct Diffed {
    #[serde(rename = "diffSchema")]
    result: Changed,
}

#[derive(Deserialize)]
struct Applied {
    #[serde(rename = "applySchema")]
    result: Changed,
}

/// The members of both result unions that we ask for.
#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum Changed {
    SchemaDiff { changes: Vec<Change> },
    AppliedSchema { version: u32, changes: Vec<Change>, backfilled: String },
    InvalidSchema { errors: Vec<Place> },
    RefusedChange { reason: String },
    VersionMismatch { expected: u32, found: u32 },
}

const DIFF: &str = "query ($sdl: String!) { diffSchema(sdl: $sdl) { __typename
  ... on SchemaDiff { changes { coordinate description safety } }
  ... on InvalidSchema { errors { message line column rule } } } }";

const APPLY: &str = "mutation ($sdl: String!, $dryRun: Boolean!, $force: Boolean!, $expectedVersion: Int) {
  applySchema(sdl: $sdl, dryRun: $dryRun, force: $force, expectedVersion: $expectedVersion) { __typename
    ... on AppliedSchema { version backfilled changes { coordinate description safety } }
    ... on InvalidSchema { errors { message line column rule } }
    ... on RefusedChange { reason }
    ... on VersionMismatch { expected found } } }";

impl Diff {
    fn run(self) -> Result<(), Failure> {
        let sdl = read(&self.file)?;
        let diffed: Diffed = Client::new(&self.server.url)?.admin(DIFF, &json!({ "sdl": sdl }))?;
        let changes = match diffed.result {
            Changed::SchemaDiff { changes } => changes,
            other => return Err(refusal(other, &self.file, &sdl)),
        };
        if self.json {
            output::json(&changes)?;
        } else if changes.is_empty() {
            output::say("No differences.");
        } else {
            output::data(&table(&changes))?;
        }
        if self.exit_code && !changes.is_empty() {
            return Err(Failure::new(Exit::Found, ""));
        }
        Ok(())
    }
}

impl Apply {
    fn run(self) -> Result<(), Failure> {
        let sdl = read(&self.file)?;
        let variables = json!({
            "sdl": sdl,
            "dryRun": self.dry_run,
            "force": self.force,
            "expectedVersion": self.expected_version,
        });
        let applied: Applied = Client::new(&self.server.url)?.admin(APPLY, &variables)?;
        let (version, changes, backfilled) = match applied.result {
            Changed::AppliedSchema { version, changes, backfilled } => (version, changes, backfilled),
            other => return Err(refusal(other, &self.file, &sdl)),
        };
        if self.json {
            return output::json(&json!({
                "version": version,
                "dryRun": self.dry_run,
                "backfilled": backfilled,
                "changes": changes,
            }));
        }
        if changes.is_empty() {
            output::say(&format!("Nothing to change: the schema is at version {version}."));
            return Ok(());
        }
        output::data(&table(&changes))?;
        output::say(&if self.dry_run {
            format!("Nothing was kept (dry run). The schema would be at version {version}.")
        } else {
            format!("The schema is at version {version}. Index entries were written for {backfilled} documents.")
        });
        Ok(())
    }
}

fn refusal(result: Changed, file: &Path, sdl: &str) -> Failure {
    let name = file.display().to_string();
    let message = match result {
        Changed::InvalidSchema { errors } => caret::render(&name, sdl, &errors),
        Changed::RefusedChange { reason } => reason,
        Changed::VersionMismatch { expected, found } => format!(
            "The schema is at version {found}, not {expected}: somebody else changed it. Look at `vivarium schema diff` again."
        ),
        Changed::SchemaDiff { .. } | Changed::AppliedSchema { .. } => {
            "The server answered another question than the one that was asked.".to_owned()
        }
    };
    Failure::new(Exit::Refused, message)
}

fn table(changes: &[Change]) -> String {
    let width = changes.iter().map(|change| change.coordinate.chars().count()).max().unwrap_or(0);
    let line = |change: &Change| {
        format!("{:<8}  {:<width$}  {}\n", change.safety.word(), change.coordinate, change.description)
    };
    changes.iter().map(line).collect()
}

fn read(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::new(Exit::File, format!("Cannot read standard input: {error}.")))?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Past {
    schema_history: Vec<PastSchema>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct PastSchema {
    version: u32,
    applied_micros: String,
    sdl: String,
}

impl History {
    fn run(self) -> Result<(), Failure> {
        let query = "query ($limit: Int!) { schemaHistory(limit: $limit) { version appliedMicros sdl } }";
        let past: Past = Client::new(&self.server.url)?.admin(query, &json!({ "limit": self.limit }))?;
        if self.json {
            return output::json(&past.schema_history);
        }
        if past.schema_history.is_empty() {
            output::say("No schema was applied yet.");
        }
        let line = |one: &PastSchema| {
            format!("{:>7}  {}  {} lines\n", one.version, instant(&one.applied_micros), one.sdl.lines().count())
        };
        output::data(&past.schema_history.iter().map(line).collect::<String>())
    }
}

/// Microseconds since 1970 as RFC 3339 in UTC (Howard Hinnant's civil-from-days).
pub fn instant(micros: &str) -> String {
    let micros: i64 = micros.parse().unwrap_or_default();
    let seconds = micros.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[derive(Deserialize, Serialize)]
struct Listed {
    indexes: Vec<Index>,
}

#[derive(Deserialize, Serialize)]
struct Index {
    collection: String,
    name: String,
    fields: Vec<String>,
    unique: bool,
    ready: bool,
    relation: bool,
}

impl Indexes {
    fn run(self) -> Result<(), Failure> {
        let query = "{ indexes { collection name fields unique ready relation } }";
        let listed: Listed = Client::new(&self.server.url)?.admin(query, &json!({}))?;
        if self.json {
            return output::json(&listed.indexes);
        }
        let line = |index: &Index| {
            let kind = if index.unique { "unique" } else { "index" };
            let origin = if index.relation { " (relation)" } else { "" };
            let state = if index.ready { "" } else { " (being built)" };
            format!("{:<6}  {}.{}  [{}]{origin}{state}\n", kind, index.collection, index.name, index.fields.join(", "))
        };
        output::data(&listed.indexes.iter().map(line).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_printed_in_utc() {
        assert_eq!(instant("0"), "1970-01-01T00:00:00Z");
        assert_eq!(instant("951782400000000"), "2000-02-29T00:00:00Z");
        assert_eq!(instant("1795217263000000"), "2026-11-20T23:27:43Z");
    }
}
