//! How the server is set up: command line, then environment, then the configuration file, then what is written here.
//!
//! A [`Settings`] that exists is valid.

use crate::cli::{Exit, Failure};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vivarium_consensus::{CHECKPOINT_BYTES_PER_SECOND_MIN, ClusterOptions, NodeOptions, PeerTls};
use vivarium_schema::plan::Limits;
use vivarium_storage::runtime::Runtime;
use vivarium_storage::{StoreOptions, WalOptions};

/// Where `serve` listens when nothing is said.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);

/// What we say ourselves; of the libraries below what a person should act on.
const LOG_FILTER_DEFAULT: &str = "info,fjall=warn,lsm_tree=warn,poem=warn";

/// The files for TLS between nodes: all three, or none.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeerTlsFiles {
    /// TLS between nodes: this node's certificate (PEM), for the host under which the others reach it
    #[arg(long = "cluster-certificate", env = "VIVARIUM_CLUSTER_CERTIFICATE", value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// TLS between nodes: the private key of the certificate (PEM)
    #[arg(long = "cluster-key", env = "VIVARIUM_CLUSTER_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// TLS between nodes: the authorities that sign the certificates of all nodes (PEM)
    #[arg(long = "cluster-authority", env = "VIVARIUM_CLUSTER_AUTHORITY", value_name = "FILE")]
    pub authority: Option<PathBuf>,
}

impl PeerTlsFiles {
    /// These, and those of the file for what is missing.
    fn or(self, file: PeerTlsFiles) -> PeerTlsFiles {
        PeerTlsFiles {
            certificate: self.certificate.or(file.certificate),
            key: self.key.or(file.key),
            authority: self.authority.or(file.authority),
        }
    }

    /// # Errors
    /// One or two of the three, or a file that cannot be read.
    pub fn read(&self) -> Result<Option<PeerTls>, Failure> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| Failure::file("read", path, &error));
        match (&self.certificate, &self.key, &self.authority) {
            (None, None, None) => Ok(None),
            (Some(certificate), Some(key), Some(authority)) => {
                Ok(Some(PeerTls { certificate: read(certificate)?, key: read(key)?, authority: read(authority)? }))
            }
            _ => Err(Failure::new(
                Exit::Usage,
                "TLS between nodes needs three files: --cluster-certificate, --cluster-key and --cluster-authority.",
            )),
        }
    }
}

/// What the command line and the environment say; clap has already put the first before the second.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// The data folder; created when it is not there [default: ./vivarium-data]
    #[arg(long, env = "VIVARIUM_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen; port 0 takes any free one [default: 127.0.0.1:4000]
    #[arg(long, env = "VIVARIUM_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where to listen for other nodes of the cluster, as HOST:PORT; a node alone needs none
    #[arg(long, env = "VIVARIUM_CLUSTER_LISTEN", value_name = "ADDRESS")]
    pub cluster_listen: Option<String>,
    /// Where other nodes reach this one, as HOST:PORT [default: where it listens for them]
    #[arg(long, env = "VIVARIUM_ADVERTISE", value_name = "ADDRESS")]
    pub advertise: Option<String>,
    /// Bytes a second, at most, of whole stores that this node sends to nodes that are far behind [default: 67108864]
    #[arg(long, env = "VIVARIUM_CHECKPOINT_BYTES_PER_SECOND_MAX", value_name = "BYTES")]
    pub checkpoint_bytes_per_second_max: Option<u64>,
    /// How this node's connections with other nodes are kept private
    #[command(flatten)]
    pub peer_tls: PeerTlsFiles,
    /// A schema to apply before serving; a breaking change is refused
    #[arg(long, env = "VIVARIUM_SCHEMA", value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// A configuration file (TOML)
    #[arg(long, env = "VIVARIUM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Development: apply the schema file again whenever it changes
    #[arg(long, env = "VIVARIUM_DEV")]
    pub dev: bool,
    /// How to write the log [default: text]
    #[arg(long, env = "VIVARIUM_LOG", value_name = "FORMAT")]
    pub log: Option<LogFormat>,
    /// What to log, as in "info,vivarium_consensus=debug" [default: info]
    #[arg(long, env = "VIVARIUM_LOG_FILTER", value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// Stop when standard input ends: for a program that starts servers and must not leave them behind
    #[arg(long, hide = true)]
    pub until_input_ends: bool,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the configuration file may hold. An unknown name is an error, so that a typing error is not a silent default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data: Option<PathBuf>,
    listen: Option<String>,
    schema: Option<PathBuf>,
    dev: Option<bool>,
    cluster: ClusterFile,
    log: LogFile,
    http: HttpSettings,
    limits: LimitsFile,
    storage: StorageSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClusterFile {
    listen: Option<String>,
    advertise: Option<String>,
    checkpoint_bytes_per_second_max: Option<u64>,
    tls: PeerTlsFiles,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogFile {
    format: Option<LogFormat>,
    filter: Option<String>,
}

/// How requests are bounded before they reach the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// Bytes of a request's body. 1 MiB holds some thousand records.
    pub body_bytes_max: usize,
    /// Connections held open at once: each costs a file and some buffers.
    pub connections_max: usize,
    /// Requests executed at once; more wait.
    pub requests_max: usize,
    /// Requests that may wait; more are told to come back.
    pub requests_waiting_max: usize,
    /// How long a connection may be silent, in milliseconds.
    pub idle_ms_max: u64,
    /// How long a request may take to arrive in full, in milliseconds.
    pub arrival_ms_max: u64,
    /// How long a stop waits for requests under way, in milliseconds.
    pub drain_ms_max: u64,
    /// Requests slower than this are logged as warnings, in milliseconds.
    pub slow_ms: u64,
    /// Names besides localhost and loopback addresses that a `Host` header may hold.
    pub hosts: Vec<String>,
}

