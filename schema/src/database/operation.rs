//! One request from its text to its answer. Reads are answered here, mutations in `mutate`.

use super::Database;
use super::answer::{self, DATA, Extensions};
use super::mutate::{self, Ended};
use super::request::{Explain, Request, Response, Timing};
use super::serving::Serving;
use crate::catalog::Scalar;
use crate::execute::{Answer, Reader, Writing, read_roots};
use crate::plan::analysis::Analysis;
use crate::plan::bind::{Binder, Bound};
use crate::plan::document::Prepared;
use crate::plan::explain::Explained;
use crate::plan::variables::Variables;
use crate::plan::{Limits, Plan, Statistics, uses};
use crate::{Abort, Code, Failure, Input, scalar};
use apollo_compiler::introspection;
use apollo_compiler::response::JsonMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use vivarium_consensus::{Consistency, Error, Transaction};
use vivarium_storage::runtime::{self, Instant, mutant};
use vivarium_storage::{Value, Version};

/// How often a catalog may change, or the node be opened again, under one request before it is told to come again.
const CHANGES_MAX: usize = 5;

/// An operation that is ready to run.
pub(super) struct Ready {
    pub(super) serving: Arc<Serving>,
    pub(super) prepared: Arc<Prepared>,
    pub(super) plan: Arc<Plan>,
    pub(super) variables: Variables,
    pub(super) bound: Bound,
    known: bool,
    prepare: Duration,
}

impl Ready {
    /// Everything that can be refused before anything is read.
    fn new(database: &Database, serving: Arc<Serving>, request: &Request) -> Result<Ready, Vec<Failure>> {
        let (limits, began) = (&database.inner.limits, runtime::now());
        let (prepared, known) = serving.prepare(limits, &request.query, request.operation_name.as_deref())?;
        let (schema, operation) = (&serving.schema, &prepared.operation);
        if request.read_only && !operation.is_query() {
            let message = "Only queries can be sent with GET: send this with POST.";
            return Err(vec![Failure::new(Code::OperationNotAllowed, message)]);
        }
        let variables = Variables::coerce(schema, &operation.variables, request.variables.as_deref())?;
        let plan = prepared.plan(schema, &serving.catalog, limits, &variables)?;
        let statistics = &Statistics::of(database.node());
        let (catalog, variables_given) = (&serving.catalog, &variables);
        let binder = Binder { catalog, database: database.id(), limits, variables: variables_given, statistics };
        let mut bound = binder.bind(&plan)?;
        bound.analysis = (request.explain == Some(Explain::Analyze)).then(Analysis::default);
        Ok(Ready { serving, prepared, plan, variables, bound, known, prepare: runtime::now() - began })
    }

    /// What goes beside the data, as far as it is known by now.
    pub(super) fn extensions(&self, request: &Request) -> Extensions {
        let plan = request.explain.map(|_| self.explained().tree().json());
        Extensions { cost: Some(self.bound.cost), warnings: self.bound.warnings.clone(), plan }
    }

    fn explained(&self) -> Explained<'_> {
        Explained { plan: &self.plan, bound: &self.bound, catalog: &self.serving.catalog }
    }

    /// What `__schema` and `__type` answer, by response key.
    pub(super) fn introspection(&self, request: &Request) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        if !self.plan.introspects {
            return Ok(Vec::new());
        }
        let failed = |message: String| Failure::new(Code::BadUserInput, message);
        let text = Variables::json_text(request.variables.as_deref());
        let values: JsonMap = serde_json::from_str(text).map_err(|error| failed(error.to_string()))?;
        let (schema, operation) = (&self.serving.schema, &self.prepared.operation);
        let values = apollo_compiler::request::coerce_variable_values(schema, operation, &values)
            .map_err(|error| failed(error.message().to_string()))?;
        let (document, implementers) = (&self.prepared.document, &self.serving.implementers);
        let answer = introspection::partial_execute(schema, implementers, document, operation, &values)
            .map_err(|error| failed(error.message().to_string()))?;
        let text = |value| serde_json::to_vec(value).expect("introspection answers JSON");
        Ok(answer.data.iter().flatten().map(|(key, value)| (key.as_str().to_owned(), text(value))).collect())
    }
}

/// Answers a request. A panic on the way is caught and told as an error.
pub(super) async fn execute(database: &Database, request: &Request) -> Response {
    match caught(run(database, request)).await {
        Ok(response) => response,
        Err(reason) => {
            let failure = Failure::new(Code::InternalServerError, format!("a panic: {reason}"));
            answer::refused(request, is_mutation(&request.query), vec![failure])
        }
    }
}

/// The plan of an operation as text.
pub(super) async fn explain(database: &Database, request: &Request) -> Result<String, Response> {
    let deadline = deadline(&database.inner.limits, request);
    let (ready, _) = begin(database, request, deadline).await?;
    Ok(ready.explained().to_string())
}

