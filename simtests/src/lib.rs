//! Breaks whole nodes on purpose, repeatably, and proves that they held. See README.md.

pub mod rng;
#[cfg(target_os = "linux")]
pub mod simfs;
pub mod trace;