impl Default for HttpSettings {
    fn default() -> HttpSettings {
        HttpSettings {
            body_bytes_max: 1024 * 1024,
            connections_max: 4096,
            requests_max: 512,
            requests_waiting_max: 4096,
            idle_ms_max: 75_000,
            arrival_ms_max: 30_000,
            drain_ms_max: 10_000,
            slow_ms: 1_000,
            hosts: Vec::new(),
        }
    }
}

/// What one request may ask for. Absent: the database's own default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsFile {
    depth_max: Option<usize>,
    aliases_max: Option<usize>,
    root_fields_max: Option<usize>,
    directives_max: Option<usize>,
    tokens_max: Option<usize>,
    page_max: Option<usize>,
    page_default: Option<usize>,
    cost_max: Option<u64>,
    timeout_ms: Option<u64>,
    plans_max: Option<usize>,
    answer_bytes_max: Option<usize>,
    gather_max: Option<usize>,
    refuse_scans: Option<bool>,
}

impl LimitsFile {
    fn onto(self, mut limits: Limits) -> Limits {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut limits.depth_max, self.depth_max);
        set(&mut limits.aliases_max, self.aliases_max);
        set(&mut limits.root_fields_max, self.root_fields_max);
        set(&mut limits.directives_max, self.directives_max);
        set(&mut limits.tokens_max, self.tokens_max);
        set(&mut limits.page_max, self.page_max);
        set(&mut limits.page_default, self.page_default);
        set(&mut limits.cost_max, self.cost_max);
        set(&mut limits.timeout_ms, self.timeout_ms);
        set(&mut limits.plans_max, self.plans_max);
        set(&mut limits.answer_bytes_max, self.answer_bytes_max);
        set(&mut limits.gather_max, self.gather_max);
        set(&mut limits.refuse_scans, self.refuse_scans);
        limits
    }
}

/// What the store and the log take of the machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSettings {
    /// Bytes of documents and blocks kept in memory.
    pub cache_bytes: u64,
    /// Bytes that a memtable may hold before it is flushed.
    pub memtable_bytes: u64,
    /// Threads for flush and compaction.
    pub workers: usize,
    /// Bytes of newest log entries kept in memory.
    pub log_cache_bytes: usize,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// Newest log segments that are kept for nodes that are behind.
    pub log_segments_kept: u32,
}

impl Default for StorageSettings {
    fn default() -> StorageSettings {
        StorageSettings {
            cache_bytes: 256 * 1024 * 1024,
            memtable_bytes: 32 * 1024 * 1024,
            workers: 2,
            log_cache_bytes: 16 * 1024 * 1024,
            segment_bytes: 64 * 1024 * 1024,
            log_segments_kept: 2,
        }
    }
}

