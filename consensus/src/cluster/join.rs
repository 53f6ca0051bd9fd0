//! Making a folder into a node: the first of a new cluster, or one more of a cluster that is there.
//!
//! Each step may be repeated after a crash: the card that names the attempt is on disk before it is shown.

use super::question::{Question, Reply};
use super::{ClusterOptions, Token};
use crate::transport::{self, Secret, Stranger};
use crate::{Error, Result, recovery};
use std::collections::BTreeMap;
use std::path::Path;
use vivarium_storage::runtime::{Instant, Runtime, now};
use vivarium_storage::{DataFolder, Epoch, Identity, Remains};

/// Makes a folder ready for a cluster: a new folder becomes the first node of a new one, a node that was alone
/// gets a secret. Returns what others need to join, the same whenever it is called.
///
/// # Errors
/// Those of the data folder: locked, foreign, corrupt, or what the operating system refuses.
pub fn initialise(dir: &Path, runtime: &Runtime) -> Result<Token> {
    let folder = DataFolder::open(dir)?;
    let identity = recovery::identify(&folder, runtime)?;
    prepare(&folder, &identity, runtime)
}

/// What others need to join the cluster of a folder, which a node may have open; `None` when it is of no cluster.
///
/// # Errors
/// Those of reading the folder.
pub fn token(dir: &Path) -> Result<Option<Token>> {
    let Some(folder) = DataFolder::look(dir)? else { return Ok(None) };
    let identity = folder.identity()?.zip(folder.secret()?);
    Ok(identity.map(|(identity, secret)| Token { cluster: identity.cluster, secret: Secret(secret) }))
}

/// The token of a folder's cluster; the first node's folder gets its secret here.
///
/// # Errors
/// Those of the data folder.
pub(crate) fn prepare(folder: &DataFolder, identity: &Identity, runtime: &Runtime) -> Result<Token> {
    let met_others = folder.peers()?.keys().any(|peer| *peer != identity.node);
    let secret = match folder.secret()? {
        Some(secret) => secret,
        // A new one would make it a stranger to all others.
        None if met_others => {
            return Err(Error::Refused(
                "it has lost its secret, by which the nodes of its cluster know each other: copy the file `secret` from \
                 the data folder of another node, with the same rights, and start again"
                    .into(),
            ));
        }
        None if identity.node == recovery::FIRST_NODE => {
            let mut secret = [0; 32];
            for part in secret.chunks_exact_mut(8) {
                part.copy_from_slice(&runtime.random().to_le_bytes());
            }
            folder.set_secret(&secret)?;
            secret
        }
        None => {
            return Err(Error::Refused(
                "it has lost its secret, by which the nodes of its cluster know each other: copy the file `secret` from \
                 the data folder of another node, or remove this node and let a new folder join"
                    .into(),
            ));
        }
    };
    Ok(Token { cluster: identity.cluster, secret: Secret(secret) })
}

/// Makes a new folder a node of the cluster that `token` is of, by asking the member at `member` for a number.
/// Returns the number. The node takes part as soon as it is opened.
///
/// # Errors
/// `Refused` when the folder holds another node, the cluster is full, or the member refuses; `Unavailable` when
/// the member or its leader cannot be reached; those of the data folder.
pub async fn join(
    dir: &Path,
    options: &ClusterOptions,
    token: &Token,
    member: &str,
    runtime: &Runtime,
    deadline: Instant,
) -> Result<u64> {
    let folder = DataFolder::open(dir)?;
    if let Some(identity) = folder.identity()? {
        let known = folder.secret()?.is_some_and(|secret| token.secret.0 == secret);
        if identity.cluster == token.cluster && known {
            return Ok(identity.node);
        }
        return Err(Error::Refused(format!(
            "the folder {} already holds node {} of cluster {}; join with a new, empty folder",
            dir.display(),
            identity.node,
            identity.cluster
        )));
    }
    if let Some(Remains::Node(path)) = folder.remains() {
        return Err(Error::Refused(format!(
            "the folder {} holds the remains of another node ({}) and not its identity; join with a new, empty folder",
            dir.display(),
            path.display()
        )));
    }
    let card = folder.card(|| runtime.document_id().0)?;
    let question = Question::Join { card, address: options.address().to_owned() };
    let Numbered { node, epoch, peers } = Asker { options, token, runtime }.ask(&question, member, deadline).await?;
    folder.set_secret(&token.secret.0)?;
    folder.set_peers(&peers)?;
    // Last: it makes the folder a node.
    folder.set_identity(&Identity { cluster: token.cluster, node, epoch })?;
    Ok(node)
}

/// Who asks for a number, as a member or before it is one.
pub(super) struct Asker<'a> {
    pub options: &'a ClusterOptions,
    pub token: &'a Token,
    pub runtime: &'a Runtime,
}

/// A number, the cluster's epoch, and where the others are.
pub(super) struct Numbered {
    pub node: u64,
    pub epoch: Epoch,
    pub peers: BTreeMap<u64, String>,
}

impl Asker<'_> {
    /// Asks the member at an address for a number.
    ///
    /// # Errors
    /// What the member fails with; `Peer` when it cannot be reached, `UnknownOutcome` when its answer was lost.
    pub async fn ask(&self, question: &Question, member: &str, deadline: Instant) -> Result<Numbered> {
        let body = question.encode(deadline.saturating_duration_since(now()));
        let Token { cluster, secret } = self.token;
        let stranger = Stranger { cluster: *cluster, secret, tls: self.options.tls.as_ref(), runtime: self.runtime };
        let answer = transport::ask(stranger, member, body, deadline).await?;
        let reply =
            Reply::decode(&answer).map_err(|error| Error::Refused(format!("the answer cannot be read: {error}")))?;
        match reply.checked()? {
            Reply::Number { node, epoch, peers } => {
                Ok(Numbered { node, epoch: Epoch(epoch), peers: peers.into_iter().collect() })
            }
            _ => Err(Error::Refused("the member answered something else than was asked".into())),
        }
    }
}

#[cfg(test)]
#[cfg(not(madsim))]
mod tests;
