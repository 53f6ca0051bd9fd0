//! Access paths: which index, which ranges, in which direction, chosen by what each would cost.

use super::facts::{Fact, conjuncts, facts_of};
use super::order::Order;
use super::tree::Via;
use crate::catalog::{Catalog, Collection, FieldKind, Index, IndexElement};
use crate::filter::{Condition, Filter, Predicate, Quantifier, RelationKind};
use vivarium_storage::key::Direction;
use vivarium_storage::{CollectionId, DocumentId, FieldId, IndexId, Value};

/// Ranges that one access may fall into: more are no cheaper than reading everything.
pub(crate) const RANGES_MAX: usize = 2_000;

/// Records that a collection is thought to hold. Only the order of costs matters.
const RECORDS_GUESSED: f64 = 10_000.0;
/// The part of a collection that one value of an index's first element leads to.
const FIRST_EQUAL: f64 = 0.01;
/// The part that one value of a further element leaves.
const NEXT_EQUAL: f64 = 0.1;
/// The part that one bound leaves.
const BOUND: f64 = 0.3;
/// The part that a prefix of a string leaves.
const PREFIX: f64 = 0.02;
/// The part of records that a filter is thought to let through when nothing tells more.
const FILTERED: f64 = 0.1;
/// How much the worst case counts beside the expected one, where a filter decides when to stop.
const WORST: f64 = 0.05;
/// Following relations for one record, in entries of an index.
const FOLLOW: f64 = 10.0;
/// A document fetched by key, in entries of an index.
const FETCH: f64 = 4.0;
/// A document met in a scan of its collection.
const SCAN: f64 = 3.0;
/// An entry that tells all that is asked of its record.
const ENTRY: f64 = 0.2;
/// A record sorted.
const SORT: f64 = 0.5;

/// How the records of one list are reached, and what is left to do with them.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) collection: CollectionId,
    pub(crate) access: Access,
    /// What the access does not make sure of.
    pub(crate) residual: Option<Filter>,
    /// Records come in the order that was asked for: stop when there are enough.
    pub(crate) ordered: bool,
    /// Every record of the collection is read, because no index serves the filter or the order.
    pub(crate) scans: bool,
    pub(crate) rows: f64,
    pub(crate) cost: f64,
    /// What to do instead when the access leads to more entries than these: read in order and stop early.
    pub(crate) otherwise: Option<(usize, Box<Choice>)>,
}

/// A way to records.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// By id, ascending.
    Ids(Vec<DocumentId>),
    /// Ranges of an index.
    Index {
        index: IndexId,
        /// Its entries have no id in their key, unless something is null.
        unique: bool,
        /// What is known of its first elements.
        elements: Vec<Element>,
        /// The directions of the others, and the keys of the order that they serve.
        rest: Vec<Direction>,
        keys: Vec<usize>,
        reverse: bool,
    },
    /// Links, keyed by the parent.
    Links { index: IndexId, reverse: bool },
    /// The whole collection by id.
    Documents { reverse: bool },
    /// Records that others lead to: select those, then follow the relation back.
    Back { relation: BackRelation, from: Box<Choice> },
}

/// How a relation is followed back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BackRelation {
    /// The reference in the documents that were selected.
    Reference(FieldId),
    /// Links keyed by what was selected.
    Links(IndexId),
}

/// What is known of an element of an index's tuple.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) direction: Direction,
    pub(crate) bound: Bound,
}

