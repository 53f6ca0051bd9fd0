//! An SDL document, parsed and sorted into collections, embedded types and enums.
//!
//! What this release does not know is refused here, by name and place.

use super::SchemaError;
use super::directive::{self, On, Uses};
use super::report::Report;
use crate::catalog::Scalar;
use apollo_compiler::ast::{
    self, Definition, EnumTypeDefinition, InterfaceTypeDefinition, ObjectTypeDefinition, UnionTypeDefinition,
};
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::{Name, Node};
use std::collections::BTreeMap;

/// More text than anybody writes by hand; parsing it takes some tens of milliseconds.
const SDL_BYTES_MAX: usize = 1 << 20;
/// Deeper nesting than any default value needs, and far from the end of the stack.
const RECURSION_MAX: usize = 64;
/// Keeps the generated API within what clients can load.
const TYPES_MAX: usize = 1_000;
/// Keeps documents and input types readable; ids would allow 65,535.
const FIELDS_MAX: usize = 500;
/// As [`FIELDS_MAX`], for an enum.
const VALUES_MAX: usize = 1_000;

/// What a document declares, in its order.
pub(super) struct Document<'a> {
    pub(super) objects: Vec<Object<'a>>,
    pub(super) enums: Vec<Enum<'a>>,
    pub(super) interfaces: Vec<Interface<'a>>,
    pub(super) unions: Vec<Union<'a>>,
}

/// An interface.
pub(super) struct Interface<'a> {
    pub(super) definition: &'a Node<InterfaceTypeDefinition>,
    pub(super) uses: Uses<'a>,
}

/// A union.
pub(super) struct Union<'a> {
    pub(super) definition: &'a Node<UnionTypeDefinition>,
    pub(super) uses: Uses<'a>,
}

/// An object type.
pub(super) struct Object<'a> {
    pub(super) definition: &'a Node<ObjectTypeDefinition>,
    pub(super) uses: Uses<'a>,
    pub(super) fields: Vec<Field<'a>>,
}

/// A field as it is written.
pub(super) struct Field<'a> {
    pub(super) definition: &'a Node<ast::FieldDefinition>,
    pub(super) uses: Uses<'a>,
}

/// An enum.
pub(super) struct Enum<'a> {
    pub(super) definition: &'a Node<EnumTypeDefinition>,
    pub(super) uses: Uses<'a>,
    /// One for each value, in order.
    pub(super) value_uses: Vec<Uses<'a>>,
}

impl Document<'_> {
    /// The names of all interfaces and unions.
    pub(super) fn families(&self) -> impl Iterator<Item = &Name> {
        let interfaces = self.interfaces.iter().map(|each| &each.definition.name);
        interfaces.chain(self.unions.iter().map(|each| &each.definition.name))
    }
}

impl Object<'_> {
    pub(super) fn is_collection(&self) -> bool {
        self.uses.one("collection").is_some()
    }
}

/// Parses the text.
///
/// # Errors
/// Everything that is wrong with its syntax.
pub(super) fn parse(sdl: &str) -> Result<ast::Document, Vec<SchemaError>> {
    if sdl.len() > SDL_BYTES_MAX {
        let message = format!("The schema has {} bytes; the limit is {SDL_BYTES_MAX}. Split the database.", sdl.len());
        return Err(vec![SchemaError { message, line: 1, column: 1, rule: "limit" }]);
    }
    // The parser takes an empty text for an error; here it is a database without collections.
    let blank = sdl
        .lines()
        .all(|line| line.split('#').next().unwrap_or_default().replace(['\u{feff}', ','], "").trim().is_empty());
    if blank {
        return Ok(ast::Document::new());
    }
    ast::Document::parser().recursion_limit(RECURSION_MAX).parse_ast(sdl, "schema.graphql").map_err(|failed| {
        let mut report = Report::new(&failed.partial.sources);
        let mut lines = std::collections::BTreeSet::new();
        for diagnostic in failed.errors.iter() {
            // What follows on the same line is mostly the parser losing its way after the first.
            let line = diagnostic.line_column_range().map(|range| range.start.line);
            if lines.insert(line) {
                let text = diagnostic.error.to_string();
                let text = text.trim_start_matches("syntax error: ").trim_end_matches('.');
                report.add(diagnostic.error.location(), "syntax", format!("This cannot be read as SDL: {text}."));
            }
        }
        report.stop_on_errors().expect_err("a document that does not parse has an error")
    })
}

