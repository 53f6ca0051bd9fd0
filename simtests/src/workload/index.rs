//! Reads through every kind of index, beside writes at which indexes go wrong: purses whose sum stays, samples with
//! extreme values under any filter and order, and records that are made only where there is none on the other side.

use super::rows::filter::{Datum, Filter, Operator, OrderKey, Quantifier};
use super::rows::fold::{Fold, Groups};
use super::rows::table::{SHADES, Table};
use super::rows::{Change, GATE, NewRow, Operation, Part, Query, Then};
use crate::rng::Rng;

/// Purses.
const PURSES: u64 = 4;
/// What is in each purse at first.
pub const BALANCE: i64 = 100;
/// Pairs that things are put on either side of.
const PAIRS: u64 = 8;
/// Steps of a client after which another pair is fought for.
const PAIR_STEPS: u64 = 4;
/// Samples by name, beside those that are made many at once.
const SAMPLES: u64 = 40;
/// Records that a list shows at most: above what the workload makes.
const ALL: u64 = 1000;
/// Scores at which encodings go wrong.
const SCORES: [i64; 19] = [
    i32::MIN as i64,
    i32::MIN as i64 + 1,
    -65_536,
    -257,
    -256,
    -255,
    -128,
    -2,
    -1,
    0,
    1,
    127,
    128,
    255,
    256,
    257,
    65_536,
    i32::MAX as i64 - 1,
    i32::MAX as i64,
];
const LEVELS: [i64; 9] = [i64::MIN, i64::MIN + 1, -4_294_967_296, -1, 0, 1, 4_294_967_296, i64::MAX - 1, i64::MAX];
const WEIGHTS: [f64; 11] = [-1e300, -256.5, -1.5, -0.5, -1e-9, 0.0, 1e-9, 0.1, 0.5, 255.5, 1e300];

/// What the first client does before all else.
pub(super) fn opening() -> Vec<Operation> {
    let purse = |number: u64| {
        let shade = SHADES[number as usize % SHADES.len()];
        NewRow::new(purse(number), [("shade", Datum::Text(shade.into())), ("balance", Datum::Int(BALANCE))])
    };
    let pair = |number: u64| NewRow::new(pair(number), []);
    let guard = |number: u64, side: Side| {
        NewRow::new(side.guard(&self::pair(number)), [("pair", Datum::Text(self::pair(number)))])
    };
    let guards = (0..PAIRS).flat_map(|number| [guard(number, Side::Left), guard(number, Side::Right)]);
    vec![
        Operation::of(vec![
            Part::Create { of: Table::Gate, rows: vec![NewRow::new(GATE, [])] },
            Part::Create { of: Table::Purse, rows: (0..PURSES).map(purse).collect() },
        ]),
        Operation::of(vec![
            Part::Create { of: Table::Pair, rows: (0..PAIRS).map(pair).collect() },
            Part::Create { of: Table::Guard, rows: guards.collect() },
        ]),
    ]
}

/// One step.
pub(super) fn draw(client: u64, number: u64, rng: &mut Rng) -> Operation {
    // First there must be something to work on.
    match if number <= 3 { 0 } else { rng.below(25) } {
        0..=2 => {
            let row = |place: u64, rng: &mut Rng| new_sample(format!("s{client}-{number}-{place}"), rng);
            let rows = (0..rng.between(4, 10)).map(|place| row(place, rng)).collect();
            Operation::of(vec![Part::Create { of: Table::Sample, rows }])
        }
        3 => Operation::of(vec![Part::Create { of: Table::Sample, rows: vec![new_sample(sample(rng), rng)] }]),
        4 | 5 => Operation::of(vec![Part::Change(change(rng))]),
        6 => Operation::of(vec![Part::Delete { of: Table::Sample, name: sample(rng) }]),
        7..=11 => Operation::of(vec![Part::List(query(rng))]),
        12 => looks_twice(client, number, rng),
        13 | 14 => transfer(client, number, rng),
        15 | 16 => Operation::of(vec![Part::List(purses(rng))]),
        17 | 18 => put(client, number, rng),
        19 => Operation::of(vec![Part::List(pairs(rng))]),
        20 | 21 => Operation::of(vec![Part::Fold(fold(rng))]),
        22 | 23 => Operation::of(vec![Part::Fold(fold_purses(rng))]),
        _ => folds_twice(client, number, rng),
    }
}

