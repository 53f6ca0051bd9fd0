//! Records that refer to each other, linked and unlinked from both sides, and deleted with all that follows from it:
//! authors are kept by their books, books take their chapters with them, shelves leave theirs behind.

use super::rows::filter::{Datum, Filter, Operator, OrderKey, Quantifier};
use super::rows::fold::{Fold, Groups};
use super::rows::table::Table;
use super::rows::{Below, Change, NewRow, Operation, Part, Query, Relinking};
use crate::rng::Rng;

const AUTHORS: u64 = 4;
const SHELVES: u64 = 4;
const BOOKS: u64 = 8;
const TOPICS: u64 = 5;
const CHAPTERS: u64 = 10;
const REMARKS: u64 = 10;

/// What the first client does before all else.
pub(super) fn opening() -> Vec<Operation> {
    let rows =
        |word: &'static str, count: u64| (0..count).map(move |number| NewRow::new(format!("{word}{number}"), []));
    vec![Operation::of(vec![
        Part::Create { of: Table::Gate, rows: vec![NewRow::new(super::rows::GATE, [])] },
        Part::Create { of: Table::Author, rows: rows("author", AUTHORS - 1).collect() },
        Part::Create { of: Table::Shelf, rows: rows("shelf", SHELVES - 1).collect() },
        Part::Create { of: Table::Topic, rows: rows("topic", TOPICS - 1).collect() },
    ])]
}

/// One step.
pub(super) fn draw(number: u64, rng: &mut Rng) -> Operation {
    // First there must be something to work on.
    Operation::of(match if number <= 4 { rng.below(8) } else { rng.below(34) } {
        0..=4 => vec![Part::Create { of: Table::Book, rows: vec![new_book(rng)] }],
        5 | 6 => vec![Part::Create { of: Table::Chapter, rows: several(rng, new_chapter) }],
        7 | 8 => vec![Part::Create { of: Table::Remark, rows: several(rng, new_remark) }],
        9 => {
            let table = *rng.pick(&[Table::Author, Table::Shelf, Table::Topic]);
            vec![Part::Create { of: table, rows: vec![NewRow::new(name(table, rng), [])] }]
        }
        10..=12 => vec![Part::Change(moves(rng))],
        13..=15 => vec![Part::Change(relinks(rng))],
        16..=18 => {
            let table = *rng.pick(&[Table::Book, Table::Book, Table::Chapter, Table::Remark]);
            vec![Part::Delete { of: table, name: name(table, rng) }]
        }
        19 | 20 => {
            // Most authors stay, since they have books.
            let table = *rng.pick(&[Table::Author, Table::Author, Table::Author, Table::Shelf, Table::Topic]);
            vec![Part::Delete { of: table, name: name(table, rng) }]
        }
        // Somebody's books go, and then, now and then, so does he.
        21 => {
            let delete = |table, rng: &mut Rng| Part::Delete { of: table, name: name(table, rng) };
            vec![delete(Table::Book, rng), delete(Table::Author, rng)]
        }
        22..=24 => vec![Part::List(query(rng))],
        25 => {
            let table = *rng.pick(&[Table::Author, Table::Shelf, Table::Book, Table::Topic]);
            vec![Part::Get { of: table, by: "name".into(), value: Datum::Text(name(table, rng)) }]
        }
        26 | 27 => both_sides(),
        28 => vec![Part::Fold(fold(rng))],
        _ => vec![Part::Change(writes_through(rng))],
    })
}

fn name(table: Table, rng: &mut Rng) -> String {
    let count = match table {
        Table::Author => AUTHORS,
        Table::Shelf => SHELVES,
        Table::Book => BOOKS,
        Table::Topic => TOPICS,
        Table::Chapter => CHAPTERS,
        _ => REMARKS,
    };
    format!("{}{}", table.words().0, rng.below(count))
}

fn reference(table: Table, rng: &mut Rng) -> Datum {
    Datum::Text(name(table, rng))
}

