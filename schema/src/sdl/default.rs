//! What fills or limits a field: `@default`, `@updatedAt`, `@autoIncrement`, `@readOnly`, `@hidden`, `@precision`.

use super::directive::Use;
use super::report::Report;
use super::shape::{FieldAt, FieldShape, Shape, Shapes};
use crate::Input;
use crate::catalog::{Default, Precision, Scalar};
use crate::scalar;
use apollo_compiler::Node;
use apollo_compiler::ast::Value;

/// Digits that a Decimal holds without rounding.
const PRECISION_DIGITS_MAX: i64 = 28;

/// Checks that what a field's directives say fits the field and each other.
pub(super) fn check_behaviour(shapes: &Shapes<'_>, at: FieldAt, report: &mut Report<'_>) {
    let field = shapes.field(at);
    let name = shapes.coordinate(at);
    let uses = field.uses;
    let single = field.list.is_none();
    if matches!(field.kind, Shape::Record(_)) {
        let fillers = ["default", "updatedAt", "autoIncrement", "computed", "precision", "check"];
        for (filler, each) in fillers.iter().flat_map(|filler| uses.all(filler).map(move |each| (filler, each))) {
            report.add(
                each.place(""),
                "behaviour-type",
                format!("@{filler} works on values, and {name} is a relation: remove it."),
            );
        }
        if let Some(each) = uses.one("readOnly")
            && field.required
            && single
        {
            report.add(
                each.place(""),
                "behaviour-conflict",
                format!("{name} is required, so it must be given: remove @readOnly."),
            );
        }
        return;
    }
    if let Some(each) = uses.one("updatedAt")
        && !(single && field.kind == Shape::Scalar(Scalar::DateTime))
    {
        report.add(
            each.place(""),
            "behaviour-type",
            format!("@updatedAt is the time of the last write: {name} must be a DateTime."),
        );
    }
    if let Some(each) = uses.one("autoIncrement")
        && !(single && matches!(field.kind, Shape::Scalar(Scalar::Int | Scalar::BigInt)))
    {
        report.add(
            each.place(""),
            "behaviour-type",
            format!("@autoIncrement counts: {name} must be an Int or a BigInt."),
        );
    }
    if let Some(each) = uses.one("precision") {
        check_precision(field, &name, each, report);
    }
    if let Some(each) = uses.one("computed") {
        let scalar = matches!(field.kind, Shape::Scalar(scalar) if scalar != Scalar::Json);
        if !(single && scalar) {
            let message = format!("@computed gives one value: {name} must be a scalar other than JSON, and no list.");
            report.add(each.place(""), "behaviour-type", message);
        }
        if let Some(other) = uses.one("readOnly") {
            let message = format!("{name} is computed, so nobody writes it anyway: remove @readOnly.");
            report.add(other.place(""), "behaviour-conflict", message);
        }
    }
    let fillers: Vec<&str> = ["default", "updatedAt", "autoIncrement", "computed"]
        .into_iter()
        .filter(|filler| uses.one(filler).is_some())
        .collect();
    if let [first, second, ..] = fillers.as_slice() {
        let place = uses.one(second).and_then(|each| each.place(""));
        report.add(place, "behaviour-conflict", format!("@{first} and @{second} both fill {name}: keep one of them."));
    }
    if let Some(each) = uses.one("readOnly")
        && field.required
        && fillers.is_empty()
    {
        let message = format!(
            "{name} is required and @readOnly, so nothing could ever fill it: add @default, or make it optional."
        );
        report.add(each.place(""), "behaviour-conflict", message);
    }
    if let Some(each) = uses.one("default") {
        check_default_arguments(field, &name, each, report);
    }
}

fn check_precision(field: &FieldShape<'_>, name: &str, each: Use<'_>, report: &mut Report<'_>) {
    if field.kind != Shape::Scalar(Scalar::Decimal) {
        report.add(
            each.place(""),
            "behaviour-type",
            format!("@precision is for Decimals, and {name} is none: remove it."),
        );
        return;
    }
    let (Some(digits), Some(scale)) = (each.number("digits"), each.number("scale")) else { return };
    if !(1..=PRECISION_DIGITS_MAX).contains(&digits) {
        report.add(
            each.place("digits"),
            "precision",
            format!("\"digits\" of {name} must be from 1 to {PRECISION_DIGITS_MAX}."),
        );
    } else if !(0..=digits).contains(&scale) {
        report.add(
            each.place("scale"),
            "precision",
            format!("\"scale\" of {name} must be from 0 to its digits, {digits}."),
        );
    }
}

fn check_default_arguments(field: &FieldShape<'_>, name: &str, each: Use<'_>, report: &mut Report<'_>) {
    if each.value("expr").is_some() {
        let message = format!("@default(expr:) is not supported yet by this release: give {name} a value instead.");
        report.add(each.place("expr"), "not-supported-yet", message);
        return;
    }
    match (each.value("value").is_some(), each.is_true("now")) {
        (true, true) => {
            report.add(
                each.place("now"),
                "behaviour-conflict",
                format!("{name} has two defaults, \"value\" and \"now\": keep one of them."),
            );
        }
        (false, false) => {
            let message = format!(
                "@default of {name} does not say what: write @default(value: ...), or @default(now: true) for a DateTime."
            );
            report.add(each.place(""), "default", message);
        }
        (false, true)
            if !(field.list.is_none() && matches!(field.kind, Shape::Scalar(Scalar::DateTime | Scalar::Date))) =>
        {
            report.add(
                each.place("now"),
                "default",
                format!("@default(now: true) is a time: {name} must be a DateTime or a Date."),
            );
        }
        _ => {}
    }
}

