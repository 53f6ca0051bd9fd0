//! Root fields of a mutation, as nodes of the plan.

use super::build::{Builder, unplanned};
use super::collect::Collected;
use super::selection::{json_string, location, selected};
use super::tree::*;
use crate::Failure;
use crate::catalog::{Catalog, Collection};

/// What a root field of `Mutation` does, and to which collection.
pub(super) fn action_named<'a>(catalog: &'a Catalog, name: &str) -> Option<(&'a Collection, Action)> {
    catalog.collections.iter().find_map(|collection| {
        let action = if name == collection.create_field() {
            Action::Create
        } else if name == collection.create_many_field() {
            Action::CreateMany
        } else if name == collection.update_field() {
            Action::Update
        } else if name == collection.update_many_field() {
            Action::UpdateMany
        } else if name == collection.upsert_field() {
            Action::Upsert
        } else if name == collection.delete_field() {
            Action::Delete
        } else if name == collection.delete_many_field() {
            Action::DeleteMany
        } else {
            return None;
        };
        Some((collection, action))
    })
}

impl<'d> Builder<'d> {
    /// A root field that writes.
    pub(super) fn write(
        &mut self,
        field: &Collected<'d>,
        collection: &'d Collection,
        action: Action,
    ) -> Result<WritePlan, Failure> {
        let argument = |name| self.argument(field.field(), name);
        let data = argument(if action == Action::Upsert { "create" } else { "data" });
        let (by, condition, version) = (argument("by"), argument("if"), argument("ifVersion"));
        let edits = EditTemplates {
            update: argument("update"),
            increment: argument("increment"),
            push: argument("push"),
            pull: argument("pull"),
            merge: argument("merge"),
        };
        let conflict = argument("onConflict");
        let chosen = argument("where").map(|filter| ChosenSlot {
            collection: collection.id,
            name: field.name().into(),
            location: location(self.document, field),
            filter,
            at_most: argument("maxAffected"),
        });
        let chosen = chosen.map(|chosen| self.slot(Slot::Chosen(Box::new(chosen))));
        let type_name = match action {
            Action::Create | Action::Update => collection.payload_type(),
            Action::CreateMany | Action::UpdateMany => collection.many_payload_type(),
            Action::Upsert => collection.upsert_payload_type(),
            Action::Delete => collection.delete_payload_type(),
            Action::DeleteMany => collection.many_delete_payload_type(),
        };
        let collected = self.collect(&type_name, &field.selections())?;
        let mut payload = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = self.payload_field(field, collection, &type_name)?;
            payload.push(selected(self.document, field, at, kind));
        }
        Ok(WritePlan {
            collection: collection.id,
            action,
            data,
            edits,
            conflict,
            by,
            condition,
            version,
            chosen,
            payload,
        })
    }

    fn payload_field(
        &mut self,
        field: &Collected<'d>,
        collection: &'d Collection,
        type_name: &str,
    ) -> Result<PayloadField, Failure> {
        Ok(match field.name() {
            "__typename" => PayloadField::Typename(json_string(type_name)),
            "affectedCount" => PayloadField::AffectedCount,
            "created" => PayloadField::Created,
            "deletedId" => PayloadField::DeletedId,
            "deletedIds" => PayloadField::DeletedIds,
            "commit" => PayloadField::Commit(self.simple("Commit", field, |name| match name {
                "__typename" => Some(CommitField::Typename),
                "version" => Some(CommitField::Version),
                "time" => Some(CommitField::Time),
                _ => None,
            })?),
            "query" => PayloadField::Query(self.query_roots(&field.selections())?),
            name if name == collection.singular => PayloadField::Record(self.record(collection, &field.selections())?),
            name if name == collection.plural => PayloadField::Records(self.record(collection, &field.selections())?),
            name if name == collection.edge_field() => {
                let mut views = Vec::new();
                let fields = self.edges(field, collection, &mut views)?;
                PayloadField::Edge { fields, views }
            }
            _ => return Err(unplanned(field.field())),
        })
    }
}
