//! Several nodes under the simulator: killed, cut off, healed, and with fates for their messages.
//!
//! `RUSTFLAGS="--cfg madsim" cargo test -p vivarium-consensus --lib transport`

use super::*;
use madsim::Config;
use madsim::net::NetSim;
use madsim::runtime::{Handle, Runtime as Simulator};
use madsim::task::NodeId;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use vivarium_storage::runtime::set_network;

/// The transports that run now, by machine.
type Running = Arc<Mutex<BTreeMap<u64, (Transport, Arc<Recorder>)>>>;
/// What was heard in all lives of all machines.
type Recorders = Arc<Mutex<Vec<(u64, Arc<Recorder>)>>>;

/// Machines with one transport each, which start with them.
struct Machines {
    ids: BTreeMap<u64, NodeId>,
    running: Running,
    recorders: Recorders,
}

fn address(node: u64) -> String {
    format!("10.0.0.{node}:7000")
}

impl Machines {
    fn start(nodes: std::ops::RangeInclusive<u64>) -> Machines {
        let (running, recorders) = (Running::default(), Recorders::default());
        let peers: BTreeMap<u64, String> = nodes.clone().map(|node| (node, address(node))).collect();
        let ids = nodes.map(|node| {
            let (running, recorders, peers) = (running.clone(), recorders.clone(), peers.clone());
            let life = move || {
                let (running, recorders, peers) = (running.clone(), recorders.clone(), peers.clone());
                async move {
                    let (transport, recorder) = started(options(node, &address(node))).await;
                    transport.set_peers(peers);
                    recorders.lock().unwrap().push((node, recorder.clone()));
                    running.lock().unwrap().insert(node, (transport, recorder));
                    std::future::pending::<()>().await;
                }
            };
            let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, node as u8));
            let machine = Handle::current().create_node().name(format!("node-{node}")).ip(ip).init(life).build();
            (node, machine.id())
        });
        Machines { ids: ids.collect(), running, recorders }
    }

    /// The transport of a machine, once it is there.
    async fn of(&self, node: u64) -> (Transport, Arc<Recorder>) {
        loop {
            if let Some(found) = self.running.lock().unwrap().get(&node) {
                return found.clone();
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn request(
        &self,
        from: u64,
        to: u64,
        body: &[u8],
        patience_ms: u64,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let (transport, _) = self.of(from).await;
        transport.request(to, body.to_vec(), now() + Duration::from_millis(patience_ms)).await
    }

    fn kill(&self, node: u64) {
        self.running.lock().unwrap().remove(&node);
        Handle::current().kill(self.ids[&node]);
    }

    fn cut(&self, from: u64, to: u64) {
        NetSim::current().clog_link(self.ids[&from], self.ids[&to]);
    }

    fn heal(&self, from: u64, to: u64) {
        NetSim::current().unclog_link(self.ids[&from], self.ids[&to]);
    }
}

fn simulate<F: Future>(seed: u64, run: impl FnOnce() -> F) -> F::Output {
    Simulator::with_seed_and_config(seed, Config::default()).block_on(async { run().await })
}

const ANSWERED: &[u8] = b"answer to x";

#[test]
fn a_cut_link_is_found_within_three_seconds_and_heals() {
    let cuts: [&[(u64, u64)]; 3] = [&[(1, 2)], &[(2, 1)], &[(1, 2), (2, 1)]];
    for (seed, cut) in (0..).zip(cuts.into_iter().cycle()).take(12) {
        simulate(seed, || async move {
            let machines = Machines::start(1..=2);
            assert_eq!(machines.request(1, 2, b"x", 5_000).await.unwrap(), ANSWERED);
            let cutting = async {
                sleep(Duration::from_millis(100)).await;
                cut.iter().for_each(|(from, to)| machines.cut(*from, *to));
                now()
            };
            let (answer, cut_at) = both(machines.request(1, 2, b"never", 60_000), cutting).await;
            assert_eq!(answer, Err(RequestError::Unknown));
            assert!(now() - cut_at < Duration::from_secs(3), "seed {seed}: found after {:?}", now() - cut_at);
            assert!(matches!(machines.request(1, 2, b"x", 1_000).await, Err(RequestError::NotSent(_))), "seed {seed}");
            sleep(Duration::from_secs(20)).await;
            assert!(!machines.of(1).await.0.peers()[0].connected);
            cut.iter().for_each(|(from, to)| machines.heal(*from, *to));
            assert_eq!(machines.request(1, 2, b"x", 5_000).await.unwrap(), ANSWERED, "seed {seed}");
            assert_eq!(machines.request(2, 1, b"x", 5_000).await.unwrap(), ANSWERED, "seed {seed}");
        });
    }
}

#[test]
fn a_peer_that_calls_is_called_back_without_a_pause() {
    for seed in 0..12 {
        simulate(seed, || async move {
            let machines = Machines::start(1..=2);
            assert_eq!(machines.request(1, 2, b"x", 5_000).await.unwrap(), ANSWERED);
            for (from, to) in [(1, 2), (2, 1)] {
                machines.cut(from, to);
            }
            // By then each of them waits for up to two seconds between two attempts.
            sleep(Duration::from_secs(20)).await;
            let there = [machines.of(1).await.0, machines.of(2).await.0];
            let connected = || there.iter().filter(|transport| transport.peers()[0].connected).count();
            assert_eq!(connected(), 0, "seed {seed}");
            for (from, to) in [(1, 2), (2, 1)] {
                machines.heal(from, to);
            }
            while connected() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            let since = now();
            while connected() == 1 {
                sleep(Duration::from_millis(1)).await;
            }
            assert!(now() - since < Duration::from_millis(200), "seed {seed}: after {:?}", now() - since);
        });
    }
}

#[test]
fn a_killed_node_is_missed_and_found_again() {
    for seed in 0..8 {
        simulate(seed, || async move {
            let machines = Machines::start(1..=3);
            assert_eq!(machines.request(1, 2, b"x", 5_000).await.unwrap(), ANSWERED);
            let killing = async {
                sleep(Duration::from_millis(100)).await;
                machines.kill(2);
            };
            let (answer, ()) = both(machines.request(1, 2, b"never", 60_000), killing).await;
            assert_eq!(answer, Err(RequestError::Unknown));
            assert!(matches!(machines.request(1, 2, b"x", 1_000).await, Err(RequestError::NotSent(_))));
            assert_eq!(machines.request(1, 3, b"x", 1_000).await.unwrap(), ANSWERED);
            let waiting = machines.request(1, 2, b"x", 10_000);
            let restarting = async {
                sleep(Duration::from_secs(1)).await;
                Handle::current().restart(machines.ids[&2]);
            };
            assert_eq!(both(waiting, restarting).await.0.unwrap(), ANSWERED);
            assert_eq!(machines.request(2, 1, b"x", 5_000).await.unwrap(), ANSWERED);
        });
    }
}

#[test]
fn messages_meet_their_fates() {
    // One registry serves the whole process: these nodes are of this test alone.
    let turn = Mutex::new(0);
    set_network(
        move |from, _| {
            if from != 21 {
                return Fate::Deliver;
            }
            let mut turn = turn.lock().unwrap();
            *turn += 1;
            match *turn {
                1 => Fate::Delay(Duration::from_millis(500)),
                2 => Fate::Drop,
                3 => Fate::Duplicate,
                _ => Fate::Deliver,
            }
        },
        |from, to| (from, to) == (23, 22),
    );
    simulate(1, || async {
        let machines = Machines::start(21..=23);
        let (transport, _) = machines.of(21).await;
        machines.request(21, 22, b"x", 5_000).await.unwrap();
        let sending = Handle::current().get_node(machines.ids[&21]).unwrap().spawn(async move {
            for nth in 1..=4 {
                transport.send(22, GroupId(1), vec![nth]);
            }
        });
        sending.await.unwrap();
        let (_, heard) = machines.of(22).await;
        heard.until(|recorder| recorder.heard.lock().unwrap().len() == 4).await;
        let order: Vec<u8> = heard.heard.lock().unwrap().iter().map(|(_, _, message)| message[0]).collect();
        assert_eq!(order, [3, 3, 4, 1]);
        // Whatever node 23 writes to node 22 breaks the connection: requests as well as answers.
        assert_eq!(machines.request(23, 22, b"x", 5_000).await, Err(RequestError::Unknown));
        assert_eq!(machines.request(22, 23, b"x", 5_000).await, Err(RequestError::Unknown));
        assert_eq!(machines.request(21, 23, b"x", 5_000).await.unwrap(), ANSWERED);
    });
}

/// Asks and sends whatever comes, for half a minute of cuts and kills. Says what came of each request.
async fn endure(machines: &Machines, chance: &Runtime) -> BTreeMap<u64, std::result::Result<Vec<u8>, RequestError>> {
    let outcomes = Arc::new(Mutex::new(BTreeMap::new()));
    let mut askers = Vec::new();
    let end = now() + Duration::from_secs(30);
    while now() < end {
        let (number, draw) = (askers.len() as u64 + 1, chance.random());
        let (node, other) = (1 + draw % 3, 1 + (draw + 1 + (draw >> 8) % 2) % 3);
        match (draw >> 16) % 100 {
            0..6 => machines.cut(node, other),
            6..9 => (1..=3).for_each(|from| (1..=3).for_each(|to| machines.heal(from, to))),
            9 => machines.kill(node),
            10..15 if !machines.running.lock().unwrap().contains_key(&node) => {
                Handle::current().kill(machines.ids[&node]);
                Handle::current().restart(machines.ids[&node]);
            }
            _ => {}
        }
        let running = machines.running.lock().unwrap().get(&node).cloned();
        if let Some((transport, _)) = running {
            transport.send(other, GroupId(1), number.to_be_bytes().to_vec());
            let (outcomes, deadline) = (outcomes.clone(), now() + Duration::from_millis((draw >> 32) % 1_500));
            askers.push(spawn("asker", async move {
                let body = [&b"x"[..], &number.to_be_bytes()].concat();
                let outcome = transport.request(other, body, deadline).await;
                outcomes.lock().unwrap().insert(number, outcome);
            }));
        }
        sleep(Duration::from_millis((draw >> 48) % 20)).await;
    }
    for asker in askers {
        asker.join().await;
    }
    std::mem::take(&mut outcomes.lock().unwrap())
}

#[test]
fn what_is_said_about_a_request_is_true() {
    let mut totals = [0; 3];
    for seed in 0..20 {
        simulate(seed, || async {
            let (machines, chance) = (Machines::start(1..=3), Runtime::seeded(seed));
            let outcomes = endure(&machines, &chance).await;
            (1..=3).for_each(|from| (1..=3).for_each(|to| machines.heal(from, to)));
            // What is still on its way arrives now, if it ever does.
            sleep(Duration::from_secs(30)).await;
            let mut arrivals: BTreeMap<u64, u32> = BTreeMap::new();
            for (node, recorder) in &*machines.recorders.lock().unwrap() {
                for (_, body) in &*recorder.asked.lock().unwrap() {
                    *arrivals.entry(u64::from_be_bytes(body[1..].try_into().unwrap())).or_default() += 1;
                }
                for from in 1..=3 {
                    let heard = recorder.heard.lock().unwrap();
                    let numbers: Vec<_> =
                        heard.iter().filter(|(sender, ..)| *sender == from).map(|(.., number)| number).collect();
                    assert!(numbers.is_sorted_by(|one, next| one < next), "seed {seed}: {from} to {node}: {numbers:?}");
                }
            }
            for (number, outcome) in outcomes {
                let arrived = arrivals.get(&number).copied().unwrap_or(0);
                let (kind, true_said) = match outcome {
                    Ok(_) => (0, arrived == 1),
                    Err(RequestError::NotSent(_)) => (1, arrived == 0),
                    Err(RequestError::Unknown) => (2, arrived <= 1),
                    Err(_) => panic!("{outcome:?}"),
                };
                assert!(true_said, "seed {seed}: request {number} arrived {arrived} times, and was told {outcome:?}");
                totals[kind] += 1;
            }
        });
    }
    assert!(totals.iter().all(|total| *total > 500), "{totals:?} answered, not sent, unknown");
}

/// What three nodes live through in half a minute: who is asked when, and what comes of it.
fn story() -> String {
    simulate(7, || async {
        let machines = Machines::start(1..=3);
        let began = now();
        let mut said = String::new();
        for round in 0..60u64 {
            match round {
                10 => machines.cut(1, 2),
                25 => machines.heal(1, 2),
                30 => machines.kill(3),
                40 => Handle::current().restart(machines.ids[&3]),
                _ => {}
            }
            for (from, to) in [(1, 2), (2, 3), (1, 3), (2, 1)] {
                let (transport, _) = machines.of(from).await;
                transport.send(to, GroupId(1), vec![round as u8]);
                let answer = machines.request(from, to, b"x", 200).await;
                writeln!(said, "{} {from}>{to} {answer:?}", (now() - began).as_micros()).unwrap();
            }
            sleep(Duration::from_millis(100)).await;
        }
        for node in [1, 2, 3] {
            let (transport, recorder) = machines.of(node).await;
            writeln!(said, "{:?} {:?}", transport.peers(), recorder.heard.lock().unwrap()).unwrap();
        }
        said
    })
}

#[test]
#[ignore = "prints for the test below"]
fn tell() {
    println!("{}", story());
}

#[test]
fn two_processes_tell_the_same_story() {
    let told = || {
        let name = "transport::tests::simulated::tell";
        let mut process = Command::new(std::env::current_exe().unwrap());
        let output = process.args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| !line.starts_with("test result")).collect::<Vec<_>>().join("\n")
    };
    let (one, other) = (told(), told());
    assert!(one.matches("Ok(").count() > 100 && one.contains("NotSent") && one.contains("Unknown"), "{one}");
    assert!(one == other, "{one}\n\n{other}");
}
