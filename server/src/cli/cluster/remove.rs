//! `vivarium cluster remove`.

use crate::cli::{Client, Exit, Failure, Server, output};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

/// Let a node leave the cluster for good.
#[derive(Args)]
pub struct Remove {
    /// The node's number, as `vivarium cluster status` shows it
    #[arg(value_name = "NODE")]
    node: u64,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    remove_member: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    reason: Option<String>,
    #[serde(default)]
    voters: Vec<String>,
}

const REMOVE: &str = "mutation ($node: BigInt!) { removeMember(node: $node) {
  ... on RemovedMember { voters } ... on RefusedChange { reason } } }";

impl Remove {
    /// Waits until the cluster does without the node.
    ///
    /// # Errors
    /// No server, or a cluster that cannot do without it.
    pub fn run(self) -> Result<(), Failure> {
        let node = self.node;
        let told: Told = Client::new(&self.server.url)?.admin(REMOVE, &json!({ "node": node.to_string() }))?;
        let Outcome { reason, voters } = told.remove_member;
        if let Some(reason) = reason {
            return Err(Failure::new(Exit::Refused, reason));
        }
        output::say(&format!(
            "Node {node} is removed, and its number is never given again. Who votes now: {}. Stop its process and delete \
             its folder. To put another in its place, run `vivarium cluster join` with a new folder.",
            voters.join(", ")
        ));
        Ok(())
    }
}
