//! Input values as a client writes them: GraphQL literals, or JSON in a variable.

use serde_json::{Map, Number, Value as Json};

/// An input value.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    /// By its digits.
    Number(String),
    Text(String),
    Enum(String),
    List(Vec<Literal>),
    Object(Vec<(String, Literal)>),
    /// A value in a place of this type: it may be given as a variable.
    Typed(String, Box<Literal>),
}

impl Literal {
    pub fn text(text: impl Into<String>) -> Literal {
        Literal::Text(text.into())
    }

    pub fn number(number: impl ToString) -> Literal {
        Literal::Number(number.to_string())
    }

    pub fn typed(of: impl Into<String>, value: Literal) -> Literal {
        Literal::Typed(of.into(), Box::new(value))
    }

    pub fn object<const N: usize>(fields: [(&str, Literal); N]) -> Literal {
        Literal::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// As it stands in the variables of a request.
    pub fn json(&self) -> Json {
        match self {
            Literal::Null => Json::Null,
            Literal::Bool(value) => Json::Bool(*value),
            Literal::Number(digits) => Json::Number(digits.parse::<Number>().unwrap()),
            Literal::Text(text) | Literal::Enum(text) => Json::String(text.clone()),
            Literal::List(items) => Json::Array(items.iter().map(Literal::json).collect()),
            Literal::Object(fields) => {
                Json::Object(fields.iter().map(|(name, value)| (name.clone(), value.json())).collect::<Map<_, _>>())
            }
            Literal::Typed(_, value) => value.json(),
        }
    }

    /// As it stands in the text of an operation, without variables.
    pub fn graphql(&self) -> String {
        match self {
            Literal::Null => "null".to_owned(),
            Literal::Bool(value) => value.to_string(),
            Literal::Number(digits) => digits.clone(),
            Literal::Text(text) => quoted(text),
            Literal::Enum(name) => name.clone(),
            Literal::List(items) => {
                format!("[{}]", items.iter().map(Literal::graphql).collect::<Vec<_>>().join(", "))
            }
            Literal::Object(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}: {}", value.graphql())).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Literal::Typed(_, value) => value.graphql(),
        }
    }
}

/// A string literal. GraphQL's escapes are those of JSON.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
