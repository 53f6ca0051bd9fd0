//! `vivarium cluster join`.

use super::failure;
use super::recipe::Recipe;
use crate::cli::{Exit, Failure, output};
use crate::config;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use vivarium_consensus::{Token, join};
use vivarium_storage::runtime::{Runtime, now};

/// How long a member may take to answer: it asks its leader, which may first have to be elected.
const JOIN_TIME_MAX: Duration = Duration::from_secs(30);

/// Make a new folder a node of a cluster that is there.
#[derive(Args)]
pub struct Join {
    /// The node's data folder: a new or empty one
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Where this node will listen for the others, as HOST:PORT
    #[arg(long, env = "VIVARIUM_CLUSTER_LISTEN", value_name = "ADDRESS")]
    cluster_listen: String,
    /// Where the others reach it, as HOST:PORT [default: where it listens for them]
    #[arg(long, env = "VIVARIUM_ADVERTISE", value_name = "ADDRESS")]
    advertise: Option<String>,
    #[command(flatten)]
    tls: config::PeerTlsFiles,
    /// Any node of the cluster: the address that it listens on for other nodes
    #[arg(long, value_name = "HOST:PORT")]
    member: String,
    /// The cluster's join token, which `vivarium cluster init` printed
    #[arg(long, env = "VIVARIUM_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the join token, so that no list of processes shows it
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl Join {
    /// Prints the node's number. Repeated, it is the same node.
    ///
    /// # Errors
    /// A wrong token, a member that cannot be reached or refuses, a folder that holds something.
    pub fn run(self) -> Result<(), Failure> {
        let token = self.read_token()?;
        let options = config::cluster(Some(self.cluster_listen.clone()), self.advertise.clone(), &self.tls)?
            .expect("it listens somewhere");
        if options.advertise.is_none() && options.listen.ends_with(":0") {
            let message =
                "Port 0 is another one at every start: say with --cluster-listen which one this node will have.";
            return Err(Failure::new(Exit::Usage, message));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::File, format!("Cannot start threads: {error}.")))?;
        let system = Runtime::system();
        let joining = async { join(&self.data, &options, &token, &self.member, &system, now() + JOIN_TIME_MAX).await };
        let node = runtime.block_on(joining).map_err(|error| failure(&self.data, &error))?;
        let recipe = Recipe {
            data: &self.data,
            cluster_listen: &self.cluster_listen,
            advertise: self.advertise.as_deref(),
            tls: &self.tls,
        };
        output::say(&format!(
            "The folder {dir} is node {node} of the cluster. Start it:\n\n    {serve}\n\nIt catches up first, and votes when it has.\n",
            dir = self.data.display(),
            serve = recipe.serve()
        ));
        output::data(&node.to_string())
    }

    fn read_token(&self) -> Result<Token, Failure> {
        let text = match (&self.token, &self.token_file) {
            (_, Some(file)) => std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?,
            (Some(token), None) => token.clone(),
            (None, None) => {
                let message = "Say with --token or --token-file, or in VIVARIUM_TOKEN, what `vivarium cluster token` prints \
                               for the folder of a member.";
                return Err(Failure::new(Exit::Usage, message));
            }
        };
        text.parse().map_err(|reason: String| Failure::new(Exit::Usage, format!("That is not a join token: {reason}.")))
    }
}
