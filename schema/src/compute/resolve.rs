//! Syntax tree to expression: names become fields, types are inferred, and what may be null is known.

use super::parse::{Syntax, parse};
use super::{Expression, Fold, Function};
use crate::catalog::Scalar;
use vivarium_storage::FieldId;

/// Operators within operators. The catalog is read as JSON, which nests to a bound, three levels for each of these.
const DEPTH_MAX: usize = 32;
/// Digits after the point that a Decimal has at most.
const SCALE_MAX: u32 = 28;

/// What a type holds the values of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// Of `null` alone.
    Null,
    Boolean,
    Whole,
    Decimal,
    Float,
    Text,
    /// Values that are compared and handed on, and nothing else.
    Other(Scalar),
}

/// What a path of an expression leads to.
pub(crate) struct Found {
    pub(crate) path: Vec<FieldId>,
    pub(crate) holds: Holds,
    /// It may be null, or something on the way may be.
    pub(crate) nullable: bool,
    /// A list is met on the way, or it is one.
    pub(crate) listed: bool,
}

/// What stands at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Scalar(Scalar),
    /// An embedded value, which can be counted only.
    Embedded,
}

/// Finds what a path leads to, or says in a fragment why there is nothing to compute with.
pub(crate) type Names<'n> = dyn Fn(&[String]) -> Result<Found, String> + 'n;

struct Typed {
    expression: Expression,
    of: Type,
    nullable: bool,
}

/// Reads an expression for a field of this type.
///
/// # Errors
/// A fragment that says what is wrong with it.
pub(crate) fn resolve(text: &str, scalar: Scalar, required: bool, names: &Names<'_>) -> Result<Expression, String> {
    let typed = Resolver { names }.typed(&parse(text)?)?;
    if depth(&typed.expression) > DEPTH_MAX {
        return Err(format!("it is nested deeper than {DEPTH_MAX} operators"));
    }
    let fits = match (typed.of, scalar) {
        (Type::Null, _)
        | (Type::Boolean, Scalar::Boolean)
        | (Type::Whole, Scalar::Int | Scalar::BigInt | Scalar::Decimal | Scalar::Float)
        | (Type::Decimal, Scalar::Decimal | Scalar::Float)
        | (Type::Float, Scalar::Float)
        | (Type::Text, Scalar::String) => true,
        (Type::Other(found), wanted) => found == wanted,
        _ => false,
    };
    if !fits {
        return Err(format!("it is {}, and the field has the type {}", name(typed.of), scalar.name()));
    }
    if required && typed.nullable {
        return Err("it may be null, and the field is required: give another value with coalesce(..., ...), or remove the \"!\"".to_owned());
    }
    Ok(typed.expression)
}

