//! Everything that one run does, drawn from its seed before it begins: knobs, steps of the clients, troubles.
//!
//! A plan is a text that can be kept, edited and played again; nothing else decides what happens in a run.

mod cluster;
mod rhythm;

pub use cluster::{Calls, Cluster, Core, Disturbance, Lost, Messages, Mischief, Shape, Who};

use crate::rng::Rng;
use crate::simfs::faults::{Fault, Files, Kind, Reason};
use crate::simfs::image::Policy;
use crate::workload::{Step, Workload};
use rhythm::Rhythm;
use serde::{Deserialize, Serialize};

/// The virtual seconds of a run that nobody said otherwise of.
pub const TIME_S: u64 = 60;
/// More than anybody waits for; far less than the simulator allows.
pub const TIME_S_MAX: u64 = 1800;
/// Steps of all clients together: they cost more than the time between them.
const STEPS_MAX: u64 = 300;
/// Runs of a swarm whose versions are forgotten, where that is possible: one in so many. The others see more.
const BLACK_BOX_ONE_IN: u64 = 6;
/// For how long a burst of work goes on in a cluster, more or less, and with a node that is alone.
const BURST_MS: [u64; 2] = [4000, 300];

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Whatever the seed says: one node or several, the workload, each kind of trouble on or off.
    Swarm,
    /// One node, whatever the seed says: each of the three that follow.
    Mix,
    /// No trouble at all.
    Calm,
    /// Power cuts and killed processes.
    Crash,
    /// Errors and full disks, and power cuts beside them.
    Disk,
    /// Several nodes without trouble.
    ClusterCalm,
    /// Several nodes that crash.
    ClusterCrash,
    /// Several nodes whose disks fail, are full, rot, or lose their log.
    ClusterDisk,
    /// Several nodes whose tables rot, so small that they are read again and again.
    Rot,
    /// Several nodes that do not always hear each other.
    Partition,
    /// Several nodes that come and go.
    Membership,
    /// Several nodes whose majority is lost for ever: one that survived goes on without it.
    Recover,
    /// Several nodes; each kind of trouble is there or not.
    Cluster,
}

impl Profile {
    /// True when its runs are of several nodes.
    pub fn has_clusters(self) -> bool {
        match self {
            Profile::Mix | Profile::Calm | Profile::Crash | Profile::Disk => false,
            Profile::Swarm
            | Profile::ClusterCalm
            | Profile::ClusterCrash
            | Profile::ClusterDisk
            | Profile::Rot
            | Profile::Partition
            | Profile::Membership
            | Profile::Recover
            | Profile::Cluster => true,
        }
    }

    /// Its name on the command line.
    pub fn word(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What is worked on, and sizes that make rare paths common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knobs {
    /// What clients do.
    #[serde(default)]
    pub workload: Workload,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// Newest log segments that are kept for nodes that are behind.
    #[serde(default)]
    pub segments_kept: u32,
    /// Bytes of log entries in memory.
    pub log_cache_bytes: u64,
    /// Bytes of a memtable.
    pub memtable_bytes: u64,
    /// Bytes of the store's cache.
    pub cache_bytes: u64,
    /// Virtual milliseconds between two rounds of flushing and compacting.
    pub maintain_ms: u64,
    /// Whether rare things happen often inside the product: at sites of `runtime::buggify`.
    #[serde(default)]
    pub buggify: bool,
}

/// Crash images of a cluster are images of all its disks, and take that much longer to open.
const CLUSTER_IMAGES_PART: u64 = 20;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The power goes at the n-th change of the disk from now.
    PowerCut {
        /// How many changes still reach the disk's cache.
        after_changes: u64,
        /// What of them is on the disk afterwards.
        policy: Policy,
    },
    /// The process dies at the n-th change of the disk from now; the page cache stays.
    Kill {
        /// How many changes still happen.
        after_changes: u64,
    },
    /// A file call fails. Then the process is killed, as an operator would, and started again.
    Fault {
        /// Which.
        fault: Fault,
        /// The power goes too, right after the node has stopped.
        power_cut: Option<Policy>,
    },
    /// The disk is full after so many more bytes, until the node is started again.
    FullDisk {
        /// Bytes that still fit.
        bytes_more: u64,
    },
    /// The wall clock jumps.
    Clock {
        /// How far it is off from now on.
        skew_micros: i64,
    },
    /// The node is closed in good order and opened again.
    Close,
}

/// A trouble and the quiet before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Not before so many virtual milliseconds after the run began.
    #[serde(default)]
    pub at_ms: u64,
    /// Virtual milliseconds after the node came back from the last one.
    pub wait_ms: u64,
    /// What happens.
    pub trouble: Trouble,
}

