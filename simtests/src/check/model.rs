//! What the database should hold and answer: the workload's operations on a plain map, one after the other.
//!
//! No planner, no index, no history, no concurrency: too simple to have the bugs that it looks for.

use super::rows::{Expected, Tables};
use super::schema_model::SchemaState;
use super::task_model::TaskState;
use crate::workload::task::Task;
use crate::workload::{Action, BoxLink, ItemChange, NewItem};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the schema")]
pub struct Item {
    pub kind: String,
    pub rank: i64,
    pub note: Option<String>,
    pub price: Option<String>,
    pub marks: Vec<String>,
    pub size: Option<(i64, i64)>,
    pub r#box: Option<String>,
    pub labels: BTreeSet<String>,
}

/// A box: room and shelf.
pub type Place = (String, i64);

/// A ticket: its item, and its number when an answer told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The item that it is for.
    pub item: String,
    /// Its number; `None` while no answer named it.
    pub number: Option<String>,
}

/// Everything in the database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// By tag.
    pub items: BTreeMap<String, Item>,
    /// By tag.
    pub boxes: BTreeMap<String, Place>,
    /// By slug.
    pub labels: BTreeSet<String>,
    /// By text.
    pub tickets: BTreeMap<String, Ticket>,
    /// Of the workloads with checkers of their own.
    pub tasks: TaskState,
    /// Of the workloads that work on tables.
    pub rows: Tables,
    /// Of the workload whose schema changes.
    pub schema: SchemaState,
}

/// What an operation should be answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Its `data`, but for what the server makes up: `commit` and ticket numbers.
    Data(Value),
    /// What each part of an operation over tables should be answered.
    Parts(Vec<Expected>),
}

/// The operation cannot be done: the codes that may say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub &'static [&'static str]);

const TAKEN: Refusal = Refusal(&["UNIQUE_VIOLATION"]);
const MISSING: Refusal = Refusal(&["NOT_FOUND", "REFERENCE_VIOLATION"]);
/// Taken and missing at once: which comes first is nobody's promise.
const EITHER: Refusal = Refusal(&["UNIQUE_VIOLATION", "NOT_FOUND", "REFERENCE_VIOLATION"]);

impl Answer {
    /// What is wrong with the `data` that was answered.
    ///
    /// # Errors
    /// It, in words.
    pub fn check(&self, action: &Action, data: &Value) -> Result<(), String> {
        let expected = match (self, action) {
            (Answer::Parts(parts), Action::Rows(operation)) => return Expected::check_all(operation, parts, data),
            (Answer::Data(expected), _) => expected,
            (Answer::Parts(_), _) => unreachable!("only operations over tables have parts"),
        };
        let found = comparable(action, data);
        if found == *expected { Ok(()) } else { Err(format!("was answered {found}; it should be {expected}")) }
    }
}

/// An answer without what the server makes up; of a transaction over lists, the lists that it read.
fn comparable(action: &Action, data: &Value) -> Value {
    if let Action::Task(task @ Task::Transact { .. }) = action {
        return task.lists(data).map_or_else(Value::String, |lists| lists.into());
    }
    let mut data = data.clone();
    if let Value::Object(fields) = &mut data {
        for (_, payload) in fields.iter_mut() {
            if let Value::Object(payload) = payload {
                payload.remove("commit");
                if let (Action::Page { .. }, Some(Value::Object(info))) = (action, payload.get_mut("pageInfo")) {
                    info.remove("endCursor");
                }
                if matches!(action, Action::CreateTicket { .. })
                    && let Some(Value::Object(ticket)) = payload.get_mut("ticket")
                {
                    ticket.remove("number");
                }
            }
        }
    }
    data
}