fn depth(expression: &Expression) -> usize {
    match expression {
        Expression::Apply(_, operands) => 1 + operands.iter().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

struct Resolver<'n> {
    names: &'n Names<'n>,
}

type Resolved = Result<Typed, String>;

impl Resolver<'_> {
    fn typed(&self, syntax: &Syntax) -> Resolved {
        let constant = |expression, of| Ok(Typed { expression, of, nullable: false });
        match syntax {
            Syntax::Null => Ok(Typed { expression: Expression::Null, of: Type::Null, nullable: true }),
            Syntax::Boolean(value) => constant(Expression::Boolean(*value), Type::Boolean),
            Syntax::Text(text) => constant(Expression::Text(text.clone()), Type::Text),
            Syntax::Number(digits) => number(digits),
            Syntax::Path(path) => self.field(path),
            Syntax::Unary("-", inner) => {
                let inner = self.typed(inner)?;
                if !is_number(inner.of) {
                    return Err(format!("\"-\" takes a number, not {}", name(inner.of)));
                }
                let of = inner.of;
                Ok(apply(Function::Negate, vec![inner], of))
            }
            Syntax::Unary(_, inner) => {
                let inner = self.truth("not", inner)?;
                Ok(apply(Function::Not, vec![inner], Type::Boolean))
            }
            Syntax::Binary(operator @ ("and" | "or"), left, right) => {
                let operands = vec![self.truth(operator, left)?, self.truth(operator, right)?];
                let function = if *operator == "and" { Function::And } else { Function::Or };
                Ok(apply(function, operands, Type::Boolean))
            }
            Syntax::Binary(operator, left, right) => self.binary(operator, self.typed(left)?, self.typed(right)?),
            Syntax::Call(function, operands) => self.call(function, operands),
        }
    }

    fn field(&self, path: &[String]) -> Resolved {
        let found = (self.names)(path)?;
        let written = path.join(".");
        if found.listed {
            return Err(format!("{written} is a list: say what of it, for example sum({written}) or count({written})"));
        }
        let Holds::Scalar(scalar) = found.holds else {
            return Err(format!("{written} is an embedded value: name one of its fields"));
        };
        Ok(Typed { expression: Expression::Field(found.path), of: type_of(scalar), nullable: found.nullable })
    }

    fn truth(&self, operator: &str, syntax: &Syntax) -> Resolved {
        let typed = self.typed(syntax)?;
        match typed.of {
            Type::Boolean | Type::Null => Ok(typed),
            other => Err(format!("\"{operator}\" takes what is true or false, not {}", name(other))),
        }
    }

    fn binary(&self, operator: &str, left: Typed, right: Typed) -> Resolved {
        let (one, other) = (left.of, right.of);
        let unfit = || format!("\"{operator}\" cannot take {} and {}", name(one), name(other));
        let function = match operator {
            "+" if one == Type::Text || other == Type::Text => {
                let printed = |of| matches!(of, Type::Text | Type::Whole | Type::Decimal);
                if !printed(one) || !printed(other) {
                    return Err(unfit());
                }
                return Ok(apply(Function::Concatenate, vec![left, right], Type::Text));
            }
            "+" => Function::Add,
            "-" => Function::Subtract,
            "*" => Function::Multiply,
            "/" => Function::Divide,
            _ => {
                let function = match operator {
                    "==" => Function::Equal,
                    "!=" => Function::NotEqual,
                    "<" => Function::Less,
                    "<=" => Function::LessOrEqual,
                    ">" => Function::Greater,
                    _ => Function::GreaterOrEqual,
                };
                if united(one, other).is_none() {
                    return Err(unfit());
                }
                return Ok(apply(function, vec![left, right], Type::Boolean));
            }
        };
        let of = united(one, other).filter(|of| is_number(*of)).ok_or_else(unfit)?;
        if function == Function::Divide {
            let of = if of == Type::Whole { Type::Decimal } else { of };
            return Ok(Typed { nullable: true, ..apply(function, vec![left, right], of) });
        }
        Ok(apply(function, vec![left, right], of))
    }

    fn call(&self, function: &str, operands: &[Syntax]) -> Resolved {
        let takes = |count: usize, what: &str| match operands.len() == count {
            true => Ok(()),
            false => Err(format!("{function}() takes {what}, not {} values", operands.len())),
        };
        match function {
            "sum" | "avg" | "min" | "max" | "count" | "join" => self.fold(function, operands),
            "lower" | "upper" | "trim" | "length" => {
                takes(1, "one text")?;
                let text = self.of(function, &operands[0], "a text", |of| of == Type::Text)?;
                Ok(match function {
                    "lower" => apply(Function::Lower, vec![text], Type::Text),
                    "upper" => apply(Function::Upper, vec![text], Type::Text),
                    "trim" => apply(Function::Trim, vec![text], Type::Text),
                    _ => apply(Function::Length, vec![text], Type::Whole),
                })
            }
            "abs" => {
                takes(1, "one number")?;
                let number = self.of(function, &operands[0], "a number", is_number)?;
                let of = number.of;
                Ok(apply(Function::Absolute, vec![number], of))
            }
            "floor" | "ceil" => {
                takes(1, "one number")?;
                let number = self.of(function, &operands[0], "an exact number", is_exact)?;
                let function = if function == "floor" { Function::Floor } else { Function::Ceiling };
                Ok(apply(function, vec![number], Type::Whole))
            }
            "round" => self.round(operands),
            "if" => {
                takes(3, "a condition and two values")?;
                let condition = self.truth("if", &operands[0])?;
                let (one, other) = (self.typed(&operands[1])?, self.typed(&operands[2])?);
                let of = united(one.of, other.of).ok_or_else(|| {
                    format!("if() gives {} or {}: both have to be alike", name(one.of), name(other.of))
                })?;
                let nullable = one.nullable || other.nullable;
                Ok(Typed { nullable, ..apply(Function::If, vec![condition, one, other], of) })
            }
            "coalesce" => {
                if operands.is_empty() {
                    return Err("coalesce() takes at least one value".to_owned());
                }
                let typed = operands.iter().map(|operand| self.typed(operand)).collect::<Result<Vec<_>, _>>()?;
                let mut of = Type::Null;
                for each in &typed {
                    of = united(of, each.of).ok_or_else(|| {
                        format!("coalesce() gives {} or {}: all have to be alike", name(of), name(each.of))
                    })?;
                }
                let nullable = typed.iter().all(|each| each.nullable);
                Ok(Typed { nullable, ..apply(Function::Coalesce, typed, of) })
            }
            _ => Err(format!(
                "there is no function \"{function}\"; there are sum avg min max count join lower upper trim length abs round floor ceil if coalesce"
            )),
        }
    }

    fn of(&self, function: &str, syntax: &Syntax, what: &str, fits: fn(Type) -> bool) -> Resolved {
        let typed = self.typed(syntax)?;
        if fits(typed.of) || typed.of == Type::Null {
            return Ok(typed);
        }
        Err(format!("{function}() takes {what}, not {}", name(typed.of)))
    }

    fn round(&self, operands: &[Syntax]) -> Resolved {
        let number = |operand| self.of("round", operand, "an exact number", is_exact);
        match operands {
            [operand] => {
                let scale = Typed { expression: Expression::Whole(0), of: Type::Whole, nullable: false };
                Ok(apply(Function::Round, vec![number(operand)?, scale], Type::Whole))
            }
            [operand, Syntax::Number(digits)] if digits.parse().is_ok_and(|scale: u32| scale <= SCALE_MAX) => {
                let scale = self.typed(&Syntax::Number(digits.clone()))?;
                Ok(apply(Function::Round, vec![number(operand)?, scale], Type::Decimal))
            }
            _ => {
                Err(format!("round() takes a number and how many digits stay, from 0 to {SCALE_MAX}: round(price, 2)"))
            }
        }
    }

    fn fold(&self, function: &str, operands: &[Syntax]) -> Resolved {
        let (path, between) = match (function, operands) {
            ("join", [Syntax::Path(path), Syntax::Text(between)]) => (path, between.clone()),
            ("join", _) => return Err("join() takes a list and a text to put between: join(tags, ', ')".to_owned()),
            (_, [Syntax::Path(path)]) => (path, String::new()),
            _ => return Err(format!("{function}() takes one list, or a path through one: {function}(lines.amount)")),
        };
        let found = (self.names)(path)?;
        let written = path.join(".");
        if !found.listed {
            return Err(format!("{function}() takes a list, and {written} is none"));
        }
        let of = match found.holds {
            Holds::Scalar(scalar) => type_of(scalar),
            Holds::Embedded if function == "count" => Type::Null,
            Holds::Embedded => return Err(format!("{written} has embedded values: name one of their fields")),
        };
        let unfit = || format!("{function}({written}) cannot be made of {}", name(of));
        let (fold, of, nullable) = match function {
            "count" => (Fold::Count, Type::Whole, false),
            "sum" if is_number(of) => (Fold::Sum, of, false),
            "avg" if of == Type::Float => (Fold::Average, Type::Float, true),
            "avg" if is_number(of) => (Fold::Average, Type::Decimal, true),
            "min" if of != Type::Boolean => (Fold::Least, of, true),
            "max" if of != Type::Boolean => (Fold::Greatest, of, true),
            "join" if of == Type::Text => (Fold::Join(between), Type::Text, false),
            _ => return Err(unfit()),
        };
        Ok(Typed { expression: Expression::Fold(fold, found.path), of, nullable })
    }
}