impl StorageSettings {
    fn store(&self) -> StoreOptions {
        StoreOptions { workers: self.workers, cache_bytes: self.cache_bytes, memtable_bytes: self.memtable_bytes }
    }

    fn wal(&self) -> WalOptions {
        WalOptions {
            segment_bytes: self.segment_bytes,
            segments_kept: self.log_segments_kept,
            cache_bytes: self.log_cache_bytes,
            queue_bytes_max: LOG_QUEUE_BYTES_MAX,
        }
    }
}

/// Four of the largest commits may wait for the disk before new ones are refused.
const LOG_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How the log is written and what is in it.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// An `EnvFilter`.
    pub filter: String,
}

/// Everything that `serve` needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen: loopback.
    pub listen: SocketAddr,
    /// How the node meets others; `None` for one that stays alone.
    pub cluster: Option<ClusterOptions>,
    /// A schema to apply before serving.
    pub schema: Option<PathBuf>,
    /// Apply the schema file again whenever it changes.
    pub dev: bool,
    /// Stop when standard input ends.
    pub until_input_ends: bool,
    /// The log for people and collectors.
    pub log: LogSettings,
    /// Bounds of requests before they reach the database.
    pub http: HttpSettings,
    /// Bounds of operations.
    pub limits: Limits,
    /// What the store takes.
    pub storage: StorageSettings,
}

impl Settings {
    /// Puts flags before the file before the defaults. `data_default` differs between `serve` and `demo`.
    ///
    /// # Errors
    /// A file that cannot be read or has a wrong entry, an address that is none, or one beyond loopback.
    pub fn resolve(flags: Flags, data_default: &str) -> Result<Settings, Failure> {
        let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let listen = match flags.listen.or(file.listen) {
            None => LISTEN_DEFAULT,
            Some(text) => parse_address(&text)?,
        };
        refuse_beyond_loopback(listen)?;
        let cluster = cluster(
            flags.cluster_listen.or(file.cluster.listen),
            flags.advertise.or(file.cluster.advertise),
            &flags.peer_tls.or(file.cluster.tls),
        )?;
        let pace = flags.checkpoint_bytes_per_second_max.or(file.cluster.checkpoint_bytes_per_second_max);
        let settings = Settings {
            data: flags.data.or(file.data).unwrap_or_else(|| PathBuf::from(data_default)),
            listen,
            cluster: cluster.map(|cluster| paced(cluster, pace)).transpose()?,
            schema: flags.schema.or(file.schema),
            dev: flags.dev || file.dev.unwrap_or(false),
            until_input_ends: flags.until_input_ends,
            log: LogSettings {
                format: flags.log.or(file.log.format).unwrap_or_default(),
                filter: flags.log_filter.or(file.log.filter).unwrap_or_else(|| LOG_FILTER_DEFAULT.to_owned()),
            },
            http: file.http,
            limits: file.limits.onto(Limits::default()),
            storage: file.storage,
        };
        settings.check()?;
        Ok(settings)
    }

