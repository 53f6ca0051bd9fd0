//! Declared indexes: `@unique` and `@index`, on a field or on a type, with paths into embedded values.

use super::directive::Use;
use super::relation::Relation;
use super::report::Report;
use super::shape::{FieldAt, ObjectAt, Shape, Shapes};
use crate::catalog::Scalar;
use apollo_compiler::parser::SourceSpan;
use std::collections::BTreeMap;

/// Keeps entries short and key inputs readable.
const ELEMENTS_MAX: usize = 8;
/// Each index costs a write on every write.
const INDEXES_MAX: usize = 64;

/// What an index is declared over.
type Model<'a, 'b> = (&'b Shapes<'a>, &'b BTreeMap<FieldAt, Relation>);

/// An index as it was declared.
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) elements: Vec<Element>,
    pub(super) unique: bool,
}

/// One of its fields.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Element {
    /// From the collection's field inwards.
    pub(super) path: Vec<FieldAt>,
    /// From a JSON field further inwards.
    pub(super) json: Vec<String>,
    /// A list is met on the way.
    pub(super) each: bool,
}

/// The indexes that a collection declares, in the order of the text.
pub(super) fn declared(
    shapes: &Shapes<'_>,
    relations: &BTreeMap<FieldAt, Relation>,
    object: ObjectAt,
    report: &mut Report<'_>,
) -> Vec<Declared> {
    let shape = &shapes.objects[object];
    let mut found: Vec<Declared> = Vec::new();
    for directive in ["unique", "index"] {
        for each in shape.object.uses.all(directive) {
            let Some(fields) = each.texts("fields").filter(|fields| !fields.is_empty()) else {
                let message =
                    format!("@{directive} on a type needs to know which fields: @{directive}(fields: [\"name\"]).");
                report.add(each.place("fields"), "index-fields", message);
                continue;
            };
            if let Some(index) = read((shapes, relations), object, directive, each, &fields, report) {
                add(shapes, object, index, each, &mut found, report);
            }
        }
        for field in &shape.fields {
            for each in field.uses.all(directive) {
                if each.value("fields").is_some() {
                    let message = format!(
                        "@{directive} on a field is about that field: remove \"fields\", or move it to the type."
                    );
                    report.add(each.place("fields"), "index-fields", message);
                    continue;
                }
                let fields = [(field.name.as_str(), each.place(""))];
                if let Some(index) = read((shapes, relations), object, directive, each, &fields, report) {
                    add(shapes, object, index, each, &mut found, report);
                }
            }
        }
    }
    if found.len() > INDEXES_MAX {
        let message = format!("{} declares {} indexes; the limit is {INDEXES_MAX}.", shape.name, found.len());
        report.add(shape.name.location(), "limit", message);
    }
    found
}

fn read(
    (shapes, relations): Model<'_, '_>,
    object: ObjectAt,
    directive: &str,
    each: Use<'_>,
    fields: &[(&str, Option<SourceSpan>)],
    report: &mut Report<'_>,
) -> Option<Declared> {
    let before = report.count();
    let unique = directive == "unique";
    if let Some(kind @ ("HASH" | "GEO")) = each.name("kind") {
        let message = format!(
            "@index(kind: {kind}) is not supported yet by this release: remove \"kind\", which makes it BTREE."
        );
        report.add(each.place("kind"), "not-supported-yet", message);
    }
    if fields.len() > ELEMENTS_MAX {
        report.add(
            each.place("fields"),
            "limit",
            format!("This index has {} fields; the limit is {ELEMENTS_MAX}.", fields.len()),
        );
    }
    let mut elements: Vec<Element> = Vec::new();
    for (text, place) in fields {
        let Some(element) = resolve((shapes, relations), object, text, *place, unique, report) else { continue };
        if elements.contains(&element) {
            report.add(*place, "index-fields", format!("This index names \"{text}\" twice: remove one of them."));
        }
        if element.each && elements.iter().any(|earlier| earlier.each) {
            let message = format!(
                "\"{text}\" is the second list of this index, and every pair of elements would be an entry: index one list at a time."
            );
            report.add(*place, "index-fields", message);
        }
        elements.push(element);
    }
    let name = each.text("name").map_or_else(
        || fields.iter().map(|(text, _)| text.replace('.', "_")).collect::<Vec<_>>().join("_"),
        str::to_owned,
    );
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        let message = format!("\"{name}\" cannot be the name of an index: use letters, digits and \"_\".");
        report.add(each.place("name"), "index-name", message);
    }
    (report.count() == before).then_some(Declared { name, elements, unique })
}

