//! Rows of a file, each with its line number, in the line format: one JSON object a row.

use super::csv::CsvRows;
use crate::cli::{Exit, Failure};
use clap::ValueEnum;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vivarium_schema::Catalog;
use vivarium_schema::catalog::Collection;

/// A longer line would not fit into a request.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values under a header row.
    Csv,
}

impl Format {
    /// By the end of the file's name.
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            "csv" => Some(Format::Csv),
            _ => None,
        }
    }
}

/// Where rows come from.
pub struct Source {
    /// For messages.
    pub name: String,
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
    /// Its length, if it is known.
    pub bytes: Option<u64>,
    /// How it is written.
    pub format: Format,
}

impl Source {
    /// Opens a file; - is standard input.
    ///
    /// # Errors
    /// A file that cannot be opened, or whose format cannot be told.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Source, Failure> {
        let format = format.or_else(|| Format::of(path)).ok_or_else(|| {
            let message = format!("Cannot tell how {} is written. Say --format jsonl or --format csv.", path.display());
            Failure::new(Exit::Usage, message)
        })?;
        if path == Path::new("-") {
            let reader = Box::new(io::stdin());
            return Ok(Source { name: "standard input".to_owned(), reader, bytes: None, format });
        }
        let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
        let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        Ok(Source { name: path.display().to_string(), reader: Box::new(file), bytes, format })
    }
}

/// A row and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line, from 1.
    pub line: u64,
    /// A JSON object in the line format.
    pub text: String,
}

/// Why a row does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: u64,
    /// The field, dotted; empty when it is the row as a whole.
    pub field: String,
    /// What is wrong, as a sentence.
    pub reason: String,
}

/// What reading the next row may give.
pub type Next = Result<Row, RowError>;

/// Why there is no row.
#[derive(Debug)]
pub enum RowError {
    /// The file cannot be read further.
    Unreadable(io::Error),
    /// This row does not fit; the next may. The text is what stood there, if it can be shown.
    Wrong(Problem, String),
}

/// Rows of a source, read as they are asked for.
pub enum Rows {
    /// Of a file of lines.
    Lines(Lines),
    /// Of a file of comma-separated values.
    Csv(Box<CsvRows>),
}

impl Rows {
    /// Begins to read. `position` counts the bytes taken from the source.
    ///
    /// # Errors
    /// A CSV header that does not fit the collection.
    pub fn begin(
        source: Source,
        catalog: &Catalog,
        collection: &Collection,
        position: Arc<AtomicU64>,
    ) -> Result<Rows, Failure> {
        let counted = Counted { inner: source.reader, position };
        match source.format {
            Format::Jsonl => Ok(Rows::Lines(Lines { reader: BufReader::with_capacity(1 << 16, counted), line: 0 })),
            Format::Csv => {
                CsvRows::begin(counted, &source.name, catalog, collection).map(|rows| Rows::Csv(Box::new(rows)))
            }
        }
    }

    /// The next row; `None` at the end.
    pub fn next(&mut self) -> Option<Next> {
        match self {
            Rows::Lines(lines) => lines.next(),
            Rows::Csv(rows) => rows.next(),
        }
    }
}

/// One JSON object a line; empty lines count but are no rows.
pub struct Lines {
    reader: BufReader<Counted>,
    line: u64,
}

impl Lines {
    fn next(&mut self) -> Option<Next> {
        loop {
            let mut bytes = Vec::new();
            let taken = (&mut self.reader).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes);
            match taken {
                Ok(0) => return None,
                Err(error) => return Some(Err(RowError::Unreadable(error))),
                Ok(_) => self.line += 1,
            }
            if bytes.len() > LINE_BYTES_MAX {
                if let Err(error) = self.skip_line() {
                    return Some(Err(RowError::Unreadable(error)));
                }
                return Some(
                    Err(self.wrong(format!("The line is longer than {LINE_BYTES_MAX} bytes."), String::new())),
                );
            }
            let text = match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    let shown = String::from_utf8_lossy(error.as_bytes()).trim_end().to_owned();
                    return Some(Err(self.wrong("The line is not UTF-8.".to_owned(), shown)));
                }
            };
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Some(Ok(Row { line: self.line, text: text.to_owned() }));
            }
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |at| at + 1);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn wrong(&self, reason: String, text: String) -> RowError {
        RowError::Wrong(Problem { line: self.line, field: String::new(), reason }, text)
    }
}

/// Counts the bytes that pass, for the progress bar.
pub struct Counted {
    inner: Box<dyn Read + Send>,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.inner.read(buffer)?;
        self.position.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }
}

#[cfg(test)]
pub(super) fn counted(text: &str) -> Counted {
    Counted { inner: Box::new(io::Cursor::new(text.to_owned().into_bytes())), position: Arc::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: Vec<u8>) -> Vec<String> {
        let inner = Box::new(io::Cursor::new(bytes));
        let mut lines = Lines { reader: BufReader::new(Counted { inner, position: Arc::default() }), line: 0 };
        let mut out = Vec::new();
        while let Some(next) = lines.next() {
            out.push(match next {
                Ok(row) => format!("{}: {}", row.line, row.text),
                Err(RowError::Wrong(problem, _)) => format!("{}! {}", problem.line, problem.reason),
                Err(RowError::Unreadable(error)) => panic!("{error}"),
            });
        }
        out
    }

    #[test]
    fn empty_lines_count_but_are_no_rows() {
        assert_eq!(lines(b"\xef\xbb\xbf{}\r\n\n  {\"a\":1}\n\n{}".to_vec()), ["1: {}", "3: {\"a\":1}", "5: {}"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_the_next_is_read() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX * 2];
        bytes.extend(b"\n{}\n\xff\n{}");
        assert_eq!(
            lines(bytes),
            ["1! The line is longer than 1048576 bytes.", "2: {}", "3! The line is not UTF-8.", "4: {}"]
        );
    }
}