fn purse(number: u64) -> String {
    format!("purse{number}")
}

fn pair(number: u64) -> String {
    format!("pair{number}")
}

/// A name: one of few, or one of those that were made many at once.
fn sample(rng: &mut Rng) -> String {
    if rng.chance(1, 3) {
        format!("s{}", rng.below(SAMPLES))
    } else {
        format!("s{}-{}-{}", rng.between(1, 5), rng.between(1, 12), rng.below(6))
    }
}

fn score(rng: &mut Rng) -> Datum {
    Datum::Int(if rng.chance(1, 2) { *rng.pick(&SCORES) } else { rng.below(6) as i64 - 2 })
}

fn level(rng: &mut Rng) -> Datum {
    if rng.chance(1, 4) { Datum::Null } else { Datum::Int(*rng.pick(&LEVELS)) }
}

fn weight(rng: &mut Rng) -> Datum {
    if rng.chance(1, 4) { Datum::Null } else { Datum::Float(*rng.pick(&WEIGHTS)) }
}

fn shade(rng: &mut Rng) -> Datum {
    Datum::Text((*rng.pick(&SHADES)).to_owned())
}

fn marks(rng: &mut Rng) -> Datum {
    Datum::Ints((0..rng.below(4)).map(|_| rng.below(5) as i64 - 2).collect())
}

fn plain(rng: &mut Rng) -> Datum {
    Datum::Int(rng.below(3) as i64)
}

/// A value for a field of a sample.
fn value(field: &str, rng: &mut Rng) -> Datum {
    match field {
        "score" => score(rng),
        "level" => level(rng),
        "weight" => weight(rng),
        "shade" => shade(rng),
        "marks" => marks(rng),
        "name" => Datum::Text(sample(rng)),
        "rating" => match (score(rng), plain(rng)) {
            (Datum::Int(score), Datum::Int(plain)) => Datum::Int(score * 2 + plain),
            _ => unreachable!("both are whole numbers"),
        },
        "caption" => Datum::Text(format!("{}/{}", sample(rng), rng.below(3))),
        _ => plain(rng),
    }
}

const FIELDS: [&str; 6] = ["score", "level", "weight", "shade", "marks", "plain"];

fn new_sample(name: String, rng: &mut Rng) -> NewRow {
    let fields: Vec<_> = FIELDS.into_iter().map(|field| (field, value(field, rng))).collect();
    NewRow::new(name, fields)
}

fn change(rng: &mut Rng) -> Change {
    let mut change = Change::of(Table::Sample, sample(rng));
    for _ in 0..rng.between(1, 3) {
        let field = *rng.pick(&FIELDS);
        change = change.with(field, value(field, rng));
    }
    if rng.chance(1, 4) {
        change.condition = Some(test(rng));
    }
    change
}

/// A test of one field.
fn test(rng: &mut Rng) -> Filter {
    const TESTED: [&str; 9] = ["score", "score", "score", "level", "weight", "shade", "marks", "plain", "name"];
    const COMPUTED: [&str; 2] = ["rating", "caption"];
    let field = if rng.chance(1, 6) { *rng.pick(&COMPUTED) } else { *rng.pick(&TESTED) };
    let known = |rng: &mut Rng| match value(field, rng) {
        Datum::Null => Datum::Int(0),
        other => other,
    };
    let known = |rng: &mut Rng| match (field, known(rng)) {
        ("weight", Datum::Int(_)) => Datum::Float(0.0),
        (_, other) => other,
    };
    if field == "marks" {
        return Filter::test(field, Operator::Has(rng.below(5) as i64 - 2));
    }
    let is = match rng.below(10) {
        0 => vec![Operator::Eq(known(rng))],
        1 => vec![Operator::In((0..rng.between(1, 4)).map(|_| known(rng)).collect())],
        2 => vec![Operator::Ne(known(rng))],
        3 if matches!(field, "level" | "weight") => vec![Operator::IsNull(rng.chance(1, 2))],
        // Enums are not compared in the API.
        _ if field == "shade" => vec![Operator::Eq(known(rng))],
        3 | 4 => vec![Operator::Gt(known(rng))],
        5 => vec![Operator::Gte(known(rng))],
        6 => vec![Operator::Lt(known(rng))],
        7 => vec![Operator::Lte(known(rng))],
        8 => vec![Operator::Gte(known(rng)), Operator::Lt(known(rng))],
        _ => vec![Operator::Gt(known(rng)), Operator::Lte(known(rng))],
    };
    Filter::Test { field: field.into(), is }
}

