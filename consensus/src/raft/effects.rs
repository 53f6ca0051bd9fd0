//! What raft-rs wants done, in our words: what goes to the log, what may be said now and what only once that is durable.

use super::entry::{self, Committed, Payload};
use super::group::{Group, Handed, Outstanding};
use super::log;
use super::message::Message;
use protobuf::Message as _;
use raft::Ready;
use raft::eraftpb::{Entry, EntryType};
use vivarium_storage::wal::Record;

/// What the driver does next for a group.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Names the records when they are durable, for [`Event::Persisted`].
    pub number: u64,
    /// What goes to the log, in order. They must be queued there before [`Group::advance`].
    pub records: Vec<Record>,
    /// What may be sent at once.
    pub messages: Vec<Message>,
    /// A checkpoint is decided once the records are durable. Nothing else may be done with the group afterwards.
    pub checkpoint: bool,
    /// What may be applied, in order.
    pub committed: Vec<Committed>,
    /// Answers to [`Event::ReadIndex`], as (number, index).
    pub reads: Vec<(u64, u64)>,
}

impl Group {
    /// What raft-rs's effects are in our words.
    pub(super) fn take(&mut self, mut ready: Ready) -> Effects {
        let mut effects = Effects { number: ready.number(), ..Effects::default() };
        let mut last_logged = self.raw.store().last.0;
        let mut checkpoint = None;
        if !ready.snapshot().is_empty() {
            let metadata = ready.snapshot().get_metadata();
            let (index, term) = (metadata.index, metadata.term);
            let payload = metadata.get_conf_state().write_to_bytes().expect("a configuration is encoded in memory");
            effects.records.push(Record::Checkpoint { index, term, payload });
            effects.checkpoint = true;
            (checkpoint, last_logged) = (Some((index, term)), index);
        }
        if let Some(state) = ready.hs() {
            self.unsaved = Some(state.clone());
        }
        // Whoever follows a configuration must know it after a crash too: the leader that committed it may be gone.
        let reconfigures = ready.committed_entries().iter().any(|entry| entry.entry_type != EntryType::EntryNormal);
        if ready.must_sync() || reconfigures {
            effects.records.extend(self.rest());
        }
        if let Some(index) = ready.entries().first().map(|entry| entry.index)
            && index <= last_logged
        {
            effects.records.push(Record::TruncateSuffix { index });
        }
        effects.records.extend(ready.entries().iter().map(|entry| Record::Entry {
            term: entry.term,
            index: entry.index,
            payload: entry::to_log(entry),
        }));
        effects.messages = ready.take_messages().into_iter().map(Message).collect();
        effects.committed = ready.take_committed_entries().into_iter().map(committed).collect();
        effects.reads = ready
            .take_read_states()
            .iter()
            .filter_map(|read| Some((self.own(&read.request_ctx)?, read.index)))
            .collect();

        let writes = !effects.records.is_empty();
        let promises: Vec<Message> = ready.take_persisted_messages().into_iter().map(Message).collect();
        let durable = !writes && self.outstanding.is_empty();
        if durable {
            effects.messages.extend(promises);
        } else {
            self.outstanding.push_back(Outstanding { number: effects.number, writes, messages: promises });
        }
        let last = ready.entries().last().map(|entry| (entry.index, entry.term));
        self.handed = Some(Handed { ready, checkpoint, last, durable });
        effects
    }

    /// What the group knows and has not written: how far its log is committed, and what goes to the log with that.
    pub fn rest(&mut self) -> Option<Record> {
        let state = self.unsaved.take()?;
        Some(Record::HardState { payload: log::encode_hard_state(&state) })
    }
}

fn committed(entry: Entry) -> Committed {
    let bytes = Vec::from(entry.data);
    let payload = match entry.entry_type {
        EntryType::EntryNormal if bytes.is_empty() => Payload::Nothing,
        EntryType::EntryNormal => Payload::Command(bytes),
        EntryType::EntryConfChangeV2 | EntryType::EntryConfChange => Payload::Configuration(bytes),
    };
    Committed { index: entry.index, term: entry.term, payload }
}
