//! A cluster of real processes on this machine, and a client of it that goes on with another node when one fails it.

use super::certificates::Authority;
use super::disk::SmallDisk;
use super::network::{Network, Way};
use super::{NOTES, Place, Reply, Server, request, succeed, vivarium};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, ExitStatus, Output};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// A client that hears nothing for so long tries another node. Longer than an election: a node that lost its leader finds
/// the next one by itself.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(8);
/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A port that was free a moment ago.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Waits until `condition` gives something.
#[expect(clippy::disallowed_methods, reason = "a pause between two looks at a condition of other processes")]
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Where the nodes of a cluster run, and what they are told.
pub struct Site {
    /// Small disks that data folders lie on, unmounted before their folders go.
    pub disks: Vec<SmallDisk>,
    pub place: Place,
    pub nodes: usize,
    pub schema: &'static str,
    /// More arguments of `serve`.
    pub arguments: Vec<String>,
    /// A machine for each node; without it they are all on this one.
    pub network: Option<Network>,
    /// Signs a certificate for each node; without it nodes have none.
    pub authority: Option<Authority>,
}

impl Site {
    pub fn new(nodes: usize, schema: &'static str) -> Site {
        Site {
            disks: Vec::new(),
            place: Place::new(),
            nodes,
            schema,
            arguments: Vec::new(),
            network: None,
            authority: None,
        }
    }
}

/// A request and its answer, within `patience`.
pub fn post(
    way: &Way,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
    patience: Duration,
) -> std::io::Result<Reply> {
    let mut stream = way.connect()?;
    stream.set_read_timeout(Some(patience))?;
    let headers = [&[("content-type", "application/json")], headers].concat();
    stream.write_all(&request("POST", path, &headers, body.to_string().as_bytes()))?;
    Reply::read(stream)
}

/// A node in a view of the cluster.
pub fn member(view: &Value, number: usize) -> Option<&Value> {
    let number = number.to_string();
    view["members"].as_array()?.iter().find(|member| member["node"].as_str() == Some(&number))
}

/// Nodes by their numbers, which begin at 1 and have no gaps here.
pub struct Cluster {
    pub token: String,
    // Before the network that they are in.
    nodes: RwLock<Vec<Node>>,
    pub site: Site,
}

struct Node {
    listen: String,
    certificate: Vec<String>,
    server: Option<Server>,
    asleep: bool,
}

impl Cluster {
    /// So many nodes on this machine, all of which vote, with the notes' schema.
    pub fn start(nodes: usize) -> Cluster {
        Cluster::found(Site::new(nodes, NOTES))
    }

