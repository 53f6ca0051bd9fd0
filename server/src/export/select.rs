//! What an export asks for, and how an answer becomes a line.

use serde_json::{Map, Value};
use vivarium_schema::Catalog;
use vivarium_schema::catalog::{Collection, Embedded, Field, FieldKind};
use vivarium_storage::CollectionId;

/// Links asked for with each record; the rest of a longer list is asked for on its own.
pub const LINKS: usize = 500;

/// A relation whose records are written as a list of keys.
pub struct Links<'a> {
    /// Its field.
    pub field: &'a Field,
    /// The selection of a key: `slug`, or `id`.
    pub key: String,
}

/// What is written of a collection.
pub struct Selection<'a> {
    catalog: &'a Catalog,
    fields: Vec<&'a Field>,
    links: Vec<Links<'a>>,
    with_id: bool,
}

impl<'a> Selection<'a> {
    /// What is written of a collection. Each link is written once: by the end that is `last_of` the two.
    pub fn new(
        catalog: &'a Catalog,
        collection: &'a Collection,
        with_id: bool,
        is_last: impl Fn(CollectionId) -> bool,
    ) -> Selection<'a> {
        let writable = |field: &&Field| field.is_written() && !field.hidden;
        let fields = collection.fields.iter().filter(writable);
        let fields = fields.filter(|field| field.is_stored()).collect();
        let links = collection.fields.iter().filter(writable).filter_map(|field| match field.kind {
            FieldKind::ManyToMany { target, inverse, .. } => {
                let writes = match inverse {
                    // Of a relation of a collection with itself the field that was declared first writes.
                    Some(inverse) if target == collection.id => field.id <= inverse,
                    Some(_) => is_last(target),
                    None => true,
                };
                let key = key_of(catalog, catalog.collection(target)?);
                writes.then_some(Links { field, key })
            }
            _ => None,
        });
        let with_id = with_id || is_named_by_id(catalog, collection);
        Selection { catalog, fields, links: links.collect(), with_id }
    }

    /// Relations written as lists of keys.
    pub fn links(&self) -> &[Links<'a>] {
        &self.links
    }

    /// The selection set of a record, without braces. The id is there for asking on; see [`Selection::line`].
    pub fn text(&self) -> String {
        let mut text = "id".to_owned();
        for field in &self.fields {
            text.push(' ');
            text.push_str(&self.field_text(field, false));
        }
        for Links { field, key } in &self.links {
            text.push_str(&format!(" {}(first: {LINKS}) {}", field.name, links_text(key)));
        }
        text
    }

    fn field_text(&self, field: &Field, embedded: bool) -> String {
        match field.kind {
            FieldKind::ToOne { .. } if embedded => format!("{} {{ id }}", field.name),
            FieldKind::ToOne { target, .. } => {
                let target = self.catalog.collection(target).expect("a catalog resolves its own relations");
                format!("{} {{ {} }}", field.name, key_of(self.catalog, target))
            }
            FieldKind::Embedded(id) => {
                let inner: Vec<String> =
                    self.embedded(id).fields.iter().map(|field| self.field_text(field, true)).collect();
                format!("{} {{ {} }}", field.name, inner.join(" "))
            }
            _ => field.name.clone(),
        }
    }

    fn embedded(&self, id: u32) -> &'a Embedded {
        self.catalog.embedded(id).expect("a catalog resolves its own types")
    }

    /// A record as a line. `links` are the whole lists of keys, in the order of [`Selection::links`].
    pub fn line(&self, mut record: Map<String, Value>, links: Vec<Vec<Value>>) -> String {
        let mut line = Map::new();
        if let (true, Some(id)) = (self.with_id, record.remove("id")) {
            line.insert("id".to_owned(), id);
        }
        for field in &self.fields {
            let value = record.remove(&field.name).unwrap_or_default();
            line.insert(field.name.clone(), self.value(field, value, false));
        }
        for (Links { field, .. }, keys) in self.links.iter().zip(links) {
            line.insert(field.name.clone(), Value::Array(keys));
        }
        Value::Object(line).to_string()
    }

    fn value(&self, field: &Field, value: Value, embedded: bool) -> Value {
        match (&field.kind, value) {
            (FieldKind::ToOne { .. }, Value::Object(mut key)) if embedded => key.remove("id").unwrap_or_default(),
            (FieldKind::Embedded(_), Value::Array(items)) => {
                Value::Array(items.into_iter().map(|item| self.value(field, item, embedded)).collect())
            }
            (FieldKind::Embedded(id), Value::Object(mut members)) => {
                let inner = self.embedded(*id).fields.iter().map(|field| {
                    let value = members.remove(&field.name).unwrap_or_default();
                    (field.name.clone(), self.value(field, value, true))
                });
                Value::Object(inner.collect())
            }
            (_, value) => value,
        }
    }
}

