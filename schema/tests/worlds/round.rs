//! One round: a world by chance, served twice (with indexes and without), written to and asked in turns.

use super::chance::Chance;
use super::draw::{Drawer, plain, with};
use super::draw_filter::Drawing;
use super::evaluate::{CURSOR, Evaluator};
use super::model::{self, Model, Object};
use super::operation::*;
use super::print::{Printer, Text};
use super::served::Served;
use super::shrink::simpler;
use super::world::{Id, World};
use super::write::{self, Write};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the planner calls its ways to records. An ordinary run meets each.
pub const PATHS: [&str; 22] = [
    "accesses all lead to",
    "accesses leads to",
    "merged from 2 accesses",
    " streams",
    " ids",
    "scan of all",
    "links of each parent",
    "that selected records refer to",
    "linked to selected records",
    "unique index",
    "  index",
    "[= parent",
    "[= selected",
    "[in ",
    "begins with",
    "[>= ",
    "[< ",
    "reversed in order",
    "then filter",
    "sort by",
    "aggregate from entries alone",
    "0 from entries alone",
];

/// The world and those who serve it.
pub struct Round {
    seed: u64,
    /// Operations that were compared, those of walks and writes among them.
    pub questions: usize,
    /// Mutations that were done, and those that were refused, as they had to be.
    pub written: [usize; 2],
    /// Ways to records that the planner was seen to choose.
    pub paths: BTreeSet<&'static str>,
    chance: Chance,
    /// There are more records than the server reads at once.
    many: bool,
    /// The second server has the indexes.
    swapped: bool,
    model: Model,
    world: World,
    served: [Served; 2],
}

/// A question that was answered wrongly.
struct Wrong {
    by: &'static str,
    text: Text,
    expected: String,
    found: String,
    plan: String,
    /// The code of the error, where there is one.
    refused: Option<String>,
}

impl Round {
    pub async fn open(seed: u64) -> Round {
        let mut chance = Chance::new(seed);
        // Of few records no plan gathers many: make it change its mind early.
        let gather_max = *chance.pick(&[0, 1, 3, 5_000]);
        let with_indexes = Served::open("with indexes", model::SCHEMA, seed, gather_max).await;
        // Another seed: an id that the first made and the second was told must not be made again there.
        let without_indexes = Served::open("without indexes", &model::without_indexes(), !seed, gather_max).await;
        Round {
            seed,
            questions: 0,
            written: [0; 2],
            paths: BTreeSet::new(),
            chance,
            many: false,
            swapped: false,
            model: Model::read(),
            world: World::default(),
            served: [with_indexes, without_indexes],
        }
    }

    /// Fills the world.
    pub async fn fill(&mut self) {
        let size = *self.chance.pick(&[1, 2, 2, 3]);
        let counts = [("Shelf", 4), ("Label", 4), ("Item", 14), ("Card", 5), ("Note", 20), ("Item", 4), ("Shelf", 1)];
        for (collection, count) in counts {
            let mut left = count * size;
            // Some are refused: two may be alike where all have to differ.
            for _ in 0..200 {
                if left == 0 {
                    break;
                }
                let batch = self.chance.between(1, left.min(6));
                let object = self.model.object(collection);
                let drawing = Drawing { model: &self.model, world: &self.world };
                let Some(write) = Write::create(drawing, object, batch, &mut self.chance) else { break };
                if self.write(vec![write]).await {
                    left -= batch;
                }
            }
        }
    }

    /// Adds notes that nobody wrote, of which there may be any number.
    pub async fn fill_up(&mut self, notes: usize) {
        self.many = true;
        let mut left = notes;
        while left > 0 {
            let batch = left.min(250);
            let drawing = Drawing { model: &self.model, world: &self.world };
            let write = Write::notes(drawing, batch, &mut self.chance).expect("there are items");
            assert!(self.write(vec![write]).await, "nothing stands in the way of notes that nobody wrote");
            left -= batch;
        }
    }

