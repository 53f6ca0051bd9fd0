//! What the values of one field are folded to: counted, told apart, added up, compared.

use super::exact::{DecimalSum, FloatSum};
use crate::catalog::{Measure, Scalar};
use crate::plan::fold::MeasurePlan;
use crate::{Abort, Code, Failure};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use vivarium_storage::key::{self, Direction};
use vivarium_storage::value::Decimal;
use vivarium_storage::{Value, ValueRef};

/// Distinct values that are kept to count them, in all folds of one connection: some 100 MB.
const DISTINCT_MAX: usize = 1_000_000;
/// Groups that are kept, in all folds of one connection.
const GROUPS_MAX: usize = 100_000;
/// Bytes of the keys of these groups.
const GROUP_BYTES_MAX: usize = 64 << 20;
/// Longer values are told apart by their hash.
const DISTINCT_BYTES_MAX: usize = 32;

/// What the folds of one connection may still keep.
#[derive(Debug)]
pub(super) struct Room {
    distinct: usize,
    groups: usize,
    group_bytes: usize,
}

impl Room {
    pub(super) fn new() -> Room {
        Room { distinct: DISTINCT_MAX, groups: GROUPS_MAX, group_bytes: GROUP_BYTES_MAX }
    }

    fn take_distinct(&mut self) -> Result<(), Abort> {
        let left = self.distinct.checked_sub(1);
        self.distinct = left.ok_or_else(|| {
            let message = format!("More than {DISTINCT_MAX} different values would be kept: filter to fewer records.");
            Failure::new(Code::QueryTooComplex, message).with("limit", DISTINCT_MAX)
        })?;
        Ok(())
    }

    pub(super) fn take_group(&mut self, bytes: usize) -> Result<(), Abort> {
        let left = self.groups.checked_sub(1).zip(self.group_bytes.checked_sub(bytes));
        (self.groups, self.group_bytes) = left.ok_or_else(|| {
            let message =
                format!("More than {GROUPS_MAX} groups would be kept: filter, or group by something coarser.");
            Failure::new(Code::QueryTooComplex, message).with("limit", GROUPS_MAX)
        })?;
        Ok(())
    }
}

/// The values of one field in one group.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) count: u64,
    distinct: Distinct,
    sum: Sum,
    /// The least and the greatest, as bytes that sort like them.
    extremes: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug)]
enum Distinct {
    Unasked,
    /// Equal values stand together: the last one, and how many there were.
    Sorted {
        last: Vec<u8>,
        count: u64,
    },
    Kept {
        last: Vec<u8>,
        seen: BTreeSet<Box<[u8]>>,
    },
}

#[derive(Debug)]
enum Sum {
    Unasked,
    Whole(i128),
    Decimal(Box<DecimalSum>),
    Float(FloatSum),
}

/// A sum or an average.
#[derive(Clone, Debug)]
pub(crate) enum Total {
    /// Of no values, or not asked for.
    Nothing,
    Value(Value),
    /// The type has no such value; this one is near it.
    Beyond(Value),
    /// No Decimal has so many digits: the first of them, and all.
    BeyondDecimal(Value, Box<DecimalSum>),
}

impl Total {
    /// What it is compared as.
    pub(crate) fn compared(&self) -> ValueRef<'_> {
        match self {
            Total::Nothing => ValueRef::Null,
            Total::Value(value) | Total::Beyond(value) | Total::BeyondDecimal(value, _) => {
                value.scalar().expect("totals are numbers")
            }
        }
    }

    /// Which of two that are there is greater.
    pub(super) fn compare(&self, other: &Total) -> Ordering {
        match (self, other) {
            (Total::BeyondDecimal(_, one), other) => one.compare(&other.digits()),
            (one, Total::BeyondDecimal(_, other)) => one.digits().compare(other),
            (one, other) => one.compared().compare(&other.compared()),
        }
    }

    /// All digits of what is a Decimal, or has more of them.
    fn digits(&self) -> DecimalSum {
        let mut sum = DecimalSum::new();
        match self {
            Total::BeyondDecimal(_, digits) => return (**digits).clone(),
            Total::Value(Value::Decimal(value)) => sum.add(*value),
            other => unreachable!("{other:?} is no sum of Decimals"),
        }
        sum
    }
}