    /// How the node is opened.
    pub fn node(&self) -> NodeOptions {
        NodeOptions {
            dir: self.data.clone(),
            store: self.storage.store(),
            wal: self.storage.wal(),
            runtime: Runtime::system(),
            cluster: self.cluster.clone(),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let positive = [
            ("http.body_bytes_max", self.http.body_bytes_max),
            ("http.connections_max", self.http.connections_max),
            ("http.requests_max", self.http.requests_max),
            ("limits.depth_max", self.limits.depth_max),
            ("limits.page_max", self.limits.page_max),
            ("limits.page_default", self.limits.page_default),
            ("limits.plans_max", self.limits.plans_max),
            ("storage.workers", self.storage.workers),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Failure::new(Exit::Usage, format!("The setting {name} is 0. It must be at least 1.")));
        }
        if self.limits.page_default > self.limits.page_max {
            let message = format!(
                "The setting limits.page_default ({}) is larger than limits.page_max ({}).",
                self.limits.page_default, self.limits.page_max
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        if self.dev && self.schema.is_none() {
            let message = "--dev watches a schema file: name it with --schema FILE.";
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(())
    }
}

impl HttpSettings {
    /// How long a connection may be silent.
    pub fn idle_max(&self) -> Duration {
        Duration::from_millis(self.idle_ms_max)
    }
    /// How long a request may take to arrive.
    pub fn arrival_max(&self) -> Duration {
        Duration::from_millis(self.arrival_ms_max)
    }
    /// How long a stop waits.
    pub fn drain_max(&self) -> Duration {
        Duration::from_millis(self.drain_ms_max)
    }
}

impl File {
    fn read(path: &Path) -> Result<File, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
        toml::from_str(&text).map_err(|error| {
            Failure::new(Exit::Usage, format!("The configuration file {} is wrong:\n{error}", path.display()))
        })
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, Failure> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        let message = format!("\"{text}\" is not an address to listen on. Write it as 127.0.0.1:4000 or [::1]:4000.");
        Failure::new(Exit::Usage, message)
    })
}

/// How a node meets others: it must listen for them, and say where they reach it when they cannot tell.
///
/// # Errors
/// An address that is none, or one that nobody else could use; files for TLS that are missing.
pub fn cluster(
    listen: Option<String>,
    advertise: Option<String>,
    tls: &PeerTlsFiles,
) -> Result<Option<ClusterOptions>, Failure> {
    let Some(listen) = listen else {
        return match advertise {
            None => Ok(None),
            Some(_) => Err(Failure::new(
                Exit::Usage,
                "--advertise says where other nodes reach this one: say with --cluster-listen where it listens for them.",
            )),
        };
    };
    check_peer_address(&listen)?;
    match &advertise {
        Some(advertise) => check_peer_address(advertise)?,
        None => {
            let everywhere = listen.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_unspecified());
            if everywhere {
                let message = format!(
                    "Listening on {listen} does not say where other nodes reach this one. Say it with --advertise \
                     HOST:PORT, or in the file as cluster.advertise."
                );
                return Err(Failure::new(Exit::Usage, message));
            }
        }
    }
    Ok(Some(ClusterOptions { advertise, tls: tls.read()?, ..ClusterOptions::new(listen) }))
}

/// With a speed of checkpoints, if one is named.
fn paced(cluster: ClusterOptions, bytes_per_second_max: Option<u64>) -> Result<ClusterOptions, Failure> {
    let bytes = bytes_per_second_max.unwrap_or(cluster.checkpoint_bytes_per_second_max);
    if bytes < CHECKPOINT_BYTES_PER_SECOND_MIN {
        let message = format!(
            "The setting cluster.checkpoint_bytes_per_second_max is {bytes}. It must be at least \
             {CHECKPOINT_BYTES_PER_SECOND_MIN}: a node that fetches a store does not wait for ever for a part of it."
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(ClusterOptions { checkpoint_bytes_per_second_max: bytes, ..cluster })
}

/// A name or a number and a port: who resolves it finds out the rest.
fn check_peer_address(text: &str) -> Result<(), Failure> {
    let parts =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty() && text.chars().all(|c| c.is_ascii_graphic()));
    if parts.is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        return Ok(());
    }
    let message = format!("\"{text}\" is not an address of a node. Write it as HOST:PORT, as in 127.0.0.1:4100.");
    Err(Failure::new(Exit::Usage, message))
}

