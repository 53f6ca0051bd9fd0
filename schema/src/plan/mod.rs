//! Operation to plan: one tree for the whole operation, each node a batched read, variables still open.
//!
//! A plan depends on the document, the catalog and the variables of `@skip` and `@include`, and on nothing else.

pub(crate) mod access;
pub(crate) mod bind;
mod build;
mod collect;
pub(crate) mod cursor;
pub(crate) mod document;
pub(crate) mod explain;
mod facts;
mod family;
pub(crate) mod fold;
pub(crate) mod groups;
pub(crate) mod having;
mod limits;
mod mutation;
pub(crate) mod order;
mod paging;
mod selection;
pub(crate) mod template;
pub(crate) mod tree;
pub(crate) mod variables;

pub use limits::Limits;
pub(crate) use tree::Plan;