async fn run(database: &Database, request: &Request) -> Response {
    let deadline = deadline(&database.inner.limits, request);
    let began = runtime::now();
    for _ in 0..=CHANGES_MAX {
        let (ready, transaction) = match begin(database, request, deadline).await {
            Ok(begun) => begun,
            Err(refused) if mutant("txn-13") => return refused,
            // What the schema does not allow any more may have been done when it did.
            Err(refused) => {
                return match mutate::remembered(database, request, deadline).await {
                    Ok(earlier) => earlier.unwrap_or(refused),
                    Err(abort) => answer::refused(request, true, vec![answer::failure(abort)]),
                };
            }
        };
        let begun = runtime::now();
        let snapshot = (begun - began).saturating_sub(ready.prepare);
        let timing = Timing { known: ready.known, prepare: ready.prepare, snapshot, execute: Duration::ZERO };
        let timed = |response: Response| {
            let timing = Timing { execute: runtime::now() - begun, ..timing };
            Response { timing: response.refused.is_none().then_some(timing), ..response }
        };
        if request.explain == Some(Explain::Plan) {
            let data = [DATA, b"null"].concat();
            let (version, extensions) = (transaction.version(), ready.extensions(request));
            let answer = Answer { data, ..Answer::default() };
            return answer::executed(request, answer, &extensions, version, ready.plan.mutation);
        }
        if !ready.plan.mutation {
            match read(database, request, &ready, transaction, deadline).await {
                Ok(response) => return timed(response),
                Err(Abort::Consensus(Error::Reopened)) => {
                    runtime::sometimes("a query is run again on a node that was opened again");
                    continue;
                }
                Err(abort) => return answer::refused(request, false, vec![answer::failure(abort)]),
            }
        }
        match mutate::run(database, request, ready, transaction, deadline).await {
            Ended::Answered(response) => return timed(response),
            Ended::CatalogChanged => {}
        }
    }
    answer::rolled_back(request, vec![answer::failure(Error::Conflict.into())])
}

fn deadline(limits: &Limits, request: &Request) -> Instant {
    let longest = Duration::from_millis(limits.timeout_ms);
    runtime::now() + request.timeout.map_or(longest, |timeout| timeout.min(longest))
}

/// Prepares the operation against the catalog of the snapshot that it will read.
async fn begin(database: &Database, request: &Request, deadline: Instant) -> Result<(Ready, Transaction), Response> {
    let mut changes = 0;
    loop {
        match try_begin(database, request, deadline).await {
            Ok(Ok(begun)) => return Ok(begun),
            Ok(Err((mutation, failures))) => return Err(answer::refused(request, mutation, failures)),
            Err(Abort::Consensus(Error::Conflict | Error::Reopened)) if changes < CHANGES_MAX => changes += 1,
            Err(abort) => return Err(answer::refused(request, false, vec![answer::failure(abort)])),
        }
    }
}

/// How fresh an operation wants to read.
fn consistency(request: &Request, ready: &Ready) -> Result<Consistency, Failure> {
    let Some(stale) = &ready.plan.stale else { return Ok(Consistency::Strong) };
    let age_max = stale.age_max.as_ref().and_then(|template| template.bind(&ready.variables));
    let age_max = match age_max {
        None | Some(Input::Null) => None,
        Some(input) => match scalar::coerce(Scalar::Duration, None, &input) {
            Ok(Value::Duration(micros)) if micros >= 0 => Some(Duration::from_micros(micros.unsigned_abs())),
            Ok(_) => return Err(Failure::new(Code::BadUserInput, "maxStaleness cannot be negative.")),
            Err(reason) => return Err(Failure::new(Code::BadUserInput, reason)),
        },
    };
    // Whatever its bound, a page is of the version of the first one: it waits for that, as for one that is named.
    if let Some(version) = ready.bound.walk(&ready.plan) {
        return Ok(Consistency::AtLeast(request.at_least.map_or(version, |at_least| at_least.max(version))));
    }
    Ok(match (request.at_least, age_max) {
        // Whoever names a version wants just that; with a bound beside it, the stricter of both is a strong read.
        (Some(version), None) => Consistency::AtLeast(version),
        (Some(_), Some(_)) => Consistency::Strong,
        (None, Some(age)) => Consistency::Within(age),
        (None, None) => Consistency::Stale,
    })
}

type Begun = Result<(Ready, Transaction), (bool, Vec<Failure>)>;

/// An operation prepared against the catalog of some version, or what is wrong with it.
type Drafted = (Result<Ready, Vec<Failure>>, Version);