/// How many crash images are opened and audited after the run, beside the power cuts in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// How many places of the record, spread over all of it.
    pub places: u64,
}

/// One client: steps in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// What it does.
    pub steps: Vec<Step>,
}

/// Everything that one run does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The seed that it was drawn from, and that the scheduler and the images still draw from.
    pub seed: u64,
    /// What it is about.
    pub profile: Profile,
    /// Virtual seconds for which clients work and troubles come; as long as they need when 0.
    #[serde(default)]
    pub time_s: u64,
    /// Planted bugs that are on.
    #[serde(default)]
    pub mutants: Vec<String>,
    /// Checkers whose violations are noted and ignored; `all` stands for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blind: Vec<String>,
    /// Versions that answers name are forgotten, so that only checkers see what is wrong that need none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub black_box: bool,
    /// Least number of acknowledged operations, else the run proves nothing.
    pub acknowledged_min: u64,
    /// Sizes.
    pub knobs: Knobs,
    /// Crash images.
    pub images: Images,
    /// The nodes, when they form a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// What goes wrong with a node that is alone, in order.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// Who works meanwhile.
    pub clients: Vec<Client>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What the command line may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What the run is about.
    pub profile: Profile,
    /// What clients do; when absent what the profile says.
    pub workload: Option<Workload>,
    /// Virtual seconds for which clients work and troubles come.
    pub time_s: u64,
    /// Planted bugs.
    pub mutants: Vec<String>,
    /// Crash images per run.
    pub images: u64,
    /// Versions are forgotten, where a checker that needs none knows the workload; some of a swarm's runs do so anyway.
    pub black_box: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64, wish: &Wish) -> Plan {
        let mut rng = Rng::stream(seed, "plan");
        let is_swarm = wish.profile == Profile::Swarm;
        let one = [Profile::Calm, Profile::Crash, Profile::Crash, Profile::Disk, Profile::Disk];
        let profile = match wish.profile {
            Profile::Mix => *rng.pick(&one),
            Profile::Swarm if rng.chance(1, 5) => *rng.pick(&one),
            profile => profile,
        };
        let workload = match wish.workload {
            None if is_swarm => *rng.pick(<Workload as clap::ValueEnum>::value_variants()),
            given => given.unwrap_or_default(),
        };
        let rhythm = Rhythm::draw(wish.time_s, &mut Rng::stream(seed, "rhythm"));
        let clients = if is_swarm { rng.spread(1, 16).min(12) } else { rng.between(1, 5) };
        let steps = (rng.between(15, 45) * (3 + rhythm.bursts()) / 4).min(STEPS_MAX / clients);
        let cluster = cluster::draw(profile, seed, &rhythm);
        let clients: Vec<_> = (1..=clients)
            .map(|client| {
                let mut rng = Rng::stream(seed, &format!("workload/c{client}"));
                let mut steps = workload.draw(client, steps, &mut rng);
                if cluster.is_some() {
                    spread_out(&mut steps, &mut rng);
                }
                rhythm.deal(&mut steps, &mut rng);
                Client { steps }
            })
            .collect();
        let total = clients.iter().map(|client| client.steps.len() as u64).sum::<u64>();
        Plan {
            seed,
            profile,
            time_s: wish.time_s,
            mutants: wish.mutants.clone(),
            blind: Vec::new(),
            black_box: workload.has_witness()
                && (wish.black_box || (is_swarm && Rng::stream(seed, "black box").chance(1, BLACK_BOX_ONE_IN))),
            acknowledged_min: (total / 8).max(2),
            knobs: Knobs {
                buggify: is_swarm && Rng::stream(seed, "buggify").chance(4, 5),
                ..draw_knobs(profile, workload, &mut Rng::stream(seed, "knobs"))
            },
            images: Images { places: wish.images / if cluster.is_some() { CLUSTER_IMAGES_PART } else { 1 } },
            cluster,
            incidents: draw_incidents(profile, &rhythm, &mut Rng::stream(seed, "troubles")),
            clients,
        }
    }

    /// True when wall clocks jump in the run.
    pub fn turns_clocks(&self) -> bool {
        let alone = self.incidents.iter().any(|incident| matches!(incident.trouble, Trouble::Clock { .. }));
        // A leader with another clock is a jump too.
        let cluster = self.cluster.as_ref().is_some_and(|cluster| {
            let mut what = cluster.disturbances.iter().map(|disturbance| &disturbance.what);
            !cluster.skews_micros.is_empty() || what.any(|what| matches!(what, Mischief::Clock { .. }))
        });
        alone || cluster
    }

    /// Reads a plan that was kept.
    ///
    /// # Errors
    /// What is wrong with the text, with its line.
    pub fn parse(text: &str) -> Result<Plan, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The plan as a text.
    pub fn print(&self) -> String {
        toml::to_string(self).expect("a plan holds nothing that TOML cannot say")
    }
}

