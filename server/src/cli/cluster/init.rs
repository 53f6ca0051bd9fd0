//! `vivarium cluster init`.

use super::failure;
use super::recipe::{HOST_PORT, Recipe};
use crate::cli::{Failure, output};
use crate::config::PeerTlsFiles;
use clap::Args;
use std::path::{Path, PathBuf};
use vivarium_consensus::initialise;
use vivarium_storage::runtime::Runtime;

/// Where the first node listens, unless it is said.
const LISTEN: &str = "127.0.0.1:4100";

/// Make a folder the first node of a cluster, and print what others need to join.
#[derive(Args)]
pub struct Init {
    /// The data folder: a new one, or that of a node that was alone until now
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Where this node will listen for the others, as HOST:PORT [default: 127.0.0.1:4100]
    #[arg(long, env = "VIVARIUM_CLUSTER_LISTEN", value_name = "ADDRESS")]
    cluster_listen: Option<String>,
    /// Where the others will reach it, as HOST:PORT [default: where it listens for them]
    #[arg(long, env = "VIVARIUM_ADVERTISE", value_name = "ADDRESS")]
    advertise: Option<String>,
    #[command(flatten)]
    tls: PeerTlsFiles,
}

impl Init {
    /// Prints the join token. Repeated, it prints the same one. Addresses and certificates are not kept: they are those
    /// of the commands that it prints.
    ///
    /// # Errors
    /// Those of the folder; certificates that cannot be read.
    pub fn run(self) -> Result<(), Failure> {
        self.tls.read()?;
        let token = initialise(&self.data, &Runtime::system()).map_err(|error| failure(&self.data, &error))?;
        let listen = self.cluster_listen.as_deref().unwrap_or(LISTEN);
        let first =
            Recipe { data: &self.data, cluster_listen: listen, advertise: self.advertise.as_deref(), tls: &self.tls };
        let other = Recipe { data: Path::new("./node-2"), cluster_listen: HOST_PORT, advertise: None, tls: &self.tls };
        output::say(&format!(
            "The folder {dir} is the first node of a cluster. The line below is its join token. Whoever has it can join \
             and read everything: keep it as you keep a password. Start this node:\n\n    {serve}\n\nand then make each \
             other node, with a folder, {files} of its own, and the token in a file:\n\n    {join}\n    \
             {serve_other}\n\n`vivarium cluster add` prints these commands for a cluster that runs.\n",
            dir = self.data.display(),
            serve = first.serve(),
            files = if self.tls.certificate.is_some() { "an address and a certificate" } else { "an address" },
            join = other.join(self.advertise.as_deref().unwrap_or(listen)),
            serve_other = other.serve(),
        ));
        output::data(&token.to_string())
    }
}