async fn try_begin(database: &Database, request: &Request, deadline: Instant) -> Result<Begun, Abort> {
    let mut drafted = draft(database, request);
    if matches!(&drafted, (Ok(ready), _) if ready.plan.mutation) {
        // A mutation need not ask the others for the newest snapshot: the leader checks what it read when it
        // commits. What it is refused for on the way counts only at the newest.
        let begun = begin_at(database, request, drafted, Consistency::Stale, deadline).await?;
        if begun.is_ok() {
            return Ok(begun);
        }
        drafted = draft(database, request);
    }
    let consistency = match &drafted {
        (Ok(ready), _) => match consistency(request, ready) {
            Ok(consistency) => consistency,
            Err(failure) => return Ok(Err((false, vec![failure]))),
        },
        (Err(_), _) => Consistency::Strong,
    };
    if let Consistency::AtLeast(version) = consistency
        && leads_on(database, &drafted, version)
    {
        runtime::sometimes("a cursor leads a stale read to a newer state");
    }
    begin_at(database, request, drafted, consistency, deadline).await
}

/// True when a read goes on with a page of a version that this node does not have yet.
fn leads_on(database: &Database, (ready, _): &Drafted, version: Version) -> bool {
    let goes_on = ready.as_ref().is_ok_and(|ready| ready.bound.walk(&ready.plan) == Some(version));
    goes_on && database.node().store().is_ok_and(|store| store.position().version < version)
}

/// Most requests meet a catalog that is known: their plan says how fresh they want to read.
fn draft(database: &Database, request: &Request) -> Drafted {
    let current = database.inner.serving.load_full();
    let version = current.version;
    (Ready::new(database, current, request), version)
}

/// Begins at a snapshot, and prepares anew what was prepared against another catalog than the snapshot's.
async fn begin_at(
    database: &Database,
    request: &Request,
    (ready, drafted_version): Drafted,
    consistency: Consistency,
    deadline: Instant,
) -> Result<Begun, Abort> {
    let mut transaction = database.node().begin(consistency, deadline).await?;
    let serving = database.serving(&mut transaction).await?;
    let ready = if serving.version == drafted_version { ready } else { Ready::new(database, serving, request) };
    let ready = match ready {
        Ok(ready) => ready,
        Err(failures) => return Ok(Err((is_mutation(&request.query), failures))),
    };
    if let Some(version) = ready.bound.walk(&ready.plan).filter(|_| !ready.plan.mutation) {
        if version < ready.serving.version {
            let message = "The schema has changed since the cursor's page was read: start from the first page.";
            return Ok(Err((false, vec![Failure::new(Code::InvalidCursor, message)])));
        }
        if version > transaction.version() {
            let message = "The cursor is of a snapshot that is not here: start from the first page.";
            return Ok(Err((false, vec![Failure::new(Code::InvalidCursor, message)])));
        }
        transaction = database.node().begin(Consistency::At(version), deadline).await?;
    }
    Ok(Ok((ready, transaction)))
}

/// A guess, for the metrics of requests that were never understood.
fn is_mutation(query: &str) -> bool {
    query.trim_start().starts_with("mutation")
}

async fn read(
    database: &Database,
    request: &Request,
    ready: &Ready,
    mut transaction: Transaction,
    deadline: Instant,
) -> Result<Response, Abort> {
    transaction.read_only();
    let introspection = ready.introspection(request)?;
    let (plan, bound) = (&ready.plan, &ready.bound);
    let mut reader = Reader {
        catalog: &ready.serving.catalog,
        database: database.id(),
        transaction: &mut transaction,
        bound,
        deadline,
    };
    let levels = read_roots(&mut reader, &plan.roots).await?;
    let version = transaction.version();
    let limits = &database.inner.limits;
    let mut writing = new_writing(bound, version, &introspection, limits);
    if writing.query(&plan.roots, &levels).is_err() {
        if writing.too_large {
            return Err(too_large(limits).into());
        }
        writing.answer.data.truncate(DATA.len());
        writing.answer.data.extend_from_slice(b"null");
    }
    database.note_use(&uses::indexes(plan, bound));
    Ok(answer::executed(request, writing.answer, &ready.extensions(request), version, false))
}

/// An empty answer of the size that most have.
pub(super) fn new_writing<'a>(
    bound: &'a Bound,
    version: Version,
    introspection: &'a [(String, Vec<u8>)],
    limits: &Limits,
) -> Writing<'a> {
    let mut data = Vec::with_capacity(1024);
    data.extend_from_slice(DATA);
    let answer = Answer { data, ..Answer::default() };
    Writing { answer, bound, version, introspection, bytes_max: limits.answer_bytes_max, too_large: false }
}

pub(super) fn too_large(limits: &Limits) -> Failure {
    let limit = limits.answer_bytes_max;
    let message = format!("The answer is larger than {limit} bytes: ask for smaller pages.");
    Failure::new(Code::QueryTooComplex, message).with("limit", limit)
}

/// Runs a future; a panic of it becomes its message.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        // After a panic the future is dropped, and with it everything that it held.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => {
                let text = payload.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
                Poll::Ready(Err(text.unwrap_or("without a message").to_owned()))
            }
        }
    })
    .await
}
