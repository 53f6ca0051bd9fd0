//! `vivarium cluster transfer-leader`.

use crate::cli::{Client, Exit, Failure, Server, output};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

/// Have another node lead.
#[derive(Args)]
pub struct Transfer {
    /// The node that is to lead [default: the one that is closest behind]
    #[arg(value_name = "NODE")]
    node: Option<u64>,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    transfer_leadership: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    reason: Option<String>,
    leader: Option<String>,
}

const TRANSFER: &str = "mutation ($to: BigInt) { transferLeadership(to: $to) {
  ... on TransferredLeadership { leader } ... on RefusedChange { reason } } }";

impl Transfer {
    /// Waits until another node leads.
    ///
    /// # Errors
    /// No server, or a node that does not take over.
    pub fn run(self) -> Result<(), Failure> {
        let to = self.node.map(|node| node.to_string());
        let told: Told = Client::new(&self.server.url)?.admin(TRANSFER, &json!({ "to": to }))?;
        let Outcome { reason, leader } = told.transfer_leadership;
        if let Some(reason) = reason {
            return Err(Failure::new(Exit::Refused, reason));
        }
        output::say(&match leader {
            Some(leader) => format!("Node {leader} leads now."),
            None => "Another node leads now; the node that was asked has not heard from it yet.".to_owned(),
        });
        Ok(())
    }
}
