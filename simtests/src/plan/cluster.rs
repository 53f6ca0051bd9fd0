//! The part of a plan that is about several nodes: how many, over which network, and what happens to them meanwhile.
//!
//! Disturbances happen beside the workload and may overlap. Whoever is meant is looked up when they happen.

use super::rhythm::Rhythm;
use super::{BURST_MS, Profile};
use crate::nemesis::{Family, calls, clock, disk, membership, partition, process};
use crate::rng::Rng;
use crate::simfs::faults::Fault;
use crate::simfs::image::Policy;
use crate::simfs::rot::Damage;
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
    /// What becomes of calls between clients and nodes.
    #[serde(default)]
    pub calls: Calls,
    /// What stays broken when all else is healed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<Core>,
    /// The majority is lost for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
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

/// What becomes of calls until the cluster is healed, in parts of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calls {
    /// So many requests are lost: they are never carried out.
    pub requests_lost: u64,
    /// So many answers are lost: what they answer was carried out.
    pub answers_lost: u64,
    /// So many requests, and so many answers, come late.
    pub late: u64,
    /// So many requests arrive once more, later.
    pub doubled: u64,
    /// How late at most.
    pub late_ms_max: u64,
}

/// A minority that stays broken, so that the others must recover and answer without it before it comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// Who stays broken: less than half, else nothing is left broken.
    pub broken: Who,
    /// They run and nobody hears them; they are down otherwise.
    pub cut_off: bool,
}

/// The majority is lost for ever: an operator makes a survivor the only voter, and new nodes join it. Some of the lost
/// come back with what they have, and must not be heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Virtual milliseconds after the clients began.
    pub at_ms: u64,
    /// The first of these that is a member survives.
    pub survivor: Who,
    /// These come back, by number: fewer than the old majority, else the last of them stay away.
    pub exiles: Vec<u64>,
    /// For so long at most. Then their disks are wiped, and they join like the others.
    pub exile_ms: u64,
    /// The power of the survivor goes at the n-th change that the recovery makes, and it is begun again; not when 0.
    pub after_changes: u64,
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
    /// Processes stand still, as under SIGSTOP, and go on.
    Pause {
        /// Which.
        who: Who,
    },
    /// Clients do not reach nodes.
    Gap {
        /// Which clients, by number.
        clients: Vec<u64>,
        /// Which nodes.
        who: Who,
        /// Requests are lost; else they are carried out, and their answers are lost.
        requests: bool,
    },
    /// A file call of a node fails. The node is then killed, as an operator would, and started again.
    Fault {
        /// Which node.
        node: u64,
        /// Which call.
        fault: Fault,
        /// What is left of unsynced changes when the power goes too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        power: Option<Policy>,
    },
    /// The disk of a node is full after so many more bytes, until the node is started again.
    FullDisk {
        /// Which node.
        node: u64,
        /// Bytes that still fit.
        bytes_more: u64,
    },
    /// A node ends, and while it is down its disk is damaged. The atlas may refuse it.
    Rot {
        /// Which node.
        node: u64,
        /// What is damaged.
        #[serde(default)]
        damage: Damage,
    },
    /// Wall clocks run too fast or too slowly.
    Drift {
        /// Whose.
        who: Who,
        /// Microseconds that they gain in a second.
        drift_ppm: i64,
    },
    /// Wall clocks jump.
    Clock {
        /// Whose.
        who: Who,
        /// How far they are off from now on.
        skew_micros: i64,
    },
    /// So many machines that have no node join at once, with empty disks.
    Join {
        /// How many, if there are so many.
        machines: u64,
    },
    /// Somebody asks that a member be removed.
    Remove {
        /// The first of these that is a member.
        who: Who,
        /// Its machine goes on until it learns of it; else its power goes first.
        runs_on: bool,
    },
    /// A member loses its disk. Its machine joins anew, and the node that it was is removed.
    Replace {
        /// The first of these that is a member.
        who: Who,
    },
    /// Somebody asks for another leader.
    Transfer {
        /// The first of these; whoever has the longest log when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Who>,
    },
}

