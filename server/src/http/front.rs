//! The one endpoint: which path, is the host ours, who answers. No middleware lies between a socket and this.

use super::request_id::RequestIds;
use super::{admin, graphql, host, outcome, page, schema, watch};
use crate::admin::AdminSchema;
use crate::config::HttpSettings;
use crate::hosted::Hosted;
use crate::metrics::{Counters, Metrics};
use crate::operations::Operations;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use vivarium_schema::{Code, Database};

/// What a client is told that finds a node still starting: about the time of an election.
const START_RETRY: Duration = Duration::from_secs(1);

/// How the front is set up.
#[derive(Clone, Debug)]
pub struct FrontOptions {
    /// Bounds of requests.
    pub http: HttpSettings,
    /// The longest that an operation may run.
    pub operation_max: Duration,
    /// Differs between starts of the process: the first part of request ids.
    pub process: u32,
}

/// Everything that answering needs. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    inner: Arc<Inner>,
}

struct Inner {
    hosted: Hosted,
    admin: AdminSchema,
    metrics: Arc<Metrics>,
    options: FrontOptions,
    request_ids: RequestIds,
    turns: Semaphore,
    waiting: AtomicUsize,
    stopping: AtomicBool,
}

impl Front {
    /// A front for a node's database and its control plane.
    pub fn new(hosted: Hosted, admin: AdminSchema, metrics: Arc<Metrics>, options: FrontOptions) -> Front {
        let inner = Inner {
            hosted,
            admin,
            metrics,
            request_ids: RequestIds::new(options.process),
            turns: Semaphore::new(options.http.requests_max),
            waiting: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            options,
        };
        Front { inner: Arc::new(inner) }
    }

    /// From now on `/health/ready` says no: nothing new should be sent here.
    pub fn stop(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Relaxed)
    }
    pub(super) fn hosted(&self) -> &Hosted {
        &self.inner.hosted
    }
    /// The database, or what to answer while it is not open.
    pub(super) fn database(&self) -> Result<&Database, outcome::Refusal> {
        self.inner.hosted.database().ok_or_else(|| {
            let reason = self.inner.hosted.hindrance().unwrap_or_else(|| "it is just starting".to_owned());
            let message = format!(
                "This node cannot answer yet: {reason}. Nothing was done: ask another node, or this one again later."
            );
            outcome::Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
                .with_header(header::RETRY_AFTER, outcome::retry_after(START_RETRY))
        })
    }
    pub(super) fn admin(&self) -> &AdminSchema {
        &self.inner.admin
    }
    pub(super) fn options(&self) -> &FrontOptions {
        &self.inner.options
    }
    pub(super) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.inner.metrics)
    }
    pub(super) fn operations(&self) -> &Operations {
        &self.inner.metrics.operations
    }
    pub(super) fn counters(&self) -> &Counters {
        &self.inner.metrics.requests
    }

    /// Differs between all responses, and nobody guesses it.
    pub(super) fn nonce(&self) -> u128 {
        let runtime = self.inner.hosted.node().runtime();
        (u128::from(runtime.random()) << 64) | u128::from(runtime.random())
    }

    /// A place among those that run at once; `None` when too many wait for one already.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.inner.turns.try_acquire() {
            return Some(permit);
        }
        let waiting = Waiting::join(&self.inner.waiting, self.inner.options.http.requests_waiting_max)?;
        let permit = self.inner.turns.acquire().await.expect("the semaphore is never closed");
        drop(waiting);
        Some(permit)
    }

    async fn answer(&self, request: Request) -> Response {
        let path = request.uri().path();
        // A load balancer probes by address: what it learns is not worth protecting.
        match path {
            "/health/live" => return watch::live(),
            "/health/ready" => return watch::ready(self),
            _ => {}
        }
        let given = request.headers().get(outcome::REQUEST_ID).and_then(|value| value.to_str().ok());
        let request_id = self.inner.request_ids.take(given);
        if !host::is_ours(&request, &self.inner.options.http.hosts) {
            return foreign_host(&request).into_response(super::accept::Media::Json, &request_id);
        }
        match path {
            "/graphql" => graphql::answer(self, request, request_id).await,
            "/admin/graphql" => admin::answer(self, request, request_id).await,
            _ if !matches!(*request.method(), Method::GET | Method::HEAD) => only_get(&request),
            "/schema.graphql" => schema::answer(self, &request, &request_id).await,
            "/metrics" => watch::metrics(self),
            "/" => page::home(self.nonce()),
            _ => match path.strip_prefix("/playground/") {
                Some(path) => page::below(path, &request, || self.nonce()).unwrap_or_else(not_found),
                None => not_found(),
            },
        }
    }
}

impl Endpoint for Front {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.answer(request).await)
    }
}

/// One that waits for a turn; it leaves the queue when it is dropped, also by a client that went away.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicUsize, limit: usize) -> Option<Waiting<'a>> {
        let waiting = Waiting(count);
        (count.fetch_add(1, Ordering::Relaxed) < limit).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn foreign_host(request: &Request) -> outcome::Refusal {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("no host");
    outcome::Refusal::new(
        StatusCode::MISDIRECTED_REQUEST,
        Code::Forbidden,
        format!(
            "This server answers to localhost, and the request names {host:?}. If that is meant to be this server, add the \
             name to http.hosts in its configuration."
        ),
    )
}

fn only_get(request: &Request) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("{} only takes GET.\n", request.uri().path()));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn not_found() -> Response {
    text(
        StatusCode::NOT_FOUND,
        "There is nothing here. Try /graphql, /schema.graphql, /admin/graphql, /health/ready, /metrics, or / in a browser.\n",
    )
}

pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Response {
    let mut response = Response::builder().status(status).body(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
