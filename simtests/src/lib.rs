//! Breaks whole nodes on purpose, repeatably, and proves that they held. See README.md.
//!
//! The driver is plain; everything that runs a node exists only under `--cfg madsim`, one process per seed.

pub mod answer;
pub mod check;
#[cfg(madsim)]
pub mod client;
#[cfg(madsim)]
pub mod cluster;
pub mod driver;
pub mod history;
#[cfg(madsim)]
pub mod house;
#[cfg(madsim)]
pub mod lone;
#[cfg(madsim)]
pub mod machine;
pub mod manners;
pub mod minimise;
pub mod mutants;
pub mod nemesis;
#[cfg(madsim)]
pub mod network;
pub mod plan;
pub mod record;
pub mod report;
pub mod rng;
#[cfg(madsim)]
pub mod seat;
pub mod simfs;
pub mod trace;
pub mod verdict;
pub mod wire;
#[cfg(madsim)]
pub mod worker;
pub mod workload;
