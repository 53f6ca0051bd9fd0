//! Import: lines of a file become records, in constant memory, several batches at once, never a record twice.
//!
//! Invariant: a batch is a pure function of its lines and their numbers, and so is its idempotency key. Whatever was
//! committed before a crash, a kill or a failure is answered from memory when the same file is imported again.

mod batch;
mod csv;
mod lines;
mod progress;
mod rejects;
mod run;
mod send;
mod translate;

pub use lines::{Format, Source};
pub use run::{Job, Options, Summary, import};
pub use translate::Translator;
