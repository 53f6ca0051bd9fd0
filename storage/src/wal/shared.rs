//! What the log's callers and its writer share: the queue, and what is known of every group.
//!
//! Invariant: what is queued is already part of the groups, in memory until the writer has placed it.

use super::group::GroupLog;
use super::record::{Found, Item, Kind, Place, RECORD_HEADER};
use super::{Completion, GroupId, Recovered, segment};
use crate::disk::io;
use crate::runtime::buggify;
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// One append that waits.
pub(super) struct Job {
    pub items: Vec<Item>,
    pub done: Completion,
}

pub(super) struct Shared {
    dir: PathBuf,
    segments_kept: u32,
    cache_bytes_max: usize,
    queue_bytes_max: usize,
    state: Mutex<State>,
    wake: Wake,
}

struct State {
    groups: BTreeMap<GroupId, GroupLog>,
    segments: BTreeMap<u32, (Arc<File>, u64)>,
    queue: VecDeque<Job>,
    queue_bytes: usize,
    /// Entries that are on disk and in memory, oldest first.
    cached: VecDeque<(GroupId, u64, usize)>,
    cached_bytes: usize,
    closed: bool,
    stopped: Option<String>,
}

/// How the writer learns that something waits.
#[derive(Default)]
struct Wake {
    #[cfg(not(madsim))]
    condition: std::sync::Condvar,
    #[cfg(madsim)]
    notify: tokio::sync::Notify,
}

/// What an entry is read from.
enum Source {
    Memory(Arc<Vec<u8>>),
    Disk(Arc<File>, Place),
}

