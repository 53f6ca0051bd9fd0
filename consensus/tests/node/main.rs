//! Whole nodes on real disks: what a transaction promises, and what survives.
#![cfg(not(madsim))]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod certificate;
mod failures;
mod fixture;
mod measure;
mod outcomes;
mod recovery;
mod snapshots;
mod transactions;
