//! What computed fields are, each worked out by hand: no expression is read here.

use super::atom::{self, Atom, Rank};
use super::literal::Literal;
use super::model::Object;
use super::world::{Record, Value, field};
use serde_json::json;

/// Sets the computed fields of a record.
pub fn compute(object: &Object, record: &mut Record) {
    if object.name != "Item" {
        return;
    }
    let values = [
        ("summary", summary(record)),
        ("shout", shout(record)),
        ("total", total(record)),
        ("costs", costs(record)),
        ("known", known(record)),
        ("level", level(record)),
        ("best", best(record)),
    ];
    record.extend(values.map(|(name, value)| (name.to_owned(), value)));
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Atom(atom) => match &atom.rank {
            Rank::Text(text) => Some(text),
            other => panic!("{other:?} is no text"),
        },
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Atom(atom) => match atom.rank {
            Rank::Whole(number) => Some(number),
            ref other => panic!("{other:?} is no whole number"),
        },
        _ => None,
    }
}

fn inside<'v>(value: &'v Value, name: &str) -> &'v Value {
    match value {
        Value::Object(fields) => field(fields, name),
        _ => &Value::Null,
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn boolean(value: bool) -> Value {
    let forms = vec![Literal::Bool(value)];
    Value::atom(Atom { rank: Rank::Whole(i64::from(value)), json: json!(value), forms })
}

/// `name + '/' + coalesce(label, '-') + '#' + count`
fn summary(record: &Record) -> Value {
    let name = text(field(record, "name")).unwrap();
    let label = text(field(record, "label")).unwrap_or("-");
    Value::atom(atom::text(&format!("{name}/{label}#{}", whole(field(record, "count")).unwrap())))
}

/// `upper(trim(code))`
fn shout(record: &Record) -> Value {
    text(field(record, "code")).map_or(Value::Null, |code| Value::atom(atom::text(&code.trim().to_uppercase())))
}

/// `count * 3 + coalesce(rank, -1) - sum(parts.size)`
fn total(record: &Record) -> Value {
    let mut total = whole(field(record, "count")).unwrap() * 3 + whole(field(record, "rank")).unwrap_or(-1);
    for part in items(field(record, "parts")) {
        total -= whole(inside(part, "size")).unwrap_or(0);
    }
    Value::atom(atom::big(total))
}

/// `cost * 2 + count(tags)`: of two digits after the point, as `cost` is.
fn costs(record: &Record) -> Value {
    let Value::Atom(cost) = field(record, "cost") else { panic!("cost is required") };
    let kept = cost.json.as_str().unwrap();
    let hundredths: i64 = kept.replace('.', "").parse().unwrap();
    let sum = hundredths * 2 + 100 * i64::try_from(items(field(record, "tags")).len()).unwrap();
    let sign = if sum < 0 { "-" } else { "" };
    let digits = format!("{sign}{}.{:02}", sum.abs() / 100, sum.abs() % 100);
    Value::atom(atom::decimal(&digits))
}

/// `maybe and not flag or rank > 2`
fn known(record: &Record) -> Value {
    let maybe = whole(field(record, "maybe")).map(|maybe| maybe == 1);
    let flag = whole(field(record, "flag")).unwrap() == 1;
    let high = whole(field(record, "rank")).map(|rank| rank > 2);
    let both = match maybe {
        Some(maybe) => Some(maybe && !flag),
        None if flag => Some(false),
        None => None,
    };
    match (both, high) {
        (Some(true), _) | (_, Some(true)) => boolean(true),
        (Some(false), Some(false)) => boolean(false),
        _ => Value::Null,
    }
}

/// `if(place.inside.floor < 1000, place.inside.floor + 1, 0)`
fn level(record: &Record) -> Value {
    let floor = whole(inside(inside(field(record, "place"), "inside"), "floor"));
    Value::atom(atom::whole(floor.filter(|floor| *floor < 1000).map_or(0, |floor| floor + 1)))
}

/// `max(prices)`: as it stands in the list, the first of those that are equal.
fn best(record: &Record) -> Value {
    let mut best: Option<&Value> = None;
    for price in items(field(record, "prices")) {
        let (Value::Atom(price_atom), before) = (price, best) else { panic!("prices are never null") };
        let greater = match before {
            Some(Value::Atom(before)) => price_atom.rank.compare(&before.rank).is_gt(),
            _ => true,
        };
        if greater {
            best = Some(price);
        }
    }
    best.cloned().unwrap_or(Value::Null)
}
