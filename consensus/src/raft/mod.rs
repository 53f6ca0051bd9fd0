//! The only place that names raft-rs. Everything else speaks of a `Group`, its `Effects` and its `Payload`s.

mod behind;
mod effects;
mod election;
mod entry;
mod group;
mod log;
mod logger;
mod members;
mod message;
mod telling;

#[cfg(test)]
mod tests;

pub(crate) use effects::Effects;
pub(crate) use entry::{Committed, Payload, changes_configuration, payload};
pub(crate) use group::{Broken, Event, Group, GroupOptions, Place};
pub(crate) use log::{configuration_of, members_of, raised, term_of};
pub use members::Follower;
#[cfg(test)]
pub(crate) use members::promotion_of;
pub(crate) use members::{Change, changed};
pub(crate) use message::Message;