impl Shared {
    pub fn new(
        dir: PathBuf,
        options: &super::WalOptions,
        groups: BTreeMap<GroupId, GroupLog>,
        segments: BTreeMap<u32, (Arc<File>, u64)>,
    ) -> Shared {
        Shared {
            dir,
            segments_kept: options.segments_kept,
            cache_bytes_max: options.cache_bytes,
            queue_bytes_max: options.queue_bytes_max,
            state: Mutex::new(State {
                groups,
                segments,
                queue: VecDeque::new(),
                queue_bytes: 0,
                cached: VecDeque::new(),
                cached_bytes: 0,
                closed: false,
                stopped: None,
            }),
            wake: Wake::default(),
        }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the log's lock panics")
    }
    /// Queues records. Gives the completion back when they are refused.
    pub fn queue(&self, items: Vec<Item>, done: Completion) -> std::result::Result<(), (Completion, Error)> {
        let bytes: usize = items.iter().map(Item::bytes).sum();
        let mut state = self.state();
        if let Some(reason) = &state.stopped {
            let error = Error::Stopped(reason.clone());
            return Err((done, error));
        }
        if state.closed {
            return Err((done, Error::Stopped("the log is closed".into())));
        }
        if state.queue_bytes > 0 && state.queue_bytes + bytes > self.queue_bytes_max {
            let error = Error::Busy { what: "log", queued_bytes: state.queue_bytes, limit: self.queue_bytes_max };
            return Err((done, error));
        }
        for item in &items {
            let taken = state.groups.entry(item.group).or_default().take(item, None);
            assert!(taken.is_ok(), "group {} of the log: {taken:?}", item.group.0);
        }
        state.queue_bytes += bytes;
        state.queue.push_back(Job { items, done });
        drop(state);
        self.notify();
        Ok(())
    }
    /// Takes appends off the queue, at least one if there is any, until they exceed `bytes_max`.
    pub fn drain(&self, bytes_max: usize) -> Vec<Job> {
        let mut state = self.state();
        let (mut jobs, mut taken) = (Vec::new(), 0);
        while taken < bytes_max
            && let Some(job) = state.queue.pop_front()
        {
            let bytes: usize = job.items.iter().map(Item::bytes).sum();
            state.queue_bytes -= bytes;
            taken += bytes;
            jobs.push(job);
        }
        jobs
    }
    /// Records where entries lie, and lets go of the oldest payloads.
    pub fn place(&self, items: &[Item], places: &[Place]) {
        let mut state = self.state();
        let state = &mut *state;
        for (item, place) in items.iter().zip(places).filter(|(item, _)| item.kind == Kind::Entry) {
            let slot = state.groups.get_mut(&item.group).and_then(|group| group.slot_mut(item.index));
            let Some(slot) = slot else { continue };
            match &slot.payload {
                // Another entry took its index while it was being written.
                Some(payload) if !Arc::ptr_eq(payload, &item.payload) => continue,
                Some(_) => {
                    state.cached.push_back((item.group, item.index, item.bytes()));
                    state.cached_bytes += item.bytes();
                }
                None => {}
            }
            slot.place = Some(*place);
        }
        let evicts = buggify("buggify: the log's cache is evicted");
        while (state.cached_bytes > self.cache_bytes_max || evicts)
            && let Some((group, index, bytes)) = state.cached.pop_front()
        {
            state.cached_bytes -= bytes;
            let slot = state.groups.get_mut(&group).and_then(|group| group.slot_mut(index));
            if let Some(slot) = slot.filter(|slot| slot.place.is_some()) {
                slot.payload = None;
            }
        }
    }
    pub fn entries(&self, group: GroupId, range: Range<u64>, bytes_max: u64) -> Result<Vec<(u64, u64, Vec<u8>)>> {
        let sources = self.sources(group, range, bytes_max);
        let read = |(index, term, source)| {
            let payload = match source {
                Source::Memory(payload) => payload.to_vec(),
                Source::Disk(file, place) => self.read(&file, place, group, index)?,
            };
            Ok((index, term, payload))
        };
        sources.into_iter().map(read).collect()
    }
    fn sources(&self, group: GroupId, range: Range<u64>, bytes_max: u64) -> Vec<(u64, u64, Source)> {
        let state = self.state();
        let Some(log) = state.groups.get(&group) else { return Vec::new() };
        let (mut sources, mut bytes) = (Vec::new(), 0);
        for index in range {
            let Some(slot) = log.slot(index) else { break };
            let (source, payload_bytes) = match (&slot.payload, slot.place) {
                (Some(payload), _) => (Source::Memory(payload.clone()), payload.len()),
                (None, Some(place)) => {
                    let (file, _) = state.segments.get(&place.segment).expect("a segment with a live entry is kept");
                    (Source::Disk(file.clone(), place), place.bytes as usize - RECORD_HEADER)
                }
                (None, None) => unreachable!("an entry is on disk or in memory"),
            };
            bytes += payload_bytes as u64;
            if bytes > bytes_max && !sources.is_empty() {
                break;
            }
            sources.push((index, slot.term, source));
        }
        sources
    }
    fn read(&self, file: &File, place: Place, group: GroupId, index: u64) -> Result<Vec<u8>> {
        let path = segment::path(&self.dir, place.segment);
        let mut bytes = vec![0; place.bytes as usize];
        file.read_exact_at(&mut bytes, u64::from(place.offset)).map_err(io("read", &path))?;
        match Found::read(&bytes, 0, place.previous) {
            Some((found, _)) if found.group == group && found.index == index => {
                bytes.drain(..RECORD_HEADER);
                Ok(bytes)
            }
            _ => {
                let detail =
                    format!("entry {index} of group {} at offset {} fails its checksum", group.0, place.offset);
                Err(Error::Corrupt { what: "log record", path, detail })
            }
        }
    }
    pub fn recovered(&self, group: GroupId) -> Recovered {
        self.state().groups.get(&group).map(GroupLog::recovered).unwrap_or_default()
    }
    pub fn term(&self, group: GroupId, index: u64) -> Option<u64> {
        match self.state().groups.get(&group) {
            Some(log) => log.term(index),
            None => (index == 0).then_some(0),
        }
    }
    pub fn last_unkept(&self, group: GroupId) -> u64 {
        let state = self.state();
        let newest = *state.segments.last_key_value().expect("a log has a segment").0;
        // What has no place yet comes to lie in the newest segment, or after it.
        state.groups.get(&group).map_or(0, |log| match newest.checked_sub(self.segments_kept) {
            Some(unkept) if self.segments_kept > 0 => log.last_within(unkept),
            Some(_) => log.last_index(),
            None => log.first.0,
        })
    }
    pub fn add_segment(&self, number: u32, file: Arc<File>, bytes: u64) {
        self.state().segments.insert(number, (file, bytes));
    }
    pub fn remove_segment(&self, number: u32) {
        self.state().segments.remove(&number);
    }
    pub fn first_segment(&self) -> u32 {
        *self.state().segments.first_key_value().expect("a log has a segment").0
    }
    pub fn disk_bytes(&self) -> u64 {
        self.state().segments.values().map(|(_, bytes)| bytes).sum()
    }
    /// Refuses everything from now on, and says why.
    pub fn stop(&self, error: &Error) -> String {
        tracing::error!(%error, "log stopped");
        let mut state = self.state();
        state.stopped.get_or_insert_with(|| error.to_string()).clone()
    }
    pub fn stopped(&self) -> Option<String> {
        self.state().stopped.clone()
    }
    pub fn close(&self) {
        self.state().closed = true;
        self.notify();
    }
    /// True while something is queued.
    #[cfg(madsim)]
    pub fn waits(&self) -> bool {
        !self.state().queue.is_empty()
    }
    #[cfg(not(madsim))]
    fn notify(&self) {
        self.wake.condition.notify_one();
    }
    #[cfg(madsim)]
    fn notify(&self) {
        self.wake.notify.notify_one();
    }
    /// Waits until something is queued; false once the log is closed and the queue empty.
    #[cfg(not(madsim))]
    pub fn wait(&self) -> bool {
        let mut state = self.state();
        while state.queue.is_empty() {
            if state.closed {
                return false;
            }
            state = self.wake.condition.wait(state).expect("no holder of the log's lock panics");
        }
        true
    }
    /// Waits until something is queued; false once the log is closed and the queue empty.
    #[cfg(madsim)]
    pub async fn wait(&self) -> bool {
        loop {
            {
                let state = self.state();
                if !state.queue.is_empty() {
                    return true;
                }
                if state.closed {
                    return false;
                }
            }
            self.wake.notify.notified().await;
        }
    }
}
