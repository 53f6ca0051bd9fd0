//! The arguments of `groups`, bound: keys, what has to hold of a group, order, page; and how a fold reads.

use super::access::{Access, Choice};
use super::bind::bad_input;
use super::fold::{FoldSlot, GroupTemplates, MeasurePlan, Wants, measured};
use super::template::Template;
use super::variables::Variables;
use super::{Limits, having};
use crate::catalog::{Catalog, Collection, FieldKind, KeyForm, Scalar};
use crate::scalar::Bucket;
use crate::{Code, Failure, Input, PathItem};
use vivarium_storage::FieldId;
use vivarium_storage::key::Direction;

/// Keys of one `groups`: more make groups of one.
const KEYS_MAX: usize = 8;
/// Keys that groups are ordered by.
const ORDER_MAX: usize = 16;
/// Groups that a page may skip.
const OFFSET_MAX: i64 = 1_000_000;

/// A fold, ready to be executed.
#[derive(Debug)]
pub(crate) struct BoundFold {
    pub(crate) choice: Choice,
    /// The entries of the chosen index tell all: for each of its elements what it is good for, no longer than needed.
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) measures: Vec<MeasurePlan>,
    /// What groups have in common; empty where there is one row.
    pub(crate) keys: Vec<GroupKey>,
    pub(crate) groups: Option<BoundGroups>,
}

/// What an element of a covering index is good for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    pub(crate) descending: bool,
    pub(crate) key: Option<usize>,
    pub(crate) measure: Option<usize>,
    /// Values come in order within each group: the same ones stand together.
    pub(crate) sorted: bool,
}

/// One key of groups.
#[derive(Clone, Debug)]
pub(crate) struct GroupKey {
    pub(crate) field: FieldId,
    pub(crate) bucket: Option<Bucket>,
    /// What the key's value is, where that is a scalar.
    pub(crate) scalar: Option<Scalar>,
    pub(crate) scale: Option<u32>,
}

/// Which groups are answered, and how.
#[derive(Debug)]
pub(crate) struct BoundGroups {
    pub(crate) having: Option<having::Having>,
    pub(crate) order: Vec<GroupOrder>,
    pub(crate) first: usize,
    pub(crate) offset: usize,
}

/// A key that groups are ordered by. Groups that are equal follow each other by their keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupOrder {
    pub(crate) by: Ordered,
    pub(crate) direction: Direction,
    pub(crate) nulls_first: bool,
}

/// What groups are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    Count,
    /// A number in [`BoundFold::keys`].
    Key(usize),
    /// A number in [`BoundFold::measures`].
    Sum(usize),
}

/// What binding the arguments needs to know.
pub(super) struct GroupBinder<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) collection: &'a Collection,
    pub(super) limits: &'a Limits,
    pub(super) variables: &'a Variables,
}

