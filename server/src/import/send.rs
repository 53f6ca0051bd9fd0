//! One batch to the server: translated, sent, sent again while that can help, and its failure traced to a line.

use super::batch;
use super::lines::{Problem, Row};
use super::translate::Translator;
use crate::cli::{Client, Exit, Failure};
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Tries of one batch before giving up: with the waits below about a minute of a server that is away.
const TRIES_MAX: u32 = 12;
const WAIT_FIRST: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(10);

const PAYLOAD_TOO_LARGE: u16 = 413;

/// Sends batches of one collection.
pub struct Sender<'a> {
    /// To this server.
    pub client: Client,
    /// As this collection's records.
    pub translator: &'a Translator,
    /// Makes imports of the same rows different ones.
    pub label: &'a str,
    /// Ends all waiting when somebody failed.
    pub halt: &'a Halt,
}

/// Why a batch is not in.
#[derive(Debug)]
pub enum SendError {
    /// A row does not fit. Nothing of the batch is in.
    Row(Problem),
    /// The server takes fewer rows at once. Nothing of the batch is in.
    TooMany,
    /// Nothing can be sent any more.
    Fatal(Failure),
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    message: String,
    #[serde(default)]
    extensions: AnswerExtensions,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnswerExtensions {
    code: String,
    retryable: bool,
    outcome: String,
    input_path: Vec<Value>,
    fields: Vec<Value>,
}

impl Sender<'_> {
    /// Sends rows as one transaction, and returns when they are in for good.
    ///
    /// # Errors
    /// The first row that does not fit, or why no more can be sent.
    pub fn send(&self, rows: &[Row]) -> Result<(), SendError> {
        let body = self.body(rows)?;
        let key = batch::key(self.label, &self.translator.collection().name, rows);
        let mut wait = WAIT_FIRST;
        for tried in 1.. {
            let (failure, pause) = match self.client.graphql(body.as_bytes(), Some(&key)) {
                Ok(answer) => {
                    let read: Result<Answer, _> = serde_json::from_slice(&answer.body);
                    let Ok(read) = read else { return Err(SendError::Fatal(self.not_understood(answer.status))) };
                    let Some(error) = read.errors.into_iter().next() else { return Ok(()) };
                    if rows.len() > 1
                        && (answer.status == PAYLOAD_TOO_LARGE || error.extensions.code == "PAGE_TOO_LARGE")
                    {
                        return Err(SendError::TooMany);
                    }
                    // The key makes it safe to send again what may have happened already.
                    if !error.extensions.retryable && error.extensions.outcome != "UNKNOWN" {
                        return Err(trace(error, rows));
                    }
                    let pause = answer.retry_after.map_or(wait, Duration::from_secs);
                    (Failure::new(Exit::Refused, error.message), pause)
                }
                Err(failure) => (failure, wait),
            };
            if tried >= TRIES_MAX || self.halt.wait(pause.min(WAIT_MAX)) {
                return Err(SendError::Fatal(failure));
            }
            wait = (wait * 2).min(WAIT_MAX);
        }
        unreachable!("the tries are counted above")
    }

    fn body(&self, rows: &[Row]) -> Result<String, SendError> {
        let collection = self.translator.collection();
        let mut body = format!(
            "{{\"query\":\"mutation Import($data: [{}!]!) {{ {}(data: $data) {{ affectedCount }} }}\",\"variables\":{{\"data\":[",
            collection.create_type(),
            collection.create_many_field()
        );
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                body.push(',');
            }
            self.translator.translate(row.line, &row.text, &mut body).map_err(SendError::Row)?;
        }
        body.push_str("]}}");
        Ok(body)
    }

    fn not_understood(&self, status: u16) -> Failure {
        let message = format!("{} answered with status {status} and not as a Vivarium server does.", self.client.url());
        Failure::new(Exit::Unreachable, message)
    }
}

/// The row that the server complains of, by the first number in the path of the input.
fn trace(error: AnswerError, rows: &[Row]) -> SendError {
    let path = &error.extensions.input_path;
    let at = path.iter().position(Value::is_u64);
    let row = at.and_then(|at| rows.get(usize::try_from(path[at].as_u64()?).ok()?));
    let row = match (row, rows) {
        (Some(row), _) => row,
        (None, [only]) => only,
        (None, _) => return SendError::Fatal(Failure::new(Exit::Refused, error.message)),
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // In a line a relation has no `connect`: the path is shown as the line has it.
    let in_row = path.iter().skip(at.map_or(path.len(), |at| at + 1)).map(text).filter(|name| name != "connect");
    let mut field = in_row.collect::<Vec<_>>().join(".");
    if field.is_empty() {
        field = error.extensions.fields.iter().map(text).collect::<Vec<_>>().join(", ");
    }
    SendError::Row(Problem { line: row.line, field, reason: error.message })
}

/// Set once, when nothing more should be sent.
#[derive(Default)]
pub struct Halt {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Halt {
    /// From now on nothing new is begun.
    pub fn set(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, and returns early with true when it is set.
    pub fn wait(&self, pause: Duration) -> bool {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(set, pause, |set| !*set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_traced_to_its_line_and_field() {
        let rows: Vec<Row> = (10..13).map(|line| Row { line, text: String::new() }).collect();
        let error = |json: &str| serde_json::from_str::<AnswerError>(json).unwrap();
        let SendError::Row(problem) = trace(
            error(r#"{"message":"No artist.","extensions":{"inputPath":["data",2,"artist","connect","artistId"]}}"#),
            &rows,
        ) else {
            panic!("a row is named")
        };
        assert_eq!(problem, Problem { line: 12, field: "artist.artistId".into(), reason: "No artist.".into() });
        let SendError::Row(problem) =
            trace(error(r#"{"message":"Twice.","extensions":{"inputPath":["data",0],"fields":["email"]}}"#), &rows)
        else {
            panic!("a row is named")
        };
        assert_eq!((problem.line, problem.field.as_str()), (10, "email"));
        assert!(matches!(trace(error(r#"{"message":"No."}"#), &rows), SendError::Fatal(_)));
        assert!(matches!(trace(error(r#"{"message":"No."}"#), &rows[..1]), SendError::Row(_)));
    }
}
