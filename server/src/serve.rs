//! The life of a server: take the address, open the folder, serve, drain, close.
//!
//! Invariant: whatever ends it, nothing acknowledged is lost; the exit code says why it ended.

use crate::admin;
use crate::cli::{Exit, Failure, caret, output};
use crate::config::Settings;
use crate::http::{self, BindError, Front, FrontOptions};
use crate::metrics::Metrics;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use vivarium_consensus::Node;
use vivarium_schema::Database;
use vivarium_schema::database::{self, ApplyOptions};
use vivarium_storage::DatabaseId;

/// Stage 1 serves one database.
pub const DATABASE: DatabaseId = DatabaseId(1);

/// How often `--dev` looks at its schema file: as fast as a person expects.
const WATCH_EVERY: Duration = Duration::from_millis(300);

/// A second signal means now: the shell's code for an interrupted program.
const EXIT_AT_ONCE: i32 = 130;

/// Something to do once the server answers, before it is announced: `demo` fills its shop.
pub type Prelude = Box<dyn FnOnce(SocketAddr) -> Result<(), Failure> + Send>;

/// Serves until a signal comes or the node stops.
///
/// # Errors
/// The address, the folder or the schema file; or why the node stopped.
pub fn run(settings: Settings, schema: Option<SchemaFile>, prelude: Option<Prelude>) -> Result<(), Failure> {
    crate::logging::install(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::File, format!("Cannot start threads: {error}.")))?;
    let ended = runtime.block_on(serve(settings, schema, prelude));
    // What is left are detached reads; nobody waits for them.
    runtime.shutdown_background();
    ended
}

/// A schema to apply before serving: a file's or one that is built in.
pub struct SchemaFile {
    /// Its name, for messages.
    pub name: String,
    /// Its text.
    pub sdl: String,
    /// Applied only to a database without a schema: later changes of it are the user's.
    pub only_first: bool,
}

impl SchemaFile {
    /// Reads a file.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read(path: &Path) -> Result<SchemaFile, Failure> {
        let sdl = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
        Ok(SchemaFile { name: path.display().to_string(), sdl, only_first: false })
    }
}

