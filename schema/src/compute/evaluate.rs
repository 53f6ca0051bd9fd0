//! The value of an expression for one document. Arithmetic is exact where its type is; what does not fit is an error.

use super::{Expression, Fold, Function};
use crate::catalog::{Field, FieldKind, Scalar};
use crate::write::entries::{collect, value_at};
use crate::{Input, scalar};
use std::cmp::Ordering;
use vivarium_storage::value::Decimal;
use vivarium_storage::{Document, Value};

/// The value of a computed field, as it is stored.
///
/// # Errors
/// A fragment that says what does not fit.
pub(super) fn value(field: &Field, expression: &Expression, document: Document<'_>) -> Result<Value, String> {
    let FieldKind::Scalar(scalar) = field.kind else { unreachable!("computed fields are scalars") };
    let value = evaluate(expression, document)?;
    Ok(match (scalar, value) {
        (Scalar::Int, Value::Int(number)) if i32::try_from(number).is_err() => {
            return Err(format!("{number} does not fit an Int: declare the field as BigInt"));
        }
        (Scalar::Decimal, Value::Int(number)) => precise(field, Decimal::from(number))?,
        (Scalar::Decimal, Value::Decimal(number)) => precise(field, number)?,
        (Scalar::Float, number @ (Value::Int(_) | Value::Decimal(_))) => float(number_as_float(&number))?,
        (_, value) => value,
    })
}

fn precise(field: &Field, number: Decimal) -> Result<Value, String> {
    if field.precision.is_none() {
        return Ok(Value::Decimal(number));
    }
    scalar::coerce(Scalar::Decimal, field.precision, &Input::String(digits(number)))
}

fn evaluate(expression: &Expression, document: Document<'_>) -> Result<Value, String> {
    Ok(match expression {
        Expression::Null => Value::Null,
        Expression::Boolean(value) => Value::Bool(*value),
        Expression::Whole(number) => Value::Int(*number),
        Expression::Decimal { digits, scale } => Value::Decimal(Decimal::new(*digits, *scale)),
        Expression::Text(text) => Value::String(text.clone()),
        Expression::Field(path) => value_at(document, path).to_value(),
        Expression::Fold(fold, path) => {
            let mut found = Vec::new();
            collect(document, path, &mut found);
            let values = found.iter().filter(|value| !value.is_null()).map(|value| value.to_value());
            folded(fold, values.collect())?
        }
        Expression::Apply(function, operands) => apply(*function, operands, document)?,
    })
}

