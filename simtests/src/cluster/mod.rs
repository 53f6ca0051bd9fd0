//! A run of several machines: set up, disturbed while clients work, healed, seen to recover, audited to the last cell.

mod audit;
mod disturb;
mod exile;
mod heal;
mod images;
mod membership;
mod orphan;
mod set_up;

use crate::check::isolation::{Alone, Isolation};
use crate::check::raft::Watch;
use crate::check::standing::Standings;
use crate::check::{Violation, blind, oracles};
use crate::client::{Client, Shared};
use crate::machine::{Machine, Make};
use crate::nemesis::{Atlas, Scene};
use crate::network::Network;
use crate::plan::{self, Plan};
use crate::record;
use crate::seat::Seat;
use crate::simfs::interpose;
use crate::trace;
use crate::verdict::Met;
use exile::Exiles;
use madsim::runtime::Handle;
use membership::Membership;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use vivarium_consensus::{Role, Status};

/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(10);
/// After healing, so soon there is one leader that all know.
const RECOVERY_TIME_MAX: Duration = Duration::from_secs(30);
/// After this a start, a stop or the rest of the workload hangs.
const PATIENCE: Duration = Duration::from_secs(200);

/// A run of several machines.
pub struct Cluster {
    plan: Plan,
    cluster: plan::Cluster,
    shared: Shared,
    /// All machines, the spare ones last.
    seats: Vec<Seat>,
    /// The places of those whose nodes belong to the cluster, as the harness has arranged it.
    members: BTreeSet<usize>,
    membership: Membership,
    network: Network,
    standings: Standings,
    atlas: Atlas,
    isolation: Isolation,
    watch: Watch,
    /// Nodes that were lost with the majority and are back.
    exiles: Exiles,
    /// Virtual time at which partitions end, and gaps between clients and nodes.
    mends: Vec<(Duration, Mend)>,
    /// The moment at which the set-up was done.
    set_up_at: u64,
    met: Met,
}

/// What ends by itself.
#[derive(Clone, Copy, Debug)]
enum Mend {
    Partition(u64),
    Gap(u64),
}

/// Runs a plan below `base`, an empty folder on a tmpfs. What was met is filled in as far as it came.
///
/// # Errors
/// The first violation.
pub async fn run(
    plan: Plan,
    cluster: plan::Cluster,
    base: PathBuf,
    met: &mut Met,
    shared: Shared,
) -> Result<(), Violation> {
    let handle = Handle::current();
    let watch = Watch::begin();
    let seats: Vec<Seat> = (1..=cluster.nodes + cluster.spares)
        .map(|number| {
            let last = u8::try_from(number).expect("a cluster has few nodes");
            let make = Make {
                number,
                ip: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))),
                base: base.join(format!("n{number}")),
                seed: plan.seed,
                knobs: plan.knobs,
                watch: Some(watch.clone()),
            };
            Seat::new(Machine::new(&handle, make))
        })
        .collect();
    let network = Network::new(seats.iter().map(|seat| seat.machine.id()).collect(), plan.seed);
    let standings = Standings::default();
    let mut run = Cluster {
        plan,
        cluster,
        shared,
        seats,
        members: BTreeSet::new(),
        membership: Membership::default(),
        network,
        standings,
        atlas: Atlas::default(),
        isolation: Isolation::default(),
        watch,
        exiles: Exiles::default(),
        mends: Vec::new(),
        set_up_at: 0,
        met: Met::default(),
    };
    let result = run.run(&handle).await;
    *met = run.met();
    result
}

/// Virtual time since the run began.
fn now() -> Duration {
    Duration::from_micros(trace::micros())
}

