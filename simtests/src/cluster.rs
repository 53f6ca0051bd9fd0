//! A run of several machines: set up, disturbed while clients work, healed, seen to recover, audited to the last cell.

use crate::check::audit::{Audited, audit};
use crate::check::replica::{self, Dump};
use crate::check::standing::Standings;
use crate::check::{Violation, oracles};
use crate::client::{self, Client, Shared};
use crate::history::{End, Known};
use crate::house::{Door, Start};
use crate::machine::{Machine, Make};
use crate::nemesis;
use crate::network::Network;
use crate::plan::{self, Mischief, Plan};
use crate::rng::Rng;
use crate::seat::{Seat, State, Strike, disk_at};
use crate::simfs::image::Policy;
use crate::simfs::{Disk, interpose};
use crate::trace;
use crate::verdict::Met;
use crate::workload::task::Task;
use crate::workload::{Action, ItemChange, NewItem, Sent, Step, Workload};
use madsim::runtime::Handle;
use madsim::time::sleep;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use vivarium_consensus::{Role, Status};

/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(5);
/// Disturbances and clients that go on for longer are cut short.
const SAFETY_TIME_MAX: Duration = Duration::from_secs(120);
/// After healing, so soon there is one leader that all know.
const RECOVERY_TIME_MAX: Duration = Duration::from_secs(30);
/// After this a start, a stop or the rest of the workload hangs.
const PATIENCE: Duration = Duration::from_secs(200);
/// Writes and reads through every node that a healed cluster must answer.
const PROBES: usize = 20;
/// How often a probe may be told to come again.
const PROBE_ATTEMPTS_MAX: usize = 5;

