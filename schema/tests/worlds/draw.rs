//! Queries by chance: selections of every shape over what the schema has.
//!
//! A field with arguments stands without an alias once at most, so that merged selections never contradict.

use super::atom;
use super::chance::Chance;
use super::draw_filter::Drawing;
use super::evaluate::roots;
use super::model::{Kind, Object};
use super::operation::*;
use super::world::{Value, field};
use std::collections::BTreeSet;

/// Draws one operation.
pub struct Drawer<'a> {
    pub(super) drawing: Drawing<'a>,
    pub(super) chance: Chance,
    /// Makes names and numbers that no other has.
    pub(super) counter: usize,
    /// Fields with arguments that stand without an alias already.
    bare: BTreeSet<(String, String)>,
    /// Selections that may still be drawn: some shapes would never end.
    left: usize,
    /// How far filters follow relations.
    filter_depth_max: usize,
    /// Pages may begin and end at cursors.
    pub(super) cursors: bool,
}

impl<'a> Drawer<'a> {
    pub fn new(drawing: Drawing<'a>, chance: Chance) -> Drawer<'a> {
        Drawer { drawing, chance, counter: 0, bare: BTreeSet::new(), left: 60, filter_depth_max: 3, cursors: true }
    }

    /// Draws what can be worked out for very many records.
    pub fn of_many(self) -> Drawer<'a> {
        Drawer { left: 4, filter_depth_max: 1, ..self }
    }

