//! What things and shops should be while their schema changes: plain maps and the revision that holds.

use super::model::Refusal;
use crate::workload::schema_change::{Feature, Revision, Said, Task};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the schema")]
pub struct Thing {
    pub title: Option<String>,
    pub code: Option<i64>,
    pub size: i64,
    pub extra: Option<i64>,
}

/// Everything, and the schema that it is under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// What holds.
    pub revision: Revision,
    /// By name.
    pub things: BTreeMap<String, Thing>,
    /// Stocks by name.
    pub shops: BTreeMap<String, i64>,
}

const TAKEN: Refusal = Refusal(&["UNIQUE_VIOLATION"]);
const MISSING: Refusal = Refusal(&["NOT_FOUND"]);
/// The schema does not have what the operation speaks of: in its document, or in its variables.
const UNKNOWN: Refusal = Refusal(&["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"]);
const UNFIT: Refusal = Refusal(&["SCHEMA_REFUSED"]);

impl SchemaState {
    /// The `data` of [`Revision::document`] as a state.
    ///
    /// # Errors
    /// When something is there twice, or not all of it is shown.
    pub fn parse(data: &Value) -> Result<SchemaState, String> {
        let mut state = SchemaState::default();
        let nodes = |many: &str| {
            let nodes = data[many]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
            let whole = data[many].is_null() || data[many]["totalCount"] == nodes.len();
            if whole { Ok(nodes) } else { Err(format!("of {} {many} {} are listed", data[many], nodes.len())) }
        };
        for node in nodes("things")? {
            let read = || {
                let title = node["title"].as_str().map(str::to_owned);
                let size = node["size"].as_i64()?;
                let thing = Thing { title, code: node["code"].as_i64(), size, extra: node["extra"].as_i64() };
                Some((node["name"].as_str()?.to_owned(), thing))
            };
            let (name, thing) = read().ok_or_else(|| format!("{node} is no thing"))?;
            if state.things.insert(name, thing).is_some() {
                return Err(format!("two things have one name: {node}"));
            }
        }
        for node in nodes("shops")? {
            let read = || Some((node["name"].as_str()?.to_owned(), node["stock"].as_i64()?));
            let (name, stock) = read().ok_or_else(|| format!("{node} is no shop"))?;
            if state.shops.insert(name, stock).is_some() {
                return Err(format!("two shops have one name: {node}"));
            }
        }
        Ok(state)
    }

    /// Does one task. The answer is its `data` without commits.
    ///
    /// # Errors
    /// [`Refusal`]; the state is then of no use.
    pub fn run(&mut self, task: &Task) -> Result<Value, Refusal> {
        if task.needs().iter().any(|(feature, wanted)| self.revision.has(*feature) != *wanted) {
            return Err(UNKNOWN);
        }
        Ok(match task {
            Task::Declare { number, toggles } => {
                self.declare(self.revision.toggled(*number, toggles))?;
                json!({ "declare": {} })
            }
            Task::Create { name, said } => {
                self.create(name, said)?;
                json!({ "createThing": { "thing": self.show(name) } })
            }
            Task::Change { name, said } => {
                let thing = self.things.get(name).ok_or(MISSING)?;
                let changed = changed(thing, said);
                self.put(name, changed)?;
                json!({ "updateThing": { "thing": self.show(name) } })
            }
            Task::Delete { name } => {
                let thing = self.things.remove(name).ok_or(MISSING)?;
                json!({ "deleteThing": { "thing": { "name": name, "size": thing.size } } })
            }
            Task::List { least, renamed, extra, worth } => self.list(*least, renamed.is_some(), *extra, *worth),
            Task::Find { code } => {
                let found = self.things.iter().find(|(_, thing)| thing.code == Some(*code));
                json!({ "thing": found.map_or(Value::Null, |(name, _)| self.show(name)) })
            }
            Task::Stock { name, stock } => {
                self.stock(name, *stock)?;
                json!({ "createShop": { "shop": { "name": name, "stock": stock } } })
            }
            Task::Both { name, said } => {
                self.create(name, said)?;
                self.stock(name, 1)?;
                let shop = json!({ "shop": { "name": name, "stock": 1 } });
                json!({ "createThing": { "thing": self.show(name) }, "createShop": shop })
            }
            Task::ReadShops => {
                let nodes: Vec<_> =
                    self.shops.iter().map(|(name, stock)| json!({ "name": name, "stock": stock })).collect();
                json!({ "shops": { "nodes": nodes } })
            }
        })
    }

    fn declare(&mut self, next: Revision) -> Result<(), Refusal> {
        let codes: Vec<i64> = self.things.values().filter_map(|thing| thing.code).collect();
        let distinct: BTreeSet<&i64> = codes.iter().collect();
        if next.has(Feature::Unique) && distinct.len() != codes.len() {
            return Err(UNFIT);
        }
        if !next.has(Feature::Extra) {
            self.things.values_mut().for_each(|thing| thing.extra = None);
        }
        if !next.has(Feature::Shop) {
            self.shops.clear();
        }
        self.revision = next;
        Ok(())
    }

