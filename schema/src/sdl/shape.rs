//! What each type and field is: collection or embedded value, scalar, enum, value or reference.

use super::directive::{Use, Uses};
use super::document::{Document, Enum, Object, SCALARS_LATER};
use super::family::{self, FamilyShape};
use super::report::Report;
use super::{default, plural};
use crate::catalog::{List, Operations, Scalar};
use apollo_compiler::Name;
use apollo_compiler::ast::Type;
use std::collections::BTreeMap;

/// A type's place in [`Shapes::objects`].
pub(super) type ObjectAt = usize;
/// A field: its type's place, and its own there.
pub(super) type FieldAt = (ObjectAt, usize);

/// Embedded values inside embedded values, at most.
const EMBEDDED_DEPTH_MAX: usize = 8;

/// The whole document, with names of types resolved.
pub(super) struct Shapes<'a> {
    pub(super) objects: Vec<ObjectShape<'a>>,
    pub(super) enums: &'a [Enum<'a>],
    pub(super) families: Vec<FamilyShape<'a>>,
}

/// An object type.
pub(super) struct ObjectShape<'a> {
    pub(super) object: &'a Object<'a>,
    pub(super) name: &'a Name,
    /// `Some` for a collection.
    pub(super) collection: Option<CollectionShape>,
    /// The declared fields, a collection's `id` left out.
    pub(super) fields: Vec<FieldShape<'a>>,
}

/// What `@collection` says.
pub(super) struct CollectionShape {
    pub(super) singular: String,
    pub(super) plural: String,
    pub(super) operations: Operations,
}

/// A field.
pub(super) struct FieldShape<'a> {
    pub(super) definition: &'a apollo_compiler::ast::FieldDefinition,
    pub(super) name: &'a Name,
    pub(super) uses: &'a Uses<'a>,
    pub(super) kind: Shape,
    pub(super) required: bool,
    pub(super) list: Option<List>,
}

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar(Scalar),
    /// A place in [`Shapes::enums`].
    Enum(usize),
    Embedded(ObjectAt),
    /// One record, or many where [`FieldShape::list`] is `Some`.
    Record(ObjectAt),
}

impl<'a> Shapes<'a> {
    pub(super) fn field(&self, (object, field): FieldAt) -> &FieldShape<'a> {
        &self.objects[object].fields[field]
    }
    /// `Customer.email`.
    pub(super) fn coordinate(&self, at: FieldAt) -> String {
        format!("{}.{}", self.objects[at.0].name, self.field(at).name)
    }
    /// Every field of every type.
    pub(super) fn places(&self) -> impl Iterator<Item = FieldAt> + '_ {
        self.objects
            .iter()
            .enumerate()
            .flat_map(|(object, shape)| (0..shape.fields.len()).map(move |field| (object, field)))
    }
    pub(super) fn field_named(&self, object: ObjectAt, name: &str) -> Option<FieldAt> {
        self.objects[object].fields.iter().position(|field| field.name == name).map(|field| (object, field))
    }
}

/// Resolves the type of every field.
pub(super) fn resolve<'a>(document: &'a Document<'a>, report: &mut Report<'_>) -> Shapes<'a> {
    let objects: BTreeMap<&str, ObjectAt> =
        document.objects.iter().enumerate().map(|(at, object)| (object.definition.name.as_str(), at)).collect();
    let enums: BTreeMap<&str, usize> =
        document.enums.iter().enumerate().map(|(at, each)| (each.definition.name.as_str(), at)).collect();
    let mut shapes = Shapes { objects: Vec::new(), enums: &document.enums, families: Vec::new() };
    for object in &document.objects {
        let name = &object.definition.name;
        let collection = object.is_collection().then(|| collection_shape(object, report));
        if collection.is_some() {
            check_id(object, report);
        } else {
            check_embedded(object, report);
        }
        let mut fields = Vec::new();
        for field in &object.fields {
            let definition = &field.definition;
            if collection.is_some() && definition.name == "id" {
                continue;
            }
            let Some((type_name, required, list)) = unwrap(name, &definition.name, &definition.ty, report) else {
                continue;
            };
            let kind = if let Some(scalar) = Scalar::named(type_name) {
                Shape::Scalar(scalar)
            } else if let Some(at) = enums.get(type_name.as_str()) {
                Shape::Enum(*at)
            } else if let Some(at) = objects.get(type_name.as_str()) {
                if document.objects[*at].is_collection() { Shape::Record(*at) } else { Shape::Embedded(*at) }
            } else {
                if document.families().any(|family| *family == **type_name) {
                    let message = format!(
                        "{type_name} is an interface or a union, and {name}.{} would lead to records of several types: name one of them.",
                        definition.name
                    );
                    report.add(type_name.location(), "unknown-type", message);
                    continue;
                }
                unknown_type(name, &definition.name, type_name, objects.keys().chain(enums.keys()), report);
                continue;
            };
            fields.push(FieldShape { definition, name: &definition.name, uses: &field.uses, kind, required, list });
        }
        shapes.objects.push(ObjectShape { object, name, collection, fields });
    }
    shapes.families = family::resolve(document, &shapes, report);
    check_renames(document, report);
    check_embedded_cycles(&shapes, report);
    for at in shapes.places() {
        default::check_behaviour(&shapes, at, report);
    }
    shapes
}

