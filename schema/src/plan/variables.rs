//! The values of an operation's variables: from JSON to inputs of their declared types.

use crate::catalog::{Scalar, is_made_whole};
use crate::{Code, Failure, Input, PathItem, scalar};
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::executable::VariableDefinition;
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use apollo_compiler::{Name, Node};
use serde_json::{Map, Value};

use super::template::Templates;

/// Values of variables, by their place among the operation's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    values: Vec<Option<Input>>,
}

impl Variables {
    /// The value of a variable, if it has one.
    pub(crate) fn get(&self, at: usize) -> Option<&Input> {
        self.values.get(at).and_then(Option::as_ref)
    }

    /// Reads the variables of a request.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath`, one for each variable that does not fit.
    pub(crate) fn coerce(
        schema: &Schema,
        definitions: &[Node<VariableDefinition>],
        json: Option<&str>,
    ) -> Result<Variables, Vec<Failure>> {
        if definitions.is_empty() && json.is_none() {
            return Ok(Variables::default());
        }
        let given = parse(json).map_err(|failure| vec![failure])?;
        let mut coercion = Coercion { schema, definitions, path: Vec::new() };
        let mut values = Vec::with_capacity(definitions.len());
        let mut failures = Vec::new();
        for definition in definitions {
            match coercion.variable(definition, given.get(definition.name.as_str())) {
                Ok(value) => values.push(value),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() { Ok(Variables { values }) } else { Err(failures) }
    }

    /// The values as JSON, for introspection, which reads them by name.
    pub(crate) fn json_text(json: Option<&str>) -> &str {
        json.filter(|text| !text.trim().is_empty() && text.trim() != "null").unwrap_or("{}")
    }
}

fn parse(json: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let text = json.unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Failure::new(Code::BadUserInput, "The variables are not a JSON object.")),
        Err(error) => Err(Failure::new(Code::BadUserInput, format!("The variables are not valid JSON: {error}."))),
    }
}

struct Coercion<'a> {
    schema: &'a Schema,
    definitions: &'a [Node<VariableDefinition>],
    path: Vec<PathItem>,
}