fn filter(rng: &mut Rng) -> Option<Filter> {
    let several = |rng: &mut Rng| (0..rng.between(2, 3)).map(|_| test(rng)).collect::<Vec<_>>();
    Some(match rng.below(12) {
        0 => return None,
        1..=3 => test(rng),
        // An index serves the order, the rest is looked at record by record.
        4 | 5 => Filter::test("plain", Operator::Eq(plain(rng))),
        6..=8 => Filter::All(several(rng)),
        9 => Filter::Any(several(rng)),
        10 => Filter::Not(Box::new(test(rng))),
        _ => Filter::All(vec![test(rng), Filter::Any(several(rng))]),
    })
}

fn order(rng: &mut Rng) -> Vec<OrderKey> {
    const KEYS: [&str; 10] =
        ["score", "score", "score", "level", "weight", "shade", "name", "plain", "rating", "caption"];
    let mut order: Vec<OrderKey> = Vec::new();
    for _ in 0..rng.between(1, 2) {
        let field = (*rng.pick(&KEYS)).to_owned();
        if !order.iter().any(|key| key.field == field) {
            order.push(OrderKey { field, descending: rng.chance(1, 3) });
        }
    }
    if rng.chance(1, 2) && !order.iter().any(|key| key.field == "name") {
        // Most indexes end in the name: with the direction of the others they serve the order.
        let descending = order.last().is_some_and(|key| key.descending);
        order.push(OrderKey { field: "name".into(), descending });
    }
    order
}

fn query(rng: &mut Rng) -> Query {
    let first = if rng.chance(1, 2) { ALL } else { rng.between(1, 12) };
    let counted = rng.chance(1, 3);
    Query { of: Table::Sample, first, counted, order: order(rng), filter: filter(rng), below: None }
}

/// Reads, writes and reads the same again, in one operation: what it wrote is seen behind it and not before.
fn looks_twice(client: u64, number: u64, rng: &mut Rng) -> Operation {
    let query = Part::List(query(rng));
    let write = write(client, number, rng);
    Operation::of(vec![query.clone(), write, query])
}

/// The same with what records add up to.
fn folds_twice(client: u64, number: u64, rng: &mut Rng) -> Operation {
    let fold = Part::Fold(fold(rng));
    let write = write(client, number, rng);
    Operation::of(vec![fold.clone(), write, fold])
}

fn write(client: u64, number: u64, rng: &mut Rng) -> Part {
    match rng.below(3) {
        0 => Part::Change(change(rng)),
        1 => Part::Delete { of: Table::Sample, name: sample(rng) },
        _ => {
            let rows = (0..rng.between(1, 3)).map(|place| new_sample(format!("s{client}-{number}-{place}"), rng));
            Part::Create { of: Table::Sample, rows: rows.collect() }
        }
    }
}

/// What samples add up to. Every second time it is such that the entries of an index tell it.
fn fold(rng: &mut Rng) -> Fold {
    const FOLDED: [&str; 8] = ["score", "level", "weight", "shade", "plain", "rating", "caption", "score"];
    const KEYS: [&str; 4] = ["shade", "plain", "level", "score"];
    let named = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
    let of = Table::Sample;
    let (filter, fields, by): (Option<Filter>, Vec<String>, Vec<&str>) = match rng.below(8) {
        0 => (None, named(&["score"]), vec!["shade"]),
        1 => (Some(Filter::test("shade", Operator::Eq(shade(rng)))), named(&["level"]), vec!["level"]),
        2 => {
            let field = *rng.pick(&["score", "level", "weight", "rating"]);
            (None, named(&[field]), Vec::new())
        }
        3 => (Some(Filter::test("score", Operator::Gte(score(rng)))), named(&["score"]), vec!["score"]),
        _ => {
            let mut fields: Vec<&str> = (0..rng.between(1, 3)).map(|_| *rng.pick(&FOLDED)).collect();
            let mut by: Vec<&str> = (0..rng.between(0, 2)).map(|_| *rng.pick(&KEYS)).collect();
            fields.sort_unstable();
            fields.dedup();
            by.sort_unstable();
            by.dedup();
            (filter(rng), named(&fields), by)
        }
    };
    let groups = (!by.is_empty()).then(|| {
        let all = Groups::by(&by);
        if rng.chance(1, 2) {
            return all;
        }
        let (least, largest_first) = (rng.below(4), rng.chance(1, 2));
        Groups { least, largest_first, first: rng.between(1, 3), offset: rng.below(2), ..all }
    });
    Fold { of, filter, fields, groups }
}

