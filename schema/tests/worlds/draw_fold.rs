//! Aggregates and groups by chance: half of them of what one index has.

use super::atom;
use super::draw::{Drawer, plain, with};
use super::fold::{buckets, is_number, measure};
use super::model::Object;
use super::operation::*;

impl Drawer<'_> {
    /// Selections of an aggregate; of `names` only, if there are any.
    pub(super) fn aggregate(&mut self, object: &Object, names: &[String]) -> Vec<Selection> {
        let mut selections = Vec::new();
        if self.chance.percent(50) {
            selections.push(plain("count"));
        }
        let mut all: Vec<String> = object.fields.iter().map(|field| field.name.clone()).collect();
        all.push("id".to_owned());
        let names = match (names, self.chance.percent(50)) {
            ([], true) => self.of_an_index(object),
            ([], false) => all,
            (names, _) => names.to_vec(),
        };
        let known: Vec<&String> = names.iter().filter(|name| measure(object, name).is_some()).collect();
        if !known.is_empty() {
            for _ in 0..self.chance.between(1, 3) {
                let name = *self.chance.pick(&known);
                let of = measure(object, name).expect("it was filtered");
                let below = self.measured(of);
                selections.push(with(name, below));
            }
        }
        if selections.is_empty() {
            selections.push(plain(*self.chance.pick(&["count", "__typename"])));
        }
        self.varied(&format!("{}Aggregate", object.name), selections)
    }

    fn measured(&mut self, of: &str) -> Vec<Selection> {
        let mut parts = vec!["count", "countDistinct", "__typename"];
        if of != "CountAggregate" {
            parts.extend(["min", "max"]);
        }
        // A sum that is none is an error at its place, which payloads are not held against.
        if is_number(of) && self.cursors {
            parts.extend(["sum", "avg"]);
        }
        let mut selections: Vec<Selection> = self.chance.some(&parts, 5).into_iter().map(plain).collect();
        if selections.is_empty() {
            selections.push(plain(*self.chance.pick(&parts)));
        }
        if self.chance.percent(10) {
            let part = *self.chance.pick(&parts);
            let again = self.aliased(part);
            selections.push(again);
        }
        self.varied(of, selections)
    }

    /// Own fields that one index sorts by.
    fn of_an_index(&mut self, object: &Object) -> Vec<String> {
        if object.indexes.is_empty() {
            return Vec::new();
        }
        let index = self.chance.pick(&object.indexes).clone();
        index.into_iter().filter(|path| object.fields.iter().any(|field| field.name == *path)).collect()
    }

    /// The arguments of groups.
    pub(super) fn groups(&mut self, object: &Object) -> Groups {
        self.counter += 1;
        let number = self.counter;
        let all: Vec<String> = object.fields.iter().map(|field| field.name.clone()).collect();
        let of_index = if self.chance.percent(50) { self.of_an_index(object) } else { Vec::new() };
        let mut by: Vec<(String, Option<&'static str>)> = Vec::new();
        let count = *self.chance.pick(&[1, 1, 1, 2, 3]);
        let mut tries = 0;
        while by.is_empty() || (by.len() < count && tries < 20) {
            tries += 1;
            let names = if of_index.is_empty() || tries > 5 { &all } else { &of_index };
            let name = self.chance.pick(names).clone();
            let Some(buckets) = buckets(object, &name) else { continue };
            if !by.iter().any(|(other, _)| *other == name) {
                let bucket = if buckets.is_empty() { None } else { Some(*self.chance.pick(buckets)) };
                by.push((name, bucket));
            }
        }
        let having = self.chance.percent(35).then(|| self.having(object, 2));
        let order = (0..*self.chance.pick(&[0, 0, 1, 1, 2])).map(|_| self.group_order(object, &by)).collect();
        let first = self.chance.percent(50).then(|| *self.chance.pick(&[0, 1, 2, 5, 1_000]));
        let offset = self.chance.percent(20).then(|| *self.chance.pick(&[0, 1, 2, 50]));
        Groups { number, collection: object.name.clone(), by, having, order, first, offset }
    }

    fn group_order(&mut self, object: &Object, by: &[(String, Option<&'static str>)]) -> GroupOrder {
        let keys: Vec<&String> = by
            .iter()
            .map(|(name, _)| name)
            .filter(|name| name.as_str() != "count" && !object.field(name).is_relation())
            .collect();
        let numbers = numbers(object);
        let by = match self.chance.below(3) {
            0 if !keys.is_empty() => GroupedBy::Key((*self.chance.pick(&keys)).clone()),
            1 if !numbers.is_empty() => GroupedBy::Sum(self.chance.pick(&numbers).clone()),
            _ => GroupedBy::Count,
        };
        GroupOrder { by, direction: *self.chance.pick(&Direction::ALL) }
    }

    fn having(&mut self, object: &Object, depth: usize) -> Having {
        let numbers = numbers(object);
        let parts = |drawer: &mut Self| -> Vec<Having> {
            (0..drawer.chance.between(1, 2)).map(|_| drawer.having(object, depth - 1)).collect()
        };
        let member = match self.chance.below(10) {
            0 if depth > 0 => HavingMember::And(parts(self)),
            1 if depth > 0 => HavingMember::Or(parts(self)),
            2 if depth > 0 => HavingMember::Not(Box::new(self.having(object, depth - 1))),
            3..8 if !numbers.is_empty() => {
                let field = self.chance.pick(&numbers).clone();
                let of = object.field(&field).of.clone();
                let average = if of == "Float" { "Float" } else { "Decimal" };
                let sum = if of == "Int" { "BigInt" } else { of.as_str() };
                let choices = [("min", of.as_str()), ("max", of.as_str()), ("avg", average), ("sum", sum)];
                // A sum of BigInts may be none: what it is compared as is tested elsewhere.
                let choices = if of == "BigInt" { &choices[..3] } else { &choices[..] };
                let (part, of) = *self.chance.pick(choices);
                let tests = self.having_tests(of);
                HavingMember::Field { field, part, filter: format!("{of}Filter"), tests }
            }
            _ => HavingMember::Count(self.having_tests("Int")),
        };
        Having { members: vec![member] }
    }

    fn having_tests(&mut self, of: &str) -> Vec<Test> {
        let (model, chance) = (self.drawing.model, &mut self.chance);
        let mut operand = || {
            let atom = match of {
                "Int" if chance.percent(70) => atom::whole(*chance.pick(&[0, 1, 2, 3, 5])),
                of => atom::draw(model, of, chance),
            };
            Operand { atom, form: chance.below(3), of: of.to_owned() }
        };
        let (one, other) = (operand(), operand());
        vec![match self.chance.below(9) {
            0 => Test::Eq(one),
            1 => Test::Ne(one),
            2 => Test::In(vec![one, other]),
            3 => Test::NotIn(vec![one, other]),
            4 => Test::Gt(one),
            5 => Test::Gte(one),
            6 => Test::Lt(one),
            7 => Test::Lte(one),
            _ => Test::IsNull(self.chance.percent(50)),
        }]
    }

    /// Selections of a group.
    pub(super) fn group(&mut self, object: &Object, groups: &Groups, depth: usize) -> Vec<Selection> {
        let mut selections = Vec::new();
        if self.chance.percent(85) {
            let mut keys = Vec::new();
            for (name, _) in &groups.by {
                let declared = object.field(name);
                if declared.is_relation() {
                    let target = self.drawing.model.object(&declared.of);
                    let below = if depth > 0 { self.record(target, depth - 1) } else { vec![plain("id")] };
                    keys.push(with(name, below));
                } else {
                    keys.push(plain(name));
                }
            }
            if self.chance.percent(10) {
                keys.push(plain("__typename"));
            }
            let keys = self.varied(&format!("{}GroupValues", object.name), keys);
            selections.push(with("key", keys));
        }
        if selections.is_empty() || self.chance.percent(80) {
            let names = if self.chance.percent(40) { self.of_an_index(object) } else { Vec::new() };
            let below = self.aggregate(object, &names);
            selections.push(with("aggregate", below));
        }
        self.varied(&format!("{}Group", object.name), selections)
    }
}

fn numbers(object: &Object) -> Vec<String> {
    let names = object.fields.iter().map(|field| field.name.clone());
    names.filter(|name| measure(object, name).is_some_and(is_number)).collect()
}