impl Coercion<'_> {
    fn variable(
        &mut self,
        definition: &Node<VariableDefinition>,
        given: Option<&Value>,
    ) -> Result<Option<Input>, Failure> {
        self.path.clear();
        self.path.push(PathItem::Name(definition.name.to_string()));
        match (given, &definition.default_value) {
            (Some(value), _) => self.value(&definition.ty, value).map(Some),
            (None, Some(default)) => {
                let templates = Templates { schema: self.schema, variables: self.definitions };
                Ok(templates.template(&definition.ty, default).constant().cloned())
            }
            (None, None) if definition.ty.is_non_null() => Err(self.failure("has no value, but its type needs one")),
            (None, None) => Ok(None),
        }
    }

    fn value(&mut self, ty: &Type, value: &Value) -> Result<Input, Failure> {
        if value.is_null() {
            return if ty.is_non_null() {
                Err(self.failure(format!("is null, but its type is {ty}")))
            } else {
                Ok(Input::Null)
            };
        }
        match ty {
            Type::List(inner) | Type::NonNullList(inner) => match value {
                Value::Array(elements) => {
                    let mut list = Vec::with_capacity(elements.len());
                    for (at, element) in elements.iter().enumerate() {
                        self.path.push(PathItem::Index(at));
                        list.push(self.value(inner, element)?);
                        self.path.pop();
                    }
                    Ok(Input::List(list))
                }
                one => Ok(Input::List(vec![self.value(inner, one)?])),
            },
            Type::Named(name) | Type::NonNullNamed(name) => self.named(name, value),
        }
    }

    fn named(&mut self, name: &Name, value: &Value) -> Result<Input, Failure> {
        match self.schema.types.get(name) {
            Some(ExtendedType::InputObject(definition)) => self.object(definition, value),
            Some(ExtendedType::Enum(definition)) => match value {
                Value::String(text) if definition.values.keys().any(|known| known == text.as_str()) => {
                    Ok(Input::Enum(text.clone()))
                }
                other => Err(self.failure(format!("is {}, which is no value of {name}", shown(other)))),
            },
            _ => self.scalar(name, value),
        }
    }

    fn scalar(&self, name: &Name, value: &Value) -> Result<Input, Failure> {
        let input = match (name.as_str(), value) {
            // GraphQL takes a whole number however it is written: 1.0 is an Int.
            ("Int", Value::Number(number)) if number.as_i64().is_none() => {
                whole(number).map_or_else(|| plain(value), Input::Int)
            }
            ("ID", Value::Number(number)) => Input::String(number.to_string()),
            _ => plain(value),
        };
        // What the API does not know is checked where it is used.
        let Some(kind) = Scalar::named(name.as_str()) else { return Ok(input) };
        match scalar::coerce(kind, None, &input) {
            Ok(_) => Ok(input),
            Err(message) => Err(self.failure(format!("does not fit. {message}"))),
        }
    }

    fn object(&mut self, definition: &InputObjectType, value: &Value) -> Result<Input, Failure> {
        let name = &definition.name;
        let Value::Object(given) = value else {
            return Err(self.failure(format!("is {}, but {name} is an object", shown(value))));
        };
        let mut fields = Vec::with_capacity(given.len());
        for (field, value) in given {
            self.path.push(PathItem::Name(field.clone()));
            let Some(known) = definition.fields.get(field.as_str()) else {
                return Err(self.failure(format!("is no field of {name}")));
            };
            fields.push((field.clone(), self.value(&known.ty, value)?));
            self.path.pop();
        }
        if definition.directives.has("oneOf") {
            if fields.len() != 1 || fields[0].1 == Input::Null {
                return Err(self.failure(format!("gives {} fields: {name} takes exactly one", fields.len())));
            }
            return Ok(Input::Object(fields));
        }
        for (field, known) in &definition.fields {
            if given.contains_key(field.as_str()) {
                continue;
            }
            if let Some(default) = &known.default_value {
                // The writer fills in the defaults of what it makes: it knows what was given.
                if is_made_whole(name) {
                    continue;
                }
                let templates = Templates { schema: self.schema, variables: self.definitions };
                if let Some(input) = templates.template(&known.ty, default).constant() {
                    fields.push((field.to_string(), input.clone()));
                }
            } else if known.ty.is_non_null() {
                self.path.push(PathItem::Name(field.to_string()));
                return Err(self.failure(format!("is missing: {name} needs it")));
            }
        }
        Ok(Input::Object(fields))
    }

    fn failure(&self, what: impl std::fmt::Display) -> Failure {
        let mut place = String::from("$");
        for item in &self.path {
            match item {
                PathItem::Name(name) if place.len() == 1 => place.push_str(name),
                PathItem::Name(name) => {
                    place.push('.');
                    place.push_str(name);
                }
                PathItem::Index(at) => place.push_str(&format!("[{at}]")),
            }
        }
        let what = what.to_string();
        let stop = if what.ends_with('.') { "" } else { "." };
        let path = serde_json::to_value(&self.path).expect("names and numbers are JSON");
        Failure::new(Code::BadUserInput, format!("The variable {place} {what}{stop}")).with("inputPath", path)
    }
}

/// JSON as an input of no particular type.
fn plain(value: &Value) -> Input {
    match value {
        Value::Null => Input::Null,
        Value::Bool(value) => Input::Bool(*value),
        Value::Number(number) => number.as_i64().map_or_else(|| Input::Number(number.to_string()), Input::Int),
        Value::String(text) => Input::String(text.clone()),
        Value::Array(elements) => Input::List(elements.iter().map(plain).collect()),
        Value::Object(fields) => {
            Input::Object(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
        }
    }
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = number.as_f64()?;
    // Beyond 2^53 not every whole number has a double, so what was meant is not known.
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string().chars().take(60).collect(),
    }
}
