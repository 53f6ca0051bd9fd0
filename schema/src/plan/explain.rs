//! EXPLAIN: a bound plan as text for people.

use super::access::{Access, BackRelation, Bound as ElementBound, Choice, Element};
use super::bind::{Bound, BoundList};
use super::fold::FoldPlan;
use super::order::{Order, OrderLeaf, Step};
use super::tree::*;
use crate::catalog::{Catalog, Collection, FieldKind};
use crate::record_key::RecordKey;
use std::fmt::{self, Display, Formatter};
use vivarium_storage::Value;
use vivarium_storage::key::Direction;

/// A plan with everything that its names need.
pub(crate) struct Explained<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) bound: &'a Bound,
    pub(crate) catalog: &'a Catalog,
}

impl Display for Explained<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} cost={}", if self.plan.mutation { "mutation" } else { "query" }, self.bound.cost)?;
        for root in &self.plan.roots {
            self.root(out, root, 1)?;
        }
        for warning in &self.bound.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        Ok(())
    }
}

impl Explained<'_> {
    fn root(&self, out: &mut Formatter<'_>, root: &Selected<Root>, depth: usize) -> fmt::Result {
        let key = &root.key;
        match &root.kind {
            Root::Typename(_) => Ok(()),
            Root::Introspection => line(out, depth, format_args!("{key}: introspection")),
            Root::Get { slot, record } => {
                let name = &self.collection(record.collection).name;
                match self.bound.key(*slot) {
                    RecordKey::Id(_) => line(out, depth, format_args!("{key}: {name} by id, rows=1"))?,
                    RecordKey::Unique(_) => line(out, depth, format_args!("{key}: {name} by unique key, rows=1"))?,
                    RecordKey::Nobody => line(out, depth, format_args!("{key}: {name} nothing, rows=0"))?,
                }
                self.record(out, record, depth + 1)
            }
            Root::List(connection) => self.connection(out, key, connection, depth),
            Root::Family(family) => self.family(out, key, family, depth),
            Root::Node { variants, .. } | Root::Nodes { variants, .. } => {
                line(out, depth, format_args!("{key}: records by id"))?;
                variants.iter().try_for_each(|variant| self.record(out, variant, depth + 1))
            }
            Root::Write(write) => self.write(out, key, write, depth),
        }
    }

    fn write(&self, out: &mut Formatter<'_>, key: &str, write: &WritePlan, depth: usize) -> fmt::Result {
        let action = match write.action {
            Action::Create => "create",
            Action::CreateMany => "create many",
            Action::Update => "update",
            Action::UpdateMany => "update many",
            Action::Upsert => "upsert",
            Action::Delete => "delete",
            Action::DeleteMany => "delete many",
        };
        line(out, depth, format_args!("{key}: {action} {}", self.collection(write.collection).name))?;
        if let Some(slot) = write.chosen {
            self.chosen(out, slot, depth + 1)?;
        }
        for field in &write.payload {
            match &field.kind {
                PayloadField::Record(record) | PayloadField::Records(record) => self.record(out, record, depth + 1)?,
                PayloadField::Edge { views, .. } => {
                    views.iter().try_for_each(|view| self.record(out, view, depth + 1))?;
                }
                PayloadField::Query(roots) => roots.iter().try_for_each(|root| self.root(out, root, depth + 1))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn record(&self, out: &mut Formatter<'_>, record: &RecordPlan, depth: usize) -> fmt::Result {
        self.fields(out, &record.fields, &record.children, depth)
    }

    fn fields(
        &self,
        out: &mut Formatter<'_>,
        fields: &[Selected<RecordField>],
        children: &[ChildPlan],
        depth: usize,
    ) -> fmt::Result {
        for field in fields {
            let child = match &field.kind {
                RecordField::ToOne { child, .. }
                | RecordField::OneToOne { child, .. }
                | RecordField::Connection { child } => &children[*child],
                RecordField::Embedded { fields, .. } | RecordField::Elements { fields, .. } => {
                    self.fields(out, fields, children, depth)?;
                    continue;
                }
                _ => continue,
            };
            let key = &field.key;
            match child {
                ChildPlan::Reference { record, .. } => {
                    line(out, depth, format_args!("{key}: {} by reference", self.collection(record.collection).name))?;
                    self.record(out, record, depth + 1)?;
                }
                ChildPlan::OneToOne { record, .. } => {
                    line(
                        out,
                        depth,
                        format_args!("{key}: {} by unique index", self.collection(record.collection).name),
                    )?;
                    self.record(out, record, depth + 1)?;
                }
                ChildPlan::Connection(connection) => self.connection(out, key, connection, depth)?,
            }
        }
        Ok(())
    }

    fn connection(&self, out: &mut Formatter<'_>, key: &str, connection: &ConnectionPlan, depth: usize) -> fmt::Result {
        let list = self.bound.list(connection.slot);
        let collection = self.collection(connection.collection);
        line(out, depth, format_args!("{key}: {} {}", collection.name, self.paging(list)))?;
        // What is only folded is read as its folds say.
        if connection.needs != Needs::default() {
            self.choice(out, &list.choice, depth + 1)?;
            if !list.choice.ordered {
                line(out, depth + 1, format_args!("sort by {}", self.order(collection, &list.order)))?;
            }
        }
        connection.views.iter().try_for_each(|view| self.record(out, view, depth + 1))?;
        connection.folds.iter().try_for_each(|fold| self.fold(out, fold, depth + 1))
    }

    fn fold(&self, out: &mut Formatter<'_>, fold: &FoldPlan, depth: usize) -> fmt::Result {
        let bound = self.bound.fold(fold.slot);
        let collection = self.collection(bound.choice.collection);
        let name = |id| collection.field(id).map_or("", |field| field.name.as_str());
        let mut text = match &bound.groups {
            None => "aggregate".to_owned(),
            Some(groups) => {
                let keys: Vec<&str> = bound.keys.iter().map(|key| name(key.field)).collect();
                format!("groups by {} first {} offset {}", keys.join(", "), groups.first, groups.offset)
            }
        };
        if bound.columns.is_some() {
            text.push_str(" from entries alone");
        }
        line(out, depth, format_args!("{text}"))?;
        self.choice(out, &bound.choice, depth + 1)?;
        fold.relations.iter().try_for_each(|relation| self.record(out, &relation.record, depth + 1))
    }

    fn family(&self, out: &mut Formatter<'_>, key: &str, family: &FamilyPlan, depth: usize) -> fmt::Result {
        let bound = self.bound.family(family.slot);
        let names: Vec<&str> = family.members.iter().map(|id| self.collection(*id).name.as_str()).collect();
        let end = if bound.backward { "last" } else { "first" };
        line(out, depth, format_args!("{key}: {} merged, {end} {}", names.join(" and "), bound.count))?;
        for (list, id) in bound.lists.iter().zip(&family.members) {
            self.choice(out, &list.choice, depth + 1)?;
            if !list.choice.ordered {
                let order = self.order(self.collection(*id), &list.order);
                line(out, depth + 1, format_args!("sort by {order}"))?;
            }
        }
        family.views.iter().flatten().try_for_each(|view| self.record(out, view, depth + 1))
    }

    /// The records that a write of several is about.
    fn chosen(&self, out: &mut Formatter<'_>, slot: usize, depth: usize) -> fmt::Result {
        let list = self.bound.list(slot);
        line(
            out,
            depth,
            format_args!("at most {} {}", list.paging.count - 1, self.collection(list.choice.collection).name),
        )?;
        self.choice(out, &list.choice, depth + 1)
    }

    fn paging(&self, list: &BoundList) -> String {
        let paging = &list.paging;
        let mut text = format!("{} {}", if paging.backward { "last" } else { "first" }, paging.count);
        if paging.offset > 0 {
            text.push_str(&format!(" offset {}", paging.offset));
        }
        if paging.after.is_some() {
            text.push_str(" after a cursor");
        }
        if paging.before.is_some() {
            text.push_str(" before a cursor");
        }
        text
    }

    fn choice(&self, out: &mut Formatter<'_>, choice: &Choice, depth: usize) -> fmt::Result {
        let collection = self.collection(choice.collection);
        let mut text = match &choice.access {
            Access::Ids(ids) => format!("{} by {} ids", collection.name, ids.len()),
            Access::Documents { .. } => format!("scan of all {}", collection.name),
            Access::Links { .. } => "links of each parent".to_owned(),
            Access::Back { relation, .. } => match relation {
                BackRelation::Reference(_) => format!("{} that selected records refer to", collection.name),
                BackRelation::Links(_) => format!("{} linked to selected records", collection.name),
            },
            Access::Index { index, elements, .. } => {
                let index = collection.index(*index).expect("a choice is used with its own catalog");
                let bound: Vec<String> = elements.iter().map(element).collect();
                let kind = if index.unique { "unique index" } else { "index" };
                format!("{kind} {} on {} [{}]", index.name, collection.name, bound.join(", "))
            }
        };
        let reverse = match &choice.access {
            Access::Index { reverse, .. } | Access::Links { reverse, .. } | Access::Documents { reverse } => *reverse,
            _ => false,
        };
        if reverse {
            text.push_str(" reversed");
        }
        if choice.ordered {
            text.push_str(" in order");
        }
        if choice.residual.is_some() {
            text.push_str(" then filter");
        }
        line(out, depth, format_args!("{text}, rows~{:.0} cost~{:.0}", choice.rows.ceil(), choice.cost.ceil()))?;
        if let Some((most, otherwise)) = &choice.otherwise {
            line(out, depth, format_args!("beyond {most} entries instead:"))?;
            self.choice(out, otherwise, depth + 1)?;
        }
        if let Access::Back { from, .. } = &choice.access {
            self.choice(out, from, depth + 1)?;
        }
        if let Access::Index { elements, .. } = &choice.access {
            for element in elements {
                if let ElementBound::Selected(from) = &element.bound {
                    self.choice(out, from, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn order(&self, collection: &Collection, order: &Order) -> String {
        let mut keys = Vec::with_capacity(order.keys.len() + 1);
        for key in &order.keys {
            let mut fields = collection.fields.as_slice();
            let mut names: Vec<&str> = Vec::new();
            for step in &key.steps {
                let (Step::Embedded(id) | Step::Reference { field: id, .. }) = step else {
                    let Step::OneToOne { target, .. } = step else { unreachable!("the others have a field") };
                    names.push(&self.collection(*target).singular);
                    fields = &self.collection(*target).fields;
                    continue;
                };
                let field = fields.iter().find(|field| field.id == *id).expect("an order leads along fields");
                names.push(&field.name);
                fields = match (field.kind, step) {
                    (FieldKind::Embedded(type_id), _) => {
                        &self.catalog.embedded(type_id).expect("a catalog resolves its own types").fields
                    }
                    (_, Step::Reference { target, .. }) => &self.collection(*target).fields,
                    _ => unreachable!("steps lead through embedded values and references"),
                };
            }
            names.push(match key.leaf {
                OrderLeaf::Field(id) => {
                    let field = fields.iter().find(|field| field.id == id);
                    &field.expect("an order leads along fields").name
                }
                OrderLeaf::Id => "id",
                OrderLeaf::Count(_) => "count",
            });
            keys.push(format!("{} {}", names.join("."), direction(key.direction)));
        }
        keys.push(format!("id {}", direction(order.ids)));
        keys.join(", ")
    }

    fn collection(&self, id: vivarium_storage::CollectionId) -> &Collection {
        self.catalog.collection(id).expect("a plan is used with its own catalog")
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "asc",
        Direction::Descending => "desc",
    }
}

fn element(element: &Element) -> String {
    match &element.bound {
        ElementBound::Values(values) if values.len() == 1 => format!("= {}", shown(&values[0])),
        ElementBound::Values(values) => format!("in {} values", values.len()),
        ElementBound::Parent => "= parent".to_owned(),
        ElementBound::Selected(_) => "= selected".to_owned(),
        ElementBound::Prefix(text) => format!("begins with {text:?}"),
        ElementBound::Range { lower, upper } => {
            let side = |bound: &Option<(Value, bool)>, open: &str, closed: &str| {
                bound.as_ref().map(|(value, with)| format!("{} {}", if *with { closed } else { open }, shown(value)))
            };
            [side(lower, ">", ">="), side(upper, "<", "<=")].into_iter().flatten().collect::<Vec<_>>().join(" and ")
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Uuid(_) => "a record".to_owned(),
        _ => "a value".to_owned(),
    }
}

fn line(out: &mut Formatter<'_>, depth: usize, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(out, "{:indent$}{text}", "", indent = depth * 2)
}
