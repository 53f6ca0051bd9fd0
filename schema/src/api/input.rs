//! What is written: keys, creates and updates of collections, inputs of embedded values.

use super::collection::{target, value_type};
use super::definition::{Definition, Form, Member, write_text};
use crate::Input;
use crate::catalog::{Catalog, Collection, Default, Embedded, Field, FieldKind, Index, Scalar};

/// The types that a collection is written with.
pub(super) fn definitions(catalog: &Catalog, collection: &Collection) -> Vec<Definition> {
    let mut definitions = keys(catalog, collection);
    definitions.push(create(catalog, collection, None));
    definitions.extend(update(catalog, collection).into_iter().flatten());
    definitions.extend(conflict(catalog, collection));
    definitions.extend(increment(catalog, collection));
    definitions.extend(list_change(catalog, collection));
    definitions.extend(merge(catalog, collection));
    for field in &collection.fields {
        if field.relation().is_some_and(|(_, inverse)| inverse.is_some()) {
            definitions.push(create(catalog, collection, Some(field)));
        }
        if !field.read_only
            && let Some(pair) = relation_inputs(catalog, collection, field)
        {
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

/// `OrderCreate`, or `OrderCreateWithoutCustomer` for what is created through the other side of that relation.
fn create(catalog: &Catalog, collection: &Collection, without: Option<&Field>) -> Definition {
    let mut members = vec![Member::new("id", "ID")];
    let known = |field: &&Field| without.is_some_and(|without| without.id == field.id);
    for field in collection.fields.iter().filter(|field| field.is_written() && !known(field)) {
        members.push(match relation(field) {
            Some(_) => {
                let required = if field.required && !field.is_to_many() { "!" } else { "" };
                let of = format!("{}{required}", collection.relation_create_type(field));
                Member { description: field.description.clone(), ..Member::new(&field.name, of) }
            }
            None => created_field(field, written_type(catalog, field)),
        });
    }
    let name = without.map_or_else(|| collection.create_type(), |field| collection.create_without_type(field));
    Definition::new(Form::Input, name, members).by(&collection.name)
}

/// `CustomerUpdate`, and `CustomerUpdateIn` for one in a list of related records.
fn update(catalog: &Catalog, collection: &Collection) -> Option<[Definition; 2]> {
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
    let update = update.described("Absent = unchanged, null = clear.").by(&collection.name);
    let by = Member::new("by", format!("{}!", collection.key_type()));
    let data = Member::new("data", format!("{}!", collection.update_type()));
    let within = Definition::new(Form::Input, collection.update_in_type(), vec![by, data]).by(&collection.name);
    Some([update, within])
}

/// `CustomerConflict` and the enums that it is written with.
fn conflict(catalog: &Catalog, collection: &Collection) -> Vec<Definition> {
    let values = |names: Vec<String>| names.into_iter().map(|name| Member::new(name, "")).collect::<Vec<_>>();
    let keys = values(collection.key_values(catalog).into_iter().map(|(name, _)| name).collect());
    let fields = values(collection.field_values().into_iter().map(|(name, _)| name).collect());
    let mut members = vec![
        Member::new("key", format!("{}!", collection.unique_key_type())),
        Member::new("action", "ConflictAction!").or("ERROR"),
    ];
    if !fields.is_empty() {
        let update = Member::new("update", format!("[{}!]", collection.field_type()));
        members.push(update.described("Fields to overwrite for UPDATE; default all given."));
    }
    members.push(Member::new("where", collection.where_type()).described("UPDATE only what matches; leave the rest."));
    let what = "What to do when a record with this unique key is already there.";
    let mut definitions = vec![
        Definition::new(Form::Input, collection.conflict_type(), members).described(what),
        Definition::new(Form::Enum, collection.unique_key_type(), keys),
    ];
    if !fields.is_empty() {
        definitions.push(Definition::new(Form::Enum, collection.field_type(), fields));
    }
    definitions.into_iter().map(|definition| definition.by(&collection.name)).collect()
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
    let (_, inverse) = field.relation()?;
    let target = target(catalog, field);
    let named =
        |name: &str, of: &str| Member::new(name, if field.is_to_many() { format!("[{of}!]") } else { of.to_owned() });
    let connect = || named("connect", &target.key_type());
    let mut creates = Vec::new();
    // Related records are written as far as they may be written by themselves.
    if target.operations.create {
        let inverse = inverse.and_then(|inverse| target.field(inverse));
        let of = inverse.map_or_else(|| target.create_type(), |inverse| target.create_without_type(inverse));
        creates.push(named("create", &of));
    }
    creates.push(connect());
    let mut updates = creates.clone();
    let can_be_updated = target.operations.update && can_be_updated(target);
    let form = if field.is_to_many() {
        updates.extend([named("disconnect", &target.key_type()), named("set", &target.key_type())]);
        if can_be_updated {
            updates.push(named("update", &target.update_in_type()));
        }
        if target.operations.delete {
            updates.push(named("delete", &target.key_type()));
            updates.push(Member::new("deleteMany", target.where_type()).described("Deletes those of them that match."));
        }
        Form::Input
    } else {
        if !field.required {
            updates.push(Member::new("disconnect", "Boolean").described("True removes the relation."));
        }
        if can_be_updated {
            updates.push(Member::new("update", target.update_type()).described("Changes the related record."));
        }
        if target.operations.delete && !field.required {
            updates.push(Member::new("delete", "Boolean").described("True deletes the related record."));
        }
        Form::OneOf
    };
    let definitions = [
        Definition::new(form.clone(), collection.relation_create_type(field), creates),
        Definition::new(form, collection.relation_update_type(field), updates),
    ];
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
