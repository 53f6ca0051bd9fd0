//! What clients are told when a constraint stands in the way: every code of a write with its words and its extensions.

use crate::catalog::{Catalog, Check, Collection, Field, Index};
use crate::{Code, Failure, GlobalId, Input};
use serde_json::Value as Json;
use vivarium_storage::{Document, DocumentId};

/// "an Album", "a Customer".
pub(super) fn a(name: &str) -> String {
    let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// No record has the key.
pub(super) fn not_found(collection: &Collection, key: Json) -> Failure {
    let message = format!("There is no {} with {}.", collection.name, bare(&key));
    Failure::new(Code::NotFound, message).with("type", collection.name.clone()).with("key", key)
}

/// The key of a record by its id.
pub(super) fn id_key(collection: &Collection, id: DocumentId) -> Json {
    serde_json::json!({ "id": global(collection, id) })
}

pub(super) fn global(collection: &Collection, id: DocumentId) -> String {
    GlobalId { collection: collection.id, document: id }.to_string()
}

/// Another record has these values already.
pub(super) fn unique(catalog: &Catalog, collection: &Collection, index: &Index, document: Document<'_>) -> Failure {
    let mut fields = Vec::new();
    let mut values = serde_json::Map::new();
    for element in &index.elements {
        let name = collection.path_names(catalog, &element.path).join(".");
        let value = super::entries::value_at(document, &element.path);
        if let (false, Some(field)) = (element.each, collection.field_at(catalog, &element.path)) {
            values.insert(name.clone(), super::print::json(catalog, field, value));
        }
        fields.push(name);
    }
    let having = if values.is_empty() { fields.join(" and ") } else { bare(&Json::Object(values)) };
    let message = format!("There is {} with {having} already.", a(&collection.name));
    Failure::new(Code::UniqueViolation, message)
        .with("constraint", format!("{}.{}", collection.name, index.name))
        .with("fields", fields)
}

/// A record has this id already.
pub(super) fn id_taken(collection: &Collection, id: DocumentId) -> Failure {
    let message = format!("There is {} with the id {} already.", a(&collection.name), global(collection, id));
    Failure::new(Code::UniqueViolation, message)
        .with("constraint", format!("{}.id", collection.name))
        .with("fields", vec!["id"])
}

/// A reference inside an embedded value leads nowhere.
pub(super) fn dangling(owner: &str, field: &Field, target: &Collection, id: DocumentId) -> Failure {
    let message = format!("There is no {} with the id {}.", target.name, global(target, id));
    Failure::new(Code::ReferenceViolation, message)
        .with("constraint", format!("{owner}.{}", field.name))
        .with("fields", vec![field.name.clone()])
}

/// A reference would be emptied that is required.
pub(super) fn orphaned(owner: &Collection, field: &Field, id: DocumentId) -> Failure {
    let message = format!(
        "{}.{} is required, so {} {} cannot be left without: connect it elsewhere, or delete it.",
        owner.name,
        field.name,
        owner.name,
        global(owner, id)
    );
    Failure::new(Code::ReferenceViolation, message)
        .with("constraint", format!("{}.{}", owner.name, field.name))
        .with("fields", vec![field.name.clone()])
        .with("records", vec![global(owner, id)])
}

/// Records that stay refer to one that was to be deleted. `relation` is declared at `owner`, and `by` are of `others`.
pub(super) fn restricted(
    (target, id): (&Collection, DocumentId),
    (owner, relation): (&Collection, &str),
    (others, by): (&Collection, &[DocumentId]),
) -> Failure {
    let records: Vec<String> = by.iter().map(|id| global(others, *id)).collect();
    let message = format!(
        "{} {} cannot be deleted while {} {} needs it for {}.{relation}: delete or disconnect that first, or declare another onDelete.",
        target.name,
        global(target, id),
        others.name,
        records.join(", "),
        owner.name
    );
    Failure::new(Code::ReferenceViolation, message)
        .with("constraint", format!("{}.{relation}", owner.name))
        .with("fields", vec![relation.to_owned()])
        .with("records", records)
}

/// A check does not hold.
pub(super) fn check(owner: &str, field: Option<&Field>, check: &Check) -> Failure {
    let coordinate = match field {
        Some(field) => format!("{owner}.{}", field.name),
        None => owner.to_owned(),
    };
    let message = match &check.message {
        Some(message) => message.clone(),
        None => format!("{coordinate} breaks its check: {}.", bare(&input_json(&check.predicate))),
    };
    let fields: Vec<String> = field.map(|field| field.name.clone()).into_iter().collect();
    Failure::new(Code::CheckViolation, message).with("constraint", coordinate).with("fields", fields)
}

/// More records would change than one delete may.
pub(super) fn too_many_affected(collection: &Collection, id: DocumentId, limit: usize) -> Failure {
    let message = format!(
        "Deleting {} {} would change more than {limit} records: delete those that refer to it first, in steps.",
        collection.name,
        global(collection, id)
    );
    Failure::new(Code::AffectedLimitExceeded, message).with("affected", limit + 1).with("limit", limit)
}

/// More records would be written through relations than one field may.
pub(super) fn too_many_nested(limit: usize) -> Failure {
    let message = format!("More than {limit} records are written through relations: write them in steps.");
    Failure::new(Code::AffectedLimitExceeded, message).with("affected", limit + 1).with("limit", limit)
}

/// A record that is named is not among those that a relation leads to; without a key, it leads to none.
pub(super) fn unrelated(owner: &Collection, field: &Field, target: &Collection, key: Option<Json>) -> Failure {
    let relation = format!("{}.{}", owner.name, field.name);
    let message = match &key {
        Some(key) => format!("{relation} does not lead to {} with {}: connect it first.", a(&target.name), bare(key)),
        None => format!("{relation} leads to no {}: create or connect one first.", target.name),
    };
    Failure::new(Code::NotFound, message).with("type", target.name.clone()).with("key", key.unwrap_or(Json::Null))
}

/// What is written of one record contradicts itself.
pub(super) fn contradiction(what: &str, target: &Collection, id: DocumentId) -> Failure {
    let message = format!("{} {} {what}: say one of them.", target.name, global(target, id));
    Failure::new(Code::BadUserInput, message).with("records", vec![global(target, id)])
}

/// A record is deleted by what is said of its own relations.
pub(super) fn self_deleted(collection: &Collection, id: DocumentId) -> Failure {
    let message = format!(
        "{} {} itself goes with what is deleted here: delete it with {}.",
        collection.name,
        global(collection, id),
        collection.delete_field()
    );
    Failure::new(Code::BadUserInput, message).with("records", vec![global(collection, id)])
}

/// An input as JSON, for messages and extensions.
pub(super) fn input_json(input: &Input) -> Json {
    match input {
        Input::Null => Json::Null,
        Input::Bool(value) => Json::Bool(*value),
        Input::Int(value) => Json::from(*value),
        Input::Number(digits) => digits.parse().map_or_else(|_| Json::String(digits.clone()), Json::Number),
        Input::String(text) | Input::Enum(text) => Json::String(text.clone()),
        Input::List(items) => Json::Array(items.iter().map(input_json).collect()),
        Input::Object(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), input_json(value))).collect())
        }
    }
}

/// A JSON object without its braces and the quotes of its names: `email: "a@b.c"`.
fn bare(json: &Json) -> String {
    match json {
        Json::Object(fields) => {
            let field = |(name, value): (&String, &Json)| match value {
                Json::Object(_) => format!("{name}: {{ {} }}", bare(value)),
                other => format!("{name}: {other}"),
            };
            fields.iter().map(field).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
