//! Why a connection ended, or never came about, in words that say what to do. Told at most every 30 seconds.

use super::frame::{Garbled, Hello, PROTOCOLS, Reason, Refusal};
use super::handshake::Identity;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use vivarium_storage::Epoch;
use vivarium_storage::runtime::{Instant, now};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ending {
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("no {0} within {1:?}: is this the peer address of a node that runs?")]
    Late(&'static str, Duration),
    #[error("the other side closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    #[error(
        "the other side does not speak Vivarium's peer protocol, it began with {0}: give the peer address of a node"
    )]
    Foreign(String),
    #[error(
        "TLS: {0}; all nodes of a cluster have TLS or none, and each has a certificate of one authority for the host \
         that is dialled"
    )]
    Tls(String),
    #[error("the other side sent {0}")]
    Garbled(#[from] Garbled),
    #[error("the other side sent {0} out of turn")]
    OutOfTurn(&'static str),
    /// The other side refuses us.
    #[error("{1}")]
    Refused(&'static str, String),
    /// We refuse the other side.
    #[error("{1}")]
    Refusing(Refusal, String),
    #[error("an answer of {0} bytes is larger than a frame")]
    AnswerTooLarge(usize),
    #[error("a request was dropped before it was answered")]
    AnswerLost,
    #[error("{0} connections are open: is something else dialling the peer port?")]
    Crowded(usize),
    #[error("the address changed")]
    Moved,
    #[error("the simulator broke the connection")]
    Simulated,
}

impl Ending {
    /// Names what happened, for the line that is not repeated.
    pub fn key(&self) -> &'static str {
        match self {
            Ending::Unreachable(_) => "unreachable",
            Ending::Late(what, _) => what,
            Ending::Closed => "closed",
            Ending::Broken(_) => "broken",
            Ending::Silent(_) => "silent",
            Ending::Foreign(_) => "foreign",
            Ending::Tls(_) => "TLS",
            Ending::Garbled(_) => "garbled",
            Ending::OutOfTurn(what) => what,
            Ending::Refused(key, _) => key,
            Ending::Refusing(refusal, _) => refusal.reason.key(),
            Ending::AnswerTooLarge(_) => "answer too large",
            Ending::AnswerLost => "answer lost",
            Ending::Crowded(_) => "crowded",
            Ending::Moved => "moved",
            Ending::Simulated => "simulated",
        }
    }

    /// The other side was removed from the cluster, and is told so.
    pub fn dismissal(us: &Identity, node: u64) -> Ending {
        Ending::Refusing(refusal(Reason::Removed, us), format!("node {node} was removed from the cluster"))
    }

    /// What the other side is told before the connection ends, when there is something to tell.
    pub fn farewell(&self, us: &Identity) -> Option<Refusal> {
        match self {
            Ending::Refusing(refusal, _) => Some(refusal.clone()),
            Ending::Garbled(_) | Ending::OutOfTurn(_) => Some(refusal(Reason::Garbled, us)),
            _ => None,
        }
    }
}

/// A refusal by this node.
pub(super) fn refusal(reason: Reason, us: &Identity) -> Refusal {
    let (protocol_min, protocol_max) = PROTOCOLS;
    Refusal { reason, cluster: us.cluster, epoch: us.epoch, node: us.node, protocol_min, protocol_max }
}

impl Reason {
    fn key(self) -> &'static str {
        match self {
            Reason::OtherCluster => "other cluster",
            Reason::WrongSecret => "wrong secret",
            Reason::ProtocolTooOld => "protocol too old",
            Reason::ProtocolTooNew => "protocol too new",
            Reason::OtherNode => "other node",
            Reason::Garbled => "garbled for the other side",
            Reason::OtherEpoch => "other epoch",
            Reason::Removed => "removed",
            Reason::Unknown(_) => "unknown refusal",
        }
    }

    /// We refuse the one who said `hello`.
    pub fn refusing(self, hello: &Hello, us: &Identity) -> Ending {
        let Identity { cluster, node, epoch, .. } = us;
        let Hello { protocol_min: low, protocol_max: high, from, to, .. } = hello;
        let (min, max) = PROTOCOLS;
        let text = match self {
            Reason::OtherCluster => format!(
                "node {from} of cluster {} called, this is cluster {cluster}: correct the address there, or join this \
                 cluster with an empty data directory",
                hello.cluster
            ),
            Reason::WrongSecret => format!(
                "node {from} does not know the secret of this cluster: join it again with a token from \
                 `vivarium cluster token`"
            ),
            Reason::ProtocolTooOld => format!(
                "node {from} speaks the peer protocols {low} to {high}, this node {min} to {max}: upgrade node {from}"
            ),
            Reason::ProtocolTooNew => format!(
                "node {from} speaks the peer protocols {low} to {high}, this node {min} to {max}: upgrade this node"
            ),
            Reason::OtherNode => {
                format!("node {from} looks for node {to} at this address, which is node {node}: correct its address")
            }
            Reason::OtherEpoch if hello.epoch < *epoch => format!(
                "node {from} belongs to the cluster before its recovery of {}: delete the data folder of node {from} and \
                 join anew with an empty one",
                instant(*epoch)
            ),
            Reason::OtherEpoch => format!(
                "this node belongs to the cluster before its recovery of {}, node {from} to the one after it: delete \
                 this node's data folder and join anew with an empty one",
                instant(hello.epoch)
            ),
            Reason::Removed => format!("node {from} was removed from this cluster"),
            Reason::Garbled | Reason::Unknown(_) => "what it sent cannot be understood".to_owned(),
        };
        Ending::Refusing(refusal(self, us), text)
    }
}

