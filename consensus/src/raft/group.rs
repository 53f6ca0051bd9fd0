//! One Raft group on this node: takes events, returns effects, touches neither clock, disk nor network.
//!
//! Nothing is applied before it is durable here, and no promise leaves before what it promises is durable.
//! A broken invariant inside raft-rs breaks the group for good, and only the group.

use super::effects::Effects;
use super::election::{Circumstances, ELECTION_TICKS_MAX, ELECTION_TICKS_MIN, HEARTBEAT_TICKS};
use super::log::GroupLog;
use super::logger;
use super::message::Message;
use crate::Role;
use crate::checkpoint::Need;
use protobuf::Message as _;
use raft::eraftpb::{ConfState, HardState, MessageType};
use raft::{Config, RawNode, Ready, StateRole};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use vivarium_storage::runtime::{mutant, sometimes};
use vivarium_storage::wal::{GroupId, Recovered};
use vivarium_storage::{Store, Wal};

/// Bytes of entries in one message to a follower: some 10 ms of a slow link.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// Messages with entries on their way to a follower.
const MESSAGES_IN_FLIGHT_MAX: usize = 256;
/// Bytes of committed entries that one [`Effects`] carries: the unit in which a restart replays.
const COMMITTED_BYTES_MAX: u64 = 4 << 20;

/// How a group is opened.
pub(crate) struct GroupOptions {
    pub id: GroupId,
    /// This node's Raft id.
    pub node: u64,
    /// Makes election timeouts differ between runs, and be the same for equal runs.
    pub seed: u64,
    /// Drawn anew whenever the node starts: an answer to a question of an earlier life must not pass for one of
    /// this life.
    pub incarnation: u64,
    /// Bytes proposed and not yet committed. More is refused: a leader without its majority must not fill
    /// memory, and the log must take all that a leader proposes.
    pub uncommitted_bytes_max: usize,
    /// The voters of a new group.
    pub founders: Vec<u64>,
    /// The configuration as of the last entry that the store has, as [`Group::reconfigure`] gave it, unless it is still that of the founders.
    pub configuration: Option<Vec<u8>>,
}

/// What happens to a group.
#[derive(Debug)]
pub(crate) enum Event {
    /// Time passed.
    Tick,
    /// Lead without waiting for a timeout.
    Campaign,
    /// A peer says something.
    Message(Message),
    /// Says that all of this number's records, and of those before, are durable.
    Persisted(u64),
    /// Says up to where the store has the entries.
    Applied(u64),
    /// Asks for an index that is no older than any commit acknowledged before, under a number of the caller's.
    ReadIndex(u64),
    /// Hand leadership to this voter when it has the whole log.
    Transfer(u64),
}

/// Where a proposal went in the log, unless another leader overwrites it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub index: u64,
    pub term: u64,
}

/// A broken invariant: the group does nothing any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("raft group {group}: {reason}")]
pub(crate) struct Broken {
    group: u32,
    reason: String,
}

/// Records that are on their way to the disk, and what may be said when they are there.
pub(super) struct Outstanding {
    pub number: u64,
    pub writes: bool,
    pub messages: Vec<Message>,
}

/// One Raft group on this node.
pub(crate) struct Group {
    pub(super) options: GroupOptions,
    pub(super) raw: RawNode<GroupLog>,
    pub(super) outstanding: VecDeque<Outstanding>,
    /// What raft-rs gave out and has not been told of yet: between [`Group::ready`] and [`Group::advance`].
    pub(super) handed: Option<Handed>,
    /// A hard state that differs from the written one in its commit index only, also where the store knew of more than the
    /// log. It costs no fsync of its own.
    pub(super) unsaved: Option<HardState>,
    /// A leader's word that has not been taken from here yet.
    pub(super) need: Option<Need>,
    /// For how many ticks followers that need a checkpoint have not been heard to have one.
    pub(super) behind: BTreeMap<u64, u32>,
    broken: Option<Broken>,
}

pub(super) struct Handed {
    pub ready: Ready,
    pub checkpoint: Option<(u64, u64)>,
    pub last: Option<(u64, u64)>,
    pub durable: bool,
}

