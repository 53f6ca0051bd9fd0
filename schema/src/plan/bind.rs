//! Plan and variables together: everything that can be refused before anything is read.

use super::Limits;
use super::access::{Access, Choice};
use super::analysis::Analysis;
use super::choice::{Planning, Wanted};
use super::fold::FoldSlot;
use super::groups::{BoundFold, GroupBinder, columns, looked_at};
use super::order::Order;
use super::paging::Paging;
use super::statistics::Statistics;
use super::suggest::suggestion;
use super::template::Template;
use super::tree::{ChosenSlot, ListSlot, Needs, Plan, Slot};
use super::variables::Variables;
use crate::catalog::{Catalog, Collection};
use crate::filter::Filter;
use crate::place::Place;
use crate::record_key::RecordKey;
use crate::{Code, Failure, GlobalId, Input, PathItem};
use vivarium_storage::{CollectionId, DatabaseId, IndexId, Version};

/// Records that one `nodes(ids:)` may ask for at most, or a plan's page limit if that is less.
const IDS_MAX: usize = 1_000;

/// Records that a page of a family may skip: all members read as many.
const FAMILY_OFFSET_MAX: usize = 10_000;

/// Records that one write of several may change at most: they are all in memory, and in one log entry.
const AFFECTED_MAX: usize = 10_000;

/// A plan's slots, filled in.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) slots: Vec<BoundSlot>,
    /// Records that the answer may hold at most.
    pub(crate) cost: u64,
    /// Filters and orders that no index serves.
    pub(crate) warnings: Vec<String>,
    /// What is read is counted here, when that was asked for.
    pub(crate) analysis: Option<Analysis>,
}

/// A slot, filled in.
#[derive(Debug)]
pub(crate) enum BoundSlot {
    List(Box<BoundList>),
    Fold(Box<BoundFold>),
    Family(Box<BoundFamily>),
    Key(RecordKey),
    /// `None` for what is no id of this database.
    Ids(Vec<Option<GlobalId>>),
    Path(Vec<String>),
}

/// A connection's arguments, compiled.
#[derive(Debug)]
pub(crate) struct BoundList {
    pub(crate) order: Order,
    pub(crate) paging: Paging,
    pub(crate) choice: Choice,
}

/// The arguments of a list of a family's records, compiled.
#[derive(Debug)]
pub(crate) struct BoundFamily {
    /// For each member: its part of the page and of what is skipped, and one record more.
    pub(crate) lists: Vec<BoundList>,
    pub(crate) backward: bool,
    pub(crate) count: usize,
    pub(crate) offset: usize,
}

/// What binding needs to know.
pub(crate) struct Binder<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) database: DatabaseId,
    pub(crate) limits: &'a Limits,
    pub(crate) variables: &'a Variables,
    pub(crate) statistics: &'a Statistics<'a>,
}

impl Bound {
    /// The snapshot that a walk of pages goes on at, when the operation is one.
    pub(crate) fn walk(&self, plan: &Plan) -> Option<Version> {
        let [root] = plan.roots.as_slice() else { return None };
        let list = match &root.kind {
            super::tree::Root::List(connection) => self.list(connection.slot),
            super::tree::Root::Family(family) => self.family(family.slot).lists.first()?,
            _ => return None,
        };
        let cursor = list.paging.after.as_ref().or(list.paging.before.as_ref())?;
        Some(cursor.version).filter(|version| version.0 != 0)
    }

