//! The C library's file calls, in front of the C library's: forwarded as raw system calls, recorded below some folders.
//!
//! Each recorded folder is a disk of its own. Whatever is below none of them passes untouched. Calls that the model does
//! not know are reported as escapes.

#![allow(unsafe_code, reason = "defines C functions and makes raw system calls; nothing else in the crate does")]

mod drive;
mod kernel;
mod names;
mod open;
mod read;
mod registry;
mod strangers;
mod world;
mod write;

pub use drive::{Drive, Recording};
pub use registry::{stamp, unrecorded};

#[cfg(test)]
mod test;
