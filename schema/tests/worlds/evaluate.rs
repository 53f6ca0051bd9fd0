//! What a query has to answer, from the records alone: every list is filtered, sorted and cut by plain loops.
//!
//! A cursor is answered by a text that names its order and its record; the real ones are held against that.

use super::atom::Rank;
use super::fold;
use super::judge::{Judge, walk};
use super::model::{Kind, Model, Object};
use super::operation::*;
use super::world::{Id, Record, Value, World, field};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering;

/// Records of a page when nothing is said.
const PAGE: usize = 20;

/// The first character of what stands for a cursor.
pub const CURSOR: char = '\u{1}';

/// Bytes of an id that say which collection it is of.
const COLLECTION_BYTES: usize = 4;

#[derive(Clone, Copy)]
pub struct Evaluator<'a> {
    pub model: &'a Model,
    pub world: &'a World,
}

/// Selections of the same response key.
struct Merged<'s> {
    key: &'s str,
    fields: Vec<&'s Field>,
}

impl<'s> Merged<'s> {
    fn name(&self) -> &'s str {
        &self.fields[0].name
    }
    fn below(&self) -> Vec<&'s [Selection]> {
        self.fields.iter().map(|field| field.selections.as_slice()).collect()
    }
}

/// A part of a list.
pub struct Page {
    pub ids: Vec<Id>,
    pub total: usize,
    pub previous: bool,
    pub next: bool,
}

impl<'a> Evaluator<'a> {
    /// The `data` of a query.
    pub fn query(self, selections: &[Selection]) -> Json {
        self.object("Query", &[selections], |merged| {
            let field = merged.fields[0];
            match &field.arguments {
                Arguments::Node(id) => self.node(id, merged),
                Arguments::Nodes(ids) => ids.iter().map(|id| self.node(id, merged)).collect(),
                Arguments::By(key) => {
                    let object = self.model.collections().find(|each| roots(each).0 == field.name).unwrap();
                    match self.find(object, key) {
                        Some(id) => self.record(object, &id, &merged.below()),
                        None => Json::Null,
                    }
                }
                Arguments::List(list) => {
                    let object = self.model.object(&list.collection);
                    let all = self.world.all_of(object).map(|(id, _)| id.clone()).collect();
                    self.connection(object, list, all, merged)
                }
                other => panic!("{other:?} is of no root field"),
            }
        })
    }

    fn node(self, id: &Id, merged: &Merged<'_>) -> Json {
        let found = self.model.collections().find(|object| self.world.get(&object.name, id).is_some());
        found.map_or(Json::Null, |object| self.record(object, id, &merged.below()))
    }

    fn find(self, object: &Object, key: &Key) -> Option<Id> {
        match key {
            Key::Id(id) => self.world.get(&object.name, id).map(|_| id.clone()),
            Key::Unique(parts) => {
                let has = |record: &Record, (name, _, part): &(String, String, Part)| match (part, field(record, name))
                {
                    (Part::Atom(wanted, _), Value::Atom(found)) => wanted.rank.compare(&found.rank).is_eq(),
                    (Part::Reference(wanted), Value::Reference(found)) => wanted == found,
                    _ => false,
                };
                let mut all = self.world.all(&object.name);
                all.find(|(_, record)| parts.iter().all(|part| has(record, part))).map(|(id, _)| id.clone())
            }
        }
    }

    /// A record as an object of the answer.
    pub fn record(self, object: &'a Object, id: &Id, sets: &[&[Selection]]) -> Json {
        let values = self.world.get(&object.name, id).expect("a record is there");
        self.object(&object.name, sets, |merged| match merged.name() {
            "id" => json!(id),
            name => {
                let declared = object.field(name);
                let target = || self.model.object(&declared.of);
                match (&merged.fields[0].arguments, &declared.kind) {
                    (Arguments::List(list), _) => {
                        let relatives = self.world.relatives(object, id, name);
                        self.connection(target(), list, relatives, merged)
                    }
                    (_, Kind::Reference { .. } | Kind::Referrer { .. }) => match self.world.related(object, id, name) {
                        Some(id) => self.record(target(), &id, &merged.below()),
                        None => Json::Null,
                    },
                    (Arguments::Path(path), _) => match field(values, name) {
                        Value::Atom(atom) => walk(&atom.json, path).clone(),
                        _ => Json::Null,
                    },
                    _ => self.value(&declared.of, field(values, name), merged),
                }
            }
        })
    }