/// Sorts definitions, checks names and directives.
pub(super) fn sort<'a>(document: &'a ast::Document, report: &mut Report<'_>) -> Document<'a> {
    let mut sorted = Document { objects: Vec::new(), enums: Vec::new(), interfaces: Vec::new(), unions: Vec::new() };
    let mut names: BTreeMap<&str, ()> = BTreeMap::new();
    for definition in &document.definitions {
        match definition {
            Definition::ObjectTypeDefinition(object) => {
                if type_name(&object.name, &mut names, report) {
                    sorted.objects.push(sort_object(object, report));
                }
            }
            Definition::EnumTypeDefinition(enum_type) => {
                if type_name(&enum_type.name, &mut names, report) {
                    sorted.enums.push(sort_enum(enum_type, report));
                }
            }
            Definition::InterfaceTypeDefinition(interface) => {
                if type_name(&interface.name, &mut names, report) {
                    sorted.interfaces.push(sort_interface(interface, report));
                }
            }
            Definition::UnionTypeDefinition(union) => {
                if type_name(&union.name, &mut names, report) {
                    let uses = directive::read(&union.directives, On::Family, report);
                    sorted.unions.push(Union { definition: union, uses });
                }
            }
            other => refuse(other, report),
        }
    }
    if names.len() > TYPES_MAX {
        report.add(None, "limit", format!("The schema declares {} types; the limit is {TYPES_MAX}.", names.len()));
    }
    sorted
}

fn sort_object<'a>(object: &'a Node<ObjectTypeDefinition>, report: &mut Report<'_>) -> Object<'a> {
    if object.fields.is_empty() {
        let message = format!("{} has no fields: declare at least one.", object.name);
        report.add(object.name.location(), "empty-type", message);
    }
    if object.fields.len() > FIELDS_MAX {
        let message = format!(
            "{} has {} fields; the limit is {FIELDS_MAX}. Move some into an embedded type.",
            object.name,
            object.fields.len()
        );
        report.add(object.name.location(), "limit", message);
    }
    let mut names = BTreeMap::new();
    let mut fields = Vec::new();
    for definition in &object.fields {
        field_name(&object.name, &definition.name, report);
        if names.insert(definition.name.as_str(), ()).is_some() {
            let message = format!("{} declares the field {} twice: remove one of them.", object.name, definition.name);
            report.add(definition.name.location(), "duplicate-name", message);
            continue;
        }
        if let Some(argument) = definition.arguments.first() {
            let message = format!(
                "{}.{} has arguments, but the fields of a schema are data: remove them.",
                object.name, definition.name
            );
            report.add(argument.name.location(), "field-arguments", message);
        }
        let uses = directive::read(&definition.directives, On::Field, report);
        fields.push(Field { definition, uses });
    }
    Object { definition: object, uses: directive::read(&object.directives, On::Object, report), fields }
}

fn sort_interface<'a>(interface: &'a Node<InterfaceTypeDefinition>, report: &mut Report<'_>) -> Interface<'a> {
    let name = &interface.name;
    for other in &interface.implements_interfaces {
        let message =
            format!("{name} is an interface, which implements no other: write the fields of {other} into it.");
        report.add(other.location(), "interface", message);
    }
    if interface.fields.len() > FIELDS_MAX {
        let message = format!("{name} has {} fields; the limit is {FIELDS_MAX}.", interface.fields.len());
        report.add(name.location(), "limit", message);
    }
    let mut names = BTreeMap::new();
    for definition in &interface.fields {
        field_name(name, &definition.name, report);
        let field = &definition.name;
        if names.insert(field.as_str(), ()).is_some() {
            let message = format!("{name} declares the field {field} twice: remove one of them.");
            report.add(field.location(), "duplicate-name", message);
        }
        if let Some(argument) = definition.arguments.first() {
            let message = format!("{name}.{field} has arguments, but the fields of a schema are data: remove them.");
            report.add(argument.name.location(), "field-arguments", message);
        }
        if let Some(directive) = definition.directives.0.first() {
            let message = format!(
                "@{} belongs on the field of each type that implements {name}: remove it from the interface.",
                directive.name
            );
            report.add(directive.location(), "interface", message);
        }
    }
    Interface { definition: interface, uses: directive::read(&interface.directives, On::Family, report) }
}

