//! `vivarium cluster`: one file a command. `init`, `join`, `token` and `recover` work on a data folder, the others ask a
//! server.

mod add;
mod init;
mod join;
mod recipe;
mod recover;
mod remove;
mod status;
mod token;
mod transfer;

use super::{Exit, Failure, sentence};
use crate::serve::folder_failure;
use clap::Subcommand;
use std::path::Path;
use vivarium_consensus::Error;

/// Form a cluster, look at it, and change it.
#[derive(Subcommand)]
pub enum Cluster {
    /// Make a folder the first node of a cluster, and print what others need to join
    Init(init::Init),
    /// Make a new folder a node of a cluster that is there
    Join(join::Join),
    /// Print the join token and the commands that add a node to a server's cluster
    Add(add::Add),
    /// Show the nodes of a server's cluster
    Status(status::Status),
    /// Let a node leave the cluster for good
    Remove(remove::Remove),
    /// Have another node lead
    TransferLeader(transfer::Transfer),
    /// Print what others need to join the cluster of a folder
    Token(token::Token),
    /// After the majority was lost for good: make one survivor the only voter of its cluster
    Recover(recover::Recover),
}

impl Cluster {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of each.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Cluster::Init(init) => init.run(),
            Cluster::Join(join) => join.run(),
            Cluster::Add(add) => add.run(),
            Cluster::Status(status) => status.run(),
            Cluster::Remove(remove) => remove.run(),
            Cluster::TransferLeader(transfer) => transfer.run(),
            Cluster::Token(token) => token.run(),
            Cluster::Recover(recover) => recover.run(),
        }
    }
}

/// What a person should do about a folder, or about a cluster that it cannot join.
pub fn failure(dir: &Path, error: &Error) -> Failure {
    match error {
        Error::Refused(reason) => Failure::new(Exit::Refused, sentence(reason)),
        Error::Peer { address, reason } => {
            let message = format!("The node at {address} cannot be reached: {}", sentence(reason));
            Failure::new(Exit::Unreachable, message)
        }
        Error::Unavailable { .. } | Error::Reopened | Error::DeadlineExceeded | Error::UnknownOutcome => Failure::new(
            Exit::Unreachable,
            "The cluster did not answer in time: it may have no leader now. Look with `vivarium cluster status`, and run \
             the same command again: it is the same attempt.",
        ),
        error => folder_failure(dir, error),
    }
}