    pub(crate) fn list(&self, slot: usize) -> &BoundList {
        match &self.slots[slot] {
            BoundSlot::List(list) => list,
            _ => unreachable!("the plan numbers its slots"),
        }
    }
    pub(crate) fn fold(&self, slot: usize) -> &BoundFold {
        match &self.slots[slot] {
            BoundSlot::Fold(fold) => fold,
            _ => unreachable!("the plan numbers its slots"),
        }
    }
    pub(crate) fn family(&self, slot: usize) -> &BoundFamily {
        match &self.slots[slot] {
            BoundSlot::Family(family) => family,
            _ => unreachable!("the plan numbers its slots"),
        }
    }
    pub(crate) fn key(&self, slot: usize) -> &RecordKey {
        match &self.slots[slot] {
            BoundSlot::Key(key) => key,
            _ => unreachable!("the plan numbers its slots"),
        }
    }
    pub(crate) fn ids(&self, slot: usize) -> &[Option<GlobalId>] {
        match &self.slots[slot] {
            BoundSlot::Ids(ids) => ids,
            _ => unreachable!("the plan numbers its slots"),
        }
    }
    pub(crate) fn path(&self, slot: usize) -> &[String] {
        match &self.slots[slot] {
            BoundSlot::Path(path) => path,
            _ => unreachable!("the plan numbers its slots"),
        }
    }
}

