//! The demo's cluster: real nodes on this machine, one process each, to be killed and started again by a person.

use super::process::{Event, Place, Process};
use super::{SCHEMA, fill};
use crate::cli::{Client, Exit, Failure, output};
use crate::config::Settings;
use crate::ends::Ends;
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use vivarium_consensus::{ClusterOptions, Token, initialise, join};
use vivarium_storage::runtime::{Runtime, now};

/// Nodes listen for each other so far above where they listen for clients.
const CLUSTER_PORTS_ABOVE: u16 = 100;
/// How long the nodes may take to find each other: they replay their logs and elect a leader.
const MEET_TIME_MAX: Duration = Duration::from_secs(60);
/// Between two looks whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts so many nodes, fills their shop, says what to try, and waits until a signal comes or all have ended.
///
/// # Errors
/// Addresses in use, folders of something else, nodes that do not find each other.
pub fn run(settings: &Settings, nodes: u16) -> Result<(), Failure> {
    let places = places(settings, nodes)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::File, format!("Cannot start threads: {error}.")))?;
    let (events, happened) = channel();
    let ends = runtime.block_on(async { Ends::install(false) })?;
    runtime.spawn(pass_on(ends, events.clone()));
    let mut processes = start(&places, &runtime, &events)?;
    let leader = meet(&places)?;
    fill_cluster(&places[0])?;
    for Process { place, id, .. } in &processes {
        output::data(&format!("node {} {} pid {id}", place.number, place.url()))?;
    }
    output::say(&guide(&processes, leader));
    watch(&mut processes, &happened);
    runtime.shutdown_background();
    Ok(())
}

fn places(settings: &Settings, nodes: u16) -> Result<Vec<Place>, Failure> {
    let base = settings.listen;
    if base.port() == 0 || base.port().checked_add(CLUSTER_PORTS_ABOVE + nodes).is_none() {
        let message = format!("The nodes listen at consecutive ports: {base} leaves no room for them.");
        return Err(Failure::new(Exit::Usage, message));
    }
    let place = |number: u16| Place {
        number,
        data: settings.data.join(number.to_string()),
        listen: SocketAddr::new(base.ip(), base.port() + number - 1),
        cluster_listen: SocketAddr::new(base.ip(), base.port() + CLUSTER_PORTS_ABOVE + number - 1),
    };
    Ok((1..=nodes).map(place).collect())
}

/// Starts one node after the other; on the first start each joins those before it.
fn start(places: &[Place], runtime: &tokio::runtime::Runtime, events: &Sender<Event>) -> Result<Vec<Process>, Failure> {
    let first = &places[0];
    let token = initialise(&first.data, &Runtime::system())
        .map_err(|error| crate::serve::folder_failure(&first.data, &error))?;
    let mut processes = Vec::new();
    for place in places {
        if place.number != first.number {
            runtime.block_on(enter(place, &token, first.cluster_listen))?;
        }
        processes.push(Process::start(place.clone(), events.clone())?);
    }
    Ok(processes)
}

/// Joins the cluster, unless the folder belongs to it already.
async fn enter(place: &Place, token: &Token, member: SocketAddr) -> Result<(), Failure> {
    let options = ClusterOptions::new(place.cluster_listen.to_string());
    let joined =
        join(&place.data, &options, token, &member.to_string(), &Runtime::system(), now() + MEET_TIME_MAX).await;
    joined.map(|_| ()).map_err(|error| crate::cli::cluster::failure(&place.data, &error))
}

#[derive(Deserialize)]
struct Told {
    cluster: Cluster,
}

#[derive(Deserialize)]
struct Cluster {
    leader: Option<String>,
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    part: String,
}