impl State {
    /// Does one operation, committed at a version if it writes.
    ///
    /// # Errors
    /// [`Refusal`]; the state is then as it was.
    pub fn run(&mut self, action: &Action, version: u64) -> Result<Answer, Refusal> {
        match action {
            Action::Task(task) => {
                let mut next = self.tasks.clone();
                let answer = next.run(task)?;
                self.tasks = next;
                Ok(Answer::Data(answer))
            }
            Action::Rows(operation) => {
                let mut next = self.rows.clone();
                let parts = next.run(operation, version)?;
                self.rows = next;
                Ok(Answer::Parts(parts))
            }
            Action::Schema(task) => {
                let mut next = self.schema.clone();
                let answer = next.run(task)?;
                self.schema = next;
                Ok(Answer::Data(answer))
            }
            _ if action.is_mutation() => {
                let mut next = self.clone();
                let answer = next.write(action)?;
                *self = next;
                Ok(Answer::Data(answer))
            }
            _ => Ok(Answer::Data(self.read(action))),
        }
    }

    fn write(&mut self, action: &Action) -> Result<Value, Refusal> {
        match action {
            Action::CreateItem { item } => {
                self.create_item(item)?;
                Ok(json!({ "createItem": { "item": self.show(&item.tag) } }))
            }
            Action::CreateItems { items } => {
                items.iter().try_for_each(|item| self.create_item(item)).map_err(|_| EITHER)?;
                let shown: Vec<_> = items.iter().map(|item| json!({ "tag": item.tag, "rank": item.rank })).collect();
                Ok(json!({ "createItems": { "items": shown, "affectedCount": items.len() } }))
            }
            Action::UpdateItem { tag, change } => {
                self.update_item(tag, change)?;
                Ok(json!({ "updateItem": { "item": self.show(tag) } }))
            }
            Action::UpdatePair { left, right, rank } => {
                for tag in [left, right] {
                    self.items.get_mut(tag).ok_or(MISSING)?.rank = *rank;
                }
                let shown = |tag: &str| json!({ "item": { "tag": tag, "rank": rank } });
                Ok(json!({ "left": shown(left), "right": shown(right) }))
            }
            Action::DeleteItem { tag } => {
                let item = self.items.remove(tag).ok_or(MISSING)?;
                self.tickets.retain(|_, ticket| ticket.item != *tag);
                Ok(json!({ "deleteItem": { "item": { "tag": tag, "rank": item.rank } } }))
            }
            Action::CreateBox { tag, room, shelf } => {
                let place = (room.clone(), *shelf);
                if self.boxes.contains_key(tag) || self.boxes.values().any(|taken| *taken == place) {
                    return Err(TAKEN);
                }
                self.boxes.insert(tag.clone(), place);
                Ok(json!({ "createBox": { "box": { "tag": tag, "room": room, "shelf": shelf } } }))
            }
            Action::DeleteBox { tag } => {
                self.boxes.remove(tag).ok_or(MISSING)?;
                for item in self.items.values_mut().filter(|item| item.r#box.as_ref() == Some(tag)) {
                    item.r#box = None;
                }
                Ok(json!({ "deleteBox": { "box": { "tag": tag } } }))
            }
            Action::CreateLabel { slug } => {
                let fresh = self.labels.insert(slug.clone());
                fresh.then(|| json!({ "createLabel": { "label": { "slug": slug } } })).ok_or(TAKEN)
            }
            Action::DeleteLabel { slug } => {
                if !self.labels.remove(slug) {
                    return Err(MISSING);
                }
                for item in self.items.values_mut() {
                    item.labels.remove(slug);
                }
                Ok(json!({ "deleteLabel": { "label": { "slug": slug } } }))
            }
            Action::CreateTicket { text, item } => {
                let taken = self.tickets.contains_key(text);
                if !self.items.contains_key(item) {
                    return Err(if taken { EITHER } else { MISSING });
                }
                if taken {
                    return Err(TAKEN);
                }
                self.tickets.insert(text.clone(), Ticket { item: item.clone(), number: None });
                Ok(json!({ "createTicket": { "ticket": { "text": text, "item": { "tag": item } } } }))
            }
            _ => unreachable!("reads do not write"),
        }
    }

