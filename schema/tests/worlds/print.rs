//! Trees as text: the operation that is sent, and its variables.

use super::chance::Chance;
use super::literal::Literal;
use super::operation::*;
use super::world::Id;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// A request's text.
pub struct Text {
    pub query: String,
    pub variables: Json,
}

/// The real cursor of a record in the order of a list.
pub type Cursors<'a> = &'a dyn Fn(&List, &Id) -> String;

pub struct Printer<'a> {
    chance: Chance,
    cursors: Cursors<'a>,
    /// `$name: Type = default`.
    declared: Vec<String>,
    variables: Map<String, Json>,
    /// Definitions by name: copies of one selection share them.
    fragments: BTreeMap<String, String>,
    /// Arguments that are written already.
    arguments: BTreeMap<String, String>,
    /// How many of a hundred values are variables.
    variables_percent: usize,
}

impl<'a> Printer<'a> {
    pub fn new(style: u64, cursors: Cursors<'a>) -> Printer<'a> {
        let mut chance = Chance::new(style);
        let variables_percent = *chance.pick(&[0, 0, 15, 60]);
        Printer {
            chance,
            cursors,
            declared: Vec::new(),
            variables: Map::new(),
            fragments: BTreeMap::new(),
            arguments: BTreeMap::new(),
            variables_percent,
        }
    }

    /// A query.
    pub fn query(mut self, operation: &Operation) -> Text {
        let body = self.selections(&operation.selections, 1);
        self.finish("query", &body)
    }

    /// The whole document, when its selections are written.
    pub fn finish(self, form: &str, body: &str) -> Text {
        let variables =
            if self.declared.is_empty() { String::new() } else { format!("({})", self.declared.join(", ")) };
        let query = format!(
            "{form} It{variables} {{\n{body}}}\n{}",
            self.fragments.values().map(String::as_str).collect::<String>()
        );
        Text { query, variables: Json::Object(self.variables) }
    }

    /// Begins another part of the document, whose selections never meet those before.
    pub fn part(&mut self) {
        self.arguments.clear();
    }

    pub fn selections(&mut self, selections: &[Selection], depth: usize) -> String {
        let indent = "  ".repeat(depth);
        let mut text = String::new();
        for selection in selections {
            text.push_str(&indent);
            match selection {
                Selection::Field(field) => {
                    if let Some(alias) = &field.alias {
                        text.push_str(&format!("{alias}: "));
                    }
                    text.push_str(&field.name);
                    text.push_str(&self.once(field));
                    text.push_str(&self.condition(field.condition));
                    if !field.selections.is_empty() {
                        let below = self.selections(&field.selections, depth + 1);
                        text.push_str(&format!(" {{\n{below}{indent}}}"));
                    }
                }
                Selection::Fragment(fragment) => {
                    let condition = self.condition(fragment.condition);
                    match &fragment.name {
                        Some(name) => {
                            if !self.fragments.contains_key(name) {
                                let below = self.selections(&fragment.selections, 1);
                                let on = fragment.on.as_deref().unwrap_or(&fragment.within);
                                self.fragments.insert(name.clone(), format!("fragment {name} on {on} {{\n{below}}}\n"));
                            }
                            text.push_str(&format!("...{name}{condition}"));
                        }
                        None => {
                            let on = fragment.on.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
                            let below = self.selections(&fragment.selections, depth + 1);
                            text.push_str(&format!("...{on}{condition} {{\n{below}{indent}}}"));
                        }
                    }
                }
            }
            text.push('\n');
        }
        text
    }

    fn condition(&mut self, condition: Option<Condition>) -> String {
        let Some(condition) = condition else { return String::new() };
        let name = if condition.skip { "skip" } else { "include" };
        let value = match condition.variable {
            true => self.variable("Boolean!", &Literal::Bool(condition.value)),
            false => condition.value.to_string(),
        };
        format!(" @{name}(if: {value})")
    }

    /// The arguments of a field. Copies of one selection have the same: their texts are, too.
    fn once(&mut self, field: &Field) -> String {
        let key = match &field.arguments {
            Arguments::None => return String::new(),
            Arguments::List(list) => list.number.to_string(),
            Arguments::Groups(groups) => groups.number.to_string(),
            _ => field.alias.as_ref().unwrap_or(&field.name).clone(),
        };
        if let Some(text) = self.arguments.get(&key) {
            return text.clone();
        }
        let text = self.arguments(&field.arguments);
        self.arguments.insert(key, text.clone());
        text
    }

    fn arguments(&mut self, arguments: &Arguments) -> String {
        match arguments {
            Arguments::None => String::new(),
            Arguments::Node(id) => format!("(id: {})", self.value(&Literal::typed("ID!", Literal::text(id)))),
            Arguments::Nodes(ids) => {
                let ids = ids.iter().map(|id| Literal::typed("ID!", Literal::text(id))).collect();
                format!("(ids: {})", self.value(&Literal::typed("[ID!]!", Literal::List(ids))))
            }
            Arguments::By(key) => format!("(by: {})", self.value(&key_literal(key))),
            Arguments::Path(path) => {
                let path = path.iter().map(|step| Literal::typed("String!", Literal::text(step))).collect();
                format!("(path: {})", self.value(&Literal::typed("[String!]", Literal::List(path))))
            }
            Arguments::List(list) => self.list(list),
            Arguments::Groups(groups) => self.groups(groups),
        }
    }

    fn groups(&mut self, groups: &Groups) -> String {
        let collection = &groups.collection;
        let key = |(name, bucket): &(String, Option<&'static str>)| {
            let value = match bucket {
                Some(bucket) => Literal::Enum((*bucket).to_owned()),
                None => Literal::Bool(true),
            };
            Literal::typed(format!("{collection}GroupKey!"), Literal::Object(vec![(name.clone(), value)]))
        };
        let by = Literal::List(groups.by.iter().map(key).collect());
        let mut parts = vec![("by", Literal::typed(format!("[{collection}GroupKey!]!"), by))];
        if let Some(having) = &groups.having {
            parts.push(("having", Literal::typed(format!("{collection}Having"), having_literal(collection, having))));
        }
        if !groups.order.is_empty() {
            let order = |order: &GroupOrder| {
                let name = match &order.by {
                    GroupedBy::Count => "count".to_owned(),
                    GroupedBy::Key(name) => name.clone(),
                    GroupedBy::Sum(name) => format!("{name}Sum"),
                };
                let direction = Literal::typed("SortDirection!!", Literal::Enum(order.direction.name().to_owned()));
                Literal::typed(format!("{collection}GroupOrder!"), Literal::Object(vec![(name, direction)]))
            };
            let keys = Literal::List(groups.order.iter().map(order).collect());
            parts.push(("orderBy", Literal::typed(format!("[{collection}GroupOrder!]"), keys)));
        }
        for (name, given) in [("first", groups.first), ("offset", groups.offset)] {
            if let Some(given) = given {
                parts.push((name, Literal::typed("Int", Literal::number(given))));
            }
        }
        self.chance.shuffle(&mut parts);
        let parts: Vec<String> = parts.iter().map(|(name, value)| format!("{name}: {}", self.value(value))).collect();
        format!("({})", parts.join(", "))
    }

    fn list(&mut self, list: &List) -> String {
        let mut parts = Vec::new();
        let number = |number: usize| Literal::typed("Int", Literal::number(number));
        let collection = &list.collection;
        let where_type = format!("{collection}Where");
        match &list.filter {
            Some(filter) => parts.push(("where", Literal::typed(&where_type, where_literal(filter)))),
            None if self.chance.percent(10) => {
                let name = self.declare(&where_type);
                parts.push(("where", Literal::Enum(name)));
            }
            None => {}
        }
        if !list.order.is_empty() || self.chance.percent(5) {
            let keys = list.order.iter().map(|key| order_literal(collection, key)).collect();
            parts.push(("orderBy", Literal::typed(format!("[{collection}Order!]"), Literal::List(keys))));
        }
        let numbers = [("first", list.first), ("last", list.last), ("offset", list.offset)];
        for (name, given) in numbers {
            match given {
                Some(given) => parts.push((name, number(given))),
                None if self.chance.percent(3) => parts.push((name, Literal::Null)),
                None => {}
            }
        }
        for (name, given) in [("after", &list.after), ("before", &list.before)] {
            if let Some(id) = given {
                parts.push((name, Literal::typed("String", Literal::text((self.cursors)(list, id)))));
            }
        }
        self.chance.shuffle(&mut parts);
        if parts.is_empty() {
            return String::new();
        }
        let parts: Vec<String> = parts.iter().map(|(name, value)| format!("{name}: {}", self.value(value))).collect();
        format!("({})", parts.join(", "))
    }

    /// A value, perhaps with variables in it.
    pub fn value(&mut self, value: &Literal) -> String {
        match value {
            Literal::Typed(of, inner) => {
                if self.chance.percent(self.variables_percent) {
                    return self.variable(of, inner);
                }
                match inner.as_ref() {
                    // One element stands for a list of it.
                    Literal::List(items) if of.starts_with('[') && items.len() == 1 && self.chance.percent(20) => {
                        match &items[0] {
                            Literal::Typed(_, inner) => self.value(inner),
                            item => self.value(item),
                        }
                    }
                    inner => self.value(inner),
                }
            }
            Literal::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.value(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Literal::Object(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}: {}", self.value(value))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            plain => plain.graphql(),
        }
    }

    /// A variable that has no value.
    fn declare(&mut self, of: &str) -> String {
        let name = format!("$v{}", self.declared.len());
        self.declared.push(format!("{name}: {of}"));
        name
    }

    fn variable(&mut self, of: &str, value: &Literal) -> String {
        let plain = of.trim_end_matches('!');
        // In a place that takes exactly one field, a variable cannot be null.
        let (of, strict) = match of.strip_suffix("!!") {
            Some(plain) => (format!("{plain}!"), true),
            None => (of.to_owned(), false),
        };
        let name = format!("v{}", self.declared.len());
        let declared = match self.chance.below(4) {
            // A default is as good as a value.
            0 if !strict => format!("${name}: {plain} = {}", value.graphql()),
            1 => {
                self.variables.insert(name.clone(), value.json());
                format!("${name}: {plain}!")
            }
            2 => {
                self.variables.insert(name.clone(), value.json());
                format!("${name}: {plain}! = {}", value.graphql())
            }
            _ => {
                self.variables.insert(name.clone(), value.json());
                format!("${name}: {of}")
            }
        };
        self.declared.push(declared);
        format!("${name}")
    }
}

/// The key of a record, as `by` and `connect` take it.
pub fn key_literal(key: &Key) -> Literal {
    match key {
        Key::Id(id) => Literal::object([("id", Literal::typed("ID!!", Literal::text(id)))]),
        Key::Unique(parts) => {
            let literal = |part: &Part| match part {
                Part::Atom(atom, form) => atom.forms[form % atom.forms.len()].clone(),
                Part::Reference(id) => Literal::text(id),
            };
            let strict = if parts.len() == 1 { "!!" } else { "!" };
            let value = |(_, of, part): &(String, String, Part)| Literal::typed(format!("{of}{strict}"), literal(part));
            let names: Vec<&str> = parts.iter().map(|(name, ..)| name.as_str()).collect();
            let inner = match parts.as_slice() {
                [only] => value(only),
                parts => Literal::Object(parts.iter().map(|part| (part.0.clone(), value(part))).collect()),
            };
            Literal::Object(vec![(names.join("_"), inner)])
        }
    }
}

/// A key of an order.
pub fn order_literal(collection: &str, key: &OrderKey) -> Literal {
    let direction = Literal::typed("SortDirection!!", Literal::Enum(key.direction.name().to_owned()));
    let nested = key.path.iter().rev().fold(direction, |inner, name| Literal::Object(vec![(name.clone(), inner)]));
    Literal::typed(format!("{collection}Order!"), nested)
}

/// A Having object.
fn having_literal(collection: &str, having: &Having) -> Literal {
    let of = format!("{collection}Having");
    let each = |parts: &[Having]| {
        let part = |part: &Having| Literal::typed(format!("{of}!"), having_literal(collection, part));
        Literal::typed(format!("[{of}!]"), Literal::List(parts.iter().map(part).collect()))
    };
    let member = |member: &HavingMember| match member {
        HavingMember::And(parts) => ("and".to_owned(), each(parts)),
        HavingMember::Or(parts) => ("or".to_owned(), each(parts)),
        HavingMember::Not(part) => ("not".to_owned(), Literal::typed(&of, having_literal(collection, part))),
        HavingMember::Count(tests) => ("count".to_owned(), Literal::typed("IntFilter", tests_literal(tests, None))),
        HavingMember::Field { field, part, filter, tests } => {
            let tests = Literal::typed(filter, tests_literal(tests, None));
            (field.clone(), Literal::object([(*part, tests)]))
        }
    };
    Literal::Object(having.members.iter().map(member).collect())
}

/// A Where object.
pub fn where_literal(filter: &Where) -> Literal {
    let of = &filter.of;
    let inner = |inner: &Where| Literal::typed(&inner.of, where_literal(inner));
    let each = |parts: &[Where]| {
        let part = |part: &Where| Literal::typed(format!("{}!", part.of), where_literal(part));
        Literal::typed(format!("[{of}!]"), Literal::List(parts.iter().map(part).collect()))
    };
    let member = |member: &Member| -> (String, Literal) {
        match member {
            Member::And(parts) => ("and".to_owned(), each(parts)),
            Member::Or(parts) => ("or".to_owned(), each(parts)),
            Member::Not(part) => ("not".to_owned(), inner(part)),
            Member::IsNull(wanted) => ("isNull".to_owned(), boolean(*wanted)),
            Member::Id(tests) => ("id".to_owned(), Literal::typed("IDFilter", tests_literal(tests, None))),
            Member::Value { field, filter, tests, ignore_case } => {
                (field.clone(), Literal::typed(filter, tests_literal(tests, *ignore_case)))
            }
            Member::List { field, filter, element, tests } => {
                let tests = tests.iter().map(|test| list_test(element, test)).collect();
                (field.clone(), Literal::typed(filter, Literal::Object(tests)))
            }
            Member::Json { field, path, tests } => {
                let mut fields: Vec<(String, Literal)> = tests.iter().map(json_test).collect();
                if !path.is_empty() {
                    let path = path.iter().map(|step| Literal::typed("String!", Literal::text(step))).collect();
                    fields.push(("path".to_owned(), Literal::typed("[String!]", Literal::List(path))));
                }
                (field.clone(), Literal::typed("JSONFilter", Literal::Object(fields)))
            }
            Member::Embedded { field, inner: filter } | Member::ToOne { field, inner: filter } => {
                (field.clone(), inner(filter))
            }
            Member::Many { field, filter, tests } => {
                let test = |test: &Quantified| match test {
                    Quantified::Some(filter) => ("some".to_owned(), inner(filter)),
                    Quantified::Every(filter) => ("every".to_owned(), inner(filter)),
                    Quantified::None(filter) => ("none".to_owned(), inner(filter)),
                    Quantified::Count(tests) => {
                        ("count".to_owned(), Literal::typed("IntFilter", tests_literal(tests, None)))
                    }
                    Quantified::IsNull(wanted) => ("isNull".to_owned(), boolean(*wanted)),
                };
                (field.clone(), Literal::typed(filter, Literal::Object(tests.iter().map(test).collect())))
            }
        }
    };
    Literal::Object(filter.members.iter().map(member).collect())
}

fn boolean(value: bool) -> Literal {
    Literal::typed("Boolean", Literal::Bool(value))
}

fn operand(operand: &Operand) -> Literal {
    Literal::typed(&operand.of, operand.literal())
}

fn operands(operands: &[Operand], of: &str) -> Literal {
    let item = |operand: &Operand| Literal::typed(format!("{}!", operand.of), operand.literal());
    Literal::typed(format!("[{of}!]"), Literal::List(operands.iter().map(item).collect()))
}

fn tests_literal(tests: &[Test], ignore_case: Option<bool>) -> Literal {
    let text = |text: &str| Literal::typed("String", Literal::text(text));
    let list = |list: &[Operand]| match list.first() {
        Some(first) => operands(list, &first.of),
        None => Literal::List(Vec::new()),
    };
    let test = |test: &Test| -> (&str, Literal) {
        match test {
            Test::Eq(one) => ("eq", operand(one)),
            Test::Ne(one) => ("ne", operand(one)),
            Test::In(many) => ("in", list(many)),
            Test::NotIn(many) => ("notIn", list(many)),
            Test::Gt(one) => ("gt", operand(one)),
            Test::Gte(one) => ("gte", operand(one)),
            Test::Lt(one) => ("lt", operand(one)),
            Test::Lte(one) => ("lte", operand(one)),
            Test::Contains(part) => ("contains", text(part)),
            Test::StartsWith(part) => ("startsWith", text(part)),
            Test::EndsWith(part) => ("endsWith", text(part)),
            Test::Regex(pattern) => ("regex", text(pattern)),
            Test::IsNull(wanted) => ("isNull", boolean(*wanted)),
        }
    };
    let mut fields: Vec<(String, Literal)> =
        tests.iter().map(test).map(|(name, value)| (name.to_owned(), value)).collect();
    if let Some(ignore_case) = ignore_case {
        fields.push(("ignoreCase".to_owned(), boolean(ignore_case)));
    }
    Literal::Object(fields)
}

fn list_test(element: &str, test: &ListTest) -> (String, Literal) {
    let (name, value) = match test {
        ListTest::Has(one) => ("has", operand(one)),
        ListTest::HasAny(many) => ("hasAny", operands(many, element)),
        ListTest::HasAll(many) => ("hasAll", operands(many, element)),
        ListTest::ContainedIn(many) => ("containedIn", operands(many, element)),
        ListTest::IsEmpty(wanted) => ("isEmpty", boolean(*wanted)),
        ListTest::Length(tests) => ("length", Literal::typed("IntFilter", tests_literal(tests, None))),
        ListTest::IsNull(wanted) => ("isNull", boolean(*wanted)),
    };
    (name.to_owned(), value)
}

fn json_test(test: &JsonTest) -> (String, Literal) {
    let typed = |atom: &super::atom::Atom| Literal::typed("JSON", atom.forms[0].clone());
    let (name, value) = match test {
        JsonTest::Eq(atom) => ("eq", typed(atom)),
        JsonTest::Ne(atom) => ("ne", typed(atom)),
        JsonTest::Contains(atom) => ("contains", typed(atom)),
        JsonTest::HasKey(key) => ("hasKey", Literal::typed("String", Literal::text(key))),
        JsonTest::Compare(name, atom) => (*name, typed(atom)),
        JsonTest::IsNull(wanted) => ("isNull", boolean(*wanted)),
    };
    (name.to_owned(), value)
}
