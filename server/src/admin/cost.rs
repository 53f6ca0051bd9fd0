//! What operations of the data plane took.

use super::count::BigInt;
use crate::operations::Operation;
use async_graphql::SimpleObject;
use std::time::Duration;

/// What all executions of an operation took this node since it started.
#[derive(SimpleObject)]
pub struct OperationCost {
    /// The document, without comments, and with 0 and "" in place of the numbers and strings in it.
    document: String,
    /// Only the beginning of the document is there.
    cut: bool,
    /// Which of the document's operations; null where the request named none.
    operation_name: Option<String>,
    /// It writes.
    mutation: bool,
    /// How often it was executed.
    calls: BigInt,
    /// How often its answer had errors.
    failures: BigInt,
    /// What all executions took together, in microseconds.
    total_micros: BigInt,
    /// What half of them took at most, in microseconds: up to a quarter more than the truth.
    p50_micros: BigInt,
    /// What 99 of a hundred took at most, as exact.
    p99_micros: BigInt,
    /// What the slowest took, in microseconds.
    longest_micros: BigInt,
    /// Bytes of all answers together.
    answer_bytes: BigInt,
}

impl From<Operation> for OperationCost {
    fn from(operation: Operation) -> OperationCost {
        let micros = |duration: Duration| BigInt(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        OperationCost {
            calls: operation.calls.into(),
            failures: operation.failures.into(),
            total_micros: micros(operation.total),
            p50_micros: micros(operation.percentile(50)),
            p99_micros: micros(operation.percentile(99)),
            longest_micros: micros(operation.longest),
            answer_bytes: operation.answer_bytes.into(),
            document: operation.document,
            cut: operation.cut,
            operation_name: operation.name,
            mutation: operation.mutation,
        }
    }
}