    fn create_item(&mut self, new: &NewItem) -> Result<(), Refusal> {
        let missing = new.r#box.as_ref().is_some_and(|tag| !self.boxes.contains_key(tag))
            || new.labels.iter().any(|slug| !self.labels.contains(slug));
        match (self.items.contains_key(&new.tag), missing) {
            (true, true) => return Err(EITHER),
            (true, false) => return Err(TAKEN),
            (false, true) => return Err(MISSING),
            (false, false) => {}
        }
        let item = Item {
            kind: new.kind.clone(),
            rank: new.rank,
            note: new.note.clone(),
            price: new.price.clone(),
            marks: new.marks.clone(),
            size: new.width.map(|width| (width, width + 1)),
            r#box: new.r#box.clone(),
            labels: new.labels.iter().cloned().collect(),
        };
        self.items.insert(new.tag.clone(), item);
        Ok(())
    }

    fn update_item(&mut self, tag: &str, change: &ItemChange) -> Result<(), Refusal> {
        if change.connects.iter().any(|slug| !self.labels.contains(slug)) {
            return Err(MISSING);
        }
        if let Some(BoxLink::Connect(tag)) = &change.r#box
            && !self.boxes.contains_key(tag)
        {
            return Err(MISSING);
        }
        let item = self.items.get_mut(tag).ok_or(MISSING)?;
        if let Some(kind) = &change.kind {
            item.kind.clone_from(kind);
        }
        if let Some(rank) = change.rank {
            item.rank = rank;
        }
        if change.clears_note {
            item.note = None;
        } else if change.note.is_some() {
            item.note.clone_from(&change.note);
        }
        if change.price.is_some() {
            item.price.clone_from(&change.price);
        }
        if let Some(marks) = &change.marks {
            item.marks.clone_from(marks);
        }
        match &change.r#box {
            Some(BoxLink::Connect(tag)) => item.r#box = Some(tag.clone()),
            Some(BoxLink::Disconnect) => item.r#box = None,
            None => {}
        }
        item.labels.extend(change.connects.iter().cloned());
        item.labels.retain(|slug| !change.disconnects.contains(slug));
        Ok(())
    }

    /// An item as answers show it.
    fn show(&self, tag: &str) -> Value {
        let Some(item) = self.items.get(tag) else { return Value::Null };
        json!({
            "tag": tag,
            "kind": item.kind,
            "rank": item.rank,
            "note": item.note,
            "price": item.price,
            "marks": item.marks,
            "size": item.size.map(|(width, height)| json!({ "width": width, "height": height })),
            "box": item.r#box.as_ref().map(|tag| json!({ "tag": tag })),
            "labels": { "nodes": item.labels.iter().map(|slug| json!({ "slug": slug })).collect::<Vec<_>>() },
        })
    }

    fn read(&self, action: &Action) -> Value {
        match action {
            Action::ReadItem { tag } => {
                let mut shown = self.show(tag);
                if !shown.is_null() {
                    let tickets = self.tickets.iter().filter(|(_, ticket)| ticket.item == *tag);
                    shown["tickets"] =
                        json!({ "nodes": tickets.map(|(text, _)| json!({ "text": text })).collect::<Vec<_>>() });
                }
                json!({ "item": shown })
            }
            Action::ListByKind { kind, first } => {
                let mut found: Vec<_> = self.items.iter().filter(|(_, item)| item.kind == *kind).collect();
                found.sort_by_key(|(tag, item)| (item.rank, *tag));
                let page = found.iter().take(*first as usize);
                json!({ "items": {
                    "totalCount": found.len(),
                    "nodes": page.map(|(tag, item)| json!({ "tag": tag, "rank": item.rank })).collect::<Vec<_>>(),
                    "pageInfo": { "hasNextPage": found.len() > *first as usize, "hasPreviousPage": false },
                } })
            }
            Action::Page { kind, first, place } => {
                let mut found: Vec<_> = self.items.iter().filter(|(_, item)| item.kind == *kind).collect();
                found.sort_by_key(|(tag, item)| (item.rank, *tag));
                let page = found.iter().skip(place.skip as usize).take(*first as usize);
                json!({ "items": {
                    "totalCount": found.len(),
                    "nodes": page.map(|(tag, item)| json!({ "tag": tag, "rank": item.rank })).collect::<Vec<_>>(),
                    "pageInfo": {
                        "hasNextPage": found.len() as u64 > place.skip + first,
                        "hasPreviousPage": place.skip > 0,
                    },
                } })
            }
            Action::ListByMark { mark } => {
                let found = self.items.iter().filter(|(_, item)| item.marks.contains(mark));
                let nodes: Vec<_> = found.map(|(tag, item)| json!({ "tag": tag, "marks": item.marks })).collect();
                json!({ "items": { "nodes": nodes } })
            }
            Action::ListByRank { least, most } => {
                let inside = |item: &Item| (least..=most).contains(&&item.rank);
                let mut found: Vec<_> = self.items.iter().filter(|(_, item)| inside(item)).collect();
                found.sort_by_key(|(tag, item)| (std::cmp::Reverse(item.rank), *tag));
                let nodes: Vec<_> = found.iter().map(|(tag, item)| json!({ "tag": tag, "rank": item.rank })).collect();
                json!({ "items": { "nodes": nodes } })
            }
            Action::ReadBox { tag } => {
                let items = self.items.iter().filter(|(_, item)| item.r#box.as_ref() == Some(tag));
                let nodes: Vec<_> = items.map(|(tag, _)| json!({ "tag": tag })).collect();
                let shown = self.boxes.get(tag).map(|(room, shelf)| {
                    let items = json!({ "totalCount": nodes.len(), "nodes": nodes });
                    json!({ "tag": tag, "room": room, "shelf": shelf, "items": items })
                });
                json!({ "box": shown })
            }
            Action::ReadLabel { slug } => {
                let items = self.items.iter().filter(|(_, item)| item.labels.contains(slug));
                let nodes: Vec<_> = items.map(|(tag, _)| json!({ "tag": tag })).collect();
                let shown = self.labels.contains(slug).then(|| json!({ "slug": slug, "items": { "nodes": nodes } }));
                json!({ "label": shown })
            }
            Action::CountItems => {
                let count = |count: usize| json!({ "totalCount": count });
                json!({
                    "items": count(self.items.len()),
                    "boxes": count(self.boxes.len()),
                    "labels": count(self.labels.len()),
                    "tickets": count(self.tickets.len()),
                })
            }
            _ => unreachable!("writes do not read"),
        }
    }

    /// The first difference to what was found, in words. Ticket numbers count when both sides know them.
    pub fn difference(&self, found: &State) -> Option<String> {
        fn compare<V: std::fmt::Debug>(
            what: &str,
            expected: &BTreeMap<String, V>,
            found: &BTreeMap<String, V>,
            same: impl Fn(&V, &V) -> bool,
        ) -> Option<String> {
            for (name, value) in expected {
                match found.get(name) {
                    None => return Some(format!("{what} {name} is missing; it should be {value:?}")),
                    Some(other) if !same(value, other) => {
                        return Some(format!("{what} {name} is {other:?}; it should be {value:?}"));
                    }
                    Some(_) => {}
                }
            }
            let extra = found.iter().find(|(name, _)| !expected.contains_key(*name));
            extra.map(|(name, value)| format!("{what} {name} should not be there: {value:?}"))
        }
        let same_ticket = |a: &Ticket, b: &Ticket| {
            a.item == b.item && (a.number.is_none() || b.number.is_none() || a.number == b.number)
        };
        let unit = |labels: &BTreeSet<String>| labels.iter().map(|slug| (slug.clone(), ())).collect::<BTreeMap<_, _>>();
        compare("item", &self.items, &found.items, PartialEq::eq)
            .or_else(|| compare("box", &self.boxes, &found.boxes, PartialEq::eq))
            .or_else(|| compare("label", &unit(&self.labels), &unit(&found.labels), PartialEq::eq))
            .or_else(|| compare("ticket", &self.tickets, &found.tickets, same_ticket))
            .or_else(|| self.tasks.difference(&found.tasks))
            .or_else(|| self.rows.difference(&found.rows))
            .or_else(|| self.schema.difference(&found.schema))
    }
}