fn add(
    shapes: &Shapes<'_>,
    object: ObjectAt,
    index: Declared,
    each: Use<'_>,
    found: &mut Vec<Declared>,
    report: &mut Report<'_>,
) {
    if let [Element { path, .. }] = index.elements.as_slice()
        && let [only] = path.as_slice()
        && matches!(shapes.field(*only).kind, Shape::Record(_))
        && !index.unique
    {
        let message = format!("{} is a relation and has an index already: remove @index.", shapes.coordinate(*only));
        report.add(each.place(""), "index-redundant", message);
        return;
    }
    if let Some(earlier) = found.iter().find(|earlier| earlier.elements == index.elements) {
        let message = match (earlier.unique, index.unique) {
            (true, false) => "@unique over these fields is an index already: remove @index.".to_owned(),
            _ => format!(
                "An index over these fields of {} is declared already: remove this one.",
                shapes.objects[object].name
            ),
        };
        report.add(each.place(""), "index-redundant", message);
        return;
    }
    if found.iter().any(|earlier| earlier.name == index.name) {
        let message = format!(
            "{} has two indexes called \"{}\": give one of them another name.",
            shapes.objects[object].name, index.name
        );
        report.add(each.place("name"), "index-name", message);
        return;
    }
    found.push(index);
}

/// Follows a dotted path to something that can be sorted.
fn resolve(
    (shapes, relations): Model<'_, '_>,
    object: ObjectAt,
    text: &str,
    place: Option<SourceSpan>,
    unique: bool,
    report: &mut Report<'_>,
) -> Option<Element> {
    let mut path = Vec::new();
    let mut each = false;
    let mut inside = object;
    let names: Vec<&str> = text.split('.').collect();
    for (depth, name) in names.iter().enumerate() {
        let owner = shapes.objects[inside].name;
        let Some(at) = shapes.field_named(inside, name) else {
            let message = match *name {
                "id" => format!("{owner}.id is always indexed and ends every index: remove it from this one."),
                _ => format!("{owner} has no field \"{name}\" that this index could be about."),
            };
            report.add(place, "index-fields", message);
            return None;
        };
        path.push(at);
        let field = shapes.field(at);
        let last = depth + 1 == names.len();
        let refused = match field.kind {
            Shape::Embedded(inner) if !last => {
                each |= field.list.is_some();
                inside = inner;
                continue;
            }
            Shape::Embedded(_) => Some("is an embedded value: name one of its fields, like \"address.city\""),
            _ if !last && field.kind != Shape::Scalar(Scalar::Json) => Some("has no fields inside: end the path here"),
            Shape::Record(_) if field.list.is_some() => {
                Some("is a list of records, which has an index of its own: remove it from this one")
            }
            Shape::Record(_) if matches!(relations.get(&at), Some(Relation::One { .. })) => {
                Some("is the side of a relation that stores nothing: declare the index on the other side")
            }
            Shape::Scalar(Scalar::Json) if field.list.is_some() || each => {
                Some("is JSON in a list, which an index does not look into: index a field of another type")
            }
            Shape::Scalar(Scalar::Json) if last => Some(
                "is JSON, which has no order that an index could keep: index a part of it, like \"preferences.theme\"",
            ),
            Shape::Scalar(Scalar::Json) if unique => {
                Some("is JSON, whose parts cannot be unique keys: use @index, or a field of another type")
            }
            Shape::Scalar(Scalar::Json) if names[depth + 1..].iter().any(|step| step.is_empty()) => {
                Some("is followed by an empty name: name the members of the JSON that lead to what is indexed")
            }
            Shape::Scalar(Scalar::Json) => {
                let json = names[depth + 1..].iter().map(|step| (*step).to_owned()).collect();
                return Some(Element { path, json, each });
            }
            Shape::Scalar(Scalar::Float) if unique => {
                Some("is a Float, and whether two of those are equal is a matter of rounding: use Decimal or Int")
            }
            _ => None,
        };
        if let Some(refused) = refused {
            report.add(place, "index-fields", format!("{} {refused}.", shapes.coordinate(at)));
            return None;
        }
        each |= field.list.is_some();
    }
    if each && unique {
        let message = format!(
            "\"{text}\" passes through a list, whose elements cannot be unique keys: use @index, or make each a record of its own."
        );
        report.add(place, "index-fields", message);
        return None;
    }
    Some(Element { path, json: Vec::new(), each })
}