/// A field's `@precision`, checked before.
pub(super) fn precision(field: &FieldShape<'_>) -> Option<Precision> {
    let each = field.uses.one("precision")?;
    let bounded = |number: i64| u32::try_from(number).ok();
    Some(Precision { digits: bounded(each.number("digits")?)?, scale: bounded(each.number("scale")?)? })
}

/// A field's `@default`, its value checked against the field's type.
pub(super) fn default(shapes: &Shapes<'_>, at: FieldAt, report: &mut Report<'_>) -> Option<Default> {
    let field = shapes.field(at);
    let each = field.uses.one("default")?;
    if each.is_true("now") {
        return Some(Default::Now);
    }
    let written = each.value("value")?;
    check_value(shapes, at, written, report).map(Default::Value)
}

/// Checks a default value against a field; `None` when it was reported.
fn check_value(shapes: &Shapes<'_>, at: FieldAt, written: &Node<Value>, report: &mut Report<'_>) -> Option<Input> {
    let field = shapes.field(at);
    let name = shapes.coordinate(at);
    if written.is_null() {
        let message = format!(
            "null is no default: an optional field that is not given is null anyway. Remove the default of {name}."
        );
        report.add(written.location(), "default", message);
        return None;
    }
    let Some(list) = field.list else { return check_element(shapes, at, written, report) };
    let single = [written.clone()];
    // One value stands for a list of one, as everywhere in GraphQL.
    let elements = written.as_list().unwrap_or(&single);
    let mut values = Vec::new();
    for element in elements {
        if element.is_null() && !list.element_required {
            values.push(Input::Null);
        } else if element.is_null() {
            report.add(
                element.location(),
                "default",
                format!("The elements of {name} are never null: remove this one."),
            );
            return None;
        } else {
            values.push(check_element(shapes, at, element, report)?);
        }
    }
    Some(Input::List(values))
}

fn check_element(shapes: &Shapes<'_>, at: FieldAt, written: &Node<Value>, report: &mut Report<'_>) -> Option<Input> {
    let field = shapes.field(at);
    let name = shapes.coordinate(at);
    let input = input(written);
    match field.kind {
        Shape::Scalar(scalar) => {
            if let Err(sentence) = scalar::coerce(scalar, precision(field), &input) {
                report.add(written.location(), "default", format!("The default of {name} does not fit: {sentence}"));
                return None;
            }
            Some(input)
        }
        Shape::Enum(place) => {
            let values = &shapes.enums[place].definition.values;
            let known = written.as_enum().is_some_and(|name| values.iter().any(|value| value.value == *name));
            if !known {
                let names: Vec<&str> = values.iter().map(|value| value.value.as_str()).collect();
                let message = format!("The default of {name} must be one of {}.", names.join(", "));
                report.add(written.location(), "default", message);
                return None;
            }
            Some(input)
        }
        Shape::Embedded(object) => check_object(shapes, object, &name, written, report),
        Shape::Record(_) => None,
    }
}

fn check_object(
    shapes: &Shapes<'_>,
    object: usize,
    name: &str,
    written: &Node<Value>,
    report: &mut Report<'_>,
) -> Option<Input> {
    let shape = &shapes.objects[object];
    let Some(members) = written.as_object() else {
        report.add(
            written.location(),
            "default",
            format!("The default of {name} must be an object with the fields of {}.", shape.name),
        );
        return None;
    };
    let before = report.count();
    let mut fields = Vec::new();
    for (member, value) in members {
        let Some(at) = shapes.field_named(object, member) else {
            report.add(member.location(), "default", format!("{} has no field \"{member}\".", shape.name));
            continue;
        };
        if matches!(shapes.field(at).kind, Shape::Record(_)) {
            let message = format!(
                "{} refers to a record, which a schema cannot name: remove it from the default.",
                shapes.coordinate(at)
            );
            report.add(member.location(), "default", message);
        } else if value.is_null() && !shapes.field(at).required {
            fields.push((member.to_string(), Input::Null));
        } else if let Some(input) = check_value(shapes, at, value, report) {
            fields.push((member.to_string(), input));
        }
    }
    for field in &shape.fields {
        let given = members.iter().any(|(member, _)| member == field.name);
        if field.required && !given && field.uses.one("default").is_none() {
            report.add(
                written.location(),
                "default",
                format!("The default of {name} needs \"{}\", which is required.", field.name),
            );
        }
    }
    (report.count() == before).then_some(Input::Object(fields))
}

/// A literal as an input value.
pub(super) fn input(value: &Value) -> Input {
    match value {
        Value::Null => Input::Null,
        Value::Enum(name) => Input::Enum(name.to_string()),
        // Variables cannot stand in a schema; the parser refuses them.
        Value::Variable(name) => Input::String(format!("${name}")),
        Value::String(text) => Input::String(text.clone()),
        Value::Float(number) => Input::Number(number.as_str().to_owned()),
        Value::Int(number) => {
            number.as_str().parse().map_or_else(|_| Input::Number(number.as_str().to_owned()), Input::Int)
        }
        Value::Boolean(value) => Input::Bool(*value),
        Value::List(elements) => Input::List(elements.iter().map(|element| input(element)).collect()),
        Value::Object(members) => {
            Input::Object(members.iter().map(|(name, value)| (name.to_string(), input(value))).collect())
        }
    }
}
