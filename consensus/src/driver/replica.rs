//! This node's part in one Raft group: proposals in, effects out, and who waits for them.
//!
//! Invariant: purged <= checkpoint <= applied <= committed <= last.

use super::intake::Intake;
use super::leading::Leading;
use super::mailbox::{Letter, Mailbox, Queues};
use super::membership::{self, NextStep};
use super::proposal::{Proposal, Ticket};
use super::reads::Reads;
use crate::applier::Work;
use crate::checkpoint::{Fetched, Need, Sender};
use crate::cluster::Book;
use crate::command::{self, Draft};
use crate::footprint::Footprint;
use crate::progress::{Progress, RETRY_WHEN_FULL, RETRY_WITHOUT_LEADER};
use crate::raft::{self, Broken, Change, Committed, Effects, Event, Group, Message, Payload, Place};
use crate::transport::{Outbox, Transport};
use crate::{Error, Result, Role};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use vivarium_storage::runtime::{Instant, Runtime, buggify, mutant, now, sometimes};
use vivarium_storage::wal::{Completion, GroupId, Record};
use vivarium_storage::{Store, Version, Wal};

/// Entries in the log that are not applied. More is refused: the applier is behind.
const UNAPPLIED_MAX: u64 = 16_384;
/// Bytes of committed entries that may wait for the applier.
const QUEUED_BYTES_MAX: usize = 64 << 20;
/// Bytes of log that are kept for nodes that pull a checkpoint, beyond what else is kept.
const HELD_BYTES_MAX: u64 = 1 << 30;
/// Bytes that a new leader reads at once of what it has not applied.
const SCAN_BYTES_MAX: u64 = 4 << 20;

/// What a replica needs of its node.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub wal: Wal,
    pub store: Store,
    pub runtime: Runtime,
    pub progress: Arc<Progress>,
    pub mailbox: Mailbox,
    pub applier: mpsc::UnboundedSender<Vec<Work>>,
    pub outbox: Outbox,
    pub book: Arc<Book>,
    pub checkpoints: Arc<Sender>,
}

/// This node's part in one group.
pub(super) struct Replica {
    id: GroupId,
    group: Group,
    node: Surroundings,
    /// Who waits for the entry at an index, if it is still of this term when it commits.
    pending: BTreeMap<u64, Pending>,
    reads: Reads,
    leading: Option<Leading>,
    /// The term that [`Replica::leading`] belongs to.
    leading_term: u64,
    /// The last entry that went to the applier.
    handed: u64,
    intake: Intake,
    /// The number of the records that decide a checkpoint. From there on the group is left alone.
    decides: Option<u64>,
}

struct Pending {
    term: u64,
    ticket: Ticket,
}

/// Why the node must stop.
pub(super) type Fatal = String;

/// The result of a step that may find that the node must stop.
pub(super) type Step<T = ()> = std::result::Result<T, Fatal>;

impl Replica {
    /// This node's part in `group`.
    pub fn new(id: GroupId, group: Group, intake: Intake, node: Surroundings) -> Replica {
        let handed = node.progress.applied();
        Replica {
            id,
            group,
            node,
            pending: BTreeMap::new(),
            reads: Reads::default(),
            leading: None,
            leading_term: 0,
            handed,
            intake,
            decides: None,
        }
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// What waits here.
    pub fn queues(&self) -> Queues {
        let peers = self.node.book.transport().map(Transport::peers).unwrap_or_default();
        Queues {
            readers: self.reads.len(),
            commits: self.pending.len(),
            waiting: self.node.progress.waiting_count(),
            unapplied_bytes: self.node.progress.queued_bytes(),
            unsent_bytes: peers.iter().map(|peer| peer.queued_bytes).sum(),
            ..Queues::default()
        }
    }

    /// True when nobody waits for an entry.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_empty()
    }

    /// When something is to be done without being asked: never, for a follower.
    pub fn due(&self) -> Option<Instant> {
        self.leading.as_ref().map(Leading::watermark_due)
    }

    /// True when time decides something: whether to lead, whether the others still follow, who comes and goes.
    pub fn needs_ticks(&self) -> bool {
        let own = self.group.node();
        // A round that others were asked in is asked again when none of them is left.
        let asks = self.reads.len() > 0;
        asks || !self.group.is_lone_voter() || self.node.book.directory().present().any(|(node, _)| node != own)
    }