/// What an element is bound to.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// One of these, ascending.
    Values(Vec<Value>),
    /// The id of the parent.
    Parent,
    /// The ids of records of another collection.
    Selected(Box<Choice>),
    /// Between two values; nulls are outside.
    Range { lower: Option<(Value, bool)>, upper: Option<(Value, bool)> },
    /// Strings that begin so.
    Prefix(String),
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
    pub(crate) fn of(catalog: &Catalog, collection: &Collection, wanted: &Wanted<'_>) -> Choice {
        let conjuncts = wanted.filter.map(|filter| conjuncts(&filter.root)).unwrap_or_default();
        let mut facts = Vec::new();
        for (at, conjunct) in conjuncts.iter().enumerate() {
            let filter = wanted.filter.expect("conjuncts come from a filter");
            facts_of(catalog, filter, conjunct, at, &[], &mut facts);
        }
        let mut chooser =
            Chooser { catalog, collection, wanted, conjuncts: &conjuncts, facts: &facts, back_rows: None };
        let back = chooser.back();
        chooser.back_rows = back.as_ref().map(|back| back.rows);
        let mut candidates = chooser.candidates(back);
        let best = |candidates: &[Choice], wanted: fn(&Choice) -> bool| {
            let places = (0..candidates.len()).filter(|at| wanted(&candidates[*at]));
            places.min_by(|one, other| candidates[*one].cost.total_cmp(&candidates[*other].cost))
        };
        let at = best(&candidates, |_| true).expect("there is always a scan");
        let mut choice = candidates.swap_remove(at);
        let gathers = matches!(choice.access, Access::Index { .. } | Access::Back { .. });
        if wanted.enough.is_some() && !wanted.counted && wanted.via.is_none() && gathers && !choice.ordered {
            let ordered = best(&candidates, |other| other.ordered && !matches!(other.access, Access::Ids(_)));
            choice.otherwise = ordered.map(|at| (wanted.gather_max, Box::new(candidates.swap_remove(at))));
        }
        choice
    }

    /// The cheapest index whose entries tell the values of `fields` of all that is wanted, and of nothing else. No
    /// document is read then.
    pub(crate) fn covering(
        catalog: &Catalog,
        collection: &Collection,
        wanted: &Wanted<'_>,
        fields: &[FieldId],
    ) -> Option<Choice> {
        let conjuncts = wanted.filter.map(|filter| conjuncts(&filter.root)).unwrap_or_default();
        let mut facts = Vec::new();
        for (at, conjunct) in conjuncts.iter().enumerate() {
            let filter = wanted.filter.expect("conjuncts come from a filter");
            facts_of(catalog, filter, conjunct, at, &[], &mut facts);
        }
        let chooser = Chooser { catalog, collection, wanted, conjuncts: &conjuncts, facts: &facts, back_rows: None };
        let candidates = match wanted.via {
            Some(Via::Links { .. }) if fields.is_empty() && wanted.filter.is_none() => chooser.candidates(None),
            Some(Via::Links { .. }) => return None,
            _ => {
                let indexes = collection.indexes.iter().filter(|index| index.ready);
                indexes.filter_map(|index| chooser.by_cover(index, fields)).collect()
            }
        };
        candidates.into_iter().min_by(|one, other| one.cost.total_cmp(&other.cost))
    }

    /// At most one record.
    fn is_point(&self) -> bool {
        match &self.access {
            Access::Ids(ids) => ids.len() <= 1,
            Access::Index { unique: true, elements, rest, .. } => {
                rest.is_empty() && elements.iter().all(Element::is_single)
            }
            _ => false,
        }
    }
}

impl Element {
    pub(super) fn is_single(&self) -> bool {
        match &self.bound {
            Bound::Values(values) => values.len() == 1,
            Bound::Parent => true,
            Bound::Selected(choice) => choice.is_point(),
            Bound::Range { .. } | Bound::Prefix(_) => false,
        }
    }
    fn is_equal(&self) -> bool {
        matches!(self.bound, Bound::Values(_) | Bound::Parent | Bound::Selected(_))
    }
}

/// What is known of the first elements of an index.
struct Known {
    elements: Vec<Element>,
    /// The conjuncts that need not be looked at any more.
    covered: Vec<usize>,
    rows: f64,
    before: f64,
    ranges: usize,
}

struct Chooser<'a> {
    catalog: &'a Catalog,
    collection: &'a Collection,
    wanted: &'a Wanted<'a>,
    conjuncts: &'a [&'a Predicate],
    facts: &'a [Fact],
    /// Records that the far end of a relation leads back to.
    back_rows: Option<f64>,
}

