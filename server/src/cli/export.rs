//! `vivarium export`.

use super::import::{fetch_catalog, unknown_collection};
use super::{Client, Exit, Failure, Server, output};
use crate::export::{ExportOptions, Exporter, in_import_order};
use clap::Args;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use vivarium_schema::catalog::Collection;

/// Write records to files, one record a line, as `import` reads them.
#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    server: Server,
    /// One collection, by its type name
    #[arg(long, value_name = "NAME", conflicts_with = "all", required_unless_present = "all")]
    collection: Option<String>,
    /// All collections, a file each, into the folder --out
    #[arg(long, requires = "out")]
    all: bool,
    /// Where to: a file, or with --all a folder [default: standard output]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Write the ids of all records, so that an import keeps them
    #[arg(long)]
    with_ids: bool,
}

impl Export {
    /// Exports one collection or all.
    ///
    /// # Errors
    /// The server, or a file.
    pub fn run(self) -> Result<(), Failure> {
        let client = Client::new(&self.server.url)?;
        let catalog = fetch_catalog(&client)?;
        let exporter = Exporter { client, catalog: &catalog, options: ExportOptions { with_ids: self.with_ids } };
        match (&self.collection, &self.out) {
            (None, Some(folder)) => all(&exporter, folder),
            (Some(name), out) => {
                let collection = catalog
                    .collection_named(name)
                    .ok_or_else(|| Failure::new(Exit::Usage, unknown_collection(name, &catalog)))?;
                match out {
                    Some(file) => to_file(&exporter, collection, file),
                    None => {
                        let mut lines = String::new();
                        exporter.export(collection, |line| {
                            lines.clear();
                            lines.push_str(line);
                            lines.push('\n');
                            output::data(&lines)
                        })?;
                        Ok(())
                    }
                }
            }
            (None, None) => unreachable!("clap asks for --collection or for --all with --out"),
        }
    }
}

fn all(exporter: &Exporter<'_>, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    let mut files = Vec::new();
    for collection in in_import_order(exporter.catalog) {
        let file = folder.join(format!("{}.jsonl", collection.name));
        to_file(exporter, collection, &file)?;
        files.push(file.display().to_string());
    }
    output::say(&format!("Import them in this order:\n  vivarium import {}", files.join(" ")));
    Ok(())
}

fn to_file(exporter: &Exporter<'_>, collection: &Collection, path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file("write", path, &error);
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    let count = exporter.export(collection, |line| writeln!(file, "{line}").map_err(failed))?;
    file.flush().map_err(failed)?;
    output::say(&format!("{}: {count} records to {}", collection.name, path.display()));
    Ok(())
}