fn names(table: Table, most: u64, rng: &mut Rng) -> Vec<String> {
    let mut names: Vec<String> = (0..rng.between(0, most)).map(|_| name(table, rng)).collect();
    names.sort();
    names.dedup();
    names
}

fn several(rng: &mut Rng, one: fn(&mut Rng) -> NewRow) -> Vec<NewRow> {
    let mut rows: Vec<NewRow> = (0..rng.between(1, 3)).map(|_| one(rng)).collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows.dedup_by(|one, other| one.name == other.name);
    rows
}

fn rank(rng: &mut Rng) -> Datum {
    Datum::Int(rng.below(4) as i64 - 1)
}

fn new_book(rng: &mut Rng) -> NewRow {
    let shelf = if rng.chance(1, 2) { reference(Table::Shelf, rng) } else { Datum::Null };
    let fields = [
        ("rank", rank(rng)),
        ("author", reference(Table::Author, rng)),
        ("shelf", shelf),
        // Each one that is not there is one more reason to be refused.
        ("topics", Datum::Names(names(Table::Topic, 1, rng))),
    ];
    NewRow::new(name(Table::Book, rng), fields)
}

fn new_chapter(rng: &mut Rng) -> NewRow {
    NewRow::new(name(Table::Chapter, rng), [("rank", rank(rng)), ("book", reference(Table::Book, rng))])
}

fn new_remark(rng: &mut Rng) -> NewRow {
    NewRow::new(name(Table::Remark, rng), [("chapter", reference(Table::Chapter, rng))])
}

/// A reference gets another target.
fn moves(rng: &mut Rng) -> Change {
    let change = |table, rng: &mut Rng| Change::of(table, name(table, rng));
    match rng.below(6) {
        0 | 1 => change(Table::Book, rng).with("shelf", reference(Table::Shelf, rng)),
        2 => change(Table::Book, rng).with("shelf", Datum::Null),
        3 => change(Table::Book, rng).with("author", reference(Table::Author, rng)),
        4 => change(Table::Chapter, rng).with("book", reference(Table::Book, rng)),
        _ => change(Table::Remark, rng).with("chapter", reference(Table::Chapter, rng)),
    }
}

/// Links, and references from their other side.
fn relinks(rng: &mut Rng) -> Change {
    let (table, field, others) = *rng.pick(&[
        (Table::Book, "topics", Table::Topic),
        (Table::Topic, "books", Table::Book),
        (Table::Shelf, "books", Table::Book),
    ]);
    let mut relinking = Relinking { field: field.into(), ..Relinking::default() };
    if rng.chance(1, 4) {
        relinking.sets = Some(names(others, 3, rng));
    } else {
        relinking.connects = vec![name(others, rng)];
        relinking.disconnects = names(others, 2, rng);
        relinking.disconnects.retain(|name| !relinking.connects.contains(name));
    }
    Change { relinkings: vec![relinking], ..Change::of(table, name(table, rng)) }
}

/// Records are created, changed and deleted through a relation of another. Some names only come to be in this way.
fn writes_through(rng: &mut Rng) -> Change {
    let (table, field, others) = *rng.pick(&[
        (Table::Book, "chapters", Table::Chapter),
        (Table::Book, "topics", Table::Topic),
        (Table::Chapter, "remarks", Table::Remark),
        (Table::Shelf, "books", Table::Book),
    ]);
    let mut relinking = Relinking { field: field.into(), ..Relinking::default() };
    let is_ranked = matches!(others, Table::Chapter | Table::Book);
    for _ in 0..rng.between(0, 2) {
        let word = others.words().0;
        let mut fields = Vec::new();
        if is_ranked {
            fields.push(("rank", rank(rng)));
        }
        if others == Table::Book {
            fields.push(("author", reference(Table::Author, rng)));
        }
        relinking.creates.push(NewRow::new(format!("{word}{}", rng.below(24)), fields));
    }
    relinking.creates.sort_by(|one, other| one.name.cmp(&other.name));
    relinking.creates.dedup_by(|one, other| one.name == other.name);
    // Mostly alone: most records are not related to this one, and then nothing of it is done.
    if is_ranked && (relinking.creates.is_empty() || rng.chance(1, 6)) {
        relinking.updates = vec![NewRow::new(name(others, rng), [("rank", rank(rng))])];
    }
    match rng.below(6) {
        0 if relinking.updates.is_empty() => relinking.deletes = vec![name(others, rng)],
        1 if is_ranked => relinking.deletes_all = Some(Filter::test("rank", Operator::Lt(rank(rng)))),
        2 => relinking.deletes_all = Some(Filter::test("name", Operator::Gte(reference(others, rng)))),
        _ => {}
    }
    Change { relinkings: vec![relinking], ..Change::of(table, name(table, rng)) }
}