impl Chooser<'_> {
    fn candidates(&self, back: Option<Choice>) -> Vec<Choice> {
        if let Some(Via::Links { index }) = self.wanted.via {
            let reverse = self.wanted.order.ids == Direction::Descending;
            let rows = RECORDS_GUESSED * FIRST_EQUAL;
            return vec![self.choice(Access::Links { index, reverse }, self.wanted.order.by_id(), &[], rows, 0.0)];
        }
        let indexes = self.collection.indexes.iter().filter(|index| index.ready);
        let mut candidates: Vec<Choice> = indexes.filter_map(|index| self.by_index(index)).collect();
        if self.wanted.via.is_some() {
            return candidates;
        }
        candidates.extend(self.by_ids());
        candidates.extend(back);
        let reverse = self.wanted.order.ids == Direction::Descending;
        let mut scan = self.choice(Access::Documents { reverse }, self.wanted.order.by_id(), &[], RECORDS_GUESSED, 0.0);
        scan.cost *= SCAN / (1.0 + FETCH);
        candidates.push(scan);
        candidates
    }

    fn by_ids(&self) -> Option<Choice> {
        let among = |(at, conjunct): (usize, &&Predicate)| match conjunct {
            Predicate::Id { ids, among: true } => Some((at, ids.clone())),
            _ => None,
        };
        let (at, ids) = self.conjuncts.iter().enumerate().find_map(among)?;
        let rows = ids.len() as f64;
        // They come ascending; any other order is made by sorting.
        let ordered = self.wanted.order.by_id() && self.wanted.order.ids == Direction::Ascending;
        Some(self.choice(Access::Ids(ids), ordered, &[at], rows, 0.0))
    }

    /// Through the records at the far end of a to-many relation, when some of them have to match.
    fn back(&self) -> Option<Choice> {
        let filter = self.wanted.filter?;
        let candidate = |(at, conjunct): (usize, &&Predicate)| {
            let Predicate::Related(number) = conjunct else { return None };
            let relation = &filter.relations[*number];
            let relation_back = match relation.kind {
                RelationKind::Many { field, .. } | RelationKind::Unique { field, .. } => BackRelation::Reference(field),
                RelationKind::Links { inverse, .. } => BackRelation::Links(inverse),
                RelationKind::Reference { .. } => return None,
            };
            let (Condition::Quantified(Quantifier::Some, inner) | Condition::Matches(inner)) = &relation.condition
            else {
                return None;
            };
            let from = select(self.catalog, relation.target, inner);
            if from.scans {
                return None;
            }
            let rows = from.rows * 2.0;
            let cost = from.cost;
            let access = Access::Back { relation: relation_back, from: Box::new(from) };
            Some(self.choice(access, false, &[at], rows, cost))
        };
        let candidates = self.conjuncts.iter().enumerate().filter_map(candidate);
        candidates.min_by(|one, other| one.cost.total_cmp(&other.cost))
    }

    fn by_cover(&self, index: &Index, fields: &[FieldId]) -> Option<Choice> {
        let has =
            |field: &FieldId| index.elements.iter().any(|element| element.json.is_empty() && element.path == [*field]);
        if index.elements.iter().any(|element| element.each) || !fields.iter().all(has) {
            return None;
        }
        let known = self.known_of(index)?;
        if self.residual(&known.covered).is_some() {
            return None;
        }
        let Known { elements, rows, before, .. } = known;
        let width = ENTRY * (1.0 + index.elements.len() as f64 / 100.0);
        let access = Access::Index {
            index: index.id,
            unique: index.unique,
            elements,
            rest: Vec::new(),
            keys: Vec::new(),
            reverse: false,
        };
        let collection = self.collection.id;
        let cost = before + rows * width;
        Some(Choice { collection, access, residual: None, ordered: false, scans: false, rows, cost, otherwise: None })
    }

    /// What is known of the first elements of an index; `None` when it does not lead from a parent to its records.
    fn known_of(&self, index: &Index) -> Option<Known> {
        let mut elements: Vec<Element> = Vec::new();
        let mut covered = Vec::new();
        let mut rows = RECORDS_GUESSED;
        let mut before = 0.0;
        let mut ranges = 1;
        for element in &index.elements {
            let Some((bound, fact)) = self.bound(element, ranges) else { break };
            match &bound {
                Bound::Values(values) => ranges *= values.len().max(1),
                Bound::Selected(choice) => before += choice.cost,
                _ => {}
            }
            rows *= part(&bound, elements.is_empty());
            covered.extend(fact);
            let element = Element { direction: element.direction, bound };
            let last = !element.is_equal();
            elements.push(element);
            if last {
                break;
            }
        }
        if let Some(Via::Reference { .. }) = self.wanted.via
            && !matches!(elements.first(), Some(Element { bound: Bound::Parent, .. }))
        {
            return None;
        }
        Some(Known { elements, covered, rows, before, ranges })
    }

    fn by_index(&self, index: &Index) -> Option<Choice> {
        let Known { elements, covered, mut rows, before, ranges } = self.known_of(index)?;
        // An entry for each element of a list: the same record several times, or not at all.
        let each = index.elements.iter().position(|element| element.each);
        if each.is_some_and(|at| at >= elements.len()) {
            return None;
        }
        let full = index.unique && elements.len() == index.elements.len() && elements.iter().all(Element::is_equal);
        if full && !elements.iter().any(|element| matches!(element.bound, Bound::Selected(_))) {
            rows = ranges as f64;
        }
        let served = if each.is_some() { None } else { self.serves_order(index, &elements) };
        if elements.is_empty() && served.is_none() {
            return None;
        }
        let fixed = elements.iter().take_while(|element| element.is_equal()).count();
        let rest = index.elements[fixed..].iter().map(|element| element.direction).collect();
        let (reverse, keys, ordered) = match served {
            Some((reverse, keys)) => (reverse, keys, true),
            None => (false, Vec::new(), false),
        };
        let access = Access::Index { index: index.id, unique: index.unique, elements, rest, keys, reverse };
        Some(self.choice(access, ordered, &covered, rows, before))
    }

    /// What is known of an element, and the conjunct that it does away with.
    fn bound(&self, element: &IndexElement, ranges: usize) -> Option<(Bound, Option<usize>)> {
        if let Some(Via::Reference { field, .. }) = self.wanted.via
            && element.path == [field]
        {
            return Some((Bound::Parent, None));
        }
        let fits = |fact: &&Fact| {
            let few = match &fact.bound {
                Bound::Values(values) => ranges * values.len() <= RANGES_MAX,
                _ => true,
            };
            fact.path == element.path && fact.json == element.json && fact.each == element.each && few
        };
        let of = |fact: &Fact| (fact.bound.clone(), fact.whole.then_some(fact.conjunct));
        let equal = |fact: &&Fact| fits(fact) && !matches!(fact.bound, Bound::Range { .. } | Bound::Prefix(_));
        self.facts.iter().find(equal).or_else(|| self.facts.iter().find(fits)).map(of)
    }

    /// Whether the entries come in the order that is wanted: the direction of the scan, and the keys of the
    /// order that the elements behind the fixed ones stand for.
    fn serves_order(&self, index: &Index, elements: &[Element]) -> Option<(bool, Vec<usize>)> {
        let order = self.wanted.order;
        let fixed = elements.iter().take_while(|element| element.is_equal()).count();
        if !elements[..fixed].iter().all(Element::is_single) {
            return None;
        }
        let rest = &index.elements[fixed..];
        let is_fixed =
            |path: &[FieldId]| index.elements[..fixed].iter().any(|each| each.json.is_empty() && each.path == path);
        let mut keys = Vec::with_capacity(order.keys.len());
        let mut whole = true;
        for (at, key) in order.keys.iter().enumerate() {
            // What comes behind the last element may be anything, if no two entries are alike.
            let Some(path) = key.own_path() else {
                whole = false;
                break;
            };
            if !is_fixed(&path) {
                keys.push((at, path, key));
            }
        }
        let serving = || keys.iter().take(rest.len()).map(|(at, ..)| *at).collect();
        let mut reverse = None;
        for (at, element) in rest.iter().enumerate() {
            let (_, path, key) = keys.get(at)?;
            let turned = element.direction != key.direction;
            if *path != element.path
                || !element.json.is_empty()
                || !key.natural_nulls
                || *reverse.get_or_insert(turned) != turned
            {
                return None;
            }
        }
        let never_null = |path: &[FieldId]| never_null(self.catalog, self.collection, path);
        let distinct =
            index.unique && index.elements.iter().all(|element| element.json.is_empty() && never_null(&element.path));
        if distinct && keys.len() >= rest.len() {
            // No two entries are alike, so what follows decides nothing.
            return Some((reverse.unwrap_or(order.ids == Direction::Descending), serving()));
        }
        if keys.len() > rest.len() || !whole {
            return None;
        }
        let ids_turned = order.ids == Direction::Descending;
        (*reverse.get_or_insert(ids_turned) == ids_turned).then(|| (ids_turned, serving()))
    }

    fn choice(&self, access: Access, ordered: bool, covered: &[usize], rows: f64, before: f64) -> Choice {
        let residual = self.residual(covered);
        let by_entries = ordered && residual.is_none();
        let stops = ordered && (by_entries || !self.wanted.counted);
        let enough = self.wanted.enough.filter(|_| stops).map(|enough| enough as f64);
        let counting = if self.wanted.counted && by_entries { rows } else { 0.0 };
        let read = match (enough, &residual) {
            (Some(enough), None) => rows.min(enough),
            (Some(enough), Some(_)) => {
                let expected = rows.min(enough / self.passing(covered));
                expected + (rows - expected) * WORST
            }
            (None, _) => rows,
        };
        let follows = residual.as_ref().is_some_and(|filter| filter.root.follows_relations());
        let each = 1.0 + FETCH + if follows { FOLLOW } else { 0.0 };
        let sorting = if ordered { 0.0 } else { rows * SORT };
        let bound = match &access {
            Access::Index { elements, .. } => !elements.is_empty(),
            Access::Documents { .. } => false,
            Access::Ids(_) | Access::Links { .. } | Access::Back { .. } => true,
        };
        // An order that an index serves stops early, unless a filter lets too little through.
        let scans = !bound && (residual.is_some() || !ordered);
        Choice {
            collection: self.collection.id,
            access,
            residual,
            ordered,
            scans,
            rows,
            cost: before + read * each + counting + sorting,
            otherwise: None,
        }
    }

    /// The part of records that what is left of the filter is thought to let through.
    fn passing(&self, covered: &[usize]) -> f64 {
        let left = self.facts.iter().filter(|fact| !covered.contains(&fact.conjunct));
        let parts = left.map(|fact| part(&fact.bound, true));
        let back = self.back_rows.map(|rows| rows / RECORDS_GUESSED);
        parts.chain(back).fold(FILTERED, f64::min).max(1.0 / RECORDS_GUESSED)
    }

    fn residual(&self, covered: &[usize]) -> Option<Filter> {
        let filter = self.wanted.filter?;
        if covered.is_empty() {
            return Some(filter.clone());
        }
        let left = |(at, conjunct): (usize, &&Predicate)| (!covered.contains(&at)).then(|| (*conjunct).clone());
        let left: Vec<Predicate> = self.conjuncts.iter().enumerate().filter_map(left).collect();
        if left.is_empty() {
            return None;
        }
        let relations =
            if left.iter().any(Predicate::follows_relations) { filter.relations.clone() } else { Vec::new() };
        Some(Filter { collection: filter.collection, root: Predicate::All(left), relations })
    }
}

