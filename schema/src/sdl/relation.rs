//! Relations: which side holds the reference, what goes with it, and whether the two sides agree.

use super::report::Report;
use super::shape::{FieldAt, ObjectAt, Shape, Shapes};
use crate::catalog::OnDelete;
use apollo_compiler::parser::SourceSpan;
use std::collections::BTreeMap;

/// What a field that leads to records is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Holds the reference. `unique` when the relation is one to one.
    Reference { inverse: Option<FieldAt>, on_delete: OnDelete, unique: bool },
    /// The other side of a one-to-one relation.
    One { owner: FieldAt },
    /// The other side of a reference that many may hold.
    Many { owner: FieldAt },
    /// Links.
    Links { inverse: Option<FieldAt>, on_delete: OnDelete },
}

/// Resolves all relations.
pub(super) fn resolve(shapes: &Shapes<'_>, report: &mut Report<'_>) -> BTreeMap<FieldAt, Relation> {
    let inverses = inverses(shapes, report);
    let mut relations = BTreeMap::new();
    for at in shapes.places() {
        let field = shapes.field(at);
        let Shape::Record(_) = field.kind else {
            if let Some(relation) = field.uses.one("relation") {
                let message = format!(
                    "@relation stands on {}, which does not lead to a collection: remove it, or add @collection to the type.",
                    shapes.coordinate(at)
                );
                report.add(relation.place(""), "relation-target", message);
            }
            continue;
        };
        if shapes.objects[at.0].collection.is_none() && field.list.is_some() {
            let message = format!(
                "{} lists records inside an embedded value, which cannot hold links: list embedded values that each refer to one record.",
                shapes.coordinate(at)
            );
            report.add(field.name.location(), "relation-embedded", message);
            continue;
        }
        if let Some(list) = field.list
            && !(list.element_required && field.required)
        {
            let message = format!(
                "A list of records is never null and neither are its elements: write {}: [{}!]!.",
                field.name,
                field.definition.ty.inner_named_type()
            );
            report.add(field.definition.ty.inner_named_type().location(), "relation-list", message);
        }
        relations.insert(at, classify(shapes, at, inverses.get(&at).copied(), &inverses, report));
    }
    relations
}

/// The field on the other side of each relation, in both directions.
fn inverses(shapes: &Shapes<'_>, report: &mut Report<'_>) -> BTreeMap<FieldAt, FieldAt> {
    let mut inverses = BTreeMap::new();
    // Sides that were named by `field:`, which the other side does not repeat.
    let mut one_sided: BTreeMap<FieldAt, FieldAt> = BTreeMap::new();
    for at in shapes.places() {
        let Some(named) = Named::of(shapes, at, report) else { continue };
        let Some(other) = other_side(shapes, at, &named, report) else { continue };
        let back = shapes.field(other).uses.one("relation");
        let back = back.and_then(|relation| relation.text("inverse").or(relation.text("field")));
        let name = shapes.field(at).name;
        let there = shapes.coordinate(other);
        match (named.argument, back) {
            (_, Some(back)) if back == name.as_str() => {}
            (_, Some(back)) => {
                let message = format!(
                    "{there} says that its other side is \"{back}\", not \"{name}\": a relation has two sides, and each names the other."
                );
                report.add(named.place, "relation-inverse", message);
                continue;
            }
            ("field", None) => {
                if let Some(earlier) = one_sided.insert(other, at) {
                    let earlier = shapes.coordinate(earlier);
                    let message = format!("{there} is the other side of {earlier} already: a relation has two sides.");
                    report.add(named.place, "relation-inverse", message);
                    continue;
                }
                inverses.insert(other, at);
            }
            (_, None) => {
                let message =
                    format!("{there} must say the same of its side: add @relation(inverse: \"{name}\") to it.");
                report.add(named.place, "relation-inverse", message);
                continue;
            }
        }
        inverses.insert(at, other);
    }
    inverses
}

/// How a field names its other side.
struct Named<'a> {
    target: ObjectAt,
    /// "inverse" or "field".
    argument: &'static str,
    name: &'a str,
    place: Option<SourceSpan>,
}

impl<'a> Named<'a> {
    fn of(shapes: &Shapes<'a>, at: FieldAt, report: &mut Report<'_>) -> Option<Named<'a>> {
        let field = shapes.field(at);
        let (Shape::Record(target), Some(relation)) = (field.kind, field.uses.one("relation")) else { return None };
        let given = |argument| Some((argument, relation.text(argument)?));
        let (argument, name) = given("inverse").or_else(|| given("field"))?;
        let named = Named { target, argument, name, place: relation.place(argument) };
        let here = shapes.coordinate(at);
        if argument == "inverse" && relation.text("field").is_some() {
            let message = format!("{here} names its other side twice: keep \"inverse\" and remove \"field\".");
            report.add(named.place, "relation-inverse", message);
            return None;
        }
        if shapes.objects[at.0].collection.is_none() {
            let message = format!(
                "{here} is inside an embedded value, where a reference has no other side: remove \"{argument}\"."
            );
            report.add(named.place, "relation-inverse", message);
            return None;
        }
        Some(named)
    }
}