/// Waits until all vote and each answers. Returns who leads.
fn meet(places: &[Place]) -> Result<String, Failure> {
    let clients = places.iter().map(|place| Client::new(&place.url())).collect::<Result<Vec<_>, _>>()?;
    let until = Instant::now() + MEET_TIME_MAX;
    loop {
        let told: Result<Told, Failure> = clients[0].admin("{ cluster { leader members { part } } }", &json!({}));
        if let Ok(Told { cluster: Cluster { leader: Some(leader), members } }) = told
            && members.iter().filter(|member| member.part == "VOTER").count() >= places.len()
            && clients.iter().all(Client::is_ready)
        {
            return Ok(leader);
        }
        if Instant::now() >= until {
            let message = "The nodes did not find each other in time. To begin anew, delete the demo's folder.";
            return Err(Failure::new(Exit::Unreachable, message));
        }
        pause(LOOK_EVERY);
    }
}

/// Declares and fills the shop, unless it is there.
fn fill_cluster(place: &Place) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Declared {
        schema: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let client = Client::new(&place.url())?;
    let declared: Declared = client.admin("{ schema { version } }", &json!({}))?;
    if declared.schema.version == 0 {
        let apply = "mutation ($sdl: String!) { applySchema(sdl: $sdl) { __typename } }";
        client.admin::<serde_json::Value>(apply, &json!({ "sdl": SCHEMA }))?;
    }
    fill(place.listen)
}

/// What a person may try, in words that can be copied.
fn guide(processes: &[Process], leader: String) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "vivarium".to_owned());
    let victim = processes.iter().find(|process| process.place.number.to_string() == leader).unwrap_or(&processes[0]);
    let other = processes.iter().find(|process| process.id != victim.id).unwrap_or(victim);
    let rows: String = processes
        .iter()
        .map(|Process { place, id, .. }| {
            let leads = if place.number.to_string() == leader { "   leads" } else { "" };
            format!("    node {}   {}   pid {id}{leads}\n", place.number, place.url())
        })
        .collect();
    let ask = |place: &Place, query: &str| {
        let header = "-H 'content-type: application/json'";
        format!("    curl -s {}/graphql {header} -d '{{\"query\":\"{query}\"}}'\n", place.listen)
    };
    let read = "{ customers(where: { name: { eq: \\\"Ada\\\" } }) { totalCount } }";
    let write = "mutation { createCustomer(data: { name: \\\"Ada\\\", email: \\\"ada@example.org\\\" }) { customer { customerNo } } }";
    format!(
        "\n{rows}\nAny node takes any request. In another terminal, write to one and read from another:\n\n{}{}\nKill the \
         node that leads. The others elect another and lose nothing:\n\n    kill -9 {}\n{}    {program} cluster status --url \
         {}\n\nStart it again; it catches up:\n\n    {program} {}\n\nCtrl-C here stops the nodes. The data stays in {}.\n",
        ask(&victim.place, write),
        ask(&other.place, read),
        victim.id,
        ask(&other.place, read),
        other.place.url(),
        victim.place.arguments().join(" "),
        victim.place.data.parent().unwrap_or(Path::new(".")).display(),
    )
}

/// Tells of nodes that end, until all have. The first signal stops them.
fn watch(processes: &mut [Process], happened: &Receiver<Event>) {
    let mut left = processes.len();
    let mut stopping = false;
    while left > 0
        && let Ok(event) = happened.recv()
    {
        match event {
            Event::Ended(number, status) => {
                left -= 1;
                if !stopping {
                    output::say(&format!("Node {number} ended ({status})."));
                }
            }
            Event::Signal => {
                stopping = true;
                output::say("Stopping the nodes.");
                processes.iter_mut().for_each(Process::stop);
            }
        }
    }
}

/// Passes the first signal on; a second one ends this process, and with it the nodes.
async fn pass_on(mut ends: Ends, events: Sender<Event>) {
    ends.next().await;
    // A demo that has ended needs no signal.
    let _ = events.send(Event::Signal);
    ends.next().await;
    std::process::exit(crate::serve::EXIT_AT_ONCE);
}

#[expect(clippy::disallowed_methods, reason = "nothing else runs on this thread, and the nodes are other processes")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
