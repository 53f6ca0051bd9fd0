//! `vivarium import`.

use super::{Client, Exit, Failure, Server, output};
use crate::import::{Format, Job, Options, Source, Summary, Translator, import};
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use vivarium_schema::{Catalog, sdl};

/// Create records from files, one record a line.
#[derive(Args)]
pub struct Import {
    #[command(flatten)]
    server: Server,
    /// The collection's type name; with several files each one's own name says it (Artist.jsonl)
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
    /// Files, in an order in which what is referred to comes first; - reads standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How they are written [default: by the end of their names]
    #[arg(long)]
    format: Option<Format>,
    /// Collect lines that do not fit in FILE.rejects.jsonl and go on
    #[arg(long)]
    keep_going: bool,
    /// Names this import: under another label the same lines are imported again
    #[arg(long, default_value = "", hide_default_value = true)]
    label: String,
    /// Print what was done as JSON, one line a file
    #[arg(long)]
    json: bool,
}

impl Import {
    /// Imports file after file.
    ///
    /// # Errors
    /// A file, the server, or a line that does not fit.
    pub fn run(self) -> Result<(), Failure> {
        if self.collection.is_some() && self.files.len() > 1 {
            let message = "--collection goes with one file. With several, name each file after its collection.";
            return Err(Failure::new(Exit::Usage, message));
        }
        let client = Client::new(&self.server.url)?;
        let catalog = fetch_catalog(&client)?;
        let mut rejected = 0;
        for file in &self.files {
            let summary = self.import(&client, &catalog, file)?;
            rejected += summary.rejected;
            self.tell(&summary)?;
        }
        if rejected > 0 {
            let message = format!("{rejected} lines did not fit. They are in the rejects files, each with its reason.");
            return Err(Failure::new(Exit::Refused, message));
        }
        Ok(())
    }

    fn import(&self, client: &Client, catalog: &Catalog, file: &Path) -> Result<Summary, Failure> {
        let name = match &self.collection {
            Some(name) => name.clone(),
            None if file == Path::new("-") => {
                return Err(Failure::new(Exit::Usage, "Say with --collection what standard input holds."));
            }
            None => file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
        };
        let Some(collection) = catalog.collection_named(&name) else {
            return Err(Failure::new(Exit::Usage, unknown_collection(&name, catalog)));
        };
        let translator = Translator::new(catalog.clone(), collection.id);
        let source = Source::open(file, self.format)?;
        let rejects = self.keep_going.then(|| {
            let base = if file == Path::new("-") { Path::new("stdin") } else { file };
            PathBuf::from(format!("{}.rejects.jsonl", base.display()))
        });
        let options = Options { rejects, label: self.label.clone() };
        import(Job { client: client.clone(), translator, source }, &options)
    }

    fn tell(&self, summary: &Summary) -> Result<(), Failure> {
        if self.json {
            return output::json(summary);
        }
        let Summary { collection, source, records, seconds, .. } = summary;
        let rate = *records as f64 / seconds.max(0.001);
        output::say(&format!("{collection}: {records} records from {source} in {seconds:.1} s ({rate:.0} a second)"));
        Ok(())
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

/// The schema that the server has applied, resolved.
///
/// # Errors
/// No server, no schema, or one that this release does not understand.
pub fn fetch_catalog(client: &Client) -> Result<Catalog, Failure> {
    let declared: Declared = client.admin("{ schema { sdl } }", &json!({}))?;
    if declared.schema.sdl.is_empty() {
        let message = "The server has no schema yet. Apply one first: vivarium schema apply schema.graphql";
        return Err(Failure::new(Exit::Refused, message));
    }
    sdl::declare(&declared.schema.sdl, None).map_err(|_| {
        let message = "The server's schema has words that this release does not know. Use the server's own release.";
        Failure::new(Exit::Refused, message)
    })
}

/// What a person is told who named a collection that is none.
pub fn unknown_collection(name: &str, catalog: &Catalog) -> String {
    let names: Vec<&str> = catalog.collections.iter().map(|collection| collection.name.as_str()).collect();
    format!("There is no collection {name}. Say which with --collection; there are {}.", names.join(", "))
}