    /// Time passed.
    pub fn tick(&mut self) -> Step {
        self.reads.tick();
        self.intake.tick();
        self.node.checkpoints.expire();
        self.step(Event::Tick)?;
        self.follow_directory()
    }

    /// Makes the configuration follow the directory, one change at a time. Refused, it is proposed again later.
    fn follow_directory(&mut self) -> Step {
        match membership::next_step(&self.group, &self.node.book.directory()) {
            None => Ok(()),
            Some(NextStep::HandOver(to)) => {
                sometimes("a leader that is to go hands over");
                self.step(Event::Transfer(to))
            }
            Some(NextStep::Change(change)) => {
                if let Some(place) = self.group.propose_change(change).map_err(fatal)? {
                    tracing::info!(group = self.id.0, index = place.index, ?change, "the configuration is to change");
                    sometimes("the configuration changes");
                    match change {
                        Change::Promote(_) => sometimes("a learner is promoted"),
                        Change::Remove(_) => sometimes("a member is removed"),
                        Change::AddLearner(_) => {}
                    }
                }
                self.observe()
            }
        }
    }

    /// Somebody wants another voter to lead. Whether it does shows later.
    pub fn transfer(&mut self, to: u64, asker: oneshot::Sender<Result<()>>) -> Step {
        let leads = self.group.role() == Role::Leader;
        let answer = if leads { Ok(()) } else { Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER }) };
        // Whoever gave up in between hears nothing.
        let _ = asker.send(answer);
        if leads { self.step(Event::Transfer(to)) } else { Ok(()) }
    }

    /// A peer says something.
    pub fn receive(&mut self, message: Message) -> Step {
        self.step(Event::Message(message))?;
        match self.group.take_need() {
            Some(need) if self.decides.is_none() => self.intake.need(need, &mut self.group).map_err(fatal),
            _ => Ok(()),
        }
    }

    /// A checkpoint came, or could not be fetched.
    pub fn checkpoint_came(&mut self, need: Need, fetched: std::result::Result<Fetched, String>) -> Step {
        self.intake.came(need, fetched, &mut self.group).map_err(fatal)
    }

    /// The log has the records of this number.
    pub fn persisted(&mut self, number: u64) -> Step {
        self.step(Event::Persisted(number))?;
        if self.decides.is_some_and(|decides| decides <= number) {
            tracing::info!(index = self.group.first_index(), "a checkpoint is decided");
            self.node.progress.begin_reopening();
        }
        Ok(())
    }

    /// Ends what this replica began beside the driver, and leaves in the log how far that is known to be committed:
    /// where the store is lost, the one that is built from the log must not end before it.
    pub async fn end(mut self) {
        let is_sound = self.node.progress.stop_reason().is_none() && self.decides.is_none();
        if is_sound && let Some(rest) = self.group.rest() {
            // Whoever closes the log asks it whether all of it was written.
            self.node.wal.append(self.id, vec![rest], Box::new(drop));
        }
        self.intake.end().await;
    }

    /// A reader wants an index.
    pub fn read_index(&mut self, reader: oneshot::Sender<Result<u64>>) {
        self.reads.add(reader);
    }

    /// A transaction wants to commit.
    pub fn commit(&mut self, proposal: Proposal) -> Step {
        let Proposal { snapshot, footprint, written, draft, ticket } = proposal;
        if !ticket.take() {
            return Ok(());
        }
        if let Err(error) = self.admits(snapshot, &footprint) {
            ticket.answer(Err(error));
            return Ok(());
        }
        let version = self.next_version();
        match self.propose(draft.finish(version))? {
            None => ticket.answer(Err(Error::Unavailable { retry_after: RETRY_WHEN_FULL })),
            Some(place) => {
                self.leading.as_mut().expect("only a leader proposes").wrote(version, written);
                let replaced = self.pending.insert(place.index, Pending { term: place.term, ticket });
                replaced.into_iter().for_each(Pending::lost);
            }
        }
        Ok(())
    }

    /// A reader wants every version up to `version` to be decided. When none is under way that decides it, an
    /// empty commit does: it takes a version of its own, and no later one can be smaller.
    pub fn settle(&mut self, version: Version, reader: oneshot::Sender<Result<()>>) -> Step {
        let answer = match &self.leading {
            // The version may be on its way here from the leader.
            None if self.group.leader().is_some() => Ok(()),
            None => Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER }),
            Some(leading) if version <= leading.last() => Ok(()),
            Some(_) if version.0 > self.node.runtime.now_micros() => {
                Err(Error::VersionGone { version, oldest: self.node.store.snapshot().watermark() })
            }
            Some(leading) => {
                let next = leading.next_version(&self.node.runtime);
                match self.propose(Draft::commit(next, &[], None).finish(next))? {
                    None => Err(Error::Unavailable { retry_after: RETRY_WHEN_FULL }),
                    Some(_) => {
                        self.leading.as_mut().expect("only a leader proposes").wrote(next, Vec::new());
                        Ok(())
                    }
                }
            }
        };
        // Whoever gave up in between hears nothing.
        let _ = reader.send(answer);
        Ok(())
    }

    /// Forgets entries that a durable store has.
    pub fn purge(&mut self, index: u64) -> Step {
        if self.decides.is_some() {
            return Ok(());
        }
        self.step(Event::Applied(self.node.progress.applied()))?;
        self.node.checkpoints.expire();
        // Who just pulled a checkpoint goes on from there with the log, unless that would fill the disk.
        let held = self.node.checkpoints.held().filter(|_| self.node.wal.disk_bytes() < HELD_BYTES_MAX);
        let index = held.map_or(index, |held| index.min(held)).min(self.node.wal.last_unkept(self.id));
        if index > self.group.first_index() {
            let term = self.group.purged(index);
            let done = self.node.on_failure();
            self.node.wal.append(self.id, vec![Record::PurgePrefix { index, term }], done);
            sometimes("the log is purged");
        }
        Ok(())
    }

    /// Does everything that can be done now.
    pub fn proceed(&mut self) -> Step {
        if self.decides.is_some() {
            return Ok(());
        }
        self.step(Event::Applied(self.node.progress.applied()))?;
        self.propose_watermark()?;
        loop {
            while !self.is_held() {
                if !self.perform()? {
                    break;
                }
            }
            // Held back, the applier must be let through first; it wakes the driver for that, and for that only.
            if self.is_held() {
                break;
            }
            let campaigned = self.campaign_alone()?;
            if !self.reads.begin_round(&mut self.group).map_err(fatal)? && !campaigned {
                break;
            }
        }
        if self.decides.is_none() {
            self.publish_leadership();
            self.check();
        }
        Ok(())
    }

    /// A lone voter has nobody to wait for: it leads at once, when the store has all that is known to be committed.
    fn campaign_alone(&mut self) -> Step<bool> {
        if !self.group.is_lone_voter() || self.group.role() == Role::Leader {
            return Ok(false);
        }
        if self.node.progress.wake_driver_at(self.group.committed_index()) {
            return Ok(false);
        }
        self.step(Event::Applied(self.node.progress.applied()))?;
        self.step(Event::Campaign)?;
        // It does not while entries of an earlier leader are on their way to the disk. Their arrival wakes the driver.
        Ok(self.group.role() == Role::Leader)
    }

    fn propose_watermark(&mut self) -> Step {
        let now = now();
        let Some(leading) = self.leading.as_mut().filter(|leading| leading.watermark_due() <= now) else {
            return Ok(());
        };
        let last = leading.last();
        let snapshot = self.node.store.snapshot();
        let next = leading.next_watermark(now, self.node.runtime.now_micros(), snapshot.version());
        // Refused, it is proposed again a minute later.
        if next > snapshot.watermark() {
            self.propose(command::watermark(last, next))?;
        }
        Ok(())
    }

    /// True while the applier has enough to do. It wakes the driver when it is through.
    fn is_held(&self) -> bool {
        let held =
            self.node.progress.queued_bytes() > QUEUED_BYTES_MAX && self.node.progress.wake_driver_at(self.handed);
        if held {
            sometimes("the driver waits for the applier");
        }
        held
    }

    /// Performs one set of effects. False when there is none.
    fn perform(&mut self) -> Step<bool> {
        if self.decides.is_some() {
            return Ok(false);
        }
        let Some(effects) = self.group.ready().map_err(fatal)? else { return Ok(false) };
        let Effects { number, records, messages, checkpoint, committed, reads } = effects;
        if checkpoint {
            self.decides = Some(number);
        }
        let writes = !records.is_empty();
        let votes = writes && records.iter().all(|record| matches!(record, Record::HardState { .. }));
        if writes {
            let done = self.node.on_persisted(self.id, number);
            self.node.wal.append(self.id, records, done);
        }
        self.group.advance().map_err(fatal)?;
        if (writes && mutant("raft-03")) || (votes && mutant("raft-02")) {
            self.persisted(number)?;
        }
        self.send(messages);
        self.hand_over(committed)?;
        for (number, index) in reads {
            self.reads.answer(number, index);
        }
        self.observe()?;
        Ok(true)
    }

    fn hand_over(&mut self, committed: Vec<Committed>) -> Step {
        if committed.is_empty() {
            return Ok(());
        }
        self.node.checkpoints.note_term(self.group.term());
        let mut batch = Vec::with_capacity(committed.len());
        for entry in committed {
            self.handed = entry.index;
            self.group.tell_of_applying(&entry);
            let ticket = self.claim(entry.index, entry.term);
            let payload = match entry.payload {
                Payload::Configuration(change) => {
                    let voters = self.group.reconfigure(&change).map_err(fatal)?;
                    Payload::Configuration(voters)
                }
                payload @ (Payload::Nothing | Payload::Command(_)) => payload,
            };
            // Before anybody else can decide, readers must stop trusting this node alone.
            self.publish_leadership();
            batch.push(Work { index: entry.index, term: entry.term, payload, ticket });
        }
        let answers = batch.iter().any(|work| work.ticket.is_some());
        self.node.progress.queue(batch.iter().map(Work::bytes).sum());
        self.node.applier.send(batch).map_err(|_| "the applier has ended".to_owned())?;
        if answers && buggify("buggify: a leader goes between commit and answer") {
            let mut heirs = self.group.followers().into_iter().filter(|follower| follower.voter && follower.active);
            return heirs.next().map_or(Ok(()), |heir| self.step(Event::Transfer(heir.node)));
        }
        Ok(())
    }

    /// Who waits for a committed entry. Those whose entries it replaced are told that nothing was written.
    fn claim(&mut self, index: u64, term: u64) -> Option<Ticket> {
        while let Some(first) = self.pending.first_entry().filter(|first| *first.key() <= index) {
            let at = *first.key();
            let pending = first.remove();
            if at == index && pending.term == term {
                return Some(pending.ticket);
            }
            pending.lost();
        }
        None
    }

    fn admits(&self, snapshot: Version, footprint: &Footprint) -> Result<()> {
        let Some(leading) = &self.leading else {
            return Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER });
        };
        if self.group.last_index().saturating_sub(self.node.progress.applied()) >= UNAPPLIED_MAX {
            return Err(Error::Unavailable { retry_after: RETRY_WHEN_FULL });
        }
        let forgets = buggify("buggify: the conflict window forgets");
        if (leading.window().admits(snapshot, footprint) && !forgets) || mutant("txn-02") {
            return Ok(());
        }
        sometimes("a commit conflicts");
        Err(Error::Conflict)
    }

    fn next_version(&self) -> Version {
        self.leading.as_ref().expect("only a leader chooses versions").next_version(&self.node.runtime)
    }

    fn propose(&mut self, payload: Vec<u8>) -> Step<Option<Place>> {
        let place = self.group.propose(payload).map_err(fatal)?;
        self.observe()?;
        Ok(place)
    }

    fn step(&mut self, event: Event) -> Step {
        let messages: Vec<Message> = self.group.step(event).map_err(fatal)?;
        self.send(messages);
        self.observe()
    }

    fn send(&self, mut messages: Vec<Message>) {
        // A planted bug: where things lie in memory decides what is said first.
        if mutant("nondet-01") && (std::ptr::from_ref(&messages).addr() >> 12) % 2 == 1 {
            messages.reverse();
        }
        self.group.tell_of_promises(&messages);
        self.node.outbox.send(self.id, messages);
    }

    /// Notices that this node began or ceased to lead.
    fn observe(&mut self) -> Step {
        let leads = self.group.role() == Role::Leader;
        if leads && (self.leading.is_none() || self.leading_term != self.group.term()) {
            let last = self.newest_version()?;
            self.leading = Some(Leading::new(self.group.last_index(), last, now()));
            self.leading_term = self.group.term();
            tracing::info!(group = self.id.0, term = self.leading_term, "this node leads");
            sometimes("a node begins to lead");
            self.group.tell_of_leading();
        } else if !leads && self.leading.take().is_some() {
            self.node.progress.set_leads_alone(false);
            tracing::info!(group = self.id.0, term = self.group.term(), "this node leads no more");
        }
        if leads {
            self.group.tell_of_commits();
        }
        Ok(())
    }

    /// The newest version in the log: the store's, or that of an entry that the store does not have yet.
    fn newest_version(&self) -> Step<Version> {
        if mutant("txn-08") {
            return Ok(self.node.store.position().version.min(Version(1)));
        }
        let mut next = self.node.progress.applied() + 1;
        let mut newest = self.node.store.position().version;
        let end = self.group.last_logged() + 1;
        while next < end {
            let entries =
                self.node.wal.entries(self.id, next..end, SCAN_BYTES_MAX).map_err(|error| error.to_string())?;
            if entries.iter().any(|(_, _, payload)| raft::changes_configuration(payload)) {
                sometimes("a change of the configuration outlives its leader");
            }
            let versions = entries.iter().filter_map(|(_, _, payload)| command::version(payload));
            newest = versions.max().map_or(newest, |version| version.max(newest));
            assert!(!entries.is_empty(), "the log has entries up to {end}, but none at {next}");
            next += entries.len() as u64;
        }
        Ok(newest)
    }

    /// Lets readers trust this node alone, or no more. Whoever follows, with a vote or without, answers reads as well, and may
    /// have applied what this node has not yet.
    fn publish_leadership(&mut self) {
        let is_held = self.is_held();
        let Some(leading) = &mut self.leading else { return };
        let progress = &self.node.progress;
        if !self.group.is_alone() {
            leading.alone_since = None;
            if progress.leads_alone() {
                progress.set_leads_alone(false);
            }
            return;
        }
        if progress.leads_alone() {
            return;
        }
        let since = *leading.alone_since.get_or_insert(leading.since.max(self.group.committed_index()));
        if progress.applied() >= since || (!is_held && !progress.wake_driver_at(since)) {
            progress.set_leads_alone(true);
        }
    }

    fn check(&self) {
        // In this order: each may grow while the next is read.
        let purged = self.group.first_index();
        let checkpoint = self.node.progress.checkpoint();
        let applied = self.node.progress.applied();
        let (committed, last) = (self.group.committed_index(), self.group.last_index());
        let in_order = purged <= checkpoint && checkpoint <= applied && applied <= committed && committed <= last;
        assert!(in_order, "purged {purged} <= checkpoint {checkpoint} <= {applied} <= {committed} <= last {last}");
    }
}

impl Pending {
    /// Another leader wrote another entry in its place: nothing was written.
    fn lost(self) {
        sometimes("a proposal was overwritten");
        self.ticket.answer(Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER }));
    }
}

impl Surroundings {
    /// Tells the driver when records are durable, from whatever thread the log works on.
    fn on_persisted(&self, group: GroupId, number: u64) -> Completion {
        let mailbox = self.mailbox.clone();
        Box::new(move |written| match written {
            Ok(()) => mailbox.tell(Letter::Persisted(group, number)),
            Err(error) => mailbox.tell(Letter::LogFailed(error.to_string())),
        })
    }

    /// Tells the driver when records could not be written.
    fn on_failure(&self) -> Completion {
        let mailbox = self.mailbox.clone();
        Box::new(move |written| {
            if let Err(error) = written {
                mailbox.tell(Letter::LogFailed(error.to_string()));
            }
        })
    }
}

fn fatal(broken: Broken) -> Fatal {
    broken.to_string()
}
