//! `@computed`: expressions over one record, parsed and typed when a schema is declared, worked out when it is written.
//!
//! A value depends on the fields of its own record and on nothing else, so that it can be stored, indexed and made again.

mod evaluate;
mod parse;
mod resolve;
mod view;

pub(crate) use resolve::{Found, Holds, resolve};
pub(crate) use view::{is_over_virtual, is_virtual, read, seen, stored};

use serde::{Deserialize, Serialize};
use vivarium_storage::FieldId;

/// What a field is computed from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Computed {
    /// The names in it resolved: another name for a field that it uses does not change it.
    pub expression: Expression,
    /// Worked out when the record is written, and kept; else when it is read.
    pub stored: bool,
}

/// An expression whose types fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expression {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Whole(i64),
    /// A number with digits after the point: `digits / 10^scale`.
    Decimal {
        /// All its digits.
        digits: i64,
        /// How many of them stand behind the point.
        scale: u32,
    },
    /// A string.
    Text(String),
    /// A field of the record, through embedded values.
    Field(Vec<FieldId>),
    /// All elements of a list, or what a path through lists leads to.
    Fold(Fold, Vec<FieldId>),
    /// An operator or a function, applied to its operands.
    Apply(Function, Vec<Expression>),
}

/// What becomes of the elements of a list. Nulls among them do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fold {
    /// Their sum; of none, zero.
    Sum,
    /// Null of none.
    Average,
    /// Null of none.
    Least,
    /// Null of none.
    Greatest,
    /// How many there are.
    Count,
    /// Texts, with this between them.
    Join(String),
}

/// Operators and functions. But for `And`, `Or`, `If` and `Coalesce`, what is applied to null is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after what they are written as")]
pub enum Function {
    Add,
    Subtract,
    Multiply,
    /// Null where the divisor is zero.
    Divide,
    Negate,
    /// Of texts and of exact numbers as they are printed.
    Concatenate,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Not,
    If,
    Coalesce,
    Lower,
    Upper,
    Trim,
    /// In characters.
    Length,
    Absolute,
    /// To a number of digits after the point, halves away from zero.
    Round,
    Floor,
    Ceiling,
}
