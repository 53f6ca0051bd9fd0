//! One whole node inside the simulation, all but HTTP: opened on a folder, spoken to through its door.
//!
//! Everything behind the door dies with the simulated machine; the door then answers nothing.

use crate::check::audit::request;
use crate::check::replica::Dump;
use crate::plan::Knobs;
use crate::record;
use crate::simfs::Drive;
use crate::trace;
use crate::workload::schema_change::{self, Feature, Revision};
use crate::workload::{Action, Asked, Reply, Workload};
use madsim::time::{Instant, sleep, timeout};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vivarium_consensus::{ClusterOptions, Consistency, Node, NodeOptions, Queues, Role, Status, Token};
use vivarium_schema::database::{ApplyOptions, Error, VerifyReport};
use vivarium_schema::plan::Limits;
use vivarium_schema::{Database, Request, Response, Session};
use vivarium_storage::runtime::{Runtime, now};
use vivarium_storage::{DatabaseId, StoreOptions, WalOptions};

/// The one database of a simulated node.
const DATABASE: DatabaseId = DatabaseId(1);
/// Bytes that may wait for the log: far more than the workload makes at once.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// After so much virtual time without an answer something hangs.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// How often a node says how it stands.
const STANDING_TIME: Duration = Duration::from_millis(10);
/// Between two attempts to open the database of a node that cannot read yet, or to read from one that is opened again.
const RETRY: Duration = Duration::from_millis(50);

/// After this a newcomer asks somebody else.
const JOIN_TIME_MAX: Duration = Duration::from_secs(5);
/// And so long it waits before it does.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// So long a change of who belongs to the cluster, or who leads it, is waited for.
const CHANGE_TIME_MAX: Duration = Duration::from_secs(10);

/// How a node is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The number of its machine; 0 when it opens a crash image.
    pub number: u64,
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
    /// Its store may have been damaged: then it may be built anew, which no crash should come to.
    pub is_rotten: bool,
    /// Where the node says how it stands, while it lives.
    pub standing: Standing,
}

/// How a node stands, looked up again and again; nothing while it does not run.
pub type Standing = Arc<Mutex<Option<Status>>>;

/// What a node is to become.
#[derive(Clone, Debug)]
pub enum Start {
    /// A node without others.
    Alone {
        /// Declares the schema when there is none.
        declares: bool,
    },
    /// The first node of a new cluster.
    Founder {
        /// Where it listens for others.
        address: String,
    },
    /// A new node of a cluster that is there.
    Newcomer {
        /// Where it listens for others.
        address: String,
        /// What it shows.
        token: Token,
        /// Whom it asks, one after the other and again and again.
        members: Vec<String>,
    },
    /// A node that has its place in a cluster.
    Member {
        /// Where it listens for others.
        address: String,
    },
}

impl Start {
    fn address(&self) -> Option<&String> {
        match self {
            Start::Alone { .. } => None,
            Start::Founder { address } | Start::Newcomer { address, .. } | Start::Member { address } => Some(address),
        }
    }
}

/// One request to a node.
enum Ask {
    Execute(Box<Request>, oneshot::Sender<Response>),
    Verify(oneshot::Sender<Result<VerifyReport, String>>),
    Declare(oneshot::Sender<Result<(), String>>),
    Schema(oneshot::Sender<Result<String, String>>),
    Revise(Declaration, oneshot::Sender<Reply>),
    Dump(oneshot::Sender<Result<Dump, String>>),
    Snapshots(oneshot::Sender<Result<usize, String>>),
    Queues(oneshot::Sender<Result<Queues, String>>),
    Unready(oneshot::Sender<Result<usize, String>>),
    Close(oneshot::Sender<Result<(), String>>),
    Remove(u64, oneshot::Sender<Told>),
    Transfer(Option<u64>, oneshot::Sender<Told>),
    Skew(i64),
}

/// What is answered to who asks for a change of who belongs to the cluster, or who leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is done.
    Done,
    /// Nothing was changed, and why.
    Refused(String),
    /// Nothing that says what became of it.
    Nothing,
}

impl Told {
    fn of(answer: vivarium_consensus::Result<()>) -> Told {
        match answer {
            Ok(()) => Told::Done,
            Err(vivarium_consensus::Error::Refused(reason)) => Told::Refused(reason),
            Err(_) => Told::Nothing,
        }
    }
}