/// What all purses hold together, and perhaps those of each shade.
fn fold_purses(rng: &mut Rng) -> Fold {
    let fields = vec!["balance".to_owned()];
    let filter = purses(rng).filter;
    let groups = rng.chance(1, 2).then(|| Groups::by(&["shade"]));
    Fold { of: Table::Purse, filter, fields, groups }
}

fn transfer(client: u64, number: u64, rng: &mut Rng) -> Operation {
    let from = rng.below(PURSES);
    let to = (from + rng.between(1, PURSES - 1)) % PURSES;
    let get = |number| Part::Get { of: Table::Purse, by: "name".into(), value: Datum::Text(purse(number)) };
    let amount = rng.between(1, BALANCE as u64) as i64;
    let then = Some(Then::Transfer { amount, key: format!("c{client}-{number}-then") });
    Operation { parts: vec![get(from), get(to)], then }
}

/// All purses, through one index or another, so that what is seen of them comes from its entries.
fn purses(rng: &mut Rng) -> Query {
    let descending = rng.chance(1, 2);
    let key = |field: &str| OrderKey { field: field.into(), descending };
    let shades = || Operator::In(SHADES.iter().map(|shade| Datum::Text((*shade).to_owned())).collect());
    let (order, filter) = match rng.below(4) {
        0 => (vec![key("balance"), key("name")], Some(Filter::test("balance", Operator::Gte(Datum::Int(0))))),
        1 => (vec![key("balance")], Some(Filter::test("balance", Operator::Gt(Datum::Int(i64::from(i32::MIN)))))),
        2 => (vec![key("balance")], Some(Filter::test("shade", shades()))),
        _ => (vec![key("balance"), key("name")], None),
    };
    Query { of: Table::Purse, first: 10, counted: rng.chance(1, 2), order, filter, below: None }
}

/// Where something is put.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn guard(self, pair: &str) -> String {
        format!("{pair}-{}", if self == Side::Left { "left" } else { "right" })
    }
}

/// Puts something on one side of a pair, if there is nothing on the other. Each side has a guard of its own, so that
/// only the ranges that were read and empty make the two conflict.
fn put(client: u64, number: u64, rng: &mut Rng) -> Operation {
    let pair = pair((number / PAIR_STEPS) % PAIRS);
    let side = if rng.chance(1, 2) { Side::Left } else { Side::Right };
    let (table, others) = match side {
        Side::Left => (Table::Left, "rights"),
        Side::Right => (Table::Right, "lefts"),
    };
    let none = Filter::Counted { field: others.into(), is: vec![Operator::Eq(Datum::Int(0))] };
    let condition = Filter::Related { field: "pair".into(), how: Quantifier::One, filter: Box::new(none) };
    let guard = Change { condition: Some(condition), ..Change::of(Table::Guard, side.guard(&pair)) };
    let row = NewRow::new(format!("{table:?}{client}-{number}").to_lowercase(), [("pair", Datum::Text(pair))]);
    Operation::of(vec![Part::Change(guard), Part::Create { of: table, rows: vec![row] }])
}

fn pairs(rng: &mut Rng) -> Query {
    let some = |field: &str| Filter::Counted { field: field.into(), is: vec![Operator::Gt(Datum::Int(0))] };
    let filter = match rng.below(4) {
        0 => None,
        1 => Some(some("lefts")),
        2 => Some(Filter::Any(vec![some("lefts"), some("rights")])),
        // Nobody should be found by this.
        _ => Some(Filter::All(vec![some("lefts"), some("rights")])),
    };
    Query { of: Table::Pair, first: ALL, counted: true, order: vec![OrderKey::up("name")], filter, below: None }
}
