//! How data is kept: the log on disk, the store under fjall, and the bytes of keys and documents.
//!
//! Nothing in here knows Raft, GraphQL or a catalog. Every format is drawn in `docs/format.md`.

mod disk;
pub mod document;
pub mod engine;
mod error;
mod folder;
pub mod key;
pub mod runtime;
pub mod value;
pub mod wal;

pub use document::{Document, DocumentBuilder};
pub use engine::{Cell, Mutation, Position, Snapshot, Space, Store, StoreOptions};
pub use error::{Error, Result};
pub use folder::{DataFolder, Epoch, Identity, Remains, Replacement};
pub use key::{CollectionId, DatabaseId, DocumentId, FieldId, IndexId, Key, KeyRange, Version};
pub use value::{Value, ValueRef};
pub use wal::{Wal, WalOptions};
