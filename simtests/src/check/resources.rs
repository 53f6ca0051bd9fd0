//! What a node holds when nothing is asked of it: few tasks, few open files, few snapshots, nothing that waits. More was
//! forgotten by somebody.
//!
//! Looked at when clients are done and the cluster rests, so that what belongs to a request is gone.

use super::Violation;
use vivarium_consensus::Queues;

/// Tasks of a node at rest, the harness's own included: 7 to 18 were measured, with up to five nodes.
const TASKS_MAX: usize = 40;
/// Open files without a name, such as tables that were merged away and that a snapshot still reads: none was measured.
const NAMELESS_FILES_MAX: usize = 2;
/// Handles of one file: one was measured.
const HANDLES_MAX: usize = 4;
/// Snapshots: one is the newest, others are what checkpoints are sent from.
const SNAPSHOTS_MAX: usize = 4;
/// In each queue: nodes go on talking to each other, and one letter may be under way. None was measured.
const WAITING_MAX: usize = 2;
/// Bytes in each queue of bytes: an entry that moves the watermark, or some heartbeats.
const WAITING_BYTES_MAX: usize = 4096;

/// What a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Tasks.
    pub tasks: usize,
    /// Open files.
    pub files: usize,
    /// Those whose names are gone.
    pub nameless_files: usize,
    /// Handles of the file that has most.
    pub handles: usize,
    /// Snapshots of the store.
    pub snapshots: usize,
    /// What waits.
    pub queues: Queues,
}

/// A node at rest holds no more than it needs.
///
/// # Errors
/// What there is too much of.
pub fn check(node: &str, held: &Held) -> Result<(), Violation> {
    let Queues { requests, readers, commits, waiting, unapplied_bytes, unsent_bytes } = held.queues;
    let limits = [
        ("tasks", held.tasks, TASKS_MAX),
        ("nameless-files", held.nameless_files, NAMELESS_FILES_MAX),
        ("handles", held.handles, HANDLES_MAX),
        ("snapshots", held.snapshots, SNAPSHOTS_MAX),
        ("requests", requests, WAITING_MAX),
        ("readers", readers, WAITING_MAX),
        ("commits", commits, WAITING_MAX),
        ("waiting", waiting, WAITING_MAX),
        ("unapplied-bytes", unapplied_bytes, WAITING_BYTES_MAX),
        ("unsent-bytes", unsent_bytes, WAITING_BYTES_MAX),
    ];
    match limits.into_iter().find(|(_, count, most)| count > most) {
        Some((class, count, most)) => {
            let detail = format!("{node} at rest holds {count} {class}, at most {most} are expected: {held:?}");
            Err(Violation::new("resources", class, detail))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_named() {
        let fine = Held { tasks: 12, files: 9, nameless_files: 1, handles: 2, snapshots: 1, queues: Queues::default() };
        assert_eq!(check("n1", &fine), Ok(()));
        let class = |held: Held| check("n1", &held).unwrap_err().class;
        assert_eq!(class(Held { tasks: 500, ..fine }), "tasks");
        assert_eq!(class(Held { nameless_files: 9, ..fine }), "nameless-files");
        assert_eq!(class(Held { handles: 50, ..fine }), "handles");
        assert_eq!(class(Held { snapshots: 9, ..fine }), "snapshots");
        let with = |queues| class(Held { queues, ..fine });
        assert_eq!(with(Queues { requests: 9, ..Queues::default() }), "requests");
        assert_eq!(with(Queues { readers: 9, ..Queues::default() }), "readers");
        assert_eq!(with(Queues { commits: 9, ..Queues::default() }), "commits");
        assert_eq!(with(Queues { waiting: 9, ..Queues::default() }), "waiting");
        assert_eq!(with(Queues { unapplied_bytes: 9999, ..Queues::default() }), "unapplied-bytes");
        assert_eq!(with(Queues { unsent_bytes: 9999, ..Queues::default() }), "unsent-bytes");
    }
}
