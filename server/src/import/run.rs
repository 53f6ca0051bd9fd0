//! The run of an import: one reader, several senders, a bounded queue of blocks between them.

use super::batch::{Block, block_of};
use super::lines::{Problem, Row, RowError, Rows, Source};
use super::progress::Progress;
use super::rejects::Rejects;
use super::send::{Halt, SendError, Sender};
use super::translate::Translator;
use crate::cli::{Client, Exit, Failure};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Blocks on the way at once: while one waits for the disk the next ones are worked on and share its fsync.
const SENDERS: usize = 4;

/// How rows that do not fit are treated, and what names the import.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Collect rows that do not fit here and go on; `None` stops at the first.
    pub rejects: Option<PathBuf>,
    /// Makes an import of the same rows another one.
    pub label: String,
}

/// What is imported.
pub struct Job {
    /// To this server.
    pub client: Client,
    /// As records of this collection.
    pub translator: Translator,
    /// From here.
    pub source: Source,
}

/// What an import did.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The collection's type name.
    pub collection: String,
    /// Where rows came from.
    pub source: String,
    /// Records that are in, those of an earlier run of the same import included.
    pub records: u64,
    /// Rows in the rejects file.
    pub rejected: u64,
    /// How long it took.
    pub seconds: f64,
}

/// What senders share.
struct Shared<'a> {
    sender: Sender<'a>,
    progress: &'a Progress,
    position: &'a AtomicU64,
    rejects: Option<&'a Rejects>,
    known: &'a [u64],
    failed: Mutex<Vec<SendError>>,
}

/// Imports a source.
///
/// # Errors
/// The first line that does not fit (without a rejects file), or why the server or the source failed. What was
/// imported until then stays, and is not imported again by the next run.
pub fn import(job: Job, options: &Options) -> Result<Summary, Failure> {
    let began = Instant::now();
    let Job { client, translator, source } = job;
    let name = source.name.clone();
    let (rejects, known) = match options.rejects.as_deref().map(Rejects::open).transpose()? {
        Some((rejects, known)) => (Some(rejects), known),
        None => (None, Vec::new()),
    };
    let progress = Progress::begin(&name, source.bytes);
    let position = Arc::new(AtomicU64::new(0));
    let rows = Rows::begin(source, translator.catalog(), translator.collection(), Arc::clone(&position))?;
    let halt = Halt::default();
    let shared = Shared {
        sender: Sender { client, translator: &translator, label: &options.label, halt: &halt },
        progress: &progress,
        position: &position,
        rejects: rejects.as_ref(),
        known: &known,
        failed: Mutex::new(Vec::new()),
    };
    let read = shared.run(rows);
    progress.end();
    let mut failed = shared.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.extend(read.err());
    if let Some(failure) = first_failure(failed, &name, progress.rows()) {
        return Err(failure);
    }
    Ok(Summary {
        collection: translator.collection().name.clone(),
        source: name,
        records: progress.rows(),
        rejected: rejects.as_ref().map_or(0, Rejects::count),
        seconds: began.elapsed().as_secs_f64(),
    })
}