/// Elections take seconds: a client of a cluster works for about that long, now and then without a pause.
fn spread_out(steps: &mut [Step], rng: &mut Rng) {
    let longer = rng.spread(1, 64);
    for step in steps {
        if rng.chance(3, 4) {
            step.pause_micros *= longer;
        }
    }
}

fn draw_knobs(profile: Profile, workload: Workload, rng: &mut Rng) -> Knobs {
    let drawn = Knobs {
        workload,
        segment_bytes: rng.spread(16 << 10, 256 << 10).next_multiple_of(4096),
        log_cache_bytes: rng.spread(1, 64 << 10),
        memtable_bytes: rng.spread(2 << 10, 128 << 10),
        cache_bytes: rng.spread(64 << 10, 4 << 20),
        maintain_ms: rng.spread(5, 200),
        buggify: false,
        // Half of the runs keep none, so that checkpoints stay common.
        segments_kept: if rng.chance(1, 2) { 0 } else { rng.between(1, 2) as u32 },
    };
    match profile {
        // Rows that are kept in memory do not rot.
        Profile::Rot => Knobs { memtable_bytes: 1 << 10, cache_bytes: 16 << 10, maintain_ms: 5, ..drawn },
        _ => drawn,
    }
}

fn draw_incidents(profile: Profile, rhythm: &Rhythm, rng: &mut Rng) -> Vec<Incident> {
    let count = match profile {
        Profile::Crash | Profile::Disk => rng.between(2, 6 + rhythm.bursts()),
        _ => 0,
    };
    let [_, burst_ms] = BURST_MS;
    let mut moments_ms: Vec<u64> = (0..count).map(|_| rhythm.moment_ms(burst_ms, rng)).collect();
    moments_ms.sort_unstable();
    let incident = |at_ms| Incident { at_ms, wait_ms: rng.spread(1, 300), trouble: draw_trouble(profile, rng) };
    moments_ms.into_iter().map(incident).collect()
}

fn draw_trouble(profile: Profile, rng: &mut Rng) -> Trouble {
    let policy = *rng.pick(&Policy::ALL);
    // A start takes some tens of changes: a small number hits recovery itself.
    let after_changes = rng.spread(1, 120);
    match (profile, rng.below(20)) {
        (_, 0) => Trouble::Close,
        (_, 1) => Trouble::Clock { skew_micros: *rng.pick(&[-3_600_000_000, -500_000, -1_000, 10_000, 3_600_000_000]) },
        (_, 2..=4) => Trouble::Kill { after_changes },
        (Profile::Disk, 5..=14) => {
            let power_cut = rng.chance(1, 2).then_some(policy);
            Trouble::Fault { fault: draw_fault(rng), power_cut }
        }
        (Profile::Disk, 15..=16) => Trouble::FullDisk { bytes_more: rng.spread(1, 64 << 10) },
        _ => Trouble::PowerCut { after_changes, policy },
    }
}