    /// Nodes that all vote and are ready.
    pub fn found(site: Site) -> Cluster {
        let (nodes, schema) = (site.nodes, site.schema);
        let mut cluster = Cluster { token: String::new(), nodes: RwLock::default(), site };
        cluster.add(1);
        let output = cluster.command(1).args(["cluster", "init", "--data", &cluster.data(1)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        cluster.token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        cluster.serve(1);
        for number in 2..=nodes {
            assert_eq!(cluster.join(1), number);
            cluster.serve(number);
        }
        let all: BTreeSet<String> = (1..=nodes).map(|number| number.to_string()).collect();
        until("all vote", || (cluster.voters(1) == all).then_some(()));
        cluster.ready(1);
        let query = "mutation ($sdl: String!) { applySchema(sdl: $sdl) { __typename } }";
        let body = json!({ "query": query, "variables": { "sdl": schema } });
        let reply = post(&cluster.way(1).unwrap(), "/admin/graphql", &[], &body, PATIENCE).unwrap();
        assert_eq!(reply.json()["data"]["applySchema"]["__typename"], "AppliedSchema", "{}", reply.text());
        for number in 1..=nodes {
            cluster.ready(number);
        }
        cluster
    }

    /// A place for one more node.
    fn add(&self, number: usize) {
        let listen = self.site.network.as_ref().map_or_else(free_address, |network| network.listen(number));
        let folder = self.site.place.path(&format!("node-{number}"));
        std::fs::create_dir_all(&folder).unwrap();
        let host = listen.rsplit_once(':').expect("an address has a port").0;
        let certificate = self.site.authority.as_ref().map(|authority| authority.sign(host, &folder));
        let certificate = certificate.unwrap_or_default();
        self.nodes.write().unwrap().push(Node { listen, certificate, server: None, asleep: false });
    }

    /// The binary, on a node's machine.
    fn command(&self, number: usize) -> Command {
        self.site.network.as_ref().map_or_else(vivarium, |network| network.command(number))
    }

    /// The way to a node whose process is there, awake or not.
    pub fn way(&self, number: usize) -> Option<Way> {
        let nodes = self.nodes.read().unwrap();
        Some(nodes.get(number - 1)?.server.as_ref()?.way.clone())
    }

    /// Joins one more node through `member`, with a new folder. Its number.
    pub fn join(&self, member: usize) -> usize {
        let number = self.nodes.read().unwrap().len() + 1;
        self.add(number);
        let (data, listen) = (self.data(number), self.listen(number));
        let arguments =
            ["cluster", "join", "--data", &data, "--cluster-listen", &listen, "--member", &self.listen(member)];
        let mut command = self.command(number);
        command.args(arguments).args(self.certificate(number)).env("VIVARIUM_TOKEN", &self.token);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// What `cluster join` says.
    pub fn try_join(&self, folder: &str, listen: &str, member: usize, token: &str) -> Output {
        let folder = self.site.place.text(folder);
        let arguments =
            ["cluster", "join", "--data", &folder, "--cluster-listen", listen, "--member", &self.listen(member)];
        vivarium().args(arguments).env("VIVARIUM_TOKEN", token).output().unwrap()
    }

    /// Starts a node's process.
    pub fn serve(&self, number: usize) {
        self.try_serve(number).unwrap_or_else(|(status, words)| panic!("node {number}: {status}: {words}"));
    }

    /// Starts a node's process; what it said when it ended before it answered.
    pub fn try_serve(&self, number: usize) -> Result<(), (ExitStatus, String)> {
        let mut command = self.command(number);
        let (data, listen) = (self.data(number), self.listen(number));
        command.args(["serve", "--data", &data, "--cluster-listen", &listen]);
        command.args(self.certificate(number)).args(&self.site.arguments);
        let namespace = self.site.network.as_ref().map(|network| network.namespace(number));
        let server = Server::launch(command, namespace)?;
        self.nodes.write().unwrap()[number - 1].server = Some(server);
        Ok(())
    }

    /// True when a node's process has ended by itself.
    pub fn has_ended(&self, number: usize) -> bool {
        self.nodes.write().unwrap()[number - 1].server.as_mut().is_none_or(Server::has_ended)
    }

    /// The arguments that name a node's certificate.
    fn certificate(&self, number: usize) -> Vec<String> {
        self.nodes.read().unwrap()[number - 1].certificate.clone()
    }

    /// A node's folder.
    pub fn data(&self, number: usize) -> String {
        self.site.place.text(&format!("node-{number}/data"))
    }

    /// Where a node listens for others.
    pub fn listen(&self, number: usize) -> String {
        self.nodes.read().unwrap()[number - 1].listen.clone()
    }

    /// Does something with the process of a node that runs.
    pub fn with<T>(&self, number: usize, act: impl FnOnce(&Server) -> T) -> T {
        act(self.nodes.read().unwrap()[number - 1].server.as_ref().expect("the node runs"))
    }

    /// Stops a node's process where it stands. Clients that come from now on go to others.
    pub fn pause(&self, number: usize) {
        self.nodes.write().unwrap()[number - 1].asleep = true;
        self.with(number, |server| server.signal("STOP"));
    }

    /// Lets a node's process go on.
    pub fn wake(&self, number: usize) {
        self.with(number, |server| server.signal("CONT"));
        self.nodes.write().unwrap()[number - 1].asleep = false;
    }

    /// Takes the process of a node, to end it.
    pub fn take(&self, number: usize) -> Server {
        self.nodes.write().unwrap()[number - 1].server.take().expect("the node runs")
    }

    /// Waits until a node says that it is ready.
    pub fn ready(&self, number: usize) {
        until("the node is ready", || self.is_ready(number).then_some(()));
    }

    /// Whether a node says that it is ready; one that has ended is not.
    pub fn is_ready(&self, number: usize) -> bool {
        let asked = request("GET", "/health/ready", &[], b"");
        self.with(number, |server| server.send(&asked)).is_ok_and(|reply| reply.status == 200)
    }

    /// The cluster as a node knows it.
    pub fn view(&self, number: usize) -> Value {
        let way = self.with(number, |server| server.way.clone());
        let query = "{ cluster { node leader members { node part matchedIndex lag reachable } } }";
        let reply = post(&way, "/admin/graphql", &[], &json!({ "query": query }), PATIENCE).unwrap();
        reply.json()["data"]["cluster"].take()
    }

    /// The nodes that vote, as a node knows it.
    pub fn voters(&self, number: usize) -> BTreeSet<String> {
        let view = self.view(number);
        let members = view["members"].as_array().cloned().unwrap_or_default();
        let voters = members.iter().filter(|member| member["part"] == "VOTER");
        voters.map(|member| member["node"].as_str().unwrap().to_owned()).collect()
    }

    /// Who leads, when these nodes agree on one of them.
    pub fn leader(&self, among: &[usize]) -> usize {
        until("one leads", || {
            let heard: BTreeSet<String> =
                among.iter().filter_map(|number| self.view(*number)["leader"].as_str().map(str::to_owned)).collect();
            let leader: usize = heard.first()?.parse().ok()?;
            (heard.len() == 1 && among.contains(&leader)).then_some(leader)
        })
    }

    /// Waits until a node has all that the leader had when it was asked.
    pub fn caught_up(&self, number: usize, leader: usize) {
        until("it has caught up", || {
            let view = self.view(leader);
            let member = member(&view, number)?;
            (member["part"] == "VOTER" && member["lag"].as_str()?.parse::<u64>().ok()? < 50).then_some(())
        });
    }

    fn ways(&self) -> Vec<Way> {
        let nodes = self.nodes.read().unwrap();
        let awake = nodes.iter().filter(|node| !node.asleep);
        awake.filter_map(|node| Some(node.server.as_ref()?.way.clone())).collect()
    }

    /// Every number that is there, read through a node.
    pub fn numbers(&self, number: usize) -> BTreeSet<i64> {
        self.with(number, |server| {
            let mut found = BTreeSet::new();
            let mut after = Value::Null;
            loop {
                let query = "query ($after: String) { notes(first: 1000, after: $after) { nodes { number } pageInfo { hasNextPage endCursor } } }";
                let page = server.data(query, json!({ "after": after }))["notes"].take();
                for node in page["nodes"].as_array().unwrap() {
                    assert!(found.insert(node["number"].as_i64().unwrap()), "{node} is there twice");
                }
                if page["pageInfo"]["hasNextPage"] != true {
                    return found;
                }
                after = page["pageInfo"]["endCursor"].clone();
            }
        })
    }

    /// Ends all nodes in order and looks through their folders.
    pub fn stop_and_check(self, numbers: &[usize]) {
        for number in numbers {
            self.with(*number, |server| server.signal("TERM"));
        }
        for number in numbers {
            let (status, words) = self.take(*number).end();
            assert!(status.success(), "node {number}: {status}: {words}");
            assert!(!words.contains("panicked"), "{words}");
        }
        for number in numbers {
            succeed(&["check", "--data", &self.data(*number)]);
        }
    }
}

/// An acknowledged write.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub number: i64,
    pub began: Instant,
    pub ended: Instant,
}

/// Writers that note what was acknowledged.
pub struct Load<'a> {
    cluster: &'a Cluster,
    next: AtomicI64,
    acknowledged: Mutex<Vec<Acknowledged>>,
    enough: AtomicBool,
}

impl<'a> Load<'a> {
    pub fn new(cluster: &'a Cluster) -> Load<'a> {
        Load { cluster, next: AtomicI64::new(0), acknowledged: Mutex::default(), enough: AtomicBool::new(false) }
    }

    /// Writes with so many writers while `act` runs.
    pub fn during(&self, writers: i64, act: impl FnOnce()) {
        self.enough.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..writers {
                scope.spawn(|| {
                    while !self.enough.load(Ordering::Relaxed) {
                        let number = self.next.fetch_add(1, Ordering::Relaxed);
                        self.write(number, number as usize);
                    }
                });
            }
            // Also when it panics, or the writers would go on for ever.
            let _end = Enough(&self.enough);
            act();
        });
    }

