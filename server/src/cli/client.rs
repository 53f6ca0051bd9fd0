//! The way to a server: its control plane and its data plane over HTTP, every failure with its exit code.

use super::{Exit, Failure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;

/// A server that does not take a connection in this time is not there.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Longer than any operation may take, so that the server's own word on it comes first.
const ANSWER_MAX: Duration = Duration::from_secs(600);

/// An export's page with 1,000 large records.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// A server, by its URL. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

/// An answer of the data plane.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Envelope<'a, V> {
    query: &'a str,
    variables: V,
}

#[derive(Deserialize)]
struct AdminAnswer<'a, T> {
    data: Option<T>,
    #[serde(borrow, default)]
    errors: Vec<AdminError<'a>>,
}

#[derive(Deserialize)]
struct AdminError<'a> {
    message: String,
    #[serde(borrow, default)]
    #[allow(dead_code, reason = "kept so that an error's shape is checked")]
    extensions: Option<&'a RawValue>,
}

impl Client {
    /// A client for a server. `/graphql` at the end of the URL is let pass.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn new(url: &str) -> Result<Client, Failure> {
        let base = url.trim_end_matches('/').trim_end_matches("/graphql").trim_end_matches("/admin");
        let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
        if !base.starts_with("http://") {
            let message = format!("\"{url}\" is not the URL of a server. Write it as http://127.0.0.1:4000.");
            return Err(Failure::new(Exit::Usage, message));
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(ANSWER_MAX))
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("vivarium/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Client { agent, base })
    }

    /// The server's URL.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Asks the control plane.
    ///
    /// # Errors
    /// No server, or one that says no.
    pub fn admin<T: DeserializeOwned>(&self, query: &str, variables: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(&Envelope { query, variables }).expect("variables of ours have a JSON form");
        let answer = self.post("/admin/graphql", &body, None)?;
        let decoded: AdminAnswer<'_, T> =
            serde_json::from_slice(&answer.body).map_err(|_| self.not_vivarium(answer.status))?;
        match (decoded.data, decoded.errors.first()) {
            (Some(data), None) => Ok(data),
            (_, Some(error)) => Err(Failure::new(Exit::Refused, error.message.clone())),
            (None, None) => Err(self.not_vivarium(answer.status)),
        }
    }

    /// Sends a body to the data plane.
    ///
    /// # Errors
    /// No server. What the server says is in the answer.
    pub fn graphql(&self, body: &[u8], idempotency_key: Option<&str>) -> Result<Answer, Failure> {
        self.post("/graphql", body, idempotency_key)
    }

    /// Whether the server says that it can answer requests.
    pub fn is_ready(&self) -> bool {
        let answer = self.agent.get(format!("{}/health/ready", self.base)).call();
        answer.is_ok_and(|response| response.status().as_u16() == 200)
    }

    fn post(&self, path: &str, body: &[u8], idempotency_key: Option<&str>) -> Result<Answer, Failure> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .content_type("application/json")
            .header("accept", "application/graphql-response+json, application/json;q=0.9");
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let mut response = request.send(body).map_err(|error| self.unreachable(&error))?;
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| self.unreachable(&error))?;
        Ok(Answer { status, retry_after, body })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let exit = if matches!(error, ureq::Error::BadUri(_) | ureq::Error::Http(_)) {
            Exit::Usage
        } else {
            Exit::Unreachable
        };
        Failure::new(exit, format!("Cannot reach {}: {error}. Is the server running? Name it with --url.", self.base))
    }

    fn not_vivarium(&self, status: u16) -> Failure {
        let message = format!("{} answered with status {status} and not as a Vivarium server does.", self.base);
        Failure::new(Exit::Unreachable, message)
    }
}