impl Mischief {
    /// True for what an operator asks for about who belongs to the cluster, or who leads it.
    pub fn changes_members(&self) -> bool {
        matches!(
            self,
            Mischief::Join { .. } | Mischief::Remove { .. } | Mischief::Replace { .. } | Mischief::Transfer { .. }
        )
    }
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
    /// These hear all, and the others are two halves that do not hear each other.
    Bridge(Who),
    /// One node does not hear another.
    Link {
        /// Whose messages are lost, by number.
        from: u64,
        /// Who does not hear them.
        to: u64,
        /// Nor the other way round.
        both_ways: bool,
    },
    /// Each hears its two neighbours only.
    Ring,
}

/// As many as the product lets a cluster have members.
const MACHINES_MAX: u64 = 7;
/// A trouble that lasts for longer is nothing new.
const LASTS_MS_MAX: u64 = 30_000;

/// Which kinds of trouble a run has.
#[derive(Clone, Copy, Debug, Default)]
struct Families {
    messages: bool,
    partitions: bool,
    crashes: bool,
    clocks: bool,
    pauses: bool,
    calls: bool,
    disks: bool,
    rot: bool,
    core: bool,
    membership: bool,
}

/// The cluster of a seed; none for profiles of one node.
pub fn draw(profile: Profile, seed: u64, rhythm: &Rhythm) -> Option<Cluster> {
    let mut rng = Rng::stream(seed, "cluster");
    let families = match profile {
        Profile::ClusterCalm => Families::default(),
        Profile::ClusterCrash => Families { crashes: true, ..Families::default() },
        Profile::Partition => Families { partitions: true, ..Families::default() },
        // Now and then nothing at all goes wrong for a long time.
        Profile::Swarm if rng.chance(1, 16) => Families::default(),
        Profile::Cluster | Profile::Swarm => {
            let mut on = || rng.chance(1, 2);
            let (messages, partitions, crashes, clocks) = (on(), on(), on(), on());
            let families =
                Families { messages, partitions, crashes, clocks, pauses: on(), calls: on(), ..Families::default() };
            Families { disks: on(), core: on(), ..families }
        }
        Profile::Membership => {
            let mut on = || rng.chance(1, 3);
            let (messages, partitions, crashes, pauses) = (on(), on(), on(), on());
            Families { messages, partitions, crashes, pauses, core: on(), membership: true, ..Families::default() }
        }
        Profile::ClusterDisk => {
            let mut on = || rng.chance(1, 3);
            let (messages, partitions, crashes, pauses) = (on(), on(), on(), on());
            Families { messages, partitions, crashes, pauses, core: on(), disks: true, ..Families::default() }
        }
        Profile::Rot => Families { crashes: rng.chance(1, 2), rot: true, ..Families::default() },
        Profile::Recover => {
            let mut on = || rng.chance(1, 2);
            Families { messages: on(), partitions: on(), pauses: on(), crashes: true, ..Families::default() }
        }
        Profile::Mix | Profile::Calm | Profile::Crash | Profile::Disk => return None,
    };
    let nodes = match profile {
        Profile::Partition | Profile::Recover => *rng.pick(&[3, 3, 5]),
        Profile::ClusterDisk | Profile::Rot => *rng.pick(&[3, 3, 3, 4, 5]),
        Profile::Membership => *rng.pick(&[1, 2, 3, 3, 3, 4]),
        Profile::Swarm => *rng.pick(&[1, 2, 2, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7]),
        _ => *rng.pick(&[1, 3, 3, 3, 5]),
    };
    let joins = profile == Profile::Swarm && Rng::stream(seed, "membership").chance(1, 2);
    let membership = families.membership || joins;
    let families = Families { membership, ..families };
    Some(Cluster {
        nodes,
        spares: if families.membership { (1 + nodes % 2).min(MACHINES_MAX - nodes) } else { 0 },
        skews_micros: if families.clocks {
            (0..nodes).map(|_| clock::draw_skew(&mut rng)).collect()
        } else {
            Vec::new()
        },
        messages: if families.messages { draw_messages(&mut rng) } else { Messages::default() },
        calls: if families.calls { draw_calls(&mut rng) } else { Calls::default() },
        core: (families.core && nodes > 2).then(|| draw_core(nodes, &mut rng)),
        lost: (profile == Profile::Recover).then(|| draw_lost(nodes, rhythm, &mut Rng::stream(seed, "lost"))),
        disturbances: draw_disturbances(families, nodes, rhythm, &mut rng),
    })
}

