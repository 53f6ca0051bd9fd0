//! The part of a plan that is about several nodes: how many, over which network, and what happens to them meanwhile.
//!
//! Disturbances happen beside the workload and may overlap. Whoever is meant is looked up when they happen.

use super::rhythm::Rhythm;
use super::{BURST_MS, Profile};
use crate::nemesis::{Family, clock, partition, process};
use crate::rng::Rng;
use crate::simfs::image::Policy;
use serde::{Deserialize, Serialize};

/// Several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// How many.
    pub nodes: u64,
    /// Machines beside them that are empty and not started, for nodes that join later. Their numbers follow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spares: u64,
    /// How far the wall clock of each is off at the beginning; nodes without an entry are on time.
    #[serde(default)]
    pub skews_micros: Vec<i64>,
    /// What becomes of messages between them.
    #[serde(default)]
    pub messages: Messages,
    /// What goes wrong, in order.
    #[serde(default)]
    pub disturbances: Vec<Disturbance>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What becomes of Raft messages until the cluster is healed, in parts of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Messages {
    /// So many are lost.
    pub lost: u64,
    /// So many arrive twice.
    pub doubled: u64,
    /// So many come late, behind others.
    pub late: u64,
    /// How late at most.
    pub late_ms_max: u64,
    /// Before so many writes the connection breaks.
    pub resets: u64,
}

/// Something that goes wrong with nodes or between them, and ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disturbance {
    /// Virtual milliseconds after the one before began.
    pub wait_ms: u64,
    /// Virtual milliseconds that a partition lasts, or that nodes stay down.
    pub lasts_ms: u64,
    /// What happens.
    pub what: Mischief,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mischief {
    /// Nodes do not hear each other.
    Partition {
        /// Which.
        shape: Shape,
    },
    /// Nodes end without warning.
    Crash {
        /// Which.
        who: Who,
        /// What is left of unsynced changes when the power goes too; everything when only the process dies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        power: Option<Policy>,
        /// At the n-th change of each one's disk from now; at once when 0.
        after_changes: u64,
    },
    /// Nodes are closed in good order and come back.
    Close {
        /// Which.
        who: Who,
    },
    /// Wall clocks jump.
    Clock {
        /// Whose.
        who: Who,
        /// How far they are off from now on.
        skew_micros: i64,
    },
}

/// Which nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The one that leads when it happens; the first when none does.
    Leader,
    /// These, by number.
    Nodes(Vec<u64>),
    /// All.
    All,
}

/// Who does not hear whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// These and the others do not hear each other.
    Split(Who),
    /// The leader is left with less than a majority.
    LeaderWithMinority,
    /// The others do not hear these, but these hear the others.
    Mute(Who),
    /// These do not hear the others, but the others hear these.
    Deaf(Who),
    /// Each hears its two neighbours only.
    Ring,
}

/// Which kinds of trouble a run has.
#[derive(Clone, Copy, Debug, Default)]
struct Families {
    messages: bool,
    partitions: bool,
    crashes: bool,
    clocks: bool,
}

/// The cluster of a seed; none for profiles of one node.
pub fn draw(profile: Profile, seed: u64, rhythm: &Rhythm) -> Option<Cluster> {
    let mut rng = Rng::stream(seed, "cluster");
    let families = match profile {
        Profile::ClusterCalm => Families::default(),
        Profile::ClusterCrash => Families { crashes: true, ..Families::default() },
        Profile::Partition => Families { partitions: true, ..Families::default() },
        Profile::Cluster | Profile::Swarm => {
            let mut on = || rng.chance(1, 2);
            Families { messages: on(), partitions: on(), crashes: on(), clocks: on() }
        }
        Profile::Mix | Profile::Calm | Profile::Crash | Profile::Disk => return None,
    };
    let nodes = match profile {
        Profile::Partition => *rng.pick(&[3, 3, 5]),
        Profile::Swarm => *rng.pick(&[1, 2, 2, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7]),
        _ => *rng.pick(&[1, 3, 3, 3, 5]),
    };
    Some(Cluster {
        nodes,
        spares: 0,
        skews_micros: if families.clocks {
            (0..nodes).map(|_| clock::draw_skew(&mut rng)).collect()
        } else {
            Vec::new()
        },
        messages: if families.messages { draw_messages(&mut rng) } else { Messages::default() },
        disturbances: draw_disturbances(families, nodes, rhythm, &mut rng),
    })
}

fn draw_disturbances(families: Families, nodes: u64, rhythm: &Rhythm, rng: &mut Rng) -> Vec<Disturbance> {
    let mut kinds: Vec<Family> = Vec::new();
    if families.partitions && nodes > 1 {
        kinds.push(partition::draw);
    }
    if families.crashes {
        kinds.push(process::draw);
    }
    if families.clocks {
        kinds.push(clock::draw);
    }
    let count = if kinds.is_empty() { 0 } else { rng.between(3, 8 + 2 * rhythm.bursts()) };
    let [burst_ms, _] = BURST_MS;
    let mut moments_ms: Vec<u64> = (0..count).map(|_| rhythm.moment_ms(burst_ms, rng)).collect();
    moments_ms.sort_unstable();
    let before_ms = std::iter::once(0).chain(moments_ms.iter().copied());
    let waits_ms: Vec<u64> = moments_ms.iter().zip(before_ms).map(|(at, before)| at - before).collect();
    let disturbance =
        |wait_ms| Disturbance { wait_ms, lasts_ms: rng.spread(10, 8000), what: rng.pick(&kinds)(nodes, rng) };
    waits_ms.into_iter().map(disturbance).collect()
}

fn draw_messages(rng: &mut Rng) -> Messages {
    let mut part = |most| if rng.chance(1, 2) { rng.spread(1, most) } else { 0 };
    Messages { lost: part(150), doubled: part(250), late: part(300), resets: part(5), late_ms_max: rng.spread(1, 300) }
}
