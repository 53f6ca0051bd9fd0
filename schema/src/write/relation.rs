//! What inputs say of relations: `connect`, `disconnect` and `set`, of one record or of many.

use super::coerce::{Coercer, Target, refuse_unknown};
use crate::catalog::{Field, FieldKind};
use crate::place::Place;
use crate::{Code, Failure, Input, scalar};
use vivarium_storage::{CollectionId, FieldId};

/// What becomes of a relation to one record.
#[derive(Debug)]
pub(super) enum One {
    /// It leads to the record that a key names.
    To(Box<Target>),
    /// It is emptied.
    Nothing,
}

/// What becomes of a relation that other records or links hold.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) field: FieldId,
    /// Where the field stands in the input.
    pub(super) path: Vec<crate::PathItem>,
    pub(super) action: Action,
}

/// The ways in which a relation changes.
#[derive(Debug)]
pub(super) enum Action {
    /// The far side of a one-to-one relation.
    One(One),
    /// Lists: first all but `set` go, and `disconnect`, then `set` and `connect` come. What comes does not go before.
    Many { set: Option<Vec<Target>>, disconnect: Vec<Target>, connect: Vec<Target> },
}

impl Action {
    /// Every record that is named.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        let (one, many) = match self {
            Action::One(One::To(target)) => (Some(target.as_ref()), None),
            Action::One(One::Nothing) => (None, None),
            Action::Many { set, disconnect, connect } => {
                (None, Some(set.iter().flatten().chain(disconnect).chain(connect)))
            }
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

/// Reads `{ connect: Key }`, `{ disconnect: true }` or null.
pub(super) fn one(
    coercer: Coercer<'_>,
    target: CollectionId,
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
    refuse_unknown("This relation", fields, |name| matches!(name, "connect" | "disconnect"), place)?;
    let connect = input.field("connect");
    match (connect, input.field("disconnect")) {
        (Some(key), None | Some(Input::Bool(false) | Input::Null)) => {
            coercer.target(target, key, &place.name("connect")).map(|target| One::To(Box::new(target)))
        }
        (None, Some(Input::Bool(true))) => Ok(One::Nothing),
        (Some(_), Some(_)) => Err(place.fail(Code::BadUserInput, "A relation takes connect or disconnect, not both.")),
        (None, _) => Err(place.fail(Code::BadUserInput, "A relation takes connect with a key, or disconnect: true.")),
    }
}

/// Reads what an input says of a relation that other records or links hold.
pub(super) fn change(coercer: Coercer<'_>, field: &Field, input: &Input, place: &Place<'_>) -> Result<Change, Failure> {
    let action = match field.kind {
        FieldKind::OneToOne { target, .. } => Action::One(one(coercer, target, input, place)?),
        FieldKind::OneToMany { target, .. } | FieldKind::ManyToMany { target, .. } => {
            many(coercer, target, input, place)?
        }
        _ => unreachable!("only relations that others hold come here"),
    };
    Ok(Change { field: field.id, path: place.path(), action })
}

fn many(coercer: Coercer<'_>, target: CollectionId, input: &Input, place: &Place<'_>) -> Result<Action, Failure> {
    let Input::Object(fields) = input else {
        let message =
            format!("A relation to many is an object with connect, disconnect or set, not {}.", scalar::found(input));
        return Err(place.fail(Code::BadUserInput, message));
    };
    let known = |name: &str| matches!(name, "connect" | "disconnect" | "set");
    refuse_unknown("This relation", fields, known, place)?;
    let targets = |name: &str| -> Result<Option<Vec<Target>>, Failure> {
        let place = place.name(name);
        match input.field(name) {
            None => Ok(None),
            Some(Input::Null) => {
                let message = format!("{name} takes a list of keys: leave it out, or use an empty list.");
                Err(place.fail(Code::BadUserInput, message))
            }
            Some(Input::List(keys)) => {
                let key = |(at, key)| coercer.target(target, key, &place.at(at));
                keys.iter().enumerate().map(key).collect::<Result<_, _>>().map(Some)
            }
            // GraphQL takes one element for a list of it.
            Some(key) => Ok(Some(vec![coercer.target(target, key, &place)?])),
        }
    };
    Ok(Action::Many {
        set: targets("set")?,
        disconnect: targets("disconnect")?.unwrap_or_default(),
        connect: targets("connect")?.unwrap_or_default(),
    })
}
