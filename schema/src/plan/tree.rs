//! The plan's tree: what is read, level by level, and where it stands in the answer.

use super::fold::{AggregateField, FoldPlan, FoldSlot, GroupField};
use super::template::Template;
use crate::catalog::Scalar;
use vivarium_storage::{CollectionId, FieldId, IndexId};

/// One operation, ready to be given variables.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) mutation: bool,
    pub(crate) roots: Vec<Selected<Root>>,
    /// What variables still have to fill in, by the numbers that nodes refer to.
    pub(crate) slots: Vec<Slot>,
    /// Unique indexes that lead from records to the ones that refer to them.
    pub(crate) followed: Vec<IndexId>,
    /// `@consistency(level: STALE, maxStaleness:)`; `None` for a strong read.
    pub(crate) stale: Option<Stale>,
    /// `@idempotent(key:)`.
    pub(crate) idempotency: Option<Template>,
    /// `__schema` or `__type` is selected.
    pub(crate) introspects: bool,
}

/// A read that need not be the newest.
#[derive(Debug)]
pub(crate) struct Stale {
    /// How old it may be at most; as old as it is when there is no bound.
    pub(crate) age_max: Option<Template>,
}

/// A field of the answer.
#[derive(Debug)]
pub(crate) struct Selected<T> {
    /// The response key.
    pub(crate) key: Box<str>,
    /// The key as JSON with its colon, behind a comma unless it is the first.
    pub(crate) prefix: Box<[u8]>,
    pub(crate) location: (u32, u32),
    pub(crate) kind: T,
}

/// Arguments that are bound before execution.
#[derive(Debug)]
pub(crate) enum Slot {
    List(Box<ListSlot>),
    /// What the records of a connection are folded to.
    Fold(Box<FoldSlot>),
    /// The same arguments for each member of a family.
    Family(Vec<ListSlot>),
    /// `where:` and `maxAffected:` of a write of several.
    Chosen(Box<ChosenSlot>),
    /// `by:` of one record, and the unique index that it names where the document says which.
    Key {
        collection: CollectionId,
        by: Template,
        index: Option<IndexId>,
    },
    /// `id:` or `ids:` of any records.
    Ids(Template),
    /// `path:` into a JSON field.
    Path(Option<Template>),
}

/// Arguments of a connection.
#[derive(Debug)]
pub(crate) struct ListSlot {
    pub(crate) collection: CollectionId,
    /// `None` at the root.
    pub(crate) via: Option<Via>,
    /// The slot of the connection that this one is nested in, for the cost of an operation.
    pub(crate) within: Option<usize>,
    pub(crate) name: Box<str>,
    pub(crate) location: (u32, u32),
    pub(crate) filter: Option<Template>,
    pub(crate) order: Option<Template>,
    pub(crate) first: Option<Template>,
    pub(crate) last: Option<Template>,
    pub(crate) after: Option<Template>,
    pub(crate) before: Option<Template>,
    pub(crate) offset: Option<Template>,
    pub(crate) needs: Needs,
}

/// The records that a write of several is about.
#[derive(Debug)]
pub(crate) struct ChosenSlot {
    pub(crate) collection: CollectionId,
    pub(crate) name: Box<str>,
    pub(crate) location: (u32, u32),
    pub(crate) filter: Template,
    pub(crate) at_most: Option<Template>,
}

/// How the records of a nested connection are found from their parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// An index of the target whose first element is the reference `field`.
    Reference { index: IndexId, field: FieldId },
    /// Links, keyed by the parent.
    Links { index: IndexId },
}

/// What of a connection is selected, and so has to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The records themselves.
    pub(crate) records: bool,
    pub(crate) cursors: bool,
    pub(crate) next: bool,
    pub(crate) previous: bool,
    pub(crate) total: bool,
}

/// A root field.
#[derive(Debug)]
pub(crate) enum Root {
    /// `__typename`: JSON.
    Typename(Box<[u8]>),
    /// `__schema` and `__type`.
    Introspection,
    Get {
        slot: usize,
        record: RecordPlan,
    },
    List(ConnectionPlan),
    Family(FamilyPlan),
    Node {
        slot: usize,
        variants: Vec<RecordPlan>,
    },
    Nodes {
        slot: usize,
        variants: Vec<RecordPlan>,
    },
    Write(Box<WritePlan>),
}

/// A selection over records of one collection.
#[derive(Debug)]
pub(crate) struct RecordPlan {
    pub(crate) collection: CollectionId,
    pub(crate) fields: Vec<Selected<RecordField>>,
    /// What is read next, for all records at once.
    pub(crate) children: Vec<ChildPlan>,
}