fn refuse_beyond_loopback(listen: SocketAddr) -> Result<(), Failure> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    let message = format!(
        "Refusing to listen on {listen}: this release has no access keys yet, so everyone who reaches that address could \
         read and change all data. Listen on 127.0.0.1, and reach it from elsewhere through an SSH tunnel or a proxy \
         that authenticates."
    );
    Err(Failure::new(Exit::Usage, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn with_file(text: &str, flags: Flags) -> Result<Settings, Failure> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Settings::resolve(Flags { config: Some(file.path().to_owned()), ..flags }, "./data")
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let settings = with_file(
            "data = \"/from/file\"\nlisten = \"127.0.0.1:1\"\n[limits]\ndepth_max = 3\n[http]\nhosts = [\"db.test\"]",
            Flags { listen: Some("[::1]:2".into()), ..Flags::default() },
        )
        .unwrap();
        assert_eq!(settings.data, PathBuf::from("/from/file"));
        assert_eq!(settings.listen, "[::1]:2".parse().unwrap());
        assert_eq!(settings.limits.depth_max, 3);
        assert_eq!(settings.http.hosts, ["db.test"]);
        assert_eq!(settings.http.body_bytes_max, 1024 * 1024);
    }

    #[test]
    fn a_wrong_entry_is_named_with_its_place() {
        let failure = with_file("[http]\nbody_bytes = 1", Flags::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("line 2"), "{failure}");
        assert!(failure.message.contains("body_bytes_max"), "{failure}");
    }

    #[test]
    fn the_documented_file_holds_every_setting_and_its_default() {
        let page = include_str!("../../docs/configuration.md");
        let text = page.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let documented = with_file(text, Flags::default()).unwrap();
        let plain = Settings::resolve(Flags::default(), "./vivarium-data").unwrap();
        assert_eq!(format!("{documented:?}"), format!("{plain:?}"));
    }

    #[test]
    fn peers_may_be_listened_for_anywhere_but_must_find_the_way() {
        let flags = |listen: &str, advertise: Option<&str>| Flags {
            cluster_listen: Some(listen.into()),
            advertise: advertise.map(str::to_owned),
            ..Flags::default()
        };
        let settings = with_file("[cluster]\nlisten = \"db-1:4100\"", Flags::default()).unwrap();
        assert_eq!(settings.cluster.unwrap(), ClusterOptions::new("db-1:4100"));
        let settings = Settings::resolve(flags("0.0.0.0:4100", Some("db-1:4100")), "./data").unwrap();
        assert_eq!(settings.node().cluster.unwrap().advertise.as_deref(), Some("db-1:4100"));
        assert!(Settings::resolve(flags("127.0.0.1:0", None), "./data").unwrap().cluster.is_some());
        for (listen, advertise) in [("0.0.0.0:4100", None), ("4100", None), (":1", None), ("db-1:4100", Some("db-1"))] {
            let failure = Settings::resolve(flags(listen, advertise), "./data").unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{failure}");
        }
        let half = PeerTlsFiles { key: Some("key.pem".into()), ..PeerTlsFiles::default() };
        let failure = Settings::resolve(Flags { peer_tls: half, ..flags("db-1:4100", None) }, "./data").unwrap_err();
        assert!(failure.message.contains("needs three files"), "{failure}");
        let text = "[cluster]\nlisten = \"db-1:4100\"\n[cluster.tls]\ncertificate = \"/none\"\nkey = \"/none\"\nauthority = \"/none\"";
        let failure = with_file(text, Flags::default()).unwrap_err();
        assert!(failure.exit == Exit::File && failure.message.contains("/none"), "{failure}");
        let alone = Flags { advertise: Some("db-1:4100".into()), ..Flags::default() };
        assert!(Settings::resolve(alone, "./data").unwrap_err().message.contains("--cluster-listen"));
    }

    #[test]
    fn checkpoints_have_a_speed_that_is_not_too_small() {
        let file = |bytes: u64| format!("[cluster]\nlisten = \"db-1:4100\"\ncheckpoint_bytes_per_second_max = {bytes}");
        let pace = |settings: Settings| settings.node().cluster.unwrap().checkpoint_bytes_per_second_max;
        assert_eq!(pace(with_file(&file(5 << 20), Flags::default()).unwrap()), 5 << 20);
        let flags = Flags { checkpoint_bytes_per_second_max: Some(7 << 20), ..Flags::default() };
        assert_eq!(pace(with_file(&file(5 << 20), flags).unwrap()), 7 << 20);
        let failure = with_file(&file(1000), Flags::default()).unwrap_err();
        assert!(failure.exit == Exit::Usage && failure.message.contains("at least 1048576"), "{failure}");
    }

    #[test]
    fn beyond_loopback_is_refused() {
        for listen in ["0.0.0.0:4000", "[::]:4000", "192.0.2.1:4000"] {
            let failure =
                Settings::resolve(Flags { listen: Some(listen.into()), ..Flags::default() }, "./data").unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains("access keys"), "{failure}");
        }
        Settings::resolve(Flags { listen: Some("localhost:0".into()), ..Flags::default() }, "./data").unwrap();
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for text in ["[limits]\npage_default = 2000", "[http]\nrequests_max = 0", "dev = true"] {
            assert_eq!(with_file(text, Flags::default()).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
