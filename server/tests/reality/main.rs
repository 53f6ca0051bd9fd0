//! Real processes on real disks and, where the machine allows it, real networks, broken while clients work. Every call is
//! kept, and the history is checked by the checkers of the simulation. See CONTRIBUTING.md for the long run.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it does")]

mod client;
#[path = "../harness/mod.rs"]
mod harness;
mod nemesis;
mod record;
mod run;

use harness::certificates::Authority;
use harness::cluster::{Cluster, Site, until};
use harness::disk::SmallDisk;
use harness::network::Network;
use harness::pause;
use nemesis::Mischief;
use record::{Caller, Keeper, Record};
use run::{Load, MIXED, Run, TASKS};
use serde_json::Value;
use std::time::{Duration, Instant};
use vivarium_simtests::answer::Disk;
use vivarium_simtests::history::{End, History};
use vivarium_simtests::rng::Rng;
use vivarium_simtests::workload::task::Task;
use vivarium_simtests::workload::{Action, Reply, Step, Workload};

const NODES: usize = 3;

/// Over so long a client's steps are spread out: about as long as one round of troubles takes.
const SPAN: Duration = Duration::from_secs(14);

/// Small files: logs are shortened and memtables flushed within a run, so that who was away needs a checkpoint.
const CONFIG: &str = "[storage]\nsegment_bytes = 8192\nlog_segments_kept = 0\nmemtable_bytes = 131072\n";

/// A value that no client writes.
const UNHEARD_OF: u64 = 987_654;

/// Room for much more than a run writes.
const DISK_SIZE: &str = "128m";

fn site(load: Load) -> Site {
    let mut site = Site::new(NODES, load.schema());
    let config = site.place.write("vivarium.toml", CONFIG);
    site.arguments = vec!["--config".into(), config];
    site
}

/// A small disk for each node, if we may.
fn mount_disks(site: &mut Site) -> bool {
    let mount = |node| SmallDisk::mount(&site.place.path(&format!("node-{node}")), DISK_SIZE);
    site.disks = (1..=NODES).map_while(mount).collect();
    site.disks.len() == NODES
}

/// A whole run: troubles of these kinds once each, quiet, an audit, a power failure of all, an audit, the checkers.
/// Each list of troubles is gone through beside the others.
fn break_and_check(site: Site, load: Load, seed: u64, lists: &[&[Mischief]]) {
    let record = Record::new(&format!("{}-{seed}", load.name));
    let disk = if site.disks.is_empty() { Disk::Sound } else { Disk::Troubled };
    let cluster = Cluster::found(site);
    let _keeper = Keeper(&record);
    record.note(&format!("{} clients of each of {:?}, seed {seed}", load.clients, load.workloads));
    let run = Run { cluster: &cluster, record: &record, load, seed, span: SPAN, disk };
    run.during(|| {
        std::thread::scope(|scope| {
            for (number, list) in lists.iter().enumerate() {
                let mut rng = Rng::stream(seed, &format!("nemesis/{number}"));
                let (cluster, record) = (&cluster, &record);
                scope.spawn(move || nemesis::disturb(cluster, record, list, &mut rng));
            }
        });
        run.recover();
    });
    run.probe(0);
    run.audit();
    power_cycle(&cluster, &record);
    run.recover();
    run.audit();
    run.check();
    cluster.stop_and_check(&[1, 2, 3]);
}

fn power_cycle(cluster: &Cluster, record: &Record) {
    let servers: Vec<_> = (1..=NODES).map(|node| cluster.take(node)).collect();
    for (node, server) in (1..).zip(servers) {
        record.hear(node, &server.kill());
    }
    for node in 1..=NODES {
        cluster.serve(node);
    }
}

#[test]
fn killed_paused_and_restarted_nodes_do_what_the_model_says_with_one_of_everything() {
    break_and_check(site(MIXED), MIXED, 1, &[&nemesis::PROCESSES]);
}

#[test]
fn killed_paused_and_restarted_nodes_with_certificates_are_strictly_serializable() {
    let site = Site { authority: Some(Authority::new()), ..site(TASKS) };
    break_and_check(site, TASKS, 2, &[&nemesis::PROCESSES]);
}

#[test]
fn nodes_that_do_not_hear_each_other_are_strictly_serializable() {
    let Some(network) = Network::lay(NODES) else { return };
    let site = Site { network: Some(network), ..site(TASKS) };
    break_and_check(site, Load { name: "partition", ..TASKS }, 3, &[&nemesis::NETWORKS]);
}

