//! Mutations: one transaction for the whole operation, run again when it conflicts, remembered under its key.

use super::Database;
use super::answer::{self, Extensions};
use super::operation::{Ready, new_writing, too_large};
use super::request::{Request, Response};
use crate::catalog::{Catalog, Collection};
use crate::execute::mutation::{Attempt, BoundWrite};
use crate::execute::{Answer, Patch};
use crate::filter::Filter;
use crate::plan::bind::{Binder, bad_input};
use crate::plan::template::Template;
use crate::plan::tree::{Action, Root, WritePlan};
use crate::plan::variables::Variables;
use crate::plan::{Statistics, uses};
use crate::write::{Conflict, Edit, Overwrite};
use crate::{Abort, Code, Failure, Input, PathItem, scalar};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use vivarium_consensus::{CommitOptions, Consistency, Error, IdempotencyKey, Outcome, Transaction};
use vivarium_storage::runtime::{self, Instant, mutant};
use vivarium_storage::{IndexId, Version};

/// How often an operation is run. Each further try waits twice as long as the one before.
const ATTEMPTS_MAX: u32 = 12;
/// The longest wait before the second attempt; a random part of it is taken.
const BACKOFF_MICROS: u64 = 500;
/// The longest wait before any attempt.
const BACKOFF_MICROS_MAX: u64 = 100_000;
/// Characters of an idempotency key.
const KEY_CHARS_MAX: usize = 255;

/// The answer that was given to an earlier request under the key in the request's header, if there is one.
///
/// # Errors
/// When that cannot be read now: then nobody knows whether it was done, and no refusal of it may be final.
pub(super) async fn remembered(
    database: &Database,
    request: &Request,
    deadline: Instant,
) -> Result<Option<Response>, Abort> {
    let key = request.idempotency_key.as_deref().and_then(|text| scoped(database, text).ok());
    let Some(key) = key else { return Ok(None) };
    let Some(earlier) = database.node().outcome(&key, deadline).await? else { return Ok(None) };
    match replayed(request, &earlier) {
        Ok(response) => {
            runtime::sometimes("a mutation that the schema forbids by now is answered as it was");
            Ok(Some(response))
        }
        // The key is that of another operation: this one was not done.
        Err(Abort::Failed(failure)) if failure.code == Code::BadUserInput => Ok(None),
        Err(abort) => Err(abort),
    }
}

/// An answer as it is remembered, without what the commit decides.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// Of the request: another one under the same key is a mistake.
    fingerprint: [u8; 32],
    data: Vec<u8>,
    versions: Vec<u32>,
    times: Vec<u32>,
    cost: u64,
    warnings: Vec<String>,
}

/// How a mutation ends.
pub(super) enum Ended {
    Answered(Response),
    /// Another catalog than it was planned with: plan it again.
    CatalogChanged,
}

/// Runs a mutation to its end.
pub(super) async fn run(
    database: &Database,
    request: &Request,
    ready: Ready,
    transaction: Transaction,
    deadline: Instant,
) -> Ended {
    let mutation = match Mutation::new(database, request, ready, deadline) {
        Ok(mutation) => mutation,
        Err(failures) => return Ended::Answered(answer::refused(request, true, failures)),
    };
    Ended::Answered(match mutation.outcome(transaction).await {
        Ok(Some(response)) => response,
        Ok(None) => return Ended::CatalogChanged,
        Err(abort) => {
            let failure = answer::failure(abort);
            match failure.code {
                // Nothing of it was decided by the data: HTTP has statuses for these.
                Code::DeadlineExceeded | Code::Unavailable => answer::refused(request, true, vec![failure]),
                _ => answer::rolled_back(request, vec![failure]),
            }
        }
    })
}

struct Mutation<'a> {
    database: &'a Database,
    request: &'a Request,
    ready: Ready,
    writes: Vec<Option<BoundWrite>>,
    key: Option<IdempotencyKey>,
    deadline: Instant,
}