/// `{ nodes { slug } pageInfo { hasNextPage endCursor } }`.
pub fn links_text(key: &str) -> String {
    format!("{{ nodes {{ {key} }} pageInfo {{ hasNextPage endCursor }} }}")
}

/// The field that names a record in lines: its first unique field that is never null, or its id.
fn key_of(catalog: &Catalog, collection: &Collection) -> String {
    let natural = collection.keys().find_map(|index| match index.elements.as_slice() {
        [element] if element.path.len() == 1 && !element.each => {
            let field = collection.field_at(catalog, &element.path)?;
            let is_plain = matches!(field.kind, FieldKind::Scalar(_) | FieldKind::Enum(_)) && field.required;
            // A value that the server makes would be another one after an import.
            let is_given = field.is_written() && !field.hidden;
            (is_plain && is_given).then(|| field.name.clone())
        }
        _ => None,
    });
    natural.unwrap_or_else(|| "id".to_owned())
}

/// Whether lines of other collections name these records by id, so that they must keep it.
fn is_named_by_id(catalog: &Catalog, collection: &Collection) -> bool {
    let in_embedded = catalog.embedded.iter().flat_map(|embedded| &embedded.fields);
    let in_embedded = in_embedded.filter_map(|field| match field.kind {
        FieldKind::ToOne { target, .. } => Some(target),
        _ => None,
    });
    key_of(catalog, collection) == "id" || in_embedded.into_iter().any(|target| target == collection.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_becomes_the_line_that_import_takes() {
        let sdl = r#"
            type Artist @collection { id: ID! artistId: Int! @unique name: String! albums: [Album!]! @relation(inverse: "artist") }
            type Album @collection {
              id: ID! title: String! artist: Artist @relation(inverse: "albums") tracks: [Track!]
              tags: [Tag!]! @relation(inverse: "albums") updatedAt: DateTime! @updatedAt
            }
            type Tag @collection { id: ID! slug: String! @unique albums: [Album!]! @relation(inverse: "tags") }
            type Track { name: String! guest: Artist @relation }
        "#;
        let catalog = vivarium_schema::sdl::declare(sdl, None).unwrap();
        let select = |name: &str, last: bool| {
            Selection::new(&catalog, catalog.collection_named(name).unwrap(), false, move |_| last)
        };
        assert_eq!(
            select("Album", true).text(),
            "id title artist { artistId } tracks { name guest { id } } tags(first: 500) { nodes { slug } pageInfo { hasNextPage endCursor } }"
        );
        assert_eq!(select("Tag", false).text(), "id slug");
        assert_eq!(select("Artist", false).text(), "id artistId name");
        let record = json!({"id": "a", "title": "T", "artist": {"artistId": 1}, "tracks": [{"name": "N", "guest": {"id": "x"}}],
            "tags": {"nodes": [], "pageInfo": {}}});
        let Value::Object(record) = record else { unreachable!() };
        assert_eq!(
            select("Album", true).line(record, vec![vec![json!({"slug": "s"})]]),
            r#"{"id":"a","title":"T","artist":{"artistId":1},"tracks":[{"name":"N","guest":"x"}],"tags":[{"slug":"s"}]}"#
        );
    }
}