/// True when no record has null at the path.
fn never_null(catalog: &Catalog, collection: &Collection, path: &[FieldId]) -> bool {
    let mut fields = &collection.fields;
    for id in path {
        let Some(field) = fields.iter().find(|field| field.id == *id) else { return false };
        if !field.required {
            return false;
        }
        if let FieldKind::Embedded(type_id) = field.kind {
            fields = &catalog.embedded(type_id).expect("a catalog resolves its own types").fields;
        }
    }
    true
}

/// The cheapest way to all records that match a filter, in any order.
pub(crate) fn select(catalog: &Catalog, collection: CollectionId, filter: &Filter) -> Choice {
    let collection = catalog.collection(collection).expect("a catalog resolves its own relations");
    let order = Order { keys: Vec::new(), ids: Direction::Ascending, hash: 0 };
    Choice::of(
        catalog,
        collection,
        &Wanted {
            filter: Some(filter),
            order: &order,
            enough: None,
            counted: false,
            via: None,
            gather_max: usize::MAX,
        },
    )
}

/// The part of records that a bound leaves.
fn part(bound: &Bound, first: bool) -> f64 {
    let equal = if first { FIRST_EQUAL } else { NEXT_EQUAL };
    let part = match bound {
        Bound::Values(values) => values.len() as f64 * equal,
        Bound::Parent => equal,
        Bound::Selected(choice) => choice.rows * equal,
        Bound::Range { lower, upper } => BOUND.powi(i32::from(lower.is_some()) + i32::from(upper.is_some())),
        Bound::Prefix(_) => PREFIX,
    };
    part.min(1.0)
}
