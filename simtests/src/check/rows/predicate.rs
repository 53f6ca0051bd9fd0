//! Filters, evaluated on one record at a time as they are written. Whatever is compared with null is unknown.

use super::tables::Tables;
use crate::workload::rows::filter::{Datum, Filter, Operator, Quantifier, target};
use crate::workload::rows::table::{Kind, Table};
use std::cmp::Ordering;

/// What a filter says of a record; `None` when it is unknown.
pub(super) fn truth(tables: &Tables, of: Table, name: &str, filter: &Filter) -> Option<bool> {
    match filter {
        Filter::Test { field, is } => {
            let own = Datum::Text(name.to_owned());
            let row = tables.row(of, name)?;
            let value = if field == "name" { &own } else { row.field(field) };
            all(is.iter().map(|operator| holds(of.kind(field), operator, value)))
        }
        Filter::All(parts) => all(parts.iter().map(|part| truth(tables, of, name, part))),
        Filter::Any(parts) => any(parts.iter().map(|part| truth(tables, of, name, part))),
        Filter::Not(part) => truth(tables, of, name, part).map(|holds| !holds),
        Filter::Related { field, how, filter } => {
            let to = target(of, field);
            let related = tables.related(of, name, field);
            let mut matches = related.iter().map(|name| truth(tables, to, name, filter) == Some(true));
            Some(match how {
                Quantifier::One | Quantifier::Some => matches.any(|matches| matches),
                Quantifier::Every => matches.all(|matches| matches),
                Quantifier::None => !matches.any(|matches| matches),
            })
        }
        Filter::Counted { field, is } => {
            let count = tables.related(of, name, field).len() as i64;
            all(is.iter().map(|operator| holds(Kind::Int, operator, &Datum::Int(count))))
        }
    }
}

fn all(mut truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    truths
        .try_fold(Some(true), |sofar, truth| match truth {
            Some(false) => Err(()),
            Some(true) => Ok(sofar),
            None => Ok(None),
        })
        .unwrap_or(Some(false))
}

fn any(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all(truths.map(|truth| truth.map(|holds| !holds))).map(|holds| !holds)
}

fn holds(kind: Kind, operator: &Operator, value: &Datum) -> Option<bool> {
    if let Operator::IsNull(wanted) = operator {
        return Some((*value == Datum::Null) == *wanted);
    }
    if *value == Datum::Null {
        return None;
    }
    let order = |operand: &Datum| compare(kind, value, operand);
    Some(match operator {
        Operator::Eq(operand) => order(operand).is_eq(),
        Operator::Ne(operand) => order(operand).is_ne(),
        Operator::In(operands) => operands.iter().any(|operand| order(operand).is_eq()),
        Operator::Lt(operand) => order(operand).is_lt(),
        Operator::Lte(operand) => order(operand).is_le(),
        Operator::Gt(operand) => order(operand).is_gt(),
        Operator::Gte(operand) => order(operand).is_ge(),
        Operator::Has(number) => matches!(value, Datum::Ints(numbers) if numbers.contains(number)),
        Operator::IsNull(_) => unreachable!("answered above"),
    })
}

/// The order of two values of a field. Null comes first.
pub(super) fn compare(kind: Kind, one: &Datum, other: &Datum) -> Ordering {
    match (one, other) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Less,
        (_, Datum::Null) => Ordering::Greater,
        (Datum::Int(one), Datum::Int(other)) => one.cmp(other),
        (Datum::Float(one), Datum::Float(other)) => one.total_cmp(other),
        (Datum::Text(one), Datum::Text(other)) => {
            let Kind::Enum(values) = kind else { return one.cmp(other) };
            let place = |text: &String| values.iter().position(|value| value == text);
            place(one).cmp(&place(other))
        }
        _ => unreachable!("{one:?} and {other:?} are not values of one field"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_decides_nothing() {
        assert_eq!(all([None, Some(true)].into_iter()), None);
        assert_eq!(all([None, Some(false)].into_iter()), Some(false));
        assert_eq!(any([None, Some(true)].into_iter()), Some(true));
        assert_eq!(any([None, Some(false)].into_iter()), None);
        assert_eq!(holds(Kind::Int, &Operator::Ne(Datum::Int(1)), &Datum::Null), None);
        assert_eq!(holds(Kind::Int, &Operator::IsNull(true), &Datum::Null), Some(true));
    }

    #[test]
    fn enums_are_ordered_as_declared_and_nulls_first() {
        let shade = Kind::Enum(&crate::workload::rows::table::SHADES);
        let text = |text: &str| Datum::Text(text.into());
        assert!(compare(shade, &text("DARK"), &text("CLEAR")).is_lt());
        assert!(compare(Kind::Text, &text("DARK"), &text("CLEAR")).is_gt());
        assert!(compare(Kind::BigInt, &Datum::Null, &Datum::Int(i64::MIN)).is_lt());
    }
}
