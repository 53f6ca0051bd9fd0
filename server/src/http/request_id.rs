//! Names for requests: the client's own when it is sane, else one that no other request of this process has.

use std::sync::atomic::{AtomicU64, Ordering};

/// Longer ids are not kept: they end in log lines.
const ID_BYTES_MAX: usize = 128;

/// Makes ids: a part for the process, a part that counts.
pub struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    /// Ids that begin with `process`, which should differ between starts.
    pub fn new(process: u32) -> RequestIds {
        RequestIds { process, next: AtomicU64::new(1) }
    }

    /// The id that the client gave, if it can stand in a header and a log line; else a new one.
    pub fn take(&self, given: Option<&str>) -> String {
        match given {
            Some(id) if is_sane(id) => id.to_owned(),
            _ => format!("{:08x}-{:x}", self.process, self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

fn is_sane(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_any_other_is_replaced() {
        let ids = RequestIds::new(0xbeef);
        assert_eq!(ids.take(Some("trace-1:2")), "trace-1:2");
        assert_eq!(ids.take(None), "0000beef-1");
        assert_eq!(ids.take(Some("a b")), "0000beef-2");
        assert_eq!(ids.take(Some("")), "0000beef-3");
        assert_eq!(ids.take(Some(&"x".repeat(129))), "0000beef-4");
    }
}
