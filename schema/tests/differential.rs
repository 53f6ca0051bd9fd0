//! Random lists of random records, asked of a node and of plain loops over the same rows: both must answer alike.
//!
//! `VIVARIUM_SEED=n` runs one seed; the message of a failure names it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};
use std::cmp::Ordering;
use vivarium_schema::plan::Limits;

const SCHEMA: &str = r#"
type Box @collection {
  id: ID!
  key: Int! @unique
  label: String @index
  weight: Float
  parent: Box @relation(inverse: "children")
  children: [Box!]! @relation(inverse: "parent")
  things: [Thing!]! @relation(inverse: "box")
}
type Thing @collection @index(fields: ["box", "size"]) @index(fields: ["color", "size"]) @index(fields: ["place.shelf"]) {
  id: ID!
  key: Int! @unique
  size: Int
  color: Color
  name: String @index
  tags: [String!]! @default(value: []) @index
  place: Place
  box: Box @relation(inverse: "things")
}
enum Color { RED GREEN BLUE }
type Place { shelf: Int! row: String }
"#;
const BOXES: i64 = 12;
const THINGS: i64 = 90;
const SEEDS: u64 = 6;
const OPERATIONS: usize = 70;

/// Chance from a seed: xorshift64*.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }
    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
    fn maybe(&mut self, value: Value) -> Value {
        if self.one_in(4) { Value::Null } else { value }
    }
}

const NAMES: [&str; 6] = ["ant", "Ant", "bee", "beetle", "Zoë", "zoo"];
const TAGS: [&str; 3] = ["a", "b", "c"];
const COLORS: [&str; 3] = ["RED", "GREEN", "BLUE"];

/// The rows as plain JSON; references are keys of boxes.
struct Rows {
    boxes: Vec<Value>,
    things: Vec<Value>,
}

fn rows(chance: &mut Chance) -> Rows {
    let boxes = (0..BOXES)
        .map(|key| {
            let label = json!(*chance.pick(&NAMES));
            let weight = json!(chance.below(8) as f64 / 2.0);
            let parent = if key == 0 { Value::Null } else { json!(chance.below(key as usize)) };
            json!({ "key": key, "label": chance.maybe(label), "weight": chance.maybe(weight), "parent": chance.maybe(parent) })
        })
        .collect();
    let things = (0..THINGS)
        .map(|key| {
            let tags: Vec<&str> = TAGS.into_iter().filter(|_| chance.one_in(3)).collect();
            let row = json!(*chance.pick(&NAMES));
            let place = json!({ "shelf": chance.below(5), "row": chance.maybe(row) });
            let (size, color, name) = (chance.below(9), *chance.pick(&COLORS), *chance.pick(&NAMES));
            let of = chance.below(BOXES as usize);
            json!({
                "key": key, "size": chance.maybe(json!(size)), "color": chance.maybe(json!(color)), "name": chance.maybe(json!(name)),
                "tags": tags, "place": chance.maybe(place), "box": chance.maybe(json!(of)),
            })
        })
        .collect();
    Rows { boxes, things }
}

async fn fill(server: &Server, rows: &Rows) {
    let connected = |row: &Value, field: &str| {
        let mut row = row.clone();
        match row[field].take() {
            Value::Null => drop(row.as_object_mut().unwrap().remove(field)),
            key => row[field] = json!({ "connect": { "key": key } }),
        }
        row
    };
    for row in &rows.boxes {
        let query = "mutation($data: BoxCreate!) { createBox(data: $data) { box { key } } }";
        server.data(query, json!({ "data": connected(row, "parent") })).await;
    }
    let data: Vec<Value> = rows.things.iter().map(|row| connected(row, "box")).collect();
    server
        .data(
            "mutation($data: [ThingCreate!]!) { createThings(data: $data) { affectedCount } }",
            json!({ "data": data }),
        )
        .await;
}

// ---- a naive evaluator ----

fn lookup<'a>(rows: &'a Rows, key: &Value) -> Option<&'a Value> {
    rows.boxes.get(usize::try_from(key.as_i64()?).ok()?)
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64().unwrap().total_cmp(&other.as_f64().unwrap()),
        (Value::String(one), Value::String(other)) => match (color(one), color(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.cmp(other),
        },
        other => panic!("{other:?}"),
    }
}

