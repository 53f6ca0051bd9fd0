//! What records add up to, by plain loops over all of them: no index, no stream, no page of anything.

use super::expected::Expected;
use super::predicate;
use super::tables::{Row, Tables};
use crate::workload::rows::filter::Datum;
use crate::workload::rows::fold::{Fold, Groups, parts};
use crate::workload::rows::table::{Kind, Table};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// Records that are equal in the keys of groups.
struct Group<'t> {
    keys: Vec<&'t Datum>,
    rows: Vec<&'t Row>,
}

impl Tables {
    /// What is answered to a fold.
    pub(super) fn fold(&self, fold: &Fold) -> Expected {
        let lets = |name: &str| {
            fold.filter.as_ref().is_none_or(|filter| predicate::truth(self, fold.of, name, filter) == Some(true))
        };
        let rows: Vec<&Row> = self.of(fold.of).filter(|(name, _)| lets(name)).map(|(_, row)| row).collect();
        let mut answer = json!({ "aggregate": aggregate(fold.of, &rows, &fold.fields) });
        let mut is_ordered = true;
        if let Some(groups) = &fold.groups {
            answer["groups"] = groups_of(fold, groups, &rows);
            // Records come in the order of their ids, which nobody knows here.
            is_ordered = !groups.by.iter().any(|field| matches!(fold.of.kind(field), Kind::One(..)));
        }
        Expected::Folded { answer, is_ordered }
    }
}

/// What records add up to.
pub(super) fn aggregate(of: Table, rows: &[&Row], fields: &[String]) -> Value {
    let mut answer = Map::from_iter([("count".to_owned(), json!(rows.len()))]);
    for field in fields {
        let values = rows.iter().map(|row| row.field(field)).filter(|value| **value != Datum::Null).collect();
        answer.insert(field.clone(), measured(of.kind(field), values));
    }
    Value::Object(answer)
}

fn measured(kind: Kind, mut values: Vec<&Datum>) -> Value {
    values.sort_by(|one, other| predicate::compare(kind, one, other));
    let shown = |value: Option<&&Datum>| value.map_or(Value::Null, |value| value.json(kind));
    let part = |name: &&str| {
        let value = match *name {
            "count" => json!(values.len()),
            "countDistinct" => {
                let mut distinct = values.clone();
                distinct.dedup();
                json!(distinct.len())
            }
            "min" => shown(values.first()),
            "max" => shown(values.last()),
            "sum" | "avg" if values.is_empty() => Value::Null,
            "sum" => sum(&values).0,
            _ => json!(sum(&values).1 / values.len() as f64),
        };
        ((*name).to_owned(), value)
    };
    Value::Object(parts(kind).iter().map(part).collect())
}

/// A sum as it is shown, and as the number that an average is taken of.
fn sum(values: &[&Datum]) -> (Value, f64) {
    if values.iter().any(|value| matches!(value, Datum::Float(_))) {
        let number = |value: &&Datum| if let Datum::Float(number) = value { *number } else { 0.0 };
        let sum = exact(values.iter().map(number));
        return (json!(sum), sum);
    }
    let number = |value: &&Datum| if let Datum::Int(number) = value { i128::from(*number) } else { 0 };
    let sum: i128 = values.iter().map(number).sum();
    (json!(sum.to_string()), sum as f64)
}

/// A sum of doubles that is rounded once, at its end: what is lost of each addition is kept beside it (Shewchuk's way).
fn exact(values: impl Iterator<Item = f64>) -> f64 {
    // Of growing size, none with a digit where another one has some.
    let mut parts: Vec<f64> = Vec::new();
    for mut sum in values {
        let mut kept = 0;
        for at in 0..parts.len() {
            let (total, lost) = added(sum, parts[at]);
            if lost != 0.0 {
                parts[kept] = lost;
                kept += 1;
            }
            sum = total;
        }
        parts.truncate(kept);
        parts.push(sum);
    }
    let Some(mut total) = parts.pop() else { return 0.0 };
    while let Some(part) = parts.pop() {
        let (next, lost) = added(total, part);
        total = next;
        if lost == 0.0 {
            continue;
        }
        // Half way between two doubles: what lies below decides.
        let pulls = parts.last().is_some_and(|below| (*below < 0.0) == (lost < 0.0));
        let (further, beyond) = (total + 2.0 * lost, 2.0 * lost);
        if pulls && further - total == beyond {
            total = further;
        }
        break;
    }
    total
}

