//! `vivarium cluster status`.

use crate::cli::{Client, Failure, Server, output};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Show the nodes of a server's cluster.
#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    server: Server,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Told {
    cluster: Cluster,
}

#[derive(Serialize, Deserialize)]
struct Cluster {
    id: String,
    node: String,
    leader: Option<String>,
    term: String,
    members: Vec<Member>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    node: String,
    address: Option<String>,
    part: String,
    replaces: Option<String>,
    role: Option<String>,
    matched_index: Option<String>,
    lag: Option<String>,
    reachable: Option<bool>,
    unreachable_since: Option<String>,
}

const CLUSTER: &str = "{ cluster { id node leader term \
    members { node address part replaces role matchedIndex lag reachable unreachableSince } } }";

impl Status {
    /// Prints a row for each node.
    ///
    /// # Errors
    /// No server.
    pub fn run(self) -> Result<(), Failure> {
        let Told { cluster } = Client::new(&self.server.url)?.admin(CLUSTER, &json!({}))?;
        if self.json {
            return output::json(&cluster);
        }
        output::data(&table(&cluster))?;
        output::say(&summary(&cluster));
        Ok(())
    }
}

fn table(cluster: &Cluster) -> String {
    let head = ["node", "address", "part", "role", "matched", "lag", "reachable"].map(str::to_owned);
    let word = |text: &Option<String>| text.as_deref().unwrap_or("-").to_lowercase();
    let row = |member: &Member| {
        let reachable = match (member.reachable, &member.unreachable_since) {
            (Some(true), _) => "yes".to_owned(),
            (Some(false), Some(since)) => format!("no, since {}", crate::cli::schema::instant(since)),
            (Some(false), None) => "no".to_owned(),
            (None, _) => "-".to_owned(),
        };
        [
            member.node.clone(),
            member.address.clone().unwrap_or_else(|| "-".to_owned()),
            member.part.to_lowercase(),
            word(&member.role),
            word(&member.matched_index),
            word(&member.lag),
            reachable,
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(cluster.members.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn summary(cluster: &Cluster) -> String {
    let Cluster { id, node, term, .. } = cluster;
    let leader = match &cluster.leader {
        Some(leader) if leader == node => format!("Node {node} was asked, which leads in term {term}."),
        Some(leader) => format!(
            "Node {node} was asked, which follows node {leader} in term {term}. Only the leader knows how far the others are."
        ),
        None => format!("Node {node} was asked, which knows no leader (term {term})."),
    };
    let replaced = cluster.members.iter().filter_map(|member| {
        let old = member.replaces.as_ref()?;
        Some(format!(" Node {} took the place of node {old}, whose log was damaged.", member.node))
    });
    format!("Cluster {id}. {leader}{}", replaced.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(node: &str, role: Option<&str>, lag: Option<&str>, reachable: Option<bool>) -> Member {
        Member {
            node: node.into(),
            address: Some(format!("127.0.0.1:410{node}")),
            part: "VOTER".into(),
            replaces: None,
            role: role.map(str::to_owned),
            matched_index: lag.map(|_| "1200".to_owned()),
            lag: lag.map(str::to_owned),
            reachable,
            unreachable_since: (reachable == Some(false)).then(|| "1763715600000000".to_owned()),
        }
    }

    #[test]
    fn a_row_for_each_node() {
        let members = vec![
            member("1", Some("LEADER"), Some("0"), Some(true)),
            member("2", Some("FOLLOWER"), Some("17"), Some(true)),
            member("10", None, None, Some(false)),
        ];
        let mut cluster =
            Cluster { id: "c".into(), node: "1".into(), leader: Some("1".into()), term: "4".into(), members };
        insta::assert_snapshot!(table(&cluster), @r"
        node  address          part   role      matched  lag  reachable
        1     127.0.0.1:4101   voter  leader    1200     0    yes
        2     127.0.0.1:4102   voter  follower  1200     17   yes
        10    127.0.0.1:41010  voter  -         -        -    no, since 2025-11-21T09:00:00Z
        ");
        assert_eq!(summary(&cluster), "Cluster c. Node 1 was asked, which leads in term 4.");
        cluster.leader = None;
        cluster.members[2].replaces = Some("3".into());
        assert_eq!(
            summary(&cluster),
            "Cluster c. Node 1 was asked, which knows no leader (term 4). Node 10 took the place of node 3, whose log was damaged."
        );
    }
}