impl Group {
    /// Opens a group on what it left in the log.
    ///
    /// # Errors
    /// [`Broken`] when the log's hard state, the configuration or the store's position contradict each other.
    pub fn open(wal: Wal, store: Store, recovered: &Recovered, options: GroupOptions) -> Result<Group, Broken> {
        let broken = |reason: String| Broken { group: options.id.0, reason };
        let voters = match &options.configuration {
            Some(bytes) => ConfState::parse_from_bytes(bytes).map_err(|error| broken(error.to_string()))?,
            None => ConfState::from((options.founders.clone(), vec![])),
        };
        let applied = store.position().index;
        let group_log = GroupLog::new(wal, store, options.id, recovered, voters).map_err(broken)?;
        let config = Config {
            id: options.node,
            election_tick: ELECTION_TICKS_MIN,
            min_election_tick: ELECTION_TICKS_MIN,
            max_election_tick: ELECTION_TICKS_MAX,
            heartbeat_tick: HEARTBEAT_TICKS,
            applied,
            // A planted bug shows where entries come one by one.
            max_size_per_msg: if mutant("raft-04") { 0 } else { MESSAGE_BYTES_MAX },
            max_inflight_msgs: MESSAGES_IN_FLIGHT_MAX,
            // Planted bugs: a leader that nobody answers goes on, and whoever hears of no leader disturbs the others.
            check_quorum: !mutant("live-01") && !mutant("raft-09"),
            pre_vote: !mutant("raft-09"),
            max_uncommitted_size: options.uncommitted_bytes_max as u64,
            max_committed_size_per_ready: COMMITTED_BYTES_MAX,
            ..Config::default()
        };
        let unsaved = group_log.unsaved();
        let logger = logger::logger(options.id.0);
        let opened = catch_unwind(AssertUnwindSafe(|| RawNode::new(&config, group_log, &logger)));
        let raw = match opened {
            Ok(Ok(raw)) => raw,
            Ok(Err(error)) => return Err(broken(error.to_string())),
            Err(panic) => return Err(broken(panic_text(&*panic))),
        };
        let mut group = Group {
            options,
            raw,
            outstanding: VecDeque::new(),
            handed: None,
            unsaved,
            need: None,
            behind: BTreeMap::new(),
            broken: None,
        };
        group.set_election_timeout();
        Ok(group)
    }