/// A run of several machines.
pub struct Cluster {
    plan: Plan,
    cluster: plan::Cluster,
    shared: Shared,
    seats: Vec<Seat>,
    network: Network,
    standings: Standings,
    /// Virtual time at which partitions end.
    mends: Vec<(Duration, u64)>,
    /// The moment at which the set-up was done.
    set_up_at: u64,
    met: Met,
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
    let seats: Vec<Seat> = (1..=cluster.nodes)
        .map(|number| {
            let last = u8::try_from(number).expect("a cluster has few nodes");
            let make = Make {
                number,
                ip: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))),
                base: base.join(format!("n{number}")),
                seed: plan.seed,
                knobs: plan.knobs,
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
        network,
        standings,
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
        self.set_up().await?;
        for (number, client) in self.plan.clients.iter().enumerate() {
            let machine = handle.create_node().name(format!("client-{}", number + 1)).build();
            let number = number as u64 + 1;
            let client_of_several = Client::of_several(self.shared.clone(), number, self.cluster.nodes, self.plan.seed);
            machine.spawn(client_of_several.run(client.steps.clone()));
        }
        self.disturb().await?;
        self.heal();
        self.recover().await?;
        self.finish_workload().await?;
        self.probe("healed").await?;
        self.audit().await?;
        self.power_cycle().await?;
        self.audit().await?;
        for seat in &mut self.seats {
            seat.machine.compare_record()?;
            seat.crash(None, &self.shared);
        }
        self.shared.with_history(|history| oracles::check(history))?;
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
        }
        met.partitions = self.network.split;
        met.messages = self.network.troubled();
        met.terms = met.terms.max(self.standings.terms_led());
        met
    }

    /// The first node founds the cluster, the others join one after the other; the schema is declared.
    async fn set_up(&mut self) -> Result<(), Violation> {
        for (place, skew) in self.cluster.skews_micros.clone().into_iter().enumerate() {
            if let Some(seat) = self.seats.get_mut(place) {
                seat.machine.skew(skew, None);
            }
        }
        let address = self.seats[0].machine.address();
        self.seats[0].start(Start::Founder { address: address.clone() })?;
        let first = self.until_up(0).await?;
        let token = first.token.clone().ok_or_else(|| Violation::new("harness", "token", "there is none"))?;
        let declared = first.declare().await;
        declared
            .ok_or_else(|| Violation::new("liveness", "hangs", "the schema is not declared in time"))?
            .map_err(|error| Violation::new("liveness", "no-schema", error))?;
        for place in 1..self.seats.len() {
            let newcomer = self.seats[place].machine.address();
            let start = Start::Newcomer { address: newcomer, token: token.clone(), member: address.clone() };
            self.seats[place].start(start)?;
            self.until_up(place).await?;
        }
        self.recover().await?;
        self.set_up_at = interpose::stamp();
        Ok(())
    }

    async fn until_up(&mut self, place: usize) -> Result<Door, Violation> {
        let since = now();
        loop {
            self.tend()?;
            match &self.seats[place].state {
                State::Up(door) => return Ok(door.clone()),
                _ if now() - since > PATIENCE => {
                    let detail = format!("node {} does not open in time", place + 1);
                    return Err(Violation::new("recovery", "hangs", detail));
                }
                _ => sleep(LOOK).await,
            }
        }
    }

    /// Looks at every machine once: notes what it says, brings back those that are down for long enough.
    fn tend(&mut self) -> Result<(), Violation> {
        let now = now();
        let due: Vec<u64> = self.mends.iter().filter(|(at, _)| *at <= now).map(|(_, partition)| *partition).collect();
        self.mends.retain(|(at, _)| *at > now);
        for partition in due {
            self.network.mend(partition);
        }
        for place in 0..self.seats.len() {
            let is_on = self.seats[place].machine.drive().is_some_and(|drive| !drive.is_cut());
            if let Some(status) = self.seats[place].machine.standing().filter(|_| is_on) {
                self.standings.see(self.seats[place].machine.generation(), &status)?;
            }
            self.seats[place].tend(&self.shared)?;
        }
        self.shared.violation().map_or(Ok(()), Err)
    }

    /// The standings of all nodes that run.
    fn statuses(&self) -> Vec<Status> {
        self.seats.iter().filter_map(|seat| seat.machine.standing()).collect()
    }

    /// The machine whose node leads in the newest term.
    fn leader(&self) -> Option<usize> {
        let leads = self.statuses().into_iter().filter(|status| status.role == Role::Leader);
        let newest = leads.max_by_key(|status| status.term)?;
        usize::try_from(newest.node.checked_sub(1)?).ok().filter(|place| *place < self.seats.len())
    }

    /// Clients work, and whatever the plan says goes wrong.
    async fn disturb(&mut self) -> Result<(), Violation> {
        let begun = now();
        self.network.set_messages(self.cluster.messages);
        let mut next = begun;
        let agenda = self.cluster.disturbances.clone().into_iter().map(|disturbance| {
            next += Duration::from_millis(disturbance.wait_ms);
            (next, disturbance)
        });
        let mut agenda = agenda.collect::<Vec<_>>().into_iter().peekable();
        while now() - begun < SAFETY_TIME_MAX {
            self.tend()?;
            while let Some((_, disturbance)) = agenda.next_if(|(at, _)| *at <= now()) {
                self.begin(&disturbance);
            }
            let quiet = agenda.peek().is_none() && self.mends.is_empty();
            if quiet && self.shared.finished() == self.plan.clients.len() {
                break;
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn begin(&mut self, disturbance: &plan::Disturbance) {
        let lasts = Duration::from_millis(disturbance.lasts_ms);
        let (nodes, leader) = (self.seats.len(), self.leader());
        trace::event("nemesis", &format!("{:?}; leader {leader:?}", disturbance.what), &[]);
        match &disturbance.what {
            Mischief::Partition { shape } => {
                let partition = self.network.split(nemesis::links(shape, nodes, leader));
                self.mends.push((now() + lasts, partition));
            }
            Mischief::Crash { who, power, after_changes } => {
                for place in nemesis::places(who, nodes, leader) {
                    self.seats[place].strike(Strike { power: *power, down: lasts }, *after_changes);
                }
            }
            Mischief::Close { who } => {
                for place in nemesis::places(who, nodes, leader) {
                    self.seats[place].close(lasts, &self.shared);
                }
            }
            Mischief::Clock { who, skew_micros } => {
                for place in nemesis::places(who, nodes, leader) {
                    let seat = &mut self.seats[place];
                    let door = seat.door().cloned();
                    seat.machine.skew(*skew_micros, door.as_ref());
                }
            }
        }
    }

    /// Ends all troubles. Clocks stay wrong: nothing may depend on them.
    fn heal(&mut self) {
        trace::event("nemesis", "heals", &[]);
        self.network.heal();
        self.mends.clear();
        for seat in &mut self.seats {
            seat.spare();
        }
    }

    /// Waits until all nodes are up and know one leader, for no longer than that may take.
    async fn recover(&mut self) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let statuses = self.statuses();
            let all = self.seats.iter().all(|seat| seat.door().is_some()) && statuses.len() == self.seats.len();
            let agreed = |status: &Status| {
                status.leader.is_some()
                    && (status.leader, status.term) == (statuses[0].leader, statuses[0].term)
                    && status.voters.len() == self.seats.len()
            };
            if all && statuses.iter().all(agreed) {
                return Ok(());
            }
            if now() - since > RECOVERY_TIME_MAX {
                let up: Vec<_> = self.seats.iter().map(|seat| seat.word()).collect();
                let detail = format!("after {RECOVERY_TIME_MAX:?} in quiet: {up:?}, {statuses:?}");
                return Err(Violation::new("liveness", "no-recovery", detail));
            }
            sleep(LOOK).await;
        }
    }

    async fn finish_workload(&mut self) -> Result<(), Violation> {
        let since = now();
        while self.shared.finished() < self.plan.clients.len() {
            self.tend()?;
            if now() - since > PATIENCE {
                return Err(Violation::new("liveness", "hangs", "the clients do not finish"));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Every node answers reads and writes.
    async fn probe(&mut self, phase: &str) -> Result<(), Violation> {
        let workload = self.plan.knobs.workload;
        if workload != Workload::Mixed {
            for place in 0..self.seats.len() {
                for number in 0..PROBES {
                    let probe = workload.probe((place * PROBES + number) as u64);
                    self.probe_through(place, &format!("{phase}-{}-{number}", place + 1), probe).await?;
                    self.probe_through(place, "", Action::Task(Task::ReadMembers)).await?;
                }
            }
            return Ok(());
        }
        let tag = format!("probe-{phase}");
        let item = NewItem {
            tag: tag.clone(),
            kind: "RED".into(),
            rank: 0,
            note: None,
            price: None,
            marks: Vec::new(),
            width: None,
            r#box: None,
            labels: Vec::new(),
        };
        self.probe_through(0, &format!("{phase}-0"), Action::CreateItem { item }).await?;
        for place in 0..self.seats.len() {
            for number in 0..PROBES {
                let change = ItemChange { rank: Some((place * PROBES + number) as i64), ..ItemChange::default() };
                let key = format!("{phase}-{}-{number}", place + 1);
                self.probe_through(place, &key, Action::UpdateItem { tag: tag.clone(), change }).await?;
                self.probe_through(place, &key, Action::ReadItem { tag: tag.clone() }).await?;
            }
        }
        Ok(())
    }

    async fn probe_through(&mut self, place: usize, key: &str, action: Action) -> Result<(), Violation> {
        let key = action.is_mutation().then(|| format!("probe-{key}"));
        let step = Step { pause_micros: 0, key, sent: Sent::Once, action };
        let mut ended = End::Open;
        for _ in 0..PROBE_ATTEMPTS_MAX {
            self.tend()?;
            let Some(door) = self.seats[place].door().cloned() else { continue };
            let call = client::call(&self.shared, door, 0, &step, None).await;
            ended = self.shared.with_history(|history| history.calls[call].end.clone());
            if matches!(ended, End::Done { .. }) {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        let detail = format!("node {} of a healed cluster: {:?} ended as {ended:?}", place + 1, step.action);
        Err(Violation::new("liveness", "no-answer", detail))
    }

    /// Everything that was told is there, on every node, and all nodes hold the same.
    async fn audit(&mut self) -> Result<(), Violation> {
        for place in 0..self.seats.len() {
            let known = self.shared.with_history(|history| history.known(interpose::stamp()));
            self.audit_node(place, &known).await?;
        }
        self.compare_replicas().await
    }

    async fn audit_node(&mut self, place: usize, known: &Known) -> Result<(), Violation> {
        self.tend()?;
        let door = self.seats[place].door().cloned();
        let door = door.ok_or_else(|| Violation::new("liveness", "down", format!("node {}", place + 1)))?;
        let audited = audit(&door, known, || door.is_off()).await;
        let audited = audited.map_err(|violation| {
            let detail = format!("node {}: {}", place + 1, violation.detail);
            Violation { detail, ..violation }
        })?;
        match audited {
            Audited::Sound(repeated) => self.shared.note_repeated(&door, repeated),
            Audited::Interrupted => return Err(Violation::new("harness", "interrupted", "nothing was armed")),
        }
        Ok(())
    }

    /// Dumps all nodes until all are at one version, and compares.
    async fn compare_replicas(&mut self) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let mut dumps: Vec<(String, Dump)> = Vec::new();
            for seat in &self.seats {
                let Some(door) = seat.door() else { continue };
                let dump = door.dump().await;
                let dump = dump.ok_or_else(|| Violation::new("liveness", "hangs", "a dump was not answered"))?;
                let dump = dump.map_err(|error| Violation::new("recovery", "unreadable", error))?;
                dumps.push((seat.machine.name(), dump));
            }
            replica::compare(&dumps)?;
            if dumps.len() == self.seats.len() && dumps.iter().all(|(_, dump)| dump.version == dumps[0].1.version) {
                let cells = dumps[0].1.len();
                trace::event("audit", &format!("{} replicas of {cells} cells agree", dumps.len()), &[]);
                return Ok(());
            }
            if now() - since > RECOVERY_TIME_MAX {
                let versions: Vec<_> = dumps.iter().map(|(name, dump)| (name, dump.version)).collect();
                let detail = format!("in quiet the nodes stay at different versions: {versions:?}");
                return Err(Violation::new("replica", "behind", detail));
            }
            sleep(LOOK).await;
        }
    }

    /// The power of all goes at once, and comes back.
    async fn power_cycle(&mut self) -> Result<(), Violation> {
        for seat in &mut self.seats {
            seat.machine.compare_record()?;
        }
        for seat in &mut self.seats {
            let policy = seat.machine.draw_policy();
            seat.crash(Some(policy), &self.shared);
        }
        self.recover().await
    }

    /// Starts the cluster from what a power failure of all nodes would have left at many moments, and audits it.
    async fn audit_images(&mut self) -> Result<(), Violation> {
        self.met.terms = self.standings.terms_led();
        let lives: Vec<_> = self.seats.iter_mut().map(|seat| std::mem::take(&mut seat.machine.recordings)).collect();
        let last = interpose::stamp();
        let mut rng = Rng::stream(self.plan.seed, "images");
        let mut moments: Vec<u64> = (0..self.plan.images.places).map(|_| rng.between(self.set_up_at, last)).collect();
        moments.sort_unstable();
        let shared = std::mem::take(&mut self.shared);
        for moment in moments {
            let policies: Vec<Policy> = self.seats.iter().map(|_| *rng.pick(&Policy::ALL)).collect();
            for ((seat, lives), policy) in self.seats.iter_mut().zip(&lives).zip(&policies) {
                seat.machine.put(Disk::from_image(&disk_at(lives, moment).image(*policy, &mut rng)));
            }
            trace::event("audit", &format!("images at moment {moment}"), &[]);
            let known = shared.with_history(|history| history.known(moment));
            let audited = self.audit_image(&known).await;
            audited.map_err(|violation| {
                let detail = format!("{} [images of {policies:?} at moment {moment} of {last}]", violation.detail);
                Violation { detail, ..violation }
            })?;
            self.met.images += 1;
        }
        self.shared = shared;
        Ok(())
    }

    async fn audit_image(&mut self, known: &Known) -> Result<(), Violation> {
        // Another time line: what was seen in the run says nothing about it.
        self.standings = Standings::default();
        self.recover().await?;
        for place in 0..self.seats.len() {
            self.audit_node(place, known).await?;
        }
        self.compare_replicas().await?;
        for seat in &mut self.seats {
            seat.crash(None, &self.shared);
            seat.machine.recordings.clear();
        }
        Ok(())
    }
}
