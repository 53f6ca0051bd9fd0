//! Input values after variables are bound: what arguments hold before they are given a stored type.

use serde::{Deserialize, Serialize};

/// A GraphQL input value. An absent field is one that an object does not list; null is [`Input::Null`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// An explicit null.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// Any other number, by its digits, so that a Decimal keeps them.
    Number(String),
    /// A string.
    String(String),
    /// The name of an enum's value (a string, when it came in a variable).
    Enum(String),
    /// A list.
    List(Vec<Input>),
    /// An input object, its fields in the order given.
    Object(Vec<(String, Input)>),
}

impl Input {
    /// A field of an object: `None` when it is absent or this is no object.
    pub fn field(&self, name: &str) -> Option<&Input> {
        match self {
            Input::Object(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            _ => None,
        }
    }
}