/// A sum of two, and what it lost when it was rounded.
fn added(one: f64, other: f64) -> (f64, f64) {
    let (great, small) = if one.abs() < other.abs() { (other, one) } else { (one, other) };
    let sum = great + small;
    (sum, small - (sum - great))
}

fn groups_of(fold: &Fold, page: &Groups, rows: &[&Row]) -> Value {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in rows {
        let keys: Vec<&Datum> = page.by.iter().map(|field| row.field(field)).collect();
        match groups.iter_mut().find(|group| group.keys == keys) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { keys, rows: vec![row] }),
        }
    }
    groups.retain(|group| group.rows.len() as u64 >= page.least);
    groups.sort_by(|one, other| {
        let by_size = if page.largest_first { other.rows.len().cmp(&one.rows.len()) } else { Ordering::Equal };
        let keys = page.by.iter().zip(one.keys.iter().zip(&other.keys));
        let mut by_keys = keys.map(|(field, (one, other))| predicate::compare(fold.of.kind(field), one, other));
        by_size.then_with(|| by_keys.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal))
    });
    let shown = groups.iter().skip(page.offset as usize).take(page.first as usize);
    let shown = shown.map(|group| {
        let key = |(field, value): (&String, &&Datum)| {
            let kind = fold.of.kind(field);
            let value = match (kind, value) {
                (Kind::One(..), Datum::Text(name)) => json!({ "name": name }),
                _ => value.json(kind),
            };
            (field.clone(), value)
        };
        let keys: Map<String, Value> = page.by.iter().zip(&group.keys).map(key).collect();
        json!({ "key": keys, "aggregate": aggregate(fold.of, &group.rows, &fold.fields) })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_doubles_is_rounded_once() {
        let sum = |values: &[f64]| exact(values.iter().copied());
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e300, 1e-9, -1e300]), 1e-9);
        assert_eq!(sum(&[1.0, 1e300, 1.0, -1e300]), 2.0);
        // Half way to the next double, and a little more or less.
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum(&[1.0, half]), 1.0);
        assert_eq!(sum(&[1.0, half, 1e-40]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[1.0 + f64::EPSILON, half, -1e-40]), 1.0 + f64::EPSILON);
    }

    #[test]
    fn nulls_are_no_values_and_a_group_of_their_own() {
        let mut tables = Tables::default();
        let levels = [Datum::Int(-5), Datum::Null, Datum::Int(3), Datum::Int(3)];
        for (place, level) in levels.into_iter().enumerate() {
            let fields = [("level".to_owned(), level), ("score".to_owned(), Datum::Int(place as i64 - 1))];
            tables.put(Table::Sample, &format!("s{place}"), Row { fields: fields.into(), version: 1 });
        }
        let fields = vec!["level".to_owned(), "score".to_owned()];
        let groups = Some(Groups { least: 1, largest_first: true, first: 2, offset: 0, ..Groups::by(&["level"]) });
        let fold = Fold { of: Table::Sample, filter: None, fields, groups };
        let Expected::Folded { answer, is_ordered } = tables.fold(&fold) else { panic!("it is a fold") };
        let level = json!({ "count": 3, "countDistinct": 2, "min": "-5", "max": "3" });
        let score = json!({ "count": 4, "countDistinct": 4, "sum": "2", "avg": 0.5, "min": -1, "max": 2 });
        assert_eq!(answer["aggregate"], json!({ "count": 4, "level": level, "score": score }));
        let keys: Vec<&Value> = answer["groups"].as_array().unwrap().iter().map(|group| &group["key"]).collect();
        assert_eq!(keys, [&json!({ "level": "3" }), &json!({ "level": null })]);
        assert!(is_ordered);
    }
}
