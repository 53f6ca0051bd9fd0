//! The only place that names raft-rs. Everything else speaks of a `Group`, its `Effects` and its `Payload`s.

mod behind;
mod election;
mod entry;
mod group;
mod log;
mod logger;

#[cfg(test)]
mod tests;

pub(crate) use entry::{Committed, Payload, payload};
pub use group::Follower;
pub(crate) use group::{Broken, Change, Effects, Event, Group, GroupOptions, Message, Place};
pub(crate) use log::{configuration_of, members_of, raised, term_of};
