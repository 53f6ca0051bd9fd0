//! The catalog: what a database declares, with every name resolved to a number that is never reused.
//!
//! Kept as JSON in `Space::Meta` under `engine::catalog_key`, so that the next release reads it.

mod lookup;
mod measure;
mod names;

pub use measure::{KeyForm, Measure};
pub use names::capitalize;
pub(crate) use names::is_made_whole;

use crate::Input;
use crate::compute::Computed;
use serde::{Deserialize, Serialize};
use vivarium_storage::key::Direction;
use vivarium_storage::{CollectionId, FieldId, IndexId};

/// An enum or embedded type's number, never reused.
pub type TypeId = u32;

/// Everything that a database declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Counts schema changes, from 1. Documents carry the one they were written under.
    pub version: u32,
    /// The SDL as it was applied, for `schema print` and history.
    pub sdl: String,
    /// Collections, ascending by id.
    pub collections: Vec<Collection>,
    /// Embedded object types, ascending by id.
    pub embedded: Vec<Embedded>,
    /// Enums, ascending by id.
    pub enums: Vec<EnumType>,
    /// Interfaces and unions, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<Family>,
    /// The next number for a collection.
    pub next_collection: u32,
    /// The next number for an enum or embedded type.
    pub next_type: TypeId,
    /// The next number for an index.
    pub next_index: u32,
}

/// A type with `@collection`: its records are stored on their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// Unchanged by renames.
    pub id: CollectionId,
    /// The GraphQL type: "Customer".
    pub name: String,
    /// The field of one: "customer".
    pub singular: String,
    /// The field of many: "customers".
    pub plural: String,
    /// The SDL's description.
    pub description: Option<String>,
    /// Which root fields are generated.
    pub operations: Operations,
    /// Declared fields in SDL order, `id` left out.
    pub fields: Vec<Field>,
    /// All indexes, those of relations included, ascending by id.
    pub indexes: Vec<Index>,
    /// `@check` on the type and on its fields, as predicates of the collection's Where language.
    pub checks: Vec<Check>,
    /// The next number for a field.
    pub next_field: u16,
}

/// An interface or a union: records of several collections that are listed together. It has nothing of its own, so that
/// it has no number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// The GraphQL type: "Authored".
    pub name: String,
    /// The field of many: "authoreds".
    pub plural: String,
    /// The SDL's description.
    pub description: Option<String>,
    /// Those of an interface are in its type; those of a union are what all its members have alike.
    pub interface: bool,
    /// The fields that all members have, `id` left out, in SDL order.
    pub fields: Vec<FamilyField>,
    /// The collections, ascending.
    pub members: Vec<CollectionId>,
}

/// A field that all members of a family have, with the same type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyField {
    /// Its GraphQL name.
    pub name: String,
    /// What the interface says of it.
    pub description: Option<String>,
}

/// Which root fields a collection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after CollectionOperation in the contract")]
pub struct Operations {
    pub get: bool,
    pub list: bool,
    pub aggregate: bool,
    pub create: bool,
    pub update: bool,
    pub upsert: bool,
    pub delete: bool,
    pub subscribe: bool,
}

/// An object type without `@collection`: a value inside its parent's document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedded {
    /// Unchanged by renames.
    pub id: TypeId,
    /// The GraphQL type: "Address".
    pub name: String,
    /// The SDL's description.
    pub description: Option<String>,
    /// Declared fields in SDL order.
    pub fields: Vec<Field>,
    /// `@check` on the type's fields, as predicates over the embedded value.
    pub checks: Vec<Check>,
    /// The next number for a field.
    pub next_field: u16,
}

/// An enum. A value is stored as its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnumType {
    /// Unchanged by renames.
    pub id: TypeId,
    /// The GraphQL type.
    pub name: String,
    /// The SDL's description.
    pub description: Option<String>,
    /// Values in SDL order.
    pub values: Vec<EnumValue>,
    /// The next number for a value.
    pub next_value: i64,
}

/// A value of an enum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnumValue {
    /// What is stored: `Value::Int`.
    pub number: i64,
    /// What clients write.
    pub name: String,
    /// The SDL's description.
    pub description: Option<String>,
}

/// A field of a collection or an embedded type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its number in documents.
    pub id: FieldId,
    /// Its GraphQL name.
    pub name: String,
    /// The SDL's description.
    pub description: Option<String>,
    /// What it holds.
    pub kind: FieldKind,
    /// `!`: never null.
    pub required: bool,
    /// `Some` for a list of scalars, enums or embedded values: may its elements be null?
    pub list: Option<List>,
    /// What an absent value becomes on create.
    pub default: Option<Default>,
    /// `@updatedAt`: the time of the last write.
    pub updated_at: bool,
    /// `@autoIncrement(start)`.
    pub auto_increment: Option<i64>,
    /// `@readOnly`: not in inputs.
    pub read_only: bool,
    /// `@hidden`: not in the output type.
    pub hidden: bool,
    /// `@precision`: digits and scale of a Decimal.
    pub precision: Option<Precision>,
    /// `@computed`: what the server works out from the rest of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Computed>,
}

