//! Walks over pages, there and back, while groups of four come, move and go: each group as one transaction.
//!
//! The four of a group have one shade and one plain number, and mostly one rank, which is what walks are sorted by. Of
//! every second group two are in another table, and walks go over either table or over both at once.

use super::rows::filter::{Datum, Filter, Operator, OrderKey};
use super::rows::table::{SHADES, Table};
use super::rows::{Change, NewRow, Operation, Part, Walk, Way};
use crate::rng::Rng;
use std::collections::BTreeMap;

/// Records of a group.
pub const GROUP: u64 = 4;
/// What the names of groups begin with that lie in two tables.
const MIXED: &str = "mix";
/// Ranks: few, so that whole pages have the same.
const RANKS: [i64; 5] = [i32::MIN as i64, -1, 0, 1, i32::MAX as i64];

/// One step.
pub(super) fn draw(client: u64, number: u64, rng: &mut Rng) -> Operation {
    match if number <= 2 { 0 } else { rng.below(12) } {
        0..=3 => Operation::of(group(client, number, rng)),
        4 | 5 => move_group(rng),
        6 => {
            let (client, number) = somebody(rng);
            let delete = |place| {
                let (of, name) = leaf(client, number, place);
                Part::Delete { of, name }
            };
            Operation::of((0..GROUP).map(delete).collect())
        }
        _ => Operation::of(vec![Part::Walk(walk(rng))]),
    }
}

/// The table and the name of a record: its group, and its place in it.
fn leaf(client: u64, number: u64, place: u64) -> (Table, String) {
    match (number % 2, place % 2) {
        (0, 0) => (Table::Leaf, format!("{MIXED}{client}-{number}-{place}")),
        (0, _) => (Table::Frond, format!("{MIXED}{client}-{number}-{place}")),
        _ => (Table::Leaf, format!("leaf{client}-{number}-{place}")),
    }
}

/// How many records of a group a walk over a table shows.
pub fn share(of: Table, group: &str) -> u64 {
    match (of, group.starts_with(MIXED)) {
        (Table::Leaf | Table::Frond, true) => GROUP / 2,
        (Table::Frond, false) => 0,
        _ => GROUP,
    }
}

/// The group that a record belongs to.
pub fn group_of(name: &str) -> Option<&str> {
    name.rsplit_once('-').map(|(group, _)| group)
}

fn somebody(rng: &mut Rng) -> (u64, u64) {
    (rng.between(1, 4), rng.between(1, 12))
}

fn rank(rng: &mut Rng) -> Datum {
    Datum::Int(*rng.pick(&RANKS))
}

fn shade(rng: &mut Rng) -> Datum {
    Datum::Text((*rng.pick(&SHADES)).to_owned())
}

fn plain(rng: &mut Rng) -> Datum {
    Datum::Int(rng.below(2) as i64)
}

fn group(client: u64, number: u64, rng: &mut Rng) -> Vec<Part> {
    let (shade, plain, one_rank) = (shade(rng), plain(rng), rank(rng));
    let spread = rng.chance(1, 4);
    let row = |place| {
        let rank = if spread { rank(rng) } else { one_rank.clone() };
        let fields = [("shade", shade.clone()), ("plain", plain.clone()), ("rank", rank)];
        let (of, name) = leaf(client, number, place);
        (of, NewRow::new(name, fields))
    };
    let mut tables: BTreeMap<Table, Vec<NewRow>> = BTreeMap::new();
    (0..GROUP).map(row).for_each(|(of, row)| tables.entry(of).or_default().push(row));
    tables.into_iter().map(|(of, rows)| Part::Create { of, rows }).collect()
}

/// All four get another rank, or another shade.
fn move_group(rng: &mut Rng) -> Operation {
    let (client, number) = somebody(rng);
    let (field, value) = if rng.chance(2, 3) { ("rank", rank(rng)) } else { ("shade", shade(rng)) };
    let change = |place| {
        let (of, name) = leaf(client, number, place);
        Part::Change(Change::of(of, name).with(field, value.clone()))
    };
    Operation::of((0..GROUP).map(change).collect())
}

fn walk(rng: &mut Rng) -> Walk {
    let descending = rng.chance(1, 3);
    let key = |field: &str| OrderKey { field: field.into(), descending };
    let order = match rng.below(6) {
        0..=2 => vec![key("rank")],
        3 => vec![key("rank"), key("name")],
        4 => vec![key("plain")],
        _ => vec![key("name")],
    };
    let filter = match rng.below(6) {
        0..=2 => None,
        3 => Some(Filter::test("shade", Operator::Eq(shade(rng)))),
        _ => Some(Filter::test("plain", Operator::Eq(plain(rng)))),
    };
    let way = *rng.pick(&[Way::Forward, Way::Forward, Way::ThereAndBack, Way::Backward]);
    let (cursor, seen, at) = (None, Vec::new(), None);
    let of = *rng.pick(&[Table::Leaf, Table::Leaf, Table::Leaf, Table::Frond, Table::Foliage, Table::Greenery]);
    Walk { of, size: rng.between(1, 6), way, counted: rng.chance(1, 4), order, filter, cursor, seen, at }
}
