//! `vivarium cluster add`.

use super::failure;
use super::recipe::{HOST_PORT, Recipe};
use crate::cli::{Client, Exit, Failure, Server, output};
use crate::config::PeerTlsFiles;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use vivarium_consensus::NODES_MAX;

/// Print the join token and the commands that add a node to a server's cluster.
#[derive(Args)]
pub struct Add {
    /// Where the new node will listen for the others, as HOST:PORT
    #[arg(value_name = "HOST:PORT")]
    address: Option<String>,
    /// The new node's data folder [default: ./node-N]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Where the others will reach the new node, as HOST:PORT [default: where it listens for them]
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<String>,
    #[command(flatten)]
    tls: PeerTlsFiles,
    /// The data folder of any node of the cluster, which has the token; a server may have it open
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    id: String,
    leader: Option<String>,
    peer_tls: bool,
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    node: String,
    address: Option<String>,
    part: String,
}

/// What another program needs to add a node.
#[derive(Serialize)]
struct Said<'a> {
    cluster: &'a str,
    token: Option<String>,
    member: &'a str,
    join: String,
    serve: String,
}

const CLUSTER: &str = "{ cluster { id leader peerTls members { node address part } } }";

impl Add {
    /// Prints the token on standard output, and the commands beside it. Changes nothing: the node joins when they are run.
    ///
    /// # Errors
    /// No server, a server that meets no others, a cluster that is full, a folder without a token.
    pub fn run(self) -> Result<(), Failure> {
        let Told { cluster } = Client::new(&self.server.url)?.admin(CLUSTER, &json!({}))?;
        let member = cluster.contact().ok_or_else(|| {
            let message =
                "The server meets no other nodes. Serve it with --cluster-listen HOST:PORT, and run this again.";
            Failure::new(Exit::Refused, message)
        })?;
        if cluster.present() >= NODES_MAX {
            let message = format!(
                "The cluster has {NODES_MAX} nodes, which is the most. Remove one first with `vivarium cluster remove`."
            );
            return Err(Failure::new(Exit::Refused, message));
        }
        let token = self.data.as_deref().map(|data| token(data, &cluster.id)).transpose()?;
        let tls = self.certificates(cluster.peer_tls)?;
        let folder = self.folder.clone().unwrap_or_else(|| format!("./node-{}", cluster.next_number()).into());
        let recipe = Recipe {
            data: &folder,
            cluster_listen: self.address.as_deref().unwrap_or(HOST_PORT),
            advertise: self.advertise.as_deref(),
            tls: &tls,
        };
        if self.json {
            let said = Said { cluster: &cluster.id, token, member, join: recipe.join(member), serve: recipe.serve() };
            return output::json(&said);
        }
        output::say(&words(&cluster, &recipe, member, token.is_some()));
        token.map_or(Ok(()), |token| output::data(&token))
    }

    /// The files that the commands name: those given, or what stands for them when the cluster has TLS.
    fn certificates(&self, has_tls: bool) -> Result<PeerTlsFiles, Failure> {
        let given = [&self.tls.certificate, &self.tls.key, &self.tls.authority].into_iter().flatten().count();
        match (has_tls, given) {
            (true, 0) => Ok(PeerTlsFiles {
                certificate: Some("CERTIFICATE.pem".into()),
                key: Some("KEY.pem".into()),
                authority: Some("AUTHORITY.pem".into()),
            }),
            (true, 3) | (false, 0) => Ok(self.tls.clone()),
            (true, _) => Err(Failure::new(
                Exit::Usage,
                "TLS between nodes needs three files: --cluster-certificate, --cluster-key and --cluster-authority.",
            )),
            (false, _) => Err(Failure::new(
                Exit::Usage,
                "The nodes of this cluster have no TLS, so a node with certificates could not talk to them. All nodes of a \
                 cluster have TLS, or none.",
            )),
        }
    }
}

/// The token of a member's folder, when it is of the server's cluster.
fn token(data: &Path, cluster: &str) -> Result<String, Failure> {
    let dir = data.display();
    match vivarium_consensus::token(data).map_err(|error| failure(data, &error))? {
        Some(token) if token.cluster().to_string() == cluster => Ok(token.to_string()),
        Some(token) => {
            let other = token.cluster();
            let message = format!("The folder {dir} is of cluster {other}, the server is of cluster {cluster}.");
            Err(Failure::new(Exit::Folder, message))
        }
        None => Err(Failure::new(Exit::Folder, format!("The folder {dir} belongs to no cluster, and has no token."))),
    }
}