/// A list field of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// `[T!]`: no element is null.
    pub element_required: bool,
}

/// `@precision(digits, scale)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precision {
    /// Digits in all.
    pub digits: u32,
    /// Digits after the point.
    pub scale: u32,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldKind {
    /// A scalar, or a list of them.
    Scalar(Scalar),
    /// An enum, or a list of them.
    Enum(TypeId),
    /// An embedded value, or a list of them.
    Embedded(TypeId),
    /// A reference that this document stores as `Value::Uuid`.
    ToOne {
        /// The collection referred to.
        target: CollectionId,
        /// The field on the other side, if it was declared.
        inverse: Option<FieldId>,
        /// What happens here when the record referred to is deleted.
        on_delete: OnDelete,
        /// The index over this reference (unique when the relation is one to one). `None` inside embedded
        /// values, where `Collection::indexes` of each parent has one with this field's path.
        index: Option<IndexId>,
    },
    /// The side of a one-to-one relation that stores nothing.
    OneToOne {
        /// The collection that holds the reference.
        target: CollectionId,
        /// Its `ToOne` field.
        field: FieldId,
        /// The unique index over that field, in the target collection.
        index: IndexId,
    },
    /// The records whose `ToOne` field refers to this one.
    OneToMany {
        /// The collection that holds the references.
        target: CollectionId,
        /// Its `ToOne` field.
        field: FieldId,
        /// The index over that field, in the target collection.
        index: IndexId,
    },
    /// Links to many, kept as pairs of index entries: `[links][this][other]` and `[inverse links][other][this]`,
    /// both keyed as `key::index(links)` + `encode(Uuid this)` + `push_id(other)`, with an empty value.
    ManyToMany {
        /// The collection at the other end.
        target: CollectionId,
        /// The field on the other side, if it was declared.
        inverse: Option<FieldId>,
        /// Entries keyed by this side.
        links: IndexId,
        /// Entries keyed by the other side.
        inverse_links: IndexId,
        /// `RESTRICT` only where the SDL says so; otherwise links go with their ends.
        on_delete: OnDelete,
    },
}

/// What happens to those who refer to a record that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnDelete {
    /// The delete is refused.
    Restrict,
    /// They are deleted too.
    Cascade,
    /// Their reference becomes null (of a link: the link goes).
    SetNull,
}

/// The scalars of the contract, geo and vector left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after the GraphQL scalars")]
pub enum Scalar {
    Id,
    String,
    Int,
    Float,
    Boolean,
    BigInt,
    Decimal,
    DateTime,
    Date,
    Duration,
    Uuid,
    Bytes,
    Json,
    Email,
    CountryCode,
}

/// `@default`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Default {
    /// `value:`, coerced to the field's type when the schema was applied; kept as it was written.
    Value(Input),
    /// `now: true`: the transaction's time.
    Now,
}

/// `@check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// A predicate in the type's Where language: `{ stock: { gte: 0 } }`.
    pub predicate: Input,
    /// What to tell the client; else the predicate is printed.
    pub message: Option<String>,
    /// The field that it was declared on, for `extensions.fields`.
    pub field: Option<FieldId>,
}

/// An index over the documents of one collection.
///
/// An entry's key is `key::index(id)`, then each element encoded, then the document's id. A unique entry
/// has no id in its key unless one of its elements is null (nulls are never equal). The value of every
/// unique entry is the document's id (16 bytes), of others empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Unchanged by renames.
    pub id: IndexId,
    /// Its name: given, or made of its fields.
    pub name: String,
    /// What it sorts by.
    pub elements: Vec<IndexElement>,
    /// No two documents have the same tuple of non-null values.
    pub unique: bool,
    /// Made for a relation, not declared with `@index` or `@unique`.
    pub relation: bool,
    /// False while entries of older documents are still being written: maintained, but not read.
    pub ready: bool,
}

/// An element of an index's tuple.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexElement {
    /// From the document to the value: one field, or through embedded values.
    pub path: Vec<FieldId>,
    /// From a JSON field at the end of the path further inwards: names of members, places in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<String>,
    /// Which way it sorts.
    pub direction: Direction,
    /// One entry for each distinct element of the list that the path meets (at most one such element an index).
    pub each: bool,
}
