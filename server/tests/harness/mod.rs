//! Starts the real binary, speaks to it over real sockets, and ends it in every way that a process can end.
//!
//! Waits are for conditions: a line on standard output, the end of a process, the end of an answer.

#![allow(dead_code, clippy::unwrap_used, reason = "every test file uses a part of it, and a test may panic")]

pub mod certificates;
pub mod cluster;
pub mod disk;
pub mod network;

use network::Way;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

const BINARY: &str = env!("CARGO_BIN_EXE_vivarium");

/// The schema that most tests use.
pub const NOTES: &str = r#"
type Note @collection {
  id: ID!
  number: Int! @unique
  text: String!
  pair: Int @index
  writer: Writer @relation(inverse: "notes")
  tags: [Tag!]! @relation(inverse: "notes")
  price: Decimal
  parent: Note @relation
}
type Writer @collection { id: ID! name: String! @unique notes: [Note!]! @relation(inverse: "writer") }
type Tag @collection { id: ID! slug: String! @unique notes: [Note!]! @relation(inverse: "tags") }
"#;

/// The binary under test.
pub fn vivarium() -> Command {
    without_settings(Command::new(BINARY))
}

/// A command that sees nothing of the settings that a developer may have.
fn without_settings(mut command: Command) -> Command {
    for name in [
        "DATA",
        "LISTEN",
        "SCHEMA",
        "CONFIG",
        "DEV",
        "LOG",
        "LOG_FILTER",
        "URL",
        "CLUSTER_LISTEN",
        "ADVERTISE",
        "TOKEN",
    ] {
        command.env_remove(format!("VIVARIUM_{name}"));
    }
    command
}

/// Runs a command of the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    vivarium().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must succeed, and returns its standard output.
pub fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {words}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must end with this code, and returns its standard error.
pub fn fail(code: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {words}");
    assert!(!words.contains("panicked"), "{words}");
    words
}

/// A folder of a test, and what lies in it.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }
    /// A server with the notes' schema, on this place's data folder.
    pub fn serve(&self) -> Server {
        let schema = self.write("schema.graphql", NOTES);
        Server::start(&["--data", &self.text("data"), "--schema", &schema])
    }
}

/// A server that runs.
pub struct Server {
    child: Child,
    pub url: String,
    pub way: Way,
    stderr: Mutex<Receiver<String>>,
}

impl Server {
    /// Starts `serve` on a free port and waits until it listens.
    pub fn start(arguments: &[&str]) -> Server {
        Server::try_start("serve", arguments).unwrap_or_else(|(status, words)| panic!("{status}: {words}"))
    }

    /// Starts a command that serves; what it said when it ended instead.
    pub fn try_start(command: &str, arguments: &[&str]) -> Result<Server, (ExitStatus, String)> {
        let mut program = vivarium();
        program.arg(command).args(arguments);
        Server::launch(program, None)
    }

    /// Starts what serves, in a network namespace if one is named.
    pub fn launch(mut program: Command, namespace: Option<&str>) -> Result<Server, (ExitStatus, String)> {
        let mut child = program
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = BufReader::new(child.stderr.take().unwrap());
        let (sender, stderr) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while words.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let Some(url) = said.trim().rsplit(' ').next().filter(|url| url.starts_with("http://")) else {
            let status = child.wait().unwrap();
            return Err((status, stderr.iter().collect()));
        };
        let way = Way::new(url.trim_start_matches("http://"), namespace);
        Ok(Server { child, url: url.to_owned(), way, stderr: Mutex::new(stderr) })
    }

    /// SIGKILL: what a power cut is to a process. What it had said until then.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.stderr.lock().unwrap().iter().collect()
    }

    /// True when the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGTERM, and the end that must follow.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.end()
    }

    /// Waits for the process to end.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.stderr.lock().unwrap().iter().collect())
    }

    /// Waits for a server that stops by itself, and asks one that does not to stop.
    pub fn end_within_reason(self) -> (ExitStatus, String) {
        // A node that has stopped is not ready; a server that has ended answers nothing.
        let stopped = self.send(&request("GET", "/health/ready", &[], b"")).is_ok_and(|reply| reply.status == 200);
        if stopped {
            self.signal("TERM");
        }
        self.end()
    }

    /// Waits until the server says a line with this text on standard error.
    pub fn hear(&self, text: &str) -> String {
        loop {
            let line = self
                .stderr
                .lock()
                .unwrap()
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("the server never said {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = self.way.connect().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request as it stands, and reads the answer to its end.
    pub fn send(&self, request: &[u8]) -> std::io::Result<Reply> {
        let mut stream = self.way.connect()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request);
        Reply::read(stream)
    }

    /// A request with a `Host` of ours.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(&request(method, path, headers, body)).unwrap()
    }

    /// A query or mutation, and the whole answer.
    pub fn ask(&self, query: &str, variables: Value) -> Value {
        self.try_ask(query, variables).unwrap()
    }

    pub fn try_ask(&self, query: &str, variables: Value) -> std::io::Result<Value> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let headers = [("content-type", "application/json")];
        let reply = self.send(&request("POST", "/graphql", &headers, body.as_bytes()))?;
        serde_json::from_slice(&reply.body).map_err(std::io::Error::other)
    }

    /// A query or mutation that must have no errors: its data.
    pub fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(query, variables);
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].take()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Reply {
    fn read(mut stream: TcpStream) -> std::io::Result<Reply> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.ok_or_else(|| std::io::Error::other("no answer"))?;
        let head = String::from_utf8(bytes[..end].to_vec()).map_err(std::io::Error::other)?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        let whole = bytes.len() - end - 4;
        let reply = Reply { status, head, body: bytes.split_off(end + 4) };
        match reply.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) if length != whole && whole != 0 => Err(std::io::Error::other("the answer is cut short")),
            _ => Ok(reply),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of the first error.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Waits without a condition: what a client thinks, or how long a trouble lasts.
#[expect(clippy::disallowed_methods, reason = "the time is what is wanted")]
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Says that a test proves nothing on this machine, also when it is not asked for its output.
pub fn skip(reason: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes()).unwrap();
}

/// All files below a folder.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