fn collection_shape(object: &Object<'_>, report: &mut Report<'_>) -> CollectionShape {
    let name = &object.definition.name;
    let collection = object.uses.one("collection").expect("only collections come here");
    let (singular, plural) = root_names(name, Some(collection), report);
    let given = collection.names("operations");
    let has = |operation: &str| given.as_ref().is_none_or(|given| given.contains(&operation));
    let operations = Operations {
        get: has("GET"),
        list: has("LIST"),
        aggregate: has("AGGREGATE"),
        create: has("CREATE"),
        update: has("UPDATE"),
        upsert: has("UPSERT"),
        delete: has("DELETE"),
        subscribe: has("SUBSCRIBE"),
    };
    CollectionShape { singular, plural, operations }
}

/// The names of the root fields of one and of many: given, or made of the type's name.
pub(super) fn root_names(name: &Name, collection: Option<Use<'_>>, report: &mut Report<'_>) -> (String, String) {
    let mut given = |argument: &str| {
        let collection = collection?;
        let text = collection.text(argument)?;
        if !is_field_name(text) {
            let message = format!(
                "\"{text}\" cannot be the name of a field: use letters, digits and \"_\", and begin with a letter."
            );
            report.add(collection.place(argument), "collection-name", message);
        }
        Some(text.to_owned())
    };
    let singular = given("name").unwrap_or_else(|| plural::singular(name));
    let plural = given("plural").unwrap_or_else(|| plural::plural(&singular));
    if singular == plural {
        let message = format!(
            "The field of one {name} and the field of many would both be \"{singular}\": say what many are called, @collection(plural: \"...\")."
        );
        report.add(name.location(), "collection-plural", message);
    }
    (singular, plural)
}

fn is_field_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn check_id(object: &Object<'_>, report: &mut Report<'_>) {
    let name = &object.definition.name;
    match object.fields.iter().find(|field| field.definition.name == "id") {
        None => {
            let message = format!("{name} is a collection and needs its identity as a field: add \"id: ID!\".");
            report.add(name.location(), "id-field", message);
        }
        Some(field) => {
            if !matches!(&field.definition.ty, Type::NonNullNamed(id) if id == "ID") {
                let message = format!(
                    "{name}.id is the record's identity: write \"id: ID!\". Keys of your own are other fields with @unique."
                );
                report.add(field.definition.name.location(), "id-field", message);
            }
            if let Some(directive) = field.definition.directives.0.first() {
                let message = format!("{name}.id is generated, unique and never changes: remove @{}.", directive.name);
                report.add(directive.location(), "id-field", message);
            }
        }
    }
}

fn check_embedded(object: &Object<'_>, report: &mut Report<'_>) {
    let name = &object.definition.name;
    for directive in &object.definition.directives.0 {
        if ["unique", "index"].contains(&directive.name.as_str()) {
            let message = format!(
                "{name} is a value inside other records and has no indexes of its own: declare the index on the collection, \
                 with a path like fields: [\"address.zip\"], or add @collection to {name}."
            );
            report.add(directive.location(), "embedded-index", message);
        }
    }
    let visible = object.fields.iter().any(|field| field.uses.one("hidden").is_none());
    let writable =
        object.fields.iter().any(|field| field.uses.one("readOnly").is_none() && field.uses.one("updatedAt").is_none());
    if !object.fields.is_empty() && (!visible || !writable) {
        let message =
            format!("{name} needs a field that can be read and one that can be written: remove @hidden or @readOnly.");
        report.add(name.location(), "embedded-empty", message);
    }
    for field in &object.fields {
        let at = field.definition.name.location();
        let place = &field.definition.name;
        if place == "isNull" {
            let message = format!("{name}.isNull cannot be told from the \"isNull\" of filters: choose another name.");
            report.add(at, "reserved-name", message);
        }
        for directive in &field.definition.directives.0 {
            if ["unique", "index"].contains(&directive.name.as_str()) {
                let message = format!(
                    "{name} is a value inside other records: declare the index on the collection, with a path like fields: [\"address.{place}\"]."
                );
                report.add(directive.location(), "embedded-index", message);
            }
            if ["autoIncrement", "updatedAt", "computed"].contains(&directive.name.as_str()) {
                let message = format!(
                    "@{} works on a collection's own fields only, and {name} is an embedded value: remove it.",
                    directive.name
                );
                report.add(directive.location(), "embedded-behaviour", message);
            }
        }
    }
}

