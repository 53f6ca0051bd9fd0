//! What inputs say of relations: which records come, which go, and what becomes of those that stay.
//!
//! Nothing is read here. What is created or changed below a relation is coerced as a whole, however deep it goes.

use super::coerce::{Coercer, Draft, Target, fields_of, refuse_unknown};
use super::edit::Changes;
use crate::catalog::{Collection, Field, FieldKind};
use crate::filter::Filter;
use crate::place::Place;
use crate::{Code, Failure, Input, PathItem, scalar};
use vivarium_storage::FieldId;

/// A record that is created through a relation.
#[derive(Clone, Debug)]
pub(super) struct Nested {
    pub(super) draft: Draft,
    /// Where it stands in the input.
    pub(super) path: Vec<PathItem>,
}

/// What becomes of a relation to one record.
#[derive(Clone, Debug)]
pub(super) enum One {
    /// It leads to the record that a key names.
    To(Box<Target>),
    /// It is emptied.
    Nothing,
    /// It leads to a new record.
    Create(Box<Nested>),
    /// The record that it leads to is changed.
    Update(Box<Changes>),
    /// It is emptied, and the record that it led to is deleted.
    Delete,
}

/// What becomes of a relation to many records. What is done first stands first: what is to go goes before what comes, and what is
/// named in both stays.
#[derive(Clone, Debug, Default)]
pub(super) struct Many {
    pub(super) update: Vec<(Target, Changes)>,
    pub(super) delete: Vec<Target>,
    pub(super) delete_many: Option<Box<Filter>>,
    pub(super) set: Option<Vec<Target>>,
    pub(super) disconnect: Vec<Target>,
    pub(super) connect: Vec<Target>,
    pub(super) create: Vec<Nested>,
}

/// What becomes of a relation that other records or links hold, or of the record that an own reference leads to.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) field: FieldId,
    /// Where the field stands in the input.
    pub(super) path: Vec<PathItem>,
    pub(super) action: Action,
}

/// The ways in which a relation changes.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Of a relation to one.
    One(One),
    /// Of a list.
    Many(Box<Many>),
}

impl Action {
    /// Every record that is named by a key.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        let (one, many) = match self {
            Action::One(One::To(target)) => (Some(target.as_ref()), None),
            Action::One(_) => (None, None),
            Action::Many(many) => {
                let updated = many.update.iter().map(|(target, _)| target);
                let gone = many.delete.iter().chain(&many.disconnect);
                (None, Some(updated.chain(gone).chain(many.set.iter().flatten()).chain(&many.connect)))
            }
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Takes out the records that are created.
    pub(super) fn take_creates(&mut self) -> Vec<Nested> {
        match self {
            Action::Many(many) => std::mem::take(&mut many.create),
            Action::One(one @ One::Create(_)) => match std::mem::replace(one, One::Nothing) {
                One::Create(nested) => vec![*nested],
                _ => unreachable!("it was just seen"),
            },
            Action::One(_) => Vec::new(),
        }
    }
}

/// A relation as an input may change it.
#[derive(Clone, Copy)]
pub(super) struct Related<'c> {
    /// The collection that it leads to.
    pub(super) target: &'c Collection,
    /// The field on the other side, which is set from here.
    inverse: Option<FieldId>,
    /// It is said of a record that is created: nothing is there yet.
    is_new: bool,
    can_be_empty: bool,
}

