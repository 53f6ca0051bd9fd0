//! The audit of an opened database: everything told is there, everything else all or nothing, indexes equal documents.

use super::content::{self, Repeated};
use super::{Violation, blind, dump, oracles};
use crate::answer;
use crate::history::{History, Known};
use crate::house::Door;
use crate::trace;
use crate::workload::{Action, Asked, Reply};
use vivarium_schema::Request;
use vivarium_storage::Version;

/// What an audit asked, and was answered: mutations again that had no answer, under their keys, and reads.
pub type Answered = Vec<(Option<String>, Action, Reply)>;

/// What an audit did.
pub enum Audited {
    /// All is well. What was asked meanwhile.
    Sound(Answered),
    /// The node was cut off meanwhile: nothing is known.
    Interrupted,
}

/// The request for an action.
pub fn request(action: &Action, key: Option<&str>, asked: Asked) -> Request {
    Request {
        query: asked.document(action).into_owned(),
        variables: Some(action.variables().to_string()),
        at_least: asked.at_least.map(Version),
        idempotency_key: key.map(str::to_owned),
        ..Request::default()
    }
}

/// Audits a database that was just opened after a crash.
///
/// # Errors
/// The first violation.
pub async fn audit(door: &Door, known: &Known, interrupted: impl Fn() -> bool) -> Result<Audited, Violation> {
    if door.rebuilt {
        let detail = "the store was damaged, set aside and built anew from the log";
        blind::pardon(Err(Violation::new("recovery", "rebuilt", detail)))?;
    }
    if !door.declared {
        if known.has_answers() {
            let detail = format!("the schema is gone, and calls were answered, up to version {}", known.told);
            blind::pardon(Err(Violation::new("durability", "lost", detail)))?;
        }
        return Ok(Audited::Sound(Vec::new()));
    }
    let report = door.verify().await;
    if interrupted() {
        return Ok(Audited::Interrupted);
    }
    let report = report.ok_or_else(|| Violation::new("recovery", "hangs", "verification was not answered"))?;
    let report = report.map_err(|error| Violation::new("recovery", "unreadable", error))?;
    if let Some(problem) = report.problems.first() {
        blind::pardon(Err(Violation::new("verify", "index-differs", problem.clone())))?;
    }
    if let Some(past) = &known.past {
        return look_over(door, known, past, interrupted).await;
    }
    let Some((version, found)) = read_all(door, &interrupted).await? else { return Ok(Audited::Interrupted) };
    trace::event(
        "audit",
        &format!("version {version}, {} items", found.as_ref().map_or(0, |found| found.items.len())),
        &[],
    );
    blind::pardon(content::check_told(known, version))?;
    let Some(repeated) = repeat(door, known, &interrupted).await? else { return Ok(Audited::Interrupted) };
    if let Some(found) = found {
        content::check(known, version, &found, &repeated)?;
    }
    Ok(Audited::Sound(repeated.into_iter().map(|(key, action, reply)| (Some(key), action, reply)).collect()))
}

/// An audit without versions: what was open is sent again, everything is read as clients read it, and what they know is
/// checked together with that.
async fn look_over(
    door: &Door,
    known: &Known,
    past: &History,
    interrupted: impl Fn() -> bool,
) -> Result<Audited, Violation> {
    let Some(repeated) = repeat(door, known, &interrupted).await? else { return Ok(Audited::Interrupted) };
    let mut answered: Answered = repeated.into_iter().map(|(key, action, reply)| (Some(key), action, reply)).collect();
    for action in door.workload.overview(past) {
        let reply = door.act(&action, None).await;
        if interrupted() {
            return Ok(Audited::Interrupted);
        }
        let reply = reply.ok_or_else(|| Violation::new("recovery", "hangs", format!("{action:?} was not answered")))?;
        let reply = reply.map_err(|error| Violation::new("state", "malformed-answer", error))?;
        if !reply.errors.is_empty() {
            let detail = format!("{action:?} was answered {:?}", reply.errors);
            return Err(Violation::new("recovery", "unreadable", detail));
        }
        answered.push((None, action, reply));
    }
    trace::event("audit", &format!("{} calls looked over", past.calls.len()), &[]);
    let mut history = past.clone();
    for (key, action, reply) in &answered {
        let begun = history.moment(0, 0);
        let call = history.begin(0, key.clone(), action.clone(), begun);
        let ended = history.moment(0, 0);
        history.end(call, ended, answer::judge(action, reply.clone(), answer::Disk::Sound).end);
    }
    oracles::check(&history)?;
    Ok(Audited::Sound(answered))
}

/// All that there is, and at which version; no state when what was read contradicts itself.
async fn read_all(
    door: &Door,
    interrupted: &impl Fn() -> bool,
) -> Result<Option<(u64, Option<super::model::State>)>, Violation> {
    let schema = door.schema().await;
    if interrupted() {
        return Ok(None);
    }
    let schema = schema.ok_or_else(|| Violation::new("recovery", "hangs", "the schema was not read"))?;
    let schema = schema.map_err(|error| Violation::new("recovery", "unreadable", error))?;
    let request = Request { query: dump::document_under(door.workload, &schema).into_owned(), ..Request::default() };
    let reply = door.execute(request).await;
    if interrupted() {
        return Ok(None);
    }
    let reply = reply.ok_or_else(|| Violation::new("recovery", "hangs", "a read of everything was not answered"))?;
    let reply = reply.map_err(|error| Violation::new("state", "malformed-answer", error))?;
    if !reply.errors.is_empty() {
        return Err(Violation::new("recovery", "unreadable", format!("a read of everything: {:?}", reply.errors)));
    }
    let version = reply.version.ok_or_else(|| Violation::new("state", "no-version", "a read names no version"))?;
    match dump::state(&reply.data) {
        Ok(state) => Ok(Some((version, Some(state)))),
        Err(detail) => {
            blind::pardon(Err(Violation::new("state", "inconsistent", detail)))?;
            Ok(Some((version, None)))
        }
    }
}

/// Sends mutations without an answer again, under their keys: what was done is answered with its first version.
async fn repeat(door: &Door, known: &Known, interrupted: &impl Fn() -> bool) -> Result<Option<Repeated>, Violation> {
    let mut repeated = Vec::new();
    for (key, action) in &known.open {
        let reply = door.act(action, Some(key)).await;
        if interrupted() {
            return Ok(None);
        }
        let reply = reply.ok_or_else(|| Violation::new("recovery", "hangs", format!("{action:?} was not answered")))?;
        let reply = reply.map_err(|error| Violation::new("state", "malformed-answer", error))?;
        repeated.push((key.clone(), action.clone(), reply));
    }
    Ok(Some(repeated))
}
