//! Candidates: every way to the records of a list that its filter and its order leave open.

use super::access::{Access, BackRelation, Bound, Choice, Element, MERGED_MAX, RANGES_MAX, STREAMS_MAX};
use super::choice::{Planning, Wanted, select};
use super::cost::{self, FILTERED, FIRST_EQUAL, Left, RECORDS, part};
use super::facts::{Fact, conjuncts, facts_of};
use super::ranges::spans;
use super::statistics::Entries;
use super::tree::Via;
use crate::catalog::{Catalog, Collection, FieldKind, Index, IndexElement};
use crate::filter::{Condition, Filter, Predicate, Quantifier, RelationKind};
use vivarium_storage::key::{self, Direction};
use vivarium_storage::{FieldId, Value};

/// One way, and what is thought of it.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) access: Access,
    /// Conjuncts that need not be looked at any more.
    pub(super) covered: Vec<usize>,
    /// Conjuncts that it makes use of.
    pub(super) used: Vec<usize>,
    pub(super) ordered: bool,
    /// Sorted streams that are merged.
    pub(super) width: usize,
    pub(super) rows: f64,
    /// What is read before, or beside, the entries that lead to records.
    pub(super) before: f64,
    pub(super) cost: f64,
}

impl Candidate {
    pub(super) fn new(access: Access, covered: Vec<usize>, rows: f64) -> Candidate {
        let used = covered.clone();
        Candidate { access, covered, used, ordered: false, width: 1, rows, before: 0.0, cost: 0.0 }
    }

    /// As [`Choice::streams`].
    pub(super) fn streams(&self) -> bool {
        let streams = match &self.access {
            Access::Index { .. } | Access::Documents { .. } | Access::Links { .. } => true,
            Access::Union { merged, .. } => *merged,
            Access::Ids(_) | Access::Back { .. } | Access::Intersection(_) => false,
        };
        self.ordered && streams
    }
}

/// What is known of the first elements of an index.
pub(super) struct Known {
    pub(super) elements: Vec<Element>,
    pub(super) covered: Vec<usize>,
    pub(super) used: Vec<usize>,
    pub(super) rows: f64,
    pub(super) before: f64,
    ranges: usize,
}

/// What candidates of one list are made from.
pub(super) struct Chooser<'a> {
    pub(super) planning: &'a Planning<'a>,
    pub(super) collection: &'a Collection,
    pub(super) wanted: &'a Wanted<'a>,
    /// What all has to hold.
    pub(super) conjuncts: Vec<&'a Predicate>,
    /// Relations are followed of so many of the conjuncts; the others belong to whoever unites this with others.
    pub(super) own: usize,
    pub(super) facts: Vec<Fact>,
    /// What was looked up: the conjuncts that an access makes use of, and how much it leads to.
    pub(super) sizes: Vec<(Vec<usize>, f64)>,
}