/// A file call that fails.
pub fn draw_fault(rng: &mut Rng) -> Fault {
    let kind = *rng.pick(&[Kind::Read, Kind::Write, Kind::Write, Kind::Sync, Kind::Sync, Kind::Create]);
    let files = *rng.pick(&[Files::Any, Files::Log, Files::Store]);
    let reason = *rng.pick(&[Reason::Io, Reason::Io, Reason::NoSpace]);
    let short_bytes = if kind == Kind::Write && rng.chance(1, 2) { rng.spread(1, 600) } else { 0 };
    Fault { kind, files, nth: rng.spread(1, 30), reason, short_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        of(Profile::Mix)
    }

    fn of(profile: Profile) -> Wish {
        Wish { profile, workload: None, time_s: TIME_S, mutants: vec!["idx-01".into()], images: 10, black_box: false }
    }

    #[test]
    fn a_plan_is_a_function_of_its_seed() {
        assert_eq!(Plan::draw(7, &wish()), Plan::draw(7, &wish()));
        assert_ne!(Plan::draw(7, &wish()).clients, Plan::draw(8, &wish()).clients);
    }

    #[test]
    fn a_plan_survives_being_kept_as_text() {
        for seed in 0..200 {
            for profile in [Profile::Mix, Profile::Cluster, Profile::Recover, Profile::Swarm] {
                let plan = Plan::draw(seed, &of(profile));
                assert_eq!(Plan::parse(&plan.print()).unwrap(), plan, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_swarm_has_one_of_everything() {
        let plans: Vec<Plan> = (0..300).map(|seed| Plan::draw(seed, &of(Profile::Swarm))).collect();
        for workload in <Workload as clap::ValueEnum>::value_variants() {
            assert!(plans.iter().any(|plan| plan.knobs.workload == *workload), "{workload:?}");
        }
        for nodes in 1..=7 {
            let has = |plan: &Plan| plan.cluster.as_ref().is_some_and(|cluster| cluster.nodes == nodes);
            assert!(plans.iter().any(has), "{nodes} nodes");
        }
        assert!(plans.iter().any(|plan| plan.cluster.is_none()) && plans.iter().any(|plan| plan.clients.len() == 12));
        assert!(plans.iter().all(|plan| plan.clients.iter().all(|client| client.steps.len() as u64 <= STEPS_MAX)));
    }

    #[test]
    fn versions_are_forgotten_only_where_somebody_sees_without_them() {
        let all = |wish: &Wish| (0..300).map(|seed| Plan::draw(seed, wish)).collect::<Vec<Plan>>();
        let plans = all(&of(Profile::Swarm));
        assert!(plans.iter().any(|plan| plan.black_box) && plans.iter().any(|plan| !plan.black_box));
        assert!(plans.iter().all(|plan| !plan.black_box || plan.knobs.workload.has_witness()));
        assert!(all(&of(Profile::Mix)).iter().all(|plan| !plan.black_box), "nobody asked for it");
        let wished = all(&Wish { black_box: true, ..of(Profile::Swarm) });
        assert!(wished.iter().all(|plan| plan.black_box == plan.knobs.workload.has_witness()));
    }

    #[test]
    fn a_plan_that_says_nothing_of_it_keeps_its_versions() {
        let plan = Plan { black_box: true, ..Plan::draw(3, &of(Profile::Calm)) };
        assert_eq!(Plan::parse(&plan.print()).unwrap(), plan);
        let silent = plan.print().replace("black_box = true\n", "");
        assert!(!Plan::parse(&silent).unwrap().black_box);
    }

    #[test]
    fn a_named_workload_wins_over_the_draw() {
        let wish = Wish { workload: Some(Workload::Bank), ..of(Profile::Swarm) };
        assert!((0..50).all(|seed| Plan::draw(seed, &wish).knobs.workload == Workload::Bank));
    }
}