impl Tally {
    pub(super) fn new(plan: &MeasurePlan, sorted: bool) -> Tally {
        let distinct = match (plan.wants.distinct, sorted) {
            (false, _) => Distinct::Unasked,
            (true, true) => Distinct::Sorted { last: Vec::new(), count: 0 },
            (true, false) => Distinct::Kept { last: Vec::new(), seen: BTreeSet::new() },
        };
        let sum = match plan.measure {
            _ if !plan.wants.sum => Sum::Unasked,
            Measure::Decimal => Sum::Decimal(Box::new(DecimalSum::new())),
            Measure::Float => Sum::Float(FloatSum::new()),
            _ => Sum::Whole(0),
        };
        Tally { count: 0, distinct, sum, extremes: None }
    }

    /// Counts a value by its encoding, which is not null.
    pub(super) fn tell_apart(&mut self, encoded: &[u8], room: &mut Room) -> Result<(), Abort> {
        match &mut self.distinct {
            Distinct::Unasked => {}
            Distinct::Sorted { last, count } => {
                if *last != encoded {
                    *count += 1;
                    last.clear();
                    last.extend_from_slice(encoded);
                }
            }
            Distinct::Kept { last, seen } => {
                if *last == encoded {
                    return Ok(());
                }
                last.clear();
                last.extend_from_slice(encoded);
                let hash;
                let kept = if encoded.len() > DISTINCT_BYTES_MAX {
                    // One byte longer than what is kept as it is, so that the two never meet.
                    hash = [&[0], Sha256::digest(encoded).as_slice()].concat();
                    hash.as_slice()
                } else {
                    encoded
                };
                if !seen.contains(kept) {
                    room.take_distinct()?;
                    seen.insert(kept.into());
                }
            }
        }
        Ok(())
    }

    /// Compares a value by its encoding, which is not null.
    pub(super) fn compare(&mut self, encoded: &[u8]) {
        match &mut self.extremes {
            Some((least, greatest)) => {
                let (beaten, kept) =
                    if encoded < least.as_slice() { (true, least) } else { (encoded > greatest.as_slice(), greatest) };
                if beaten {
                    kept.clear();
                    kept.extend_from_slice(encoded);
                }
            }
            none => *none = Some((encoded.to_vec(), encoded.to_vec())),
        }
    }

    /// Adds a value by its encoding, which is not null.
    pub(super) fn add_encoded(&mut self, mut encoded: &[u8], direction: Direction) -> Result<(), Abort> {
        match (&mut self.sum, key::short_number(encoded, direction)) {
            (Sum::Whole(sum), Some((whole, 0))) => *sum += i128::from(whole),
            (Sum::Decimal(sum), Some((mantissa, scale))) => sum.add_short(mantissa, scale),
            _ => {
                let value = key::decode(&mut encoded, direction)?;
                self.add(&value.scalar().expect("what is added up is a scalar"));
            }
        }
        Ok(())
    }

    /// Adds a value that is not null.
    pub(super) fn add(&mut self, value: &ValueRef<'_>) {
        match (&mut self.sum, value) {
            (Sum::Unasked, _) => {}
            (Sum::Whole(sum), ValueRef::Int(value) | ValueRef::Duration(value)) => *sum += i128::from(*value),
            (Sum::Decimal(sum), ValueRef::Decimal(value)) => sum.add(*value),
            (Sum::Decimal(sum), ValueRef::Int(value)) => sum.add(Decimal::from(*value)),
            (Sum::Float(sum), value) => sum.add(float(value)),
            (sum, value) => unreachable!("{value:?} is nothing to add to {sum:?}"),
        }
    }

    /// How many different values there were.
    pub(super) fn distinct(&self) -> u64 {
        match &self.distinct {
            Distinct::Unasked => 0,
            Distinct::Sorted { count, .. } => *count,
            Distinct::Kept { seen, .. } => seen.len() as u64,
        }
    }

