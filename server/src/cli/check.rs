//! `vivarium check`: opens a data folder that no server has open and reads all of it.

use super::{Exit, Failure, output};
use crate::config::{Flags, Settings};
use crate::serve::{DATABASE, database_failure, folder_failure};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use vivarium_consensus::{Error, Node};
use vivarium_schema::database::{self, VerifyReport};
use vivarium_storage::Error as Storage;
use vivarium_storage::engine::Verification;

/// Verify a data folder that no server has open: every checksum, every index.
#[derive(Args)]
pub struct Check {
    /// The data folder
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was read, and what is wrong.
#[derive(Default, Serialize)]
struct Report {
    /// Rows of all tables, earlier versions included.
    rows: u64,
    /// Documents compared with their index entries.
    documents: u64,
    /// Index entries and links compared with their documents.
    entries: u64,
    /// One sentence each.
    problems: Vec<String>,
}

impl Check {
    /// Prints what was read and what is wrong.
    ///
    /// # Errors
    /// `Exit::Found` when something is wrong, `Exit::Folder` when the folder is locked or no data folder.
    pub fn run(self) -> Result<(), Failure> {
        if !self.data.is_dir() {
            let message = format!("There is no data folder {}.", self.data.display());
            return Err(Failure::new(Exit::Folder, message));
        }
        let flags = Flags { data: Some(self.data.clone()), ..Flags::default() };
        let settings = Settings::resolve(flags, "")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::File, format!("Cannot start threads: {error}.")))?;
        let report = runtime.block_on(self.read(&settings))?;
        if self.json {
            output::json(&report)?;
        } else {
            let Report { rows, documents, entries, .. } = &report;
            output::say(&format!(
                "{rows} rows read; {documents} documents compared with {entries} index entries and links."
            ));
            output::data(&report.problems.iter().map(|problem| format!("{problem}\n")).collect::<String>())?;
        }
        if report.problems.is_empty() {
            return Ok(());
        }
        let message = format!(
            "{} is damaged: {} problems. Keep a copy of the folder, look at the disk, and restore a backup.",
            self.data.display(),
            report.problems.len()
        );
        Err(Failure::new(Exit::Found, message))
    }

    async fn read(&self, settings: &Settings) -> Result<Report, Failure> {
        // Opening reads every record of the log.
        let node = match Node::open(settings.node()).await {
            Ok(node) => node,
            Err(error @ Error::Storage(Storage::Corrupt { .. })) => {
                return Ok(Report { problems: vec![error.to_string()], ..Report::default() });
            }
            Err(error) => return Err(folder_failure(&self.data, &error)),
        };
        let store = node.store().map_err(|error| folder_failure(&self.data, &error))?.snapshot().verify();
        let database = database::verify(&node, DATABASE).await;
        let closed = node.close().await;
        let report = report(&store, database).map_err(|error| database_failure(&self.data, &error))?;
        closed.map(|()| report).map_err(|error| folder_failure(&self.data, &error))
    }
}

/// One report of both; damage that ends the comparison is a problem among others.
fn report(store: &Verification, database: Result<VerifyReport, database::Error>) -> Result<Report, database::Error> {
    let mut problems: Vec<String> = Vec::new();
    for table in &store.tables {
        problems.extend(table.examples.iter().map(|example| format!("Table {}: {example}.", table.name)));
        let unnamed = table.damaged.saturating_sub(table.examples.len() as u64);
        if unnamed > 0 {
            problems.push(format!("Table {}: {unnamed} more are damaged.", table.name));
        }
    }
    let compared = match database {
        Ok(compared) => compared,
        Err(database::Error::Consensus(Error::Storage(error @ Storage::Corrupt { .. }))) => {
            problems.push(format!("The comparison of documents and indexes ended early: {error}."));
            VerifyReport::default()
        }
        Err(error) => return Err(error),
    };
    problems.extend(compared.problems);
    let rows = store.tables.iter().map(|table| table.rows).sum();
    Ok(Report { rows, documents: compared.documents, entries: compared.entries, problems })
}
