//! The directives that a developer may write: where, with which arguments, and which of them later releases bring.

use super::report::Report;
use apollo_compiler::Node;
use apollo_compiler::ast::{Directive, DirectiveList, Value};
use apollo_compiler::parser::SourceSpan;

/// What a directive stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Object,
    Field,
    Enum,
    EnumValue,
    /// An interface or a union.
    Family,
}

impl On {
    fn words(self) -> &'static str {
        match self {
            On::Object => "a type",
            On::Field => "a field",
            On::Enum => "an enum",
            On::EnumValue => "a value of an enum",
            On::Family => "an interface or a union",
        }
    }
}

/// What an argument takes.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Texts,
    Boolean,
    Number,
    /// One of these names.
    Name(&'static [&'static str]),
    /// A list of these names.
    Names(&'static [&'static str]),
    /// An object of the Where language.
    Predicate,
    Anything,
}

struct Rule {
    name: &'static str,
    on: &'static [On],
    repeatable: bool,
    /// Name, type, required.
    arguments: &'static [(&'static str, Takes, bool)],
    /// `Some` for one of a later release: its name in a sentence.
    later: bool,
}

const OPERATIONS: &[&str] = &["GET", "LIST", "AGGREGATE", "CREATE", "UPDATE", "UPSERT", "DELETE", "SUBSCRIBE"];
const ON_DELETE: &[&str] = &["RESTRICT", "CASCADE", "SET_NULL"];
const INDEX_KINDS: &[&str] = &["BTREE", "HASH", "GEO"];

const fn now(name: &'static str, on: &'static [On], arguments: &'static [(&'static str, Takes, bool)]) -> Rule {
    Rule { name, on, repeatable: false, arguments, later: false }
}

const fn repeatable(name: &'static str, on: &'static [On], arguments: &'static [(&'static str, Takes, bool)]) -> Rule {
    Rule { name, on, repeatable: true, arguments, later: false }
}

const fn later(name: &'static str) -> Rule {
    Rule { name, on: &[], repeatable: true, arguments: &[], later: true }
}

const RULES: &[Rule] = &[
    now(
        "collection",
        &[On::Object, On::Family],
        &[
            ("plural", Takes::Text, false),
            ("name", Takes::Text, false),
            ("operations", Takes::Names(OPERATIONS), false),
        ],
    ),
    repeatable("unique", &[On::Object, On::Field], &[("fields", Takes::Texts, false), ("name", Takes::Text, false)]),
    repeatable(
        "index",
        &[On::Object, On::Field],
        &[("fields", Takes::Texts, false), ("kind", Takes::Name(INDEX_KINDS), false), ("name", Takes::Text, false)],
    ),
    now(
        "relation",
        &[On::Field],
        &[("inverse", Takes::Text, false), ("onDelete", Takes::Name(ON_DELETE), false), ("field", Takes::Text, false)],
    ),
    now(
        "default",
        &[On::Field],
        &[("value", Takes::Anything, false), ("now", Takes::Boolean, false), ("expr", Takes::Text, false)],
    ),
    now("updatedAt", &[On::Field], &[]),
    now("autoIncrement", &[On::Field], &[("start", Takes::Number, false)]),
    now("computed", &[On::Field], &[("expr", Takes::Text, true), ("stored", Takes::Boolean, false)]),
    now("readOnly", &[On::Field], &[]),
    now("hidden", &[On::Field], &[]),
    repeatable("check", &[On::Object, On::Field], &[("expr", Takes::Predicate, true), ("message", Takes::Text, false)]),
    now("precision", &[On::Field], &[("digits", Takes::Number, true), ("scale", Takes::Number, true)]),
    now("rename", &[On::Object, On::Field, On::Enum, On::EnumValue], &[("from", Takes::Text, true)]),
    later("search"),
    later("vector"),
    later("ttl"),
    later("history"),
    later("access"),
    later("deprecated"),
];

/// The directives on one thing. Those that are wrong were reported and are left out.
pub(super) struct Uses<'a> {
    uses: Vec<Use<'a>>,
}

/// One directive with its arguments.
#[derive(Clone, Copy)]
pub(super) struct Use<'a> {
    directive: &'a Node<Directive>,
}

impl<'a> Uses<'a> {
    /// A directive that stands at most once.
    pub(super) fn one(&self, name: &str) -> Option<Use<'a>> {
        self.uses.iter().find(|each| each.directive.name == name).copied()
    }
    /// All of a repeatable directive.
    pub(super) fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = Use<'a>> + 'b {
        self.uses.iter().filter(move |each| each.directive.name == name).copied()
    }
    /// The old name that `@rename` gives.
    pub(super) fn renamed_from(&self) -> Option<&'a str> {
        self.one("rename").and_then(|rename| rename.text("from"))
    }
}