impl<'a> Chooser<'a> {
    /// Of all that is wanted.
    pub(super) fn of(planning: &'a Planning<'a>, collection: &'a Collection, wanted: &'a Wanted<'a>) -> Chooser<'a> {
        let conjuncts = wanted.filter.map(|filter| conjuncts(&filter.root)).unwrap_or_default();
        let own = conjuncts.len();
        let mut chooser =
            Chooser { planning, collection, wanted, conjuncts, own, facts: Vec::new(), sizes: Vec::new() };
        chooser.learn();
        chooser
    }

    /// Learns the facts of its own conjuncts.
    pub(super) fn learn(&mut self) {
        let Some(filter) = self.wanted.filter else { return };
        for (at, conjunct) in self.conjuncts.iter().enumerate().take(self.own) {
            facts_of(self.planning, filter, conjunct, at, &[], &mut self.facts);
        }
    }

    /// Every single access, priced by guesses.
    pub(super) fn singles(&mut self) -> Vec<Candidate> {
        let wanted = self.wanted;
        if let Some(Via::Links { index }) = wanted.via {
            let reverse = wanted.order.ids == Direction::Descending;
            let links = Candidate::new(Access::Links { index, reverse }, Vec::new(), RECORDS * FIRST_EQUAL);
            return self.priced(vec![Candidate { ordered: wanted.order.by_id(), ..links }]);
        }
        let indexes = self.collection.indexes.iter().filter(|index| index.ready);
        let mut candidates: Vec<Candidate> = indexes.flat_map(|index| self.by_index(index)).collect();
        if wanted.via.is_none() {
            candidates.extend(self.by_ids());
            let back = self.back();
            self.sizes.extend(back.iter().map(|back| (back.used.clone(), back.rows)));
            candidates.extend(back);
            let reverse = wanted.order.ids == Direction::Descending;
            let scan = Candidate::new(Access::Documents { reverse }, Vec::new(), RECORDS);
            candidates.push(Candidate { ordered: wanted.order.by_id(), ..scan });
        }
        self.priced(candidates)
    }

    /// Looks up how much the accesses by an index lead to, and prices all anew.
    pub(super) fn look(&mut self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        for candidate in &mut candidates {
            let Access::Index { index, elements, .. } = &candidate.access else { continue };
            let plain = |element: &Element| !matches!(element.bound, Bound::Parent | Bound::Selected(_));
            if elements.is_empty() || !elements.iter().all(plain) {
                continue;
            }
            let ranges = spans(key::index(self.planning.database, *index), elements, None);
            match self.planning.statistics.entries(&ranges) {
                Some(Entries::Exactly(entries)) => candidate.rows = entries as f64,
                Some(Entries::MoreThan(entries)) => candidate.rows = candidate.rows.max(2.0 * entries as f64),
                None => continue,
            }
            self.sizes.push((candidate.used.clone(), candidate.rows));
        }
        self.priced(candidates)
    }

    pub(super) fn priced(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        for candidate in &mut candidates {
            candidate.cost = self.cost(candidate);
        }
        candidates
    }

    pub(super) fn cost(&self, candidate: &Candidate) -> f64 {
        let left = self.conjuncts.iter().enumerate().filter(|(at, _)| !candidate.covered.contains(at));
        let left = Left {
            filters: candidate.covered.len() < self.conjuncts.len(),
            follows: left.into_iter().any(|(_, conjunct)| conjunct.follows_relations()),
            passing: self.passing(&candidate.covered),
        };
        cost::cost(candidate, &left, self.wanted.enough, self.wanted.counted)
    }

    /// What a candidate leaves to be done.
    pub(super) fn choice(&self, candidate: Candidate) -> Choice {
        let Candidate { access, covered, ordered, rows, cost, .. } = candidate;
        let residual = self.residual(&covered);
        let bound = match &access {
            Access::Index { elements, .. } => !elements.is_empty(),
            Access::Documents { .. } => false,
            _ => true,
        };
        // An order that an index serves stops early, unless a filter lets too little through.
        let scans = !bound && (residual.is_some() || !ordered);
        let wide = match &access {
            Access::Intersection(_) => self.residual(&[]),
            Access::Union { parts, .. } if parts.iter().any(|part| part.wide.is_some()) => self.residual(&[]),
            _ => None,
        };
        let collection = self.collection.id;
        Choice { collection, access, residual, wide, ordered, scans, rows, cost, otherwise: None }
    }

    fn by_ids(&self) -> Option<Candidate> {
        let among = |(at, conjunct): (usize, &&Predicate)| match conjunct {
            Predicate::Id { ids, among: true } => Some((at, ids.clone())),
            _ => None,
        };
        let (at, ids) = self.conjuncts.iter().enumerate().find_map(among)?;
        let rows = ids.len() as f64;
        Some(Candidate { ordered: self.wanted.order.by_id(), ..Candidate::new(Access::Ids(ids), vec![at], rows) })
    }

    /// Through the records at the far end of a to-many relation, when some of them have to match.
    fn back(&self) -> Option<Candidate> {
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
            let from = select(self.planning, relation.target, inner);
            if from.scans {
                return None;
            }
            let (rows, before) = (from.rows * 2.0, from.cost);
            let access = Access::Back { relation: relation_back, from: Box::new(from) };
            let back = Candidate { before, ordered: false, ..Candidate::new(access, vec![at], rows) };
            Some(Candidate { cost: self.cost(&back), ..back })
        };
        let candidates = self.conjuncts.iter().enumerate().take(self.own).filter_map(candidate);
        candidates.min_by(|one, other| one.cost.total_cmp(&other.cost))
    }

    /// An index whose entries tell the values of `fields` of all that is wanted, and of nothing else.
    pub(super) fn by_cover(&self, index: &Index, fields: &[FieldId]) -> Option<Candidate> {
        let has =
            |field: &FieldId| index.elements.iter().any(|element| element.json.is_empty() && element.path == [*field]);
        if index.elements.iter().any(|element| element.each) || !fields.iter().all(has) {
            return None;
        }
        let Known { elements, covered, used, rows, before, .. } = self.known_of(index)?;
        if self.residual(&covered).is_some() {
            return None;
        }
        let (rest, keys) = (Vec::new(), Vec::new());
        let access = Access::Index { index: index.id, unique: index.unique, elements, rest, keys, reverse: false };
        let cost = before + cost::folding(rows, index.elements.len());
        Some(Candidate { used, before, cost, ..Candidate::new(access, covered, rows) })
    }