fn sort_enum<'a>(enum_type: &'a Node<EnumTypeDefinition>, report: &mut Report<'_>) -> Enum<'a> {
    if enum_type.values.is_empty() {
        let message = format!("The enum {} has no values: declare at least one.", enum_type.name);
        report.add(enum_type.name.location(), "empty-type", message);
    }
    if enum_type.values.len() > VALUES_MAX {
        let message =
            format!("The enum {} has {} values; the limit is {VALUES_MAX}.", enum_type.name, enum_type.values.len());
        report.add(enum_type.name.location(), "limit", message);
    }
    let mut names = BTreeMap::new();
    let mut value_uses = Vec::new();
    for value in &enum_type.values {
        if value.value.starts_with('_') {
            let message = format!("{} begins with \"_\", which is reserved: choose another name.", value.value);
            report.add(value.value.location(), "reserved-name", message);
        }
        if ["true", "false", "null"].contains(&value.value.as_str()) {
            let message = format!(
                "{} cannot be a value of an enum, because it is a word of GraphQL: choose another name.",
                value.value
            );
            report.add(value.value.location(), "reserved-name", message);
        }
        if names.insert(value.value.as_str(), ()).is_some() {
            let message = format!("The enum {} declares {} twice: remove one of them.", enum_type.name, value.value);
            report.add(value.value.location(), "duplicate-name", message);
        }
        value_uses.push(directive::read(&value.directives, On::EnumValue, report));
    }
    Enum { definition: enum_type, uses: directive::read(&enum_type.directives, On::Enum, report), value_uses }
}

/// Checks a type's name; false when it was declared before.
fn type_name<'a>(name: &'a Name, names: &mut BTreeMap<&'a str, ()>, report: &mut Report<'_>) -> bool {
    if name.starts_with('_') {
        report.add(
            name.location(),
            "reserved-name",
            format!("{name} begins with \"_\", which is reserved: choose another name."),
        );
    }
    if Scalar::named(name).is_some() || SCALARS_LATER.contains(&name.as_str()) {
        report.add(
            name.location(),
            "reserved-name",
            format!("{name} is a built-in scalar: choose another name for this type."),
        );
    } else if ["Query", "Mutation", "Subscription"].contains(&name.as_str()) {
        let message = format!(
            "{name} is generated, and own root fields are not supported yet by this release: remove this type."
        );
        report.add(name.location(), "not-supported-yet", message);
    }
    if names.insert(name, ()).is_some() {
        report.add(
            name.location(),
            "duplicate-name",
            format!("{name} is declared twice: remove or rename one of them."),
        );
        return false;
    }
    true
}

fn field_name(object: &Name, name: &Name, report: &mut Report<'_>) {
    if name.starts_with('_') {
        let message = format!(
            "{object}.{name} begins with \"_\", which is reserved for fields that are generated: choose another name."
        );
        report.add(name.location(), "reserved-name", message);
    }
    if ["and", "or", "not"].contains(&name.as_str()) {
        let message = format!("{object}.{name} cannot be told from the \"{name}\" of filters: choose another name.");
        report.add(name.location(), "reserved-name", message);
    }
}

/// The scalars of the contract that later releases bring.
pub(super) const SCALARS_LATER: [&str; 3] = ["GeoPoint", "GeoShape", "Vector"];

fn refuse(definition: &Definition, report: &mut Report<'_>) {
    let at = definition.name().and_then(Name::location).or_else(|| definition.location());
    let name = definition.name().map_or("", Name::as_str);
    let (rule, message) = match definition {
        Definition::InputObjectTypeDefinition(_) => {
            ("definition", format!("Input types are generated from the collections: remove the input {name}."))
        }
        Definition::ScalarTypeDefinition(_) if Scalar::named(name).is_some() => {
            ("definition", format!("{name} is built in: remove its declaration."))
        }
        Definition::ScalarTypeDefinition(_) => {
            let known = Scalar::ALL.map(Scalar::name).join(", ");
            ("definition", format!("Own scalars are not supported: remove the scalar {name} and use one of {known}."))
        }
        Definition::DirectiveDefinition(_) => {
            ("definition", format!("Directives are built in: remove the definition of @{name}."))
        }
        Definition::SchemaDefinition(_) | Definition::SchemaExtension(_) => {
            ("definition", "The root types are generated: remove the \"schema\" definition.".to_owned())
        }
        Definition::OperationDefinition(_) | Definition::FragmentDefinition(_) => {
            ("definition", "This is an operation, not a schema: send it to /graphql instead.".to_owned())
        }
        _ => (
            "not-supported-yet",
            format!("Extensions are not supported yet by this release: write what extends {name} into its definition."),
        ),
    };
    report.add(at, rule, message);
}
