//! A type of the API before it is text, and how it becomes text.

use std::collections::{BTreeMap, BTreeSet};

/// What kind of type it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Written after its name: `on QUERY`.
    Directive(&'static str),
    /// The URL of its specification, if it has one.
    Scalar(Option<&'static str>),
    Interface,
    /// The interfaces that it has.
    Object(&'static [&'static str]),
    Union,
    Enum,
    Input,
    OneOf,
}

/// A type or directive of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) form: Form,
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// Fields, arguments or values.
    pub(super) members: Vec<Member>,
    /// The declared type that it is made for; empty for what every API has.
    pub(super) declared_by: String,
    /// Further interfaces that it has, or the members of a union.
    pub(super) types: Vec<String>,
}

/// A field, an input field, a directive's argument, or an enum's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// Arguments, of an output field.
    pub(super) arguments: Vec<Member>,
    /// As it is written: `[String!]!`. Empty for an enum's value.
    pub(super) of: String,
    /// As it is written.
    pub(super) default: Option<String>,
    /// The declared type that it is made for, where that is not its definition's.
    pub(super) declared_by: String,
}

impl Definition {
    pub(super) fn new(form: Form, name: impl Into<String>, members: Vec<Member>) -> Definition {
        Definition {
            form,
            name: name.into(),
            description: None,
            members,
            declared_by: String::new(),
            types: Vec::new(),
        }
    }
    pub(super) fn described(mut self, description: impl Into<String>) -> Definition {
        self.description = Some(description.into());
        self
    }
    pub(super) fn by(mut self, declared: &str) -> Definition {
        declared.clone_into(&mut self.declared_by);
        self
    }
    pub(super) fn of_types(mut self, types: Vec<String>) -> Definition {
        self.types = types;
        self
    }
    /// True for the declared type itself, which is the one that can be renamed.
    pub(super) fn is_declared(&self) -> bool {
        self.name == self.declared_by
    }
    fn references(&self) -> impl Iterator<Item = &str> {
        let own = self.members.iter().map(|member| member.of.as_str());
        let arguments =
            self.members.iter().flat_map(|member| member.arguments.iter().map(|argument| argument.of.as_str()));
        let interfaces = if let Form::Object(interfaces) = self.form { interfaces } else { &[] };
        own.chain(arguments)
            .map(|of| of.trim_matches(['[', ']', '!']))
            .chain(interfaces.iter().copied())
            .chain(self.types.iter().map(String::as_str))
    }
}

impl Member {
    pub(super) fn new(name: impl Into<String>, of: impl Into<String>) -> Member {
        Member { name: name.into(), of: of.into(), ..Member::default() }
    }
    pub(super) fn described(mut self, description: impl Into<String>) -> Member {
        self.description = Some(description.into());
        self
    }
    pub(super) fn with(mut self, arguments: Vec<Member>) -> Member {
        self.arguments = arguments;
        self
    }
    pub(super) fn or(mut self, default: impl Into<String>) -> Member {
        self.default = Some(default.into());
        self
    }
    pub(super) fn by(mut self, declared: &str) -> Member {
        declared.clone_into(&mut self.declared_by);
        self
    }
}

/// Writes what the roots and directives reach, in order.
pub(super) fn write(definitions: &[Definition]) -> String {
    let reached = reached(definitions);
    let mut out = String::new();
    for definition in definitions {
        if reached.contains(definition.name.as_str()) {
            if !out.is_empty() {
                out.push('\n');
            }
            write_definition(definition, &mut out);
        }
    }
    out
}

fn reached(definitions: &[Definition]) -> BTreeSet<&str> {
    let named: BTreeMap<&str, &Definition> = definitions.iter().map(|each| (each.name.as_str(), each)).collect();
    let is_root = |each: &&Definition| {
        // Every record is a Node, which the root can always be asked for.
        matches!(each.form, Form::Directive(_) | Form::Object(["Node"]))
            || ["Query", "Mutation"].contains(&each.name.as_str())
    };
    let mut ahead: Vec<&Definition> = definitions.iter().filter(is_root).collect();
    let mut reached: BTreeSet<&str> = ahead.iter().map(|each| each.name.as_str()).collect();
    while let Some(definition) = ahead.pop() {
        for name in definition.references() {
            if let Some(next) = named.get(name)
                && reached.insert(&next.name)
            {
                ahead.push(next);
            }
        }
    }
    reached
}

fn write_definition(definition: &Definition, out: &mut String) {
    write_description(definition.description.as_deref(), "", out);
    let name = &definition.name;
    match &definition.form {
        Form::Directive(places) => {
            out.push_str(&format!("directive @{name}"));
            write_arguments(&definition.members, out);
            out.push_str(&format!(" on {places}\n"));
            return;
        }
        Form::Scalar(None) => out.push_str(&format!("scalar {name}")),
        Form::Scalar(Some(url)) => out.push_str(&format!("scalar {name} @specifiedBy(url: \"{url}\")")),
        Form::Interface => {
            out.push_str(&format!("interface {name}"));
            write_interfaces(definition.types.iter().map(String::as_str), out);
        }
        Form::Object(interfaces) => {
            out.push_str(&format!("type {name}"));
            write_interfaces(interfaces.iter().copied().chain(definition.types.iter().map(String::as_str)), out);
        }
        Form::Union => out.push_str(&format!("union {name} = {}", definition.types.join(" | "))),
        Form::Enum => out.push_str(&format!("enum {name}")),
        Form::Input => out.push_str(&format!("input {name}")),
        Form::OneOf => out.push_str(&format!("input {name} @oneOf")),
    }
    if !definition.members.is_empty() {
        out.push_str(" {\n");
        for member in &definition.members {
            write_description(member.description.as_deref(), "  ", out);
            out.push_str("  ");
            out.push_str(&member.name);
            write_arguments(&member.arguments, out);
            write_type(member, out);
            out.push('\n');
        }
        out.push('}');
    }
    out.push('\n');
}

fn write_interfaces<'t>(interfaces: impl Iterator<Item = &'t str>, out: &mut String) {
    for (at, interface) in interfaces.enumerate() {
        out.push_str(if at == 0 { " implements " } else { " & " });
        out.push_str(interface);
    }
}

fn write_type(member: &Member, out: &mut String) {
    if !member.of.is_empty() {
        out.push_str(": ");
        out.push_str(&member.of);
    }
    if let Some(default) = &member.default {
        out.push_str(" = ");
        out.push_str(default);
    }
}

fn write_arguments(arguments: &[Member], out: &mut String) {
    for (at, argument) in arguments.iter().enumerate() {
        out.push_str(if at == 0 { "(" } else { ", " });
        out.push_str(&argument.name);
        write_type(argument, out);
    }
    if !arguments.is_empty() {
        out.push(')');
    }
}

fn write_description(description: Option<&str>, indent: &str, out: &mut String) {
    let Some(text) = description.filter(|text| !text.is_empty()) else { return };
    out.push_str(indent);
    write_text(text, out);
    out.push('\n');
}

/// A string literal of GraphQL, on one line.
pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 || u32::from(control) == 0x7f => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
