//! `@computed`: what an expression's names lead to, with the numbers that they have.

use super::number::Numbers;
use super::report::Report;
use super::shape::{FieldAt, ObjectAt, Shape, Shapes};
use crate::catalog::Scalar;
use crate::compute::{self, Computed, Found, Holds};
use std::collections::BTreeMap;

/// Reads the expression of every computed field. Those that are wrong were reported and are left out.
pub(super) fn resolve(shapes: &Shapes<'_>, numbers: &Numbers, report: &mut Report<'_>) -> BTreeMap<FieldAt, Computed> {
    let mut found = BTreeMap::new();
    for at in shapes.places() {
        let field = shapes.field(at);
        let Some(each) = field.uses.one("computed") else { continue };
        let (Some(text), Shape::Scalar(scalar)) = (each.text("expr"), field.kind) else { continue };
        let names = |path: &[String]| follow(shapes, numbers, at.0, path);
        match compute::resolve(text, scalar, field.required, &names) {
            Ok(expression) => {
                found.insert(at, Computed { expression, stored: each.is_true("stored") });
            }
            Err(fragment) => {
                let name = shapes.coordinate(at);
                report.add(each.place("expr"), "computed", format!("{name} cannot be computed so: {fragment}."));
            }
        }
    }
    found
}

/// What a path leads to from an object.
fn follow(shapes: &Shapes<'_>, numbers: &Numbers, object: ObjectAt, path: &[String]) -> Result<Found, String> {
    let mut found = Found { path: Vec::new(), holds: Holds::Embedded, nullable: false, listed: false };
    let mut inside = object;
    for (depth, name) in path.iter().enumerate() {
        let owner = shapes.objects[inside].name;
        let Some(at) = shapes.field_named(inside, name) else {
            return Err(match name.as_str() {
                "id" => format!("{owner}.id is the name of the record, and nothing can be computed of it"),
                _ => format!("{owner} has no field \"{name}\""),
            });
        };
        let (field, last) = (shapes.field(at), depth + 1 == path.len());
        let name = shapes.coordinate(at);
        if field.uses.one("computed").is_some() {
            return Err(format!("{name} is computed itself: write out what it is made of"));
        }
        found.path.push(numbers.field(at));
        found.nullable |= !field.required;
        found.listed |= field.list.is_some();
        match field.kind {
            Shape::Embedded(inner) => inside = inner,
            Shape::Scalar(Scalar::Json) => return Err(format!("{name} is JSON, whose types nobody knows beforehand")),
            Shape::Scalar(_) if !last => return Err(format!("{name} has no fields inside")),
            Shape::Scalar(scalar) => found.holds = Holds::Scalar(scalar),
            Shape::Enum(_) => return Err(format!("{name} is an enum, and nothing can be computed of its values")),
            Shape::Record(_) => {
                return Err(format!("{name} leads to another record, and a computed field sees its own record only"));
            }
        }
    }
    Ok(found)
}
