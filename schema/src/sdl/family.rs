//! Interfaces and unions: which collections belong to each, and which fields these share.

use super::directive::Uses;
use super::document::{Document, Interface};
use super::report::Report;
use super::shape::{ObjectAt, Shapes, root_names};
use crate::catalog::FamilyField;
use apollo_compiler::Name;
use apollo_compiler::ast::Type;

/// An interface or a union, with at least one member.
pub(super) struct FamilyShape<'a> {
    pub(super) name: &'a Name,
    pub(super) plural: String,
    pub(super) description: Option<String>,
    pub(super) interface: bool,
    pub(super) fields: Vec<FamilyField>,
    /// In the order of the text.
    pub(super) members: Vec<ObjectAt>,
}

/// Resolves all families. Those that are wrong were reported and are left out.
pub(super) fn resolve<'a>(
    document: &Document<'a>,
    shapes: &Shapes<'_>,
    report: &mut Report<'_>,
) -> Vec<FamilyShape<'a>> {
    check_implemented(document, report);
    let mut families = Vec::new();
    for each in &document.interfaces {
        families.extend(interface(each, document, report));
    }
    for each in &document.unions {
        let definition = each.definition;
        let mut members: Vec<ObjectAt> = Vec::new();
        for name in &definition.members {
            let found = document.objects.iter().position(|object| object.definition.name == *name);
            match found.filter(|at| document.objects[*at].is_collection()) {
                Some(at) if members.contains(&at) => {
                    let message = format!("{} names {name} twice: remove one of them.", definition.name);
                    report.add(name.location(), "union", message);
                }
                Some(at) => members.push(at),
                None => {
                    let message = format!(
                        "{name} is no collection, and a union is one of collections: remove it from {}.",
                        definition.name
                    );
                    report.add(name.location(), "union", message);
                }
            }
        }
        if definition.members.is_empty() {
            report.add(
                definition.name.location(),
                "union",
                format!("{} has no members: name at least one collection.", definition.name),
            );
        }
        if members.is_empty() {
            continue;
        }
        let description = definition.description.as_ref().map(|text| text.to_string());
        let fields = common(shapes, &members);
        families.push(family((&definition.name, description), &each.uses, false, (fields, members), report));
    }
    families
}

fn family<'a>(
    (name, description): (&'a Name, Option<String>),
    uses: &Uses<'_>,
    interface: bool,
    (fields, members): (Vec<FamilyField>, Vec<ObjectAt>),
    report: &mut Report<'_>,
) -> FamilyShape<'a> {
    let collection = uses.one("collection");
    if let Some(given) = collection.filter(|each| each.value("operations").is_some()) {
        let message = format!("{name} is listed and nothing else: remove \"operations\".");
        report.add(given.place("operations"), "collection-name", message);
    }
    let (_, plural) = root_names(name, collection, report);
    FamilyShape { name, plural, description, interface, fields, members }
}

/// Every type that implements something is a collection, and what it implements is an interface of this document.
fn check_implemented(document: &Document<'_>, report: &mut Report<'_>) {
    for object in &document.objects {
        let name = &object.definition.name;
        for (at, interface) in object.definition.implements_interfaces.iter().enumerate() {
            let message = if !document.interfaces.iter().any(|each| each.definition.name == *interface) {
                format!("There is no interface {interface} for {name} to implement: declare it.")
            } else if !object.is_collection() {
                format!(
                    "{name} is an embedded value, and only collections implement interfaces: remove \"implements {interface}\"."
                )
            } else if object.definition.implements_interfaces[..at].contains(interface) {
                format!("{name} implements {interface} twice: remove one of them.")
            } else {
                continue;
            };
            report.add(interface.location(), "interface", message);
        }
    }
}

fn interface<'a>(each: &Interface<'a>, document: &Document<'_>, report: &mut Report<'_>) -> Option<FamilyShape<'a>> {
    let definition = each.definition;
    let name = &definition.name;
    let implements = |at: &ObjectAt| {
        let object = &document.objects[*at];
        object.is_collection() && object.definition.implements_interfaces.contains(name)
    };
    let members: Vec<ObjectAt> = (0..document.objects.len()).filter(implements).collect();
    if members.is_empty() {
        let message =
            format!("No collection implements {name}: write \"type ... implements {name} @collection\", or remove it.");
        report.add(name.location(), "interface", message);
        return None;
    }
    let id = definition.fields.iter().find(|field| field.name == "id");
    if !id.is_some_and(|id| matches!(&id.ty, Type::NonNullNamed(of) if of == "ID")) {
        let message = format!("{name} is of records, which have an identity: add \"id: ID!\".");
        report.add(id.map_or(name, |id| &id.name).location(), "interface", message);
    }
    let mut fields = Vec::new();
    for field in definition.fields.iter().filter(|field| field.name != "id") {
        let mut fits = true;
        for member in &members {
            let object = &document.objects[*member];
            let own = object.fields.iter().find(|own| own.definition.name == field.name);
            let place = object.definition.name.location();
            let owner = &object.definition.name;
            let message = match own {
                None => {
                    format!("{owner} implements {name} and lacks its field \"{}: {}\": add it.", field.name, field.ty)
                }
                Some(own) if own.definition.ty != field.ty => {
                    format!(
                        "{owner}.{} has the type {}, and {name} has {}: make them the same.",
                        field.name, own.definition.ty, field.ty
                    )
                }
                Some(own) if own.uses.one("hidden").is_some() => {
                    format!("{owner}.{} is @hidden, and {name} shows it: remove one of them.", field.name)
                }
                Some(_) => continue,
            };
            report.add(own.map_or(place, |own| own.definition.name.location()), "interface", message);
            fits = false;
        }
        if fits {
            let description = field.description.as_ref().map(|text| text.to_string());
            fields.push(FamilyField { name: field.name.to_string(), description });
        }
    }
    let description = definition.description.as_ref().map(|text| text.to_string());
    Some(family((name, description), &each.uses, true, (fields, members), report))
}

/// The fields that all members of a union have with one type, and show.
fn common(shapes: &Shapes<'_>, members: &[ObjectAt]) -> Vec<FamilyField> {
    let (first, others) = members.split_first().expect("a union has members");
    let fields = shapes.objects[*first].fields.iter();
    let shared = fields.filter(|field| field.uses.one("hidden").is_none()).filter(|field| {
        others.iter().all(|other| {
            let fields = &shapes.objects[*other].fields;
            let same = fields.iter().find(|each| each.name == field.name);
            same.is_some_and(|same| same.definition.ty == field.definition.ty && same.uses.one("hidden").is_none())
        })
    });
    shared.map(|field| FamilyField { name: field.name.to_string(), description: None }).collect()
}
