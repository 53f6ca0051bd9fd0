//! `vivarium check`: opens a data folder that no server has open and reads all of it.

use super::{Exit, Failure, output};
use crate::config::{Flags, Settings};
use crate::serve::{self, folder_failure};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vivarium_consensus::Error;
use vivarium_storage::Error as Storage;

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

impl Check {
    /// Prints what was read and what is wrong.
    ///
    /// # Errors
    /// `Exit::Damaged` when something is wrong, `Exit::Folder` when it is locked or no data folder.
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
        let report = match runtime.block_on(serve::verify(&settings)) {
            Ok(report) => report,
            Err(error @ Error::Storage(Storage::Corrupt { .. })) => return Err(self.damaged(&error)),
            Err(error) => return Err(folder_failure(&self.data, &error)),
        };
        if self.json {
            output::json(&report)?;
        } else {
            let summary = format!("{} documents and {} index entries read.", report.documents, report.entries);
            output::say(&summary);
            output::data(&report.problems.iter().map(|problem| format!("{problem}\n")).collect::<String>())?;
        }
        if report.problems.is_empty() {
            return Ok(());
        }
        let message = format!("{} is damaged: {} problems.", self.data.display(), report.problems.len());
        Err(Failure::new(Exit::Damaged, message))
    }

    fn damaged(&self, error: &Error) -> Failure {
        let mut failure = folder_failure(&self.data, error);
        failure.exit = Exit::Damaged;
        if self.json {
            let report = json!({ "documents": 0, "entries": 0, "problems": [error.to_string()] });
            if let Err(unwritten) = output::json(&report) {
                return unwritten;
            }
        }
        failure
    }
}
