//! Index entries: what each index holds of a document, and the links of n-m relations.
//!
//! Invariant: entries are a function of the catalog and the document, so that they can be made again and compared.

use crate::catalog::{Catalog, Collection, Index, IndexElement};
use crate::filter::walk;
use crate::{Code, Failure, compute};
use vivarium_storage::key::{self, KEY_BYTES_MAX};
use vivarium_storage::{DatabaseId, Document, DocumentId, FieldId, IndexId, Key, ValueRef};

/// What stands for every list and object in an index over a part of JSON. It sorts behind all other JSON values.
pub(crate) const JSON_CONTAINER: &[u8] = &[];

/// The entries of one index for one document, ascending by key, each key once.
///
/// # Errors
/// `BAD_USER_INPUT` without a place, when an entry's key is longer than the store takes.
pub fn of_document(
    catalog: &Catalog,
    database: DatabaseId,
    collection: &Collection,
    index: &Index,
    id: DocumentId,
    document: Document<'_>,
) -> Result<Vec<(Key, Vec<u8>)>, Failure> {
    let seen = compute::is_over_virtual(collection, index).then(|| compute::read(collection, document)).flatten();
    let document = seen.as_deref().map_or(document, Document::trusted);
    let mut tuples = vec![Tuple { bytes: key::index(database, index.id), has_null: false }];
    for element in &index.elements {
        if element.each {
            let mut values = Vec::new();
            collect(document, &element.path, &mut values);
            tuples = values.iter().flat_map(|value| tuples.iter().map(|tuple| tuple.with(*value, element))).collect();
        } else {
            let value = element_value(document, element);
            tuples.iter_mut().for_each(|tuple| tuple.push(value, element));
        }
    }
    let value: &[u8] = if index.unique { &id.0 } else { &[] };
    let mut entries = Vec::with_capacity(tuples.len());
    for mut tuple in tuples {
        // Nulls are never equal: the id keeps two of them apart.
        if !index.unique || tuple.has_null {
            key::push_id(&mut tuple.bytes, id);
        }
        let bytes = tuple.bytes.len();
        let key = key::finish(tuple.bytes).map_err(|_| too_long(catalog, collection, index, bytes))?;
        entries.push((key, value.to_vec()));
    }
    entries.sort_unstable();
    entries.dedup();
    Ok(entries)
}

/// Both entries that say that `from` is linked to `to`: by its own side, and by the other.
pub(crate) fn of_link(
    database: DatabaseId,
    (links, from): (IndexId, DocumentId),
    (inverse_links, to): (IndexId, DocumentId),
) -> [Key; 2] {
    [link(database, links, from, to), link(database, inverse_links, to, from)]
}

fn link(database: DatabaseId, links: IndexId, from: DocumentId, to: DocumentId) -> Key {
    let mut bytes = under(database, links, from);
    key::push_id(&mut bytes, to);
    bytes.into_boxed_slice()
}

/// The first bytes of every entry under a record, in an index over references or links.
pub(crate) fn under(database: DatabaseId, index: IndexId, record: DocumentId) -> Vec<u8> {
    let mut bytes = key::index(database, index);
    key::encode(ValueRef::Uuid(record), key::Direction::Ascending, &mut bytes);
    bytes
}

/// A tuple of an index, as far as it is encoded.
#[derive(Clone)]
struct Tuple {
    bytes: Vec<u8>,
    has_null: bool,
}

impl Tuple {
    fn push(&mut self, value: ValueRef<'_>, element: &IndexElement) {
        self.has_null |= value.is_null();
        key::encode(value, element.direction, &mut self.bytes);
    }

    fn with(&self, value: ValueRef<'_>, element: &IndexElement) -> Tuple {
        let mut tuple = self.clone();
        tuple.push(value, element);
        tuple
    }
}

/// What an index holds of an element that no list is met on the way to.
fn element_value<'a>(document: Document<'a>, element: &IndexElement) -> ValueRef<'a> {
    let value = value_at(document, &element.path);
    if element.json.is_empty() {
        return value;
    }
    match walk(value, &element.json) {
        // Their contents are not looked up by: one mark stands for all of them, which no JSON value is equal to.
        ValueRef::Map(_) | ValueRef::List(_) => ValueRef::Bytes(JSON_CONTAINER),
        value => value,
    }
}

/// The value at the end of a path through embedded values; null where one of them is.
pub(crate) fn value_at<'a>(document: Document<'a>, path: &[FieldId]) -> ValueRef<'a> {
    let Some((first, rest)) = path.split_first() else { return ValueRef::Null };
    rest.iter().fold(document.field(*first), |value, field| match value {
        ValueRef::Record(record) => record.field(*field),
        _ => ValueRef::Null,
    })
}

/// Every value that a path through lists ends at. A list that is null or empty has none.
pub(crate) fn collect<'a>(document: Document<'a>, path: &[FieldId], out: &mut Vec<ValueRef<'a>>) {
    if let Some((first, rest)) = path.split_first() {
        collect_below(document.field(*first), rest, Within::Value, out);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Within {
    Value,
    List,
}

fn collect_below<'a>(value: ValueRef<'a>, rest: &[FieldId], within: Within, out: &mut Vec<ValueRef<'a>>) {
    match (value, rest) {
        (ValueRef::List(items), _) => items.iter().for_each(|item| collect_below(item, rest, Within::List, out)),
        (ValueRef::Record(record), [first, rest @ ..]) => collect_below(record.field(*first), rest, within, out),
        (ValueRef::Null, _) if within == Within::Value => {}
        (value, []) => out.push(value),
        (_, _) => out.push(ValueRef::Null),
    }
}

fn too_long(catalog: &Catalog, collection: &Collection, index: &Index, bytes: usize) -> Failure {
    let fields: Vec<String> = index.elements.iter().map(|element| collection.element_name(catalog, element)).collect();
    let message = format!(
        "{} of {} is indexed, and an index takes at most {KEY_BYTES_MAX} bytes, not {bytes}: shorten it, or drop the index {}.",
        fields.join(" with "),
        collection.name,
        index.name
    );
    Failure::new(Code::BadUserInput, message)
        .with("constraint", format!("{}.{}", collection.name, index.name))
        .with("fields", fields)
        .with("limit", KEY_BYTES_MAX)
}