impl<'a> Mutation<'a> {
    fn new(
        database: &'a Database,
        request: &'a Request,
        ready: Ready,
        deadline: Instant,
    ) -> Result<Mutation<'a>, Vec<Failure>> {
        let mut writes = Vec::with_capacity(ready.plan.roots.len());
        let mut failures = Vec::new();
        for root in &ready.plan.roots {
            let Root::Write(plan) = &root.kind else {
                writes.push(None);
                continue;
            };
            match bind(database, &ready, plan) {
                Ok(bound) => writes.push(Some(bound)),
                Err(mut failure) => {
                    failure.locations = vec![root.location];
                    failures.push(failure);
                }
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        let key = key(database, request, &ready).map_err(|failure| vec![failure])?;
        Ok(Mutation { database, request, ready, writes, key, deadline })
    }

    /// The answer; `None` when the catalog has changed.
    async fn outcome(&self, first: Transaction) -> Result<Option<Response>, Abort> {
        let known = match &self.key {
            Some(key) => self.database.node().outcome_here(key)?,
            None => None,
        };
        if let Some(earlier) = known {
            return self.replayed(&earlier).map(Some);
        }
        let mut transaction = Some(first);
        for attempt in 0..ATTEMPTS_MAX {
            let begun = match transaction.take() {
                Some(transaction) => transaction,
                None => {
                    self.wait(attempt).await?;
                    match self.begin().await? {
                        Some(transaction) => transaction,
                        None => return Ok(None),
                    }
                }
            };
            let newest = begun.is_newest();
            match self.attempt(begun).await {
                Err(Abort::Consensus(Error::Conflict)) => {}
                Err(Abort::Consensus(Error::Reopened)) => {
                    runtime::sometimes("a mutation is run again on a node that was opened again");
                }
                // What an older snapshot forbids, the newest may allow.
                Err(Abort::Failed(_)) if !newest && !runtime::mutant("txn-12") => {
                    runtime::sometimes("a mutation is refused at a snapshot that may be old, and tried again");
                }
                // What stands in the way may be what the same request, sent twice, has written meanwhile.
                Err(Abort::Failed(failure)) => match self.earlier().await? {
                    Some(earlier) => return self.replayed(&earlier).map(Some),
                    None => return Err(Abort::Failed(failure)),
                },
                other => return other.map(Some),
            }
        }
        Err(Error::Conflict.into())
    }

    /// What became of an earlier request under the same key.
    async fn earlier(&self) -> Result<Option<Outcome>, Abort> {
        match &self.key {
            Some(key) => Ok(self.database.node().outcome(key, self.deadline).await?),
            None => Ok(None),
        }
    }

    /// A transaction under the catalog that the operation was planned with, if that is still the newest.
    async fn begin(&self) -> Result<Option<Transaction>, Abort> {
        let mut transaction = self.database.node().begin(Consistency::Strong, self.deadline).await?;
        let planned = transaction.catalog_version(self.database.id()) == self.ready.serving.version;
        Ok(planned.then_some(transaction))
    }

    async fn wait(&self, attempt: u32) -> Result<(), Abort> {
        let longest = BACKOFF_MICROS.saturating_mul(1 << attempt.min(16)).min(BACKOFF_MICROS_MAX);
        let chance = self.database.node().runtime().random() % longest.max(1);
        runtime::sleep(Duration::from_micros(chance)).await;
        if runtime::now() > self.deadline { Err(Error::DeadlineExceeded.into()) } else { Ok(()) }
    }

    async fn attempt(&self, mut transaction: Transaction) -> Result<Response, Abort> {
        let (database, ready) = (self.database, &self.ready);
        if let Some(analysis) = &ready.bound.analysis {
            analysis.clear();
        }
        let introspection = Vec::new();
        let limits = &database.inner.limits;
        let mut writing = new_writing(&ready.bound, transaction.version(), &introspection, limits);
        let runtime = database.node().runtime();
        let mut attempt = Attempt {
            catalog: &ready.serving.catalog,
            database: database.id(),
            transaction: &mut transaction,
            runtime,
            sequences: &database.inner.sequences,
            now_micros: i64::try_from(runtime.now_micros()).unwrap_or(i64::MAX),
            bound: &ready.bound,
            deadline: self.deadline,
        };
        let ran = attempt.run(&ready.plan.roots, &self.writes, &mut writing).await;
        if writing.too_large {
            return Err(too_large(limits).into());
        }
        if let Err(abort) = ran {
            if mutant("txn-09") {
                let _ = transaction.commit(CommitOptions::default(), self.deadline).await;
            }
            return Err(abort);
        }
        let extensions = ready.extensions(self.request);
        let options = CommitOptions {
            idempotency: self.key.clone(),
            answer: match &self.key {
                Some(_) => self.remembered(&writing.answer, &extensions)?,
                None => Vec::new(),
            },
        };
        if !transaction.is_newest() && transaction.is_read_only() && self.key.is_none() {
            // It decided to write nothing on what may be old, and no commit would tell.
            return Err(Error::Conflict.into());
        }
        let outcome = transaction.commit(options, self.deadline).await?;
        database.note_use(&self.indexes());
        if self.key.is_some() {
            // An earlier commit under the same key may have won: its answer is the answer.
            return self.replayed(&outcome);
        }
        Ok(answer::executed(self.request, writing.answer, &extensions, outcome.version, true))
    }

    /// The indexes that led it to records.
    fn indexes(&self) -> Vec<IndexId> {
        let mut found = uses::indexes(&self.ready.plan, &self.ready.bound);
        found.extend(self.writes.iter().flatten().filter_map(|write| write.by.as_ref()?.index()));
        found
    }

    fn remembered(&self, answer: &Answer, extensions: &Extensions) -> Result<Vec<u8>, Abort> {
        let places = |wanted: Patch| {
            let place = |(at, patch): &(usize, Patch)| (*patch == wanted).then(|| u32::try_from(*at).ok()).flatten();
            answer.patches.iter().filter_map(place).collect()
        };
        let remembered = Remembered {
            fingerprint: fingerprint(self.request),
            data: answer.data.clone(),
            versions: places(Patch::Version),
            times: places(Patch::Time),
            cost: extensions.cost.unwrap_or(0),
            warnings: extensions.warnings.clone(),
        };
        postcard::to_stdvec(&remembered).map_err(|error| unreadable(&error))
    }

    /// The answer that was given to the first request under the key.
    fn replayed(&self, outcome: &Outcome) -> Result<Response, Abort> {
        replayed(self.request, outcome)
    }
}

/// The answer that was given to the first request under a key.
fn replayed(request: &Request, outcome: &Outcome) -> Result<Response, Abort> {
    let remembered: Remembered = postcard::from_bytes(&outcome.answer).map_err(|error| unreadable(&error))?;
    if remembered.fingerprint != fingerprint(request) {
        let message = "The idempotency key was used with another operation: choose a new key for each.";
        return Err(Failure::new(Code::BadUserInput, message).into());
    }
    let place = |patch: Patch| move |at: u32| (at as usize, patch);
    let mut patches: Vec<(usize, Patch)> = remembered.versions.into_iter().map(place(Patch::Version)).collect();
    patches.extend(remembered.times.into_iter().map(place(Patch::Time)));
    patches.sort_unstable_by_key(|(at, _)| *at);
    let answer = Answer { data: remembered.data, patches, failures: Vec::new() };
    let extensions = Extensions { cost: Some(remembered.cost), warnings: remembered.warnings, plan: None };
    Ok(answer::executed(request, answer, &extensions, outcome.version, true))
}

fn fingerprint(request: &Request) -> [u8; 32] {
    let parts = [
        request.query.as_str(),
        request.operation_name.as_deref().unwrap_or_default(),
        request.variables.as_deref().unwrap_or_default(),
    ];
    hash(parts.iter().map(|part| part.as_bytes()))
}

/// Each part with its length, so that no two lists of parts are alike.
fn hash<'p>(parts: impl Iterator<Item = &'p [u8]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn unreadable(error: &postcard::Error) -> Abort {
    Failure::new(Code::InternalServerError, format!("a remembered answer cannot be used: {error}")).into()
}

/// The operation's idempotency key, scoped to its database.
fn key(database: &Database, request: &Request, ready: &Ready) -> Result<Option<IdempotencyKey>, Failure> {
    let directive = ready.plan.idempotency.as_ref().and_then(|template| template.bind(&ready.variables));
    let text = match (directive, &request.idempotency_key) {
        (Some(Input::String(text)), _) => text,
        (Some(_), _) => return Err(bad_input("An idempotency key is a string.", &[])),
        (None, Some(text)) => text.clone(),
        (None, None) => return Ok(None),
    };
    scoped(database, &text).map(Some)
}

fn scoped(database: &Database, text: &str) -> Result<IdempotencyKey, Failure> {
    if text.is_empty() || text.chars().count() > KEY_CHARS_MAX {
        return Err(bad_input(&format!("An idempotency key has 1 to {KEY_CHARS_MAX} characters."), &[]));
    }
    let scope = database.id().0.to_be_bytes();
    Ok(IdempotencyKey(hash([scope.as_slice(), text.as_bytes()].into_iter()).to_vec()))
}

/// The arguments of a root field, as far as they can be checked before anything is read.
fn bind(database: &Database, ready: &Ready, plan: &WritePlan) -> Result<BoundWrite, Failure> {
    let catalog = &ready.serving.catalog;
    let collection = catalog.collection(plan.collection).expect("a plan is used with its own catalog");
    let variables = &ready.variables;
    let limits = &database.inner.limits;
    let statistics = &Statistics::of(database.node());
    let binder = Binder { catalog, database: database.id(), limits, variables, statistics };
    let value = |template: &Option<Template>| template.as_ref().and_then(|template| template.bind(variables));
    let data = match (plan.action, value(&plan.data)) {
        (Action::CreateMany, Some(Input::List(list))) => {
            if list.len() > limits.page_max {
                let message = format!("At most {} records are created at once.", limits.page_max);
                return Err(Failure::new(Code::PageTooLarge, message).with("limit", limits.page_max));
            }
            list
        }
        (Action::Create | Action::CreateMany | Action::Upsert, Some(one)) => vec![one],
        _ => Vec::new(),
    };
    let edits = &plan.edits;
    let given = |template: &Option<Template>| value(template).filter(|input| *input != Input::Null);
    let edit = match plan.action {
        Action::Update | Action::UpdateMany => Edit {
            data: given(&plan.data),
            increment: given(&edits.increment),
            push: given(&edits.push),
            pull: given(&edits.pull),
            merge: given(&edits.merge),
            ..Edit::default()
        },
        Action::Upsert => Edit {
            argument: "update",
            data: given(&edits.update),
            increment: given(&edits.increment),
            ..Edit::default()
        },
        _ => Edit::default(),
    };
    let argument = |name: &str| [PathItem::Name(name.to_owned())];
    for (name, template) in [("data", &plan.data), ("update", &edits.update)] {
        // A condition that is left out by mistake would delete too much.
        if let Some(below) = template.as_ref().and_then(|template| template.missing_within("deleteMany", variables)) {
            let path: Vec<PathItem> = argument(name).into_iter().chain(below).collect();
            let message = "A variable of deleteMany has no value: give it one, or leave the condition out.";
            return Err(bad_input(message, &path));
        }
    }
    let conflict = match &plan.conflict {
        Some(template) => conflict(catalog, collection, template, variables)?,
        None => None,
    };
    let by = value(&plan.by);
    let key = by.as_ref().map_or(serde_json::Value::Null, json);
    let by = by.map(|by| binder.record_key(collection, &by, &argument("by"))).transpose()?;
    let condition = binder.filter(collection, plan.condition.as_ref(), "if")?;
    let version = match value(&plan.version) {
        None | Some(Input::Null) => None,
        Some(Input::String(text)) => Some(version(&text)?),
        Some(Input::Int(number)) => Some(version(&format!("{number:016}"))?),
        Some(_) => return Err(bad_input("A version is a string of digits.", &argument("ifVersion"))),
    };
    Ok(BoundWrite { data, edit, conflict, by, key, condition, version })
}

/// What a create of several does with records that are there; `None` when it is refused.
fn conflict(
    catalog: &Catalog,
    collection: &Collection,
    template: &Template,
    variables: &Variables,
) -> Result<Option<Conflict>, Failure> {
    let path = |name: &str| [PathItem::Name("onConflict".to_owned()), PathItem::Name(name.to_owned())];
    let input = match template.bind(variables) {
        None | Some(Input::Null) => return Ok(None),
        Some(input) => input,
    };
    let named = |input: &Input| match input {
        Input::Enum(name) | Input::String(name) => Some(name.clone()),
        _ => None,
    };
    let key = input.field("key").and_then(named);
    let keys = collection.key_values(catalog);
    let Some((_, key)) = keys.into_iter().find(|(name, _)| key.as_ref() == Some(name)) else {
        return Err(bad_input(&format!("key is a value of {}.", collection.unique_key_type()), &path("key")));
    };
    let filter = match (input.field("where"), template.field("where")) {
        (None | Some(Input::Null), _) => None,
        (Some(filter), template) => {
            if let Some(missing) = template.and_then(|template| template.missing(variables)) {
                let path: Vec<PathItem> = path("where").into_iter().chain(missing).collect();
                let message = "A variable of the filter has no value: give it one, or leave the condition out.";
                return Err(bad_input(message, &path));
            }
            Some(Filter::compile(catalog, collection, filter, &path("where"))?)
        }
    };
    let fields = match input.field("update") {
        None | Some(Input::Null) => None,
        Some(Input::List(names)) => {
            let values = collection.field_values();
            let field = |input: &Input| {
                let name = named(input);
                values.iter().find(|(value, _)| name.as_ref() == Some(value)).map(|(_, field)| *field).ok_or_else(
                    || bad_input(&format!("update takes values of {}.", collection.field_type()), &path("update")),
                )
            };
            Some(names.iter().map(field).collect::<Result<_, _>>()?)
        }
        Some(_) => return Err(bad_input("update is a list of fields.", &path("update"))),
    };
    match input.field("action").and_then(named).as_deref() {
        None | Some("ERROR") => Ok(None),
        Some("IGNORE") => Ok(Some(Conflict { key, overwrite: None })),
        Some("UPDATE") if !collection.operations.update => {
            let message = format!("{} has no updates: use ERROR or IGNORE.", collection.name);
            Err(bad_input(&message, &path("action")))
        }
        Some("UPDATE") => Ok(Some(Conflict { key, overwrite: Some(Overwrite { fields, filter }) })),
        Some(_) => Err(bad_input("action is ERROR, IGNORE or UPDATE.", &path("action"))),
    }
}

fn version(text: &str) -> Result<Version, Failure> {
    let path = [PathItem::Name("ifVersion".to_owned())];
    scalar::parse_version(text).ok_or_else(|| bad_input("This is no version that this server gave.", &path))
}

fn json(input: &Input) -> serde_json::Value {
    match input {
        Input::Null => serde_json::Value::Null,
        Input::Bool(value) => (*value).into(),
        Input::Int(value) => (*value).into(),
        Input::Number(text) | Input::String(text) | Input::Enum(text) => text.as_str().into(),
        Input::List(list) => list.iter().map(json).collect(),
        Input::Object(fields) => {
            serde_json::Value::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
    }
}
