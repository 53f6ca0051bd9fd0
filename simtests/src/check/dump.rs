//! Everything in the database, read through the API at one snapshot, from both sides of every relation.

use super::model::{Item, State, Ticket};
use super::rows::{self, Tables};
use super::schema_model::SchemaState;
use super::task_model::{self, TaskState};
use crate::workload::Workload;
use crate::workload::schema_change::Revision;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Reads all collections of the mixed workload in one operation. `first` is above what the workload ever makes.
const DOCUMENT: &str = "query {
  items(first: 100) { totalCount nodes {
    tag kind rank note price marks size { width height } box { tag }
    labels(first: 20) { nodes { slug } } tickets(first: 100) { nodes { text } }
  } pageInfo { hasNextPage } }
  boxes(first: 20) { nodes { tag room shelf items(first: 100) { nodes { tag } } } }
  labels(first: 20) { nodes { slug items(first: 100) { nodes { tag } } } }
  tickets(first: 200, orderBy: [{ number: ASC }]) { nodes { text number item { tag } } pageInfo { hasNextPage } }
}";

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is no string"))
}

fn number(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is no integer"))
}

fn nodes(connection: &Value) -> Result<&Vec<Value>, String> {
    connection["nodes"].as_array().ok_or_else(|| format!("{connection} has no nodes"))
}

fn optional<T>(value: &Value, read: impl Fn(&Value) -> Result<T, String>) -> Result<Option<T>, String> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

fn names<C: FromIterator<String>>(connection: &Value, name: &str) -> Result<C, String> {
    nodes(connection)?.iter().map(|node| text(&node[name])).collect()
}

/// The document that reads everything that a workload works on, under the schema that it begins with.
pub fn document(workload: Workload) -> Cow<'static, str> {
    document_under(workload, workload.schema())
}

/// As [`document`], under the schema that is declared by now.
pub fn document_under(workload: Workload, sdl: &str) -> Cow<'static, str> {
    match workload {
        Workload::Mixed => Cow::Borrowed(DOCUMENT),
        Workload::Append | Workload::Bank | Workload::Register | Workload::Set => Cow::Owned(task_model::document()),
        Workload::Schema => Cow::Owned(Revision::parse(sdl).unwrap_or_default().document()),
        _ => Cow::Owned(rows::document()),
    }
}

/// The `data` of [`document`] as a state.
///
/// # Errors
/// When the two sides of a relation disagree, or something is there twice.
pub fn state(data: &Value) -> Result<State, String> {
    let mut state = State::default();
    if data.get("topics").is_some() {
        state.rows = Tables::parse(data)?;
        return Ok(state);
    }
    if data.get("things").is_some() {
        state.schema = SchemaState::parse(data)?;
        return Ok(state);
    }
    if data.get("items").is_none() {
        state.tasks = TaskState::parse(data)?;
        return Ok(state);
    }
    let mut tickets_of = BTreeMap::new();
    for node in nodes(&data["items"])? {
        let tag = text(&node["tag"])?;
        let marks = node["marks"].as_array().ok_or("an item without marks")?;
        let item = Item {
            kind: text(&node["kind"])?,
            rank: number(&node["rank"])?,
            note: optional(&node["note"], text)?,
            price: optional(&node["price"], text)?,
            marks: marks.iter().map(text).collect::<Result<_, _>>()?,
            size: optional(&node["size"], |size| Ok((number(&size["width"])?, number(&size["height"])?)))?,
            r#box: optional(&node["box"], |found| text(&found["tag"]))?,
            labels: names(&node["labels"], "slug")?,
        };
        tickets_of.insert(tag.clone(), names::<BTreeSet<_>>(&node["tickets"], "text")?);
        if state.items.insert(tag.clone(), item).is_some() {
            return Err(format!("two items have the tag {tag}"));
        }
    }
    if data["items"]["totalCount"] != state.items.len() {
        return Err(format!(
            "totalCount of items is {}, listed are {}",
            data["items"]["totalCount"],
            state.items.len()
        ));
    }
    for node in nodes(&data["boxes"])? {
        let tag = text(&node["tag"])?;
        let held: BTreeSet<String> = names(&node["items"], "tag")?;
        let holders = state.items.iter().filter(|(_, item)| item.r#box.as_ref() == Some(&tag));
        agree("box", &tag, &held, holders.map(|(tag, _)| tag))?;
        if state.boxes.insert(tag.clone(), (text(&node["room"])?, number(&node["shelf"])?)).is_some() {
            return Err(format!("two boxes have the tag {tag}"));
        }
    }
    for node in nodes(&data["labels"])? {
        let slug = text(&node["slug"])?;
        let held: BTreeSet<String> = names(&node["items"], "tag")?;
        let holders = state.items.iter().filter(|(_, item)| item.labels.contains(&slug));
        agree("label", &slug, &held, holders.map(|(tag, _)| tag))?;
        if !state.labels.insert(slug.clone()) {
            return Err(format!("two labels have the slug {slug}"));
        }
    }
    let mut numbers = BTreeSet::new();
    for node in nodes(&data["tickets"])? {
        let (name, number) = (text(&node["text"])?, text(&node["number"])?);
        if !numbers.insert(number.clone()) {
            return Err(format!("two tickets have the number {number}"));
        }
        let ticket = Ticket { item: text(&node["item"]["tag"])?, number: Some(number) };
        if state.tickets.insert(name.clone(), ticket).is_some() {
            return Err(format!("two tickets have the text {name}"));
        }
    }
    for (tag, held) in &tickets_of {
        let holders = state.tickets.iter().filter(|(_, ticket)| ticket.item == *tag);
        agree("item", tag, held, holders.map(|(text, _)| text))?;
    }
    Ok(state)
}

fn agree<'a>(
    what: &str,
    name: &str,
    one_side: &BTreeSet<String>,
    other_side: impl Iterator<Item = &'a String>,
) -> Result<(), String> {
    let other_side: BTreeSet<String> = other_side.cloned().collect();
    if *one_side == other_side {
        return Ok(());
    }
    Err(format!("{what} {name} lists {one_side:?}, but those that refer to it are {other_side:?}"))
}