    fn value(self, of: &str, value: &Value, merged: &Merged<'_>) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Atom(atom) => atom.json.clone(),
            Value::List(items) => items.iter().map(|item| self.value(of, item, merged)).collect(),
            Value::Object(values) => {
                let object = self.model.object(of);
                self.object(of, &merged.below(), |merged| {
                    self.value(&object.field(merged.name()).of, field(values, merged.name()), merged)
                })
            }
            Value::Reference(id) => self.record(self.model.object(of), id, &merged.below()),
        }
    }

    fn connection(self, object: &'a Object, list: &List, all: Vec<Id>, merged: &Merged<'_>) -> Json {
        let matching = || {
            let judge = Judge { model: self.model, world: self.world };
            let known = |id: &Id| self.world.records[&object.name].get_key_value(id).expect("a record is there").0;
            let is_let_in = |id: &&Id| list.filter.as_ref().is_none_or(|it| judge.matches(object, known(id), it));
            all.iter().filter(is_let_in).cloned().collect::<Vec<Id>>()
        };
        let page = self.page(object, list, all.clone());
        let cursor = |id: &Id| json!(format!("{CURSOR}{} {:?} {id}", object.name, list.order));
        let of_end = |id: Option<&Id>| id.map_or(Json::Null, cursor);
        self.object(&format!("{}Connection", object.name), &merged.below(), |merged| match merged.name() {
            "totalCount" => json!(page.total),
            "aggregate" => self.aggregate(object, &matching(), merged),
            "groups" => {
                let Arguments::Groups(asked) = &merged.fields[0].arguments else { panic!("groups have keys") };
                let groups = fold::groups(self, object, asked, &matching());
                groups.iter().map(|group| self.group(object, group, merged)).collect()
            }
            "nodes" => page.ids.iter().map(|id| self.record(self.owner(object, id), id, &merged.below())).collect(),
            "edges" => {
                let edge = |id: &Id| {
                    self.object(&format!("{}Edge", object.name), &merged.below(), |merged| match merged.name() {
                        "cursor" => cursor(id),
                        // Of searches only.
                        "score" => Json::Null,
                        "node" => self.record(self.owner(object, id), id, &merged.below()),
                        name => panic!("an edge has no {name}"),
                    })
                };
                page.ids.iter().map(edge).collect()
            }
            "pageInfo" => self.object("PageInfo", &merged.below(), |merged| match merged.name() {
                "hasNextPage" => json!(page.next),
                "hasPreviousPage" => json!(page.previous),
                "startCursor" => of_end(page.ids.first()),
                "endCursor" => of_end(page.ids.last()),
                name => panic!("PageInfo has no {name}"),
            }),
            name => panic!("a connection has no {name}"),
        })
    }

    fn aggregate(self, object: &'a Object, ids: &[Id], merged: &Merged<'_>) -> Json {
        self.object(&format!("{}Aggregate", object.name), &merged.below(), |merged| match merged.name() {
            "count" => json!(ids.len()),
            name => {
                let values = fold::values(self, object, ids, name);
                let of = fold::measure(object, name).expect("it can be folded");
                self.object(of, &merged.below(), |merged| values.answer(merged.name()))
            }
        })
    }

    fn group(self, object: &'a Object, group: &fold::Group, merged: &Merged<'_>) -> Json {
        self.object(&format!("{}Group", object.name), &merged.below(), |merged| match merged.name() {
            "aggregate" => self.aggregate(object, &group.ids, merged),
            _ => self.object(&format!("{}GroupValues", object.name), &merged.below(), |merged| {
                let Some((name, value, _)) = group.keys.iter().find(|(name, ..)| name == merged.name()) else {
                    return Json::Null;
                };
                let declared = object.field(name);
                match (declared.is_relation(), value) {
                    (true, Json::String(id)) => self.record(self.model.object(&declared.of), id, &merged.below()),
                    _ => value.clone(),
                }
            }),
        })
    }

    /// The part of a list that the arguments ask for.
    pub fn page(self, object: &'a Object, list: &List, all: Vec<Id>) -> Page {
        let judge = Judge { model: self.model, world: self.world };
        let filter = list.filter.as_ref();
        let known =
            |id: Id| self.world.records[&self.owner(object, &id).name].get_key_value(&id).expect("a record is there").0;
        let mut ids: Vec<&Id> = all.into_iter().map(known).collect();
        ids.retain(|id| filter.is_none_or(|filter| judge.matches(self.owner(object, id), id, filter)));
        let mut keyed: Vec<(SortKey, &Id)> = ids.iter().map(|id| (self.sort_key(object, list, id), *id)).collect();
        keyed.sort_by(|(one, _), (other, _)| compare(list, one, other));
        let place = |cursor: &Option<Id>| cursor.as_ref().map(|id| self.sort_key(object, list, id));
        let (after, before) = (place(&list.after), place(&list.before));
        let is_beyond = |key: &SortKey, cursor: &Option<SortKey>, wanted: Ordering| match cursor {
            Some(cursor) => compare(list, key, cursor) == wanted,
            None => true,
        };
        let window = keyed
            .iter()
            .filter(|(key, _)| is_beyond(key, &after, Ordering::Greater) && is_beyond(key, &before, Ordering::Less));
        // All of the window lies together.
        let window = window.count();
        let start = keyed.iter().filter(|(key, _)| !is_beyond(key, &after, Ordering::Greater)).count();
        let end = start + window;
        let backward = list.last.is_some() || (list.first.is_none() && list.before.is_some() && list.after.is_none());
        let count = list.first.or(list.last).unwrap_or(PAGE);
        let passed = list.offset.unwrap_or(0).min(window);
        let (start, end) = if backward {
            let end = end - passed;
            (end - count.min(end - start), end)
        } else {
            let start = start + passed;
            (start, start + count.min(end - start))
        };
        Page {
            ids: keyed[start..end].iter().map(|(_, id)| (*id).clone()).collect(),
            total: keyed.len(),
            previous: start > 0,
            next: end < keyed.len(),
        }
    }

    /// The collection that a record of a family is in.
    fn owner(self, object: &'a Object, id: &Id) -> &'a Object {
        let mut members = object.members.iter().map(|name| self.model.object(name));
        members.find(|member| self.world.get(&member.name, id).is_some()).unwrap_or(object)
    }

    fn sort_key(self, object: &'a Object, list: &List, id: &Id) -> SortKey {
        let object = self.owner(object, id);
        let values = self.world.get(&object.name, id);
        let keys = list.order.iter().map(|key| self.sorted_by(object, Some(id), values, &key.path)).collect();
        SortKey { keys, id: bytes(id) }
    }

    fn sorted_by(self, object: &Object, id: Option<&Id>, values: Option<&Record>, path: &[String]) -> Option<Rank> {
        let (name, rest) = path.split_first().unwrap();
        if let ("id", Some(id), []) = (name.as_str(), id, rest) {
            return Some(Rank::Bytes(bytes(id)));
        }
        let declared = object.field(name);
        if declared.is_to_many() {
            let count = self.world.relatives(object, id?, name).len();
            return Some(Rank::Whole(i64::try_from(count).unwrap()));
        }
        if declared.is_to_one() {
            let related = match (id, field(values?, name)) {
                (_, Value::Reference(id)) => id.clone(),
                (Some(id), _) => self.world.related(object, id, name)?,
                _ => return None,
            };
            let target = self.model.object(&declared.of);
            return self.sorted_by(target, Some(&related), self.world.get(&target.name, &related), rest);
        }
        match field(values?, name) {
            Value::Atom(atom) => Some(atom.rank.clone()),
            Value::Object(inner) => self.sorted_by(self.model.object(&declared.of), None, Some(inner), rest),
            _ => None,
        }
    }

    /// An object of the answer: selections are collected as the specification says, then each is answered.
    fn object(self, of: &str, sets: &[&[Selection]], answer: impl Fn(&Merged<'_>) -> Json) -> Json {
        let mut collected: Vec<Merged<'_>> = Vec::new();
        let is_record = self.model.collections().any(|object| object.name == of);
        let mut also = self.model.families_of(of);
        also.extend(is_record.then_some("Node"));
        sets.iter().for_each(|set| collect(of, &also, set, &mut collected));
        let member = |merged: &Merged<'_>| {
            let value = if merged.name() == "__typename" { json!(of) } else { answer(merged) };
            (merged.key.to_owned(), value)
        };
        Json::Object(collected.iter().map(member).collect::<Map<_, _>>())
    }
}