fn related(field: &str, how: Quantifier, filter: Filter) -> Filter {
    Filter::Related { field: field.into(), how, filter: Box::new(filter) }
}

/// What is said of books.
fn about_books(rng: &mut Rng) -> Filter {
    let named = |table, rng: &mut Rng| Filter::test("name", Operator::Eq(reference(table, rng)));
    let how = *rng.pick(&[Quantifier::Some, Quantifier::Every, Quantifier::None]);
    match rng.below(7) {
        0 => Filter::test("rank", Operator::Gte(rank(rng))),
        1 => related("author", Quantifier::One, named(Table::Author, rng)),
        2 => related("shelf", Quantifier::One, named(Table::Shelf, rng)),
        3 => related("topics", how, named(Table::Topic, rng)),
        4 => related("chapters", how, Filter::test("rank", Operator::Lt(rank(rng)))),
        5 => {
            let remarked = Filter::Counted { field: "remarks".into(), is: vec![Operator::Gt(Datum::Int(0))] };
            related("chapters", how, remarked)
        }
        _ => {
            let count = Datum::Int(rng.below(3) as i64);
            Filter::Counted { field: "topics".into(), is: vec![Operator::Gte(count)] }
        }
    }
}

fn query(rng: &mut Rng) -> Query {
    let how = *rng.pick(&[Quantifier::Some, Quantifier::Every, Quantifier::None]);
    let (of, filter) = match rng.below(5) {
        0 => (Table::Author, related("books", how, about_books(rng))),
        1 => (Table::Shelf, related("books", how, about_books(rng))),
        2 => (Table::Topic, related("books", how, about_books(rng))),
        3 => (Table::Chapter, related("book", Quantifier::One, about_books(rng))),
        _ => (Table::Book, about_books(rng)),
    };
    let filter = match rng.below(4) {
        0 => None,
        1 => Some(Filter::Not(Box::new(filter))),
        _ => Some(filter),
    };
    let leads_to_books = matches!(of, Table::Author | Table::Shelf | Table::Topic);
    let below = (leads_to_books && rng.chance(1, 2)).then(|| Below {
        field: "books".into(),
        first: rng.between(1, 3),
        filter: about_books(rng),
        folds: rng.chance(1, 2).then(|| vec!["rank".into()]),
    });
    let descending = rng.chance(1, 2);
    let order = vec![OrderKey { field: "name".into(), descending }];
    Query { of, first: rng.between(1, 20), counted: rng.chance(1, 2), order, filter, below }
}

/// What books or chapters add up to, for each of those that they refer to.
fn fold(rng: &mut Rng) -> Fold {
    let (of, by) = *rng.pick(&[(Table::Book, "author"), (Table::Book, "shelf"), (Table::Chapter, "book")]);
    let filter = (of == Table::Book && rng.chance(1, 2)).then(|| about_books(rng));
    Fold { of, filter, fields: vec!["rank".into()], groups: Some(Groups::by(&[by])) }
}

/// Every relation, from both its sides.
fn both_sides() -> Vec<Part> {
    let all = |of| {
        Part::List(Query {
            of,
            first: 100,
            counted: true,
            order: vec![OrderKey::up("name")],
            filter: None,
            below: None,
        })
    };
    [Table::Author, Table::Shelf, Table::Book, Table::Topic, Table::Chapter, Table::Remark].map(all).into()
}
