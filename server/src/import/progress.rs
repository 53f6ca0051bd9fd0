//! How far an import is: a bar on a terminal, now and then a line elsewhere.

use crate::cli::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lines in a log are read later, not watched.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How far an import is.
pub struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    rows: AtomicU64,
    bytes: Option<u64>,
    told: Mutex<Instant>,
}

impl Progress {
    /// Of a source with this name and length.
    pub fn begin(name: &str, bytes: Option<u64>) -> Progress {
        let bar = output::is_watched().then(|| {
            let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(10));
            let template = match bytes {
                Some(_) => "{prefix}  {bar:30} {percent:>3} %  {msg} records  {elapsed}",
                None => "{prefix}  {spinner} {msg} records  {elapsed}",
            };
            bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
            bar.with_prefix(name.to_owned())
        });
        Progress { name: name.to_owned(), bar, rows: AtomicU64::new(0), bytes, told: Mutex::new(Instant::now()) }
    }

    /// More rows are in, and the source was read up to `position`.
    pub fn advance(&self, rows: u64, position: u64) {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            bar.set_message(rows.to_string());
            return;
        }
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.elapsed() >= LINE_EVERY {
            *told = Instant::now();
            let share = self.bytes.filter(|bytes| *bytes > 0).map(|bytes| format!(", {} %", position * 100 / bytes));
            output::say(&format!("{}: {rows} records{}", self.name, share.unwrap_or_default()));
        }
    }

    /// Rows that are in.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
