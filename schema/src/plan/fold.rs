//! What is folded of a connection's records, into one row or into groups: its nodes in the plan.

use super::build::{Builder, unplanned};
use super::collect::Collected;
use super::selection::{json_string, location, selected};
use super::template::Template;
use super::tree::{Leaf, RecordPlan, Selected, Slot, Via};
use crate::Failure;
use crate::catalog::{Collection, Field, FieldKind, Measure};
use vivarium_storage::{CollectionId, FieldId};

/// One fold over the records of a connection, for each parent.
#[derive(Debug)]
pub(crate) struct FoldPlan {
    pub(crate) slot: usize,
    /// The records that groups are named by, once for each selection of them.
    pub(crate) relations: Vec<RelationPlan>,
}

/// A selection over the records that a key of groups refers to.
#[derive(Debug)]
pub(crate) struct RelationPlan {
    pub(crate) field: FieldId,
    pub(crate) record: RecordPlan,
}

/// What a fold is told before it is executed.
#[derive(Debug)]
pub(crate) struct FoldSlot {
    pub(crate) collection: CollectionId,
    pub(crate) via: Option<Via>,
    /// As in [`super::tree::ListSlot`].
    pub(crate) within: Option<usize>,
    pub(crate) name: Box<str>,
    pub(crate) location: (u32, u32),
    pub(crate) filter: Option<Template>,
    pub(crate) measures: Vec<MeasurePlan>,
    pub(crate) groups: Option<GroupTemplates>,
}

/// The arguments of `groups`.
#[derive(Debug)]
pub(crate) struct GroupTemplates {
    pub(crate) by: Template,
    pub(crate) having: Option<Template>,
    pub(crate) order: Option<Template>,
    pub(crate) first: Option<Template>,
    pub(crate) offset: Option<Template>,
}

/// What the values of one field are folded to.
#[derive(Clone, Debug)]
pub(crate) struct MeasurePlan {
    /// `None` for `id`, which every record has one of.
    pub(crate) field: Option<FieldId>,
    pub(crate) measure: Measure,
    /// Digits behind the point that the field is declared with.
    pub(crate) scale: Option<u32>,
    /// No record has null.
    pub(crate) required: bool,
    pub(crate) wants: Wants,
}

/// What has to be known of the values, beside their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) distinct: bool,
    pub(crate) sum: bool,
    pub(crate) extremes: bool,
}

/// A field of an aggregate.
#[derive(Debug)]
pub(crate) enum AggregateField {
    Typename(Box<[u8]>),
    Count,
    Measure { measure: usize, fields: Vec<Selected<MeasureField>> },
}

/// A field of what one field is folded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MeasureField {
    Typename,
    Count,
    CountDistinct,
    Sum,
    Average,
    Least,
    Greatest,
}

/// A field of a group.
#[derive(Debug)]
pub(crate) enum GroupField {
    Typename(Box<[u8]>),
    Key(Vec<Selected<KeyField>>),
    Aggregate(Vec<Selected<AggregateField>>),
}

/// A field of a group's key.
#[derive(Debug)]
pub(crate) enum KeyField {
    Typename(Box<[u8]>),
    Value {
        field: FieldId,
        leaf: Leaf,
    },
    /// A number in [`FoldPlan::relations`].
    Record {
        field: FieldId,
        relation: usize,
    },
}

impl MeasurePlan {
    /// What a field is folded to.
    pub(crate) fn of(field: &Field) -> Option<MeasurePlan> {
        Some(MeasurePlan {
            field: Some(field.id),
            measure: field.measure()?,
            scale: field.precision.map(|precision| precision.scale),
            required: field.required,
            wants: Wants::default(),
        })
    }

    fn ids() -> MeasurePlan {
        let (measure, wants) = (Measure::Count, Wants::default());
        MeasurePlan { field: None, measure, scale: None, required: true, wants }
    }

    /// The field whose values have to be looked at: none where the number of records tells all.
    pub(crate) fn looks_at(&self) -> Option<FieldId> {
        self.field.filter(|_| !self.required || self.wants != Wants::default())
    }
}

impl Wants {
    fn add(&mut self, field: MeasureField) {
        match field {
            MeasureField::Typename | MeasureField::Count => {}
            MeasureField::CountDistinct => self.distinct = true,
            MeasureField::Sum | MeasureField::Average => self.sum = true,
            MeasureField::Least | MeasureField::Greatest => self.extremes = true,
        }
    }
}

/// The place of a field's measure among others, and room for it.
pub(crate) fn measured(measures: &mut Vec<MeasurePlan>, wanted: MeasurePlan) -> usize {
    if let Some(at) = measures.iter().position(|measure| measure.field == wanted.field) {
        let wants = &mut measures[at].wants;
        wants.distinct |= wanted.wants.distinct;
        wants.sum |= wanted.wants.sum;
        wants.extremes |= wanted.wants.extremes;
        return at;
    }
    measures.push(wanted);
    measures.len() - 1
}

