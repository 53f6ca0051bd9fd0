//! Pages about runs: runs a plan once more, keeps what happened as data, and writes the page.

use super::command::Draw;
use super::process::{self, Extras};
use super::say;
use super::survey::REPLAY_LIMIT;
use crate::check::explain;
use crate::history::History;
use crate::plan::Plan;
use crate::record::Record;
use crate::report::{self, Picture};
use crate::verdict::{Report, Verdict};
use std::fs;
use std::path::{Path, PathBuf};

/// Runs a plan or a seed, and writes the page about it.
pub fn report(draw: &Draw) -> Result<bool, String> {
    let repeat = format!("vivarium-sim replay {}", draw.source.words());
    let report = write(&draw.source.plan()?, &repeat, &draw.output)?;
    say(&format!("{}: {}", draw.output.display(), report.verdict.word()));
    Ok(report.verdict == Verdict::Pass)
}

/// Runs a plan, and writes the page about it.
///
/// # Errors
/// When a file cannot be written, or the run left nothing.
pub fn write(plan: &Plan, repeat: &str, page: &Path) -> Result<Report, String> {
    let kept = Kept::beside(page);
    let extras = Extras { trace: false, history: Some(kept.history.clone()), record: Some(kept.record.clone()) };
    let report = process::run(plan, REPLAY_LIMIT, &extras);
    let (record, history) = kept.take();
    let (record, history) = (record?, history?);
    let picture = Picture::new(plan, &report, (&record, &history), explain::explain(&history), repeat);
    fs::write(page, report::page(&picture)).map_err(|error| format!("{}: {error}", page.display()))?;
    Ok(report)
}

/// The files that a run leaves for its page.
struct Kept {
    history: PathBuf,
    record: PathBuf,
}

impl Kept {
    fn beside(page: &Path) -> Kept {
        let named = |extension: &str| page.with_extension(format!("{}.{extension}", std::process::id()));
        Kept { history: named("calls"), record: named("record") }
    }

    /// Reads them, and takes them away. A run that died left none.
    fn take(&self) -> (Result<Record, String>, Result<History, String>) {
        let read = |path: &Path| {
            let text = fs::read_to_string(path);
            let _ = fs::remove_file(path);
            text.map_err(|error| format!("the run left no record: {}: {error}", path.display()))
        };
        let record = read(&self.record).and_then(|text| {
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", self.record.display()))
        });
        (record, read(&self.history).and_then(|text| History::parse(&text)))
    }
}
