//! What an update does beside setting fields: adding to numbers, changing lists, merging into values.
//!
//! Invariant: one part changes a field, but for `pull` and `push`, which go together: what is pulled goes first.

use super::coerce::{Coercer, Draft, fields_of, refuse_unknown};
use crate::catalog::{Collection, Embedded, Field, FieldKind, Scalar};
use crate::place::Place;
use crate::{Abort, Code, Failure, Input, PathItem, scalar};
use std::collections::{BTreeMap, BTreeSet};
use vivarium_storage::{Document, DocumentBuilder, FieldId, Value};

/// An update, as its arguments say it.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The argument that `data` comes from, for `inputPath`.
    pub argument: &'static str,
    /// An input of the collection's Update type: absent = unchanged, null = clear; relations take `connect`,
    /// `disconnect` and `set`.
    pub data: Option<Input>,
    /// Of its Increment type: what is added to numbers.
    pub increment: Option<Input>,
    /// Of its ListChange type: elements that are put behind those that are there.
    pub push: Option<Input>,
    /// Of its ListChange type: elements that are taken out wherever they are.
    pub pull: Option<Input>,
    /// Of its Merge type: JSON merge patches (RFC 7396), and members of embedded values.
    pub merge: Option<Input>,
}

impl Default for Edit {
    fn default() -> Edit {
        Edit { argument: "data", data: None, increment: None, push: None, pull: None, merge: None }
    }
}

impl Edit {
    /// An update that only sets fields.
    pub fn of(data: Input) -> Edit {
        Edit { data: Some(data), ..Edit::default() }
    }
}

/// An update, read: what depends on the record is still open.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// Where its parts stand.
    base: Vec<PathItem>,
    /// What `data` sets, and the references of all parts.
    pub(super) draft: Draft,
    increments: Vec<(FieldId, Value)>,
    pushes: BTreeMap<FieldId, Vec<Value>>,
    pulls: BTreeMap<FieldId, Vec<Value>>,
    merges: Vec<(FieldId, Merge)>,
    /// The part that changes each field. The name is empty where fields stand at `base` itself.
    parts: BTreeMap<FieldId, &'static str>,
    /// The first part that is given.
    first: &'static str,
}

/// What becomes of a value that something is merged into.
#[derive(Clone, Debug)]
enum Merge {
    Set(Value),
    /// A JSON merge patch.
    Json(Value),
    Members {
        members: Vec<(FieldId, Merge)>,
        /// What the patch makes of nothing.
        fresh: Result<Value, Failure>,
    },
}

impl Changes {
    /// Reads all that can be read without the record. `None` when the update says nothing.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath`.
    pub(super) fn read(coercer: Coercer<'_>, collection: &Collection, edit: &Edit) -> Result<Option<Changes>, Failure> {
        let given = [
            (edit.argument, &edit.data),
            ("increment", &edit.increment),
            ("push", &edit.push),
            ("pull", &edit.pull),
            ("merge", &edit.merge),
        ];
        let Some((first, _)) = given.into_iter().find(|(_, input)| input.is_some()) else { return Ok(None) };
        let mut changes = Changes::from_draft(Draft::default(), Vec::new());
        changes.first = first;
        for (part, input) in given {
            if let Some(input) = input {
                changes.part(coercer, collection, part, input)?;
            }
        }
        Ok(Some(changes))
    }

    /// Reads an input of the collection's Update type that stands at a place of its own.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath`.
    pub(super) fn of(
        coercer: Coercer<'_>,
        collection: &Collection,
        input: &Input,
        place: &Place<'_>,
    ) -> Result<Changes, Failure> {
        Ok(Changes::from_draft(coercer.update(collection, input, place)?, place.path()))
    }

    /// What is read already, its fields being at `base`.
    pub(super) fn from_draft(draft: Draft, base: Vec<PathItem>) -> Changes {
        Changes {
            base,
            draft,
            increments: Vec::new(),
            pushes: BTreeMap::new(),
            pulls: BTreeMap::new(),
            merges: Vec::new(),
            parts: BTreeMap::new(),
            first: "",
        }
    }

    /// Where the parts stand.
    pub(super) fn base(&self) -> &[PathItem] {
        &self.base
    }

