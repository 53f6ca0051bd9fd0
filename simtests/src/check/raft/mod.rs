//! Whether nodes keep Raft's promises: what they say and count is compared with what is durable on their disks.
//!
//! The disks are the simulator's, and the log on them is read anew from its format: no word of the product is taken for it.

pub mod chronicle;
pub mod log_image;
#[cfg(madsim)]
pub mod watch;

pub use chronicle::Chronicle;
pub use log_image::{Batch, Log, Record, Vow};
#[cfg(madsim)]
pub use watch::{Watch, log_of};
