//! Several nodes in one process, over real sockets and real folders.
#![allow(clippy::unwrap_used)]

mod checkpoints;
mod damage;
mod fixture;
mod forwarding;
mod lost_majority;
mod membership;
