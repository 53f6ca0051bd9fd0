//! One whole node inside the simulation, all but HTTP: opened on a folder, spoken to through its door.
//!
//! Everything behind the door dies with the simulated machine; the door then answers nothing.

use crate::plan::Knobs;
use crate::simfs::Drive;
use crate::workload::{Reply, SCHEMA};
use madsim::time::timeout;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vivarium_consensus::{Node, NodeOptions};
use vivarium_schema::database::{ApplyOptions, VerifyReport};
use vivarium_schema::plan::Limits;
use vivarium_schema::{Database, Request, Response, Session};
use vivarium_storage::runtime::Runtime;
use vivarium_storage::{DatabaseId, StoreOptions, WalOptions};

/// The one database of a simulated node.
const DATABASE: DatabaseId = DatabaseId(1);
/// Bytes that may wait for the log: far more than the workload makes at once.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// After so much virtual time without an answer something hangs.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// How a node is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its data folder.
    pub dir: PathBuf,
    /// Sizes.
    pub knobs: Knobs,
    /// Its chance.
    pub seed: u64,
    /// How far its wall clock is off.
    pub skew_micros: i64,
    /// What it is to become.
    pub start: Start,
    /// The record of its folder, if there is one.
    pub drive: Option<Drive>,
}

/// What a node is to become.
#[derive(Clone, Debug)]
pub enum Start {
    /// A node without others.
    Alone {
        /// Declares the schema when there is none.
        declares: bool,
    },
}

/// One request to a node.
enum Ask {
    Execute(Box<Request>, oneshot::Sender<Response>),
    Verify(oneshot::Sender<Result<VerifyReport, String>>),
    Close(oneshot::Sender<Result<(), String>>),
    Skew(i64),
}

/// The way into a node. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    asks: mpsc::UnboundedSender<Ask>,
    stopped: Arc<Mutex<Option<String>>>,
    drive: Option<Drive>,
    /// False when the database has no schema yet.
    pub declared: bool,
    /// The store was found damaged and built anew from the log: no crash should come to that.
    pub rebuilt: bool,
}

/// Opens a node and serves it for as long as the simulated machine lives.
pub async fn live(opening: Opening, ready: oneshot::Sender<Result<Door, String>>) {
    let runtime = Runtime::seeded(opening.seed);
    runtime.skew(opening.skew_micros);
    let (database, declared) = match open(&opening, runtime).await {
        Ok(opened) => opened,
        Err(reason) => {
            let _ = ready.send(Err(reason));
            return;
        }
    };
    let (asks, mut inbox) = mpsc::unbounded_channel();
    let stopped = Arc::new(Mutex::new(None));
    let (node, noted) = (database.node().clone(), Arc::clone(&stopped));
    madsim::task::spawn(async move {
        let reason = node.stopped().await;
        *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    });
    let _ = ready.send(Ok(Door { asks, stopped, drive: opening.drive, declared, rebuilt: is_rebuilt(&opening.dir) }));
    while let Some(ask) = inbox.recv().await {
        let database = database.clone();
        madsim::task::spawn(async move {
            match ask {
                Ask::Execute(request, answer) => {
                    let _ = answer.send(database.execute(*request, &Session::default()).await);
                }
                Ask::Verify(answer) => {
                    let _ = answer.send(database.verify().await.map_err(|error| error.to_string()));
                }
                Ask::Close(answer) => {
                    let _ = answer.send(database.node().close().await.map_err(|error| error.to_string()));
                }
                Ask::Skew(micros) => database.node().runtime().skew(micros),
            }
        });
    }
}

fn is_rebuilt(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().contains(".damaged"))
}

async fn open(opening: &Opening, runtime: Runtime) -> Result<(Database, bool), String> {
    let knobs = opening.knobs;
    let bytes = |bytes: u64| usize::try_from(bytes).expect("knobs are small");
    let options = NodeOptions {
        dir: opening.dir.clone(),
        store: StoreOptions { workers: 0, cache_bytes: knobs.cache_bytes, memtable_bytes: knobs.memtable_bytes },
        wal: WalOptions {
            segment_bytes: knobs.segment_bytes,
            cache_bytes: bytes(knobs.log_cache_bytes),
            queue_bytes_max: QUEUE_BYTES_MAX,
        },
        runtime,
        cluster: None,
    };
    let node = Node::open(options).await.map_err(|error| format!("the node does not open: {error}"))?;
    let database = Database::open(node, DATABASE, Limits::default()).await;
    let database = database.map_err(|error| format!("the database does not open: {error}"))?;
    if matches!(opening.start, Start::Alone { declares: true }) {
        let applied = database.apply_schema(SCHEMA, ApplyOptions::default()).await;
        applied.map_err(|error| format!("the schema is not applied: {error:?}"))?;
    }
    let (_, version) = database.schema().await.map_err(|error| format!("the schema is not read: {error}"))?;
    Ok((database, version > 0))
}

impl Door {
    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(ask(answer)).ok()?;
        timeout(ANSWER_TIME_MAX, answered).await.ok()?.ok()
    }

    /// Runs a request. `None` when no answer came.
    pub async fn execute(&self, request: Request) -> Option<Result<Reply, String>> {
        let response = self.ask(|answer| Ask::Execute(Box::new(request), answer)).await?;
        Some(Reply::parse(&response.body, response.version.map(|version| version.0)))
    }

    /// Compares indexes and documents. `None` when no answer came.
    pub async fn verify(&self) -> Option<Result<VerifyReport, String>> {
        self.ask(Ask::Verify).await
    }

    /// Closes the node in good order. `None` when no answer came.
    pub async fn close(&self) -> Option<Result<(), String>> {
        self.ask(Ask::Close).await
    }

    /// Moves the node's wall clock.
    pub fn skew(&self, micros: i64) {
        let _ = self.asks.send(Ask::Skew(micros));
    }

    /// Why the node stopped by itself, if it did.
    pub fn stopped(&self) -> Option<String> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True when its machine lost power, was killed, or began another life.
    pub fn is_off(&self) -> bool {
        self.drive.is_some_and(Drive::is_cut)
    }

    /// Faults of its disk that fired.
    pub fn faults(&self) -> u64 {
        self.drive.map_or(0, Drive::fired)
    }

    /// True when its disk was given faults: errors are to be expected.
    pub fn is_troubled(&self) -> bool {
        self.drive.is_some_and(Drive::is_troubled)
    }
}
