//! The life of a server: take the address, open the folder, serve, drain, close.
//!
//! Invariant: whatever ends it, nothing acknowledged is lost; the exit code says why it ended.

use crate::admin;
use crate::cli::{Exit, Failure, output};
use crate::config::Settings;
use crate::ends::Ends;
use crate::hosted::Hosted;
use crate::http::{self, BindError, Front, FrontOptions};
use crate::metrics::Metrics;
use crate::schema_file::{self, Hold, SchemaFile};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use vivarium_consensus::Node;
use vivarium_schema::Database;
use vivarium_schema::database;
use vivarium_storage::DatabaseId;

/// Stage 1 serves one database.
pub const DATABASE: DatabaseId = DatabaseId(1);

/// Between two tries to open the database while its cluster has no leader: a part of an election's time.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// How often a person is told that it still waits.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A second signal means now: the shell's code for an interrupted program.
pub const EXIT_AT_ONCE: i32 = 130;

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

/// Why serving ends.
#[derive(Clone, Debug)]
enum Stop {
    Signal(&'static str),
    Node(String),
}

async fn serve(settings: Settings, schema: Option<SchemaFile>, prelude: Option<Prelude>) -> Result<(), Failure> {
    let listener = listen(settings.listen).await?;
    let address = listener.local_addr().map_err(|error| Failure::new(Exit::Address, error.to_string()))?;
    let node = open(&settings).await?;
    let ended = serve_node(&settings, schema, prelude, (listener, address), Hosted::new(node.clone())).await;
    // Also after a failure: what is closed in order opens without replaying.
    let closed = node.close().await;
    ended?;
    closed.map_err(|error| Failure::new(Exit::Stopped, format!("The node did not close in order: {error}.")))
}

async fn serve_node(
    settings: &Settings,
    schema: Option<SchemaFile>,
    prelude: Option<Prelude>,
    (listener, address): (TcpListener, SocketAddr),
    hosted: Hosted,
) -> Result<(), Failure> {
    let options = FrontOptions {
        http: settings.http.clone(),
        operation_max: Duration::from_millis(settings.limits.timeout_ms),
        process: (hosted.node().runtime().random() >> 32) as u32,
    };
    let metrics = Arc::new(Metrics::default());
    let admin = admin::schema(hosted.clone(), Arc::clone(&metrics.operations));
    let front = Front::new(hosted.clone(), admin, metrics, options);
    let (stop, stopping) = watch::channel(None);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(supervise(hosted.node().clone(), Ends::install(settings.until_input_ends)?, stop.clone()));
    let until = until(stopping.clone(), front.clone());
    let server = tokio::spawn(http::serve(listener, front, until, settings.http.drain_max()));

    // A node of a cluster answers from here on, be it that it waits for the others. One alone first does what it can
    // fail with.
    if settings.cluster.is_some() {
        announce(address, settings)?;
    }
    let mut stopped = stopping.clone();
    let text = schema.as_ref().map(|schema| schema.sdl.clone());
    let started = tokio::select! {
        started = start(settings, schema, prelude, address, &hosted) => started,
        _ = stopped.wait_for(Option::is_some) => Ok(()),
    };
    // What could not be done because the node stopped is not what failed.
    if started.is_err() && hosted.node().status().stopped.is_some() {
        // Its supervisor hears of it too, and never goes before it has said so.
        let _ = stopped.wait_for(Option::is_some).await;
    }
    // Whoever was filling the shop when the signal came was cut off by it.
    let started = if stopping.borrow().is_some() { Ok(()) } else { started };
    match (&started, hosted.database()) {
        (Ok(()), Some(database)) => {
            if let (true, Some(path), Some(text)) = (settings.dev, settings.schema.clone(), text) {
                tasks.spawn(schema_file::watch(path, text, database.clone()));
            }
            if settings.cluster.is_none() {
                announce(address, settings)?;
            }
            // A program that starts servers needs no advice.
            if !settings.until_input_ends {
                explain_empty(address, database).await;
            }
        }
        (Ok(()), None) => {}
        (Err(_), _) => {
            stop.send_replace(Some(Stop::Signal("a failed start")));
        }
    }
    let served = server.await.expect("the server does not panic");
    served.map_err(|error| Failure::new(Exit::Address, format!("Cannot serve on {address}: {error}.")))?;
    started?;
    let ended = stopping.borrow().clone();
    match ended {
        Some(Stop::Node(reason)) => Err(Failure::new(
            Exit::Stopped,
            format!("The node stopped by itself, and nothing acknowledged is lost: {reason}"),
        )),
        _ => Ok(()),
    }
}

/// Opens the database, applies the schema and runs the prelude: what has to be done before the server is of use.
async fn start(
    settings: &Settings,
    schema: Option<SchemaFile>,
    prelude: Option<Prelude>,
    address: SocketAddr,
    hosted: &Hosted,
) -> Result<(), Failure> {
    let began = Instant::now();
    let mut told = None::<Instant>;
    loop {
        match open_database(settings, schema.as_ref(), hosted).await {
            Ok(()) => break,
            Err(Hold::Fail(failure)) => return Err(failure),
            Err(Hold::Wait(error)) => {
                if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                    told = Some(Instant::now());
                    let reason = hosted.hindrance().unwrap_or_else(|| error.to_string());
                    tracing::warn!(reason, waited_s = began.elapsed().as_secs(), "waiting for the cluster");
                }
                tokio::time::sleep(TRY_EVERY).await;
            }
        }
    }
    if told.is_some() || settings.cluster.is_some() {
        let status = hosted.node().status();
        tracing::info!(node = status.node, leader = status.leader, "caught up with the cluster");
    }
    match prelude {
        Some(prelude) => tokio::task::spawn_blocking(move || prelude(address)).await.expect("a prelude does not panic"),
        None => Ok(()),
    }
}