impl Refusal {
    /// The other side refuses us, who looked for `to`.
    pub fn refused(&self, us: &Identity, to: u64) -> Ending {
        let Identity { cluster, epoch, .. } = us;
        let Refusal { node, protocol_min: low, protocol_max: high, .. } = self;
        let (min, max) = PROTOCOLS;
        let text = match self.reason {
            Reason::OtherCluster => format!(
                "it belongs to cluster {}, this node to {cluster}: correct the address, or join that cluster with an \
                 empty data directory",
                self.cluster
            ),
            Reason::WrongSecret => format!(
                "node {node} knows another secret for this cluster: join again with a token from `vivarium cluster token`"
            ),
            Reason::ProtocolTooOld => format!(
                "node {node} speaks the peer protocols {low} to {high}, this node {min} to {max}: upgrade this node"
            ),
            Reason::ProtocolTooNew => format!(
                "node {node} speaks the peer protocols {low} to {high}, this node {min} to {max}: upgrade node {node}"
            ),
            Reason::OtherNode => {
                format!("the address belongs to node {node}, not to node {to}: correct the address of node {to}")
            }
            Reason::OtherEpoch if *epoch < self.epoch => format!(
                "this node belongs to the cluster before its recovery of {}: delete its data folder and join anew with \
                 an empty one",
                instant(self.epoch)
            ),
            Reason::OtherEpoch => format!(
                "node {node} belongs to the cluster before its recovery of {}: delete the data folder of node {node} and \
                 join anew with an empty one",
                instant(*epoch)
            ),
            Reason::Removed => format!("node {node} says that this node was removed from its cluster"),
            Reason::Garbled => format!("node {node} could not understand what this node sent: look at its log"),
            Reason::Unknown(code) => format!("node {node} refuses for a reason of a newer version, code {code}"),
        };
        Ending::Refused(self.reason.key(), text)
    }
}

/// When it was, to the second.
fn instant(epoch: Epoch) -> String {
    let micros = i64::try_from(epoch.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => format!("{micros} microseconds after 1970"),
    }
}

/// How long the same thing about the same peer is not said again.
const REPEAT_AFTER: Duration = Duration::from_secs(30);
/// Things that are remembered as said: far more than there are peers and reasons.
const SAID_MAX: usize = 1024;

/// What was said when, so that a lasting trouble is a line now and then and not a storm.
#[derive(Default)]
pub(super) struct Said(Mutex<BTreeMap<(u64, &'static str), Instant>>);

impl Said {
    /// True when this about this peer was not said lately. Then it counts as said.
    pub fn is_due(&self, peer: u64, what: &'static str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        if said.len() >= SAID_MAX {
            said.retain(|_, at| now.duration_since(*at) < REPEAT_AFTER);
        }
        let key = (peer, what);
        let due = said.get(&key).is_none_or(|at| now.duration_since(*at) >= REPEAT_AFTER) && said.len() < SAID_MAX;
        if due {
            said.insert(key, now);
        }
        due
    }
}