    fn part(
        &mut self,
        coercer: Coercer<'_>,
        collection: &Collection,
        part: &'static str,
        input: &Input,
    ) -> Result<(), Failure> {
        let root = Place::Root(&[]);
        let place = root.name(part);
        if matches!(part, "data" | "update") {
            self.draft = coercer.update(collection, input, &place)?;
            let set = collection.fields.iter().filter(|field| input.field(&field.name).is_some());
            self.parts.extend(set.map(|field| (field.id, part)));
            return Ok(());
        }
        let (type_name, takes): (String, fn(&Field) -> bool) = match part {
            "increment" => (collection.increment_type(), Field::takes_increments),
            "merge" => (collection.merge_type(), Field::takes_merges),
            _ => (collection.list_change_type(), Field::takes_list_changes),
        };
        let given = fields_of(&type_name, input, &place)?;
        refuse_unknown(&type_name, given, |name| collection.field_named(name).is_some_and(takes), &place)?;
        for field in &collection.fields {
            let Some(input) = input.field(&field.name) else { continue };
            let place = place.name(&field.name);
            self.claim(collection, field, part, &place)?;
            match part {
                "increment" => self.increments.push((field.id, operand(collection, field, input, &place)?)),
                "merge" => {
                    let merge = Merge::read(coercer, &collection.name, field, input, &place, &mut self.draft)?;
                    self.merges.push((field.id, merge));
                }
                _ => {
                    let values = coercer.value(&collection.name, field, input, &place, &mut self.draft.references)?;
                    let Value::List(values) = values else {
                        let message = format!("{part} takes a list of elements, not null: leave it out.");
                        return Err(place.fail(Code::BadUserInput, message));
                    };
                    if part == "push" { &mut self.pushes } else { &mut self.pulls }.insert(field.id, values);
                }
            }
        }
        Ok(())
    }

    /// Notes which part changes a field.
    fn claim(
        &mut self,
        collection: &Collection,
        field: &Field,
        part: &'static str,
        place: &Place<'_>,
    ) -> Result<(), Failure> {
        match self.parts.insert(field.id, part) {
            None | Some("push") => Ok(()),
            Some(other) => {
                let name = format!("{}.{}", collection.name, field.name);
                let message = format!("{name} is changed by {other} and by {part}: change it in one of them.");
                Err(place.fail(Code::BadUserInput, message))
            }
        }
    }

    /// Changes the fields of one record.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath` for a sum that does not fit, and for what is merged into nothing and is not whole.
    pub(super) fn apply(
        &self,
        collection: &Collection,
        before: Document<'_>,
        fields: &mut DocumentBuilder,
    ) -> Result<(), Failure> {
        let field_of = |id| collection.field(id).expect("a change is of one of the collection's fields");
        for (id, by) in &self.increments {
            let field = field_of(*id);
            let sum = sum(field, before.field(*id).to_value(), by).map_err(|reason| {
                let path = [PathItem::Name("increment".into()), PathItem::Name(field.name.clone())];
                let message = format!("{}.{}: {reason}", collection.name, field.name);
                Place::Root(&path).fail(Code::BadUserInput, message)
            })?;
            fields.set(*id, sum);
        }
        let lists: BTreeSet<FieldId> = self.pulls.keys().chain(self.pushes.keys()).copied().collect();
        for id in lists {
            let there = before.field(id).to_value();
            let was_null = there.is_null();
            let mut list = if let Value::List(list) = there { list } else { Vec::new() };
            if let Some(pulled) = self.pulls.get(&id) {
                list.retain(|element| !pulled.contains(element));
            }
            list.extend(self.pushes.get(&id).into_iter().flatten().cloned());
            if !(was_null && list.is_empty()) {
                fields.set(id, Value::List(list));
            }
        }
        for (id, merge) in &self.merges {
            fields.set(*id, merge.applied(before.field(*id).to_value())?);
        }
        Ok(())
    }

    /// A failure of the record as a whole, said to be at the part that is to blame.
    pub(super) fn located(&self, collection: &Collection, abort: Abort) -> Abort {
        let Abort::Failed(mut failure) = abort else { return abort };
        let path = failure.extra.iter_mut().find(|(name, _)| *name == "inputPath");
        if let Some((_, serde_json::Value::Array(path))) = path {
            let field = path.first().and_then(|name| collection.field_named(name.as_str()?));
            let part = field.and_then(|field| self.parts.get(&field.id).copied()).unwrap_or(self.first);
            if !part.is_empty() {
                path.insert(0, part.into());
            }
            let base = self.base.iter().map(|item| serde_json::to_value(item).expect("names and numbers are JSON"));
            path.splice(0..0, base);
        }
        Abort::Failed(failure)
    }
}

impl Merge {
    fn read(
        coercer: Coercer<'_>,
        owner: &str,
        field: &Field,
        input: &Input,
        place: &Place<'_>,
        draft: &mut Draft,
    ) -> Result<Merge, Failure> {
        match field.kind {
            _ if *input == Input::Null => {
                coercer.value(owner, field, input, place, &mut draft.references).map(Merge::Set)
            }
            FieldKind::Scalar(Scalar::Json) if field.list.is_none() => {
                let patch = scalar::coerce(Scalar::Json, None, input);
                let named = |message| place.fail(Code::BadUserInput, format!("{owner}.{}: {message}", field.name));
                patch.map(Merge::Json).map_err(named)
            }
            FieldKind::Embedded(id) if field.list.is_none() => {
                let embedded = coercer.catalog.embedded(id).expect("a field's type is in the catalog");
                Merge::members(coercer, embedded, input, place, draft)
            }
            _ => unreachable!("only fields that take merges come here"),
        }
    }