impl<'d> Builder<'d> {
    /// `aggregate`. All selections of it in one connection are one fold, whose measures are gathered.
    pub(super) fn aggregate(
        &mut self,
        field: &Collected<'d>,
        collection: &'d Collection,
        measures: &mut Vec<MeasurePlan>,
    ) -> Result<Vec<Selected<AggregateField>>, Failure> {
        let collected = self.collect(&collection.aggregate_type(), &field.selections())?;
        let mut fields = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = match field.name() {
                "__typename" => AggregateField::Typename(json_string(&collection.aggregate_type())),
                "count" => AggregateField::Count,
                name => {
                    let plan = match collection.field_named(name) {
                        None if name == "id" => Some(MeasurePlan::ids()),
                        known => known.and_then(MeasurePlan::of),
                    };
                    let mut plan = plan.ok_or_else(|| unplanned(field.field()))?;
                    let fields = self.measure_fields(plan.measure, field)?;
                    fields.iter().for_each(|field| plan.wants.add(field.kind));
                    AggregateField::Measure { measure: measured(measures, plan), fields }
                }
            };
            fields.push(selected(self.document, field, at, kind));
        }
        Ok(fields)
    }

    fn measure_fields(
        &mut self,
        measure: Measure,
        field: &Collected<'d>,
    ) -> Result<Vec<Selected<MeasureField>>, Failure> {
        self.simple(measure.type_name(), field, |name| match name {
            "__typename" => Some(MeasureField::Typename),
            "count" => Some(MeasureField::Count),
            "countDistinct" => Some(MeasureField::CountDistinct),
            "sum" => Some(MeasureField::Sum),
            "avg" => Some(MeasureField::Average),
            "min" => Some(MeasureField::Least),
            "max" => Some(MeasureField::Greatest),
            _ => None,
        })
    }

    /// `groups`: a fold of its own.
    pub(super) fn groups(
        &mut self,
        field: &Collected<'d>,
        collection: &'d Collection,
        list: usize,
    ) -> Result<(FoldPlan, Vec<Selected<GroupField>>), Failure> {
        let arguments = field.field();
        let argument = |name| self.argument(arguments, name);
        let groups = GroupTemplates {
            by: argument("by").expect("by is required"),
            having: argument("having"),
            order: argument("orderBy"),
            first: argument("first"),
            offset: argument("offset"),
        };
        let place = (field.key, location(self.document, field));
        let slot = self.fold_slot(list, place, Vec::new(), Some(groups));
        self.within.push(slot);
        let (mut measures, mut relations) = (Vec::new(), Vec::new());
        let collected = self.collect(&collection.group_type(), &field.selections())?;
        let mut fields = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = match field.name() {
                "__typename" => GroupField::Typename(json_string(&collection.group_type())),
                "key" => GroupField::Key(self.key_fields(field, collection, &mut relations)?),
                "aggregate" => GroupField::Aggregate(self.aggregate(field, collection, &mut measures)?),
                _ => return Err(unplanned(field.field())),
            };
            fields.push(selected(self.document, field, at, kind));
        }
        self.within.pop();
        if let Slot::Fold(fold) = &mut self.slots[slot] {
            fold.measures = measures;
        }
        Ok((FoldPlan { slot, relations }, fields))
    }

    /// The slot of a fold over the records of the list in another slot.
    pub(super) fn fold_slot(
        &mut self,
        list: usize,
        (name, location): (&str, (u32, u32)),
        measures: Vec<MeasurePlan>,
        groups: Option<GroupTemplates>,
    ) -> usize {
        let Slot::List(list) = &self.slots[list] else { unreachable!("records of a list are folded") };
        let fold = FoldSlot {
            collection: list.collection,
            via: list.via,
            within: list.within,
            name: format!("{}.{name}", list.name).into(),
            location,
            filter: list.filter.clone(),
            measures,
            groups,
        };
        self.slot(Slot::Fold(Box::new(fold)))
    }

    fn key_fields(
        &mut self,
        field: &Collected<'d>,
        collection: &'d Collection,
        relations: &mut Vec<RelationPlan>,
    ) -> Result<Vec<Selected<KeyField>>, Failure> {
        let catalog = self.catalog;
        let collected = self.collect(&collection.group_values_type(), &field.selections())?;
        let mut fields = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = match (field.name(), collection.field_named(field.name())) {
                ("__typename", _) => KeyField::Typename(json_string(&collection.group_values_type())),
                (_, Some(known)) => match known.kind {
                    FieldKind::ToOne { target, .. } => {
                        let target = catalog.collection(target).expect("a catalog resolves its own relations");
                        let record = self.record(target, &field.selections())?;
                        relations.push(RelationPlan { field: known.id, record });
                        KeyField::Record { field: known.id, relation: relations.len() - 1 }
                    }
                    _ => KeyField::Value { field: known.id, leaf: self.leaf(known) },
                },
                (_, None) => return Err(unplanned(field.field())),
            };
            fields.push(selected(self.document, field, at, kind));
        }
        Ok(fields)
    }
}
