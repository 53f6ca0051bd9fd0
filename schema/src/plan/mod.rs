//! Operation to plan: one tree for the whole operation, each node a batched read, variables still open.
//!
//! A plan depends on the document, the catalog and the variables of `@skip` and `@include`, and on nothing else.

pub(crate) mod access;
pub(crate) mod analysis;
pub(crate) mod bind;
mod build;
mod candidate;
mod choice;
mod collect;
mod combine;
mod cost;
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
pub(crate) mod paging;
mod plan_node;
pub(crate) mod ranges;
mod selection;
mod statistics;
mod suggest;
pub(crate) mod template;
pub(crate) mod tree;
pub(crate) mod uses;
pub(crate) mod variables;

pub use limits::Limits;
pub(crate) use statistics::Statistics;
pub(crate) use tree::Plan;