impl<'c> Related<'c> {
    pub(super) fn of(coercer: Coercer<'c>, field: &Field, is_new: bool) -> Related<'c> {
        let (target, inverse) = field.relation().expect("only relations come here");
        let target = coercer.catalog.collection(target).expect("a relation leads to a collection");
        Related { target, inverse, is_new, can_be_empty: !field.required }
    }

    fn nested(&self, coercer: Coercer<'_>, input: &Input, place: &Place<'_>) -> Result<Nested, Failure> {
        let draft = coercer.below(place)?.create(self.target, input, place, self.inverse)?;
        Ok(Nested { draft, path: place.path() })
    }
}

/// Reads an object of exactly one of `create`, `connect`, `disconnect`, `update`, `delete`; or null.
pub(super) fn one(
    coercer: Coercer<'_>,
    related: Related<'_>,
    input: &Input,
    place: &Place<'_>,
) -> Result<One, Failure> {
    let fields = match input {
        Input::Null => return Ok(One::Nothing),
        Input::Object(fields) => fields,
        other => {
            let message = format!("A relation is an object with connect, not {}.", scalar::found(other));
            return Err(place.fail(Code::BadUserInput, message));
        }
    };
    let takes = |name: &str| match name {
        "connect" | "create" | "disconnect" => true,
        "update" | "delete" => !related.is_new,
        _ => false,
    };
    refuse_unknown("This relation", fields, takes, place)?;
    let said = |(_, input): &&(String, Input)| !matches!(input, Input::Null | Input::Bool(false));
    let mut said = fields.iter().filter(said);
    let (Some((name, input)), rest) = (said.next(), said.next()) else {
        let message = "A relation takes connect with a key, create with a record, or disconnect: true.";
        return Err(place.fail(Code::BadUserInput, message));
    };
    if let Some((other, _)) = rest {
        let message = format!("A relation takes {name} or {other}, not both.");
        return Err(place.fail(Code::BadUserInput, message));
    }
    let place = place.name(name);
    match name.as_str() {
        "connect" => coercer.target(related.target.id, input, &place).map(|target| One::To(Box::new(target))),
        "create" => related.nested(coercer, input, &place).map(|nested| One::Create(Box::new(nested))),
        "update" => {
            let changes = Changes::of(coercer.below(&place)?, related.target, input, &place)?;
            Ok(One::Update(Box::new(changes)))
        }
        "delete" if !related.can_be_empty => {
            let message =
                "A required relation cannot be emptied: connect another record, and delete this one by itself.";
            Err(place.fail(Code::BadUserInput, message))
        }
        name => match (name, input) {
            ("disconnect", Input::Bool(true)) => Ok(One::Nothing),
            (_, Input::Bool(true)) => Ok(One::Delete),
            (name, other) => {
                let message = format!("{name} is true or is left out, not {}.", scalar::found(other));
                Err(place.fail(Code::BadUserInput, message))
            }
        },
    }
}

/// Reads what an input says of a relation that other records or links hold.
pub(super) fn change(
    coercer: Coercer<'_>,
    field: &Field,
    is_new: bool,
    input: &Input,
    place: &Place<'_>,
) -> Result<Change, Failure> {
    let related = Related::of(coercer, field, is_new);
    let action = match field.kind {
        FieldKind::OneToOne { .. } => Action::One(one(coercer, related, input, place)?),
        FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. } => {
            Action::Many(Box::new(many(coercer, related, input, place)?))
        }
        _ => unreachable!("only relations that others hold come here"),
    };
    Ok(Change { field: field.id, path: place.path(), action })
}

fn many(coercer: Coercer<'_>, related: Related<'_>, input: &Input, place: &Place<'_>) -> Result<Many, Failure> {
    let Input::Object(fields) = input else {
        let message =
            format!("A relation to many is an object with connect, disconnect or set, not {}.", scalar::found(input));
        return Err(place.fail(Code::BadUserInput, message));
    };
    let takes = |name: &str| match name {
        "connect" | "create" | "disconnect" | "set" => true,
        "update" | "delete" | "deleteMany" => !related.is_new,
        _ => false,
    };
    refuse_unknown("This relation", fields, takes, place)?;
    let mut many = Many::default();
    for (name, input) in fields {
        let place = place.name(name);
        let target = |key: &Input, place: &Place<'_>| coercer.target(related.target.id, key, place);
        match name.as_str() {
            "connect" => many.connect = each(input, &place, target)?,
            "disconnect" => many.disconnect = each(input, &place, target)?,
            "set" => many.set = Some(each(input, &place, target)?),
            "delete" => many.delete = each(input, &place, target)?,
            "create" => {
                many.create = each(input, &place, |record, place| related.nested(coercer, record, place))?;
            }
            "update" => many.update = each(input, &place, |update, place| updated(coercer, related, update, place))?,
            _ => {
                let filter = Filter::compile(coercer.catalog, related.target, input, &place.path())?;
                many.delete_many = Some(Box::new(filter));
            }
        }
    }
    Ok(many)
}

/// Reads `{ by, data }`.
fn updated(
    coercer: Coercer<'_>,
    related: Related<'_>,
    input: &Input,
    place: &Place<'_>,
) -> Result<(Target, Changes), Failure> {
    let type_name = related.target.update_in_type();
    let given = fields_of(&type_name, input, place)?;
    refuse_unknown(&type_name, given, |name| matches!(name, "by" | "data"), place)?;
    let (Some(by), Some(data)) = (input.field("by"), input.field("data")) else {
        let message = format!("{type_name} takes by, which names the record, and data.");
        return Err(place.fail(Code::BadUserInput, message));
    };
    let target = coercer.target(related.target.id, by, &place.name("by"))?;
    let changes = Changes::of(coercer.below(place)?, related.target, data, &place.name("data"))?;
    Ok((target, changes))
}

/// Reads a list. GraphQL takes one element for a list of it.
fn each<T>(
    input: &Input,
    place: &Place<'_>,
    one: impl Fn(&Input, &Place<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    match input {
        Input::Null => {
            let message = "null is no list here: leave it out, or use an empty list.";
            Err(place.fail(Code::BadUserInput, message))
        }
        Input::List(items) => items.iter().enumerate().map(|(at, item)| one(item, &place.at(at))).collect(),
        item => Ok(vec![one(item, place)?]),
    }
}
