//! What goes wrong with real nodes, one thing after the other, each in an order and for a time that the seed decides.

use super::harness::cluster::{Cluster, post, until};
use super::harness::pause;
use super::record::Record;
use serde_json::json;
use std::time::Duration;
use vivarium_simtests::rng::Rng;

/// A node that is asked who leads answers in this time or is passed over: it may sleep.
const WORD_TIME_MAX: Duration = Duration::from_millis(500);

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Mischief {
    /// `kill -9`.
    KillLeader,
    KillOne,
    /// A majority at once, as when power fails.
    KillTwo,
    KillAll,
    /// SIGSTOP, and SIGCONT.
    PauseLeader,
    PauseTwo,
    /// Each is stopped in good order and started again, one after the other.
    RestartEach,
    /// The disk below it is full, and then it is not.
    FillLeader,
    FillOne,
    /// Nobody hears the leader, nor does it hear anybody.
    LeaderAlone,
    /// One that does not lead is alone.
    OtherAlone,
    /// Nobody hears the leader; it hears all.
    LeaderMute,
    /// The leader hears nobody; all hear it.
    LeaderDeaf,
    /// Two do not hear each other; the leader hears both.
    OthersApart,
    /// The leader and one other do not hear each other; the third hears both.
    LeaderApart,
}

/// What happens to processes.
pub const PROCESSES: [Mischief; 7] = [
    Mischief::KillLeader,
    Mischief::KillOne,
    Mischief::KillTwo,
    Mischief::KillAll,
    Mischief::PauseLeader,
    Mischief::PauseTwo,
    Mischief::RestartEach,
];
/// What happens to disks and processes: a node of a full disk has to be started again.
pub const DISKS_AND_PROCESSES: [Mischief; 9] = {
    let [one, two, three, four, five, six, seven] = PROCESSES;
    [one, two, three, four, five, six, seven, Mischief::FillLeader, Mischief::FillOne]
};
/// What happens between machines.
pub const NETWORKS: [Mischief; 6] = [
    Mischief::LeaderAlone,
    Mischief::OtherAlone,
    Mischief::LeaderMute,
    Mischief::LeaderDeaf,
    Mischief::OthersApart,
    Mischief::LeaderApart,
];

/// All of these once, in the order of the seed.
pub fn disturb(cluster: &Cluster, record: &Record, mischiefs: &[Mischief], rng: &mut Rng) {
    let mut left = mischiefs.to_vec();
    while !left.is_empty() {
        let mischief = left.swap_remove(rng.below(left.len() as u64) as usize);
        pause(Duration::from_millis(rng.between(100, 600)));
        let leader = until("one leads", || leader(cluster));
        record.note(&format!("{mischief:?}; node {leader} leads"));
        let scene = Scene { cluster, record, leader };
        scene.play(mischief, rng);
    }
}

/// Who leads, as the first says that says it.
fn leader(cluster: &Cluster) -> Option<usize> {
    (1..=cluster.site.nodes).find_map(|node| {
        let body = json!({ "query": "{ cluster { leader } }" });
        let reply = post(&cluster.way(node)?, "/admin/graphql", &[], &body, WORD_TIME_MAX).ok()?;
        reply.json()["data"]["cluster"]["leader"].as_str()?.parse().ok()
    })
}

struct Scene<'a> {
    cluster: &'a Cluster,
    record: &'a Record,
    leader: usize,
}

impl Scene<'_> {
    fn play(&self, mischief: Mischief, rng: &mut Rng) {
        // Often longer than an election takes.
        let lasts = Duration::from_millis(rng.between(300, 1800));
        let any = rng.between(1, self.cluster.site.nodes as u64) as usize;
        let all: Vec<usize> = (1..=self.cluster.site.nodes).collect();
        let others: Vec<usize> = all.iter().copied().filter(|node| *node != self.leader).collect();
        let other = *rng.pick(&others);
        match mischief {
            Mischief::KillLeader => self.kill(&[self.leader], lasts),
            Mischief::KillOne => self.kill(&[any], lasts),
            Mischief::KillTwo => self.kill(&[self.leader, other], lasts),
            Mischief::KillAll => self.kill(&all, lasts),
            Mischief::PauseLeader => self.pause(&[self.leader], lasts),
            Mischief::PauseTwo => self.pause(&[any, if any == other { self.leader } else { other }], lasts),
            Mischief::RestartEach => self.restart(&all),
            Mischief::FillLeader => self.fill(self.leader, lasts),
            Mischief::FillOne => self.fill(any, lasts),
            Mischief::LeaderAlone => self.cut(&both_ways(&[self.leader], &others), lasts),
            Mischief::OtherAlone => {
                let rest: Vec<usize> = all.into_iter().filter(|node| *node != other).collect();
                self.cut(&both_ways(&[other], &rest), lasts);
            }
            Mischief::LeaderMute => self.cut(&one_way(&[self.leader], &others), lasts),
            Mischief::LeaderDeaf => self.cut(&one_way(&others, &[self.leader]), lasts),
            Mischief::OthersApart => self.cut(&both_ways(&others[..1], &others[1..]), lasts),
            Mischief::LeaderApart => self.cut(&both_ways(&[self.leader], &[other]), lasts),
        }
    }

    fn kill(&self, nodes: &[usize], lasts: Duration) {
        let servers: Vec<_> = nodes.iter().map(|node| self.cluster.take(*node)).collect();
        for (node, server) in nodes.iter().zip(servers) {
            self.record.hear(*node, &server.kill());
        }
        pause(lasts);
        for node in nodes {
            self.cluster.serve(*node);
        }
        self.record.note(&format!("{nodes:?} run again"));
    }

    fn pause(&self, nodes: &[usize], lasts: Duration) {
        for node in nodes {
            self.cluster.pause(*node);
        }
        pause(lasts);
        for node in nodes {
            self.cluster.wake(*node);
        }
        self.record.note(&format!("{nodes:?} woke"));
    }

    fn restart(&self, nodes: &[usize]) {
        for node in nodes {
            let (status, words) = self.cluster.take(*node).stop();
            assert!(status.success(), "node {node}: {status}: {words}");
            self.record.hear(*node, &words);
            self.cluster.serve(*node);
            self.cluster.ready(*node);
        }
        self.record.note("all have been restarted");
    }

    fn fill(&self, node: usize, lasts: Duration) {
        let disk = &self.cluster.site.disks[node - 1];
        disk.fill();
        pause(lasts);
        disk.empty();
        // One that had nothing to write meanwhile goes on.
        let ended = until("it ends or goes on", || {
            let ended = self.cluster.has_ended(node);
            (ended || self.cluster.is_ready(node)).then_some(ended)
        });
        if ended {
            let (status, words) = self.cluster.take(node).end();
            assert_eq!(status.code(), Some(7), "node {node}: {words}");
            assert!(words.contains("No space left"), "node {node}: {words}");
            self.record.hear(node, &words);
            self.cluster.serve(node);
        }
        self.record.note(&format!("there is room on {node} again; it had ended: {ended}"));
    }

    fn cut(&self, links: &[(usize, usize)], lasts: Duration) {
        let network = self.cluster.site.network.as_ref().expect("only nodes of a network are cut off");
        for (from, to) in links {
            network.cut(*from, *to);
        }
        pause(lasts);
        network.mend();
        self.record.note("the network is whole");
    }
}

fn one_way(from: &[usize], to: &[usize]) -> Vec<(usize, usize)> {
    from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))).collect()
}

fn both_ways(some: &[usize], others: &[usize]) -> Vec<(usize, usize)> {
    [one_way(some, others), one_way(others, some)].concat()
}