#[test]
fn a_full_disk_ends_one_node_until_there_is_room_and_stops_nobody_else() {
    let mut site = site(MIXED);
    if !mount_disks(&mut site) {
        return;
    }
    let record = Record::new("full-disk");
    let cluster = Cluster::found(site);
    let _keeper = Keeper(&record);
    let run = Run { cluster: &cluster, record: &record, load: MIXED, seed: 4, span: SPAN, disk: Disk::Troubled };
    run.during(|| {
        let leader = cluster.leader(&[1, 2, 3]);
        fill_and_empty(&cluster, &record, if leader == 1 { 2 } else { 1 });
        fill_and_empty(&cluster, &record, cluster.leader(&[1, 2, 3]));
        run.recover();
    });
    run.probe(0);
    run.audit();
    run.check();
    cluster.stop_and_check(&[1, 2, 3]);
}

#[test]
fn a_disk_that_is_full_before_a_node_has_caught_up_ends_it_in_the_same_words() {
    let mut site = site(TASKS);
    if !mount_disks(&mut site) {
        return;
    }
    let cluster = Cluster::found(site);
    for node in 1..=NODES {
        assert!(cluster.take(node).stop().0.success());
    }
    // It waits for others; as soon as there is one, it has a vote to write.
    cluster.serve(1);
    cluster.site.disks[0].fill();
    cluster.serve(2);
    until("the node ends", || cluster.has_ended(1).then_some(()));
    let (status, words) = cluster.take(1).end();
    assert_eq!(status.code(), Some(7), "{words}");
    assert!(words.contains("The node stopped by itself") && words.contains("No space left"), "{words}");
    cluster.site.disks[0].empty();
    cluster.serve(1);
    cluster.serve(3);
    for node in 1..=NODES {
        cluster.ready(node);
    }
    cluster.stop_and_check(&[1, 2, 3]);
}

/// The disk of a node is filled: it ends and says why, does not start on it, and the others go on. Then there is room.
fn fill_and_empty(cluster: &Cluster, record: &Record, node: usize) {
    let others: Vec<usize> = (1..=NODES).filter(|other| *other != node).collect();
    record.note(&format!("the disk of node {node} is filled; node {} leads", cluster.leader(&[1, 2, 3])));
    cluster.site.disks[node - 1].fill();
    until("the node ends", || cluster.has_ended(node).then_some(()));
    let (status, words) = cluster.take(node).end();
    record.note(&format!("node {node} ended: {status}"));
    assert_eq!(status.code(), Some(7), "{words}");
    assert!(words.contains("No space left") && !words.contains("panicked"), "{words}");
    let done = record.done();
    until("the others go on", || (record.done() > done + 30).then_some(()));
    record.note(&format!("the others went on, node {} leads", cluster.leader(&others)));
    let (status, words) = cluster.try_serve(node).expect_err("no node opens on a full disk");
    assert_eq!(status.code(), Some(5), "{words}");
    assert!(words.contains("No space left") && !words.contains("panicked"), "{words}");
    cluster.site.disks[node - 1].empty();
    cluster.serve(node);
    cluster.ready(node);
    record.note(&format!("node {node} is back"));
}

#[test]
fn a_leader_that_is_cut_off_answers_no_read_and_no_write_while_another_one_leads() {
    let Some(network) = Network::lay(NODES) else { return };
    let cluster = Cluster::found(Site { network: Some(network), ..site(TASKS) });
    let network = cluster.site.network.as_ref().unwrap();
    let old = cluster.leader(&[1, 2, 3]);
    let others: Vec<usize> = (1..=NODES).filter(|node| *node != old).collect();
    for other in &others {
        network.cut(old, *other);
        network.cut(*other, old);
    }
    let record = Record::new("cut-off");
    let _keeper = Keeper(&record);
    let caller = Caller { client: 1, patience: Duration::from_secs(30), disk: Disk::Sound };
    let step = |number: u64| Step::at_once(Some(number.to_string()), Workload::Set.probe(number));
    let read = Step::at_once(None, Action::Task(Task::ReadMembers));
    // Before it knows: what it takes now, nobody else has heard.
    let (way, first) = (cluster.way(old).unwrap(), step(1));
    let early = std::thread::scope(|scope| {
        let early = scope.spawn(|| record.call(&way, caller, &first));
        let heir = cluster.leader(&others);
        record.note(&format!("node {heir} leads, node {old} did"));
        let end = record.call(&cluster.way(heir).unwrap(), caller, &step(2));
        assert!(matches!(end, End::Done { .. }), "{end:?}");
        let end = record.call(&way, caller, &read);
        assert!(matches!(&end, End::Lost(reason) if reason.contains("UNAVAILABLE")), "{end:?}");
        early.join().unwrap()
    });
    record.note(&format!("the write that the old leader took ended as {early:?}"));
    assert!(matches!(early, End::Lost(_)), "{early:?}");
    network.mend();
    cluster.leader(&[1, 2, 3]);
    record.note("all know the new leader");
    // Its key tells whether it was done; here it is done at the latest.
    for step in [&first, &read] {
        let end = record.call(&way, caller, step);
        assert!(matches!(end, End::Done { .. }), "{end:?}");
    }
    record.note("the old leader answers again");
    record.with_history(|history| run::check(history)).unwrap();
    cluster.stop_and_check(&[1, 2, 3]);
}