    /// Writes one note, first through the node at `first`, then through others, until it is acknowledged.
    pub fn write(&self, number: i64, first: usize) {
        let query = "mutation ($n: Int!) { createNote(data: { number: $n, text: \"text\" }) { note { number } } }";
        let body = json!({ "query": query, "variables": { "n": number } });
        let key = format!("note-{number}");
        let began = Instant::now();
        let mut attempt = first;
        until("a write is acknowledged", || {
            let ways = self.cluster.ways();
            let way = &ways[attempt % ways.len()];
            attempt += 1;
            let reply = post(way, "/graphql", &[("idempotency-key", &key)], &body, ANSWER_TIME_MAX).ok()?;
            // A process that is killed may leave half an answer.
            let answer: Value = serde_json::from_slice(&reply.body).ok()?;
            if answer.get("errors").is_none() {
                assert_eq!(answer["data"]["createNote"]["note"]["number"], number, "{answer}");
                return Some(());
            }
            let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
            let again = ["UNAVAILABLE", "TRANSACTION_CONFLICT", "DEADLINE_EXCEEDED"].contains(&code);
            assert!(again, "only what may be sent again fails: {answer}");
            None
        });
        self.acknowledged.lock().unwrap().push(Acknowledged { number, began, ended: Instant::now() });
    }

