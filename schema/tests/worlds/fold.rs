//! What records add up to, by plain loops: values in a list, sums as on paper, groups one after the other.
//!
//! A sum that its type does not hold is answered by a text that stands for the null and the error.

use super::atom::{self, Atom, Rank};
use super::evaluate::{Evaluator, bytes};
use super::judge::{Truth, and, not, of_value, or};
use super::model::{Kind, Object};
use super::operation::*;
use super::world::{Id, Value, field};
use jiff::civil::Date;
use serde_json::{Value as Json, json};
use std::cmp::Ordering;

/// What stands for a sum that is none.
pub const BEYOND: &str = "\u{2}beyond";

/// Groups of a page when nothing is said.
const PAGE: usize = 100;

/// The greatest Decimal, without its point.
const DECIMAL_MAX: &str = "79228162514264337593543950335";

/// The values of a field that are not null.
pub struct Values {
    pub of: String,
    /// Digits behind the point that the field is declared with.
    scale: Option<usize>,
    atoms: Vec<Atom>,
}

/// A sum, as it is compared.
#[derive(Clone, Debug)]
enum Sum {
    Whole(i128),
    Float(f64),
    Decimal(String),
}

/// A group: its keys and its records.
pub struct Group {
    pub keys: Vec<(String, Json, Option<Rank>)>,
    pub ids: Vec<Id>,
}

/// Fields with `@precision(scale: 2)`.
fn scale(object: &Object, name: &str) -> Option<usize> {
    (object.name == "Item" && name == "cost").then_some(2)
}

/// The type of what a field is folded to, if it is.
pub fn measure(object: &Object, name: &str) -> Option<&'static str> {
    if name == "id" {
        return Some("CountAggregate");
    }
    let declared = object.field(name);
    if declared.list || name == "count" || declared.of == "JSON" {
        return None;
    }
    match declared.kind {
        Kind::Scalar => Some(match declared.of.as_str() {
            "Int" => "IntAggregate",
            "BigInt" => "BigIntAggregate",
            "Float" => "FloatAggregate",
            "Decimal" => "DecimalAggregate",
            "Date" => "DateAggregate",
            "DateTime" => "DateTimeAggregate",
            "Duration" => "DurationAggregate",
            _ => "CountAggregate",
        }),
        Kind::Enum | Kind::Reference { .. } => Some("CountAggregate"),
        _ => None,
    }
}

