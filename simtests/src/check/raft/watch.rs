//! Listens to what nodes do while they run, looks at their disks at that very moment, and writes both into the chronicle.

use super::chronicle::Count;
use super::{Batch, Chronicle, Log, Record};
use crate::check::Violation;
use crate::simfs::Drive;
use crate::simfs::model::{Content, Disk, Held, Ino, Op};
use madsim::task::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vivarium_consensus::{Deed, set_listener};
use xxhash_rust::xxh3::xxh3_64;

/// Where a node keeps its log.
const LOG_FOLDER: &str = "log";
/// Where it says which node it is.
const IDENTITY: &str = "identity";
/// The first byte of an entry that carries a version.
const COMMAND: u8 = 1;

/// The watch over all nodes of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    watched: Arc<Mutex<Watched>>,
}

#[derive(Debug, Default)]
struct Watched {
    chronicle: Chronicle,
    /// By the number of its machine in the simulation.
    machines: BTreeMap<NodeId, Machine>,
    /// Where each node was last heard.
    nodes: BTreeMap<u64, NodeId>,
    /// Machines that lost their log, until their node speaks again, as whom ever.
    robbed: BTreeSet<NodeId>,
    /// What was durable of a log that is lost, by the node whose it was: until then it counted.
    lost: BTreeMap<u64, Log>,
    found: Option<Violation>,
}

/// The log on a machine's disk.
#[derive(Debug)]
struct Machine {
    drive: Drive,
    /// Operations of this life that were looked at.
    seen: usize,
    /// The node whose log it is; 0 when nobody knows yet.
    node: u64,
    /// Everything that was written.
    written: Log,
    /// What of it is durable.
    durable: Log,
    /// Written, and not durable yet.
    pending: Vec<(Ino, Batch)>,
}

impl Watch {
    /// A watch that listens to all nodes of this process.
    pub fn begin() -> Watch {
        let watch = Watch::default();
        let watched = Arc::clone(&watch.watched);
        set_listener(move |node, deed| locked(&watched).hear(madsim::plugin::node(), node, deed));
        watch
    }

    /// A machine begins a life on this disk, whose changes go to `drive` from here on.
    pub fn life_begins(&self, machine: NodeId, drive: Drive, disk: &Disk) {
        locked(&self.watched).life_begins(machine, drive, disk);
    }

    /// A machine's life ends; its drive is still there to be looked at.
    pub fn life_ends(&self, machine: NodeId) {
        let watched = &mut *locked(&self.watched);
        let checked = watched.look(machine);
        watched.note(checked);
    }

    /// Between two lives the log of a machine is damaged. What its node promised binds it all the same.
    pub fn log_is_lost(&self, machine: NodeId) {
        let watched = &mut *locked(&self.watched);
        watched.robbed.insert(machine);
        let Some(robbed) = watched.machines.remove(&machine) else { return };
        watched.nodes.remove(&robbed.node);
        watched.lost.insert(robbed.node, robbed.durable);
    }

    /// What was found to be wrong first, if anything.
    pub fn violation(&self) -> Option<Violation> {
        locked(&self.watched).found.clone()
    }

    /// See [`Chronicle::shared_version`].
    pub fn shared_version(&self, log: &Log) -> u64 {
        locked(&self.watched).chronicle.shared_version(log)
    }

    /// Forgets everything: another time line begins.
    pub fn forget(&self) {
        *locked(&self.watched) = Watched::default();
    }
}

