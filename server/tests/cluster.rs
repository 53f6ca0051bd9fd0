//! Three real processes on this machine: killed, paused, stopped, replaced. Nothing acknowledged is lost, and work goes on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::cluster::{Cluster, Load, free_address};
use harness::{Place, Server, fail, succeed};
use serde_json::json;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Three nodes and their writers want the machine for themselves: one test at a time.
static MACHINE: Mutex<()> = Mutex::new(());

/// An election takes 0.5 to 1 s; a machine with other work on it is given more.
const RESUME_TIME_MAX: Duration = Duration::from_secs(5);

const WRITERS: i64 = 4;

#[test]
fn the_death_of_the_leader_loses_nothing_and_work_goes_on() {
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(3);
    let load = Load::new(&cluster);
    for (nth, number) in (1_000_000..1_000_009).enumerate() {
        load.write(number, nth);
    }
    load.assert_kept(&[1, 2, 3]);

    let leader = cluster.leader(&[1, 2, 3]);
    let others: Vec<usize> = [1, 2, 3].into_iter().filter(|node| *node != leader).collect();
    load.during(WRITERS, || {
        load.resumes(50);
        cluster.take(leader).kill();
        let resumed = load.resumes(20);
        println!("writes resumed {} ms after kill -9 of the leader", resumed.as_millis());
        assert!(resumed < RESUME_TIME_MAX, "{resumed:?}");
    });
    load.assert_kept(&others);

    let heir = cluster.leader(&others);
    load.during(WRITERS, || {
        cluster.serve(leader);
        cluster.ready(leader);
        cluster.caught_up(leader, heir);
    });
    load.assert_kept(&[1, 2, 3]);

    // A rolling restart: each node in turn, also the one that leads.
    load.during(WRITERS, || {
        for number in [1, 2, 3] {
            let led = cluster.leader(&[1, 2, 3]) == number;
            let server = cluster.take(number);
            server.signal("TERM");
            let resumed = load.resumes(20);
            println!("writes went on {} ms after node {number} was stopped (it led: {led})", resumed.as_millis());
            assert!(resumed < RESUME_TIME_MAX, "{resumed:?}");
            let (status, words) = server.end();
            assert!(status.success(), "{words}");
            cluster.serve(number);
            cluster.ready(number);
            cluster.caught_up(number, cluster.leader(&[1, 2, 3]));
        }
    });
    load.assert_kept(&[1, 2, 3]);
    println!("{} writes acknowledged", load.acknowledged().len());
    cluster.stop_and_check(&[1, 2, 3]);
}

#[test]
fn a_node_that_sleeps_is_waited_for_by_nobody_and_catches_up() {
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(3);
    let load = Load::new(&cluster);
    let leader = cluster.leader(&[1, 2, 3]);
    let follower = if leader == 1 { 2 } else { 1 };
    load.during(WRITERS, || {
        load.resumes(20);
        cluster.with(follower, |server| server.signal("STOP"));
        load.resumes(50);
        cluster.with(follower, |server| server.signal("CONT"));
        cluster.caught_up(follower, leader);
    });
    load.assert_kept(&[1, 2, 3]);

    let leader = cluster.leader(&[1, 2, 3]);
    let others: Vec<usize> = [1, 2, 3].into_iter().filter(|node| *node != leader).collect();
    load.during(WRITERS, || {
        cluster.with(leader, |server| server.signal("STOP"));
        let resumed = load.resumes(30);
        println!("writes resumed {} ms after SIGSTOP of the leader", resumed.as_millis());
        assert!(resumed < RESUME_TIME_MAX, "{resumed:?}");
        let heir = cluster.leader(&others);
        cluster.with(leader, |server| server.signal("CONT"));
        cluster.caught_up(leader, heir);
    });
    load.assert_kept(&[1, 2, 3]);
    cluster.stop_and_check(&[1, 2, 3]);
}

