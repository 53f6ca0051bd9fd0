//! `vivarium cluster token`.

use super::failure;
use crate::cli::{Exit, Failure, output};
use clap::Args;
use std::path::PathBuf;

/// Print what others need to join the cluster of a folder.
#[derive(Args)]
pub struct Token {
    /// The data folder of any node; a server may have it open
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    data: PathBuf,
}

impl Token {
    /// Prints the join token.
    ///
    /// # Errors
    /// A folder without one.
    pub fn run(self) -> Result<(), Failure> {
        if !self.data.is_dir() {
            let message = format!("There is no data folder {}.", self.data.display());
            return Err(Failure::new(Exit::Folder, message));
        }
        match vivarium_consensus::token(&self.data).map_err(|error| failure(&self.data, &error))? {
            Some(token) => output::data(&token.to_string()),
            None => {
                let dir = self.data.display();
                let message = format!(
                    "The folder {dir} belongs to no cluster. Make it the first node of one with `vivarium cluster init \
                     --data {dir}`."
                );
                Err(Failure::new(Exit::Folder, message))
            }
        }
    }
}
