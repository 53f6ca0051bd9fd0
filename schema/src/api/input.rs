//! What is written: keys, creates and updates of collections, inputs of embedded values.

use super::collection::{target, value_type};
use super::definition::{Definition, Form, Member, write_text};
use crate::Input;
use crate::catalog::{Catalog, Collection, Default, Embedded, Field, FieldKind, Index, Scalar};

/// The types that a collection is written with.
pub(super) fn definitions(catalog: &Catalog, collection: &Collection) -> Vec<Definition> {
    let mut definitions = keys(catalog, collection);
    definitions.push(create(catalog, collection));
    definitions.extend(update(catalog, collection));
    definitions.extend(increment(catalog, collection));
    definitions.extend(list_change(catalog, collection));
    definitions.extend(merge(catalog, collection));
    for field in collection.fields.iter().filter(|field| !field.read_only) {
        if let Some(pair) = relation_inputs(catalog, collection, field) {
            definitions.extend(pair);
        }
    }
    definitions
}

/// True where `CustomerUpdate` has a field.
pub(super) fn can_be_updated(collection: &Collection) -> bool {
    collection.fields.iter().any(Field::is_written)
}

/// What an update takes beside `data`, as far as the collection has fields for it.
pub(super) fn edits(collection: &Collection) -> Vec<Member> {
    let any = |takes: fn(&Field) -> bool| collection.fields.iter().any(takes);
    let mut members = Vec::new();
    if any(Field::takes_increments) {
        members.push(Member::new("increment", collection.increment_type()));
    }
    if any(Field::takes_list_changes) {
        members.push(Member::new("push", collection.list_change_type()));
        members.push(Member::new("pull", collection.list_change_type()));
    }
    if any(Field::takes_merges) {
        members.push(Member::new("merge", collection.merge_type()));
    }
    members
}

fn increment(catalog: &Catalog, collection: &Collection) -> Option<Definition> {
    let of = |field: &Field| Member::new(&field.name, written_type(catalog, field));
    edit(collection, collection.increment_type(), Field::takes_increments, of)
}

fn list_change(catalog: &Catalog, collection: &Collection) -> Option<Definition> {
    let of = |field: &Field| Member::new(&field.name, format!("[{}!]", written_type(catalog, field)));
    edit(collection, collection.list_change_type(), Field::takes_list_changes, of)
}

fn merge(catalog: &Catalog, collection: &Collection) -> Option<Definition> {
    edit(collection, collection.merge_type(), Field::takes_merges, |field| patched_field(catalog, field))
}

fn edit(
    collection: &Collection,
    name: String,
    takes: fn(&Field) -> bool,
    member: impl Fn(&Field) -> Member,
) -> Option<Definition> {
    let members: Vec<Member> = collection.fields.iter().filter(|field| takes(field)).map(member).collect();
    let is_there = !members.is_empty();
    is_there.then(|| Definition::new(Form::Input, name, members).by(&collection.name))
}

/// A field of a merge patch.
fn patched_field(catalog: &Catalog, field: &Field) -> Member {
    let member = match field.kind {
        FieldKind::Scalar(Scalar::Json) if field.list.is_none() => {
            return Member::new(&field.name, "JSON").described("RFC 7396 merge patch.");
        }
        FieldKind::Embedded(id) if field.list.is_none() => {
            catalog.embedded(id).expect("a catalog resolves its own types").patch_type()
        }
        _ if field.list.is_some() => list_type(&written_type(catalog, field), field),
        _ => written_type(catalog, field),
    };
    Member::new(&field.name, member)
}

/// `AddressPatch`.
pub(super) fn patch(catalog: &Catalog, embedded: &Embedded) -> Definition {
    let members = embedded.fields.iter().filter(|field| field.is_written());
    let members = members.map(|field| patched_field(catalog, field)).collect();
    let patch = Definition::new(Form::Input, embedded.patch_type(), members);
    patch.described("Absent = unchanged, null = clear; a value in a value is merged.").by(&embedded.name)
}

/// `AddressInput`.
pub(super) fn embedded(catalog: &Catalog, embedded: &Embedded) -> Definition {
    let fields = embedded.fields.iter().filter(|field| field.is_written());
    let members = fields.map(|field| created_field(field, written_type(catalog, field))).collect();
    Definition::new(Form::Input, embedded.input_type(), members).by(&embedded.name)
}

fn keys(catalog: &Catalog, collection: &Collection) -> Vec<Definition> {
    let mut members = vec![Member::new("id", "ID")];
    let mut compound = Vec::new();
    for index in collection.keys() {
        let name = collection.key_field(catalog, index);
        let types = key_types(catalog, collection, index);
        if let [only] = types.as_slice() {
            members.push(Member::new(name, *only));
            continue;
        }
        let parts = collection.key_parts(catalog, index).into_iter().zip(types);
        let parts = parts.map(|(part, of)| Member::new(part, format!("{of}!"))).collect();
        let of = collection.compound_key_type(catalog, index);
        members.push(Member::new(name, &of));
        compound.push(Definition::new(Form::Input, of, parts).by(&collection.name));
    }
    let key = Definition::new(Form::OneOf, collection.key_type(), members).described("Exactly one unique key.");
    let mut definitions = vec![key.by(&collection.name)];
    definitions.extend(compound);
    definitions
}

