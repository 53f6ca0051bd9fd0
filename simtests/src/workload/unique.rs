//! Values that only one may have, made, changed, swapped and deleted by many at the same time.

use super::rows::filter::{Datum, Filter, Operator, OrderKey};
use super::rows::table::Table;
use super::rows::{Change, Meeting, NewRow, Operation, Part, Query};
use crate::rng::Rng;

/// Persons by name.
const PERSONS: u64 = 10;
/// Mails: fewer than persons.
const MAILS: u64 = 5;
const NUMBERS: [i64; 5] = [i64::MIN, -1, 0, 1, i64::MAX];
const ROOMS: u64 = 2;
const SEATS: u64 = 3;

/// One step.
pub(super) fn draw(rng: &mut Rng) -> Operation {
    Operation::of(match rng.below(22) {
        0..=4 => vec![Part::Create { of: Table::Person, rows: vec![new_person(rng)] }],
        5 => {
            let mut rows: Vec<NewRow> = (0..rng.between(2, 3)).map(|_| new_person(rng)).collect();
            rows.sort_by(|one, other| one.name.cmp(&other.name));
            rows.dedup_by(|one, other| one.name == other.name);
            vec![Part::Create { of: Table::Person, rows }]
        }
        6..=9 => vec![Part::Change(change(rng))],
        10 => hands_over(rng),
        11 => vec![Part::Delete { of: Table::Person, name: person(rng) }],
        12 | 13 => vec![get(rng)],
        // What somebody else has, looked for before it is taken.
        14 => vec![get(rng), Part::Change(change(rng)), get(rng)],
        15 => vec![Part::List(everybody(rng))],
        16..=19 => vec![meets(rng)],
        _ => vec![upserts(rng)],
    })
}

/// What the first client does before all else.
pub(super) fn opening() -> Vec<Operation> {
    let gate = NewRow::new(super::rows::GATE, []);
    vec![Operation::of(vec![Part::Create { of: Table::Gate, rows: vec![gate] }])]
}

fn person(rng: &mut Rng) -> String {
    format!("person{}", rng.below(PERSONS))
}

fn mail(rng: &mut Rng) -> Datum {
    Datum::Text(format!("mail{}", rng.below(MAILS)))
}

/// A value of a field; mostly there is one.
fn value(field: &str, rng: &mut Rng) -> Datum {
    match field {
        "room" => Datum::Int(rng.below(ROOMS) as i64),
        _ if rng.chance(1, 4) => Datum::Null,
        "mail" => mail(rng),
        "number" => Datum::Int(*rng.pick(&NUMBERS)),
        _ => Datum::Int(rng.below(SEATS) as i64),
    }
}

fn new_person(rng: &mut Rng) -> NewRow {
    let fields: Vec<_> = ["mail", "number", "room", "seat"].map(|field| (field, value(field, rng))).into();
    NewRow::new(person(rng), fields)
}

/// Persons who may be there already, by their name, their mail or their number.
fn meets(rng: &mut Rng) -> Part {
    let by = *rng.pick(&["name", "mail", "mail", "number"]);
    let fields: &[&str] = match by {
        "name" => &["mail", "number"],
        "mail" => &["number", "room", "seat"],
        _ => &["mail"],
    };
    let overwrites = rng.chance(2, 3).then(|| fields.iter().map(|field| (*field).to_owned()).collect());
    let filter = (overwrites.is_some() && rng.chance(1, 2)).then(|| {
        let room = Datum::Int(rng.below(ROOMS) as i64);
        Filter::test("room", Operator::Eq(room))
    });
    let rows = (0..rng.between(1, 3)).map(|_| new_person(rng)).collect();
    Part::Meet { of: Table::Person, rows, meeting: Meeting { by: by.into(), overwrites, filter } }
}

fn upserts(rng: &mut Rng) -> Part {
    let mut row = new_person(rng);
    let by = *rng.pick(&["name", "mail"]);
    if by == "mail" {
        row.fields.insert(by.into(), mail(rng));
    }
    let field = if by == "mail" { "seat" } else { "mail" };
    let fields = [(field.to_owned(), value(field, rng))].into();
    Part::Upsert { of: Table::Person, by: by.into(), row, fields }
}

fn change(rng: &mut Rng) -> Change {
    let field = *rng.pick(&["mail", "mail", "number", "room", "seat"]);
    let change = Change::of(Table::Person, person(rng)).with(field, value(field, rng));
    // A place is a room and a seat: both at once now and then.
    if field == "room" { change.with("seat", value("seat", rng)) } else { change }
}

/// One gives a mail up and another takes it, in one operation.
fn hands_over(rng: &mut Rng) -> Vec<Part> {
    let gives = Change::of(Table::Person, person(rng)).with("mail", Datum::Null);
    let takes = Change::of(Table::Person, person(rng)).with("mail", mail(rng));
    vec![Part::Change(gives), Part::Change(takes)]
}

fn get(rng: &mut Rng) -> Part {
    let (by, value) = match rng.below(3) {
        0 => ("name", Datum::Text(person(rng))),
        1 => ("mail", mail(rng)),
        _ => ("number", Datum::Int(*rng.pick(&NUMBERS))),
    };
    Part::Get { of: Table::Person, by: by.into(), value }
}

fn everybody(rng: &mut Rng) -> Query {
    let filter = match rng.below(3) {
        0 => Some(Filter::test("mail", Operator::Gte(Datum::Text(String::new())))),
        1 => Some(Filter::test("number", Operator::IsNull(false))),
        _ => None,
    };
    let field = *rng.pick(&["mail", "number", "name"]);
    let order = vec![OrderKey::up(field)];
    Query { of: Table::Person, first: 100, counted: rng.chance(1, 2), order, filter, below: None }
}
