//! Selections over records, embedded values and connections, as nodes of the plan.

use super::build::{Builder, unplanned};
use super::collect::Collected;
use super::fold::{FoldPlan, MeasurePlan};
use super::tree::*;
use crate::catalog::{Collection, Field, FieldKind, Scalar};
use crate::{Failure, scalar};
use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::SelectionSet;
use vivarium_storage::FieldId;

impl<'d> Builder<'d> {
    /// A selection over records of a collection.
    pub(super) fn record(
        &mut self,
        collection: &'d Collection,
        sets: &[&'d SelectionSet],
    ) -> Result<RecordPlan, Failure> {
        let mut children = Vec::new();
        let place = Place { type_name: &collection.name, path: &[], collection: Some(collection) };
        let fields = self.fields_of(&place, &collection.fields, sets, &mut children)?;
        Ok(RecordPlan { collection: collection.id, fields, children })
    }

    fn fields_of(
        &mut self,
        place: &Place<'_, 'd>,
        known: &'d [Field],
        sets: &[&'d SelectionSet],
        children: &mut Vec<ChildPlan>,
    ) -> Result<Vec<Selected<RecordField>>, Failure> {
        let collected = self.collect(place.type_name, sets)?;
        let mut fields = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = match (field.name(), place.collection) {
                ("__typename", _) => RecordField::Typename(json_string(place.type_name)),
                ("id", Some(_)) => RecordField::Id,
                ("_meta", Some(_)) => RecordField::Meta(self.meta(field)?),
                (name, _) => {
                    let known = known.iter().find(|field| field.name == name);
                    let known = known.ok_or_else(|| unplanned(field.field()))?;
                    self.record_field(place, known, field, children)?
                }
            };
            fields.push(selected(self.document, field, at, kind));
        }
        Ok(fields)
    }

    fn record_field(
        &mut self,
        place: &Place<'_, 'd>,
        known: &'d Field,
        field: &Collected<'d>,
        children: &mut Vec<ChildPlan>,
    ) -> Result<RecordField, Failure> {
        let (id, required) = (known.id, known.required);
        let path = || [place.path, &[id]].concat();
        let catalog = self.catalog;
        let of = |id| catalog.collection(id).expect("a catalog resolves its own relations");
        Ok(match (known.kind, known.list) {
            (FieldKind::Scalar(Scalar::Json), None) => {
                let path = self.argument(field.field(), "path");
                RecordField::Json { field: id, slot: self.slot(Slot::Path(path)), required }
            }
            (FieldKind::Scalar(_) | FieldKind::Enum(_), None) => {
                RecordField::Leaf { field: id, leaf: self.leaf(known), required }
            }
            (FieldKind::Scalar(_) | FieldKind::Enum(_), Some(list)) => {
                let element_required = list.element_required;
                RecordField::Leaves { field: id, leaf: self.leaf(known), required, element_required }
            }
            (FieldKind::Embedded(type_id), list) => {
                let embedded = catalog.embedded(type_id).expect("a catalog resolves its own types");
                let path = path();
                let place = Place { type_name: &embedded.name, path: &path, collection: None };
                let fields = self.fields_of(&place, &embedded.fields, &field.selections(), children)?;
                match list {
                    None => RecordField::Embedded { field: id, fields, required },
                    Some(list) => {
                        let element_required = list.element_required;
                        RecordField::Elements { field: id, fields, required, element_required }
                    }
                }
            }
            (FieldKind::ToOne { target, .. }, _) => {
                let record = self.record(of(target), &field.selections())?;
                let child = push(children, ChildPlan::Reference { path: path(), record });
                RecordField::ToOne { field: id, child, required }
            }
            (FieldKind::OneToOne { target, index, .. }, _) => {
                let record = self.record(of(target), &field.selections())?;
                self.followed.push(index);
                RecordField::OneToOne { child: push(children, ChildPlan::OneToOne { index, record }), required }
            }
            (FieldKind::OneToMany { target, field: reference, index }, _) => {
                let via = Via::Reference { index, field: reference };
                let connection = self.connection(field, of(target), Some(via))?;
                RecordField::Connection { child: push(children, ChildPlan::Connection(connection)) }
            }
            (FieldKind::ManyToMany { target, links, .. }, _) => {
                let connection = self.connection(field, of(target), Some(Via::Links { index: links }))?;
                RecordField::Connection { child: push(children, ChildPlan::Connection(connection)) }
            }
        })
    }

    pub(super) fn leaf(&self, field: &Field) -> Leaf {
        match field.kind {
            FieldKind::Enum(type_id) => {
                let enum_type = self.catalog.enum_type(type_id).expect("a catalog resolves its own types");
                let name = |value: &crate::catalog::EnumValue| (value.number, json_string(&value.name));
                let mut names: Vec<(i64, Box<[u8]>)> = enum_type.values.iter().map(name).collect();
                names.sort_unstable();
                Leaf::Enum(names)
            }
            FieldKind::Scalar(scalar) => Leaf::Scalar(scalar),
            _ => unreachable!("leaves are scalars and enums"),
        }
    }

    fn meta(&mut self, field: &Collected<'d>) -> Result<Vec<Selected<MetaField>>, Failure> {
        self.simple("RecordMeta", field, |name| match name {
            "__typename" => Some(MetaField::Typename),
            "version" => Some(MetaField::Version),
            "createdAt" => Some(MetaField::CreatedAt),
            "updatedAt" => Some(MetaField::UpdatedAt),
            _ => None,
        })
    }

    /// The fields of a type that holds nothing but plain values.
    pub(super) fn simple<T>(
        &mut self,
        type_name: &str,
        field: &Collected<'d>,
        kind: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<Selected<T>>, Failure> {
        let collected = self.collect(type_name, &field.selections())?;
        let mut fields = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = kind(field.name()).ok_or_else(|| unplanned(field.field()))?;
            fields.push(selected(self.document, field, at, kind));
        }
        Ok(fields)
    }

    /// A connection, at the root or of each parent.
    pub(super) fn connection(
        &mut self,
        field: &Collected<'d>,
        collection: &'d Collection,
        via: Option<Via>,
    ) -> Result<ConnectionPlan, Failure> {
        let slot = self.list_slot(field, collection, via);
        let slot = self.slot(Slot::List(Box::new(slot)));
        self.within.push(slot);
        let mut needs = Needs::default();
        let (mut views, mut folds) = (Vec::new(), Vec::new());
        let fields = self.connection_fields(field, (slot, collection), &mut needs, &mut views, &mut folds)?;
        self.within.pop();
        if let Slot::List(list) = &mut self.slots[slot] {
            list.needs = needs;
        }
        Ok(ConnectionPlan { slot, collection: collection.id, needs, fields, views, folds })
    }

    /// The arguments of a list of records of a collection.
    pub(super) fn list_slot(&self, field: &Collected<'d>, collection: &Collection, via: Option<Via>) -> ListSlot {
        let argument = |name| self.argument(field.field(), name);
        ListSlot {
            collection: collection.id,
            via,
            within: self.within.last().copied(),
            name: field.key.into(),
            location: location(self.document, field),
            filter: argument("where"),
            order: argument("orderBy"),
            first: argument("first"),
            last: argument("last"),
            after: argument("after"),
            before: argument("before"),
            offset: argument("offset"),
            needs: Needs::default(),
        }
    }

    fn connection_fields(
        &mut self,
        field: &Collected<'d>,
        (slot, collection): (usize, &'d Collection),
        needs: &mut Needs,
        views: &mut Vec<RecordPlan>,
        folds: &mut Vec<FoldPlan>,
    ) -> Result<Vec<Selected<ConnectionField>>, Failure> {
        let collected = self.collect(&collection.connection_type(), &field.selections())?;
        let mut fields = Vec::with_capacity(collected.len());
        let mut aggregate: Option<usize> = None;
        for (at, field) in collected.iter().enumerate() {
            let kind = match field.name() {
                "__typename" => ConnectionField::Typename(json_string(&collection.connection_type())),
                "nodes" => {
                    needs.records = true;
                    let record = self.record(collection, &field.selections())?;
                    ConnectionField::Nodes { view: push(views, record) }
                }
                "edges" => {
                    needs.records = true;
                    let edges = self.edges(field, collection, views)?;
                    needs.cursors |= edges.iter().any(|edge| matches!(edge.kind, EdgeField::Cursor));
                    ConnectionField::Edges(edges)
                }
                "pageInfo" => ConnectionField::PageInfo(self.page_info(field, needs)?),
                "totalCount" => {
                    needs.total = true;
                    ConnectionField::TotalCount
                }
                "aggregate" => {
                    let fold = *aggregate.get_or_insert_with(|| {
                        let place = (field.key, location(self.document, field));
                        let slot = self.fold_slot(slot, place, Vec::new(), None);
                        push(folds, FoldPlan { slot, relations: Vec::new() })
                    });
                    let mut measures = self.take_measures(folds[fold].slot);
                    let fields = self.aggregate(field, collection, &mut measures)?;
                    if let Slot::Fold(slot) = &mut self.slots[folds[fold].slot] {
                        slot.measures = measures;
                    }
                    ConnectionField::Aggregate { fold, fields }
                }
                "groups" => {
                    let (fold, fields) = self.groups(field, collection, slot)?;
                    ConnectionField::Groups { fold: push(folds, fold), fields }
                }
                _ => return Err(unplanned(field.field())),
            };
            fields.push(selected(self.document, field, at, kind));
        }
        Ok(fields)
    }

    /// What the aggregates so far gather.
    fn take_measures(&mut self, slot: usize) -> Vec<MeasurePlan> {
        match &mut self.slots[slot] {
            Slot::Fold(fold) => std::mem::take(&mut fold.measures),
            _ => unreachable!("the slot was made for a fold"),
        }
    }

    /// The fields of an edge.
    pub(super) fn edges(
        &mut self,
        field: &Collected<'d>,
        collection: &'d Collection,
        views: &mut Vec<RecordPlan>,
    ) -> Result<Vec<Selected<EdgeField>>, Failure> {
        let collected = self.collect(&collection.edge_type(), &field.selections())?;
        let mut fields = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = match field.name() {
                "__typename" => EdgeField::Typename(json_string(&collection.edge_type())),
                "cursor" => EdgeField::Cursor,
                "score" => EdgeField::Score,
                "node" => {
                    let record = self.record(collection, &field.selections())?;
                    EdgeField::Node { view: push(views, record) }
                }
                _ => return Err(unplanned(field.field())),
            };
            fields.push(selected(self.document, field, at, kind));
        }
        Ok(fields)
    }

    /// The fields of `pageInfo`, and what has to be known for them.
    pub(super) fn page_info(
        &mut self,
        field: &Collected<'d>,
        needs: &mut Needs,
    ) -> Result<Vec<Selected<PageInfoField>>, Failure> {
        let fields = self.simple("PageInfo", field, |name| match name {
            "__typename" => Some(PageInfoField::Typename),
            "hasNextPage" => Some(PageInfoField::HasNextPage),
            "hasPreviousPage" => Some(PageInfoField::HasPreviousPage),
            "startCursor" => Some(PageInfoField::StartCursor),
            "endCursor" => Some(PageInfoField::EndCursor),
            _ => None,
        })?;
        for field in &fields {
            match field.kind {
                PageInfoField::Typename => {}
                PageInfoField::HasNextPage => needs.next = true,
                PageInfoField::HasPreviousPage => needs.previous = true,
                PageInfoField::StartCursor | PageInfoField::EndCursor => {
                    needs.cursors = true;
                    needs.records = true;
                }
            }
        }
        Ok(fields)
    }
}

/// The type whose fields are selected, and where its values are in the document.
struct Place<'p, 'd> {
    type_name: &'p str,
    path: &'p [FieldId],
    collection: Option<&'d Collection>,
}

/// A field of the answer, `at` its place among its siblings.
pub(super) fn selected<T>(document: &ExecutableDocument, field: &Collected<'_>, at: usize, kind: T) -> Selected<T> {
    let mut prefix = Vec::with_capacity(field.key.len() + 4);
    if at > 0 {
        prefix.push(b',');
    }
    scalar::write_string(field.key, &mut prefix);
    prefix.push(b':');
    let location = location(document, field);
    Selected { key: field.key.into(), prefix: prefix.into_boxed_slice(), location, kind }
}

/// A name as a JSON string.
pub(super) fn json_string(text: &str) -> Box<[u8]> {
    let mut out = Vec::with_capacity(text.len() + 2);
    scalar::write_string(text, &mut out);
    out.into_boxed_slice()
}

/// Where a field stands in the document's text.
pub(super) fn location(document: &ExecutableDocument, field: &Collected<'_>) -> (u32, u32) {
    let place = field.field().line_column_range(&document.sources).map(|range| range.start);
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    place.map_or((0, 0), |place| (number(place.line), number(place.column)))
}

fn push<T>(list: &mut Vec<T>, item: T) -> usize {
    list.push(item);
    list.len() - 1
}