/// Whether records are grouped by a field, and by which buckets.
pub fn buckets(object: &Object, name: &str) -> Option<&'static [&'static str]> {
    const ALL: [&str; 6] = ["HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];
    let declared = object.field(name);
    if declared.list || declared.of == "JSON" {
        return None;
    }
    match declared.kind {
        Kind::Scalar if declared.of == "DateTime" => Some(&ALL),
        Kind::Scalar if declared.of == "Date" => Some(&ALL[1..]),
        Kind::Scalar | Kind::Enum | Kind::Reference { .. } => Some(&[]),
        _ => None,
    }
}

/// True of what has a sum and an average.
pub fn is_number(measure: &str) -> bool {
    ["IntAggregate", "BigIntAggregate", "FloatAggregate", "DecimalAggregate"].contains(&measure)
}

/// The values of a field in records.
pub fn values(evaluator: Evaluator<'_>, object: &Object, ids: &[Id], name: &str) -> Values {
    let mut atoms = Vec::new();
    for id in ids {
        if name == "id" {
            atoms.push(atom::text(id));
            continue;
        }
        match field(evaluator.world.get(&object.name, id).unwrap(), name) {
            Value::Atom(atom) => atoms.push(atom.as_ref().clone()),
            Value::Reference(id) => atoms.push(atom::text(id)),
            _ => {}
        }
    }
    let of = if name == "id" { "ID".to_owned() } else { object.field(name).of.clone() };
    Values { of, scale: scale(object, name), atoms }
}

impl Values {
    /// A field of what they are folded to.
    pub fn answer(&self, name: &str) -> Json {
        match name {
            "count" => json!(self.atoms.len()),
            "countDistinct" => json!(self.ascending(true).len()),
            "min" => self.extreme(true).map_or(Json::Null, |atom| self.shown(atom)),
            "max" => self.extreme(false).map_or(Json::Null, |atom| self.shown(atom)),
            "sum" => match self.sum() {
                None => Json::Null,
                Some(Sum::Whole(sum)) => i64::try_from(sum).map_or(json!(BEYOND), |sum| json!(sum.to_string())),
                Some(Sum::Float(sum)) => float(sum),
                Some(Sum::Decimal(sum)) => decimal(&sum, self.scale),
            },
            "avg" => match self.average() {
                None => Json::Null,
                Some(Rank::Float(average)) => float(average),
                Some(Rank::Decimal(average)) => decimal(&average, None),
                Some(other) => panic!("{other:?} is no average"),
            },
            name => panic!("no {name}"),
        }
    }

    /// What `having` compares.
    fn compared(&self, part: &str) -> Option<Atom> {
        let of = |rank| Atom { rank, json: Json::Null, forms: Vec::new() };
        match part {
            "min" | "max" => self.extreme(part == "min").cloned(),
            "sum" => self.sum().map(|sum| match sum {
                Sum::Whole(sum) => of(Rank::Whole(i64::try_from(sum).expect("sums of Int are compared"))),
                Sum::Float(sum) => of(Rank::Float(sum.clamp(f64::MIN, f64::MAX))),
                Sum::Decimal(sum) => of(Rank::Decimal(sum)),
            }),
            _ => self.average().map(|average| match average {
                Rank::Float(average) if self.of == "Float" => of(Rank::Float(average.clamp(f64::MIN, f64::MAX))),
                // Compared with a Decimal, by its digits.
                Rank::Float(average) => of(Rank::Decimal(format!("{average}"))),
                other => of(other),
            }),
        }
    }

    fn ascending(&self, once: bool) -> Vec<&Atom> {
        let mut sorted: Vec<&Atom> = self.atoms.iter().collect();
        sorted.sort_by(|one, other| one.rank.compare(&other.rank));
        if once {
            sorted.dedup_by(|one, other| one.rank.compare(&other.rank).is_eq());
        }
        sorted
    }

    fn extreme(&self, least: bool) -> Option<&Atom> {
        let sorted = self.ascending(false);
        if least { sorted.first().copied() } else { sorted.last().copied() }
    }

    /// Digits that are kept apart from how they were written.
    fn shown(&self, atom: &Atom) -> Json {
        match &atom.rank {
            Rank::Decimal(digits) => decimal(digits, self.scale),
            _ => atom.json.clone(),
        }
    }

    fn sum(&self) -> Option<Sum> {
        let first = self.atoms.first()?;
        Some(match first.rank {
            Rank::Whole(_) => {
                let whole = |atom: &Atom| match atom.rank {
                    Rank::Whole(number) => i128::from(number),
                    ref other => panic!("{other:?} is no whole number"),
                };
                Sum::Whole(self.atoms.iter().map(whole).sum())
            }
            // All digits of a double are finitely many.
            Rank::Float(_) => Sum::Float(self.paper().parse().unwrap()),
            Rank::Decimal(_) => Sum::Decimal(self.paper()),
            ref other => panic!("{other:?} has no sum"),
        })
    }

    fn average(&self) -> Option<Rank> {
        let count = self.atoms.len();
        Some(match self.sum()? {
            #[allow(clippy::cast_precision_loss, reason = "the nearest double")]
            Sum::Whole(sum) => Rank::Float(sum as f64 / count as f64),
            #[allow(clippy::cast_precision_loss, reason = "the nearest double")]
            Sum::Float(sum) => Rank::Float(sum / count as f64),
            Sum::Decimal(sum) => Rank::Decimal(divided(&sum, u64::try_from(count).unwrap())),
        })
    }

    /// The sum of all digits as on paper: column by column, with a carry.
    fn paper(&self) -> String {
        const WHOLE: usize = 330;
        const FRACTION: usize = 1_100;
        let mut columns = vec![0i64; WHOLE + FRACTION];
        for atom in &self.atoms {
            let text = match &atom.rank {
                Rank::Float(value) => format!("{value:.FRACTION$}"),
                Rank::Decimal(digits) => digits.clone(),
                other => panic!("{other:?} has no digits"),
            };
            let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            for (at, digit) in whole.bytes().rev().enumerate() {
                columns[WHOLE - 1 - at] += sign * i64::from(digit - b'0');
            }
            for (at, digit) in fraction.bytes().enumerate() {
                columns[WHOLE + at] += sign * i64::from(digit - b'0');
            }
        }
        let negative = carried(&mut columns);
        if negative {
            columns.iter_mut().for_each(|column| *column = -*column);
            assert!(!carried(&mut columns), "one of two opposites is not negative");
        }
        let digit = |column: &i64| char::from(b'0' + u8::try_from(*column).unwrap());
        let whole: String = columns[..WHOLE].iter().map(digit).collect();
        let fraction: String = columns[WHOLE..].iter().map(digit).collect();
        format!("{}{}", if negative { "-" } else { "" }, shortest(&whole, &fraction))
    }
}

/// Carries every column to the next one. True when the number is below zero; its columns are of no use then.
fn carried(columns: &mut [i64]) -> bool {
    let before = columns.to_vec();
    let mut carry = 0;
    for column in columns.iter_mut().rev() {
        let sum = *column + carry;
        *column = sum.rem_euclid(10);
        carry = sum.div_euclid(10);
    }
    if carry < 0 {
        columns.copy_from_slice(&before);
    }
    carry < 0
}

fn shortest(whole: &str, fraction: &str) -> String {
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// A Decimal's digits divided as on paper: ten places, or as many as the dividend has, or as many as fit.
fn divided(digits: &str, count: u64) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places_max = fraction.trim_end_matches('0').len().max(10);
    let mut quotient = String::new();
    let mut rest = 0;
    let step = |digit: u8, rest: &mut u64| -> char {
        let dividend = *rest * 10 + u64::from(digit);
        *rest = dividend % count;
        char::from(b'0' + u8::try_from(dividend / count).unwrap())
    };
    for digit in whole.bytes() {
        quotient.push(step(digit - b'0', &mut rest));
    }
    let mut following = fraction.bytes().map(|digit| digit - b'0').collect::<Vec<u8>>().into_iter();
    let mut places = 0;
    let next = loop {
        let digit = following.next();
        let next = step(digit.unwrap_or(0), &mut rest);
        let longer = format!("{quotient}{next}");
        let fits = {
            let digits = longer.trim_start_matches('0');
            (digits.len(), digits) <= (DECIMAL_MAX.len(), DECIMAL_MAX)
        };
        if places == places_max || !fits {
            break next;
        }
        quotient = longer;
        places += 1;
    };
    let more = rest != 0 || following.any(|digit| digit != 0);
    let odd = quotient.ends_with(['1', '3', '5', '7', '9']);
    if next > '5' || (next == '5' && (more || odd)) {
        quotient = incremented(&quotient);
    }
    let split = quotient.len() - places;
    let text = shortest(&quotient[..split], &quotient[split..]);
    if text == "0" { text } else { format!("{sign}{text}") }
}

fn incremented(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let zeros = "0".repeat(digits.len() - kept.len());
    match kept.char_indices().next_back() {
        None => format!("1{zeros}"),
        Some((at, last)) => format!("{}{}{zeros}", &kept[..at], char::from(last as u8 + 1)),
    }
}

/// A Decimal as it is answered: with so many digits behind the point, else without a zero at its end.
fn decimal(digits: &str, scale: Option<usize>) -> Json {
    let (sign, size) = digits.strip_prefix('-').map_or(("", digits), |size| ("-", size));
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let short = shortest(whole, fraction);
    let mantissa = short.replace('.', "");
    let mantissa = mantissa.trim_start_matches('0');
    let behind = short.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if (mantissa.len(), mantissa) > (DECIMAL_MAX.len(), DECIMAL_MAX) || behind > 28 {
        return json!(BEYOND);
    }
    let sign = if short == "0" { "" } else { sign };
    match scale {
        Some(scale) => {
            let (whole, fraction) = short.split_once('.').unwrap_or((&short, ""));
            json!(format!("{sign}{whole}.{fraction:0<scale$}"))
        }
        None => json!(format!("{sign}{short}")),
    }
}

fn float(value: f64) -> Json {
    if !value.is_finite() {
        return json!(BEYOND);
    }
    json!(if value == 0.0 { 0.0 } else { value })
}

/// The bucket that an instant or a day lies in, by its text.
fn bucket(text: &str, name: &str) -> String {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let month: usize = date[5..7].parse().unwrap();
    let first = match name {
        "HOUR" => return format!("{date}T{}:00:00Z", &time.unwrap()[..2]),
        "DAY" => date.to_owned(),
        "WEEK" => {
            let day: Date = date.parse().unwrap();
            let passed = i64::from(day.weekday().to_monday_zero_offset());
            day.checked_sub(jiff::Span::new().days(passed)).unwrap().to_string()
        }
        "MONTH" => format!("{}-01", &date[..7]),
        "QUARTER" => format!("{}-{:02}-01", &date[..4], (month - 1) / 3 * 3 + 1),
        _ => format!("{}-01-01", &date[..4]),
    };
    if time.is_some() { format!("{first}T00:00:00Z") } else { first }
}

/// All groups that are asked for, in order.
pub fn groups(evaluator: Evaluator<'_>, object: &Object, asked: &Groups, ids: &[Id]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for id in ids {
        let record = evaluator.world.get(&object.name, id).unwrap();
        let key = |(name, bucket_name): &(String, Option<&'static str>)| {
            let (json, rank) = match (field(record, name), bucket_name) {
                (Value::Atom(atom), Some(bucket_name)) => {
                    let Rank::Text(text) = &atom.rank else { panic!("times are compared as texts") };
                    let first = bucket(text, bucket_name);
                    (json!(first), Some(Rank::Text(first)))
                }
                (Value::Atom(atom), None) => {
                    let shown = Values { of: String::new(), scale: scale(object, name), atoms: Vec::new() }.shown(atom);
                    (shown, Some(atom.rank.clone()))
                }
                (Value::Reference(id), _) => (json!(id), Some(Rank::Bytes(bytes(id)))),
                _ => (Json::Null, None),
            };
            (name.clone(), json, rank)
        };
        let keys: Vec<(String, Json, Option<Rank>)> = asked.by.iter().map(key).collect();
        let same = |group: &&mut Group| {
            group.keys.iter().zip(&keys).all(|(one, other)| compare_keys(&one.2, &other.2, true, false).is_eq())
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.ids.push(id.clone()),
            None => groups.push(Group { keys, ids: vec![id.clone()] }),
        }
    }
    groups.retain(|group| {
        let having = asked.having.as_ref();
        having.is_none_or(|having| truth(evaluator, object, group, having) == Some(true))
    });
    groups.sort_by(|one, other| {
        let by_order = asked.order.iter().map(|order| compare(evaluator, object, order, one, other));
        let by_keys = one.keys.iter().zip(&other.keys).map(|(one, other)| compare_keys(&one.2, &other.2, true, false));
        by_order.chain(by_keys).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    groups.into_iter().skip(asked.offset.unwrap_or(0)).take(asked.first.unwrap_or(PAGE)).collect()
}

fn compare_keys(one: &Option<Rank>, other: &Option<Rank>, nulls_first: bool, descending: bool) -> Ordering {
    let nulls = if nulls_first { Ordering::Less } else { Ordering::Greater };
    match (one, other) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => nulls,
        (Some(_), None) => nulls.reverse(),
        (Some(one), Some(other)) if descending => other.compare(one),
        (Some(one), Some(other)) => one.compare(other),
    }
}

fn compare(evaluator: Evaluator<'_>, object: &Object, order: &GroupOrder, one: &Group, other: &Group) -> Ordering {
    let (descending, nulls_first) = (order.direction.is_descending(), order.direction.nulls_first());
    match &order.by {
        GroupedBy::Count => {
            let count = |group: &Group| Some(Rank::Whole(i64::try_from(group.ids.len()).unwrap()));
            compare_keys(&count(one), &count(other), nulls_first, descending)
        }
        GroupedBy::Key(name) => {
            let key = |group: &Group| group.keys.iter().find(|(key, ..)| key == name).unwrap().2.clone();
            compare_keys(&key(one), &key(other), nulls_first, descending)
        }
        GroupedBy::Sum(name) => {
            let sum = |group: &Group| values(evaluator, object, &group.ids, name).sum();
            let nulls = if nulls_first { Ordering::Less } else { Ordering::Greater };
            match (sum(one), sum(other)) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => nulls,
                (Some(_), None) => nulls.reverse(),
                (Some(one), Some(other)) => {
                    let order = match (one, other) {
                        (Sum::Whole(one), Sum::Whole(other)) => one.cmp(&other),
                        // What is no double counts as the greatest or the least of them.
                        (Sum::Float(one), Sum::Float(other)) => {
                            one.clamp(f64::MIN, f64::MAX).total_cmp(&other.clamp(f64::MIN, f64::MAX))
                        }
                        (Sum::Decimal(one), Sum::Decimal(other)) => Rank::Decimal(one).compare(&Rank::Decimal(other)),
                        (one, other) => panic!("{one:?} and {other:?} are not of one type"),
                    };
                    if descending { order.reverse() } else { order }
                }
            }
        }
    }
}

fn truth(evaluator: Evaluator<'_>, object: &Object, group: &Group, having: &Having) -> Truth {
    and(having.members.iter().map(|member| match member {
        HavingMember::And(parts) => and(parts.iter().map(|part| truth(evaluator, object, group, part))),
        HavingMember::Or(parts) => or(parts.iter().map(|part| truth(evaluator, object, group, part))),
        HavingMember::Not(part) => not(truth(evaluator, object, group, part)),
        HavingMember::Count(tests) => {
            let count = atom::whole(i64::try_from(group.ids.len()).unwrap());
            and(tests.iter().map(|test| of_value(test, Some(&count), false)))
        }
        HavingMember::Field { field, part, tests, .. } => {
            let value = values(evaluator, object, &group.ids, field).compared(part);
            and(tests.iter().map(|test| of_value(test, value.as_ref(), false)))
        }
    }))
}