impl Binder<'_> {
    /// Fills in the slots of a plan.
    ///
    /// # Errors
    /// `BAD_USER_INPUT`, `PAGE_TOO_LARGE`, `INVALID_CURSOR`, `QUERY_TOO_COMPLEX`.
    pub(crate) fn bind(&self, plan: &Plan) -> Result<Bound, Vec<Failure>> {
        let mut bound =
            Bound { slots: Vec::with_capacity(plan.slots.len()), cost: 0, warnings: Vec::new(), analysis: None };
        // Records of each list that its parents have together.
        let mut records: Vec<u64> = Vec::with_capacity(plan.slots.len());
        let mut failures = Vec::new();
        for slot in &plan.slots {
            let mut here = 1;
            match self.slot(slot, &mut bound.warnings) {
                Ok(filled) => {
                    match (&filled, slot) {
                        (BoundSlot::List(list), Slot::List(slot)) => {
                            let parents = slot.within.map_or(1, |within| records[within]);
                            here = parents.saturating_mul(list.paging.count as u64);
                        }
                        (BoundSlot::Fold(fold), Slot::Fold(slot)) => {
                            let parents = slot.within.map_or(1, |within| records[within]);
                            let groups = fold.groups.as_ref().map_or(1, |groups| groups.first as u64);
                            here = parents.saturating_mul(groups);
                        }
                        (BoundSlot::Family(family), _) => here = family.count as u64,
                        (BoundSlot::List(list), _) => here = list.paging.count as u64,
                        _ => {}
                    }
                    if let BoundSlot::Ids(ids) = &filled {
                        here = ids.len() as u64;
                    }
                    bound.slots.push(filled);
                }
                Err(failure) => {
                    failures.push(failure);
                    bound.slots.push(BoundSlot::Path(Vec::new()));
                }
            }
            if !matches!(slot, Slot::Path(_)) {
                bound.cost = bound.cost.saturating_add(here);
            }
            records.push(here);
        }
        if failures.is_empty() && bound.cost > self.limits.cost_max {
            let (cost, limit) = (bound.cost, self.limits.cost_max);
            let message = format!("The operation may answer {cost} records, more than {limit}: ask for smaller pages.");
            failures.push(Failure::new(Code::QueryTooComplex, message).with("cost", cost).with("limit", limit));
        }
        if failures.is_empty() { Ok(bound) } else { Err(failures) }
    }

    fn slot(&self, slot: &Slot, warnings: &mut Vec<String>) -> Result<BoundSlot, Failure> {
        Ok(match slot {
            Slot::List(slot) => {
                let list = self.list(slot, warnings).map_err(|mut failure| {
                    failure.locations = vec![slot.location];
                    failure
                })?;
                BoundSlot::List(Box::new(list))
            }
            Slot::Fold(slot) => {
                let fold = self.fold(slot, warnings).map_err(|mut failure| {
                    failure.locations = vec![slot.location];
                    failure
                })?;
                BoundSlot::Fold(Box::new(fold))
            }
            Slot::Family(slots) => {
                let family = self.family(slots, warnings).map_err(|mut failure| {
                    failure.locations = vec![slots[0].location];
                    failure
                })?;
                BoundSlot::Family(Box::new(family))
            }
            Slot::Chosen(slot) => {
                let list = self.chosen(slot, warnings).map_err(|mut failure| {
                    failure.locations = vec![slot.location];
                    failure
                })?;
                BoundSlot::List(Box::new(list))
            }
            Slot::Key { collection, by, index } => {
                BoundSlot::Key(self.key(self.collection(*collection), by, *index)?)
            }
            Slot::Ids(template) => BoundSlot::Ids(self.ids(template)?),
            Slot::Path(template) => {
                let text = |input| match input {
                    Input::String(text) => Some(text),
                    _ => None,
                };
                match template.as_ref().and_then(|template| template.bind(self.variables)) {
                    Some(Input::List(steps)) => BoundSlot::Path(steps.into_iter().filter_map(text).collect()),
                    _ => BoundSlot::Path(Vec::new()),
                }
            }
        })
    }

    fn list(&self, slot: &ListSlot, warnings: &mut Vec<String>) -> Result<BoundList, Failure> {
        let collection = self.collection(slot.collection);
        let filter = self.filter(collection, slot.filter.as_ref(), "where")?;
        let order = self.order(slot)?;
        self.list_in(slot, order, filter, warnings)
    }

    fn order(&self, slot: &ListSlot) -> Result<Order, Failure> {
        let order = slot.order.as_ref().and_then(|order| order.bind(self.variables));
        Order::compile(self.catalog, self.collection(slot.collection), order.as_ref())
    }

    /// The lists of all members, with cursors that fit each of them.
    fn family(&self, slots: &[ListSlot], warnings: &mut Vec<String>) -> Result<BoundFamily, Failure> {
        let orders = slots.iter().map(|slot| self.order(slot)).collect::<Result<Vec<_>, _>>()?;
        let hash = Order::merged_hash(orders.iter());
        let mut lists = Vec::with_capacity(slots.len());
        for (slot, order) in slots.iter().zip(orders) {
            let filter = self.filter(self.collection(slot.collection), slot.filter.as_ref(), "where")?;
            lists.push(self.list_in(slot, Order { hash, ..order }, filter, warnings)?);
        }
        let Paging { backward, count, offset, .. } = lists.first().expect("a family has members").paging;
        if offset > FAMILY_OFFSET_MAX {
            let message = format!("An offset is at most {FAMILY_OFFSET_MAX} here: page with a cursor instead.");
            return Err(bad_input(&message, &[name("offset")]));
        }
        for list in &mut lists {
            list.paging.count = offset + count + 1;
            list.paging.offset = 0;
        }
        Ok(BoundFamily { lists, backward, count, offset })
    }

    fn list_in(
        &self,
        slot: &ListSlot,
        order: Order,
        filter: Option<Filter>,
        warnings: &mut Vec<String>,
    ) -> Result<BoundList, Failure> {
        let collection = self.collection(slot.collection);
        let paging = Paging::bind(slot, &order, self.limits, self.variables)?;
        // One more tells whether there is a next page.
        let enough = Some(paging.offset + paging.count + 1);
        let wanted = Wanted {
            filter: filter.as_ref(),
            order: &order,
            enough,
            counted: slot.needs.total,
            via: slot.via,
            gather_max: self.limits.gather_max,
        };
        let choice = Choice::of(&self.planning(), collection, &wanted);
        // When nothing but folds is selected, they alone say how they read.
        if slot.needs != Needs::default() {
            self.warn_of_scans(&choice, Some(&order), &slot.name, warnings)?;
        }
        Ok(BoundList { order, paging, choice })
    }

    fn fold(&self, slot: &FoldSlot, warnings: &mut Vec<String>) -> Result<BoundFold, Failure> {
        let collection = self.collection(slot.collection);
        let filter = self.filter(collection, slot.filter.as_ref(), "where")?;
        let mut measures = slot.measures.clone();
        let (keys, groups) = match &slot.groups {
            None => (Vec::new(), None),
            Some(templates) => {
                let (catalog, limits, variables) = (self.catalog, self.limits, self.variables);
                let binder = GroupBinder { catalog, collection, limits, variables };
                let (keys, groups) = binder.bind(templates, &mut measures)?;
                (keys, Some(groups))
            }
        };
        let order = Order::by_ids(collection);
        let wanted = Wanted {
            filter: filter.as_ref(),
            order: &order,
            enough: None,
            counted: false,
            via: slot.via,
            gather_max: usize::MAX,
        };
        let covering = Choice::covering(&self.planning(), collection, &wanted, &looked_at(&keys, &measures));
        let choice = Choice::of(&self.planning(), collection, &wanted);
        let (choice, columns) = match covering.filter(|covering| covering.cost <= choice.cost) {
            Some(covering) => {
                let columns = columns(collection, &covering, &keys, &measures);
                (covering, Some(columns))
            }
            None => (choice, None),
        };
        if slot.via.is_none() && columns.is_none() && matches!(choice.access, Access::Documents { .. }) {
            let (what, verb) = if choice.residual.is_some() { ("filter", "serves") } else { (slot.noun(), "covers") };
            let why = format!("No index {verb} the {what} of \"{}\": every", slot.name);
            self.tell_of_scan(&why, &choice, None, warnings)?;
        }
        self.warn_of_parts(&choice, &slot.name, warnings)?;
        Ok(BoundFold { choice, columns, measures, keys, groups })
    }

    /// The records that a write of several is about: one more than it may change tells that there are too many.
    fn chosen(&self, slot: &ChosenSlot, warnings: &mut Vec<String>) -> Result<BoundList, Failure> {
        let collection = self.collection(slot.collection);
        let Some(filter) = self.filter(collection, Some(&slot.filter), "where")? else {
            return Err(bad_input("A write of several records says which: give it a where.", &[name("where")]));
        };
        let at_most = |message: String| bad_input(&message, &[name("maxAffected")]);
        let count = match slot.at_most.as_ref().and_then(|at_most| at_most.bind(self.variables)) {
            Some(Input::Int(count)) => {
                usize::try_from(count).map_err(|_| at_most("maxAffected cannot be negative.".into()))?
            }
            _ => return Err(at_most("maxAffected is a whole number.".into())),
        };
        if count > AFFECTED_MAX {
            return Err(at_most(format!("One operation changes at most {AFFECTED_MAX} records: write in steps.")));
        }
        let order = Order::by_ids(collection);
        let paging = Paging { backward: false, count: count + 1, offset: 0, after: None, before: None };
        let wanted = Wanted {
            filter: Some(&filter),
            order: &order,
            enough: Some(count + 1),
            counted: false,
            via: None,
            gather_max: self.limits.gather_max,
        };
        let choice = Choice::of(&self.planning(), collection, &wanted);
        self.warn_of_scans(&choice, None, &slot.name, warnings)?;
        Ok(BoundList { order, paging, choice })
    }

    /// Tells, or refuses, when every record of a collection is read because no index serves what was asked.
    fn warn_of_scans(
        &self,
        choice: &Choice,
        order: Option<&Order>,
        name: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(), Failure> {
        if choice.scans {
            let what = if choice.residual.is_some() { "filter" } else { "order" };
            let why = format!("No index serves the {what} of \"{name}\": every");
            self.tell_of_scan(&why, choice, order, warnings)?;
        }
        self.warn_of_parts(choice, name, warnings)
    }

    /// The same for the records of other collections that are selected on the way.
    fn warn_of_parts(&self, choice: &Choice, name: &str, warnings: &mut Vec<String>) -> Result<(), Failure> {
        for part in choice.parts() {
            if part.scans {
                let why = format!("No index serves a relation's filter within \"{name}\": every");
                self.tell_of_scan(&why, part, None, warnings)?;
            }
            self.warn_of_parts(part, name, warnings)?;
        }
        let Some((_, otherwise)) = &choice.otherwise else { return Ok(()) };
        self.warn_of_parts(otherwise, name, warnings)
    }

    fn tell_of_scan(
        &self,
        why: &str,
        choice: &Choice,
        order: Option<&Order>,
        warnings: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let collection = self.collection(choice.collection);
        let mut message = format!("{why} {} is read.", collection.name);
        let suggested = suggestion(self.catalog, collection, choice, order);
        if let Some(index) = &suggested {
            message.push_str(&format!(" It would be served by {index}."));
        }
        if self.limits.refuse_scans {
            if suggested.is_none() {
                message.push_str(" Declare one with @index, or filter by a field that has one.");
            }
            return Err(Failure::new(Code::QueryTooComplex, message));
        }
        if !warnings.contains(&message) {
            warnings.push(message);
        }
        Ok(())
    }

    /// A `where` or an `if` argument, compiled.
    pub(crate) fn filter(
        &self,
        collection: &Collection,
        template: Option<&Template>,
        argument: &'static str,
    ) -> Result<Option<Filter>, Failure> {
        let Some(template) = template else { return Ok(None) };
        if let Some(missing) = template.missing(self.variables) {
            let path: Vec<PathItem> = std::iter::once(name(argument)).chain(missing).collect();
            let message = "A variable of the filter has no value: give it one, or leave the condition out.";
            return Err(bad_input(message, &path));
        }
        match template.bind(self.variables) {
            None | Some(Input::Null) => Ok(None),
            Some(input) => Filter::compile(self.catalog, collection, &input, &[name(argument)]).map(Some),
        }
    }

    fn key(&self, collection: &Collection, by: &Template, index: Option<IndexId>) -> Result<RecordKey, Failure> {
        if let (Template::Object(fields), Some(index)) = (by, index)
            && let [(key_name, value)] = fields.as_slice()
            && let Some(value) = value.bind(self.variables)
        {
            let index = collection.index(index).expect("a plan is used with its own catalog");
            let (root, by) = (Place::Root(&[]), "by");
            let place = root.name(by);
            let place = place.name(key_name);
            return RecordKey::of(self.catalog, self.database, (collection, index), (key_name, &value), &place);
        }
        let input = by.bind(self.variables).unwrap_or(Input::Null);
        self.record_key(collection, &input, &[name("by")])
    }

    fn ids(&self, template: &Template) -> Result<Vec<Option<GlobalId>>, Failure> {
        let own = |id: GlobalId| self.catalog.collection(id.collection).map(|_| id);
        let id = |input: &Input| match input {
            Input::String(text) => GlobalId::parse(text).and_then(own),
            _ => None,
        };
        let limit = IDS_MAX.min(self.limits.page_max);
        match template.bind(self.variables) {
            Some(Input::List(list)) if list.len() > limit => {
                let message = format!("At most {limit} records can be asked for by id at once.");
                Err(Failure::new(Code::PageTooLarge, message).with("limit", limit))
            }
            Some(Input::List(list)) => Ok(list.iter().map(id).collect()),
            Some(one) => Ok(vec![id(&one)]),
            None => Ok(Vec::new()),
        }
    }

    /// The record that an input of a Key type names.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath`.
    pub(crate) fn record_key(
        &self,
        collection: &Collection,
        input: &Input,
        path: &[PathItem],
    ) -> Result<RecordKey, Failure> {
        RecordKey::read(self.catalog, self.database, collection, input, &Place::Root(path))
    }

    fn planning(&self) -> Planning<'_> {
        Planning { catalog: self.catalog, database: self.database, statistics: self.statistics }
    }

    fn collection(&self, id: CollectionId) -> &Collection {
        self.catalog.collection(id).expect("a plan is used with its own catalog")
    }
}

fn name(name: &str) -> PathItem {
    PathItem::Name(name.to_owned())
}

pub(crate) fn bad_input(message: &str, path: &[PathItem]) -> Failure {
    let path = serde_json::to_value(path).expect("names and numbers are JSON");
    Failure::new(Code::BadUserInput, message).with("inputPath", path)
}
