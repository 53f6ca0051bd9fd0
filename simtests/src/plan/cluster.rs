//! The part of a plan that is about several nodes: how many, over which network, and what happens to them meanwhile.
//!
//! Disturbances happen beside the workload and may overlap. Whoever is meant is looked up when they happen.

use super::Profile;
use crate::rng::Rng;
use crate::simfs::image::Policy;
use serde::{Deserialize, Serialize};

/// Several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// How many.
    pub nodes: u64,
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
pub fn draw(profile: Profile, seed: u64) -> Option<Cluster> {
    let mut rng = Rng::stream(seed, "cluster");
    let families = match profile {
        Profile::ClusterCalm => Families::default(),
        Profile::ClusterCrash => Families { crashes: true, ..Families::default() },
        Profile::Partition => Families { partitions: true, ..Families::default() },
        Profile::Cluster => {
            let mut on = || rng.chance(1, 2);
            Families { messages: on(), partitions: on(), crashes: on(), clocks: on() }
        }
        _ => return None,
    };
    let nodes = match profile {
        Profile::Partition => *rng.pick(&[3, 3, 5]),
        _ => *rng.pick(&[1, 3, 3, 3, 5]),
    };
    let mut kinds: Vec<Family> = Vec::new();
    if families.partitions && nodes > 1 {
        kinds.push(draw_partition);
    }
    if families.crashes {
        kinds.push(draw_crash);
    }
    if families.clocks {
        kinds.push(draw_clock);
    }
    let count = if kinds.is_empty() { 0 } else { rng.between(3, 10) };
    Some(Cluster {
        nodes,
        skews_micros: if families.clocks { (0..nodes).map(|_| draw_skew(&mut rng)).collect() } else { Vec::new() },
        messages: if families.messages { draw_messages(&mut rng) } else { Messages::default() },
        disturbances: (0..count)
            .map(|_| Disturbance {
                wait_ms: rng.spread(10, 4000),
                lasts_ms: rng.spread(10, 8000),
                what: rng.pick(&kinds)(nodes, &mut rng),
            })
            .collect(),
    })
}

type Family = fn(u64, &mut Rng) -> Mischief;

fn draw_messages(rng: &mut Rng) -> Messages {
    let mut part = |most| if rng.chance(1, 2) { rng.spread(1, most) } else { 0 };
    Messages { lost: part(150), doubled: part(250), late: part(300), resets: part(5), late_ms_max: rng.spread(1, 300) }
}

fn draw_skew(rng: &mut Rng) -> i64 {
    *rng.pick(&[0, -10_000, 10_000, -500_000, 500_000, -3_600_000_000, 3_600_000_000])
}

fn draw_who(nodes: u64, rng: &mut Rng) -> Who {
    match rng.below(4) {
        0 => Who::Leader,
        1 => Who::Nodes(vec![rng.between(1, nodes)]),
        _ => {
            let mut some: Vec<u64> = (1..=nodes).filter(|_| rng.chance(1, 2)).collect();
            if some.is_empty() {
                some.push(rng.between(1, nodes));
            }
            Who::Nodes(some)
        }
    }
}

fn draw_partition(nodes: u64, rng: &mut Rng) -> Mischief {
    let one = |rng: &mut Rng| if rng.chance(1, 2) { Who::Leader } else { Who::Nodes(vec![rng.between(1, nodes)]) };
    let shape = match rng.below(8) {
        0 | 1 => Shape::Split(one(rng)),
        2 => Shape::Split(draw_who(nodes, rng)),
        3 | 4 => Shape::LeaderWithMinority,
        5 => Shape::Mute(one(rng)),
        6 => Shape::Deaf(one(rng)),
        _ => Shape::Ring,
    };
    Mischief::Partition { shape }
}

fn draw_crash(nodes: u64, rng: &mut Rng) -> Mischief {
    let who = if rng.chance(1, 5) { Who::All } else { draw_who(nodes, rng) };
    if rng.chance(1, 8) {
        return Mischief::Close { who };
    }
    let power = rng.chance(2, 3).then(|| *rng.pick(&Policy::ALL));
    let after_changes = if rng.chance(1, 4) { 0 } else { rng.spread(1, 60) };
    Mischief::Crash { who, power, after_changes }
}

fn draw_clock(nodes: u64, rng: &mut Rng) -> Mischief {
    Mischief::Clock { who: draw_who(nodes, rng), skew_micros: draw_skew(rng) }
}
