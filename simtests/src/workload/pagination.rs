//! Walks over pages, there and back, while groups of four come, move and go: each group as one transaction.
//!
//! The four of a group have one shade and one plain number, and mostly one rank, which is what walks are sorted by.

use super::rows::filter::{Datum, Filter, Operator, OrderKey};
use super::rows::table::{SHADES, Table};
use super::rows::{Change, NewRow, Operation, Part, Walk, Way};
use crate::rng::Rng;

/// Records of a group.
pub const GROUP: u64 = 4;
/// Ranks: few, so that whole pages have the same.
const RANKS: [i64; 5] = [i32::MIN as i64, -1, 0, 1, i32::MAX as i64];

/// One step.
pub(super) fn draw(client: u64, number: u64, rng: &mut Rng) -> Operation {
    match if number <= 2 { 0 } else { rng.below(12) } {
        0..=3 => Operation::of(vec![Part::Create { of: Table::Leaf, rows: group(client, number, rng) }]),
        4 | 5 => move_group(rng),
        6 => {
            let (client, number) = somebody(rng);
            let delete = |place| Part::Delete { of: Table::Leaf, name: leaf(client, number, place) };
            Operation::of((0..GROUP).map(delete).collect())
        }
        _ => Operation::of(vec![Part::Walk(walk(rng))]),
    }
}

/// The name of a record: its group, and its place in it.
fn leaf(client: u64, number: u64, place: u64) -> String {
    format!("leaf{client}-{number}-{place}")
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

fn group(client: u64, number: u64, rng: &mut Rng) -> Vec<NewRow> {
    let (shade, plain, one_rank) = (shade(rng), plain(rng), rank(rng));
    let spread = rng.chance(1, 4);
    let row = |place| {
        let rank = if spread { rank(rng) } else { one_rank.clone() };
        let fields = [("shade", shade.clone()), ("plain", plain.clone()), ("rank", rank)];
        NewRow::new(leaf(client, number, place), fields)
    };
    (0..GROUP).map(row).collect()
}

/// All four get another rank, or another shade.
fn move_group(rng: &mut Rng) -> Operation {
    let (client, number) = somebody(rng);
    let (field, value) = if rng.chance(2, 3) { ("rank", rank(rng)) } else { ("shade", shade(rng)) };
    let change = |place| Part::Change(Change::of(Table::Leaf, leaf(client, number, place)).with(field, value.clone()));
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
    Walk { of: Table::Leaf, size: rng.between(1, 6), way, counted: rng.chance(1, 4), order, filter, cursor, seen, at }
}
