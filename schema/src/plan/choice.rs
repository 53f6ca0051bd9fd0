//! The choice among candidates: the cheapest way to the records of a list, and what to do when it was a wrong guess.

use super::access::{Access, Choice};
use super::candidate::{Candidate, Chooser};
use super::order::Order;
use super::statistics::{Entries, Statistics};
use super::tree::Via;
use crate::catalog::{Catalog, Collection};
use crate::filter::Filter;
use vivarium_storage::key::{self, Direction};
use vivarium_storage::{CollectionId, DatabaseId, FieldId};

/// What choosing needs to know.
pub(crate) struct Planning<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) database: DatabaseId,
    pub(crate) statistics: &'a Statistics<'a>,
}

/// What is asked of an access.
pub(crate) struct Wanted<'a> {
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) order: &'a Order,
    /// Records that are enough when they come in order; `None` when all are needed.
    pub(crate) enough: Option<usize>,
    /// All that match are counted: by entries alone where these come in order and no filter is left, else by reading them.
    pub(crate) counted: bool,
    pub(crate) via: Option<Via>,
    /// Entries to gather before another way is taken: what is known before reading is a guess.
    pub(crate) gather_max: usize,
}

impl Choice {
    /// The cheapest way to what is wanted.
    pub(crate) fn of(planning: &Planning<'_>, collection: &Collection, wanted: &Wanted<'_>) -> Choice {
        let mut chooser = Chooser::of(planning, collection, wanted);
        let mut candidates = chooser.singles();
        let filters = |at: usize| candidates[at].covered.len() < chooser.conjuncts.len();
        if wanted.via.is_none() && cheapest(&candidates, |_| true).is_some_and(filters) {
            candidates = chooser.look(candidates);
            candidates.extend(chooser.intersection(&candidates));
            candidates.extend(chooser.unions());
        }
        let at = cheapest(&candidates, |_| true).expect("there is always a scan");
        let chosen = candidates.swap_remove(at);
        let gathers = match &chosen.access {
            Access::Index { .. } | Access::Back { .. } | Access::Intersection(_) => true,
            Access::Union { merged, .. } => !merged,
            Access::Ids(_) | Access::Links { .. } | Access::Documents { .. } => false,
        };
        let mut choice = chooser.choice(chosen);
        choice.count(planning);
        if wanted.enough.is_some() && !wanted.counted && wanted.via.is_none() && gathers && !choice.ordered {
            let ordered = cheapest(&candidates, Candidate::streams);
            let otherwise = ordered.map(|at| Box::new(chooser.choice(candidates.swap_remove(at))));
            choice.otherwise = otherwise.map(|otherwise| (wanted.gather_max, otherwise));
        }
        choice
    }

    /// Replaces the guess of how much a scan reads. What is chosen was chosen as for a collection that has grown.
    fn count(&mut self, planning: &Planning<'_>) {
        if self.scans
            && let Some(Entries::Exactly(records)) =
                planning.statistics.records(key::documents(planning.database, self.collection))
        {
            let records = records as f64;
            self.cost *= records / self.rows.max(1.0);
            self.rows = records;
        }
    }

    /// The cheapest index whose entries tell the values of `fields` of all that is wanted, and of nothing else. No
    /// document is read then.
    pub(crate) fn covering(
        planning: &Planning<'_>,
        collection: &Collection,
        wanted: &Wanted<'_>,
        fields: &[FieldId],
    ) -> Option<Choice> {
        let mut chooser = Chooser::of(planning, collection, wanted);
        let mut candidates = match wanted.via {
            Some(Via::Links { .. }) if fields.is_empty() && wanted.filter.is_none() => chooser.singles(),
            Some(Via::Links { .. }) => return None,
            _ => {
                let indexes = collection.indexes.iter().filter(|index| index.ready);
                indexes.filter_map(|index| chooser.by_cover(index, fields)).collect()
            }
        };
        let at = cheapest(&candidates, |_| true)?;
        Some(chooser.choice(candidates.swap_remove(at)))
    }
}

/// The place of the cheapest of those that are wanted.
pub(super) fn cheapest(candidates: &[Candidate], wanted: impl Fn(&Candidate) -> bool) -> Option<usize> {
    let places = (0..candidates.len()).filter(|at| wanted(&candidates[*at]));
    places.min_by(|one, other| candidates[*one].cost.total_cmp(&candidates[*other].cost))
}

/// The cheapest way to all records that match a filter, in any order.
pub(crate) fn select(planning: &Planning<'_>, collection: CollectionId, filter: &Filter) -> Choice {
    let collection = planning.catalog.collection(collection).expect("a catalog resolves its own relations");
    let order = Order { keys: Vec::new(), ids: Direction::Ascending, hash: 0 };
    let filter = Some(filter);
    let wanted = Wanted { filter, order: &order, enough: None, counted: false, via: None, gather_max: usize::MAX };
    Choice::of(planning, collection, &wanted)
}