    /// Draws a payload's selections: a mutation has several, whose names may not meet, and no cursors to begin at.
    pub fn of_payload(mut self) -> Drawer<'a> {
        let counter = self.chance.below(1 << 20) << 8;
        Drawer { cursors: false, counter, ..self }
    }

    /// A query.
    pub fn operation(mut self) -> Operation {
        let count = *self.chance.pick(&[1, 1, 1, 2, 3]);
        let mut selections: Vec<Selection> = (0..count).map(|_| self.root()).collect();
        if self.chance.percent(5) {
            selections.push(plain("__typename"));
        }
        let selections = self.varied("Query", selections);
        Operation { selections, style: self.chance.next() }
    }

    fn root(&mut self) -> Selection {
        let objects: Vec<&Object> = self.drawing.model.collections().collect();
        if self.chance.percent(12) {
            let families: Vec<&Object> = self.drawing.model.families.iter().collect();
            let object = families[*self.chance.pick(&[0, 0, 0, 1])];
            let arguments = Arguments::List(Box::new(self.list(object)));
            let selections = self.connection(object, 2);
            return self.with_arguments("Query", roots(object).1, arguments, selections);
        }
        let weights = [0, 0, 0, 0, 1, 2, 3, 4, 4, 4];
        let object = objects[*self.chance.pick(&weights)];
        let (one, many) = roots(object);
        let (name, arguments) = match self.chance.below(20) {
            0..13 => (many, Arguments::List(Box::new(self.list(object)))),
            13..17 => (one, Arguments::By(self.key(object))),
            17 | 18 => ("node", Arguments::Node(self.any_id(object))),
            _ => {
                let ids = (0..self.chance.below(5)).map(|_| self.any_id(object)).collect();
                ("nodes", Arguments::Nodes(ids))
            }
        };
        let selections = match &arguments {
            Arguments::List(_) => self.connection(object, 3),
            Arguments::By(_) => self.record(object, 3),
            _ => self.of_node(object),
        };
        self.with_arguments("Query", name, arguments, selections)
    }

    /// Selections of a `Node`: what all have, and what one kind has.
    fn of_node(&mut self, object: &Object) -> Vec<Selection> {
        let inner = self.record(object, 2);
        let on = |on: &str, selections| {
            Selection::Fragment(Fragment {
                within: "Node".to_owned(),
                on: Some(on.to_owned()),
                name: None,
                condition: None,
                selections,
            })
        };
        let mut selections = vec![plain("id"), on(&object.name, inner)];
        if self.chance.percent(30) {
            selections.push(on("Label", vec![self.aliased("name")]));
        }
        if self.chance.percent(30) {
            selections.insert(0, plain("__typename"));
        }
        selections
    }

    fn any_id(&mut self, object: &Object) -> String {
        let other = if self.chance.percent(20) { self.chance.pick(&self.drawing.model.objects) } else { object };
        let found = if self.chance.percent(95) { self.drawing.id(other, &mut self.chance) } else { None };
        found.unwrap_or_else(|| "nobody".to_owned())
    }

    /// A key of a record: mostly one that a record has.
    fn key(&mut self, object: &Object) -> Key {
        if object.keys.is_empty() || self.chance.percent(25) {
            return Key::Id(self.any_id(object));
        }
        let names = self.chance.pick(&object.keys).clone();
        let all: Vec<_> = self.drawing.world.all(&object.name).map(|(_, record)| record).collect();
        let record = if all.is_empty() || self.chance.percent(15) { None } else { Some(*self.chance.pick(&all)) };
        let mut parts = Vec::new();
        for name in names {
            let declared = object.field(&name);
            let form = self.chance.below(3);
            let part = match record.map(|record| field(record, &name)) {
                Some(Value::Atom(atom)) => Part::Atom(atom.as_ref().clone(), form),
                Some(Value::Reference(id)) => Part::Reference(id.clone()),
                _ if declared.is_relation() => {
                    let target = self.drawing.model.object(&declared.of);
                    match self.drawing.id(target, &mut self.chance) {
                        Some(id) => Part::Reference(id),
                        None => return Key::Id("nobody".to_owned()),
                    }
                }
                _ => Part::Atom(atom::draw(self.drawing.model, &declared.of, &mut self.chance), form),
            };
            let of = if declared.is_relation() { "ID" } else { &declared.of };
            parts.push((name, of.to_owned(), part));
        }
        Key::Unique(parts)
    }

    /// The arguments of a connection.
    fn list(&mut self, object: &Object) -> List {
        self.counter += 1;
        let (drawing, chance) = (self.drawing, &mut self.chance);
        let (filter, order) = if chance.percent(35) && !object.indexes.is_empty() {
            drawing.along_an_index(object, chance)
        } else {
            let depth = (*chance.pick(&[0, 1, 1, 2, 3])).min(self.filter_depth_max);
            let filter = chance.percent(60).then(|| drawing.filter(object, depth, chance));
            (filter, if chance.percent(75) { drawing.order(object, chance) } else { Vec::new() })
        };
        let size = |chance: &mut Chance| *chance.pick(&[0, 1, 1, 2, 3, 5, 5, 8, 20, 100]);
        let mut list = List { number: self.counter, collection: object.name.clone(), filter, order, ..List::default() };
        match chance.below(10) {
            0..4 => list.first = Some(size(chance)),
            4 | 5 => list.last = Some(size(chance)),
            _ => {}
        }
        if chance.percent(18) {
            list.offset = Some(*chance.pick(&[0, 1, 2, 3, 7, 50]));
        }
        if self.cursors && chance.percent(14) {
            list.after = drawing.id(object, chance);
        }
        if self.cursors && chance.percent(14) {
            list.before = drawing.id(object, chance);
        }
        list
    }

    /// Selections of a connection.
    fn connection(&mut self, object: &Object, depth: usize) -> Vec<Selection> {
        let mut selections = Vec::new();
        if self.chance.percent(40) {
            selections.push(plain("totalCount"));
        }
        if self.chance.percent(60) {
            selections.push(with("nodes", self.node(object, depth)));
        }
        if self.chance.percent(35) {
            let mut edge = Vec::new();
            if self.chance.percent(70) {
                edge.push(plain("cursor"));
            }
            if self.chance.percent(15) {
                edge.push(plain("score"));
            }
            if edge.is_empty() || self.chance.percent(60) {
                edge.push(with("node", self.node(object, depth)));
            }
            let edge = self.varied(&format!("{}Edge", object.name), edge);
            selections.push(with("edges", edge));
        }
        let folds = object.members.is_empty();
        if folds && self.chance.percent(15) {
            let aggregate = self.aggregate(object, &[]);
            selections.push(with("aggregate", aggregate));
        }
        if folds && self.chance.percent(14) {
            let groups = self.groups(object);
            let below = self.group(object, &groups, depth);
            let of = format!("{}Connection", object.name);
            selections.push(self.with_arguments(&of, "groups", Arguments::Groups(Box::new(groups)), below));
        }
        if selections.is_empty() || self.chance.percent(40) {
            let names = ["hasNextPage", "hasPreviousPage", "startCursor", "endCursor", "__typename"];
            let mut info: Vec<Selection> = self.chance.some(&names, 4).into_iter().map(plain).collect();
            if info.is_empty() {
                info.push(plain("hasNextPage"));
            }
            let info = self.varied("PageInfo", info);
            selections.push(with("pageInfo", info));
        }
        if self.chance.percent(5) {
            selections.push(plain("__typename"));
        }
        self.chance.shuffle(&mut selections);
        self.varied(&format!("{}Connection", object.name), selections)
    }

    /// Selections of a record of a collection or of a family.
    fn node(&mut self, object: &Object, depth: usize) -> Vec<Selection> {
        if object.members.is_empty() {
            return self.record(object, depth);
        }
        let model = self.drawing.model;
        let member = model.object(self.chance.pick::<String>(&object.members));
        let within = object.name.clone();
        let on = |on: &str, selections| {
            let (within, on) = (within.clone(), Some(on.to_owned()));
            Selection::Fragment(Fragment { within, on, name: None, condition: None, selections })
        };
        let mut selections = vec![on(&member.name, self.record(member, depth))];
        for field in &object.fields {
            if matches!(field.kind, Kind::Scalar) && self.chance.percent(50) {
                selections.push(plain(&field.name));
            }
        }
        if self.chance.percent(50) {
            selections.push(on("Node", vec![plain("id")]));
        }
        if self.chance.percent(30) {
            selections.push(plain("__typename"));
        }
        for family in model.families_of(&member.name) {
            if family == "Called" && self.chance.percent(30) {
                selections.push(on(family, vec![self.aliased("name")]));
            }
        }
        self.chance.shuffle(&mut selections);
        self.varied(&object.name, selections)
    }

    /// Selections of a record.
    pub fn record(&mut self, object: &Object, depth: usize) -> Vec<Selection> {
        let mut selections = Vec::new();
        for _ in 0..self.chance.between(1, 5) {
            if self.chance.percent(15) {
                selections.push(plain("id"));
                continue;
            }
            let relations: Vec<_> = object.fields.iter().filter(|field| field.is_relation()).collect();
            let far = depth > 0 && self.left > 0 && !relations.is_empty() && self.chance.percent(35);
            let declared = if far { *self.chance.pick(&relations) } else { self.chance.pick(&object.fields) };
            if declared.is_relation() && !far {
                continue;
            }
            self.left = self.left.saturating_sub(1);
            let model = self.drawing.model;
            let name = declared.name.as_str();
            selections.push(match &declared.kind {
                Kind::Scalar if declared.of == "JSON" && self.chance.percent(50) => {
                    let path = self.chance.some(&["a".to_owned(), "0".to_owned(), "b".to_owned()], 2);
                    self.with_arguments(&object.name, name, Arguments::Path(path), Vec::new())
                }
                // Another selection of it may stand without an alias, and with a path.
                Kind::Scalar if declared.of == "JSON" => self.aliased(name),
                Kind::Scalar | Kind::Enum if self.chance.percent(20) => self.aliased(name),
                Kind::Scalar | Kind::Enum => plain(name),
                Kind::Embedded => with(name, self.embedded(model.object(&declared.of), depth)),
                Kind::Reference { .. } | Kind::Referrer { .. } => {
                    with(name, self.record(model.object(&declared.of), depth - 1))
                }
                Kind::Referrers { .. } | Kind::Links { .. } => {
                    let target = model.object(&declared.of);
                    let arguments = Arguments::List(Box::new(self.list(target)));
                    let below = self.connection(target, depth - 1);
                    self.with_arguments(&object.name, name, arguments, below)
                }
            });
        }
        if selections.is_empty() {
            selections.push(plain(*self.chance.pick(&["id", "__typename"])));
        }
        self.varied(&object.name, selections)
    }

    fn embedded(&mut self, object: &Object, depth: usize) -> Vec<Selection> {
        let mut selections = Vec::new();
        for _ in 0..self.chance.between(1, 3) {
            let declared = self.chance.pick(&object.fields);
            let model = self.drawing.model;
            match &declared.kind {
                Kind::Embedded => {
                    let inner = self.embedded(model.object(&declared.of), depth);
                    selections.push(with(&declared.name, inner));
                }
                Kind::Reference { .. } if depth > 0 => {
                    let inner = self.record(model.object(&declared.of), depth - 1);
                    selections.push(with(&declared.name, inner));
                }
                Kind::Reference { .. } => {}
                _ if self.chance.percent(20) => selections.push(self.aliased(&declared.name)),
                _ => selections.push(plain(&declared.name)),
            }
        }
        if selections.is_empty() {
            selections.push(plain("__typename"));
        }
        self.varied(&object.name, selections)
    }

    pub(super) fn with_arguments(
        &mut self,
        within: &str,
        name: &str,
        arguments: Arguments,
        selections: Vec<Selection>,
    ) -> Selection {
        let bare = self.bare.insert((within.to_owned(), name.to_owned())) && self.chance.percent(60);
        let alias = (!bare).then(|| self.name("x"));
        Selection::Field(Field { alias, name: name.to_owned(), arguments, condition: None, selections })
    }

    pub(super) fn aliased(&mut self, name: &str) -> Selection {
        let Selection::Field(field) = plain(name) else { unreachable!("it is plain") };
        Selection::Field(Field { alias: Some(self.name("x")), ..field })
    }

    fn name(&mut self, letter: &str) -> String {
        self.counter += 1;
        format!("{letter}{}", self.counter)
    }

    /// The same selections in other words: repeated, in fragments, under conditions that may drop them.
    pub(super) fn varied(&mut self, within: &str, mut selections: Vec<Selection>) -> Vec<Selection> {
        if self.chance.percent(8) {
            let again = self.chance.pick(&selections).clone();
            selections.push(again);
        }
        if self.chance.percent(15) {
            let start = self.chance.below(selections.len());
            let end = self.chance.between(start + 1, selections.len());
            let inner: Vec<Selection> = selections.drain(start..end).collect();
            let name = self.chance.percent(40).then(|| self.name("F"));
            let typed = name.is_some() || self.chance.percent(60);
            let fragment = Fragment {
                within: within.to_owned(),
                on: typed.then(|| within.to_owned()),
                name,
                condition: self.condition(),
                selections: inner,
            };
            selections.insert(start, Selection::Fragment(fragment));
        }
        for selection in &mut selections {
            if let Selection::Field(field) = selection
                && self.chance.percent(5)
            {
                field.condition = self.condition();
            }
        }
        selections
    }

    fn condition(&mut self) -> Option<Condition> {
        let chance = &mut self.chance;
        chance.percent(50).then(|| Condition {
            skip: chance.percent(50),
            value: chance.percent(50),
            variable: chance.percent(50),
        })
    }
}

pub fn plain(name: &str) -> Selection {
    with(name, Vec::new())
}

pub fn with(name: &str, selections: Vec<Selection>) -> Selection {
    let (name, arguments) = (name.to_owned(), Arguments::None);
    Selection::Field(Field { alias: None, name, arguments, condition: None, selections })
}
