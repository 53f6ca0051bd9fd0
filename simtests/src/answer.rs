//! What an answer means: done, surely not done, or nobody knows. The same for simulated clients and real ones.

use crate::check::Violation;
use crate::history::End;
use crate::workload::{Action, Reply};

/// Codes that say that nothing was written, beside those that the model knows.
const SURELY_NOT: [&str; 5] =
    ["TRANSACTION_CONFLICT", "UNIQUE_VIOLATION", "NOT_FOUND", "REFERENCE_VIOLATION", "PRECONDITION_FAILED"];
/// Codes that say that the request itself is wrong: the workload makes none such.
const OUR_FAULT: [&str; 7] = [
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT",
    "OPERATION_RESOLUTION_FAILURE",
    "QUERY_TOO_COMPLEX",
    "PAGE_TOO_LARGE",
    "INVALID_CURSOR",
];

/// Codes that say that the schema does not allow it, or that data does not fit a schema: nothing was written.
const SCHEMA_SAYS_NO: [&str; 3] = ["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "SCHEMA_REFUSED"];

/// The state of the disk below whoever answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// It does what it is told.
    Sound,
    /// It was given faults: errors are to be expected.
    Troubled,
}

/// What an answer means.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// How the call ended.
    pub end: End,
    /// What such an answer proves by itself to be wrong.
    pub violation: Option<Violation>,
}

/// True when a cursor was refused because its snapshot is no longer kept: the walk can only begin anew.
pub fn is_of_an_old_snapshot(reply: &Reply) -> bool {
    let old = |(code, message): &(String, String)| code == "INVALID_CURSOR" && message.contains("is gone");
    !reply.errors.is_empty() && reply.errors.iter().all(old)
}

/// Says what the answer to an action means.
pub fn judge(action: &Action, reply: Reply, disk: Disk) -> Meaning {
    let codes: Vec<&str> = reply.errors.iter().map(|(code, _)| code.as_str()).collect();
    if codes.is_empty() {
        return match reply.version {
            Some(version) => Meaning { end: End::Done { version: Some(version), reply }, violation: None },
            None => {
                let violation = Violation::new("certificate", "no-version", format!("{action:?} names no version"));
                Meaning { end: End::Lost("no version".into()), violation: Some(violation) }
            }
        };
    }
    let schema_says_no = |code: &str| action.depends_on_schema() && SCHEMA_SAYS_NO.contains(&code);
    let detail = || format!("{action:?} was answered {:?}", reply.errors);
    let violation = if codes.iter().any(|code| OUR_FAULT.contains(code) && !schema_says_no(code)) {
        Some(Violation::new("workload", "bad-request", detail()))
    } else if codes.contains(&"INTERNAL_SERVER_ERROR") && disk == Disk::Sound {
        Some(Violation::new("certificate", "internal-error", detail()))
    } else {
        None
    };
    let refused = codes.iter().all(|code| SURELY_NOT.contains(code) || schema_says_no(code));
    let end = if refused { End::Refused(reply) } else { End::Lost(format!("{:?}", reply.errors)) };
    Meaning { end, violation }
}