/// The named type inside, whether the field is required, and what kind of list it is.
fn unwrap<'a>(
    object: &Name,
    field: &Name,
    written: &'a Type,
    report: &mut Report<'_>,
) -> Option<(&'a Name, bool, Option<List>)> {
    let (element, required) = match written {
        Type::Named(name) => return Some((name, false, None)),
        Type::NonNullNamed(name) => return Some((name, true, None)),
        Type::List(element) => (element, false),
        Type::NonNullList(element) => (element, true),
    };
    match element.as_ref() {
        Type::Named(name) => Some((name, required, Some(List { element_required: false }))),
        Type::NonNullNamed(name) => Some((name, required, Some(List { element_required: true }))),
        _ => {
            let message = format!(
                "{object}.{field} is a list of lists, which cannot be stored: put the inner list into an embedded type."
            );
            report.add(field.location(), "nested-list", message);
            None
        }
    }
}

fn unknown_type<'b>(
    object: &Name,
    field: &Name,
    type_name: &Name,
    known: impl Iterator<Item = &'b &'b str>,
    report: &mut Report<'_>,
) {
    if SCALARS_LATER.contains(&type_name.as_str()) {
        let message = format!(
            "The scalar {type_name} of {object}.{field} is not supported yet by this release: remove the field for now."
        );
        report.add(type_name.location(), "not-supported-yet", message);
        return;
    }
    let scalars = Scalar::ALL.map(Scalar::name);
    let near = known.copied().chain(scalars).find(|known| known.eq_ignore_ascii_case(type_name));
    let message = match near {
        Some(near) => format!("There is no type {type_name} for {object}.{field}: did you mean {near}?"),
        None => format!(
            "There is no type {type_name} for {object}.{field}: declare it, or use one of {}.",
            scalars.join(", ")
        ),
    };
    report.add(type_name.location(), "unknown-type", message);
}

/// `@rename(from:)` names something that is gone, not something that is still there.
fn check_renames(document: &Document<'_>, report: &mut Report<'_>) {
    let types: Vec<&str> = document
        .objects
        .iter()
        .map(|object| object.definition.name.as_str())
        .chain(document.enums.iter().map(|each| each.definition.name.as_str()))
        .collect();
    let mut check = |uses: &Uses<'_>, present: &[&str], taken: &mut Vec<String>| {
        let Some(from) = uses.renamed_from() else { return };
        let place = uses.one("rename").and_then(|rename| rename.place("from"));
        if present.contains(&from) {
            let message = format!(
                "\"{from}\" is still declared here, so nothing was renamed from it: remove @rename or the old declaration."
            );
            report.add(place, "rename", message);
        } else if taken.iter().any(|earlier| earlier == from) {
            report.add(
                place,
                "rename",
                format!("\"{from}\" was renamed to something else above: one of the two is wrong."),
            );
        }
        taken.push(from.to_owned());
    };
    let mut taken_types = Vec::new();
    for object in &document.objects {
        check(&object.uses, &types, &mut taken_types);
        let names: Vec<&str> = object.fields.iter().map(|field| field.definition.name.as_str()).collect();
        let mut taken = Vec::new();
        for field in &object.fields {
            check(&field.uses, &names, &mut taken);
        }
    }
    for each in &document.enums {
        check(&each.uses, &types, &mut taken_types);
        let names: Vec<&str> = each.definition.values.iter().map(|value| value.value.as_str()).collect();
        let mut taken = Vec::new();
        for uses in &each.value_uses {
            check(uses, &names, &mut taken);
        }
    }
}

/// An embedded value cannot hold itself: documents, filters and reference indexes would have no end.
fn check_embedded_cycles(shapes: &Shapes<'_>, report: &mut Report<'_>) {
    let mut visits = vec![Visit::Ahead; shapes.objects.len()];
    for (at, object) in shapes.objects.iter().enumerate() {
        if object.collection.is_some() {
            continue;
        }
        let depth = embedded_depth(shapes, at, &mut visits, report);
        if depth > EMBEDDED_DEPTH_MAX {
            let message = format!(
                "{} nests embedded types {depth} deep; the limit is {EMBEDDED_DEPTH_MAX}. Make one a collection.",
                object.name
            );
            report.add(object.name.location(), "embedded-depth", message);
        }
    }
}

/// How far the search for cycles is with a type.
#[derive(Clone, Copy)]
enum Visit {
    Ahead,
    Under,
    Done(usize),
}

/// How many embedded types are nested in this one, itself included. Every type is visited once; the recursion is
/// bounded by the number of types in a cycle-free chain, which the size of the text bounds.
fn embedded_depth(shapes: &Shapes<'_>, object: ObjectAt, visits: &mut [Visit], report: &mut Report<'_>) -> usize {
    if let Visit::Done(depth) = visits[object] {
        return depth;
    }
    visits[object] = Visit::Under;
    let mut inner_max = 0;
    for (at, field) in shapes.objects[object].fields.iter().enumerate() {
        let Shape::Embedded(inner) = field.kind else { continue };
        if matches!(visits[inner], Visit::Under) {
            let name = shapes.objects[inner].name;
            let message = format!(
                "{name} holds itself through {}, which cannot be stored: make {name} a collection and the field a relation.",
                shapes.coordinate((object, at)),
            );
            report.add(field.name.location(), "embedded-cycle", message);
            continue;
        }
        inner_max = inner_max.max(embedded_depth(shapes, inner, visits, report));
    }
    visits[object] = Visit::Done(inner_max + 1);
    inner_max + 1
}