/// Rounds until the time is up, each with its own seed: everything that can go wrong, two things at a time.
#[test]
#[ignore = "as long as VIVARIUM_REALITY_SECONDS says, from seed VIVARIUM_REALITY_SEED: make reality"]
fn rounds_for_as_long_as_is_asked() {
    let number = |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let lasts = Duration::from_secs(number("VIVARIUM_REALITY_SECONDS", 60));
    let since = Instant::now();
    for seed in number("VIVARIUM_REALITY_SEED", 1).. {
        if since.elapsed() >= lasts {
            return;
        }
        let load = run::ALL[seed as usize % run::ALL.len()];
        let network = Network::lay(NODES);
        let authority = (seed % 2 == 0).then(Authority::new);
        let mut site = Site { network, authority, ..site(load) };
        let processes: &[Mischief] =
            if mount_disks(&mut site) { &nemesis::DISKS_AND_PROCESSES } else { &nemesis::PROCESSES };
        let networks: &[Mischief] = if site.network.is_some() { &nemesis::NETWORKS } else { &[] };
        break_and_check(site, load, seed, &[processes, networks]);
    }
}

/// The checkers reject what real nodes never say: one answer of a real history at a time is altered.
#[test]
fn one_altered_answer_is_found() {
    let cluster = Cluster::found(Site::new(1, TASKS.schema()));
    let record = Record::new("altered");
    let span = Duration::from_secs(1);
    let run = Run { cluster: &cluster, record: &record, load: TASKS, seed: 5, span, disk: Disk::Sound };
    run.during(|| pause(span));
    run.audit();
    run.check();
    let found = |what: &str, alter: &dyn Fn(&mut Reply, &mut Option<u64>) -> bool| {
        let mut history = record.with_history(|history| History::parse(&history.print())).unwrap();
        // The last of its kind: nothing else is under way that could explain it.
        let changed = history.calls.iter_mut().rev().any(|call| match &mut call.end {
            End::Done { reply, version } if call.key.is_none() => alter(reply, version),
            _ => false,
        });
        assert!(changed, "nothing to alter: {what}");
        let violation = run::check(&history).expect_err(what).to_string();
        println!("{what}: {violation}");
        violation
    };
    let words = found("a register that holds what nobody wrote", &|reply, _| {
        let value = reply.data.pointer_mut("/register/value");
        value.map(|value| *value = UNHEARD_OF.into()).is_some()
    });
    assert!(words.starts_with("certificate (wrong-answer)") && words.contains("[also linear"), "{words}");
    let words = found("a set without its first member", &|reply, _| {
        let nodes = reply.data.pointer_mut("/members/nodes").and_then(Value::as_array_mut);
        let long = nodes.filter(|nodes| nodes.len() > 20);
        long.map(|nodes| nodes.remove(0)).is_some()
    });
    assert!(words.starts_with("certificate (wrong-answer)") && words.contains("[also set"), "{words}");
    let words = found("a bank with more money", &|reply, _| {
        let accounts = reply.data.pointer_mut("/accounts/nodes").and_then(Value::as_array_mut);
        let all = accounts.filter(|accounts| accounts.len() == 4);
        all.map(|accounts| accounts[0]["balance"] = UNHEARD_OF.into()).is_some()
    });
    assert!(words.starts_with("certificate (wrong-answer)") && words.contains("[also bank"), "{words}");
    let words = found("a list without its first entry", &|reply, _| {
        let list = reply.data.pointer_mut("/r0/nodes").and_then(Value::as_array_mut);
        let long = list.filter(|list| list.len() > 2);
        long.map(|list| list.remove(0)).is_some()
    });
    assert!(words.starts_with("certificate (wrong-answer)") && words.contains("[also elle"), "{words}");
    let words = found("a read of what was there before", &|reply, version| {
        let late = reply.data.pointer("/members/nodes/1").is_some();
        if late {
            let earlier = version.map(|version| version - 1_000_000);
            (*version, reply.version) = (earlier, earlier);
        }
        late
    });
    assert!(words.starts_with("certificate"), "{words}");
    cluster.stop_and_check(&[1]);
}
