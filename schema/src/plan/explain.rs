//! EXPLAIN: a bound plan as a tree of steps, with what it is thought to cost and what it came to.

use super::access::{Access, BackRelation, Bound as ElementBound, Choice, Element};
use super::bind::{Bound, BoundList};
use super::fold::FoldPlan;
use super::order::{Order, OrderLeaf, Step};
use super::plan_node::{Estimate, PlanNode};
use super::suggest::suggestion;
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
        self.tree().lines(out, 0)?;
        for warning in &self.bound.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        Ok(())
    }
}

impl Explained<'_> {
    /// The whole plan.
    pub(crate) fn tree(&self) -> PlanNode {
        let (op, name) = if self.plan.mutation { ("Mutation", "mutation") } else { ("Query", "query") };
        let children = self.plan.roots.iter().filter_map(|root| self.root(root)).collect();
        PlanNode { children, ..PlanNode::new(op, format!("{name} cost={}", self.bound.cost)) }
    }

    fn root(&self, root: &Selected<Root>) -> Option<PlanNode> {
        let key = &root.key;
        Some(match &root.kind {
            Root::Typename(_) => return None,
            Root::Introspection => PlanNode::new("Introspection", format!("{key}: introspection")),
            Root::Get { slot, record } => {
                let name = &self.collection(record.collection).name;
                let how = match self.bound.key(*slot) {
                    RecordKey::Id(_) => "by id, rows=1",
                    RecordKey::Unique(_) => "by unique key, rows=1",
                    RecordKey::Nobody => "nothing, rows=0",
                };
                self.record("Get", format!("{key}: {name} {how}"), record)
            }
            Root::List(connection) => self.connection(key, connection),
            Root::Family(family) => self.family(key, family),
            Root::Node { variants, .. } | Root::Nodes { variants, .. } => {
                let children = variants.iter().flat_map(|variant| self.below(variant)).collect();
                PlanNode { children, ..PlanNode::new("Get", format!("{key}: records by id")) }
            }
            Root::Write(write) => self.write(key, write),
        })
    }

    fn write(&self, key: &str, write: &WritePlan) -> PlanNode {
        let action = match write.action {
            Action::Create => "create",
            Action::CreateMany => "create many",
            Action::Update => "update",
            Action::UpdateMany => "update many",
            Action::Upsert => "upsert",
            Action::Delete => "delete",
            Action::DeleteMany => "delete many",
        };
        let detail = format!("{key}: {action} {}", self.collection(write.collection).name);
        let mut node = PlanNode::new("Write", detail);
        node.children.extend(write.chosen.map(|slot| self.chosen(slot)));
        for field in &write.payload {
            match &field.kind {
                PayloadField::Record(record) | PayloadField::Records(record) => {
                    node.children.extend(self.below(record));
                }
                PayloadField::Edge { views, .. } => {
                    node.children.extend(views.iter().flat_map(|view| self.below(view)));
                }
                PayloadField::Query(roots) => node.children.extend(roots.iter().filter_map(|root| self.root(root))),
                _ => {}
            }
        }
        node
    }

    /// Records that are read as the detail says, with what is read below them.
    fn record(&self, op: &'static str, detail: String, record: &RecordPlan) -> PlanNode {
        let actual = self.bound.analysis.as_ref().and_then(|analysis| analysis.of(record));
        PlanNode { actual, children: self.below(record), ..PlanNode::new(op, detail) }
    }

    fn below(&self, record: &RecordPlan) -> Vec<PlanNode> {
        let mut nodes = Vec::new();
        self.fields(&record.fields, &record.children, &mut nodes);
        nodes
    }

    fn fields(&self, fields: &[Selected<RecordField>], children: &[ChildPlan], nodes: &mut Vec<PlanNode>) {
        for field in fields {
            let child = match &field.kind {
                RecordField::ToOne { child, .. }
                | RecordField::OneToOne { child, .. }
                | RecordField::Connection { child } => &children[*child],
                RecordField::Embedded { fields, .. } | RecordField::Elements { fields, .. } => {
                    self.fields(fields, children, nodes);
                    continue;
                }
                _ => continue,
            };
            let key = &field.key;
            let name = |record: &RecordPlan| &self.collection(record.collection).name;
            nodes.push(match child {
                ChildPlan::Reference { record, .. } => {
                    self.record("References", format!("{key}: {} by reference", name(record)), record)
                }
                ChildPlan::OneToOne { record, .. } => {
                    self.record("References", format!("{key}: {} by unique index", name(record)), record)
                }
                ChildPlan::Connection(connection) => self.connection(key, connection),
            });
        }
    }

    fn connection(&self, key: &str, connection: &ConnectionPlan) -> PlanNode {
        let list = self.bound.list(connection.slot);
        let collection = self.collection(connection.collection);
        let detail = format!("{key}: {} {}", collection.name, self.paging(list));
        let mut node = PlanNode::new("Connection", detail);
        node.actual = self.bound.analysis.as_ref().and_then(|analysis| analysis.of(connection));
        // What is only folded is read as its folds say.
        if connection.needs != Needs::default() {
            self.list(list, &mut node.children);
        }
        node.children.extend(connection.views.iter().flat_map(|view| self.below(view)));
        node.children.extend(connection.folds.iter().map(|fold| self.fold(fold)));
        node
    }

    /// How a list is read, and sorted.
    fn list(&self, list: &BoundList, nodes: &mut Vec<PlanNode>) {
        self.choice(&list.choice, Some(&list.order), nodes);
        if !list.choice.ordered {
            let order = self.order(self.collection(list.choice.collection), &list.order);
            nodes.push(PlanNode::new("Sort", format!("sort by {order}")));
        }
    }

    fn fold(&self, fold: &FoldPlan) -> PlanNode {
        let bound = self.bound.fold(fold.slot);
        let collection = self.collection(bound.choice.collection);
        let name = |id| collection.field(id).map_or("", |field| field.name.as_str());
        let (op, mut text) = match &bound.groups {
            None => ("Aggregate", "aggregate".to_owned()),
            Some(groups) => {
                let keys: Vec<&str> = bound.keys.iter().map(|key| name(key.field)).collect();
                let text = format!("groups by {} first {} offset {}", keys.join(", "), groups.first, groups.offset);
                ("Groups", text)
            }
        };
        if bound.columns.is_some() {
            text.push_str(" from entries alone");
        }
        let mut node = PlanNode::new(op, text);
        node.actual = self.bound.analysis.as_ref().and_then(|analysis| analysis.of(fold));
        self.choice(&bound.choice, None, &mut node.children);
        node.children.extend(fold.relations.iter().flat_map(|relation| self.below(&relation.record)));
        node
    }

    fn family(&self, key: &str, family: &FamilyPlan) -> PlanNode {
        let bound = self.bound.family(family.slot);
        let names: Vec<&str> = family.members.iter().map(|id| self.collection(*id).name.as_str()).collect();
        let end = if bound.backward { "last" } else { "first" };
        let detail = format!("{key}: {} merged, {end} {}", names.join(" and "), bound.count);
        let mut node = PlanNode::new("Family", detail);
        node.actual = self.bound.analysis.as_ref().and_then(|analysis| analysis.of(family));
        bound.lists.iter().for_each(|list| self.list(list, &mut node.children));
        node.children.extend(family.views.iter().flatten().flat_map(|view| self.below(view)));
        node
    }

    /// The records that a write of several is about.
    fn chosen(&self, slot: usize) -> PlanNode {
        let list = self.bound.list(slot);
        let name = &self.collection(list.choice.collection).name;
        let mut node = PlanNode::new("Connection", format!("at most {} {name}", list.paging.count - 1));
        self.choice(&list.choice, None, &mut node.children);
        node
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

    /// How records are reached, and what is done instead when that leads to too many.
    fn choice(&self, choice: &Choice, order: Option<&Order>, nodes: &mut Vec<PlanNode>) {
        let collection = self.collection(choice.collection);
        let (op, mut text) = self.access(choice);
        let mut node = PlanNode::new(op, String::new());
        if let Access::Index { index, .. } = &choice.access {
            node.index = collection.index(*index).map(|index| index.name.clone());
        }
        let reverse = match &choice.access {
            Access::Index { reverse, .. } | Access::Links { reverse, .. } | Access::Documents { reverse } => *reverse,
            _ => false,
        };
        if reverse {
            text.push_str(" reversed");
        }
        match choice.width() {
            _ if !choice.ordered => {}
            1 => text.push_str(" in order"),
            width => text.push_str(&format!(" in order merged from {width} streams")),
        }
        if choice.residual.is_some() {
            text.push_str(" then filter");
        }
        if choice.scans {
            let mut warning = format!("every {} is read", collection.name);
            if let Some(index) = suggestion(self.catalog, collection, choice, order) {
                warning.push_str(&format!(": {index} would serve it"));
            }
            node.warning = Some(warning);
        }
        node.detail = text;
        node.estimate = Some(Estimate { rows: choice.rows, cost: choice.cost });
        node.actual = self.bound.analysis.as_ref().and_then(|analysis| analysis.of(choice));
        choice.parts().into_iter().for_each(|part| self.choice(part, None, &mut node.children));
        nodes.push(node);
        if let Some((most, otherwise)) = &choice.otherwise {
            let mut node = PlanNode::new("Otherwise", format!("beyond {most} entries instead:"));
            self.choice(otherwise, order, &mut node.children);
            // It is read no further than a full page takes, because many match.
            node.children.iter_mut().for_each(|child| child.warning = None);
            nodes.push(node);
        }
    }

    fn access(&self, choice: &Choice) -> (&'static str, String) {
        let collection = self.collection(choice.collection);
        let name = &collection.name;
        match &choice.access {
            Access::Ids(ids) => ("Get", format!("{name} by {} ids", ids.len())),
            Access::Documents { .. } => ("Scan", format!("scan of all {name}")),
            Access::Links { .. } => ("Links", "links of each parent".to_owned()),
            Access::Back { relation: BackRelation::Reference(_), .. } => {
                ("SemiJoin", format!("{name} that selected records refer to"))
            }
            Access::Back { relation: BackRelation::Links(_), .. } => {
                ("SemiJoin", format!("{name} linked to selected records"))
            }
            Access::Intersection(parts) => {
                ("Intersection", format!("{name} that {} accesses all lead to", parts.len()))
            }
            Access::Union { parts, merged: false } => {
                ("Union", format!("{name} that one of {} accesses leads to", parts.len()))
            }
            Access::Union { parts, merged: true } => ("Merge", format!("{name} merged from {} accesses", parts.len())),
            Access::Index { index, elements, .. } => {
                let index = collection.index(*index).expect("a choice is used with its own catalog");
                let bound: Vec<String> = elements.iter().map(element).collect();
                let kind = if index.unique { "unique index" } else { "index" };
                ("IndexRange", format!("{kind} {} on {name} [{}]", index.name, bound.join(", ")))
            }
        }
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