impl Cluster {
    /// Whom the new node asks: the leader, or else a voter.
    fn contact(&self) -> Option<&str> {
        let leads = |member: &&Member| Some(&member.node) == self.leader.as_ref();
        let votes = |member: &&Member| member.part == "VOTER";
        let reached = || self.members.iter().filter(|member| member.address.is_some());
        let contact = reached().find(leads).or_else(|| reached().find(votes)).or_else(|| reached().next());
        contact?.address.as_deref()
    }

    fn present(&self) -> usize {
        self.members.iter().filter(|member| member.part != "LEAVING").count()
    }

    /// The number that the next node will probably get. Only a folder is named after it.
    fn next_number(&self) -> u64 {
        let numbers = self.members.iter().filter_map(|member| member.node.parse::<u64>().ok());
        numbers.max().map_or(2, |number| number + 1)
    }
}

fn words(cluster: &Cluster, recipe: &Recipe<'_>, member: &str, has_token: bool) -> String {
    let token = if has_token {
        "The line below is its join token. Whoever has it can join and read everything: keep it as you keep a password. Put \
         it into a file `token` on the machine of the new node"
    } else {
        "Put its join token, which `vivarium cluster token --data DIR` prints for the folder of any of its nodes, into a file \
         `token` on the machine of the new node"
    };
    let placeholder = if recipe.cluster_listen == HOST_PORT {
        format!(", put for {HOST_PORT} the address on which the others reach the new node,")
    } else {
        String::new()
    };
    let files = if recipe.tls.certificate.as_deref() == Some(Path::new("CERTIFICATE.pem")) {
        "The cluster has TLS: the new node needs a certificate for that host, signed by the same authority. "
    } else {
        ""
    };
    format!(
        "Cluster {} has {} nodes of at most {NODES_MAX}. {token}{placeholder} and run there:\n\n    {}\n    {}\n\n{files}The node \
         learns from the others first, and votes when it has caught up: look with `vivarium cluster status`.\n",
        cluster.id,
        cluster.present(),
        recipe.join(member),
        recipe.serve()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(leader: Option<&str>) -> Cluster {
        let member = |node: &str, address: Option<&str>, part: &str| Member {
            node: node.into(),
            address: address.map(str::to_owned),
            part: part.into(),
        };
        Cluster {
            id: "c".into(),
            leader: leader.map(str::to_owned),
            peer_tls: false,
            members: vec![
                member("1", None, "VOTER"),
                member("3", Some("three:1"), "LEARNER"),
                member("4", Some("four:1"), "VOTER"),
                member("5", Some("five:1"), "LEAVING"),
            ],
        }
    }

    #[test]
    fn the_new_node_asks_the_leader_or_a_voter_that_can_be_reached() {
        assert_eq!(cluster(Some("3")).contact(), Some("three:1"));
        assert_eq!(cluster(Some("1")).contact(), Some("four:1"), "nobody knows where the leader is");
        assert_eq!(cluster(None).contact(), Some("four:1"));
        assert_eq!((cluster(None).next_number(), cluster(None).present()), (6, 3));
        assert_eq!(Cluster { members: Vec::new(), ..cluster(None) }.contact(), None);
    }

    #[test]
    fn what_is_missing_is_said() {
        let tls = PeerTlsFiles::default();
        let recipe = Recipe { data: Path::new("./node-6"), cluster_listen: HOST_PORT, advertise: None, tls: &tls };
        insta::assert_snapshot!(words(&cluster(None), &recipe, "four:1", false), @r"
        Cluster c has 3 nodes of at most 7. Put its join token, which `vivarium cluster token --data DIR` prints for the folder of any of its nodes, into a file `token` on the machine of the new node, put for HOST:PORT the address on which the others reach the new node, and run there:

            vivarium cluster join --data ./node-6 --cluster-listen HOST:PORT --member four:1 --token-file token
            vivarium serve --data ./node-6 --cluster-listen HOST:PORT

        The node learns from the others first, and votes when it has caught up: look with `vivarium cluster status`.
        ");
        let recipe = Recipe { cluster_listen: "six:1", ..recipe };
        insta::assert_snapshot!(words(&cluster(None), &recipe, "four:1", true), @r"
        Cluster c has 3 nodes of at most 7. The line below is its join token. Whoever has it can join and read everything: keep it as you keep a password. Put it into a file `token` on the machine of the new node and run there:

            vivarium cluster join --data ./node-6 --cluster-listen six:1 --member four:1 --token-file token
            vivarium serve --data ./node-6 --cluster-listen six:1

        The node learns from the others first, and votes when it has caught up: look with `vivarium cluster status`.
        ");
    }
}