fn collect<'s>(of: &str, also: &[&str], set: &'s [Selection], collected: &mut Vec<Merged<'s>>) {
    for selection in set {
        match selection {
            Selection::Field(field) if holds(field.condition) => {
                let key = field.alias.as_deref().unwrap_or(&field.name);
                match collected.iter_mut().find(|merged| merged.key == key) {
                    Some(merged) => merged.fields.push(field),
                    None => collected.push(Merged { key, fields: vec![field] }),
                }
            }
            Selection::Fragment(fragment) if holds(fragment.condition) => {
                let on = fragment.on.as_deref();
                if on.is_none_or(|on| on == of || also.contains(&on)) {
                    collect(of, also, &fragment.selections, collected);
                }
            }
            _ => {}
        }
    }
}

fn holds(condition: Option<Condition>) -> bool {
    condition.is_none_or(|condition| condition.value != condition.skip)
}

pub fn roots(object: &Object) -> (&str, &str) {
    let (one, many) = object.roots.as_ref().expect("a collection has root fields");
    (one, many)
}

/// What a record is sorted by.
struct SortKey {
    keys: Vec<Option<Rank>>,
    id: Vec<u8>,
}

fn compare(list: &List, one: &SortKey, other: &SortKey) -> Ordering {
    for ((key, one), other) in list.order.iter().zip(&one.keys).zip(&other.keys) {
        let direction = key.direction;
        let nulls = if direction.nulls_first() { Ordering::Less } else { Ordering::Greater };
        let order = match (one, other) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => nulls,
            (Some(_), None) => nulls.reverse(),
            (Some(one), Some(other)) if direction.is_descending() => other.compare(one),
            (Some(one), Some(other)) => one.compare(other),
        };
        if order.is_ne() {
            return order;
        }
    }
    // Records that are equal stand by their ids, in the direction of the first key.
    let descending = list.order.first().is_some_and(|key| key.direction.is_descending());
    if descending { other.id.cmp(&one.id) } else { one.id.cmp(&other.id) }
}

/// What an id stands for: ids sort by that, not by their text. The record's own part first, then its collection's.
pub fn bytes(id: &str) -> Vec<u8> {
    let mut bytes = URL_SAFE_NO_PAD.decode(id).expect("an id is base64");
    bytes.rotate_left(COLLECTION_BYTES);
    bytes
}