    /// What is known of the first elements of an index; `None` when it does not lead from a parent to its records.
    fn known_of(&self, index: &Index) -> Option<Known> {
        let mut known = Known {
            elements: Vec::new(),
            covered: Vec::new(),
            used: Vec::new(),
            rows: RECORDS,
            before: 0.0,
            ranges: 1,
        };
        for element in &index.elements {
            let Some((bound, fact)) = self.bound(element, known.ranges) else { break };
            match &bound {
                Bound::Values(values) => known.ranges *= values.len().max(1),
                Bound::Selected(choice) => known.before += choice.cost,
                _ => {}
            }
            known.rows *= part(&bound, known.elements.is_empty());
            if let Some(fact) = fact {
                let unknown = |known: &Vec<usize>| !known.contains(&fact.conjunct);
                known.covered.extend((fact.whole && unknown(&known.covered)).then_some(fact.conjunct));
                known.used.extend(unknown(&known.used).then_some(fact.conjunct));
            }
            let element = Element { direction: element.direction, bound };
            let last = !element.is_equal();
            known.elements.push(element);
            if last {
                break;
            }
        }
        if let Some(Via::Reference { .. }) = self.wanted.via
            && !matches!(known.elements.first(), Some(Element { bound: Bound::Parent, .. }))
        {
            return None;
        }
        Some(known)
    }

    /// The ways through an index: where several streams can be merged, also the one that gathers all.
    fn by_index(&self, index: &Index) -> Vec<Candidate> {
        let Some(one) = self.through(index) else { return Vec::new() };
        if one.width == 1 {
            return vec![one];
        }
        let mut gathered = Candidate { ordered: false, width: 1, ..one.clone() };
        if let Access::Index { keys, reverse, .. } = &mut gathered.access {
            (*keys, *reverse) = (Vec::new(), false);
        }
        vec![gathered, one]
    }

    fn through(&self, index: &Index) -> Option<Candidate> {
        let Known { elements, covered, used, mut rows, before, ranges } = self.known_of(index)?;
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
        let ordered = served.is_some();
        let Served { reverse, keys, streams } =
            served.unwrap_or(Served { reverse: false, keys: Vec::new(), streams: 1 });
        let access = Access::Index { index: index.id, unique: index.unique, elements, rest, keys, reverse };
        Some(Candidate { used, before, ordered, width: streams, ..Candidate::new(access, covered, rows) })
    }

    /// What is known of an element, and the fact that says so.
    fn bound(&self, element: &IndexElement, ranges: usize) -> Option<(Bound, Option<&Fact>)> {
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
        let equal = |fact: &&Fact| fits(fact) && !matches!(fact.bound, Bound::Range { .. } | Bound::Prefix(_));
        let fact = self.facts.iter().find(equal).or_else(|| self.facts.iter().find(fits))?;
        Some((fact.bound.clone(), Some(fact)))
    }

    /// Whether the entries come in the order that is wanted, in one stream or for each of several values in one.
    fn serves_order(&self, index: &Index, elements: &[Element]) -> Option<Served> {
        let order = self.wanted.order;
        let fixed = elements.iter().take_while(|element| element.is_equal()).count();
        let merges = |values: &[Value]| self.wanted.via.is_none() && !values.is_empty();
        let streams = elements[..fixed].iter().try_fold(1, |streams, element| match &element.bound {
            _ if element.is_single() => Some(streams),
            Bound::Values(values) if merges(values) => Some(streams * values.len()),
            _ => None,
        })?;
        if streams > 1 && !self.merges(streams) {
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
        let never_null = |path: &[FieldId]| never_null(self.planning.catalog, self.collection, path);
        let distinct =
            index.unique && index.elements.iter().all(|element| element.json.is_empty() && never_null(&element.path));
        if distinct && keys.len() >= rest.len() {
            // No two entries are alike, so what follows decides nothing.
            let reverse = reverse.unwrap_or(order.ids == Direction::Descending);
            return Some(Served { reverse, keys: serving(), streams });
        }
        if keys.len() > rest.len() || !whole {
            return None;
        }
        let turned = order.ids == Direction::Descending;
        (reverse.unwrap_or(turned) == turned).then(|| Served { reverse: turned, keys: serving(), streams })
    }

    /// So many streams are worth being merged: each gives a page, and all of them are in memory.
    pub(super) fn merges(&self, streams: usize) -> bool {
        let merged = |enough: usize| streams.saturating_mul(enough) <= MERGED_MAX;
        streams <= STREAMS_MAX && self.wanted.enough.is_some_and(merged)
    }

    /// The part of records that what is left of the filter is thought to let through.
    fn passing(&self, covered: &[usize]) -> f64 {
        let known = |conjunct: usize| self.sizes.iter().any(|(used, _)| *used == [conjunct]);
        let guesses = |fact: &&Fact| !covered.contains(&fact.conjunct) && !known(fact.conjunct);
        let guessed = self.facts.iter().filter(guesses).map(|fact| part(&fact.bound, true));
        let open = |used: &[usize]| used.iter().any(|conjunct| !covered.contains(conjunct));
        let sizes = self.sizes.iter().filter(|(used, _)| open(used)).map(|(_, rows)| rows / RECORDS);
        guessed.chain(sizes).fold(FILTERED, f64::min).max(1.0 / RECORDS)
    }

    fn residual(&self, covered: &[usize]) -> Option<Filter> {
        let filter = self.wanted.filter?;
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

/// How an index serves an order.
struct Served {
    reverse: bool,
    /// The keys of the order that the elements behind the fixed ones stand for.
    keys: Vec<usize>,
    streams: usize,
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
