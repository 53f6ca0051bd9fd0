//! The rejects file: rows that did not fit, one JSON object a line, written as they are found.
//!
//! It is also what a second run remembers: it sends around the lines in it exactly as the first one did.

use super::lines::Problem;
use crate::cli::Failure;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Rows that did not fit.
pub struct Rejects {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    count: u64,
}

#[derive(Deserialize)]
struct Known {
    line: u64,
}

#[derive(Serialize)]
struct Rejected<'a> {
    line: u64,
    field: &'a str,
    reason: &'a str,
    row: &'a str,
}

impl Rejects {
    /// Opens or creates the file, and returns the lines that are in it, ascending.
    ///
    /// # Errors
    /// A file that cannot be opened or was written by something else.
    pub fn open(path: &Path) -> Result<(Rejects, Vec<u64>), Failure> {
        let mut known = Vec::new();
        if let Ok(file) = File::open(path) {
            for line in BufReader::new(file).lines() {
                let line = line.map_err(|error| Failure::file("read", path, &error))?;
                // A line that a kill cut short names a row that was not yet sent around.
                if let Ok(Known { line }) = serde_json::from_str(&line) {
                    known.push(line);
                }
            }
        }
        known.sort_unstable();
        known.dedup();
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| Failure::file("write", path, &error))?;
        let inner = Inner { file, count: known.len() as u64 };
        Ok((Rejects { path: path.to_owned(), inner: Mutex::new(inner) }, known))
    }

    /// Adds a row, before anything behind it is sent.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&self, problem: &Problem, row: &str) -> Result<(), Failure> {
        let rejected = Rejected { line: problem.line, field: &problem.field, reason: &problem.reason, row };
        let mut line = serde_json::to_string(&rejected).expect("strings and a number have a JSON form");
        line.push('\n');
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.count += 1;
        inner.file.write_all(line.as_bytes()).map_err(|error| Failure::file("write", &self.path, &error))
    }

    /// How many rows are in it.
    pub fn count(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_known_to_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.jsonl");
        let (rejects, known) = Rejects::open(&path).unwrap();
        assert!(known.is_empty());
        let problem = |line| Problem { line, field: "name".into(), reason: "No.".into() };
        rejects.add(&problem(9), "{\"a\":1}").unwrap();
        rejects.add(&problem(3), "{}").unwrap();
        assert_eq!(rejects.count(), 2);
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"line\":7,\"fie").unwrap();
        let (_, known) = Rejects::open(&path).unwrap();
        assert_eq!(known, [3, 9]);
    }
}
