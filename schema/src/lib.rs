//! What a request means: SDL to catalog, catalog to API, operation to plan, plan to answer, input to writes.
//!
//! A request goes one way: `database` -> `plan` -> `execute` (reads) and `write` (mutations) -> a transaction.

pub mod api;
pub mod catalog;
pub mod compute;
pub mod database;
mod error;
pub mod execute;
mod fetch;
pub mod filter;
mod global_id;
mod input;
mod place;
pub mod plan;
mod record_key;
pub mod scalar;
pub mod sdl;
pub mod write;

pub use catalog::Catalog;
pub use database::{Database, Explain, Request, Response, Session, Timing};
pub use error::{Abort, Code, Failure, PathItem};
pub use global_id::GlobalId;
pub use input::Input;