/// A field of a record or of an embedded value.
#[derive(Debug)]
pub(crate) enum RecordField {
    Typename(Box<[u8]>),
    Id,
    Leaf {
        field: FieldId,
        leaf: Leaf,
        required: bool,
    },
    /// A list of scalars or enums.
    Leaves {
        field: FieldId,
        leaf: Leaf,
        required: bool,
        element_required: bool,
    },
    /// A part of a JSON field.
    Json {
        field: FieldId,
        slot: usize,
        required: bool,
    },
    Embedded {
        field: FieldId,
        fields: Vec<Selected<RecordField>>,
        required: bool,
    },
    Elements {
        field: FieldId,
        fields: Vec<Selected<RecordField>>,
        required: bool,
        element_required: bool,
    },
    /// A reference: a number in [`RecordPlan::children`] of the record that it is in.
    ToOne {
        field: FieldId,
        child: usize,
        required: bool,
    },
    /// The record that refers to this one.
    OneToOne {
        child: usize,
        required: bool,
    },
    Connection {
        child: usize,
    },
    Meta(Vec<Selected<MetaField>>),
}

/// How a value is written.
#[derive(Debug)]
pub(crate) enum Leaf {
    Scalar(Scalar),
    /// Each number with its name as JSON, ascending.
    Enum(Vec<(i64, Box<[u8]>)>),
}

/// A field of `_meta`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetaField {
    Typename,
    Version,
    CreatedAt,
    UpdatedAt,
}

/// A further batch of reads.
#[derive(Debug)]
pub(crate) enum ChildPlan {
    /// The records that a reference in the document leads to.
    Reference {
        path: Vec<FieldId>,
        record: RecordPlan,
    },
    /// The records whose unique reference leads here.
    OneToOne {
        index: IndexId,
        record: RecordPlan,
    },
    Connection(ConnectionPlan),
}

/// A page of records, or one for each parent.
#[derive(Debug)]
pub(crate) struct ConnectionPlan {
    pub(crate) slot: usize,
    pub(crate) collection: CollectionId,
    pub(crate) needs: Needs,
    pub(crate) fields: Vec<Selected<ConnectionField>>,
    /// Each selection of nodes is a view of the same records.
    pub(crate) views: Vec<RecordPlan>,
    pub(crate) folds: Vec<FoldPlan>,
}

/// A page of records of several collections.
#[derive(Debug)]
pub(crate) struct FamilyPlan {
    pub(crate) slot: usize,
    pub(crate) members: Vec<CollectionId>,
    pub(crate) needs: Needs,
    pub(crate) fields: Vec<Selected<ConnectionField>>,
    /// Each selection of nodes, for each member.
    pub(crate) views: Vec<Vec<RecordPlan>>,
}

/// A field of a connection.
#[derive(Debug)]
pub(crate) enum ConnectionField {
    Typename(Box<[u8]>),
    Nodes { view: usize },
    Edges(Vec<Selected<EdgeField>>),
    PageInfo(Vec<Selected<PageInfoField>>),
    TotalCount,
    Aggregate { fold: usize, fields: Vec<Selected<AggregateField>> },
    Groups { fold: usize, fields: Vec<Selected<GroupField>> },
}

/// A field of an edge.
#[derive(Debug)]
pub(crate) enum EdgeField {
    Typename(Box<[u8]>),
    Cursor,
    Node {
        view: usize,
    },
    /// The relevance of a search, of which there is none yet.
    Score,
}

/// A field of `pageInfo`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PageInfoField {
    Typename,
    HasNextPage,
    HasPreviousPage,
    StartCursor,
    EndCursor,
}

/// A root field of a mutation.
#[derive(Debug)]
pub(crate) struct WritePlan {
    pub(crate) collection: CollectionId,
    pub(crate) action: Action,
    pub(crate) data: Option<Template>,
    pub(crate) edits: EditTemplates,
    /// What a create of several does with records that are there.
    pub(crate) conflict: Option<Template>,
    pub(crate) by: Option<Template>,
    pub(crate) condition: Option<Template>,
    pub(crate) version: Option<Template>,
    /// The slot of the records that a write of several is about.
    pub(crate) chosen: Option<usize>,
    pub(crate) payload: Vec<Selected<PayloadField>>,
}

/// What an update does beside setting fields.
#[derive(Debug)]
pub(crate) struct EditTemplates {
    /// What an upsert sets of a record that is there.
    pub(crate) update: Option<Template>,
    pub(crate) increment: Option<Template>,
    pub(crate) push: Option<Template>,
    pub(crate) pull: Option<Template>,
    pub(crate) merge: Option<Template>,
}

/// What a root field of a mutation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    CreateMany,
    Update,
    UpdateMany,
    Upsert,
    Delete,
    DeleteMany,
}

/// A field of a payload.
#[derive(Debug)]
pub(crate) enum PayloadField {
    Typename(Box<[u8]>),
    Record(RecordPlan),
    Records(RecordPlan),
    Edge {
        fields: Vec<Selected<EdgeField>>,
        views: Vec<RecordPlan>,
    },
    AffectedCount,
    /// An upsert has created the record.
    Created,
    DeletedId,
    DeletedIds,
    Commit(Vec<Selected<CommitField>>),
    Query(Vec<Selected<Root>>),
}

/// A field of `commit`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CommitField {
    Typename,
    Version,
    Time,
}