    /// Waits until so many more are acknowledged that were begun from now on, and says how long the first took.
    pub fn resumes(&self, count: usize) -> Duration {
        let since = Instant::now();
        let ended = until("writes are acknowledged", || {
            let acknowledged = self.acknowledged.lock().unwrap();
            let after = acknowledged.iter().filter(|each| each.began >= since).map(|each| each.ended);
            let ended: BTreeSet<Instant> = after.collect();
            (ended.len() >= count).then(|| ended.first().copied()).flatten()
        });
        ended - since
    }

    /// The longest time without an acknowledgement from a moment until now.
    pub fn longest_pause(&self, since: Instant) -> Duration {
        let acknowledged = self.acknowledged.lock().unwrap();
        let mut moments: Vec<Instant> = acknowledged.iter().map(|each| each.ended).filter(|at| *at >= since).collect();
        moments.extend([since, Instant::now()]);
        moments.sort_unstable();
        moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// All numbers that were acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<i64> {
        self.acknowledged.lock().unwrap().iter().map(|each| each.number).collect()
    }

    /// Every acknowledged number is there, through every one of these nodes, and all have the same.
    pub fn assert_kept(&self, nodes: &[usize]) {
        let acknowledged = self.acknowledged();
        for node in nodes {
            let found = self.cluster.numbers(*node);
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(lost.is_empty(), "acknowledged and not on node {node}: {lost:?}");
            // Each writer goes on with a number until it is acknowledged.
            let more: Vec<_> = found.difference(&acknowledged).collect();
            assert!(more.is_empty(), "on node {node} and never acknowledged: {more:?}");
        }
    }
}

struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