    /// The least and the greatest, as the field's type has them. `direction`: of the encodings.
    pub(super) fn extremes(&self, plan: &MeasurePlan, direction: Direction) -> Result<Option<(Value, Value)>, Abort> {
        let (Some((first, last)), Some(scalar)) = (&self.extremes, plan.scalar()) else { return Ok(None) };
        let value = |encoded: &Vec<u8>| {
            let value = key::decode(&mut encoded.as_slice(), direction)?;
            Ok::<Value, Abort>(typed(scalar, plan.scale, &value))
        };
        let (first, last) = (value(first)?, value(last)?);
        Ok(Some(if direction == Direction::Ascending { (first, last) } else { (last, first) }))
    }

    pub(super) fn sum(&self, plan: &MeasurePlan) -> Total {
        match &self.sum {
            _ if self.count == 0 => Total::Nothing,
            Sum::Unasked => Total::Nothing,
            Sum::Whole(sum) => match (i64::try_from(*sum), plan.measure) {
                (Ok(sum), Measure::Duration) => Total::Value(Value::Duration(sum)),
                (Ok(sum), _) => Total::Value(Value::Int(sum)),
                (Err(_), _) => Total::Beyond(wide(*sum)),
            },
            Sum::Decimal(sum) => match sum.total() {
                Some(total) => Total::Value(typed(Scalar::Decimal, plan.scale, &Value::Decimal(total))),
                None => Total::BeyondDecimal(sum.nearly(), sum.clone()),
            },
            Sum::Float(sum) => finite(sum.total()),
        }
    }

    pub(super) fn average(&self) -> Total {
        #[allow(clippy::cast_precision_loss, reason = "an average of whole numbers is the nearest double")]
        match &self.sum {
            _ if self.count == 0 => Total::Nothing,
            Sum::Unasked => Total::Nothing,
            Sum::Whole(sum) => Total::Value(Value::Float(*sum as f64 / self.count as f64)),
            Sum::Decimal(sum) => match sum.average(self.count) {
                Some(average) => Total::Value(Value::Decimal(average)),
                None => Total::Beyond(Value::Float(sum.double() / self.count as f64)),
            },
            Sum::Float(sum) => finite(sum.total() / self.count as f64),
        }
    }
}

/// A double, with one zero only.
fn finite(value: f64) -> Total {
    if value.is_finite() {
        Total::Value(Value::Float(if value == 0.0 { 0.0 } else { value }))
    } else {
        Total::Beyond(Value::Float(if value > 0.0 { f64::MAX } else { f64::MIN }))
    }
}

/// A whole number that is no `i64`, as something that compares like it.
fn wide(sum: i128) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "only compared")]
    let nearly = sum as f64;
    Decimal::try_from_i128_with_scale(sum, 0).map_or(Value::Float(nearly), Value::Decimal)
}

/// A number as a double: keys of indexes hold floats as whole or decimal numbers where these are the same.
fn float(value: &ValueRef<'_>) -> f64 {
    match value {
        ValueRef::Float(value) => *value,
        #[allow(clippy::cast_precision_loss, reason = "the key of a double is exact")]
        ValueRef::Int(value) => *value as f64,
        // The shortest decimal of a double leads back to it.
        ValueRef::Decimal(value) => value.to_string().parse().expect("the digits of a Decimal are a number"),
        other => unreachable!("{other:?} is no number"),
    }
}

/// A value that was read from a key, as its field's type has it. A Decimal has as many digits behind the point as its
/// field declares, else no zero at its end: its key does not know how it was written.
pub(super) fn typed(scalar: Scalar, scale: Option<u32>, value: &Value) -> Value {
    match (scalar, value) {
        (Scalar::Decimal, Value::Decimal(value)) => Value::Decimal(scaled(*value, scale)),
        (Scalar::Decimal, Value::Int(value)) => Value::Decimal(scaled(Decimal::from(*value), scale)),
        (Scalar::Float, value) => match value.scalar() {
            Some(number) if !number.is_null() => Value::Float(float(&number)),
            _ => Value::Null,
        },
        (_, value) => value.clone(),
    }
}

fn scaled(value: Decimal, scale: Option<u32>) -> Decimal {
    let shortest = value.normalize();
    let Some(scale) = scale.filter(|scale| *scale > shortest.scale()) else { return shortest };
    let grown = 10i128.checked_pow(scale - shortest.scale()).and_then(|factor| shortest.mantissa().checked_mul(factor));
    grown.and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, scale).ok()).unwrap_or(shortest)
}
