//! What one request may ask for, and the values that hold when nothing is said. Documented in docs/limits.md.

/// What one request may ask for. Every limit is checked before execution.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Fields nested in fields.
    pub depth_max: usize,
    /// Aliases in a document.
    pub aliases_max: usize,
    /// Root fields of an operation.
    pub root_fields_max: usize,
    /// Directives in a document.
    pub directives_max: usize,
    /// Tokens in a document.
    pub tokens_max: usize,
    /// Records that a page may hold.
    pub page_max: usize,
    /// Records that a page holds when nothing is said.
    pub page_default: usize,
    /// Cost of an operation: see docs/limits.md.
    pub cost_max: u64,
    /// Time for one operation, retries on conflict included, in milliseconds.
    pub timeout_ms: u64,
    /// Prepared plans that are kept.
    pub plans_max: usize,
    /// Bytes of an answer.
    pub answer_bytes_max: usize,
    /// Index entries that a list gathers before it reads in order and stops early instead, where it can.
    pub gather_max: usize,
    /// Refuse filters that no index serves instead of warning.
    pub refuse_scans: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth_max: 15,
            aliases_max: 30,
            root_fields_max: 20,
            directives_max: 50,
            tokens_max: 15_000,
            page_max: 1_000,
            page_default: 20,
            // A full page of records that each bring a full page: no screen shows more.
            cost_max: 1_000_000,
            timeout_ms: 30_000,
            plans_max: 1_000,
            answer_bytes_max: 64 << 20,
            // About two milliseconds of work: little enough to be wasted on a wrong guess.
            gather_max: 5_000,
            refuse_scans: false,
        }
    }
}
