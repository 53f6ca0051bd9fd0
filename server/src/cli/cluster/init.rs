//! `vivarium cluster init`.

use super::failure;
use crate::cli::{Failure, output};
use clap::Args;
use std::path::PathBuf;
use vivarium_consensus::initialise;
use vivarium_storage::runtime::Runtime;

/// Make a folder the first node of a cluster, and print what others need to join.
#[derive(Args)]
pub struct Init {
    /// The data folder: a new one, or that of a node that was alone until now
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    data: PathBuf,
}

impl Init {
    /// Prints the join token. Repeated, it prints the same one.
    ///
    /// # Errors
    /// Those of the folder.
    pub fn run(self) -> Result<(), Failure> {
        let token = initialise(&self.data, &Runtime::system()).map_err(|error| failure(&self.data, &error))?;
        output::say(&format!(
            "The folder {dir} is the first node of a cluster. The line below is its join token. Whoever has it can join \
             and read everything: keep it as you keep a password. Start this node:\n\n    vivarium serve --data {dir} \
             --cluster-listen 127.0.0.1:4100\n\nand then make each other node, with a folder and addresses of its own:\n\n    \
             vivarium cluster join --data ./node-2 --cluster-listen 127.0.0.1:4101 --member 127.0.0.1:4100 --token \
             TOKEN\n",
            dir = self.data.display()
        ));
        output::data(&token.to_string())
    }
}