/// Enums sort in the order of their declaration.
fn color(name: &str) -> Option<usize> {
    COLORS.iter().position(|color| *color == name)
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn matches(rows: &Rows, kind: &str, row: &Value, filter: &Value) -> Option<bool> {
    let member = |(name, test): (&String, &Value)| match (kind, name.as_str()) {
        (_, "and") => test.as_array().unwrap().iter().map(|part| matches(rows, kind, row, part)).fold(Some(true), both),
        (_, "or") => {
            let parts = test.as_array().unwrap().iter().map(|part| matches(rows, kind, row, part).map(|it| !it));
            parts.fold(Some(true), both).map(|it| !it)
        }
        (_, "not") => matches(rows, kind, row, test).map(|it| !it),
        ("Thing", "box") | ("Box", "parent") => {
            let found = lookup(rows, &row[name]);
            if let Some(wanted) = test.get("isNull") {
                return Some(found.is_none() == wanted.as_bool().unwrap());
            }
            Some(found.is_some_and(|found| matches(rows, "Box", found, test) == Some(true)))
        }
        ("Box", "things" | "children") => {
            let (of, kind, field) =
                if name == "things" { (&rows.things, "Thing", "box") } else { (&rows.boxes, "Box", "parent") };
            let relatives: Vec<&Value> = of.iter().filter(|other| other[field] == row["key"]).collect();
            let holds =
                |inner: &Value| relatives.iter().filter(|row| matches(rows, kind, row, inner) == Some(true)).count();
            let part = |(operator, inner): (&String, &Value)| match operator.as_str() {
                "some" => Some(holds(inner) > 0),
                "every" => Some(holds(inner) == relatives.len()),
                "none" => Some(holds(inner) == 0),
                _ => tested(&json!(relatives.len()), inner),
            };
            test.as_object().unwrap().iter().map(part).fold(Some(true), both)
        }
        (_, "place") => match test.get("isNull") {
            Some(wanted) => Some(row["place"].is_null() == wanted.as_bool().unwrap()),
            None => {
                let part = |(name, test): (&String, &Value)| tested(&row["place"][name], test);
                test.as_object().unwrap().iter().map(part).fold(Some(true), both)
            }
        },
        (_, "tags") => {
            let has = |tag: &Value| row["tags"].as_array().unwrap().contains(tag);
            let part = |(operator, operand): (&String, &Value)| match operator.as_str() {
                "has" => Some(has(operand)),
                "hasAny" => Some(operand.as_array().unwrap().iter().any(has)),
                "hasAll" => Some(operand.as_array().unwrap().iter().all(has)),
                "isEmpty" => Some(row["tags"].as_array().unwrap().is_empty() == operand.as_bool().unwrap()),
                _ => tested(&json!(row["tags"].as_array().unwrap().len()), operand),
            };
            test.as_object().unwrap().iter().map(part).fold(Some(true), both)
        }
        _ => tested(&row[name], test),
    };
    filter.as_object().unwrap().iter().map(member).fold(Some(true), both)
}

fn tested(value: &Value, test: &Value) -> Option<bool> {
    let fold = test.get("ignoreCase") == Some(&json!(true));
    let text = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        if fold { text.to_lowercase() } else { text.to_owned() }
    };
    let order = |operand: &Value| match (value, operand) {
        (Value::String(_), Value::String(_)) if fold => text(value).cmp(&text(operand)),
        _ => compare(value, operand),
    };
    let part = |(operator, operand): (&String, &Value)| {
        if operator == "isNull" {
            return Some(value.is_null() == operand.as_bool().unwrap());
        }
        if operator == "ignoreCase" {
            return Some(true);
        }
        if value.is_null() {
            return None;
        }
        Some(match operator.as_str() {
            "eq" => order(operand).is_eq(),
            "ne" => order(operand).is_ne(),
            "lt" => order(operand).is_lt(),
            "lte" => order(operand).is_le(),
            "gt" => order(operand).is_gt(),
            "gte" => order(operand).is_ge(),
            "in" => operand.as_array().unwrap().iter().any(|operand| order(operand).is_eq()),
            "notIn" => !operand.as_array().unwrap().iter().any(|operand| order(operand).is_eq()),
            "contains" => text(value).contains(&text(operand)),
            "startsWith" => text(value).starts_with(&text(operand)),
            "endsWith" => text(value).ends_with(&text(operand)),
            other => panic!("{other}"),
        })
    };
    test.as_object().unwrap().iter().map(part).fold(Some(true), both)
}