    /// A few writes by chance.
    pub async fn change(&mut self) {
        let count = self.chance.between(1, 3);
        let mut writes = Vec::new();
        // What one deletes, the next does not name: a world without the records that are not there yet.
        let mut ahead = self.world.clone();
        for _ in 0..count {
            let objects: Vec<&Object> = self.model.collections().collect();
            let object = objects[*self.chance.pick(&[0, 0, 0, 1, 2, 3, 4, 4])];
            let drawing = Drawing { model: &self.model, world: &ahead };
            let chance = &mut self.chance;
            let write = match chance.below(12) {
                10 | 11 => Write::upsert(drawing, object, chance),
                0..3 => {
                    let count = chance.between(1, 3);
                    Write::create(drawing, object, count, chance)
                }
                3..7 => Write::update(drawing, object, chance),
                7 => Write::update_many(drawing, object, chance),
                8 if chance.percent(50) => Write::delete_many(drawing, object, chance),
                _ => Write::delete(drawing, object, chance),
            };
            let Some(write) = write else { continue };
            let fits = write.is_create() || write.apply(&self.model, &mut ahead).is_ok();
            writes.push(write);
            if !fits {
                break;
            }
        }
        if !writes.is_empty() {
            self.write(writes).await;
        }
    }

    /// Writes to all, and says whether that was done. The first server gives ids; the second is told them.
    async fn write(&mut self, mut writes: Vec<Write>) -> bool {
        let style = self.chance.next();
        let mut done = false;
        self.questions += 1;
        for at in 0..self.served.len() {
            let text = write::text(&self.model, &writes, style);
            let answer = self.served[at].ask(&text).await;
            self.served[at].changed();
            let code = answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned);
            if code.is_none() {
                for (number, write) in writes.iter_mut().enumerate() {
                    write.named(&answer["data"][format!("w{number}")]);
                }
            }
            let mut world = self.world.clone();
            let mut payloads = serde_json::Map::new();
            let mut refused = None;
            for (number, write) in writes.iter().enumerate() {
                match write.apply(&self.model, &mut world) {
                    Ok(payload) => {
                        payloads.insert(format!("w{number}"), payload);
                    }
                    Err(code) => {
                        refused = Some(code);
                        break;
                    }
                }
            }
            let expected = match refused {
                Some(code) => code.to_owned(),
                None => Json::Object(payloads.clone()).to_string(),
            };
            let mut found = answer["data"].clone();
            settle(&Json::Object(payloads), &mut found, &mut BTreeMap::new());
            let shown = match code {
                Some(code) => code,
                None => found.to_string(),
            };
            assert!(
                expected == shown,
                "seed {}: a mutation was answered wrongly {}\n{}\nvariables {}\nexpected {expected}\nfound    {shown}\nwhole    {answer}",
                self.seed,
                self.served[at].name,
                text.query,
                text.variables,
            );
            done = refused.is_none();
            if done && at + 1 == self.served.len() {
                self.world = world;
            }
        }
        self.written[usize::from(!done)] += 1;
        done
    }

    /// Asks a question by chance.
    pub async fn ask(&mut self) {
        self.questions += 1;
        let seed = self.chance.next();
        let drawing = Drawing { model: &self.model, world: &self.world };
        let drawer = Drawer::new(drawing, Chance::new(seed));
        let operation = if self.many { drawer.of_many().operation() } else { drawer.operation() };
        let Some(mut wrong) = self.difference(&operation).await else { return };
        let mut smallest = operation;
        loop {
            let (mut at, mut shrunk) = (0, false);
            while let Some(smaller) = simpler(&smallest, at) {
                match self.difference(&smaller).await {
                    // An operation that is refused shows another fault.
                    Some(found) if found.refused == wrong.refused => {
                        (smallest, wrong, shrunk) = (smaller, found, true);
                    }
                    _ => at += 1,
                }
            }
            if !shrunk {
                break;
            }
        }
        panic!("{}", self.report(&wrong));
    }

    fn report(&self, wrong: &Wrong) -> String {
        let mut records = String::new();
        for (collection, of) in &self.world.records {
            if wrong.text.query.to_lowercase().contains(&collection.to_lowercase()[..4]) {
                for (id, record) in of {
                    records.push_str(&format!("{collection} {id} {record:?}\n"));
                }
            }
        }
        format!(
            "seed {}: answered wrongly {}; run again with VIVARIUM_DIFFERENTIAL_SEED={} VIVARIUM_DIFFERENTIAL_ROUNDS=1\n\
             records:\n{records}links: {:?}\nplan:\n{}\n{}\nvariables {}\nexpected {}\nfound    {}",
            self.seed,
            wrong.by,
            self.seed,
            self.world.links,
            wrong.plan,
            wrong.text.query,
            wrong.text.variables,
            wrong.expected,
            wrong.found
        )
    }

    /// What is wrong with the answer to an operation, if anything is.
    async fn difference(&mut self, operation: &Operation) -> Option<Wrong> {
        let expected = Evaluator { model: &self.model, world: &self.world }.query(&operation.selections);
        let mut with_cursors = Vec::new();
        lists(&operation.selections, &mut with_cursors);
        for served in &mut self.served {
            for list in &with_cursors {
                served.learn(&self.model, list).await;
            }
            let cursor = |list: &List, id: &Id| served.cursor(list, id);
            let text = Printer::new(operation.style, &cursor).query(operation);
            let plan = served.explain(&text).await;
            self.paths.extend(PATHS.iter().filter(|path| plan.contains(**path)));
            if let Some(wrong) = compare(served, text, &expected, &mut BTreeMap::new()).await {
                return Some(wrong);
            }
        }
        None
    }

    /// Goes through a list page by page, forwards or backwards. Writes in between do not show.
    pub async fn walk(&mut self) {
        let objects: Vec<&Object> = self.model.collections().collect();
        let family = &self.model.families[0];
        let object = if self.chance.percent(20) { family } else { objects[*self.chance.pick(&[0, 0, 0, 1, 4, 4])] };
        let object = object.name.clone();
        let drawing = Drawing { model: &self.model, world: &self.world };
        let declared = self.model.object(&object);
        let (filter, order) = if self.chance.percent(60) {
            drawing.along_an_index(declared, &mut self.chance)
        } else {
            let filter = self.chance.percent(50).then(|| drawing.filter(declared, 1, &mut self.chance));
            (filter, drawing.order(declared, &mut self.chance))
        };
        let backward = self.chance.percent(50);
        let size = *self.chance.pick(&[1, 2, 3, 7]);
        let disturb = self.chance.percent(40);
        let style = self.chance.next();
        let before = self.world.clone();
        let mut list = List { number: 1, collection: object, filter, order, ..List::default() };
        if backward {
            list.last = Some(size)
        } else {
            list.first = Some(size)
        }
        let mut seen = [BTreeMap::new(), BTreeMap::new()];
        let mut pages: Vec<Vec<Id>> = Vec::new();
        loop {
            self.questions += 1;
            let operation = Operation { selections: vec![walking(&self.model, &list)], style };
            let evaluator = Evaluator { model: &self.model, world: &before };
            let expected = evaluator.query(&operation.selections);
            for (served, seen) in self.served.iter().zip(&mut seen) {
                let known: BTreeMap<String, String> = BTreeMap::clone(seen);
                let cursor = |list: &List, id: &Id| known[&placeholder(list, id)].clone();
                let text = Printer::new(operation.style, &cursor).query(&operation);
                if let Some(wrong) = compare(served, text, &expected, seen).await {
                    panic!("on a walk, at page {}: {}", pages.len(), self.report(&wrong));
                }
            }
            let object = self.model.object(&list.collection);
            let all = before.all_of(object).map(|(id, _)| id.clone()).collect();
            let page = Evaluator { model: &self.model, world: &before }.page(object, &list, all);
            let more = if backward { page.previous } else { page.next };
            let end = if backward { page.ids.first() } else { page.ids.last() }.cloned();
            if backward {
                list.before = end
            } else {
                list.after = end
            }
            pages.push(page.ids);
            if !more {
                break;
            }
            if disturb {
                self.change().await;
            }
            if disturb && self.chance.percent(10) {
                self.swap().await;
                self.refused(&list, style, &seen).await;
                return;
            }
        }
        if backward {
            pages.reverse();
        }
        let object = self.model.object(&list.collection);
        let whole = List { first: Some(usize::MAX), last: None, after: None, before: None, ..list };
        let all = before.all_of(object).map(|(id, _)| id.clone()).collect();
        let whole = Evaluator { model: &self.model, world: &before }.page(object, &whole, all);
        assert_eq!(pages.concat(), whole.ids, "seed {}: the pages of a walk are the list", self.seed);
    }

    /// A walk that another schema came into is refused, rather than go on with indexes that its snapshot has not.
    async fn refused(&self, list: &List, style: u64, seen: &[BTreeMap<String, String>; 2]) {
        let operation = Operation { selections: vec![walking(&self.model, list)], style };
        for (served, seen) in self.served.iter().zip(seen) {
            let cursor = |list: &List, id: &Id| seen[&placeholder(list, id)].clone();
            let text = Printer::new(operation.style, &cursor).query(&operation);
            let answer = served.ask(&text).await;
            let code = &answer["errors"][0]["extensions"]["code"];
            assert_eq!(code, "INVALID_CURSOR", "seed {} {}: {answer}", self.seed, served.name);
        }
    }

    /// Gives indexes to the one and takes them from the other.
    pub async fn swap(&mut self) {
        let [one, other] = &mut self.served;
        let (one, other) = if self.swapped { (other, one) } else { (one, other) };
        one.apply("without its indexes", &model::without_indexes()).await;
        other.apply("with new indexes", model::SCHEMA).await;
        self.swapped = !self.swapped;
    }

    /// Holds the stores against their own rules.
    pub async fn verify(&self) {
        for served in &self.served {
            assert_eq!(served.problems().await, Vec::<String>::new(), "seed {} {}", self.seed, served.name);
        }
    }

    /// How many records there are.
    pub fn size(&self) -> usize {
        self.world.records.values().map(BTreeMap::len).sum()
    }
}

