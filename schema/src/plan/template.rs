//! Arguments as a document writes them: constants folded, defaults filled in, variables still open.

use super::variables::Variables;
use crate::catalog::is_made_whole;
use crate::{Input, PathItem};
use apollo_compiler::Schema;
use apollo_compiler::ast::{Type, Value};
use apollo_compiler::executable::VariableDefinition;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Name, Node};

/// An input value in which variables may stand.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    Constant(Input),
    /// A variable, by its place among the operation's.
    Variable(usize),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

/// Turns literals of one operation into templates.
pub(super) struct Templates<'a> {
    pub(super) schema: &'a Schema,
    pub(super) variables: &'a [Node<VariableDefinition>],
}

impl Template {
    /// The value with variables filled in; `None` when it is a variable that has none. An object leaves out
    /// fields whose variable has no value; a list has null in that place.
    pub(crate) fn bind(&self, variables: &Variables) -> Option<Input> {
        match self {
            Template::Constant(input) => Some(input.clone()),
            Template::Variable(at) => variables.get(*at).cloned(),
            Template::List(elements) => {
                let bound = elements.iter().map(|element| element.bind(variables).unwrap_or(Input::Null));
                Some(Input::List(bound.collect()))
            }
            Template::Object(fields) => {
                let bind = |(name, field): &(String, Template)| Some((name.clone(), field.bind(variables)?));
                Some(Input::Object(fields.iter().filter_map(bind).collect()))
            }
        }
    }

    /// Where the first variable without a value stands, below the top.
    pub(crate) fn missing(&self, variables: &Variables) -> Option<Vec<PathItem>> {
        let mut path = Vec::new();
        self.is_missing_below(variables, &mut path).then_some(path)
    }

    /// Where the first variable without a value stands inside an object or a list that is the field `name` of an object.
    pub(crate) fn missing_within(&self, name: &str, variables: &Variables) -> Option<Vec<PathItem>> {
        let below = |item: PathItem, mut path: Vec<PathItem>| {
            path.insert(0, item);
            path
        };
        match self {
            Template::Constant(_) | Template::Variable(_) => None,
            Template::List(elements) => elements.iter().enumerate().find_map(|(at, element)| {
                element.missing_within(name, variables).map(|path| below(PathItem::Index(at), path))
            }),
            Template::Object(fields) => fields.iter().find_map(|(field, value)| {
                let found =
                    if field == name { value.missing(variables) } else { value.missing_within(name, variables) };
                found.map(|path| below(PathItem::Name(field.clone()), path))
            }),
        }
    }

    /// The field of an object.
    pub(crate) fn field(&self, name: &str) -> Option<&Template> {
        match self {
            Template::Object(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(crate) fn constant(&self) -> Option<&Input> {
        match self {
            Template::Constant(input) => Some(input),
            _ => None,
        }
    }

    fn is_missing_below(&self, variables: &Variables, path: &mut Vec<PathItem>) -> bool {
        let mut inspect = |item: PathItem, template: &Template| {
            path.push(item);
            let found = match template {
                Template::Variable(at) => variables.get(*at).is_none(),
                other => other.is_missing_below(variables, path),
            };
            if !found {
                path.pop();
            }
            found
        };
        match self {
            Template::Constant(_) | Template::Variable(_) => false,
            Template::List(elements) => {
                elements.iter().enumerate().any(|(at, element)| inspect(PathItem::Index(at), element))
            }
            Template::Object(fields) => fields.iter().any(|(name, field)| inspect(PathItem::Name(name.clone()), field)),
        }
    }
}

impl Templates<'_> {
    /// The template of a literal in a place of type `ty`. The document is valid, so the literal fits.
    pub(super) fn template(&self, ty: &Type, value: &Value) -> Template {
        match (ty, value) {
            (_, Value::Variable(name)) => Template::Variable(self.variable(name)),
            (_, Value::Null) => Template::Constant(Input::Null),
            (Type::List(inner) | Type::NonNullList(inner), Value::List(elements)) => {
                fold_list(elements.iter().map(|element| self.template(inner, element)).collect())
            }
            (Type::List(inner) | Type::NonNullList(inner), one) => fold_list(vec![self.template(inner, one)]),
            (Type::Named(name) | Type::NonNullNamed(name), value) => self.named(name, value),
        }
    }

    fn named(&self, name: &Name, value: &Value) -> Template {
        let (Some(ExtendedType::InputObject(definition)), Value::Object(given)) = (self.schema.types.get(name), value)
        else {
            return self.untyped(value);
        };
        let mut fields = Vec::with_capacity(given.len());
        for (field, value) in given {
            let Some(definition) = definition.fields.get(field) else { continue };
            fields.push((field.to_string(), self.template(&definition.ty, value)));
        }
        // The writer fills in the defaults of what it makes: it knows what was given.
        for (field, definition) in definition.fields.iter().filter(|_| !is_made_whole(name)) {
            if let Some(default) = &definition.default_value
                && !given.iter().any(|(name, _)| name == field)
            {
                fields.push((field.to_string(), self.template(&definition.ty, default)));
            }
        }
        fold_object(fields)
    }

    /// A literal by its own form: of scalars and enums.
    fn untyped(&self, value: &Value) -> Template {
        match value {
            Value::Null => Template::Constant(Input::Null),
            Value::Enum(name) => Template::Constant(Input::Enum(name.to_string())),
            Value::Variable(name) => Template::Variable(self.variable(name)),
            Value::String(text) => Template::Constant(Input::String(text.clone())),
            Value::Float(number) => Template::Constant(Input::Number(number.as_str().to_owned())),
            Value::Int(number) => Template::Constant(
                number.as_str().parse().map_or_else(|_| Input::Number(number.as_str().to_owned()), Input::Int),
            ),
            Value::Boolean(value) => Template::Constant(Input::Bool(*value)),
            Value::List(elements) => fold_list(elements.iter().map(|element| self.untyped(element)).collect()),
            Value::Object(fields) => {
                fold_object(fields.iter().map(|(name, value)| (name.to_string(), self.untyped(value))).collect())
            }
        }
    }

    fn variable(&self, name: &Name) -> usize {
        let place = self.variables.iter().position(|definition| definition.name == *name);
        place.expect("a valid operation declares its variables")
    }
}

fn fold_list(elements: Vec<Template>) -> Template {
    if elements.iter().all(|element| element.constant().is_some()) {
        let constant = |element| match element {
            Template::Constant(input) => input,
            _ => unreachable!("all are constants"),
        };
        Template::Constant(Input::List(elements.into_iter().map(constant).collect()))
    } else {
        Template::List(elements)
    }
}

fn fold_object(fields: Vec<(String, Template)>) -> Template {
    if fields.iter().all(|(_, field)| field.constant().is_some()) {
        let constant = |(name, field)| match field {
            Template::Constant(input) => (name, input),
            _ => unreachable!("all are constants"),
        };
        Template::Constant(Input::Object(fields.into_iter().map(constant).collect()))
    } else {
        Template::Object(fields)
    }
}
