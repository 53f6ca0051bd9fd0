//! What a database holds, read from its documents and links.

use super::*;
use crate::stage::Stage;
use vivarium_storage::{Document, KeyRange, Space, ValueRef, key};

/// What the database holds, as a model.
pub async fn observe(stage: &Stage) -> World {
    let mut world = World::default();
    for collection in &stage.catalog.collections {
        for (key, cell) in stage.rows(Space::Document, key::documents(stage.database, collection.id)).await {
            let document = Document::open(&cell.value).unwrap();
            let json = |field: &Field| json_of(&stage.catalog, field, document.field(field.id));
            let row = collection.fields.iter().map(|field| (field.id, json(field)));
            let row: Row = row.filter(|(_, value)| !value.is_null()).collect();
            world.rows.insert((collection.id, slot(key::document_id(&key).unwrap())), row);
        }
        for field in &collection.fields {
            if let FieldKind::ManyToMany { links, inverse_links, .. } = field.kind
                && links < inverse_links
            {
                let rows = stage.rows(Space::Index, KeyRange::prefix(&key::index(stage.database, links))).await;
                let pair = |key: &[u8]| (key[key.len() - 17], key[key.len() - 1]);
                world.links.insert(links.0, rows.iter().map(|(key, _)| pair(key)).collect());
            }
        }
    }
    world
}

pub fn json_of(catalog: &Catalog, field: &Field, value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Int(number) => match field.kind {
            FieldKind::Enum(id) => json!(catalog.enum_type(id).unwrap().value(number).unwrap().name),
            _ => json!(number),
        },
        ValueRef::String(text) => json!(text),
        ValueRef::Uuid(id) => json!(slot(id)),
        ValueRef::List(items) => Json::Array(items.iter().map(|item| json_of(catalog, field, item)).collect()),
        ValueRef::Record(record) => {
            let FieldKind::Embedded(id) = field.kind else { panic!("no embedded field") };
            let fields = &catalog.embedded(id).unwrap().fields;
            let json = |field: &Field| (field.id.0.to_string(), json_of(catalog, field, record.field(field.id)));
            Json::Object(fields.iter().map(json).filter(|(_, value)| !value.is_null()).collect())
        }
        other => panic!("{other:?}"),
    }
}
