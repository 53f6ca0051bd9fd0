//! Three real processes on this machine: killed, paused, stopped, replaced. Nothing acknowledged is lost, and work goes on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::cluster::{Cluster, Load, free_address, member, post, until};
use harness::network::Way;
use harness::{Place, Server, fail, succeed};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
            let since = Instant::now();
            let (status, words) = server.stop();
            assert!(status.success(), "{words}");
            assert!(!words.contains("could not be handed over"), "{words}");
            load.resumes(20);
            let pause = load.longest_pause(since);
            println!("writes paused {} ms when node {number} was stopped (it led: {led})", pause.as_millis());
            assert!(pause < RESUME_TIME_MAX, "{pause:?}");
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
        cluster.pause(follower);
        load.resumes(50);
        cluster.wake(follower);
        cluster.caught_up(follower, leader);
    });
    load.assert_kept(&[1, 2, 3]);

    let leader = cluster.leader(&[1, 2, 3]);
    let others: Vec<usize> = [1, 2, 3].into_iter().filter(|node| *node != leader).collect();
    load.during(WRITERS, || {
        cluster.pause(leader);
        let resumed = load.resumes(30);
        println!("writes resumed {} ms after SIGSTOP of the leader", resumed.as_millis());
        assert!(resumed < RESUME_TIME_MAX, "{resumed:?}");
        let heir = cluster.leader(&others);
        cluster.wake(leader);
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
    until("the leader misses it", || {
        let view = cluster.view(heir);
        (member(&view, dead)?["reachable"] == false).then_some(())
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

    // Down to one, the leader each time, which is asked itself: of two, both must agree to that.
    let mut left = vec![alive[0], alive[1], new];
    for number in 21.. {
        let leader = cluster.leader(&left);
        if left.len() == 1 {
            let words = fail(4, &["cluster", "remove", &leader.to_string(), "--url", &url(leader)]);
            assert!(words.contains("is the only voter of its cluster and cannot be removed"), "{words}");
            break;
        }
        succeed(&["cluster", "remove", &leader.to_string(), "--url", &url(leader)]);
        let (status, words) = cluster.take(leader).end();
        assert_eq!(status.code(), Some(7), "{words}");
        assert!(words.contains("this node was removed from its cluster"), "{words}");
        left.retain(|node| *node != leader);
        load.write(number, 0);
    }
    load.assert_kept(&left);
    cluster.stop_and_check(&left);
}

#[test]
fn a_node_whose_log_is_damaged_comes_back_by_itself() {
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(3);
    let load = Load::new(&cluster);
    for number in 0..40 {
        load.write(number, number as usize);
    }
    let leader = cluster.leader(&[1, 2, 3]);
    let hurt = if leader == 3 { 2 } else { 3 };
    let others: Vec<usize> = [1, 2, 3].into_iter().filter(|number| *number != hurt).collect();
    assert!(cluster.take(hurt).stop().0.success());
    // One bit of the first batch, which many follow.
    let segment = std::path::Path::new(&cluster.data(hurt)).join("log/00000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 40] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    load.during(WRITERS, || {
        load.resumes(20);
        cluster.serve(hurt);
        cluster.caught_up(4, cluster.leader(&others));
    });
    cluster.ready(hurt);
    load.assert_kept(&[1, 2, 3]);
    let voters = cluster.voters(others[0]);
    assert_eq!(voters.len(), 3);
    assert!(voters.contains("4") && !voters.contains(&hurt.to_string()), "{voters:?}");
    let url = cluster.with(hurt, |server| server.url.clone());
    let shown: serde_json::Value =
        serde_json::from_str(&succeed(&["cluster", "status", "--json", "--url", &url])).unwrap();
    let new = shown["members"].as_array().unwrap().iter().find(|member| member["node"] == "4").unwrap();
    assert_eq!((&shown["node"], &new["replaces"]), (&json!("4"), &json!(hurt.to_string())), "{shown}");
    assert!(std::path::Path::new(&cluster.data(hurt)).join("log.damaged-1").is_dir());
    cluster.stop_and_check(&[1, 2, 3]);
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
    until("the survivor has everything", || {
        let view = cluster.view(leader);
        (member(&view, survivor)?["lag"] == "0").then_some(())
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

    // How a node is added: the token, and commands that can be run as they are.
    let url = cluster.with(2, |server| server.url.clone());
    let shown = succeed(&["cluster", "add", "10.0.0.9:4100", "--data", &cluster.data(1), "--url", &url]);
    assert_eq!(shown.trim(), cluster.token);
    let shown = succeed(&["cluster", "add", "h:1", "--folder", "n", "--url", &url, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let leader = cluster.listen(cluster.leader(&[1, 2]));
    let join = format!("vivarium cluster join --data n --cluster-listen h:1 --member {leader} --token-file token");
    assert_eq!((&shown["join"], &shown["token"]), (&json!(join), &json!(null)), "{shown}");
    let refused = fail(2, &["cluster", "add", "--cluster-key", "k", "--url", &url]);
    assert!(refused.contains("The nodes of this cluster have no TLS"), "{refused}");
    let refused = fail(5, &["cluster", "add", "--data", &foreign.text("data"), "--url", &url]);
    assert!(refused.contains("the server is of cluster"), "{refused}");

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
    until("the other is missed", || {
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

/// A port after which as many are free as the demo takes.
fn free_ports() -> u16 {
    until("ports are free", || {
        let base: u16 = free_address().rsplit(':').next()?.parse().ok()?;
        let all = [0, 1, 2, 100, 101, 102].map(|above| base.checked_add(above));
        let held: Option<Vec<_>> =
            all.into_iter().map(|port| std::net::TcpListener::bind(("127.0.0.1", port?)).ok()).collect();
        held.map(|_| base)
    })
}

#[test]
fn the_demo_starts_nodes_that_can_be_killed_and_leaves_none_behind() {
    let _turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    let base = free_ports();
    let mut demo = harness::vivarium()
        .args(["demo", "--nodes", "3", "--data", &place.text("demo"), "--listen", &format!("127.0.0.1:{base}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let words = BufReader::new(demo.stderr.take().unwrap());
    let words = std::thread::spawn(move || words.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().take(3).map_while(Result::ok);
    let nodes: Vec<(String, String)> = lines
        .map(|line| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            (parts[2].trim_start_matches("http://").to_owned(), parts[4].to_owned())
        })
        .collect();
    assert_eq!(nodes.len(), 3);
    let signal = |name: &str, process: &str| {
        assert!(Command::new("kill").args([name, process]).status().unwrap().success());
    };
    signal("-KILL", &nodes[0].1);
    let query = json!({ "query": "mutation { createCustomer(data: { name: \"Ada\", email: \"ada@example.org\" }) { customer { name } } }" });
    until("the others write", || {
        let reply = post(
            &Way::new(&nodes[1].0, None),
            "/graphql",
            &[("idempotency-key", "ada")],
            &query,
            Duration::from_secs(3),
        )
        .ok()?;
        (reply.json()["data"]["createCustomer"]["customer"]["name"] == "Ada").then_some(())
    });
    let query =
        json!({ "query": "{ products { totalCount } customers(where: { name: { eq: \"Ada\" } }) { totalCount } }" });
    until("the others read", || {
        let reply = post(&Way::new(&nodes[2].0, None), "/graphql", &[], &query, Duration::from_secs(3)).ok()?;
        let data = &reply.json()["data"];
        (data["products"]["totalCount"] == 62 && data["customers"]["totalCount"] == 1).then_some(())
    });
    signal("-INT", &demo.id().to_string());
    assert!(demo.wait().unwrap().success());
    let words = words.join().unwrap();
    for text in ["Any node takes any request", "kill -9 ", "cluster status --url", "Node 1 ended"] {
        assert!(words.contains(text), "{text}: {words}");
    }
    assert!(words.ends_with("Stopping the nodes."), "nodes that stop together do not complain: {words}");
    for (address, _) in nodes {
        assert!(std::net::TcpStream::connect(address).is_err(), "its nodes have ended");
    }
}