    /// Takes an event. Returns messages that waited for it and may be sent now.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn step(&mut self, event: Event) -> Result<Vec<Message>, Broken> {
        self.contained(|group| match event {
            Event::Tick => {
                group.raw.tick();
                group.remind();
                Vec::new()
            }
            Event::Campaign => {
                group.campaign();
                Vec::new()
            }
            Event::Message(message) => {
                group.receive(message);
                Vec::new()
            }
            Event::Persisted(number) => group.persisted(number),
            Event::Applied(index) => {
                if index > group.raw.raft.raft_log.applied {
                    group.raw.advance_apply_to(index);
                }
                Vec::new()
            }
            Event::ReadIndex(number) => {
                group.raw.read_index(group.question(number));
                Vec::new()
            }
            Event::Transfer(to) => {
                group.raw.transfer_leader(to);
                Vec::new()
            }
        })
    }

    /// Proposes an entry. `None` when this node does not lead or too much is uncommitted.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn propose(&mut self, payload: Vec<u8>) -> Result<Option<Place>, Broken> {
        self.contained(|group| {
            // raft-rs would forward the proposal of a follower. The version in it is the leader's to choose,
            // so only a leader may propose (raft-rs #552 made this a setting).
            if group.raw.raft.state != StateRole::Leader || group.raw.propose(Vec::new(), payload).is_err() {
                return None;
            }
            Some(Place { index: group.last_index(), term: group.term() })
        })
    }

    /// What is to be done now; `None` when nothing is. Afterwards call [`Group::advance`].
    ///
    /// # Errors
    /// [`Broken`].
    pub fn ready(&mut self) -> Result<Option<Effects>, Broken> {
        self.contained(|group| {
            assert!(group.handed.is_none(), "effects are taken one at a time");
            if !group.raw.has_ready() {
                return None;
            }
            let ready = group.raw.ready();
            Some(group.take(ready))
        })
    }

    /// Says that the records of the last effects are queued in the log, where they can be read back.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn advance(&mut self) -> Result<(), Broken> {
        self.contained(|group| {
            let handed = group.handed.take().expect("effects come before advance");
            if let Some(checkpoint) = handed.checkpoint {
                (group.raw.mut_store().first, group.raw.mut_store().last) = (checkpoint, checkpoint);
            }
            if let Some(last) = handed.last {
                group.raw.mut_store().last = last;
            }
            let number = handed.ready.number();
            group.raw.advance_append_async(handed.ready);
            if handed.durable {
                group.raw.on_persist_ready(number);
            }
        })
    }

    /// Says that entries up to and including `index` are gone from the log. Returns its term.
    pub fn purged(&mut self, index: u64) -> u64 {
        let term = self.raw.raft.raft_log.term(index).expect("an entry that is purged was in the log");
        self.raw.mut_store().first = (index, term);
        term
    }

    /// This node's number.
    pub fn node(&self) -> u64 {
        self.options.node
    }

    /// This node's role.
    pub fn role(&self) -> Role {
        match self.raw.raft.state {
            StateRole::Leader => Role::Leader,
            StateRole::Follower => Role::Follower,
            StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
        }
    }

    /// The current term.
    pub fn term(&self) -> u64 {
        self.raw.raft.term
    }

    /// The leader that it knows of.
    pub fn leader(&self) -> Option<u64> {
        Some(self.raw.raft.leader_id).filter(|leader| *leader != 0)
    }

    /// True when [`Event::ReadIndex`] has somebody to answer it. raft-rs drops the others silently (its #569). A leader that has
    /// lost its vote answers none: raft-rs 0.7.0 asks nobody when a single voter is left, not even when that is another node,
    /// which may lead long since.
    pub fn can_read_index(&self) -> bool {
        match self.role() {
            Role::Leader => self.is_voter() && self.raw.raft.commit_to_current_term(),
            Role::Follower => self.leader().is_some(),
            Role::Candidate => false,
        }
    }

    /// The last entry that is gone from the log.
    pub fn first_index(&self) -> u64 {
        self.raw.store().first.0
    }

    /// The last entry, whether or not it is in the log yet.
    pub fn last_index(&self) -> u64 {
        self.raw.raft.raft_log.last_index()
    }

    /// The last entry that is queued in the log.
    pub fn last_logged(&self) -> u64 {
        self.raw.store().last.0
    }

    /// The last entry that a majority has.
    pub fn committed_index(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    /// The name of a read index of this life of this node. Leaders tell the questions of several nodes apart by it.
    fn question(&self, number: u64) -> Vec<u8> {
        [self.options.node, self.options.incarnation, number].map(u64::to_le_bytes).concat()
    }

    /// The number of a question that this life of this node asked.
    pub(super) fn own(&self, name: &[u8]) -> Option<u64> {
        let number = u64::from_le_bytes(*name.last_chunk()?);
        (name == self.question(number)).then_some(number)
    }

    fn campaign(&mut self) {
        // raft-rs 0.7.0 looks through everything committed and unapplied for a change of voters, in one read
        // (its #530). So an election waits until nothing is. And who needs no other vote leads at once, for
        // which raft-rs wants the whole log to be durable.
        let log = &self.raw.raft.raft_log;
        if log.applied == log.committed
            && log.persisted == log.last_index()
            && let Err(error) = self.raw.campaign()
        {
            tracing::warn!(%error, "an election could not begin");
        }
    }

    fn receive(&mut self, Message(message): Message) {
        // Proposals of others would carry versions that this leader did not choose.
        if message.get_msg_type() == MessageType::MsgPropose {
            return;
        }
        // As in `can_read_index`, for those who follow it.
        if message.get_msg_type() == MessageType::MsgReadIndex && self.role() == Role::Leader && !self.is_voter() {
            sometimes("a leader without a vote answers no reads");
            return;
        }
        if self.is_told_of_a_need(&message) {
            return;
        }
        if let Err(error) = self.raw.step(message) {
            tracing::debug!(%error, "a message was not taken");
        }
        // raft-rs 0.7.0 may set the next entry for a follower at or below one that it is known to have (its #557).
        for (_, progress) in self.raw.raft.mut_prs().iter_mut() {
            progress.next_idx = progress.next_idx.max(progress.matched + 1);
        }
        // A planted bug: what a majority has counts as committed, whatever term it is of.
        if self.role() == Role::Leader && mutant("raft-04") {
            let (index, _) = self.raw.raft.mut_prs().maximal_committed_index();
            self.raw.raft.raft_log.commit_to(index);
        }
        self.go_on_with_the_log();
    }

    fn persisted(&mut self, number: u64) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut durable = None;
        while let Some(front) = self.outstanding.front() {
            if front.number > number && front.writes {
                break;
            }
            let front = self.outstanding.pop_front().expect("it was looked at");
            durable = Some(front.number);
            messages.extend(front.messages);
        }
        if let Some(durable) = durable {
            self.raw.on_persist_ready(durable);
            // A planted bug: what this leader alone has on disk counts as committed.
            if self.role() == Role::Leader && mutant("raft-01") {
                let log = &mut self.raw.raft.raft_log;
                log.commit_to(log.persisted);
            }
        }
        messages
    }

    /// Runs a step of raft-rs. Its invariants panic; a panic breaks this group and nothing else.
    pub(super) fn contained<T>(&mut self, act: impl FnOnce(&mut Group) -> T) -> Result<T, Broken> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            let done = act(self);
            self.set_election_timeout();
            done
        }));
        done.map_err(|panic| {
            let broken = Broken { group: self.options.id.0, reason: panic_text(&*panic) };
            self.broken = Some(broken.clone());
            broken
        })
    }

    fn set_election_timeout(&mut self) {
        let circumstances = Circumstances {
            seed: self.options.seed,
            node: self.options.node,
            group: self.options.id,
            term: self.term(),
            role: self.role(),
            last_index: self.last_index(),
        };
        self.raw.raft.set_randomized_election_timeout(circumstances.election_ticks());
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