fn apply(function: Function, operands: &[Expression], document: Document<'_>) -> Result<Value, String> {
    let at = |place: usize| evaluate(&operands[place], document);
    match function {
        Function::If => return at(if at(0)? == Value::Bool(true) { 1 } else { 2 }),
        Function::Coalesce => {
            for operand in operands {
                let value = evaluate(operand, document)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            return Ok(Value::Null);
        }
        // As in SQL: what is decided stays decided, whatever is unknown.
        Function::And | Function::Or => {
            let decided = Value::Bool(function == Function::Or);
            let mut unknown = false;
            for operand in operands {
                match evaluate(operand, document)? {
                    value if value == decided => return Ok(decided),
                    value => unknown |= value.is_null(),
                }
            }
            return Ok(if unknown { Value::Null } else { Value::Bool(function == Function::And) });
        }
        _ => {}
    }
    let mut values = Vec::with_capacity(operands.len());
    for operand in operands {
        match evaluate(operand, document)? {
            Value::Null => return Ok(Value::Null),
            value => values.push(value),
        }
    }
    strict(function, values)
}

/// A function none of whose operands is null.
fn strict(function: Function, values: Vec<Value>) -> Result<Value, String> {
    let ordered = |wanted: fn(Ordering) -> bool| Ok(Value::Bool(wanted(values[0].compare(&values[1]))));
    match (function, values.as_slice()) {
        (Function::Equal, _) => ordered(Ordering::is_eq),
        (Function::NotEqual, _) => ordered(Ordering::is_ne),
        (Function::Less, _) => ordered(Ordering::is_lt),
        (Function::LessOrEqual, _) => ordered(Ordering::is_le),
        (Function::Greater, _) => ordered(Ordering::is_gt),
        (Function::GreaterOrEqual, _) => ordered(Ordering::is_ge),
        (Function::Not, [Value::Bool(value)]) => Ok(Value::Bool(!value)),
        (Function::Concatenate, values) => Ok(Value::String(values.iter().map(printed).collect())),
        (Function::Lower, [Value::String(text)]) => Ok(Value::String(text.to_lowercase())),
        (Function::Upper, [Value::String(text)]) => Ok(Value::String(text.to_uppercase())),
        (Function::Trim, [Value::String(text)]) => Ok(Value::String(text.trim().to_owned())),
        (Function::Length, [Value::String(text)]) => whole(text.chars().count()),
        (Function::Negate, [number]) => arithmetic(Function::Subtract, &Value::Int(0), number),
        (Function::Absolute, [number]) => match number.compare(&Value::Int(0)) {
            Ordering::Less => arithmetic(Function::Subtract, &Value::Int(0), number),
            _ => Ok(number.clone()),
        },
        (Function::Add | Function::Subtract | Function::Multiply | Function::Divide, [first, rest @ ..]) => {
            rest.iter().try_fold(first.clone(), |left, right| match left {
                // What was divided by zero.
                Value::Null => Ok(Value::Null),
                left => arithmetic(function, &left, right),
            })
        }
        (Function::Round, [Value::Int(number), Value::Int(0)]) => Ok(Value::Int(*number)),
        (Function::Round, [number, Value::Int(scale)]) => {
            let scale = u32::try_from(*scale).expect("a scale was checked when the schema was declared");
            let strategy = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
            let rounded = decimal(number).round_dp_with_strategy(scale, strategy);
            if scale == 0 { whole_of(rounded) } else { Ok(Value::Decimal(rounded)) }
        }
        (Function::Floor, [number]) => whole_of(decimal(number).floor()),
        (Function::Ceiling, [number]) => whole_of(decimal(number).ceil()),
        (function, values) => unreachable!("{function:?} of {values:?} was refused when the schema was declared"),
    }
}

fn arithmetic(function: Function, left: &Value, right: &Value) -> Result<Value, String> {
    if function == Function::Divide && right.compare(&Value::Int(0)).is_eq() {
        return Ok(Value::Null);
    }
    match (left, right) {
        (Value::Float(_), _) | (_, Value::Float(_)) => {
            let (left, right) = (number_as_float(left), number_as_float(right));
            float(match function {
                Function::Add => left + right,
                Function::Subtract => left - right,
                Function::Multiply => left * right,
                _ => left / right,
            })
        }
        (Value::Int(left), Value::Int(right)) if function != Function::Divide => {
            let result = match function {
                Function::Add => left.checked_add(*right),
                Function::Subtract => left.checked_sub(*right),
                _ => left.checked_mul(*right),
            };
            result.map(Value::Int).ok_or_else(|| "a whole number does not fit 64 bits".to_owned())
        }
        (left, right) => {
            let (left, right) = (decimal(left), decimal(right));
            let wider = left.scale().max(right.scale());
            let (result, scale) = match function {
                Function::Add => (left.checked_add(right), wider),
                Function::Subtract => (left.checked_sub(right), wider),
                Function::Multiply => (left.checked_mul(right), left.scale() + right.scale()),
                // The digits that a quotient needs, and no zeros behind them.
                _ => (left.checked_div(right).map(|quotient| quotient.normalize()), 0),
            };
            let mut result = result.ok_or_else(|| "a Decimal has more than 28 digits".to_owned())?;
            // A sum or product that is zero keeps its digits after the point like any other.
            if result.scale() < scale {
                result.rescale(scale.min(Decimal::MAX_SCALE));
            }
            Ok(Value::Decimal(result))
        }
    }
}

/// The elements of a list, none of them null, as one value.
fn folded(fold: &Fold, values: Vec<Value>) -> Result<Value, String> {
    let sum =
        |values: Vec<Value>| values.iter().try_fold(Value::Int(0), |sum, value| arithmetic(Function::Add, &sum, value));
    let best = |values: Vec<Value>, wanted: Ordering| {
        let better = |best: Value, value: Value| if value.compare(&best) == wanted { value } else { best };
        values.into_iter().reduce(better).unwrap_or(Value::Null)
    };
    Ok(match fold {
        Fold::Sum => sum(values)?,
        Fold::Average if values.is_empty() => Value::Null,
        Fold::Average => {
            let count = whole(values.len())?;
            arithmetic(Function::Divide, &sum(values)?, &count)?
        }
        Fold::Least => best(values, Ordering::Less),
        Fold::Greatest => best(values, Ordering::Greater),
        Fold::Count => whole(values.len())?,
        Fold::Join(between) => Value::String(values.iter().map(printed).collect::<Vec<_>>().join(between)),
    })
}

fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => digits(*number),
        other => unreachable!("{other:?} is not printed: it was refused when the schema was declared"),
    }
}

/// As clients see it: minus zero is zero.
fn digits(number: Decimal) -> String {
    let text = number.to_string();
    if number.is_zero() { text.trim_start_matches('-').to_owned() } else { text }
}

fn whole(count: usize) -> Result<Value, String> {
    i64::try_from(count).map(Value::Int).map_err(|_| "a whole number does not fit 64 bits".to_owned())
}

fn whole_of(number: Decimal) -> Result<Value, String> {
    let number = i64::try_from(number.normalize().mantissa()).ok().filter(|_| number.normalize().scale() == 0);
    number.map(Value::Int).ok_or_else(|| "a whole number does not fit 64 bits".to_owned())
}

fn decimal(number: &Value) -> Decimal {
    match number {
        Value::Int(number) => Decimal::from(*number),
        Value::Decimal(number) => *number,
        other => unreachable!("{other:?} is no exact number: it was refused when the schema was declared"),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a Float is the nearest double")]
fn number_as_float(number: &Value) -> f64 {
    match number {
        Value::Int(number) => *number as f64,
        Value::Float(number) => *number,
        // The nearest double of the digits, as a client's literal would be.
        Value::Decimal(number) => number.to_string().parse().expect("a Decimal's digits are a number"),
        other => unreachable!("{other:?} is no number: it was refused when the schema was declared"),
    }
}

/// A Float, with one zero only.
fn float(number: f64) -> Result<Value, String> {
    let number = if number == 0.0 { 0.0 } else { number };
    if number.is_finite() { Ok(Value::Float(number)) } else { Err("a Float becomes infinite".to_owned()) }
}
