//! A disk that tears, loses and lies: file calls of this process below some folders are recorded, and failed on purpose.
//!
//! The kernel (a tmpfs) does the work; `model` knows what of it a power failure may keep, `image` draws one such state.

pub mod faults;
pub mod image;
pub mod interpose;
pub mod model;
pub mod rot;

pub use faults::{Fault, Faults, Files, Kind, Reason};
pub use image::{DataRule, EntryRule, Image, Policy};
pub use interpose::{Drive, Recording};
pub use model::{Disk, Ino, Op};