async fn open_database(settings: &Settings, schema: Option<&SchemaFile>, hosted: &Hosted) -> Result<(), Hold> {
    let opened = Database::open(hosted.node().clone(), DATABASE, settings.limits.clone()).await;
    let database = opened.map_err(|error| Hold::of(error, |error| database_failure(&settings.data, error)))?;
    if let Some(schema) = schema {
        schema.apply(&database).await?;
    }
    hosted.open(database);
    Ok(())
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

async fn open(settings: &Settings) -> Result<Node, Failure> {
    let node = Node::open(settings.node()).await.map_err(|error| folder_failure(&settings.data, &error))?;
    let status = node.status();
    if settings.cluster.is_none() && status.voters != [status.node] {
        // The failure that matters is this one.
        let _ = node.close().await;
        let message = format!(
            "The data folder {} holds node {} of a cluster of several nodes. Say with --cluster-listen HOST:PORT where \
             it listens for the others.",
            settings.data.display(),
            status.node
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    tracing::info!(data = %settings.data.display(), node = status.node, version = status.version.0, "data folder open");
    if settings.cluster.is_none() && node.token().is_ok_and(|token| token.is_some()) {
        tracing::warn!("other nodes cannot join: no --cluster-listen says where this one listens for them");
    }
    Ok(node)
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
        vivarium_consensus::Error::Listen { address, reason } => {
            let message = format!(
                "Cannot listen on {address} for other nodes: {reason}. Stop the program that listens there, or choose \
                 another address with --cluster-listen."
            );
            return Failure::new(Exit::Address, message);
        }
        other => format!("The data folder {dir} cannot be opened: {other}."),
    };
    Failure::new(Exit::Folder, message)
}

/// Says where the server is, on standard output for scripts.
fn announce(address: SocketAddr, settings: &Settings) -> Result<(), Failure> {
    output::data(&format!("Vivarium {} listening on http://{address}", env!("CARGO_PKG_VERSION")))?;
    tracing::info!(%address, data = %settings.data.display(), dev = settings.dev, "serving");
    Ok(())
}

/// Says what to do with an empty database.
async fn explain_empty(address: SocketAddr, database: &Database) {
    if let Ok((_, 0)) = database.schema().await {
        output::say(&format!(
            "This database is empty. Declare its first collection in a file, schema.graphql:\n\n    \
             type Artist @collection {{\n      id: ID!\n      name: String! @unique\n    }}\n\nand apply it:\n\n    \
             vivarium schema apply --url http://{address} schema.graphql\n\nor open http://{address} in a browser."
        ));
    }
}

/// Waits for a reason to stop, and after it for a second signal, which ends the process at once.
async fn supervise(node: Node, mut ends: Ends, stop: watch::Sender<Option<Stop>>) {
    let reason = tokio::select! {
        name = ends.next() => Stop::Signal(name),
        reason = node.stopped() => Stop::Node(reason),
    };
    match &reason {
        Stop::Signal(name) => tracing::info!(signal = name, "stopping: finishing requests under way"),
        Stop::Node(reason) => tracing::error!(reason, "the node stopped by itself"),
    }
    stop.send_replace(Some(reason));
    let name = ends.next().await;
    tracing::warn!(signal = name, "stopping at once");
    std::process::exit(EXIT_AT_ONCE);
}

async fn until(mut stopping: watch::Receiver<Option<Stop>>, front: Front) {
    // A sender that is gone also means that nobody can ask for more.
    let _ = stopping.wait_for(Option::is_some).await;
    front.stop();
}