impl Shared<'_> {
    /// Reads on this thread and sends on others until the end or a failure.
    fn run(&self, rows: Rows) -> Result<(), SendError> {
        // Rows that refer to rows before them need those to be in.
        let senders = if self.sender.translator.refers_to_itself() { 1 } else { SENDERS };
        let (queue, blocks) = sync_channel::<Block>(senders);
        let blocks = Mutex::new(blocks);
        std::thread::scope(|scope| {
            for _ in 0..senders {
                scope.spawn(|| self.send_blocks(&blocks));
            }
            self.read_blocks(rows, queue)
        })
    }

    fn read_blocks(&self, mut rows: Rows, queue: SyncSender<Block>) -> Result<(), SendError> {
        let mut block = Block::default();
        while let Some(next) = rows.next() {
            let row = match next {
                Ok(row) => row,
                Err(RowError::Unreadable(error)) => {
                    self.sender.halt.set();
                    let message = format!("The source cannot be read further: {error}.");
                    return Err(SendError::Fatal(Failure::new(Exit::File, message)));
                }
                Err(RowError::Wrong(problem, text)) => {
                    self.reject(problem, &text)?;
                    continue;
                }
            };
            if block.rows.first().is_some_and(|first| block_of(first.line) != block_of(row.line)) {
                let full = std::mem::take(&mut block);
                if self.sender.halt.is_set() || queue.send(full).is_err() {
                    return Ok(());
                }
            }
            block.rows.push(row);
        }
        if !block.rows.is_empty() && !self.sender.halt.is_set() {
            // Senders that are gone have said why.
            let _ = queue.send(block);
        }
        Ok(())
    }

    fn send_blocks(&self, blocks: &Mutex<Receiver<Block>>) {
        loop {
            let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(block) = next else { return };
            if self.sender.halt.is_set() {
                continue;
            }
            if let Err(error) = self.send_block(&block) {
                self.sender.halt.set();
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(error);
            }
        }
    }

    fn send_block(&self, block: &Block) -> Result<(), SendError> {
        for batch in block.batches(self.known) {
            self.send_around(batch)?;
        }
        Ok(())
    }

    /// Sends a batch; around each row that does not fit when there is a rejects file.
    fn send_around(&self, mut rest: &[Row]) -> Result<(), SendError> {
        while !rest.is_empty() {
            let problem = match self.sender.send(rest) {
                Ok(()) => {
                    self.progress.advance(rest.len() as u64, self.position.load(Ordering::Relaxed));
                    return Ok(());
                }
                Err(SendError::Row(problem)) => problem,
                Err(SendError::TooMany) => {
                    let (first, second) = rest.split_at(rest.len() / 2);
                    self.send_around(first)?;
                    rest = second;
                    continue;
                }
                Err(fatal) => return Err(fatal),
            };
            let at = rest.iter().position(|row| row.line == problem.line).expect("the row is one of those sent");
            self.reject(problem, &rest[at].text)?;
            // What stands before it goes in as a batch of its own, as it will in every later run.
            self.send_around(&rest[..at])?;
            rest = &rest[at + 1..];
        }
        Ok(())
    }

    /// Notes a row that does not fit, or ends the import when nobody wants them noted.
    fn reject(&self, problem: Problem, text: &str) -> Result<(), SendError> {
        let Some(rejects) = self.rejects else {
            self.sender.halt.set();
            return Err(SendError::Row(problem));
        };
        if self.known.binary_search(&problem.line).is_ok() {
            return Ok(());
        }
        rejects.add(&problem, text).map_err(SendError::Fatal)
    }
}

/// Of several failures the one that is first in the file; with what to do.
fn first_failure(failed: Vec<SendError>, name: &str, records: u64) -> Option<Failure> {
    let mut first: Option<Problem> = None;
    let mut fatal = None;
    for error in failed {
        match error {
            SendError::Fatal(failure) => fatal = Some(failure),
            SendError::TooMany => unreachable!("a batch of too many rows is sent in halves"),
            SendError::Row(problem) => {
                if first.as_ref().is_none_or(|earlier| problem.line < earlier.line) {
                    first = Some(problem);
                }
            }
        }
    }
    let resume = format!("{records} records are in; run the same command again and none of them is imported twice.");
    match (first, fatal) {
        (Some(problem), _) => {
            let field = if problem.field.is_empty() { String::new() } else { format!(", field {}", problem.field) };
            let message = format!(
                "{name}, line {}{field}: {}\nCorrect the line where it stands, or collect such lines with --keep-going. {resume}",
                problem.line, problem.reason
            );
            Some(Failure::new(Exit::Refused, message))
        }
        (None, Some(failure)) => Some(Failure::new(failure.exit, format!("{}\n{resume}", failure.message))),
        (None, None) => None,
    }
}