    fn create(&mut self, name: &str, said: &Said) -> Result<(), Refusal> {
        if self.things.contains_key(name) {
            return Err(TAKEN);
        }
        self.put(name, changed(&Thing::default(), said))
    }

    fn put(&mut self, name: &str, thing: Thing) -> Result<(), Refusal> {
        let has_code = |(other, there): (&String, &Thing)| other != name && there.code == thing.code;
        if self.revision.has(Feature::Unique) && thing.code.is_some() && self.things.iter().any(has_code) {
            return Err(TAKEN);
        }
        self.things.insert(name.to_owned(), thing);
        Ok(())
    }

    fn stock(&mut self, name: &str, stock: i64) -> Result<(), Refusal> {
        let taken = self.shops.insert(name.to_owned(), stock).is_some();
        if taken { Err(TAKEN) } else { Ok(()) }
    }

    fn show(&self, name: &str) -> Value {
        let thing = &self.things[name];
        json!({ "name": name, "code": thing.code, "size": thing.size })
    }

    fn list(&self, least: i64, title: bool, extra: bool, worth: bool) -> Value {
        let mut found: Vec<(&String, &Thing)> = self.things.iter().filter(|(_, thing)| thing.size >= least).collect();
        found.sort_by_key(|(name, thing)| (thing.size, *name));
        let node = |(name, thing): (&String, &Thing)| {
            let mut node: Map<String, Value> = self.show(name).as_object().cloned().unwrap_or_default();
            if title {
                node.insert("title".into(), json!(thing.title));
            }
            if extra {
                node.insert("extra".into(), json!(thing.extra));
            }
            if worth {
                node.insert("worth".into(), json!(self.revision.worth(thing.size).to_string()));
            }
            Value::Object(node)
        };
        json!({ "things": { "nodes": found.into_iter().map(node).collect::<Vec<_>>() } })
    }

    /// The first difference to what was found, in words. What a revision hides is not compared.
    pub fn difference(&self, found: &SchemaState) -> Option<String> {
        let same = self.things == found.things && self.shops == found.shops;
        (!same).then(|| format!("there is {found:?}; there should be {self:?}"))
    }
}

fn changed(thing: &Thing, said: &Said) -> Thing {
    let mut thing = thing.clone();
    if let Some((_, title)) = &said.title {
        thing.title = Some(title.clone());
    }
    if let Some(code) = said.code {
        thing.code = (code >= 0).then_some(code);
    }
    thing.size = said.size.unwrap_or(thing.size);
    thing.extra = said.extra.or(thing.extra);
    thing
}

/// True when a read may be refused for a field that is computed anew, and that nobody sees until that is done.
pub fn meets_unready_field(task: &Task) -> bool {
    matches!(task, Task::List { worth: true, .. })
}

/// True when a write may be refused for a unique key that is being built, and is not there for others yet.
pub fn meets_unready_key(task: &Task) -> bool {
    match task {
        Task::Create { said, .. } | Task::Change { said, .. } | Task::Both { said, .. } => said.code.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(name: &str, said: Said) -> Task {
        Task::Create { name: name.into(), said: Said { size: Some(1), ..said } }
    }

    #[test]
    fn what_is_dropped_is_gone_and_comes_back_empty() {
        let mut state = SchemaState::default();
        let extra = Said { extra: Some(7), ..Said::default() };
        assert_eq!(state.run(&create("a", extra.clone())), Err(UNKNOWN));
        let toggle = |number| Task::Declare { number, toggles: vec![Feature::Extra] };
        state.run(&toggle(1)).unwrap();
        state.run(&create("a", extra)).unwrap();
        state.run(&toggle(2)).unwrap();
        state.run(&toggle(3)).unwrap();
        let list = Task::List { least: 0, renamed: None, extra: true, worth: true };
        let node = json!({ "name": "a", "code": null, "size": 1, "extra": null, "worth": "2" });
        let expected = json!({ "things": { "nodes": [node] } });
        assert_eq!(state.run(&list), Ok(expected));
    }

    #[test]
    fn a_unique_key_is_refused_while_two_have_a_code() {
        let mut state = SchemaState::default();
        let coded = Said { code: Some(3), ..Said::default() };
        let unique = Task::Declare { number: 1, toggles: vec![Feature::Unique] };
        state.run(&create("a", coded.clone())).unwrap();
        state.run(&create("b", coded.clone())).unwrap();
        assert_eq!(state.run(&unique), Err(UNFIT));
        state.run(&Task::Delete { name: "b".into() }).unwrap();
        state.run(&unique).unwrap();
        assert_eq!(state.run(&create("b", coded)), Err(TAKEN));
    }
}