/// What the evaluator answers for a cursor.
fn placeholder(list: &List, id: &Id) -> String {
    format!("{CURSOR}{} {:?} {id}", list.collection, list.order)
}

/// A page with everything that a walk needs.
fn walking(model: &Model, list: &List) -> Selection {
    let (_, many) = super::evaluate::roots(model.object(&list.collection));
    let info = ["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"].map(plain).to_vec();
    let edges = vec![plain("cursor"), with("node", vec![plain("id")])];
    let selections = vec![plain("totalCount"), with("edges", edges), with("pageInfo", info)];
    Selection::Field(Field {
        alias: None,
        name: many.to_owned(),
        arguments: Arguments::List(Box::new(list.clone())),
        condition: None,
        selections,
    })
}

async fn compare(served: &Served, text: Text, expected: &Json, seen: &mut BTreeMap<String, String>) -> Option<Wrong> {
    let mut answer = served.ask(&text).await;
    if only_beyond(&answer, expected) {
        settle(expected, &mut answer["data"], seen);
        // As text: the order of the fields counts.
        let (found, wanted) = (answer["data"].to_string(), expected.to_string());
        if found == wanted {
            return None;
        }
    }
    let found = match answer.get("errors") {
        Some(errors) => format!("{errors} {}", answer["data"]),
        None => answer["data"].to_string(),
    };
    let plan = served.explain(&text).await;
    let refused = answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned);
    Some(Wrong { by: served.name, text, expected: expected.to_string(), found, plan, refused })
}