/// Sorts rows; every order ends in `key`, so that ids decide nothing.
fn sort(rows: &Rows, found: &mut [Value], order: &[Value]) {
    let value = |row: &Value, key: &Value| {
        let (name, below) = key.as_object().unwrap().iter().next().unwrap();
        match name.as_str() {
            "box" | "parent" => {
                let (name, direction) = below.as_object().unwrap().iter().next().unwrap();
                (
                    lookup(rows, &row["box"])
                        .or(lookup(rows, &row["parent"]))
                        .map_or(Value::Null, |it| it[name].clone()),
                    direction.clone(),
                )
            }
            "place" => {
                let (name, direction) = below.as_object().unwrap().iter().next().unwrap();
                (row["place"][name].clone(), direction.clone())
            }
            "things" => {
                let count = rows.things.iter().filter(|thing| thing["box"] == row["key"]).count();
                (json!(count), below["count"].clone())
            }
            name => (row[name].clone(), below.clone()),
        }
    };
    found.sort_by(|one, other| {
        let by = |key: &Value| {
            let ((one, direction), (other, _)) = (value(one, key), value(other, key));
            let direction = direction.as_str().unwrap();
            let nulls_first = matches!(direction, "ASC" | "ASC_NULLS_FIRST" | "DESC_NULLS_FIRST");
            match (one.is_null(), other.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) => {
                    if nulls_first {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, true) => {
                    if nulls_first {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                _ if direction.starts_with("DESC") => compare(&other, &one),
                _ => compare(&one, &other),
            }
        };
        order.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
}

// ---- random operations ----

fn scalar_test(chance: &mut Chance, values: &[Value], text: bool) -> Value {
    let operand = chance.pick(values).clone();
    let list: Vec<Value> = (0..chance.below(4)).map(|_| chance.pick(values).clone()).collect();
    let mut test = match chance.below(if text { 11 } else { 9 }) {
        0 | 1 => json!({ "eq": operand }),
        2 => json!({ "ne": operand }),
        3 => json!({ "in": list }),
        4 => json!({ "notIn": list }),
        5 => json!({ "isNull": chance.one_in(2) }),
        6 => json!({ "gte": operand }),
        7 => json!({ "lt": operand }),
        8 => json!({ "gt": operand, "lte": chance.pick(values) }),
        9 => json!({ "startsWith": operand.as_str().unwrap().chars().next().unwrap().to_string() }),
        _ => json!({ "contains": operand.as_str().unwrap().chars().nth(1).unwrap().to_string() }),
    };
    if text && chance.one_in(4) {
        test["ignoreCase"] = json!(true);
    }
    test
}

fn numbers(end: usize) -> Vec<Value> {
    (0..end).map(|number| json!(number)).collect()
}

fn strings(of: &[&str]) -> Vec<Value> {
    of.iter().map(|text| json!(text)).collect()
}

/// An enum has no order to compare by.
fn enum_test(chance: &mut Chance) -> Value {
    let operand = *chance.pick(&COLORS);
    match chance.below(4) {
        0 => json!({ "eq": operand }),
        1 => json!({ "ne": operand }),
        2 => json!({ "in": [operand, "RED"] }),
        _ => json!({ "isNull": chance.one_in(2) }),
    }
}

fn filter(chance: &mut Chance, kind: &str, depth: usize) -> Value {
    let mut filter = json!({});
    for _ in 0..=chance.below(2) {
        let nested = depth > 0;
        match chance.below(if nested { 12 } else { 5 }) {
            0 => filter["key"] = scalar_test(chance, &numbers(20), false),
            1 | 2 if kind == "Thing" => filter["size"] = scalar_test(chance, &numbers(9), false),
            3 if kind == "Thing" => filter["name"] = scalar_test(chance, &strings(&NAMES), true),
            4 if kind == "Thing" => filter["color"] = enum_test(chance),
            5 if kind == "Thing" => {
                let list: Vec<&str> = TAGS.into_iter().filter(|_| chance.one_in(2)).collect();
                filter["tags"] = match chance.below(5) {
                    0 => json!({ "has": chance.pick(&TAGS) }),
                    1 => json!({ "hasAny": list }),
                    2 => json!({ "hasAll": list }),
                    3 => json!({ "isEmpty": chance.one_in(2) }),
                    _ => json!({ "length": scalar_test(chance, &numbers(4), false) }),
                }
            }
            6 if kind == "Thing" => {
                filter["place"] = match chance.below(3) {
                    0 => json!({ "isNull": chance.one_in(2) }),
                    1 => json!({ "shelf": scalar_test(chance, &numbers(5), false) }),
                    _ => json!({ "row": scalar_test(chance, &strings(&NAMES), true) }),
                }
            }
            1 | 2 => filter["label"] = scalar_test(chance, &strings(&NAMES), true),
            3 | 4 => filter["weight"] = scalar_test(chance, &numbers(4), false),
            7 | 8 => {
                let relation = if kind == "Thing" { "box" } else { "parent" };
                filter[relation] = if chance.one_in(4) {
                    json!({ "isNull": chance.one_in(2) })
                } else {
                    self::filter(chance, "Box", depth - 1)
                };
            }
            9 if kind == "Box" => {
                let (relation, of) = if chance.one_in(2) { ("things", "Thing") } else { ("children", "Box") };
                filter[relation] = match chance.below(4) {
                    0 => json!({ "some": self::filter(chance, of, depth - 1) }),
                    1 => json!({ "every": self::filter(chance, of, depth - 1) }),
                    2 => json!({ "none": self::filter(chance, of, depth - 1) }),
                    _ => json!({ "count": scalar_test(chance, &numbers(8), false) }),
                }
            }
            10 => filter["not"] = self::filter(chance, kind, depth - 1),
            11 => filter["or"] = json!([self::filter(chance, kind, depth - 1), self::filter(chance, kind, depth - 1)]),
            _ => filter["key"] = scalar_test(chance, &numbers(60), false),
        }
    }
    filter
}

fn order(chance: &mut Chance, kind: &str) -> Vec<Value> {
    const DIRECTIONS: [&str; 6] =
        ["ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST"];
    let mut order = Vec::new();
    for _ in 0..chance.below(3) {
        let direction = *chance.pick(&DIRECTIONS);
        order.push(match (kind, chance.below(6)) {
            ("Thing", 0 | 1) => json!({ "size": direction }),
            ("Thing", 2) => json!({ "color": direction }),
            ("Thing", 3) => json!({ "name": direction }),
            ("Thing", 4) => json!({ "place": { "shelf": direction } }),
            ("Thing", _) => json!({ "box": { "label": direction } }),
            (_, 0 | 1) => json!({ "label": direction }),
            (_, 2) => json!({ "weight": direction }),
            (_, 3) => json!({ "parent": { "label": direction } }),
            _ => json!({ "things": { "count": direction } }),
        });
    }
    order.push(json!({ "key": *chance.pick(&["ASC", "DESC"]) }));
    order
}

fn page_of(found: &[Value], first: Option<usize>, last: Option<usize>, offset: usize) -> Value {
    let (start, end) = match (first, last) {
        (Some(first), _) => (offset.min(found.len()), (offset + first).min(found.len())),
        (_, Some(last)) => {
            let end = found.len().saturating_sub(offset);
            (end.saturating_sub(last), end)
        }
        _ => unreachable!("one of them is given"),
    };
    let keys: Vec<Value> = found[start..end].iter().map(|row| json!({ "key": row["key"] })).collect();
    json!({
        "totalCount": found.len(), "nodes": keys,
        "pageInfo": { "hasNextPage": end < found.len(), "hasPreviousPage": start > 0 },
    })
}

async fn check(server: &Server, rows: &Rows, chance: &mut Chance, place: &str) {
    let (kind, field) = *chance.pick(&[("Thing", "things"), ("Box", "boxes")]);
    let filter = if chance.one_in(6) { Value::Null } else { filter(chance, kind, 3) };
    let order = order(chance, kind);
    let of = if kind == "Thing" { &rows.things } else { &rows.boxes };
    let holds = |row: &&Value| filter.is_null() || matches(rows, kind, row, &filter) == Some(true);
    let mut found: Vec<Value> = of.iter().filter(holds).cloned().collect();
    sort(rows, &mut found, &order);
    let size = 1 + chance.below(9);
    let (first, last) = if chance.one_in(3) { (None, Some(size)) } else { (Some(size), None) };
    let offset = if chance.one_in(3) { chance.below(12) } else { 0 };
    let total = if chance.one_in(2) { "totalCount" } else { "" };
    let query = format!(
        "query($where: {kind}Where, $orderBy: [{kind}Order!], $first: Int, $last: Int, $offset: Int) {{ {field}(where: $where, orderBy: $orderBy, first: $first, last: $last, offset: $offset) {{ {total} nodes {{ key }} pageInfo {{ hasNextPage hasPreviousPage }} }} }}"
    );
    let variables = json!({ "where": filter, "orderBy": order, "first": first, "last": last, "offset": offset });
    let mut wanted = page_of(&found, first, last, offset);
    if total.is_empty() {
        wanted.as_object_mut().unwrap().remove("totalCount");
    }
    let answer = server.data(&query, variables.clone()).await;
    if answer[field] != wanted {
        let plan = server.explain(&query, variables.clone()).await;
        panic!("{place}\n{variables}\n{plan}\n{}\ninstead of\n{wanted}", answer[field]);
    }
    walk(server, &found, (kind, field), &variables, size, place).await;
}

/// All pages by cursor, forwards and backwards, are the whole list.
async fn walk(
    server: &Server,
    found: &[Value],
    (kind, field): (&str, &str),
    variables: &Value,
    size: usize,
    place: &str,
) {
    for (count, cursor, more, next) in
        [("first", "after", "hasNextPage", "endCursor"), ("last", "before", "hasPreviousPage", "startCursor")]
    {
        let query = format!(
            "query($where: {kind}Where, $orderBy: [{kind}Order!], $size: Int, $cursor: String) {{ {field}(where: $where, orderBy: $orderBy, {count}: $size, {cursor}: $cursor) {{ nodes {{ key }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let mut variables =
            json!({ "where": variables["where"], "orderBy": variables["orderBy"], "size": size, "cursor": null });
        let mut keys: Vec<Value> = Vec::new();
        for pages in 1.. {
            let answer = server.data(&query, variables.clone()).await;
            let page = &answer[field];
            let here: Vec<Value> = page["nodes"].as_array().unwrap().iter().map(|node| node["key"].clone()).collect();
            keys = if count == "first" { [keys, here].concat() } else { [here, keys].concat() };
            let back = if count == "first" { "hasPreviousPage" } else { "hasNextPage" };
            assert_eq!(page["pageInfo"][back], json!(pages > 1), "{place}\n{variables}");
            if page["pageInfo"][more] == json!(false) {
                break;
            }
            variables["cursor"] = page["pageInfo"][next].clone();
        }
        let wanted: Vec<Value> = found.iter().map(|row| row["key"].clone()).collect();
        assert_eq!(keys, wanted, "{place}\n{count} {variables}\n{}", server.explain(&query, variables.clone()).await);
    }
}

/// Lists of each box: the same filter, order and page for every one.
async fn check_nested(server: &Server, rows: &Rows, chance: &mut Chance, place: &str) {
    let filter = if chance.one_in(2) { Value::Null } else { filter(chance, "Thing", 2) };
    let order = order(chance, "Thing");
    let size = 1 + chance.below(5);
    let (first, last) = if chance.one_in(3) { (None, Some(size)) } else { (Some(size), None) };
    let offset = if chance.one_in(3) { chance.below(4) } else { 0 };
    let total = if chance.one_in(2) { "totalCount" } else { "" };
    let query = format!(
        "query($where: ThingWhere, $orderBy: [ThingOrder!], $first: Int, $last: Int, $offset: Int) {{ boxes(orderBy: {{ key: ASC }}, first: 100) {{ nodes {{ things(where: $where, orderBy: $orderBy, first: $first, last: $last, offset: $offset) {{ {total} nodes {{ key }} pageInfo {{ hasNextPage hasPreviousPage }} }} }} }} }}"
    );
    let variables = json!({ "where": filter, "orderBy": order, "first": first, "last": last, "offset": offset });
    let answer = server.data(&query, variables.clone()).await;
    for (at, parent) in rows.boxes.iter().enumerate() {
        let holds = |row: &&Value| {
            row["box"] == parent["key"] && (filter.is_null() || matches(rows, "Thing", row, &filter) == Some(true))
        };
        let mut found: Vec<Value> = rows.things.iter().filter(holds).cloned().collect();
        sort(rows, &mut found, &order);
        let mut wanted = page_of(&found, first, last, offset);
        if total.is_empty() {
            wanted.as_object_mut().unwrap().remove("totalCount");
        }
        let found = &answer["boxes"]["nodes"][at]["things"];
        if *found != wanted {
            let plan = server.explain(&query, variables.clone()).await;
            panic!("{place} box {at}\n{variables}\n{plan}\n{found}\ninstead of\n{wanted}");
        }
    }
}

#[test]
fn a_node_and_plain_loops_answer_alike() {
    let only = std::env::var("VIVARIUM_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = only.map_or(1..=SEEDS, |seed| seed..=seed);
    run(async {
        for seed in seeds {
            let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            let rows = rows(&mut chance);
            // Few enough entries that both ways of an unsure plan are taken.
            let limits = Limits { gather_max: 4 * (seed as usize % 3), ..Limits::default() };
            let server = Server::with(SCHEMA, limits).await;
            fill(&server, &rows).await;
            for operation in 0..OPERATIONS {
                let place = format!("VIVARIUM_SEED={seed}, operation {operation}");
                if chance.one_in(4) {
                    check_nested(&server, &rows, &mut chance, &place).await;
                } else {
                    check(&server, &rows, &mut chance, &place).await;
                }
            }
        }
    });
}
