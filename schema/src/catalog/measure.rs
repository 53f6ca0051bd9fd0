//! What the records of a collection can be folded to: the generator and the planner both take it from here.

use super::{Collection, Field, FieldKind, Scalar};

/// What the values of a field can be folded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Values are counted, and no more.
    Count,
    /// `Int`.
    Int,
    /// `BigInt`.
    BigInt,
    /// `Float`.
    Float,
    /// `Decimal`.
    Decimal,
    /// `Date`.
    Date,
    /// `DateTime`.
    DateTime,
    /// `Duration`.
    Duration,
}

impl Measure {
    /// Every kind, in the order in which the API lists them.
    pub const ALL: [Measure; 8] = [
        Measure::Count,
        Measure::Int,
        Measure::BigInt,
        Measure::Float,
        Measure::Decimal,
        Measure::Date,
        Measure::DateTime,
        Measure::Duration,
    ];

    /// `IntAggregate`.
    pub fn type_name(self) -> &'static str {
        match self {
            Measure::Count => "CountAggregate",
            Measure::Int => "IntAggregate",
            Measure::BigInt => "BigIntAggregate",
            Measure::Float => "FloatAggregate",
            Measure::Decimal => "DecimalAggregate",
            Measure::Date => "DateAggregate",
            Measure::DateTime => "DateTimeAggregate",
            Measure::Duration => "DurationAggregate",
        }
    }

    /// `IntAggregateFilter`, of numbers.
    pub fn filter_type(self) -> Option<String> {
        self.is_number().then(|| format!("{}Filter", self.type_name()))
    }

    /// True of what can be averaged.
    pub fn is_number(self) -> bool {
        self.average().is_some()
    }

    /// What `min` and `max` are.
    pub fn extreme(self) -> Option<Scalar> {
        match self {
            Measure::Count => None,
            Measure::Int => Some(Scalar::Int),
            Measure::BigInt => Some(Scalar::BigInt),
            Measure::Float => Some(Scalar::Float),
            Measure::Decimal => Some(Scalar::Decimal),
            Measure::Date => Some(Scalar::Date),
            Measure::DateTime => Some(Scalar::DateTime),
            Measure::Duration => Some(Scalar::Duration),
        }
    }

    /// What `sum` is. The sum of many an Int is none.
    pub fn sum(self) -> Option<Scalar> {
        match self {
            Measure::Int | Measure::BigInt => Some(Scalar::BigInt),
            Measure::Float | Measure::Decimal | Measure::Duration => self.extreme(),
            Measure::Count | Measure::Date | Measure::DateTime => None,
        }
    }

    /// What `avg` is.
    pub fn average(self) -> Option<Scalar> {
        match self {
            Measure::Int | Measure::BigInt | Measure::Float => Some(Scalar::Float),
            Measure::Decimal => Some(Scalar::Decimal),
            Measure::Count | Measure::Date | Measure::DateTime | Measure::Duration => None,
        }
    }
}

/// What a key of `groups` says of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Records with the same value, or the same record referred to, are one group.
    Same,
    /// Those within one part of the calendar are.
    DateTime,
    /// The same, of days.
    Date,
}

impl KeyForm {
    /// What the key's field in `CustomerGroupKey` takes.
    pub fn type_name(self) -> &'static str {
        match self {
            KeyForm::Same => "Boolean",
            KeyForm::DateTime => "DateTimeBucket",
            KeyForm::Date => "DateBucket",
        }
    }
}

/// A name that `CustomerAggregate` and `CustomerGroupOrder` have for something else.
const COUNT: &str = "count";

impl Field {
    /// What the field can be folded to; `None` for lists, JSON, embedded values and what others hold.
    pub fn measure(&self) -> Option<Measure> {
        if self.hidden || self.list.is_some() || self.name == COUNT {
            return None;
        }
        match self.kind {
            FieldKind::Scalar(Scalar::Json) => None,
            FieldKind::Scalar(Scalar::Int) => Some(Measure::Int),
            FieldKind::Scalar(Scalar::BigInt) => Some(Measure::BigInt),
            FieldKind::Scalar(Scalar::Float) => Some(Measure::Float),
            FieldKind::Scalar(Scalar::Decimal) => Some(Measure::Decimal),
            FieldKind::Scalar(Scalar::Date) => Some(Measure::Date),
            FieldKind::Scalar(Scalar::DateTime) => Some(Measure::DateTime),
            FieldKind::Scalar(Scalar::Duration) => Some(Measure::Duration),
            FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::ToOne { .. } => Some(Measure::Count),
            _ => None,
        }
    }

    /// How records are grouped by the field, if they can be.
    pub fn key_form(&self) -> Option<KeyForm> {
        if self.hidden || self.list.is_some() {
            return None;
        }
        match self.kind {
            FieldKind::Scalar(Scalar::Json) => None,
            FieldKind::Scalar(Scalar::DateTime) => Some(KeyForm::DateTime),
            FieldKind::Scalar(Scalar::Date) => Some(KeyForm::Date),
            FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::ToOne { .. } => Some(KeyForm::Same),
            _ => None,
        }
    }

    /// True where groups are ordered by the field as a key: not by records, and not where the name is taken.
    pub fn orders_groups(&self) -> bool {
        self.key_form().is_some() && !matches!(self.kind, FieldKind::ToOne { .. }) && self.name != COUNT
    }

    /// `loyaltyPointsSum`: the key that orders groups by the sum of the field.
    pub fn sum_order(&self) -> Option<String> {
        self.measure().filter(|measure| measure.is_number()).map(|_| format!("{}Sum", self.name))
    }
}

impl Collection {
    /// `CustomerAggregate`.
    pub fn aggregate_type(&self) -> String {
        format!("{}Aggregate", self.name)
    }
    /// `CustomerGroup`.
    pub fn group_type(&self) -> String {
        format!("{}Group", self.name)
    }
    /// `CustomerGroupValues`: the values of a group's keys.
    pub fn group_values_type(&self) -> String {
        format!("{}GroupValues", self.name)
    }
    /// `CustomerGroupKey`: one key to group by.
    pub fn group_key_type(&self) -> String {
        format!("{}GroupKey", self.name)
    }
    /// `CustomerHaving`: what has to hold of a group.
    pub fn having_type(&self) -> String {
        format!("{}Having", self.name)
    }
    /// `CustomerGroupOrder`: one key that groups are ordered by.
    pub fn group_order_type(&self) -> String {
        format!("{}GroupOrder", self.name)
    }
}
