//! first, last, after, before, offset: which part of a list a page is.

use super::Limits;
use super::cursor::Cursor;
use super::order::Order;
use super::template::Template;
use super::tree::ListSlot;
use super::variables::Variables;
use crate::{Code, Failure, Input, PathItem};

/// Records that a page may skip: further ones cost as much to pass as to read. Use a cursor.
const OFFSET_MAX: i64 = 1_000_000;

/// The part of a list that a page is.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    /// From the end of the window backwards.
    pub(crate) backward: bool,
    /// At most so many records.
    pub(crate) count: usize,
    /// Records of the window that are passed first.
    pub(crate) offset: usize,
    /// The window begins behind this.
    pub(crate) after: Option<Cursor>,
    /// The window ends before this.
    pub(crate) before: Option<Cursor>,
}

impl Paging {
    /// Reads the arguments of a connection.
    ///
    /// # Errors
    /// `BAD_USER_INPUT`, `PAGE_TOO_LARGE`, `INVALID_CURSOR`.
    pub(crate) fn bind(
        slot: &ListSlot,
        order: &Order,
        limits: &Limits,
        variables: &Variables,
    ) -> Result<Paging, Failure> {
        let first = number("first", slot.first.as_ref(), variables)?;
        let last = number("last", slot.last.as_ref(), variables)?;
        let offset = number("offset", slot.offset.as_ref(), variables)?.unwrap_or(0);
        let after = cursor("after", slot.after.as_ref(), order, variables)?;
        let before = cursor("before", slot.before.as_ref(), order, variables)?;
        if first.is_some() && last.is_some() {
            return Err(failure("last", "Give first or last, not both.".to_owned()));
        }
        if offset > OFFSET_MAX {
            return Err(failure("offset", format!("An offset is at most {OFFSET_MAX}: page with a cursor instead.")));
        }
        // A window that is only bounded at its end is read from there.
        let backward = last.is_some() || (first.is_none() && before.is_some() && after.is_none());
        let asked = first.or(last);
        let count = asked.and_then(|count| usize::try_from(count).ok()).unwrap_or(limits.page_default);
        if count > limits.page_max {
            let name = if backward { "last" } else { "first" };
            let message =
                format!("A page holds at most {} records: ask for fewer and page with a cursor.", limits.page_max);
            let failure = Failure::new(Code::PageTooLarge, message);
            return Err(failure.with("limit", limits.page_max).with("inputPath", vec![name]));
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(Paging { backward, count, offset, after, before })
    }
}

fn number(name: &'static str, template: Option<&Template>, variables: &Variables) -> Result<Option<i64>, Failure> {
    match template.and_then(|template| template.bind(variables)) {
        None | Some(Input::Null) => Ok(None),
        Some(Input::Int(number)) if number < 0 => Err(failure(name, format!("{name} cannot be negative."))),
        Some(Input::Int(number)) => Ok(Some(number)),
        Some(_) => Err(failure(name, format!("{name} is a whole number."))),
    }
}

fn cursor(
    name: &'static str,
    template: Option<&Template>,
    order: &Order,
    variables: &Variables,
) -> Result<Option<Cursor>, Failure> {
    match template.and_then(|template| template.bind(variables)) {
        None | Some(Input::Null) => Ok(None),
        Some(Input::String(text)) => {
            Cursor::parse(order, &text).map(Some).map_err(|failure| failure.with("inputPath", vec![name]))
        }
        Some(_) => Err(failure(name, format!("{name} is a cursor that a page gave."))),
    }
}

fn failure(name: &'static str, message: String) -> Failure {
    let path = serde_json::to_value([PathItem::Name(name.to_owned())]).expect("names are JSON");
    Failure::new(Code::BadUserInput, message).with("inputPath", path)
}
