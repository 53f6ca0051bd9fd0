//! The model does what the schema says of references, values and versions, and knows a wrong page from a right one.

use super::*;
use crate::workload::rows::filter::{Operator, Quantifier};
use crate::workload::rows::{Way, filter};

fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

fn create(of: Table, name: &str, fields: Vec<(&'static str, Datum)>) -> Operation {
    Operation::of(vec![Part::Create { of, rows: vec![NewRow::new(name, fields)] }])
}

fn delete(of: Table, name: &str) -> Operation {
    Operation::of(vec![Part::Delete { of, name: name.into() }])
}

/// Does operations one after the other: whether each was done.
fn run(tables: &mut Tables, operations: Vec<Operation>) -> Vec<Result<(), Refusal>> {
    let mut version = 0;
    let one = |operation: Operation| {
        version += 1;
        let mut next = tables.clone();
        next.run(&operation, version)?;
        *tables = next;
        Ok(())
    };
    operations.into_iter().map(one).collect()
}

/// An author with a book on a shelf, about a topic, with a chapter and a remark.
fn library() -> Tables {
    let mut tables = Tables::default();
    let book = vec![
        ("rank", Datum::Int(1)),
        ("author", text("a")),
        ("shelf", text("s")),
        ("topics", Datum::Names(vec!["t".into()])),
    ];
    let all = vec![
        create(Table::Author, "a", vec![]),
        create(Table::Shelf, "s", vec![]),
        create(Table::Topic, "t", vec![]),
        create(Table::Book, "b", book),
        create(Table::Chapter, "c", vec![("rank", Datum::Int(1)), ("book", text("b"))]),
        create(Table::Remark, "r", vec![("chapter", text("c"))]),
    ];
    let done = run(&mut tables, all);
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    tables
}

#[test]
fn deletes_restrict_cascade_and_empty() {
    let mut tables = library();
    let ends = run(
        &mut tables,
        vec![
            delete(Table::Author, "a"),
            delete(Table::Shelf, "s"),
            delete(Table::Topic, "t"),
            delete(Table::Book, "b"),
        ],
    );
    assert_eq!(ends, [Err(HELD), Ok(()), Ok(()), Ok(())]);
    let left: Vec<_> =
        Table::ALL.into_iter().flat_map(|table| tables.of(table).map(move |(name, _)| (table, name.clone()))).collect();
    assert_eq!(left, [(Table::Author, "a".to_owned())]);
    let mut tables = library();
    run(&mut tables, vec![delete(Table::Shelf, "s"), delete(Table::Topic, "t")]);
    let book = tables.show(Table::Book, "b");
    assert_eq!(book["shelf"], Value::Null);
    assert_eq!(book["topics"], json!({ "totalCount": 0, "nodes": [] }));
}

#[test]
fn references_lead_somewhere_and_unique_values_have_one_holder() {
    let mut tables = library();
    let person = |name: &str, mail: Datum| create(Table::Person, name, vec![("mail", mail), ("room", Datum::Int(1))]);
    let ends = run(
        &mut tables,
        vec![
            create(Table::Remark, "r2", vec![("chapter", text("nowhere"))]),
            person("p", text("m")),
            person("q", text("m")),
            person("q", Datum::Null),
            person("r", Datum::Null),
        ],
    );
    assert_eq!(ends, [Err(MISSING), Ok(()), Err(TAKEN), Ok(()), Ok(())]);
}

#[test]
fn a_condition_and_a_version_must_hold() {
    let mut tables = Tables::default();
    let change = |version: u64| Change {
        version: Some(version),
        ..Change::of(Table::Counter, "k").with("value", Datum::Int(9))
    };
    let condition = Some(Filter::test("value", Operator::Eq(Datum::Int(0))));
    let ends = run(
        &mut tables,
        vec![
            create(Table::Counter, "k", vec![("value", Datum::Int(0))]),
            Operation::of(vec![Part::Change(change(1))]),
            Operation::of(vec![Part::Change(change(1))]),
            Operation::of(vec![Part::Change(Change { condition, ..change(2) })]),
            Operation::of(vec![Part::Change(change(2))]),
        ],
    );
    assert_eq!(ends, [Ok(()), Ok(()), Err(UNMET), Err(UNMET), Ok(())]);
}

#[test]
fn both_sides_can_be_written() {
    let mut tables = library();
    let relink = |of, name: &str, relinking: Relinking| {
        Operation::of(vec![Part::Change(Change { relinkings: vec![relinking], ..Change::of(of, name) })])
    };
    let sets = |field: &str, names: &[&str]| Relinking {
        field: field.into(),
        sets: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Relinking::default()
    };
    let ends = run(
        &mut tables,
        vec![relink(Table::Topic, "t", sets("books", &[])), relink(Table::Shelf, "s", sets("books", &[]))],
    );
    assert_eq!(ends, [Ok(()), Ok(())]);
    assert_eq!(tables.show(Table::Book, "b")["shelf"], Value::Null);
    assert!(tables.related(Table::Book, "b", "topics").is_empty());
    run(&mut tables, vec![relink(Table::Shelf, "s", sets("books", &["b"]))]);
    assert_eq!(tables.related(Table::Shelf, "s", "books"), ["b"]);
    let remarked = Filter::Counted { field: "remarks".into(), is: vec![Operator::Gt(Datum::Int(0))] };
    let some = Filter::Related { field: "chapters".into(), how: Quantifier::Some, filter: Box::new(remarked) };
    assert_eq!(predicate::truth(&tables, Table::Book, "b", &some), Some(true));
}

/// What is wrong with a page of a walk over leaves with these ranks, named by their places.
fn page(ranks: &[i64], seen: &[&str], shown: &[&str], more: bool) -> Result<(), String> {
    let mut tables = Tables::default();
    let leaf =
        |(place, rank): (usize, &i64)| create(Table::Leaf, &place.to_string(), vec![("rank", Datum::Int(*rank))]);
    run(&mut tables, ranks.iter().enumerate().map(leaf).collect());
    let walk = Walk {
        of: Table::Leaf,
        size: 2,
        way: Way::Forward,
        counted: false,
        order: vec![filter::OrderKey::up("rank")],
        filter: None,
        cursor: None,
        seen: seen.iter().map(|name| (*name).to_owned()).collect(),
        at: None,
    };
    let nodes: Vec<Value> = shown.iter().map(|name| tables.show(Table::Leaf, name)).collect();
    let info = json!({ "hasNextPage": more, "hasPreviousPage": !seen.is_empty() });
    let operation = Operation::of(vec![Part::Walk(walk)]);
    let expected = tables.run(&operation, 0).unwrap();
    Expected::check_all(&operation, &expected, &json!({ "p0": { "nodes": nodes, "pageInfo": info } }))
}

#[test]
fn a_page_may_order_equals_as_it_likes_but_skips_none() {
    assert_eq!(page(&[5, 5, 5, 7], &[], &["2", "0"], true), Ok(()));
    assert_eq!(page(&[5, 5, 5, 7], &["2", "0"], &["1", "3"], false), Ok(()));
    let skipped = page(&[5, 5, 5, 7], &["2", "0"], &["3"], false).unwrap_err();
    assert!(skipped.contains("1 records were answered: [String(\"3\")]; it should be [\"1\", \"3\"]"), "{skipped}");
    let wrong = page(&[5, 7, 6], &[], &["0", "1"], true).unwrap_err();
    assert!(wrong.contains("1 was answered where 2 belongs"), "{wrong}");
    assert!(page(&[5, 5, 5, 7], &["2", "0"], &["1", "0"], false).unwrap_err().contains("twice"));
    assert!(page(&[5, 5, 5], &[], &["0", "1"], false).unwrap_err().contains("hasNextPage"));
}