/// The way into a node. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    /// The number of the machine that it leads into.
    pub number: u64,
    asks: mpsc::UnboundedSender<Ask>,
    stopped: Arc<Mutex<Option<String>>>,
    drive: Option<Drive>,
    /// False when the database has no schema yet.
    pub declared: bool,
    /// What others need to join, of the first node of a new cluster.
    pub token: Option<Token>,
    /// The store was found damaged and built anew from the log: no crash should come to that.
    pub rebuilt: bool,
    /// What is worked on.
    pub workload: Workload,
}

/// Opens a node and serves it for as long as the simulated machine lives.
pub async fn live(opening: Opening, ready: oneshot::Sender<Result<Door, String>>) {
    let runtime = Runtime::seeded(opening.seed);
    runtime.skew(opening.skew_micros);
    record::machine(opening.number, record::State::Opening, "");
    match open(&opening, runtime).await {
        Ok(opened) => serve(opened, &opening, ready).await,
        Err(reason) => {
            let _ = ready.send(Err(reason));
        }
    }
}

/// Makes the node in a folder the only voter of its cluster, as the operator's command does. To be told that there is
/// nothing to recover is to be told that it was done before.
pub async fn recover(opening: Opening, told: oneshot::Sender<Result<(), String>>) {
    let runtime = Runtime::seeded(opening.seed);
    runtime.skew(opening.skew_micros);
    let options = opening.options(runtime);
    let answer = match vivarium_consensus::recover(&options, true).await {
        Ok(report) => {
            trace::event("house", &format!("recovered: {report:?}"), &[]);
            Ok(())
        }
        Err(vivarium_consensus::Error::Refused(reason)) if reason.contains("nothing to recover") => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    // Nobody listens any more when the power has gone meanwhile.
    let _ = told.send(answer);
}

impl Opening {
    fn options(&self, runtime: Runtime) -> NodeOptions {
        let knobs = self.knobs;
        let bytes = |bytes: u64| usize::try_from(bytes).expect("knobs are small");
        let address = self.start.address().cloned();
        NodeOptions {
            dir: self.dir.clone(),
            store: StoreOptions { workers: 0, cache_bytes: knobs.cache_bytes, memtable_bytes: knobs.memtable_bytes },
            wal: WalOptions {
                segment_bytes: knobs.segment_bytes,
                segments_kept: knobs.segments_kept,
                cache_bytes: bytes(knobs.log_cache_bytes),
                queue_bytes_max: QUEUE_BYTES_MAX,
            },
            runtime,
            cluster: address.map(ClusterOptions::new),
        }
    }
}

/// What was opened.
struct Opened {
    database: Database,
    declared: bool,
    token: Option<Token>,
    stopped: Arc<Mutex<Option<String>>>,
}

async fn serve(opened: Opened, opening: &Opening, ready: oneshot::Sender<Result<Door, String>>) {
    let Opened { database, declared, token, stopped } = opened;
    let (asks, mut inbox) = mpsc::unbounded_channel();
    let rebuilt = !opening.is_rotten && is_rebuilt(&opening.dir);
    let workload = opening.knobs.workload;
    let drive = opening.drive;
    let number = opening.number;
    record::machine(number, record::State::Up, "");
    record::schema(number, database.served());
    let _ = ready.send(Ok(Door { number, asks, stopped, drive, declared, token, rebuilt, workload }));
    while let Some(ask) = inbox.recv().await {
        let database = database.clone();
        madsim::task::spawn(async move {
            match ask {
                Ask::Execute(request, answer) => {
                    let response = database.execute(*request, &Session::default()).await;
                    record::schema(number, database.served());
                    let _ = answer.send(response);
                }
                Ask::Verify(answer) => {
                    let _ = answer.send(database.verify().await.map_err(|error| error.to_string()));
                }
                Ask::Declare(answer) => {
                    let _ = answer.send(declare(&database, workload).await);
                }
                Ask::Schema(answer) => {
                    let schema = database.schema().await;
                    let _ = answer.send(schema.map(|(sdl, _)| sdl).map_err(|error| error.to_string()));
                }
                Ask::Revise(declaration, answer) => {
                    let _ = answer.send(schema_change::declared(revise(&database, declaration).await));
                }
                Ask::Dump(answer) => {
                    let _ = answer.send(Dump::of(database.node()).await.map_err(|error| error.to_string()));
                }
                Ask::Snapshots(answer) => {
                    let counted = database.node().begin(Consistency::Stale, now()).await;
                    let counted = counted.map(|transaction| transaction.snapshots_held());
                    let _ = answer.send(counted.map_err(|error| error.to_string()));
                }
                Ask::Queues(answer) => {
                    let counted = database.node().queues(now() + ANSWER_TIME_MAX).await;
                    let _ = answer.send(counted.map_err(|error| error.to_string()));
                }
                Ask::Unready(answer) => {
                    let indexes = database.indexes().await;
                    let unready = indexes.map(|all| all.iter().filter(|index| !index.ready).count());
                    let _ = answer.send(unready.map_err(|error| error.to_string()));
                }
                Ask::Close(answer) => {
                    record::machine(number, record::State::Closing, "");
                    let _ = answer.send(database.node().close().await.map_err(|error| error.to_string()));
                }
                Ask::Remove(number, answer) => {
                    let removed = database.node().remove_member(number, now() + CHANGE_TIME_MAX).await;
                    let _ = answer.send(Told::of(removed));
                }
                Ask::Transfer(to, answer) => {
                    let handed = database.node().transfer_leadership(to, now() + CHANGE_TIME_MAX).await;
                    let _ = answer.send(Told::of(handed));
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

async fn open(opening: &Opening, runtime: Runtime) -> Result<Opened, String> {
    let knobs = opening.knobs;
    let token = take_part(opening, &runtime).await?;
    let options = opening.options(runtime);
    let node = Node::open(options).await.map_err(|error| format!("the node does not open: {error}"))?;
    let stopped = Arc::new(Mutex::new(None));
    let (watched, noted) = (node.clone(), Arc::clone(&stopped));
    madsim::task::spawn(async move {
        let reason = watched.stopped().await;
        *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    });
    let Start::Alone { declares } = opening.start else {
        madsim::task::spawn(stand(node.clone(), Arc::clone(&opening.standing)));
        // Its database opens when the others let it read.
        let database = loop {
            match Database::open(node.clone(), DATABASE, Limits::default()).await {
                Ok(database) => break database,
                Err(error) => trace::event("house", &format!("the database does not open yet: {error}"), &[]),
            }
            sleep(RETRY).await;
        };
        return Ok(Opened { database, declared: true, token, stopped });
    };
    let database = Database::open(node, DATABASE, Limits::default()).await;
    let database = database.map_err(|error| format!("the database does not open: {error}"))?;
    let read = |error| format!("the schema is not read: {error}");
    let (_, mut version) = database.schema().await.map_err(read)?;
    if declares && version == 0 {
        declare(&database, knobs.workload).await?;
        (_, version) = database.schema().await.map_err(read)?;
    }
    Ok(Opened { database, declared: version > 0, token, stopped })
}

/// Makes the folder a node of a cluster, if it is to become one. The token of a new cluster.
async fn take_part(opening: &Opening, runtime: &Runtime) -> Result<Option<Token>, String> {
    match &opening.start {
        Start::Founder { .. } => {
            let token = vivarium_consensus::initialise(&opening.dir, runtime);
            token.map(Some).map_err(|error| format!("no cluster begins: {error}"))
        }
        Start::Newcomer { address, token, members } => {
            let options = ClusterOptions::new(address.clone());
            for member in members.iter().cycle() {
                let deadline = now() + JOIN_TIME_MAX;
                match vivarium_consensus::join(&opening.dir, &options, token, member, runtime, deadline).await {
                    Ok(_) => break,
                    Err(error) => trace::event("house", &format!("{member} does not let it join yet: {error}"), &[]),
                }
                sleep(ASK_AGAIN).await;
            }
            Ok(None)
        }
        Start::Alone { .. } | Start::Member { .. } => Ok(None),
    }
}

/// Says how the node stands, again and again.
async fn stand(node: Node, standing: Standing) {
    loop {
        let status = node.status();
        let role = match status.role {
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::Candidate => "candidate",
        };
        record::standing(status.node, (role, status.term), status.leader, &status.voters);
        *standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        sleep(STANDING_TIME).await;
    }
}

async fn declare(database: &Database, workload: Workload) -> Result<(), String> {
    let applied = database.apply_schema(workload.schema(), ApplyOptions::default()).await;
    applied.map(|_| ()).map_err(|error| format!("the schema is not applied: {error:?}"))
}

/// A change of the schema: its number, and what comes or goes.
type Declaration = (u64, Vec<Feature>);

/// Makes a declaration, if it was not made before: the version since which it holds, or why it does not.
async fn revise(database: &Database, (number, toggles): Declaration) -> Result<u64, (&'static str, String)> {
    let unknown = |error: String| ("UNAVAILABLE", error);
    let (sdl, version) = database.schema().await.map_err(|error| unknown(error.to_string()))?;
    let current = Revision::parse(&sdl).ok_or_else(|| unknown(format!("this is no schema of ours: {sdl}")))?;
    let next = if current.number == number { current } else { current.toggled(number, &toggles) };
    let options = ApplyOptions { force: true, expected_version: Some(version), ..ApplyOptions::default() };
    match database.apply_schema(&next.sdl(), options).await {
        Ok(_) => {}
        Err(Error::Refused(reason)) => return Err(("SCHEMA_REFUSED", reason)),
        Err(error) => return Err(unknown(format!("{error:?}"))),
    }
    let begun = database.node().begin(Consistency::Strong, now() + ANSWER_TIME_MAX).await;
    let mut transaction = begun.map_err(|error| unknown(error.to_string()))?;
    transaction.read_only();
    Ok(transaction.catalog_version(database.id()).0)
}

impl Door {
    /// Does what a client does, as strongly as can be. `None` when no answer came.
    pub async fn act(&self, action: &Action, key: Option<&str>) -> Option<Result<Reply, String>> {
        self.act_as_asked(action, key, Asked::default()).await
    }

    /// Does what a client does that may ask for less than the newest. `None` when no answer came.
    pub async fn act_as_asked(
        &self,
        action: &Action,
        key: Option<&str>,
        asked: Asked,
    ) -> Option<Result<Reply, String>> {
        match action.declares() {
            Some(declaration) => self.ask(|answer| Ask::Revise(declaration, answer)).await.map(Ok),
            None => self.execute(request(action, key, asked)).await,
        }
    }

    /// The schema that is declared. `None` when no answer came.
    pub async fn schema(&self) -> Option<Result<String, String>> {
        self.ask(Ask::Schema).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(ask(answer)).ok()?;
        timeout(ANSWER_TIME_MAX, answered).await.ok()?.ok()
    }

    /// Asks again while the node is opened again, as whoever reads is told to: it is, when what is read turns out damaged.
    async fn ask_settled<T>(
        &self,
        ask: impl Fn(oneshot::Sender<Result<T, String>>) -> Ask,
    ) -> Option<Result<T, String>> {
        let reopened = vivarium_consensus::Error::Reopened.to_string();
        let since = Instant::now();
        loop {
            match self.ask(&ask).await? {
                Err(error) if error == reopened && since.elapsed() < ANSWER_TIME_MAX => sleep(RETRY).await,
                answer => return Some(answer),
            }
        }
    }

    /// Runs a request. `None` when no answer came.
    pub async fn execute(&self, request: Request) -> Option<Result<Reply, String>> {
        let response = self.ask(|answer| Ask::Execute(Box::new(request), answer)).await?;
        Some(Reply::parse(&response.body, response.version.map(|version| version.0)))
    }

    /// Compares indexes and documents. `None` when no answer came.
    pub async fn verify(&self) -> Option<Result<VerifyReport, String>> {
        self.ask_settled(Ask::Verify).await
    }

    /// Declares the schema. `None` when no answer came.
    pub async fn declare(&self) -> Option<Result<(), String>> {
        self.ask(Ask::Declare).await
    }

    /// All cells of the store. `None` when no answer came.
    pub async fn dump(&self) -> Option<Result<Dump, String>> {
        self.ask_settled(Ask::Dump).await
    }

    /// How many snapshots of the store somebody holds. `None` when no answer came.
    pub async fn snapshots(&self) -> Option<Result<usize, String>> {
        self.ask(Ask::Snapshots).await
    }

    /// What waits in the node. `None` when no answer came.
    pub async fn queues(&self) -> Option<Result<Queues, String>> {
        self.ask(Ask::Queues).await
    }

    /// How many indexes are not built yet. `None` when no answer came.
    pub async fn unready(&self) -> Option<Result<usize, String>> {
        self.ask(Ask::Unready).await
    }

    /// Closes the node in good order. `None` when no answer came.
    pub async fn close(&self) -> Option<Result<(), String>> {
        self.ask(Ask::Close).await
    }

    /// Asks that a node be removed from the cluster.
    pub async fn remove(&self, number: u64) -> Told {
        self.ask(|answer| Ask::Remove(number, answer)).await.unwrap_or(Told::Nothing)
    }

    /// Asks for another leader.
    pub async fn transfer(&self, to: Option<u64>) -> Told {
        self.ask(|answer| Ask::Transfer(to, answer)).await.unwrap_or(Told::Nothing)
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
