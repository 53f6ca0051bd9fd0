//! The indexes that lead an operation to records, by its plan: what counts as their use.

use super::access::{Access, BackRelation, Choice};
use super::bind::{Bound, BoundSlot};
use super::tree::{Needs, Plan, Slot};
use vivarium_storage::IndexId;

/// The indexes that an operation reads, each once. Those of relations that only a filter or an order looks through are
/// not among them.
pub(crate) fn indexes(plan: &Plan, bound: &Bound) -> Vec<IndexId> {
    let mut found = plan.followed.clone();
    for (slot, bound) in plan.slots.iter().zip(&bound.slots) {
        match (slot, bound) {
            // Of a connection that is only folded, what its folds say is read.
            (Slot::List(list), _) if list.needs == Needs::default() => {}
            (_, BoundSlot::List(list)) => of_choice(&list.choice, &mut found),
            (_, BoundSlot::Fold(fold)) => of_choice(&fold.choice, &mut found),
            (_, BoundSlot::Family(family)) => family.lists.iter().for_each(|list| of_choice(&list.choice, &mut found)),
            (_, BoundSlot::Key(key)) => found.extend(key.index()),
            (_, BoundSlot::Ids(_) | BoundSlot::Path(_)) => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn of_choice(choice: &Choice, found: &mut Vec<IndexId>) {
    match &choice.access {
        Access::Index { index, .. } | Access::Links { index, .. } => found.push(*index),
        Access::Back { relation: BackRelation::Links(index), .. } => found.push(*index),
        Access::Back { .. } | Access::Ids(_) | Access::Documents { .. } => {}
        Access::Intersection(_) | Access::Union { .. } => {}
    }
    choice.parts().into_iter().for_each(|part| of_choice(part, found));
    if let Some((_, otherwise)) = &choice.otherwise {
        of_choice(otherwise, found);
    }
}