fn draw_disturbances(families: Families, nodes: u64, rhythm: &Rhythm, rng: &mut Rng) -> Vec<Disturbance> {
    let mut kinds: Vec<Family> = Vec::new();
    if families.partitions && nodes > 1 {
        kinds.push(partition::draw);
    }
    let each: [(bool, Family); 7] = [
        (families.crashes, process::draw),
        (families.clocks, clock::draw),
        (families.pauses, process::draw_pause),
        (families.calls, calls::draw),
        (families.disks, disk::draw),
        (families.rot, disk::draw_rot_of_tables),
        (families.membership, membership::draw),
    ];
    kinds.extend(each.iter().filter(|(on, _)| *on).map(|(_, draw)| *draw));
    let count = if kinds.is_empty() { 0 } else { rng.between(3, 8 + 2 * rhythm.bursts()) };
    let [burst_ms, _] = BURST_MS;
    let mut all: Vec<(u64, u64, Mischief)> = Vec::new();
    for _ in 0..count {
        let at_ms = rhythm.moment_ms(burst_ms, rng);
        let what = rng.pick(&kinds)(nodes, rng);
        let is_slow = matches!(what, Mischief::Fault { .. } | Mischief::FullDisk { .. });
        let lasts_ms = if is_slow || rng.chance(1, 6) { rng.spread(2000, LASTS_MS_MAX) } else { rng.spread(10, 8000) };
        all.push((at_ms, lasts_ms, what));
    }
    if families.partitions && rng.chance(1, 4) {
        let begins_ms = rhythm.moment_ms(burst_ms, rng);
        let swizzle = partition::draw_swizzle(nodes, rng).into_iter();
        all.extend(swizzle.map(|(after_ms, lasts_ms, what)| (begins_ms + after_ms, lasts_ms, what)));
    }
    all.sort_by_key(|(at_ms, ..)| *at_ms);
    let mut before_ms = 0;
    let follows = |(at_ms, lasts_ms, what): (u64, u64, Mischief)| {
        let wait_ms = at_ms - std::mem::replace(&mut before_ms, at_ms);
        Disturbance { wait_ms, lasts_ms, what }
    };
    all.into_iter().map(follows).collect()
}

/// Less than half of the nodes.
fn draw_core(nodes: u64, rng: &mut Rng) -> Core {
    let mut some: Vec<u64> = (1..=nodes).filter(|_| rng.chance(1, 2)).collect();
    some.truncate(((nodes - 1) / 2) as usize);
    let broken = if some.is_empty() || rng.chance(1, 3) { Who::Leader } else { Who::Nodes(some) };
    Core { broken, cut_off: rng.chance(1, 2) }
}

fn draw_lost(nodes: u64, rhythm: &Rhythm, rng: &mut Rng) -> Lost {
    let [burst_ms, _] = BURST_MS;
    let exiles = rng.between(1, (nodes - 1) / 2);
    Lost {
        at_ms: rhythm.moment_ms(burst_ms, rng),
        survivor: if rng.chance(1, 4) { Who::Leader } else { Who::Nodes(vec![rng.between(1, nodes)]) },
        exiles: (0..exiles).map(|_| rng.between(1, nodes)).collect(),
        exile_ms: rng.spread(1000, LASTS_MS_MAX),
        after_changes: if rng.chance(1, 2) { rng.spread(1, 100) } else { 0 },
    }
}

fn draw_calls(rng: &mut Rng) -> Calls {
    let mut part = |most| if rng.chance(1, 2) { rng.spread(1, most) } else { 0 };
    Calls {
        requests_lost: part(150),
        answers_lost: part(150),
        late: part(300),
        doubled: part(100),
        late_ms_max: rng.spread(1, 5000),
    }
}

fn draw_messages(rng: &mut Rng) -> Messages {
    let mut part = |most| if rng.chance(1, 2) { rng.spread(1, most) } else { 0 };
    Messages { lost: part(150), doubled: part(250), late: part(300), resets: part(5), late_ms_max: rng.spread(1, 300) }
}