#[test]
fn leadership_moves_and_a_dead_node_is_replaced() {
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(3);
    let load = Load::new(&cluster);
    let url = |number: usize| cluster.with(number, |server| server.url.clone());
    for number in 0..20 {
        load.write(number, number as usize);
    }
    let leader = cluster.leader(&[1, 2, 3]);
    let heir = if leader == 2 { 3 } else { 2 };
    succeed(&["cluster", "transfer-leader", &heir.to_string(), "--url", &url(1)]);
    assert_eq!(cluster.leader(&[1, 2, 3]), heir);
    let words = fail(4, &["cluster", "transfer-leader", "9", "--url", &url(1)]);
    assert!(words.contains("Node 9 is not a voter of this cluster."), "{words}");

    let dead = if heir == 3 { 2 } else { 3 };
    let alive: Vec<usize> = [1, 2, 3].into_iter().filter(|node| *node != dead).collect();
    cluster.take(dead).kill();
    harness::cluster::until("the leader misses it", || {
        let view = cluster.view(heir);
        let members = view["members"].as_array()?;
        members.iter().any(|member| member["node"] == dead.to_string() && member["reachable"] == false).then_some(())
    });
    let words = fail(4, &["cluster", "remove", &alive[0].to_string(), "--url", &url(alive[1])]);
    assert!(words.contains("bring others back first"), "{words}");
    let words = fail(4, &["cluster", "remove", "9", "--url", &url(1)]);
    assert!(words.contains("The cluster has no node 9."), "{words}");
    succeed(&["cluster", "remove", &dead.to_string(), "--url", &url(1)]);
    assert!(!cluster.voters(1).contains(&dead.to_string()));

    let new = cluster.join(1);
    assert_eq!(new, 4, "a number is never given again");
    cluster.serve(new);
    cluster.caught_up(new, cluster.leader(&alive));
    cluster.ready(new);
    load.write(20, 0);
    load.assert_kept(&[alive[0], alive[1], new]);
    let shown: serde_json::Value =
        serde_json::from_str(&succeed(&["cluster", "status", "--json", "--url", &url(new)])).unwrap();
    assert_eq!(shown["members"].as_array().unwrap().len(), 3, "{shown}");
    let metrics = cluster.with(new, |server| server.request("GET", "/metrics", &[], b"").text().to_owned());
    for line in ["vivarium_raft_leader_known 1", "vivarium_raft_voters 3", "vivarium_raft_peers_connected 2"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    cluster.stop_and_check(&[alive[0], alive[1], new]);
}

#[test]
fn a_lost_majority_is_given_up_only_by_force_and_in_words() {
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(3);
    let load = Load::new(&cluster);
    load.during(WRITERS, || {
        load.resumes(50);
    });
    let leader = cluster.leader(&[1, 2, 3]);
    let survivor = if leader == 2 { 3 } else { 2 };
    harness::cluster::until("the survivor has everything", || {
        let view = cluster.view(leader);
        let members = view["members"].as_array()?;
        members.iter().any(|member| member["node"] == survivor.to_string() && member["lag"] == "0").then_some(())
    });
    for number in [1, 2, 3] {
        cluster.take(number).kill();
    }
    let data = cluster.data(survivor);
    let asked = harness::run(&["cluster", "recover", "--data", &data]);
    let words = String::from_utf8(asked.stderr).unwrap();
    assert!(asked.status.success(), "{words}");
    for text in ["Nothing was changed", "1, 2, 3", "What may be lost", "must be deleted"] {
        assert!(words.contains(text), "{text}: {words}");
    }
    let done: serde_json::Value =
        serde_json::from_str(&succeed(&["cluster", "recover", "--data", &data, "--force", "--json"])).unwrap();
    assert_eq!(done["forced"], true, "{done}");
    let words = fail(4, &["cluster", "recover", "--data", &data, "--force"]);
    assert!(words.contains("nothing to recover"), "{words}");

    cluster.serve(survivor);
    cluster.ready(survivor);
    load.assert_kept(&[survivor]);
    let new = cluster.join(survivor);
    cluster.serve(new);
    cluster.caught_up(new, survivor);
    cluster.ready(new);
    load.write(2_000_000, 0);
    load.assert_kept(&[survivor, new]);
    assert_eq!(cluster.voters(new), [survivor.to_string(), new.to_string()].into());
    cluster.stop_and_check(&[survivor, new]);
}

#[test]
fn strangers_and_slips_are_refused_with_words_that_help() {
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(2);
    let foreign = Place::new();
    let stranger = succeed(&["cluster", "init", "--data", &foreign.text("data")]);
    let words = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();

    // The token of another cluster, a token with a slip, a member that is not there.
    let refused = cluster.try_join("new", &free_address(), 1, stranger.trim());
    assert_eq!(refused.status.code(), Some(3), "{}", words(&refused));
    assert!(words(&refused).contains("belongs to cluster"), "{}", words(&refused));
    let forged = foreign.path("forged");
    std::fs::create_dir(&forged).unwrap();
    for (file, owner) in [("FORMAT", cluster.data(1)), ("identity", cluster.data(1)), ("secret", foreign.text("data"))]
    {
        std::fs::copy(std::path::Path::new(&owner).join(file), forged.join(file)).unwrap();
    }
    let forged = succeed(&["cluster", "token", "--data", forged.to_str().unwrap()]);
    let refused = cluster.try_join("new", &free_address(), 1, forged.trim());
    assert_eq!(refused.status.code(), Some(3), "{}", words(&refused));
    assert!(words(&refused).contains("secret"), "{}", words(&refused));
    let refused = cluster.try_join("new", "127.0.0.1:0", 1, &cluster.token);
    assert_eq!(refused.status.code(), Some(2), "{}", words(&refused));
    let mut slip = cluster.token.clone().into_bytes();
    slip[20] ^= 1;
    let refused = cluster.try_join("new", &free_address(), 1, &String::from_utf8(slip).unwrap());
    assert_eq!(refused.status.code(), Some(2), "{}", words(&refused));
    assert!(words(&refused).contains("not a join token"), "{}", words(&refused));

    // A folder that is a node of something else, one that is in use, an address that is taken.
    let foreign_folder = foreign.text("data");
    let token = &cluster.token;
    let member = cluster.listen(1);
    let join = [
        "cluster",
        "join",
        "--data",
        &foreign_folder,
        "--cluster-listen",
        "127.0.0.1:1",
        "--member",
        &member,
        "--token",
        token,
    ];
    let said = fail(4, &join);
    assert!(said.contains("already holds node 1"), "{said}");
    let said =
        fail(5, &["serve", "--listen", "127.0.0.1:0", "--data", &cluster.data(1), "--cluster-listen", &free_address()]);
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(succeed(&["cluster", "token", "--data", &cluster.data(2)]).trim(), cluster.token);
    let taken = cluster.listen(1);
    let (status, said) =
        Server::try_start("serve", &["--data", &foreign_folder, "--cluster-listen", &taken]).err().unwrap();
    assert_eq!(status.code(), Some(6), "{said}");
    assert!(said.contains(&taken) && said.contains("--cluster-listen"), "{said}");

    // A node that is served without its cluster.
    assert!(cluster.take(2).stop().0.success());
    let said = fail(2, &["serve", "--listen", "127.0.0.1:0", "--data", &cluster.data(2)]);
    assert!(said.contains("--cluster-listen"), "{said}");

    // One of two: it answers, says why it is not ready, and refuses in time.
    harness::cluster::until("the other is missed", || {
        let reply = cluster.with(1, |server| server.request("GET", "/health/ready", &[], b""));
        (reply.status == 503 && reply.text().contains("no leader is known")).then_some(())
    });
    let answer = cluster.with(1, |server| server.ask("{ notes { totalCount } }", json!({})));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{answer}");
    cluster.serve(2);
    cluster.ready(2);
    cluster.ready(1);
    cluster.stop_and_check(&[1, 2]);
}
