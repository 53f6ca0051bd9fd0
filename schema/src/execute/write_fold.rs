//! Aggregates and groups as JSON.

use super::fold::FoldLevel;
use super::groups::{Row, beyond};
use super::tally::Total;
use super::write::{Null, Writing, Written};
use crate::catalog::Scalar;
use crate::plan::fold::{AggregateField, FoldPlan, GroupField, KeyField, MeasureField};
use crate::plan::tree::Selected;
use crate::scalar;
use vivarium_storage::Value;

impl Writing<'_> {
    /// Writes the one row of the parent at `parent`.
    pub(super) fn aggregate(
        &mut self,
        plan: &FoldPlan,
        fields: &[Selected<AggregateField>],
        level: &FoldLevel,
        parent: usize,
    ) -> Written {
        let row = level.folded[level.of[parent]].first().expect("an aggregate is one row");
        self.aggregated(plan, fields, row)
    }

    /// Writes the groups of the parent at `parent`.
    pub(super) fn groups(
        &mut self,
        plan: &FoldPlan,
        fields: &[Selected<GroupField>],
        level: &FoldLevel,
        parent: usize,
    ) -> Written {
        let rows = level.folded[level.of[parent]].iter();
        self.list(rows, |writing, row| {
            if writing.answer.data.len() > writing.bytes_max {
                writing.too_large = true;
                return Err(Null);
            }
            writing.object(fields, |writing, _, field| match &field.kind {
                GroupField::Typename(name) => writing.raw(name),
                GroupField::Key(fields) => writing.key(plan, fields, level, row),
                GroupField::Aggregate(fields) => writing.aggregated(plan, fields, row),
            })
        })
    }

    fn key(&mut self, plan: &FoldPlan, fields: &[Selected<KeyField>], level: &FoldLevel, row: &Row) -> Written {
        let bound = self.bound.fold(plan.slot);
        let value = |field| bound.keys.iter().position(|key| key.field == field).map(|key| &row.keys[key]);
        self.object(fields, |writing, _, field| match &field.kind {
            KeyField::Typename(name) => writing.raw(name),
            KeyField::Value { field, leaf } => match value(*field) {
                None | Some(Value::Null) => writing.null(),
                Some(value) => {
                    writing.leaf(leaf, value.scalar().expect("keys are scalars"));
                    Ok(())
                }
            },
            KeyField::Record { field, relation } => {
                let level = &level.relations[*relation];
                let place = match value(*field) {
                    Some(Value::Uuid(id)) => level.place(*id),
                    _ => None,
                };
                let Some(at) = place else { return writing.null() };
                let record = &plan.relations[*relation].record;
                writing.nullable(|writing| writing.record(record, &level.records[at], &level.children, at))
            }
        })
    }

    fn aggregated(&mut self, plan: &FoldPlan, fields: &[Selected<AggregateField>], row: &Row) -> Written {
        let bound = self.bound;
        self.object(fields, |writing, _, field| match &field.kind {
            AggregateField::Typename(name) => writing.raw(name),
            AggregateField::Count => writing.number(row.count),
            AggregateField::Measure { measure, fields } => {
                let (plan, measured) = (&bound.fold(plan.slot).measures[*measure], &row.measures[*measure]);
                let measure = plan.measure;
                writing.object(fields, |writing, _, field| match field.kind {
                    MeasureField::Typename => writing.raw(format!("\"{}\"", measure.type_name()).as_bytes()),
                    MeasureField::Count => writing.number(measured.count),
                    MeasureField::CountDistinct => writing.number(measured.distinct),
                    MeasureField::Sum => writing.total("sum", measure.sum(), &measured.sum, field),
                    MeasureField::Average => writing.total("average", measure.average(), &measured.average, field),
                    MeasureField::Least => {
                        writing.scalar(measure.extreme(), measured.extremes.as_ref().map(|it| &it.0))
                    }
                    MeasureField::Greatest => {
                        writing.scalar(measure.extreme(), measured.extremes.as_ref().map(|it| &it.1))
                    }
                })
            }
        })
    }

    fn number(&mut self, number: u64) -> Written {
        self.raw(number.to_string().as_bytes())
    }

    /// A sum or an average; what its type does not hold is null, and an error that says so.
    fn total(&mut self, what: &str, scalar: Option<Scalar>, total: &Total, field: &Selected<MeasureField>) -> Written {
        match total {
            Total::Nothing => self.null(),
            Total::Value(value) => self.scalar(scalar, Some(value)),
            Total::Beyond(_) | Total::BeyondDecimal(..) => {
                let mut failure = beyond(what, scalar.map_or("number", Scalar::name));
                failure.locations = vec![field.location];
                self.answer.failures.push(failure);
                self.null()
            }
        }
    }

    fn scalar(&mut self, scalar: Option<Scalar>, value: Option<&Value>) -> Written {
        match (scalar, value.and_then(Value::scalar)) {
            (Some(kind), Some(value)) => {
                scalar::write_json(kind, value, &mut self.answer.data);
                Ok(())
            }
            _ => self.null(),
        }
    }
}
