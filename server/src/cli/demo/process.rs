//! One node of the demo's cluster as a process of its own: started, listened to, stopped.
//!
//! It stops when its standard input ends, so that none is left behind, however this process goes.

use crate::cli::{Exit, Failure, output};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

/// Elections and changes of the cluster are worth a look; that a killed node cannot be reached is not.
const LOG_FILTER: &str = "warn,vivarium_consensus::driver=info,vivarium_consensus::transport=error";

/// What a command that fails begins its last words with.
const FAILURE: &str = "error:";

/// Where a node of the demo is.
#[derive(Clone)]
pub struct Place {
    /// Its place among the nodes, from 1.
    pub number: u16,
    /// Its data folder.
    pub data: PathBuf,
    /// Where it answers clients.
    pub listen: SocketAddr,
    /// Where it listens for other nodes.
    pub cluster_listen: SocketAddr,
}

/// A node that runs.
pub struct Process {
    /// Where it is.
    pub place: Place,
    /// Its process id.
    pub id: u32,
    /// Dropped, it tells the node to stop.
    input: Option<ChildStdin>,
    /// Set when it was told to: from then on its words are kept from the person.
    stopping: Arc<AtomicBool>,
}

/// What the demo waits for.
pub enum Event {
    /// The process of this node ended, as the text says.
    Ended(u16, String),
    /// A signal came.
    Signal,
}

impl Place {
    /// What a person types to start the node.
    pub fn arguments(&self) -> Vec<String> {
        let Place { data, listen, cluster_listen, .. } = self;
        vec![
            "serve".to_owned(),
            "--data".to_owned(),
            data.display().to_string(),
            "--listen".to_owned(),
            listen.to_string(),
            "--cluster-listen".to_owned(),
            cluster_listen.to_string(),
        ]
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }
}

impl Process {
    /// Starts a node and waits until it listens. Its words are shown with its number before them; its end is told to
    /// `events`.
    ///
    /// # Errors
    /// With the exit code of a process that ended instead.
    pub fn start(place: Place, events: Sender<Event>) -> Result<Process, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::File, format!("Cannot start a node: {error}."));
        let program = std::env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(place.arguments())
            .args(["--until-input-ends", "--log-filter", LOG_FILTER])
            // What this process was told is meant for one node, not for each.
            .env_remove("VIVARIUM_ADVERTISE")
            .env_remove("VIVARIUM_CLUSTER_AUTHORITY")
            .env_remove("VIVARIUM_CLUSTER_CERTIFICATE")
            .env_remove("VIVARIUM_CLUSTER_KEY")
            .env_remove("VIVARIUM_CONFIG")
            .env_remove("VIVARIUM_DEV")
            // The terminal's Ctrl-C is for this process, which then stops its nodes in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (id, input) = (child.id(), child.stdin.take());
        let number = place.number;
        let words = child.stderr.take().expect("it was asked for");
        let stopping = Arc::new(AtomicBool::new(false));
        let quiet = stopping.clone();
        let telling = std::thread::spawn(move || tell(number, words, &quiet));
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("it was asked for"));
        out.read_line(&mut said).map_err(failed)?;
        if said.is_empty() {
            let status = child.wait().map_err(failed)?;
            // So that its reason stands before ours. A thread that panicked has nothing more to say.
            let _ = telling.join();
            let exit = match status.code() {
                Some(2) => Exit::Usage,
                Some(6) => Exit::Address,
                _ => Exit::Folder,
            };
            return Err(Failure::new(exit, format!("Node {number} did not start; its own words are above.")));
        }
        std::thread::spawn(move || {
            // It says nothing more there; reading keeps the pipe open.
            let _ = out.read_to_end(&mut Vec::new());
            let ended = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
            // Nobody listens any more when the demo ended first.
            let _ = events.send(Event::Ended(number, ended));
        });
        Ok(Process { place, id, input, stopping })
    }

    /// Tells the node to stop.
    pub fn stop(&mut self) {
        // Nodes that stop together miss each other, and say so.
        self.stopping.store(true, Ordering::Relaxed);
        self.input = None;
    }
}

fn tell(number: u16, words: impl Read, stopping: &AtomicBool) {
    for line in BufReader::new(words).lines() {
        let Ok(line) = line else { return };
        if !stopping.load(Ordering::Relaxed) || line.starts_with(FAILURE) {
            output::say(&format!("[{number}] {line}"));
        }
    }
}