impl<'a> Use<'a> {
    /// The value of an argument, if it was given.
    pub(super) fn value(&self, argument: &str) -> Option<&'a Node<Value>> {
        self.directive.specified_argument_by_name(argument)
    }
    /// A string.
    pub(super) fn text(&self, argument: &str) -> Option<&'a str> {
        self.value(argument).and_then(|value| value.as_str())
    }
    /// The elements of a list of strings, each with its place.
    pub(super) fn texts(&self, argument: &str) -> Option<Vec<(&'a str, Option<SourceSpan>)>> {
        let list = self.value(argument)?;
        match list.as_list() {
            Some(elements) => elements.iter().map(|element| Some((element.as_str()?, element.location()))).collect(),
            None => Some(vec![(list.as_str()?, list.location())]),
        }
    }
    /// A name of an enum.
    pub(super) fn name(&self, argument: &str) -> Option<&'a str> {
        self.value(argument).and_then(|value| value.as_enum()).map(|name| name.as_str())
    }
    /// A list of names of an enum.
    pub(super) fn names(&self, argument: &str) -> Option<Vec<&'a str>> {
        let list = self.value(argument)?;
        match list.as_list() {
            Some(elements) => elements.iter().map(|element| element.as_enum().map(|name| name.as_str())).collect(),
            None => Some(vec![list.as_enum()?.as_str()]),
        }
    }
    /// A whole number.
    pub(super) fn number(&self, argument: &str) -> Option<i64> {
        self.value(argument).and_then(|value| as_number(value))
    }
    /// True where a boolean was given as true.
    pub(super) fn is_true(&self, argument: &str) -> bool {
        self.value(argument).and_then(|value| value.to_bool()) == Some(true)
    }
    /// Where an argument stands, or else the directive.
    pub(super) fn place(&self, argument: &str) -> Option<SourceSpan> {
        self.value(argument).map_or_else(|| self.directive.location(), |value| value.location())
    }
}

fn as_number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

/// Reads the directives on one thing.
pub(super) fn read<'a>(directives: &'a DirectiveList, on: On, report: &mut Report<'_>) -> Uses<'a> {
    let mut uses: Vec<Use<'a>> = Vec::new();
    for directive in &directives.0 {
        let Some(rule) = RULES.iter().find(|rule| rule.name == directive.name.as_str()) else {
            let known: Vec<String> = RULES
                .iter()
                .filter(|rule| !rule.later && rule.on.contains(&on))
                .map(|rule| format!("@{}", rule.name))
                .collect();
            let message = format!(
                "There is no directive @{}. On {} these can stand: {}.",
                directive.name,
                on.words(),
                known.join(", ")
            );
            report.add(directive.location(), "unknown-directive", message);
            continue;
        };
        if rule.later {
            let message = format!("@{} is not supported yet by this release: remove it for now.", rule.name);
            report.add(directive.location(), "not-supported-yet", message);
            continue;
        }
        if !rule.on.contains(&on) {
            let places: Vec<&str> = rule.on.iter().map(|place| place.words()).collect();
            let message = format!("@{} cannot stand on {}, only on {}.", rule.name, on.words(), places.join(" or "));
            report.add(directive.location(), "directive-place", message);
            continue;
        }
        if !rule.repeatable && uses.iter().any(|earlier| earlier.directive.name == directive.name) {
            let message = format!("@{} stands here twice: remove one of them.", rule.name);
            report.add(directive.location(), "directive-repeated", message);
            continue;
        }
        if arguments_fit(rule, directive, report) {
            uses.push(Use { directive });
        }
    }
    Uses { uses }
}

fn arguments_fit(rule: &Rule, directive: &Node<Directive>, report: &mut Report<'_>) -> bool {
    let before = report.count();
    for (at, argument) in directive.arguments.iter().enumerate() {
        let Some((name, takes, _)) = rule.arguments.iter().find(|(name, ..)| *name == argument.name.as_str()) else {
            let known: Vec<&str> = rule.arguments.iter().map(|(name, ..)| *name).collect();
            let message = match known.as_slice() {
                [] => format!("@{} takes no arguments: remove \"{}\".", rule.name, argument.name),
                known => {
                    format!("@{} has no argument \"{}\". It takes: {}.", rule.name, argument.name, known.join(", "))
                }
            };
            report.add(argument.name.location(), "directive-argument", message);
            continue;
        };
        if directive.arguments[..at].iter().any(|earlier| earlier.name == argument.name) {
            let message = format!("@{} is given \"{name}\" twice: remove one of them.", rule.name);
            report.add(argument.name.location(), "directive-argument", message);
        }
        if !takes.fits(&argument.value) {
            let message = format!(
                "\"{name}\" of @{} takes {}, not {}.",
                rule.name,
                takes.words(),
                argument.value.serialize().no_indent()
            );
            report.add(argument.value.location(), "directive-argument", message);
        }
    }
    for (name, takes, required) in rule.arguments {
        if *required && directive.specified_argument_by_name(name).is_none() {
            let message = format!("@{} needs the argument \"{name}\": {}.", rule.name, takes.words());
            report.add(directive.location(), "directive-argument", message);
        }
    }
    report.count() == before
}

impl Takes {
    fn fits(self, value: &Value) -> bool {
        // A single value stands for a list of one, as everywhere in GraphQL.
        let each = |test: &dyn Fn(&Value) -> bool| match value {
            Value::List(elements) => elements.iter().all(|element| test(element)),
            single => test(single),
        };
        let one_of = |value: &Value, names: &[&str]| value.as_enum().is_some_and(|name| names.contains(&name.as_str()));
        match self {
            Takes::Text => value.as_str().is_some(),
            Takes::Texts => each(&|element| element.as_str().is_some()),
            Takes::Boolean => value.to_bool().is_some(),
            Takes::Number => as_number(value).is_some(),
            Takes::Name(names) => one_of(value, names),
            Takes::Names(names) => each(&|element| one_of(element, names)),
            Takes::Predicate => value.as_object().is_some(),
            Takes::Anything => true,
        }
    }

    fn words(self) -> String {
        match self {
            Takes::Text => "a string".to_owned(),
            Takes::Texts => "a list of strings".to_owned(),
            Takes::Boolean => "true or false".to_owned(),
            Takes::Number => "a whole number".to_owned(),
            Takes::Name(names) => format!("one of {}", names.join(", ")),
            Takes::Names(names) => format!("a list of {}", names.join(", ")),
            Takes::Predicate => "a filter like { gte: 0 }".to_owned(),
            Takes::Anything => "a value".to_owned(),
        }
    }
}