fn locked(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    fn note(&mut self, checked: Result<(), Violation>) {
        if let Err(violation) = checked {
            self.found.get_or_insert(violation);
        }
    }

    fn life_begins(&mut self, at: NodeId, drive: Drive, disk: &Disk) {
        let files = disk.files_in(LOG_FOLDER);
        let bytes = |of: fn(&Held) -> &Content| files.iter().map(|file| of(file).bytes()).collect::<Vec<_>>();
        let (durable, written) = (Log::of(&bytes(|file| &file.durable)), Log::of(&bytes(|file| &file.now)));
        let is_pending = |batch: &Batch| batch.stands_for > durable.through();
        let batches = |file: &Held| -> Vec<(Ino, Batch)> {
            let all = Batch::all(&file.now.bytes()).into_iter();
            all.filter(is_pending).map(|batch| (file.ino, batch)).collect()
        };
        let pending = files.iter().flat_map(batches).collect();
        let before = self.machines.remove(&at);
        let node = node_of(&disk.root_file(IDENTITY));
        // Of a damaged log nothing follows: either its node finds that too, or it is whole where it matters.
        let is_robbed = self.robbed.contains(&at);
        let goes_on = before.is_some_and(|before| durable.through() >= before.durable.through());
        if goes_on && node > 0 && !is_robbed {
            let checked = self.chronicle.vows(node, durable.vow);
            self.note(checked);
        }
        let mut previous = None;
        for (index, (term, hash)) in written.entries.iter().filter(|_| !is_robbed) {
            let checked = self.chronicle.logs(node, previous, (*index, *term), *hash);
            self.note(checked);
            previous = Some(*term);
        }
        self.machines.insert(at, Machine { drive, seen: 0, node, written, durable, pending });
    }

    /// Takes in what happened on a machine's disk since the last look.
    fn look(&mut self, at: NodeId) -> Result<(), Violation> {
        let Some(machine) = self.machines.get_mut(&at) else { return Ok(()) };
        let ops = machine.drive.ops_since(machine.seen);
        machine.seen += ops.len();
        for op in ops {
            match op {
                Op::Write { ino, data, .. } => {
                    let Some(batch) = Batch::read(&data) else { continue };
                    if batch.number == 1 {
                        machine.node = node_of(&machine.drive.root_file(IDENTITY));
                    }
                    machine.writes(ino, batch, &mut self.chronicle)?;
                }
                Op::Sync { ino } => machine.syncs(ino, &mut self.chronicle)?,
                // Nobody knows whether it is durable: then it is not.
                Op::SyncFailed { ino } => machine.pending.retain(|(file, _)| *file != ino),
                _ => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, at: NodeId, node: u64, deed: &Deed<'_>) {
        let Some(machine) = self.machines.get_mut(&at) else { return };
        // What it does after its end nobody hears.
        if machine.drive.is_cut() || self.found.is_some() {
            return;
        }
        machine.node = node;
        self.nodes.retain(|other, place| *place != at || *other == node);
        self.nodes.insert(node, at);
        self.lost.remove(&node);
        self.robbed.remove(&at);
        let checked = self.look(at).and_then(|()| self.recall(at, node)).and_then(|()| self.weigh(at, node, deed));
        self.note(checked);
    }

    /// Who speaks knows what it vowed.
    fn recall(&mut self, at: NodeId, node: u64) -> Result<(), Violation> {
        let vow = self.machines.get(&at).map(|machine| machine.durable.vow);
        vow.map_or(Ok(()), |vow| self.chronicle.vows(node, vow))
    }

    fn weigh(&mut self, at: NodeId, node: u64, deed: &Deed<'_>) -> Result<(), Violation> {
        let durable = |watched: &Watched| watched.machines.get(&at).map(|machine| machine.durable.vow);
        match deed {
            Deed::Votes { term, candidate } => {
                let vow = durable(self).unwrap_or_default();
                self.chronicle.votes(node, *term, *candidate, vow)
            }
            Deed::Holds { term, index } => {
                self.machines.get(&at).map_or(Ok(()), |own| self.chronicle.holds(node, *term, *index, &own.durable))
            }
            Deed::Leads { term, committed, term_of } => self.chronicle.leads(node, *term, *committed, term_of),
            Deed::Commits { term, index, entry_term, voters } => {
                let places: Vec<NodeId> = voters.iter().filter_map(|voter| self.nodes.get(voter).copied()).collect();
                for place in places {
                    self.look(place)?;
                }
                let holds = |voter: u64, index: u64, term: u64| {
                    let machine = self.nodes.get(&voter).and_then(|place| self.machines.get(place));
                    machine
                        .map(|machine| &machine.durable)
                        .or(self.lost.get(&voter))
                        .is_some_and(|log| log.holds(index, term))
                };
                let count = Count { node, term: *term, index: *index, entry_term: *entry_term, voters };
                self.chronicle.commits(count, &holds)
            }
            Deed::Reconfigures { before, after } => self.chronicle.reconfigures(node, before, after),
            Deed::Applies { index, term, payload } => {
                self.chronicle.comes_to(*index, version_of(payload));
                self.chronicle.applies(node, (*index, *term), xxh3_64(payload))
            }
        }
    }
}

/// The log on a disk, with all that was written.
pub fn log_of(disk: &Disk) -> Log {
    let files = disk.files_in(LOG_FOLDER);
    Log::of(&files.iter().map(|file| file.now.bytes()).collect::<Vec<_>>())
}

/// The version in the payload of an entry, if there is one: after two bytes, see docs/format.md.
fn version_of(payload: &[u8]) -> Option<u64> {
    let bytes = payload.get(2..10).filter(|_| payload[0] == COMMAND)?;
    Some(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
}

impl Machine {
    fn writes(&mut self, file: Ino, batch: Batch, chronicle: &mut Chronicle) -> Result<(), Violation> {
        if self.written.begin(&batch) {
            for record in &batch.records {
                // One after the other: each entry follows the one before it in the same batch too.
                if let Record::Entry { index, term, hash } = record {
                    let before = index.checked_sub(1).and_then(|before| self.written.term_of(before));
                    chronicle.logs(self.node, before, (*index, *term), *hash)?;
                }
                self.written.take(*record);
            }
        }
        self.pending.push((file, batch));
        Ok(())
    }

    fn syncs(&mut self, file: Ino, chronicle: &mut Chronicle) -> Result<(), Violation> {
        let (synced, pending) = std::mem::take(&mut self.pending).into_iter().partition(|(ino, _)| *ino == file);
        self.pending = pending;
        for (_, batch) in synced {
            self.durable.add(&batch);
            if self.node > 0 {
                chronicle.vows(self.node, self.durable.vow)?;
            }
        }
        Ok(())
    }
}

/// The node that a folder's identity names; 0 when it names none.
fn node_of(identity: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(identity);
    let number = text.lines().find_map(|line| line.strip_prefix("node "));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