/// The scalar or enum of each element of a unique index; a reference is given as the id of its record.
fn key_types<'a>(catalog: &'a Catalog, collection: &'a Collection, index: &Index) -> Vec<&'a str> {
    let elements = index.elements.iter();
    elements
        .map(|element| match collection.field_at(catalog, &element.path) {
            Some(field) if !matches!(field.kind, FieldKind::ToOne { .. }) => value_type(catalog, field),
            _ => "ID",
        })
        .collect()
}

fn create(catalog: &Catalog, collection: &Collection) -> Definition {
    let mut members = vec![Member::new("id", "ID")];
    for field in collection.fields.iter().filter(|field| field.is_written()) {
        members.push(match relation(field) {
            Some(_) => {
                let required = if field.required && !field.is_to_many() { "!" } else { "" };
                let of = format!("{}{required}", collection.relation_create_type(field));
                Member { description: field.description.clone(), ..Member::new(&field.name, of) }
            }
            None => created_field(field, written_type(catalog, field)),
        });
    }
    Definition::new(Form::Input, collection.create_type(), members).by(&collection.name)
}

fn update(catalog: &Catalog, collection: &Collection) -> Option<Definition> {
    let fields: Vec<&Field> = collection.fields.iter().filter(|field| field.is_written()).collect();
    if fields.is_empty() {
        return None;
    }
    let members = fields.into_iter().map(|field| {
        let of = match (relation(field), &field.list) {
            (Some(_), _) => collection.relation_update_type(field),
            (None, Some(_)) => list_type(&written_type(catalog, field), field),
            (None, None) => written_type(catalog, field),
        };
        Member { description: field.description.clone(), ..Member::new(&field.name, of) }
    });
    let update = Definition::new(Form::Input, collection.update_type(), members.collect());
    Some(update.described("Absent = unchanged, null = clear.").by(&collection.name))
}

/// A field that an input creates: required unless something else fills it.
fn created_field(field: &Field, of: String) -> Member {
    let of = if field.list.is_some() { list_type(&of, field) } else { of };
    let filled_elsewhere = field.default == Some(Default::Now) || field.auto_increment.is_some();
    let required = if field.required && !filled_elsewhere { "!" } else { "" };
    let mut member = Member::new(&field.name, format!("{of}{required}"));
    member.description.clone_from(&field.description);
    if let Some(Default::Value(value)) = &field.default {
        let mut literal = String::new();
        write_literal(value, &mut literal);
        member = member.or(literal);
    }
    member
}

fn list_type(element: &str, field: &Field) -> String {
    let required = if field.list.is_some_and(|list| list.element_required) { "!" } else { "" };
    format!("[{element}{required}]")
}

/// The type of one value of a field in an input. A reference inside an embedded value is given as an id.
fn written_type(catalog: &Catalog, field: &Field) -> String {
    match field.kind {
        FieldKind::Embedded(id) => catalog.embedded(id).expect("a catalog resolves its own types").input_type(),
        FieldKind::Scalar(_) | FieldKind::Enum(_) => value_type(catalog, field).to_owned(),
        _ => "ID".to_owned(),
    }
}

fn relation(field: &Field) -> Option<&FieldKind> {
    match &field.kind {
        FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_) => None,
        relation => Some(relation),
    }
}

/// `OrderCustomerCreate` and `OrderCustomerUpdate`, or `CustomerOrdersCreate` and `CustomerOrdersUpdate`.
fn relation_inputs(catalog: &Catalog, collection: &Collection, field: &Field) -> Option<[Definition; 2]> {
    relation(field)?;
    let key = target(catalog, field).key_type();
    let create = collection.relation_create_type(field);
    let update = collection.relation_update_type(field);
    let definitions = if field.is_to_many() {
        let many = format!("[{key}!]");
        [
            Definition::new(Form::Input, create, vec![Member::new("connect", &many)]),
            Definition::new(
                Form::Input,
                update,
                vec![Member::new("connect", &many), Member::new("disconnect", &many), Member::new("set", &many)],
            ),
        ]
    } else {
        let connect = Member::new("connect", &key);
        let mut updates = vec![connect.clone()];
        if !field.required {
            updates.push(Member::new("disconnect", "Boolean").described("True removes the relation."));
        }
        [Definition::new(Form::OneOf, create, vec![connect]), Definition::new(Form::OneOf, update, updates)]
    };
    Some(definitions.map(|definition| definition.by(&collection.name)))
}

fn write_literal(value: &Input, out: &mut String) {
    match value {
        Input::Null => out.push_str("null"),
        Input::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Input::Int(number) => out.push_str(&number.to_string()),
        Input::Number(number) => out.push_str(number),
        Input::String(text) => write_text(text, out),
        Input::Enum(name) => out.push_str(name),
        Input::List(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_literal(element, out);
            }
            out.push(']');
        }
        Input::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                out.push_str(if at == 0 { " " } else { ", " });
                out.push_str(name);
                out.push_str(": ");
                write_literal(member, out);
            }
            out.push_str(" }");
        }
    }
}