impl GroupBinder<'_> {
    /// The keys and the rest of the arguments. What they need to know beside what is selected joins the measures.
    pub(super) fn bind(
        &self,
        templates: &GroupTemplates,
        measures: &mut Vec<MeasurePlan>,
    ) -> Result<(Vec<GroupKey>, BoundGroups), Failure> {
        let keys = self.keys(&templates.by)?;
        let having = match self.given("having", templates.having.as_ref())? {
            None => None,
            Some(input) => Some(having::compile(self.catalog, self.collection, &input, measures)?),
        };
        let order = match self.given("orderBy", templates.order.as_ref())? {
            None => Vec::new(),
            Some(input) => self.order(&input, &keys, measures)?,
        };
        let first = self.number("first", templates.first.as_ref())?;
        let first = first.map_or(self.limits.page_default, |first| usize::try_from(first).unwrap_or(usize::MAX));
        if first > self.limits.page_max {
            let limit = self.limits.page_max;
            let message = format!("A page holds at most {limit} groups: ask for fewer and go on with offset.");
            let failure = Failure::new(Code::PageTooLarge, message);
            return Err(failure.with("limit", limit).with("inputPath", vec!["first"]));
        }
        let offset = self.number("offset", templates.offset.as_ref())?.unwrap_or(0);
        if offset > OFFSET_MAX {
            return Err(bad_input(&format!("An offset is at most {OFFSET_MAX}."), &[name("offset")]));
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok((keys, BoundGroups { having, order, first, offset }))
    }

    /// An argument whose variables all have values; `None` when nothing or null is given.
    fn given(&self, argument: &'static str, template: Option<&Template>) -> Result<Option<Input>, Failure> {
        let Some(template) = template else { return Ok(None) };
        if let Some(missing) = template.missing(self.variables) {
            let path: Vec<PathItem> = std::iter::once(name(argument)).chain(missing).collect();
            let message = format!("A variable of {argument} has no value: give it one, or leave that part out.");
            return Err(bad_input(&message, &path));
        }
        Ok(template.bind(self.variables).filter(|input| *input != Input::Null))
    }

    fn number(&self, argument: &'static str, template: Option<&Template>) -> Result<Option<i64>, Failure> {
        match template.and_then(|template| template.bind(self.variables)) {
            None | Some(Input::Null) => Ok(None),
            Some(Input::Int(number)) if number >= 0 => Ok(Some(number)),
            Some(_) => Err(bad_input(&format!("{argument} is a whole number, and not negative."), &[name(argument)])),
        }
    }

    fn keys(&self, by: &Template) -> Result<Vec<GroupKey>, Failure> {
        let input = self.given("by", Some(by))?.unwrap_or(Input::Null);
        let elements = one_or_many(&input);
        if elements.is_empty() {
            let message = "Say what to group by, or ask for the aggregate of all records.";
            return Err(bad_input(message, &[name("by")]));
        }
        if elements.len() > KEYS_MAX {
            return Err(bad_input(&format!("Records are grouped by at most {KEYS_MAX} keys."), &[name("by")]));
        }
        let mut keys: Vec<GroupKey> = Vec::with_capacity(elements.len());
        for (at, element) in elements.iter().enumerate() {
            let mut path = vec![name("by"), PathItem::Index(at)];
            let (field, value) = single(element, &path)?;
            path.push(name(field));
            let key = self.key(field, value).map_err(|message| bad_input(&message, &path))?;
            if keys.iter().any(|known| known.field == key.field) {
                return Err(bad_input(&format!("Records are grouped by {field} already: give each key once."), &path));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn key(&self, field_name: &str, value: &Input) -> Result<GroupKey, String> {
        let field = self.collection.field_named(field_name);
        let found = field.and_then(|field| Some((field, field.key_form()?)));
        let (field, form) = found.ok_or_else(|| format!("There is no field \"{field_name}\" to group by."))?;
        let bucket = match (form, value) {
            (KeyForm::Same, Input::Bool(true)) => None,
            (KeyForm::Same, _) => return Err("Say true to group by it, or leave it out.".to_owned()),
            (form, Input::Enum(word) | Input::String(word)) => {
                let known = Bucket::named(word).filter(|bucket| form == KeyForm::DateTime || *bucket != Bucket::Hour);
                Some(known.ok_or_else(|| format!("There is no bucket {word}."))?)
            }
            _ => return Err("Name a bucket, such as DAY or MONTH.".to_owned()),
        };
        let scalar = match field.kind {
            FieldKind::Scalar(scalar) => Some(scalar),
            _ => None,
        };
        Ok(GroupKey { field: field.id, bucket, scalar, scale: field.precision.map(|precision| precision.scale) })
    }

    fn order(
        &self,
        input: &Input,
        keys: &[GroupKey],
        measures: &mut Vec<MeasurePlan>,
    ) -> Result<Vec<GroupOrder>, Failure> {
        let elements = one_or_many(input);
        if elements.len() > ORDER_MAX {
            let message = format!("The order has more than {ORDER_MAX} keys.");
            return Err(bad_input(&message, &[name("orderBy")]));
        }
        let mut order = Vec::with_capacity(elements.len());
        for (at, element) in elements.iter().enumerate() {
            let mut path = vec![name("orderBy"), PathItem::Index(at)];
            let (field, value) = single(element, &path)?;
            path.push(name(field));
            let by = self.ordered(field, keys, measures).map_err(|message| bad_input(&message, &path))?;
            let (Input::Enum(word) | Input::String(word)) = value else {
                return Err(bad_input("Give a direction: ASC or DESC.", &path));
            };
            let (direction, nulls_first) = match word.as_str() {
                "ASC" | "ASC_NULLS_FIRST" => (Direction::Ascending, true),
                "ASC_NULLS_LAST" => (Direction::Ascending, false),
                "DESC" | "DESC_NULLS_LAST" => (Direction::Descending, false),
                "DESC_NULLS_FIRST" => (Direction::Descending, true),
                _ => return Err(bad_input(&format!("There is no direction {word}."), &path)),
            };
            order.push(GroupOrder { by, direction, nulls_first });
        }
        Ok(order)
    }

    fn ordered(&self, word: &str, keys: &[GroupKey], measures: &mut Vec<MeasurePlan>) -> Result<Ordered, String> {
        if word == "count" {
            return Ok(Ordered::Count);
        }
        if let Some(field) = self.collection.field_named(word).filter(|field| field.orders_groups()) {
            let at = keys.iter().position(|key| key.field == field.id);
            return at.map(Ordered::Key).ok_or_else(|| {
                format!("Records are not grouped by {word}: order by what is in by, by count or by a sum.")
            });
        }
        let summed = |field: &&crate::catalog::Field| field.sum_order().is_some_and(|order| order == word);
        let plan = self.collection.fields.iter().find(summed).and_then(MeasurePlan::of);
        let plan = plan.ok_or_else(|| format!("Groups are not ordered by \"{word}\"."))?;
        let wants = Wants { sum: true, ..Wants::default() };
        Ok(Ordered::Sum(measured(measures, MeasurePlan { wants, ..plan })))
    }
}

/// The fields whose values a fold looks at.
pub(super) fn looked_at(keys: &[GroupKey], measures: &[MeasurePlan]) -> Vec<FieldId> {
    keys.iter().map(|key| key.field).chain(measures.iter().filter_map(MeasurePlan::looks_at)).collect()
}

/// What the elements of the chosen index are good for, when its entries tell all that a fold looks at.
pub(super) fn columns(
    collection: &Collection,
    choice: &Choice,
    keys: &[GroupKey],
    measures: &[MeasurePlan],
) -> Vec<Column> {
    let Access::Index { index, elements: bound, .. } = &choice.access else { return Vec::new() };
    let index = collection.index(*index).expect("a choice is used with its own catalog");
    let mut columns = Vec::with_capacity(index.elements.len());
    // As long as everything in front is one value, or what groups differ by.
    let mut sorted = true;
    for (at, element) in index.elements.iter().enumerate() {
        let key = keys.iter().position(|key| element.json.is_empty() && element.path == [key.field]);
        let looked_at = |measure: &MeasurePlan| {
            measure.looks_at().is_some_and(|field| element.json.is_empty() && element.path == [field])
        };
        let measure = measures.iter().position(looked_at);
        // An index may have one field twice: it counts once.
        let measure = measure.filter(|_| !columns.iter().any(|column: &Column| column.measure == measure));
        let descending = element.direction == Direction::Descending;
        columns.push(Column { descending, key, measure, sorted });
        let one = bound.get(at).is_some_and(super::access::Element::is_single);
        sorted &= one || key.is_some_and(|key| keys[key].bucket.is_none());
    }
    let needed = columns.iter().rposition(|column| column.key.is_some() || column.measure.is_some());
    columns.truncate(needed.map_or(0, |last| last + 1));
    columns
}

impl FoldSlot {
    /// What a warning calls it.
    pub(super) fn noun(&self) -> &'static str {
        if self.groups.is_some() { "groups" } else { "aggregate" }
    }
}

impl MeasurePlan {
    /// The field's own scalar, of what has more than a count.
    pub(crate) fn scalar(&self) -> Option<Scalar> {
        self.measure.extreme()
    }
}

fn one_or_many(input: &Input) -> &[Input] {
    match input {
        Input::Null => &[],
        Input::List(elements) => elements,
        one => std::slice::from_ref(one),
    }
}

fn single<'i>(element: &'i Input, path: &[PathItem]) -> Result<(&'i str, &'i Input), Failure> {
    match element {
        Input::Object(fields) if fields.len() == 1 => Ok((&fields[0].0, &fields[0].1)),
        _ => Err(bad_input("Give one field in each element of the list.", path)),
    }
}

fn name(name: &str) -> PathItem {
    PathItem::Name(name.to_owned())
}
