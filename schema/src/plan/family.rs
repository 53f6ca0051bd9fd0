//! Selections over the records of a family, as nodes of the plan: each selection is planned once for each member.

use super::build::{Builder, unplanned};
use super::collect::Collected;
use super::selection::{json_string, selected};
use super::tree::*;
use crate::Failure;
use crate::catalog::{Collection, Family};

impl<'d> Builder<'d> {
    /// A list of all records of a family.
    pub(super) fn family(&mut self, field: &Collected<'d>, family: &'d Family) -> Result<FamilyPlan, Failure> {
        let members: Vec<&'d Collection> = self.catalog.members(family).collect();
        let slots = members.iter().map(|member| self.list_slot(field, member, None)).collect();
        let slot = self.slot(Slot::Family(slots));
        self.within.push(slot);
        let mut plan = FamilyPlan {
            slot,
            members: family.members.clone(),
            needs: Needs::default(),
            fields: Vec::new(),
            views: Vec::new(),
        };
        let connection_type = family.connection_type();
        let collected = self.collect(&connection_type, &field.selections())?;
        for (at, field) in collected.iter().enumerate() {
            let kind = match field.name() {
                "__typename" => ConnectionField::Typename(json_string(&connection_type)),
                "nodes" => {
                    plan.needs.records = true;
                    ConnectionField::Nodes { view: self.view(field, &members, &mut plan)? }
                }
                "edges" => {
                    plan.needs.records = true;
                    ConnectionField::Edges(self.family_edges(field, family, &members, &mut plan)?)
                }
                "pageInfo" => ConnectionField::PageInfo(self.page_info(field, &mut plan.needs)?),
                "totalCount" => {
                    plan.needs.total = true;
                    ConnectionField::TotalCount
                }
                _ => return Err(unplanned(field.field())),
            };
            plan.fields.push(selected(self.document, field, at, kind));
        }
        self.within.pop();
        for (member, needs) in (0..members.len()).map(|member| (member, plan.needs)) {
            if let Slot::Family(slots) = &mut self.slots[slot] {
                slots[member].needs = needs;
            }
        }
        Ok(plan)
    }

    fn family_edges(
        &mut self,
        field: &Collected<'d>,
        family: &'d Family,
        members: &[&'d Collection],
        plan: &mut FamilyPlan,
    ) -> Result<Vec<Selected<EdgeField>>, Failure> {
        let collected = self.collect(&family.edge_type(), &field.selections())?;
        let mut fields = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let kind = match field.name() {
                "__typename" => EdgeField::Typename(json_string(&family.edge_type())),
                "cursor" => EdgeField::Cursor,
                "score" => EdgeField::Score,
                "node" => EdgeField::Node { view: self.view(field, members, plan)? },
                _ => return Err(unplanned(field.field())),
            };
            fields.push(selected(self.document, field, at, kind));
        }
        Ok(fields)
    }

    /// What is selected of the records, for each member.
    fn view(
        &mut self,
        field: &Collected<'d>,
        members: &[&'d Collection],
        plan: &mut FamilyPlan,
    ) -> Result<usize, Failure> {
        let of = |member: &&'d Collection| self.record(member, &field.selections());
        plan.views.push(members.iter().map(of).collect::<Result<_, _>>()?);
        Ok(plan.views.len() - 1)
    }
}