impl Cluster {
    async fn run(&mut self, handle: &Handle) -> Result<(), Violation> {
        record::stage("set-up");
        self.set_up().await?;
        for (number, client) in self.plan.clients.iter().enumerate() {
            let machine = handle.create_node().name(format!("client-{}", number + 1)).build();
            let number = number as u64 + 1;
            let machines = self.seats.len() as u64;
            let client_of_several = Client::of_several(self.shared.clone(), number, machines, self.plan.seed);
            machine.spawn(client_of_several.run(client.steps.clone()));
        }
        self.disturb().await?;
        self.heal();
        self.settle_membership().await?;
        self.live_on().await?;
        self.recover().await?;
        if self.membership.asked > 0 {
            // Before that others belonged to it: what its disks held then is not the cluster of today.
            self.set_up_at = interpose::stamp();
        }
        self.finish_workload().await?;
        self.probe("healed", &self.members.clone()).await?;
        self.orphan_a_change().await?;
        record::stage("audit");
        self.audit().await?;
        self.check_held().await?;
        record::stage("power cycle");
        self.power_cycle().await?;
        self.audit().await?;
        for seat in &mut self.seats {
            seat.machine.compare_record()?;
            seat.crash(None, &self.shared);
        }
        self.shared.with_history(|history| oracles::check(history))?;
        record::stage("crash images");
        self.audit_images().await
    }

    fn met(&self) -> Met {
        let mut met = self.met.clone();
        for seat in &self.seats {
            let one = &seat.machine.met;
            met.power_cuts += one.power_cuts;
            met.kills += one.kills;
            met.closes += one.closes;
            met.faults += one.faults;
            met.changes += one.changes;
            met.pauses += one.pauses;
            met.rots += one.rots;
            met.logs_lost += one.logs_lost;
            met.clocks += one.clocks;
        }
        met.memberships = self.membership.asked;
        met.partitions = self.network.split;
        met.messages = self.network.troubled();
        met.calls = self.shared.with_wire(|wire| wire.troubled);
        met.terms = met.terms.max(self.standings.terms_led());
        met
    }

    /// Looks at every machine once: notes what it says, brings back those that are down for long enough.
    fn tend(&mut self) -> Result<(), Violation> {
        let now = now();
        let due: Vec<(Duration, Mend)> = self.mends.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, mend) in due {
            match mend {
                Mend::Partition(partition) => self.network.mend(partition),
                Mend::Gap(gap) => self.shared.with_wire(|wire| wire.close(gap)),
            }
        }
        for place in 0..self.seats.len() {
            let is_on = self.seats[place].machine.drive().is_some_and(|drive| !drive.is_cut());
            if self.seats[place].exiled {
                self.tend_exile(place)?;
                self.seats[place].tend(&self.shared)?;
                continue;
            }
            if let Some(status) = self.seats[place].machine.standing().filter(|_| is_on) {
                blind::pardon(self.standings.see(self.seats[place].machine.generation(), &status))?;
                blind::pardon(self.isolation.see(place, now, self.alone(place, &status)))?;
            } else {
                blind::pardon(self.isolation.see(place, now, None))?;
            }
            self.seats[place].tend(&self.shared)?;
        }
        self.tend_membership();
        // Whoever lost its log is whole again when the others count on the node that took its place.
        let is_agreed = self.is_agreed();
        let is_repaired = |seat: &Seat| seat.door().is_some() && !seat.machine.has_rotten_tables();
        let is_whole = |place: &usize| is_agreed && is_repaired(&self.seats[*place]);
        for place in self.atlas.damaged().filter(is_whole).collect::<Vec<usize>>() {
            self.atlas.mended(place);
        }
        blind::pardon(self.watch.violation().map_or(Ok(()), Err))?;
        self.shared.violation().map_or(Ok(()), Err)
    }

    /// A node that hears nobody, if it is one, and needs others.
    fn alone(&self, place: usize, status: &Status) -> Option<Alone> {
        let machine = &self.seats[place].machine;
        let is_alone = self.network.is_deaf(place) && !machine.is_paused() && status.voters.len() > 1;
        let (node, life) = (status.node, machine.generation());
        is_alone.then_some(Alone { node, life, term: status.term, leads: status.role == Role::Leader })
    }

    /// The machine whose node leads in the newest term.
    fn leader(&self) -> Option<usize> {
        let standing = |seat: &Seat| seat.machine.standing().filter(|_| !seat.exiled);
        let standings = self.seats.iter().map(standing).enumerate();
        let leads = standings.filter_map(|(place, standing)| Some((place, standing?)));
        let leads = leads.filter(|(_, standing)| standing.role == Role::Leader);
        leads.max_by_key(|(_, standing)| standing.term).map(|(place, _)| place)
    }

    /// The cluster as a trouble finds it.
    fn scene(&self) -> Scene {
        Scene { machines: self.seats.len(), members: self.members.clone(), leader: self.leader() }
    }
}
