//! Filters and orders by chance: every operator of every kind of field.

use super::atom::{self, Atom};
use super::chance::Chance;
use super::model::{Field, Kind, Model, Object};
use super::operation::*;
use super::world::{Id, Value, World, field};

/// What a draw chooses from.
#[derive(Clone, Copy)]
pub struct Drawing<'a> {
    pub model: &'a Model,
    pub world: &'a World,
}

impl Drawing<'_> {
    /// A filter of a collection or an embedded type. `depth`: how far it may go on.
    pub fn filter(self, object: &Object, depth: usize, chance: &mut Chance) -> Where {
        let mut members = Vec::new();
        // Of what shares nothing only the id can be asked for.
        let count = if object.fields.is_empty() || chance.percent(70) { 1 } else { chance.between(1, 3) };
        let mut taken: Vec<String> = Vec::new();
        // A filter that says nothing is refused.
        while members.len() < count {
            if let Some((name, member)) = self.member(object, depth, &taken, chance) {
                taken.push(name);
                members.push(member);
            }
        }
        Where { of: format!("{}Where", object.name), members }
    }

    fn member(self, object: &Object, depth: usize, taken: &[String], chance: &mut Chance) -> Option<(String, Member)> {
        let free = |name: &str| !taken.iter().any(|other| other == name);
        if depth > 0 && chance.percent(25) {
            let name = *chance.pick(&["and", "or", "not"]);
            let parts = |chance: &mut Chance| -> Vec<Where> {
                (0..chance.between(1, 3)).map(|_| self.filter(object, depth - 1, chance)).collect()
            };
            let member = match name {
                "and" => Member::And(parts(chance)),
                "or" => Member::Or(parts(chance)),
                _ => Member::Not(Box::new(self.filter(object, depth - 1, chance))),
            };
            return free(name).then(|| (name.to_owned(), member));
        }
        if object.roots.is_some() && chance.percent(4) {
            return free("id").then(|| ("id".to_owned(), Member::Id(self.id_tests(object, chance))));
        }
        if object.roots.is_none() && chance.percent(8) {
            return free("isNull").then(|| ("isNull".to_owned(), Member::IsNull(chance.percent(50))));
        }
        if object.fields.is_empty() {
            return free("id").then(|| ("id".to_owned(), Member::Id(self.id_tests(object, chance))));
        }
        // Fields of which there are many should not crowd out the relations.
        let relations: Vec<&Field> = object.fields.iter().filter(|field| field.is_relation()).collect();
        let declared = if depth > 0 && !relations.is_empty() && chance.percent(35) {
            *chance.pick(&relations)
        } else {
            chance.pick(&object.fields)
        };
        if !free(&declared.name) || (depth == 0 && (declared.is_relation() || declared.kind == Kind::Embedded)) {
            return None;
        }
        Some((declared.name.clone(), self.field(object, declared, depth, chance)))
    }

    fn field(self, object: &Object, declared: &Field, depth: usize, chance: &mut Chance) -> Member {
        let field = declared.name.clone();
        let of = &declared.of;
        match (&declared.kind, declared.list) {
            (Kind::Scalar, false) if of == "JSON" => self.json(object, declared, chance),
            (Kind::Scalar | Kind::Enum, false) => {
                let filtered = filtered_as(of);
                let tests = self.tests(object, declared, chance);
                let ignore_case = (filtered == "String" && chance.percent(25)).then(|| chance.percent(80));
                Member::Value { field, filter: format!("{filtered}Filter"), tests, ignore_case }
            }
            (Kind::Scalar | Kind::Enum, true) => self.list_member(object, declared, chance),
            (Kind::Embedded, false) => {
                Member::Embedded { field, inner: self.filter(self.model.object(of), depth - 1, chance) }
            }
            (Kind::Embedded, true) | (Kind::Referrers { .. } | Kind::Links { .. }, _) => {
                let target = self.model.object(of);
                let tests = self.quantified(target, declared, depth - 1, chance);
                Member::Many { field, filter: format!("{of}ListFilter"), tests }
            }
            (Kind::Reference { .. } | Kind::Referrer { .. }, _) => {
                let target = self.model.object(of);
                let mut inner = self.filter(target, depth - 1, chance);
                if self.model.is_optional_target(of) && chance.percent(25) {
                    let is_null = Member::IsNull(chance.percent(50));
                    if chance.percent(70) {
                        inner.members = vec![is_null];
                    } else {
                        inner.members.push(is_null);
                    }
                }
                Member::ToOne { field, inner }
            }
        }
    }

    /// One or some ids.
    pub fn few_ids(self, object: &Object, chance: &mut Chance) -> Test {
        loop {
            let test = self.id_tests(object, chance).remove(0);
            if matches!(test, Test::Eq(_) | Test::In(_)) {
                return test;
            }
        }
    }

    /// A condition on a field that an index can serve.
    pub fn value_member(self, object: &Object, declared: &Field, equal: bool, chance: &mut Chance) -> Member {
        let filtered = filtered_as(&declared.of);
        let ordered = !matches!(filtered, "ID" | "Boolean" | "UUID" | "Bytes") && declared.kind != Kind::Enum;
        let one = |chance: &mut Chance| self.operand(object, declared, chance);
        let lower =
            |chance: &mut Chance| if chance.percent(50) { Test::Gt(one(chance)) } else { Test::Gte(one(chance)) };
        let upper =
            |chance: &mut Chance| if chance.percent(50) { Test::Lt(one(chance)) } else { Test::Lte(one(chance)) };
        let tests = match chance.below(6) {
            _ if equal || !ordered => match chance.below(5) {
                0 | 1 => vec![Test::Eq(one(chance))],
                2 | 3 => vec![Test::In(self.operands(object, declared, chance))],
                _ => vec![Test::IsNull(chance.percent(70))],
            },
            0 => vec![lower(chance)],
            1 => vec![upper(chance)],
            2 => vec![lower(chance), upper(chance)],
            3 => vec![Test::IsNull(false)],
            4 if filtered == "String" => vec![Test::StartsWith(super::atom::draw_text(chance))],
            _ => self.tests(object, declared, chance),
        };
        Member::Value { field: declared.name.clone(), filter: format!("{filtered}Filter"), tests, ignore_case: None }
    }

    /// A condition on a list.
    pub fn list_member(self, object: &Object, declared: &Field, chance: &mut Chance) -> Member {
        let element = filtered_as(&declared.of).to_owned();
        let tests = self.list_tests(object, declared, chance);
        Member::List { field: declared.name.clone(), filter: format!("{element}ListFilter"), element, tests }
    }

    fn id_tests(self, object: &Object, chance: &mut Chance) -> Vec<Test> {
        let operand = |chance: &mut Chance| {
            let id = if chance.percent(90) { self.id(object, chance) } else { None };
            let id = id.or_else(|| self.id(chance.pick(&self.model.objects), chance));
            let atom = atom::text(&id.unwrap_or_else(|| "nobody".to_owned()));
            Operand { atom, form: 0, of: "ID".to_owned() }
        };
        let many = |chance: &mut Chance| (0..chance.below(6)).map(|_| operand(chance)).collect();
        vec![match chance.below(6) {
            0 => Test::Eq(operand(chance)),
            1 => Test::Ne(operand(chance)),
            2 | 3 => Test::In(many(chance)),
            4 => Test::NotIn(many(chance)),
            _ => Test::IsNull(chance.percent(50)),
        }]
    }

    /// The id of some record.
    pub fn id(self, object: &Object, chance: &mut Chance) -> Option<Id> {
        let ids: Vec<&Id> = self.world.all_of(object).map(|(id, _)| id).collect();
        (!ids.is_empty()).then(|| (*chance.pick(&ids)).clone())
    }

    /// A value for a test of a field: mostly one that some record has there.
    fn operand(self, object: &Object, declared: &Field, chance: &mut Chance) -> Operand {
        let of = filtered_as(&declared.of).to_owned();
        let known = if chance.percent(65) { self.known(object, declared, chance) } else { None };
        let atom = known.unwrap_or_else(|| atom::draw(self.model, &declared.of, chance));
        Operand { form: chance.below(3), atom, of }
    }

    fn known(self, object: &Object, declared: &Field, chance: &mut Chance) -> Option<Atom> {
        let all: Vec<_> = self.world.all_of(object).map(|(_, record)| record).collect();
        if all.is_empty() {
            return None;
        }
        match field(*chance.pick(&all), &declared.name) {
            Value::Atom(atom) => Some(atom.as_ref().clone()),
            Value::List(items) if !items.is_empty() => match chance.pick(items) {
                Value::Atom(atom) => Some(atom.as_ref().clone()),
                _ => None,
            },
            _ => None,
        }
    }

    fn operands(self, object: &Object, declared: &Field, chance: &mut Chance) -> Vec<Operand> {
        (0..chance.below(5)).map(|_| self.operand(object, declared, chance)).collect()
    }

    fn tests(self, object: &Object, declared: &Field, chance: &mut Chance) -> Vec<Test> {
        let filtered = filtered_as(&declared.of);
        let ordered = !matches!(filtered, "ID" | "Boolean" | "UUID" | "Bytes") && declared.kind != Kind::Enum;
        let count = if chance.percent(65) { 1 } else { chance.between(1, 3) };
        let mut tests: Vec<Test> = Vec::new();
        for _ in 0..count {
            let one = |chance: &mut Chance| self.operand(object, declared, chance);
            let test = match chance.below(if filtered == "String" { 15 } else { 11 }) {
                0 | 1 => Test::Eq(one(chance)),
                2 => Test::Ne(one(chance)),
                3 => Test::In(self.operands(object, declared, chance)),
                4 => Test::NotIn(self.operands(object, declared, chance)),
                5 => Test::IsNull(chance.percent(50)),
                6..11 if !ordered => Test::Eq(one(chance)),
                6 => Test::Gt(one(chance)),
                7 | 8 => Test::Gte(one(chance)),
                9 => Test::Lt(one(chance)),
                10 => Test::Lte(one(chance)),
                place => {
                    let part = match self.known(object, declared, chance).map(|atom| atom.rank) {
                        Some(atom::Rank::Text(text)) if chance.percent(70) => part(&text, chance),
                        _ => atom::draw_text(chance),
                    };
                    match place {
                        11 => Test::Contains(part),
                        12 => Test::StartsWith(part),
                        13 => Test::EndsWith(part),
                        _ => Test::Regex(pattern(&part, chance)),
                    }
                }
            };
            if !tests.iter().any(|other| std::mem::discriminant(other) == std::mem::discriminant(&test)) {
                tests.push(test);
            }
        }
        tests
    }

    fn counts(self, chance: &mut Chance) -> Vec<Test> {
        let operand = |chance: &mut Chance| {
            let number = i64::try_from(chance.below(5)).unwrap() - i64::from(chance.percent(5));
            Operand { atom: atom::whole(number), form: 0, of: "Int".to_owned() }
        };
        match chance.below(8) {
            0 | 1 => vec![Test::Eq(operand(chance))],
            2 => vec![Test::Ne(operand(chance))],
            3 => vec![Test::Gte(operand(chance)), Test::Lt(operand(chance))],
            4 => vec![Test::Gt(operand(chance))],
            5 => vec![Test::Lte(operand(chance))],
            6 => vec![Test::In((0..chance.below(4)).map(|_| operand(chance)).collect())],
            _ => vec![Test::IsNull(chance.percent(30))],
        }
    }

    fn list_tests(self, object: &Object, declared: &Field, chance: &mut Chance) -> Vec<ListTest> {
        let test = |chance: &mut Chance| match chance.below(9) {
            0..3 => ListTest::Has(self.operand(object, declared, chance)),
            3 => ListTest::HasAny(self.operands(object, declared, chance)),
            4 => ListTest::HasAll(self.operands(object, declared, chance)),
            5 => ListTest::ContainedIn(self.operands(object, declared, chance)),
            6 => ListTest::IsEmpty(chance.percent(50)),
            7 => ListTest::Length(self.counts(chance)),
            _ => ListTest::IsNull(chance.percent(50)),
        };
        let mut tests = vec![test(chance)];
        let second = test(chance);
        if chance.percent(20) && std::mem::discriminant(&tests[0]) != std::mem::discriminant(&second) {
            tests.push(second);
        }
        tests
    }

    fn json(self, object: &Object, declared: &Field, chance: &mut Chance) -> Member {
        let path = chance.some(&["a".to_owned(), "b".to_owned(), "0".to_owned()], 2);
        self.json_at(object, declared, path, false, chance)
    }

    /// A condition on a part of JSON. `equal`: mostly one that an index serves before its last field.
    pub fn json_at(
        self,
        object: &Object,
        declared: &Field,
        path: Vec<String>,
        equal: bool,
        chance: &mut Chance,
    ) -> Member {
        let atom = |chance: &mut Chance| {
            let known = self.known(object, declared, chance).filter(|_| chance.percent(60));
            let drawn = known.unwrap_or_else(|| atom::draw(self.model, "JSON", chance));
            let inner = super::judge::walk(&drawn.json, &path).clone();
            // No operand is null.
            if inner.is_null() || chance.percent(30) { drawn } else { atom::json(&inner) }
        };
        let test = match chance.below(9) {
            2..9 if equal => JsonTest::Eq(atom(chance)),
            6.. => JsonTest::Compare(*chance.pick(&["gt", "gte", "lt", "lte"]), atom(chance)),
            0 => JsonTest::Eq(atom(chance)),
            1 => JsonTest::Ne(atom(chance)),
            2 | 3 => JsonTest::Contains(atom(chance)),
            4 => JsonTest::HasKey((*chance.pick(&["a", "b", "z"])).to_owned()),
            _ => JsonTest::IsNull(chance.percent(50)),
        };
        Member::Json { field: declared.name.clone(), path, tests: vec![test] }
    }

    fn quantified(self, target: &Object, declared: &Field, depth: usize, chance: &mut Chance) -> Vec<Quantified> {
        let test = |chance: &mut Chance| match chance.below(9) {
            0..4 => Quantified::Some(self.filter(target, depth, chance)),
            4 => Quantified::Every(self.filter(target, depth, chance)),
            5 => Quantified::None(self.filter(target, depth, chance)),
            6 if declared.kind == Kind::Embedded => Quantified::IsNull(chance.percent(50)),
            _ => Quantified::Count(self.counts(chance)),
        };
        let mut tests = vec![test(chance)];
        let second = test(chance);
        if chance.percent(20) && std::mem::discriminant(&tests[0]) != std::mem::discriminant(&second) {
            tests.push(second);
        }
        tests
    }

    /// The keys of an order.
    pub fn order(self, object: &Object, chance: &mut Chance) -> Vec<OrderKey> {
        let count = *chance.pick(&[0, 0, 1, 1, 1, 2, 2, 3]);
        (0..count).map(|_| self.order_key(object, chance)).collect()
    }

    fn order_key(self, object: &Object, chance: &mut Chance) -> OrderKey {
        let direction = match chance.percent(70) {
            true => *chance.pick(&[Direction::Asc, Direction::Desc]),
            false => *chance.pick(&Direction::ALL),
        };
        if object.fields.is_empty() {
            return OrderKey { path: vec!["id".to_owned()], direction };
        }
        // Indexes should be met often.
        let indexed: &[&[&str]] = match object.name.as_str() {
            "Item" => &[&["name"], &["rank"], &["shelf", "id"], &["place", "city"], &["when"], &["serial"], &["price"]],
            "Note" => &[&["number"], &["stars"], &["text"], &["at"]],
            "Shelf" => &[&["zone"], &["height"], &["code"]],
            "Card" => &[&["holder"], &["fee"]],
            "Called" => &[&["name"], &["rank"], &["place", "city"], &["shelf", "id"], &["shelf", "height"]],
            _ => &[&["name"], &["weight"]],
        };
        if chance.percent(40) {
            let path = chance.pick(indexed).iter().map(|name| (*name).to_owned()).collect();
            return OrderKey { path, direction };
        }
        loop {
            if let Some(path) = self.sorted_by(object, 3, chance) {
                return OrderKey { path, direction };
            }
        }
    }

    fn sorted_by(self, object: &Object, depth: usize, chance: &mut Chance) -> Option<Vec<String>> {
        if object.roots.is_some() && chance.percent(5) {
            return Some(vec!["id".to_owned()]);
        }
        let declared = chance.pick(&object.fields);
        let name = declared.name.clone();
        let rest = match &declared.kind {
            Kind::Scalar if declared.of == "JSON" => return None,
            Kind::Scalar | Kind::Enum | Kind::Embedded if declared.list => return None,
            Kind::Scalar | Kind::Enum => return Some(vec![name]),
            Kind::Referrers { .. } | Kind::Links { .. } => return Some(vec![name, "count".to_owned()]),
            _ if depth == 0 => return None,
            _ => self.sorted_by(self.model.object(&declared.of), depth - 1, chance)?,
        };
        Some([vec![name], rest].concat())
    }
}

/// The scalar whose filter a field has.
fn filtered_as(of: &str) -> &str {
    match of {
        "Email" | "CountryCode" => "String",
        other => other,
    }
}

/// A part of a text, perhaps with its case turned.
fn part(text: &str, chance: &mut Chance) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return String::new();
    }
    let start = if chance.percent(50) { 0 } else { chance.below(letters.len()) };
    letters[start..chance.between(start, letters.len())].iter().collect()
}

fn pattern(part: &str, chance: &mut Chance) -> String {
    let literal = regex::escape(part);
    match chance.below(4) {
        0 => literal,
        1 => format!("^{literal}"),
        2 => format!("{literal}$"),
        _ => format!("^.?{literal}.*$"),
    }
}