/// The field that is named, if it can be the other side.
fn other_side(shapes: &Shapes<'_>, at: FieldAt, named: &Named<'_>, report: &mut Report<'_>) -> Option<FieldAt> {
    let Named { target, argument, name, place } = *named;
    let here = shapes.coordinate(at);
    let Some(other) = shapes.field_named(target, name) else {
        let target = shapes.objects[target].name;
        let message =
            format!("{target} has no field \"{name}\" that {here} could meet: declare it, or remove \"{argument}\".");
        report.add(place, "relation-inverse", message);
        return None;
    };
    if other == at {
        let message = format!(
            "{here} cannot be its own other side, because then nobody could tell the two ends apart: \
             declare a second field for the other direction, or remove \"{argument}\"."
        );
        report.add(place, "relation-inverse", message);
        return None;
    }
    if shapes.field(other).kind != Shape::Record(at.0) {
        let (there, back) = (shapes.coordinate(other), shapes.objects[at.0].name);
        let message = format!("{there} does not lead back to {back}, so it cannot be the other side of {here}.");
        report.add(place, "relation-inverse", message);
        return None;
    }
    Some(other)
}

fn classify(
    shapes: &Shapes<'_>,
    at: FieldAt,
    inverse: Option<FieldAt>,
    inverses: &BTreeMap<FieldAt, FieldAt>,
    report: &mut Report<'_>,
) -> Relation {
    let field = shapes.field(at);
    let many = field.list.is_some();
    let Some(other) = inverse else {
        return if many {
            Relation::Links { inverse: None, on_delete: links_on_delete(shapes, at, report) }
        } else {
            Relation::Reference {
                inverse: None,
                on_delete: reference_on_delete(shapes, at, None, report),
                unique: false,
            }
        };
    };
    match (many, shapes.field(other).list.is_some()) {
        (true, true) => Relation::Links { inverse, on_delete: links_on_delete(shapes, at, report) },
        (true, false) => Relation::Many { owner: other },
        (false, true) => {
            Relation::Reference { inverse, on_delete: reference_on_delete(shapes, at, inverse, report), unique: false }
        }
        (false, false) => {
            // An error in the other side's arguments was reported there; the pair is still classified alike from both.
            debug_assert!(inverses.get(&other).is_none_or(|back| *back == at));
            if owner(shapes, at, other, report) == at {
                Relation::Reference {
                    inverse,
                    on_delete: reference_on_delete(shapes, at, inverse, report),
                    unique: true,
                }
            } else {
                Relation::One { owner: other }
            }
        }
    }
}

/// Which side of a one-to-one relation holds the reference: the required one, else the first declared.
fn owner(shapes: &Shapes<'_>, at: FieldAt, other: FieldAt, report: &mut Report<'_>) -> FieldAt {
    let first = at.min(other);
    match (shapes.field(at).required, shapes.field(other).required) {
        (true, false) => at,
        (false, true) => other,
        (false, false) => first,
        (true, true) => {
            if at == first {
                let message = format!(
                    "{} and {} cannot both be required, for then neither record could be created first: make one of them optional.",
                    shapes.coordinate(at),
                    shapes.coordinate(other)
                );
                report.add(shapes.field(at).name.location(), "relation-required", message);
            }
            first
        }
    }
}

fn stated(shapes: &Shapes<'_>, at: FieldAt) -> Option<OnDelete> {
    match shapes.field(at).uses.one("relation")?.name("onDelete")? {
        "RESTRICT" => Some(OnDelete::Restrict),
        "CASCADE" => Some(OnDelete::Cascade),
        "SET_NULL" => Some(OnDelete::SetNull),
        _ => None,
    }
}

/// What happens to the holder of a reference: said on either side, and not differently on both.
fn reference_on_delete(
    shapes: &Shapes<'_>,
    at: FieldAt,
    inverse: Option<FieldAt>,
    report: &mut Report<'_>,
) -> OnDelete {
    let here = stated(shapes, at);
    let there = inverse.and_then(|other| stated(shapes, other));
    let place = |side: FieldAt| shapes.field(side).uses.one("relation").and_then(|relation| relation.place("onDelete"));
    if let (Some(here_says), Some(there_says), Some(other)) = (here, there, inverse)
        && here_says != there_says
    {
        let message = format!(
            "{} and {} say different things of what happens on delete: say it once, on either side.",
            shapes.coordinate(at),
            shapes.coordinate(other)
        );
        report.add(place(at), "relation-on-delete", message);
    }
    let said = here.or(there).unwrap_or(OnDelete::Restrict);
    if said == OnDelete::SetNull && shapes.field(at).required {
        let message = format!(
            "{} is required and cannot become null: make it optional, or use RESTRICT or CASCADE.",
            shapes.coordinate(at)
        );
        let side = if here.is_some() { at } else { inverse.unwrap_or(at) };
        report.add(place(side), "relation-on-delete", message);
    }
    said
}

fn links_on_delete(shapes: &Shapes<'_>, at: FieldAt, report: &mut Report<'_>) -> OnDelete {
    match stated(shapes, at) {
        Some(OnDelete::Cascade) => {
            let message = format!(
                "{} links records that others may link to as well, so they cannot be deleted with it: remove onDelete, and only the links go.",
                shapes.coordinate(at)
            );
            let place = shapes.field(at).uses.one("relation").and_then(|relation| relation.place("onDelete"));
            report.add(place, "relation-on-delete", message);
            OnDelete::SetNull
        }
        Some(OnDelete::Restrict) => OnDelete::Restrict,
        Some(OnDelete::SetNull) | None => OnDelete::SetNull,
    }
}