    fn members(
        coercer: Coercer<'_>,
        embedded: &Embedded,
        input: &Input,
        place: &Place<'_>,
        draft: &mut Draft,
    ) -> Result<Merge, Failure> {
        let type_name = embedded.patch_type();
        let given = fields_of(&type_name, input, place)?;
        let known = |name: &str| embedded.field_named(name).is_some_and(Field::is_written);
        refuse_unknown(&type_name, given, known, place)?;
        let mut members = Vec::with_capacity(given.len());
        for field in &embedded.fields {
            let Some(input) = input.field(&field.name) else { continue };
            let place = place.name(&field.name);
            let merge = if field.takes_merges() {
                Merge::read(coercer, &embedded.name, field, input, &place, draft)?
            } else {
                Merge::Set(coercer.member(embedded, field, input, &place, &mut draft.references)?)
            };
            members.push((field.id, merge));
        }
        // Its references are those of the members.
        let fresh = coercer.record(embedded, input, place, &mut Vec::new());
        Ok(Merge::Members { members, fresh })
    }

    /// What becomes of a value.
    fn applied(&self, there: Value) -> Result<Value, Failure> {
        match (self, there) {
            (Merge::Set(value), _) => Ok(value.clone()),
            (Merge::Json(patch), there) => Ok(patched(there, patch)),
            (Merge::Members { members, .. }, Value::Record(mut record)) => {
                for (field, merge) in members {
                    let at = record.binary_search_by_key(field, |(id, _)| *id);
                    let before = at.map_or(Value::Null, |at| record[at].1.clone());
                    match (at, merge.applied(before)?) {
                        (Ok(at), Value::Null) => drop(record.remove(at)),
                        (Ok(at), value) => record[at].1 = value,
                        (Err(_), Value::Null) => {}
                        (Err(at), value) => record.insert(at, (*field, value)),
                    }
                }
                Ok(Value::Record(record))
            }
            (Merge::Members { fresh, .. }, _) => fresh.clone(),
        }
    }
}

/// RFC 7396, section 2: `MergePatch`.
fn patched(there: Value, patch: &Value) -> Value {
    let Value::Map(patch) = patch else { return patch.clone() };
    let mut members = if let Value::Map(members) = there { members } else { Vec::new() };
    for (name, change) in patch {
        let at = members.iter().position(|(there, _)| there == name);
        match (at, change) {
            (Some(at), Value::Null) => drop(members.remove(at)),
            (None, Value::Null) => {}
            (Some(at), change) => {
                let before = std::mem::replace(&mut members[at].1, Value::Null);
                members[at].1 = patched(before, change);
            }
            (None, change) => members.push((name.clone(), patched(Value::Null, change))),
        }
    }
    Value::Map(members)
}

/// What is added to a number, of the field's own type.
fn operand(collection: &Collection, field: &Field, input: &Input, place: &Place<'_>) -> Result<Value, Failure> {
    let FieldKind::Scalar(scalar) = field.kind else { unreachable!("only numbers take increments") };
    if *input == Input::Null {
        return Err(place.fail(Code::BadUserInput, "increment takes a number, not null: leave the field out."));
    }
    let named = |message| place.fail(Code::BadUserInput, format!("{}.{}: {message}", collection.name, field.name));
    scalar::coerce(scalar, None, input).map_err(named)
}

/// The exact sum, as the field stores it.
fn sum(field: &Field, there: Value, by: &Value) -> Result<Value, String> {
    let FieldKind::Scalar(scalar) = field.kind else { unreachable!("only numbers take increments") };
    let sum = match (there, by) {
        (Value::Null, _) => return Err("there is no number to add to: set one with data.".into()),
        (Value::Int(there), Value::Int(by)) => there.checked_add(*by).map(Input::Int),
        (Value::Float(there), Value::Float(by)) => {
            let sum = there + by;
            sum.is_finite().then(|| Input::Number(format!("{sum:e}")))
        }
        (Value::Decimal(there), Value::Decimal(by)) => {
            // A sum of more digits than there is room for would be rounded.
            let exact = |sum: &vivarium_storage::value::Decimal| {
                sum.checked_sub(there) == Some(*by) && sum.checked_sub(*by) == Some(there)
            };
            there.checked_add(*by).filter(exact).map(|sum| Input::String(sum.to_string()))
        }
        (there, by) => unreachable!("a field has one type of number, not {there:?} and {by:?}"),
    };
    let sum = sum.ok_or("the sum does not fit.")?;
    scalar::coerce(scalar, field.precision, &sum)
}