/// Why serving ends.
#[derive(Clone, Debug)]
enum Stop {
    Signal(&'static str),
    Node(String),
}

async fn serve(settings: Settings, schema: Option<SchemaFile>, prelude: Option<Prelude>) -> Result<(), Failure> {
    let listener = listen(settings.listen).await?;
    let address = listener.local_addr().map_err(|error| Failure::new(Exit::Address, error.to_string()))?;
    let database = open(&settings).await?;
    let node = database.node().clone();
    let ended = serve_database(&settings, schema, prelude, (listener, address), database).await;
    // Also after a failure: what is closed in order opens without replaying.
    let closed = node.close().await;
    ended?;
    closed.map_err(|error| Failure::new(Exit::Stopped, format!("The node did not close in order: {error}.")))
}

async fn serve_database(
    settings: &Settings,
    schema: Option<SchemaFile>,
    prelude: Option<Prelude>,
    (listener, address): (TcpListener, SocketAddr),
    database: Database,
) -> Result<(), Failure> {
    if let Some(schema) = &schema {
        apply(&database, schema).await?;
    }
    let options = FrontOptions {
        http: settings.http.clone(),
        operation_max: Duration::from_millis(settings.limits.timeout_ms),
        process: (database.node().runtime().random() >> 32) as u32,
    };
    let front = Front::new(database.clone(), admin::schema(database.clone()), Arc::new(Metrics::default()), options);
    let (stop, stopping) = watch::channel(None);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(supervise(database.node().clone(), Signals::install()?, stop.clone()));
    if let (true, Some(path)) = (settings.dev, settings.schema.clone()) {
        tasks.spawn(watch_schema(path, database.clone()));
    }
    let until = until(stopping.clone(), front.clone());
    let server = tokio::spawn(http::serve(listener, front, until, settings.http.drain_max()));

    let filled = match prelude {
        Some(prelude) => tokio::task::spawn_blocking(move || prelude(address)).await.expect("a prelude does not panic"),
        None => Ok(()),
    };
    // Whoever was filling the shop when the signal came was cut off by it.
    let filled = if stopping.borrow().is_some() { Ok(()) } else { filled };
    match filled {
        Ok(()) => announce(address, settings, &database).await?,
        Err(_) => {
            stop.send_replace(Some(Stop::Signal("a failed start")));
        }
    }
    let served = server.await.expect("the server does not panic");
    served.map_err(|error| Failure::new(Exit::Address, format!("Cannot serve on {address}: {error}.")))?;
    filled?;
    let ended = stopping.borrow().clone();
    match ended {
        Some(Stop::Node(reason)) => Err(Failure::new(
            Exit::Stopped,
            format!("The node stopped by itself, and nothing acknowledged is lost: {reason}"),
        )),
        _ => Ok(()),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    http::bind(address).await.map_err(|BindError { in_use, source }| {
        let message = if in_use {
            format!(
                "Port {} on {} is in use. Stop the program that listens there, or choose another port with --listen {}:0, \
                 which takes any free one.",
                address.port(),
                address.ip(),
                address.ip()
            )
        } else {
            format!("Cannot listen on {address}: {source}.")
        };
        Failure::new(Exit::Address, message)
    })
}

async fn open(settings: &Settings) -> Result<Database, Failure> {
    let node = Node::open(settings.node()).await.map_err(|error| folder_failure(&settings.data, &error))?;
    tracing::info!(data = %settings.data.display(), version = node.status().version.0, "data folder open");
    match Database::open(node.clone(), DATABASE, settings.limits.clone()).await {
        Ok(database) => Ok(database),
        Err(error) => {
            // The failure that matters is the first one.
            let _ = node.close().await;
            Err(database_failure(&settings.data, &error))
        }
    }
}

/// What a person should do about a folder whose database does not open.
pub fn database_failure(dir: &Path, error: &database::Error) -> Failure {
    match error {
        database::Error::Consensus(below) => folder_failure(dir, below),
        other => Failure::new(Exit::Folder, format!("The database in {} cannot be opened: {other}.", dir.display())),
    }
}

/// What a person should do about a folder that does not open.
pub fn folder_failure(dir: &Path, error: &vivarium_consensus::Error) -> Failure {
    use vivarium_storage::Error as Storage;
    let dir = dir.display();
    let message = match error {
        vivarium_consensus::Error::Storage(Storage::Locked { .. }) => format!(
            "The data folder {dir} is in use by another process. Stop that one, or choose another folder with --data."
        ),
        vivarium_consensus::Error::Storage(Storage::Foreign { detail, .. }) => format!(
            "The folder {dir} is not a data folder of this release: {detail}. Nothing was changed. Choose another folder \
             with --data."
        ),
        vivarium_consensus::Error::Storage(error @ Storage::Corrupt { .. }) => format!(
            "The data folder {dir} is damaged: {error}. Nothing was changed. Keep a copy of the folder, look at the disk, \
             and restore a backup."
        ),
        other => format!("The data folder {dir} cannot be opened: {other}."),
    };
    Failure::new(Exit::Folder, message)
}

/// Applies a schema before serving. One that is there already changes nothing.
async fn apply(database: &Database, schema: &SchemaFile) -> Result<(), Failure> {
    if schema.only_first {
        let (_, version) = database.schema().await.map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
        if version > 0 {
            return Ok(());
        }
    }
    match database.apply_schema(&schema.sdl, ApplyOptions::default()).await {
        Ok(applied) => {
            if !applied.changes.is_empty() {
                tracing::info!(schema = schema.name, version = applied.version, "schema applied");
            }
            Ok(())
        }
        Err(database::Error::Schema(errors)) => {
            let places: Vec<_> = errors.iter().map(caret::Place::from).collect();
            Err(Failure::new(Exit::Refused, caret::render(&schema.name, &schema.sdl, &places)))
        }
        Err(database::Error::Refused(reason)) => Err(Failure::new(
            Exit::Refused,
            format!(
                "{}: {reason}\nStart without --schema and make the change with `vivarium schema apply --force` if you \
                 mean it.",
                schema.name
            ),
        )),
        Err(error) => Err(Failure::new(Exit::Refused, format!("{}: {error}.", schema.name))),
    }
}

/// Says where the server is, on standard output for scripts, and what to do with an empty one.
async fn announce(address: SocketAddr, settings: &Settings, database: &Database) -> Result<(), Failure> {
    output::data(&format!("Vivarium {} listening on http://{address}", env!("CARGO_PKG_VERSION")))?;
    tracing::info!(%address, data = %settings.data.display(), dev = settings.dev, "serving");
    if let Ok((_, 0)) = database.schema().await {
        output::say(&format!(
            "This database is empty. Declare its first collection in a file, schema.graphql:\n\n    \
             type Artist @collection {{\n      id: ID!\n      name: String! @unique\n    }}\n\nand apply it:\n\n    \
             vivarium schema apply --url http://{address} schema.graphql\n\nor open http://{address} in a browser."
        ));
    }
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> Result<Signals, Failure> {
        let take =
            |kind| signal(kind).map_err(|error| Failure::new(Exit::File, format!("Cannot take signals: {error}.")));
        Ok(Signals { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits for a reason to stop, and after it for a second signal, which ends the process at once.
async fn supervise(node: Node, mut signals: Signals, stop: watch::Sender<Option<Stop>>) {
    let reason = tokio::select! {
        name = signals.next() => Stop::Signal(name),
        reason = node.stopped() => Stop::Node(reason),
    };
    match &reason {
        Stop::Signal(name) => tracing::info!(signal = name, "stopping: finishing requests under way"),
        Stop::Node(reason) => tracing::error!(reason, "the node stopped by itself"),
    }
    stop.send_replace(Some(reason));
    let name = signals.next().await;
    tracing::warn!(signal = name, "stopping at once");
    std::process::exit(EXIT_AT_ONCE);
}

async fn until(mut stopping: watch::Receiver<Option<Stop>>, front: Front) {
    // A sender that is gone also means that nobody can ask for more.
    let _ = stopping.wait_for(Option::is_some).await;
    front.stop();
}

/// Applies the schema file again whenever it changes. A wrong file is told and the old schema stays.
async fn watch_schema(path: PathBuf, database: Database) {
    let modified = |path: &Path| -> Option<SystemTime> { std::fs::metadata(path).ok()?.modified().ok() };
    let mut seen = modified(&path);
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let now = modified(&path);
        if now == seen || now.is_none() {
            continue;
        }
        seen = now;
        let applied = match SchemaFile::read(&path) {
            Ok(schema) => apply(&database, &schema).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = applied {
            output::say(&failure.message);
        }
    }
}
