//! Access paths: ways to the records of one list, and what is left to do with what they lead to.

use crate::filter::Filter;
use vivarium_storage::key::Direction;
use vivarium_storage::{CollectionId, DocumentId, FieldId, IndexId, Value};

/// Ranges that one access may fall into: more are no cheaper than reading everything.
pub(crate) const RANGES_MAX: usize = 2_000;

/// Sorted streams that are merged into one list: each costs a page of its own.
pub(super) const STREAMS_MAX: usize = 64;

/// Records that merging holds at once: beyond, the best are picked while all are read.
pub(super) const MERGED_MAX: usize = 20_000;

/// How the records of one list are reached, and what is left to do with them.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) collection: CollectionId,
    pub(crate) access: Access,
    /// What the access does not make sure of.
    pub(crate) residual: Option<Filter>,
    /// What is left to make sure of where an intersection was not worth its end: all of the filter.
    pub(crate) wide: Option<Filter>,
    /// Records come in the order that was asked for: stop when there are enough.
    pub(crate) ordered: bool,
    /// Every record of the collection is read, because no index serves the filter or the order.
    pub(crate) scans: bool,
    pub(crate) rows: f64,
    pub(crate) cost: f64,
    /// What to do instead when the access leads to more entries than these: read in order and stop early.
    pub(crate) otherwise: Option<(usize, Box<Choice>)>,
}

/// A way to records.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// By id, ascending.
    Ids(Vec<DocumentId>),
    /// Ranges of an index.
    Index {
        index: IndexId,
        /// Its entries have no id in their key, unless something is null.
        unique: bool,
        /// What is known of its first elements.
        elements: Vec<Element>,
        /// The directions of the others, and the keys of the order that they serve.
        rest: Vec<Direction>,
        keys: Vec<usize>,
        reverse: bool,
    },
    /// Links, keyed by the parent.
    Links { index: IndexId, reverse: bool },
    /// The whole collection by id.
    Documents { reverse: bool },
    /// Records that others lead to: select those, then follow the relation back.
    Back { relation: BackRelation, from: Box<Choice> },
    /// Records that every one of these leads to, the narrowest first. Filters of the parts are not asked.
    Intersection(Vec<Choice>),
    /// Records that one of these leads to.
    Union {
        parts: Vec<Choice>,
        /// Each part comes in order and is filtered by itself: they are merged, and stop early.
        merged: bool,
    },
}

/// How a relation is followed back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BackRelation {
    /// The reference in the documents that were selected.
    Reference(FieldId),
    /// Links keyed by what was selected.
    Links(IndexId),
}

/// What is known of an element of an index's tuple.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) direction: Direction,
    pub(crate) bound: Bound,
}

/// What an element is bound to.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// One of these, ascending.
    Values(Vec<Value>),
    /// The id of the parent.
    Parent,
    /// The ids of records of another collection.
    Selected(Box<Choice>),
    /// Between two values; nulls are outside.
    Range { lower: Option<(Value, bool)>, upper: Option<(Value, bool)> },
    /// Strings that begin so.
    Prefix(String),
}

impl Choice {
    /// Its rows come as sorted streams, to be read no further than they are needed.
    pub(crate) fn streams(&self) -> bool {
        let streams = match &self.access {
            Access::Index { .. } | Access::Documents { .. } | Access::Links { .. } => true,
            Access::Union { merged, .. } => *merged,
            Access::Ids(_) | Access::Back { .. } | Access::Intersection(_) => false,
        };
        self.ordered && streams
    }

    /// The filter that is left when the access was followed to its end, or when it was not.
    pub(crate) fn left(&self, followed: bool) -> Option<&Filter> {
        if followed { self.residual.as_ref() } else { self.wide.as_ref() }
    }

    /// How many sorted streams an access by an index comes in.
    pub(crate) fn width(&self) -> usize {
        let Access::Index { elements, .. } = &self.access else { return 1 };
        let values = |element: &Element| match &element.bound {
            Bound::Values(values) => values.len(),
            _ => 1,
        };
        elements.iter().map(values).product()
    }

    /// The choices that it is made of.
    pub(crate) fn parts(&self) -> Vec<&Choice> {
        match &self.access {
            Access::Back { from, .. } => vec![from],
            Access::Intersection(parts) | Access::Union { parts, .. } => parts.iter().collect(),
            Access::Index { elements, .. } => elements.iter().filter_map(Element::selected).collect(),
            Access::Ids(_) | Access::Links { .. } | Access::Documents { .. } => Vec::new(),
        }
    }

    /// At most one record.
    pub(super) fn is_point(&self) -> bool {
        match &self.access {
            Access::Ids(ids) => ids.len() <= 1,
            Access::Index { unique: true, elements, rest, .. } => {
                rest.is_empty() && elements.iter().all(Element::is_single)
            }
            _ => false,
        }
    }
}

impl Element {
    pub(crate) fn is_single(&self) -> bool {
        match &self.bound {
            Bound::Values(values) => values.len() == 1,
            Bound::Parent => true,
            Bound::Selected(choice) => choice.is_point(),
            Bound::Range { .. } | Bound::Prefix(_) => false,
        }
    }

    pub(super) fn is_equal(&self) -> bool {
        matches!(self.bound, Bound::Values(_) | Bound::Parent | Bound::Selected(_))
    }

    /// The records of another collection that it is bound to.
    fn selected(&self) -> Option<&Choice> {
        match &self.bound {
            Bound::Selected(choice) => Some(choice),
            _ => None,
        }
    }
}