/// The function over its operands, null where one of them is. What is associative has all operands in one place.
fn apply(function: Function, operands: Vec<Typed>, of: Type) -> Typed {
    let nullable = operands.iter().any(|operand| operand.nullable);
    let flat = matches!(function, Function::Concatenate | Function::And | Function::Or | Function::Add);
    let mut expressions = Vec::with_capacity(operands.len());
    for (at, operand) in operands.into_iter().enumerate() {
        match operand.expression {
            // From the left, as it would have been done anyway.
            Expression::Apply(inner, parts) if flat && at == 0 && inner == function => expressions = parts,
            expression => expressions.push(expression),
        }
    }
    Typed { expression: Expression::Apply(function, expressions), of, nullable }
}

fn number(digits: &str) -> Resolved {
    let unfit = |_| format!("{digits} has more digits than a number in an expression may have");
    let (expression, of) = match digits.split_once('.') {
        None => (Expression::Whole(digits.parse().map_err(unfit)?), Type::Whole),
        Some((whole, fraction)) => {
            let scale = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
            if scale > SCALE_MAX {
                return Err(format!("{digits} has more than {SCALE_MAX} digits after the point"));
            }
            let digits = format!("{whole}{fraction}").parse().map_err(unfit)?;
            (Expression::Decimal { digits, scale }, Type::Decimal)
        }
    };
    Ok(Typed { expression, of, nullable: false })
}

/// The type that values of both can be used as.
fn united(one: Type, other: Type) -> Option<Type> {
    match (one, other) {
        (Type::Null, of) | (of, Type::Null) => Some(of),
        (one, other) if one == other => Some(one),
        (one, other) if is_number(one) && is_number(other) => {
            Some(if one == Type::Float || other == Type::Float { Type::Float } else { Type::Decimal })
        }
        _ => None,
    }
}

fn is_number(of: Type) -> bool {
    matches!(of, Type::Whole | Type::Decimal | Type::Float)
}

fn is_exact(of: Type) -> bool {
    matches!(of, Type::Whole | Type::Decimal)
}

fn type_of(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Boolean => Type::Boolean,
        Scalar::Int | Scalar::BigInt => Type::Whole,
        Scalar::Decimal => Type::Decimal,
        Scalar::Float => Type::Float,
        Scalar::String | Scalar::Email | Scalar::CountryCode => Type::Text,
        other => Type::Other(other),
    }
}

fn name(of: Type) -> String {
    match of {
        Type::Null => "null".to_owned(),
        Type::Boolean => "true or false".to_owned(),
        Type::Whole => "a whole number".to_owned(),
        Type::Decimal => "a Decimal".to_owned(),
        Type::Float => "a Float".to_owned(),
        Type::Text => "a text".to_owned(),
        Type::Other(scalar) => format!("a {}", scalar.name()),
    }
}
