//! Numbers that outgrow GraphQL's 32-bit Int, as strings.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A whole number of 64 bits, written as a string.
pub struct BigInt(pub u64);

#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<BigInt> {
        match &value {
            Value::String(text) => Ok(BigInt(text.parse()?)),
            Value::Number(number) => {
                number.as_u64().map(BigInt).ok_or_else(|| InputValueError::custom("not a whole number"))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl From<u64> for BigInt {
    fn from(number: u64) -> BigInt {
        BigInt(number)
    }
}