/// Whether nothing went wrong but sums that their types do not hold, where that is expected.
fn only_beyond(answer: &Json, expected: &Json) -> bool {
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let known = |error: &Json| error["message"].as_str().is_some_and(|message| message.contains("has too many digits"));
    let mark = json!(super::fold::BEYOND).to_string();
    errors.iter().all(known) && expected.to_string().matches(&mark).count() == errors.len()
}

/// Puts what stands for a cursor in the place of a cursor. One record has one cursor in one order.
fn settle(expected: &Json, found: &mut Json, seen: &mut BTreeMap<String, String>) {
    match (expected, found) {
        (Json::String(expected), Json::String(found)) if expected.starts_with(CURSOR) => {
            let known = seen.entry(expected.clone()).or_insert_with(|| found.clone());
            if known == found {
                found.clone_from(expected);
            }
        }
        (Json::String(expected), found @ Json::Null) if expected == super::fold::BEYOND => *found = json!(expected),
        (Json::Array(expected), Json::Array(found)) => {
            expected.iter().zip(found).for_each(|(expected, found)| settle(expected, found, seen));
        }
        (Json::Object(expected), Json::Object(found)) => {
            for (name, expected) in expected {
                if let Some(found) = found.get_mut(name) {
                    settle(expected, found, seen);
                }
            }
        }
        _ => {}
    }
}

/// All lists that begin or end at a cursor.
fn lists<'o>(selections: &'o [Selection], found: &mut Vec<&'o List>) {
    for selection in selections {
        match selection {
            Selection::Field(field) => {
                if let Arguments::List(list) = &field.arguments
                    && (list.after.is_some() || list.before.is_some())
                {
                    found.push(list);
                }
                lists(&field.selections, found);
            }
            Selection::Fragment(fragment) => lists(&fragment.selections, found),
        }
    }
}
