//! `vivarium cluster recover`.

use super::failure;
use crate::cli::{Exit, Failure, output};
use crate::config::{Flags, Settings};
use clap::Args;
use std::path::PathBuf;
use vivarium_consensus::{RecoveryReport, recover};

/// After the majority was lost for good: make one survivor the only voter of its cluster.
#[derive(Args)]
pub struct Recover {
    /// The survivor's data folder, which no server has open
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Do it; without this it is only said what would happen
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Recover {
    /// Says what a forced recovery costs, and does it when it is forced.
    ///
    /// # Errors
    /// A folder that is in use or damaged, or a node that needs no recovery.
    pub fn run(self) -> Result<(), Failure> {
        if !self.data.is_dir() {
            let message = format!("There is no data folder {}.", self.data.display());
            return Err(Failure::new(Exit::Folder, message));
        }
        let flags = Flags { data: Some(self.data.clone()), ..Flags::default() };
        let options = Settings::resolve(flags, "")?.node();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::File, format!("Cannot start threads: {error}.")))?;
        let report = runtime.block_on(recover(&options, self.force)).map_err(|error| failure(&self.data, &error))?;
        if self.json {
            output::json(&report)?;
        }
        output::say(&self.words(&report));
        Ok(())
    }

    fn words(&self, report: &RecoveryReport) -> String {
        let RecoveryReport { cluster, node, applied_index, last_index, version, .. } = report;
        let (voters, others) = (list(&report.voters), list(&report.others));
        let dir = self.data.display();
        let instant = crate::cli::schema::instant(&version.0.to_string());
        if report.forced {
            return format!(
                "Node {node} is the only voter of cluster {cluster} now, at version {version} ({instant}).\n\n\
                 Whatever only the others ({others}) had acknowledged is lost. Delete their folders before one of them \
                 runs again: this node and those that join it refuse to talk to them, but together they could still \
                 decide in the old way, beside this node. Then start this node and have new folders join:\n\n    vivarium serve --data {dir} \
                 --cluster-listen HOST:PORT\n    vivarium cluster join --data NEW --cluster-listen HOST:PORT --member \
                 HOST:PORT --token TOKEN\n"
            );
        }
        format!(
            "Nothing was changed. With --force, node {node} of cluster {cluster} would become its only voter.\n\n\
             Who voted, as far as this node knows: {voters}. Its store ends at entry {applied_index}, version {version} \
             ({instant}); its log at entry {last_index}, and all of that is kept, also what was never acknowledged.\n\n\
             What may be lost: whatever the others ({others}) acknowledged and this node never heard of. If another node \
             survived too, compare its last entry, and recover the one with the greater.\n\n\
             Do this only when the others cannot come back with their data. Their folders must be deleted, for together \
             they could still decide in the old way, beside this node. If they can come back, start them instead: \
             nothing is lost then.\n"
        )
    }
}

fn list(nodes: &[u64]) -> String {
    let names: Vec<String> = nodes.iter().map(u64::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
