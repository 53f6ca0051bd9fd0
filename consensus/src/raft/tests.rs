//! Groups of several nodes over real logs: nothing in this crate may assume that a node is alone.

use super::*;
use crate::Role;
use crate::checkpoint::Origin;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc;
use tempfile::TempDir;
use vivarium_storage::engine::{Apply, Position};
use vivarium_storage::runtime::Runtime;
use vivarium_storage::wal::{GroupId, Record};
use vivarium_storage::{Store, StoreOptions, Version, Wal, WalOptions};

const GROUP: GroupId = GroupId(1);

struct Node {
    group: Group,
    wal: Wal,
    store: Store,
    persisted: (mpsc::Sender<u64>, mpsc::Receiver<u64>),
    committed: Vec<Committed>,
    reads: Vec<(u64, u64)>,
}

struct Cluster {
    _dir: TempDir,
    nodes: BTreeMap<u64, Node>,
    messages: VecDeque<Message>,
    cut_off: BTreeSet<u64>,
}

fn open(dir: &TempDir, node: u64, voters: &[u64]) -> Node {
    let options = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
    let wal = Wal::open(&dir.path().join(node.to_string()), options, &Runtime::seeded(node)).unwrap();
    let options = GroupOptions {
        id: GROUP,
        node,
        seed: 7,
        incarnation: 7,
        uncommitted_bytes_max: 1 << 20,
        founders: voters.to_vec(),
        configuration: None,
    };
    let store = Store::open(&dir.path().join(format!("store-{node}")), StoreOptions::default()).unwrap();
    let group = Group::open(wal.clone(), store.clone(), &wal.recovered(GROUP), options).unwrap();
    Node { group, wal, store, persisted: mpsc::channel(), committed: Vec::new(), reads: Vec::new() }
}

impl Node {
    /// Performs one set of effects, without waiting for the disk. Returns what may be sent, and the number of
    /// what was written.
    fn perform(&mut self) -> Option<(Vec<Message>, Option<u64>)> {
        let effects = self.group.ready().unwrap()?;
        let written = (!effects.records.is_empty()).then_some(effects.number);
        if let Some(number) = written {
            let persisted = self.persisted.0.clone();
            self.wal.append(
                GROUP,
                effects.records,
                Box::new(move |written| {
                    written.unwrap();
                    persisted.send(number).unwrap();
                }),
            );
        }
        self.group.advance().unwrap();
        if let Some(last) = effects.committed.last() {
            let index = last.index;
            let position = Position { index, term: last.term, version: Version(index) };
            self.store.apply(&[Apply { position, mutations: &[] }]).unwrap();
            self.committed.extend(effects.committed);
            self.group.step(Event::Applied(index)).unwrap();
        }
        self.reads.extend(effects.reads);
        Some((effects.messages, written))
    }

    fn commands(&self) -> Vec<&[u8]> {
        let commands = self.committed.iter().filter_map(|entry| match &entry.payload {
            Payload::Command(bytes) => Some(&bytes[..]),
            Payload::Nothing | Payload::Configuration(_) => None,
        });
        commands.collect()
    }
}

impl Cluster {
    fn new(size: u64) -> Cluster {
        let dir = TempDir::new().unwrap();
        let voters: Vec<u64> = (1..=size).collect();
        let nodes = voters.iter().map(|id| (*id, open(&dir, *id, &voters))).collect();
        Cluster { _dir: dir, nodes, messages: VecDeque::new(), cut_off: BTreeSet::new() }
    }

    fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&id).unwrap()
    }

    /// Lets everything happen that does not need time to pass.
    fn settle(&mut self) {
        loop {
            let mut idle = true;
            for (id, node) in &mut self.nodes {
                while let Some((messages, written)) = node.perform() {
                    idle = false;
                    if !self.cut_off.contains(id) {
                        self.messages.extend(messages);
                    }
                    if written.is_some() {
                        let number = node.persisted.1.recv().unwrap();
                        let promises = node.group.step(Event::Persisted(number)).unwrap();
                        if !self.cut_off.contains(id) {
                            self.messages.extend(promises);
                        }
                    }
                }
            }
            while let Some(message) = self.messages.pop_front() {
                idle = false;
                let to = message.to();
                if !self.cut_off.contains(&to) {
                    self.node(to).group.step(Event::Message(message)).unwrap();
                }
            }
            if idle {
                return;
            }
        }
    }

    /// Lets time pass until a node that is not cut off leads.
    fn elect(&mut self) -> u64 {
        for _ in 0..1000 {
            let reachable = |(id, node): (&u64, &Node)| {
                (!self.cut_off.contains(id) && node.group.role() == Role::Leader).then_some(*id)
            };
            if let Some(leader) = self.nodes.iter().find_map(reachable) {
                return leader;
            }
            self.tick();
        }
        panic!("nobody was elected");
    }

    fn tick(&mut self) {
        for node in self.nodes.values_mut() {
            node.group.step(Event::Tick).unwrap();
        }
        self.settle();
    }
}

#[test]
fn three_nodes_elect_a_leader_and_apply_the_same() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let first = cluster.node(leader).group.propose(vec![1, 10]).unwrap().unwrap();
    let second = cluster.node(leader).group.propose(vec![1, 11]).unwrap().unwrap();
    assert_eq!(second.index, first.index + 1);
    cluster.settle();
    for node in cluster.nodes.values() {
        assert_eq!(node.commands(), [&[1, 10], &[1, 11]]);
        assert!(node.committed.windows(2).all(|pair| pair[1].index == pair[0].index + 1));
        assert_eq!(node.group.leader(), Some(leader));
        assert_eq!(node.group.voters(), [1, 2, 3]);
        assert!(!node.group.is_lone_voter());
    }
}

#[test]
fn a_follower_neither_proposes_nor_forwards() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let follower = if leader == 1 { 2 } else { 1 };
    assert_eq!(cluster.node(follower).group.propose(vec![1, 10]).unwrap(), None);
    cluster.settle();
    assert!(cluster.nodes.values().all(|node| node.commands().is_empty()));
}

#[test]
fn what_a_cut_off_leader_wrote_is_replaced_when_it_comes_back() {
    let mut cluster = Cluster::new(3);
    let old = cluster.elect();
    cluster.cut_off.insert(old);
    let lost = cluster.node(old).group.propose(vec![1, 66]).unwrap().unwrap();
    cluster.settle();
    let new = cluster.elect();
    assert_ne!(new, old);
    let kept = cluster.node(new).group.propose(vec![1, 77]).unwrap().unwrap();
    assert!(kept.term > lost.term && kept.index > lost.index);
    cluster.settle();
    cluster.cut_off.clear();
    for _ in 0..10 {
        cluster.tick();
    }
    for node in cluster.nodes.values() {
        assert_eq!(node.commands(), [&[1, 77]]);
        assert_eq!(node.wal.term(GROUP, lost.index), Some(kept.term));
    }
}

#[test]
fn a_minority_commits_nothing_and_cannot_serve_an_index() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    cluster.settle();
    cluster.cut_off.extend((1..=3).filter(|id| *id != leader));
    let node = cluster.node(leader);
    node.group.propose(vec![1, 10]).unwrap().unwrap();
    node.group.step(Event::ReadIndex(1)).unwrap();
    cluster.settle();
    assert!(cluster.node(leader).commands().is_empty());
    assert!(cluster.node(leader).reads.is_empty());
}

#[test]
fn leader_and_follower_learn_an_index_that_covers_every_commit() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let place = cluster.node(leader).group.propose(vec![1, 10]).unwrap().unwrap();
    cluster.settle();
    for id in 1..=3 {
        assert!(cluster.node(id).group.can_read_index());
        cluster.node(id).group.step(Event::ReadIndex(40 + id)).unwrap();
        cluster.settle();
        assert_eq!(cluster.node(id).reads, [(40 + id, place.index)]);
    }
}

#[test]
fn no_promise_leaves_before_what_it_promises_is_durable() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let follower = if leader == 1 { 2 } else { 1 };
    cluster.node(leader).group.propose(vec![1, 10]).unwrap().unwrap();
    let (appends, _) = cluster.node(leader).perform().unwrap();
    let append = appends.into_iter().find(|message| message.to() == follower).unwrap();
    let node = cluster.node(follower);
    node.group.step(Event::Message(append)).unwrap();
    let (at_once, written) = node.perform().unwrap();
    assert!(at_once.is_empty(), "{at_once:?}");
    let number = node.persisted.1.recv().unwrap();
    assert_eq!(written, Some(number));
    let promises = node.group.step(Event::Persisted(number)).unwrap();
    assert_eq!(promises.len(), 1);
}

#[test]
fn a_group_goes_on_where_its_log_ends() {
    let dir = TempDir::new().unwrap();
    let mut node = open(&dir, 1, &[1]);
    node.group.step(Event::Campaign).unwrap();
    node.group.propose(vec![1, 10]).unwrap().unwrap();
    node.perform().unwrap();
    node.persisted.1.recv().unwrap();
    let (term, last) = (node.group.term(), node.group.last_index());
    node.wal.close();
    drop(node);
    let mut node = open(&dir, 1, &[1]);
    assert_eq!((node.group.term(), node.group.last_index()), (term, last));
    assert_eq!(node.group.role(), Role::Follower);
    node.group.step(Event::Campaign).unwrap();
    assert_eq!((node.group.role(), node.group.term()), (Role::Leader, term + 1));
    while let Some((_, written)) = node.perform() {
        if written.is_some() {
            let number = node.persisted.1.recv().unwrap();
            node.group.step(Event::Persisted(number)).unwrap();
        }
    }
    assert_eq!(node.commands(), [&[1, 10]]);
    assert_eq!(node.group.committed_index(), last + 1);
}

#[test]
fn a_broken_invariant_breaks_the_group_and_not_the_process() {
    let mut cluster = Cluster::new(1);
    let group = &mut cluster.node(1).group;
    let broken = group.step(Event::Applied(99)).unwrap_err();
    assert!(broken.to_string().contains("applied(99) is out of range"), "{broken}");
    assert_eq!(group.step(Event::Tick).unwrap_err().to_string(), broken.to_string());
}

#[test]
fn a_follower_that_needs_a_checkpoint_is_told_until_it_has_one() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    let follower = if leader == 1 { 2 } else { 1 };
    cluster.cut_off.insert(follower);
    for nth in 0..5 {
        cluster.node(leader).group.propose(vec![1, nth]).unwrap().unwrap();
    }
    cluster.settle();
    let applied = cluster.node(leader).store.position();
    cluster.node(leader).group.purged(applied.index);
    cluster.cut_off.clear();
    // A word may be lost, and what follows it: it comes again.
    for _ in 0..3 {
        let mut ticks = 0;
        let need = loop {
            cluster.tick();
            if let Some(need) = cluster.node(follower).group.take_need() {
                break need;
            }
            ticks += 1;
            assert!(ticks < 200, "nobody says that a checkpoint is needed");
        };
        assert_eq!((need.from, need.at_least), (leader, applied.index));
        assert_eq!(need.term, cluster.node(leader).group.term());
    }
    let founders = cluster.node(leader).group.founders();
    let origin = Origin::of(&cluster.node(leader).store.snapshot(), &founders).unwrap();
    cluster.tick();
    let need = crate::checkpoint::Need { from: leader, term: cluster.node(leader).group.term(), at_least: 1 };
    let stale = crate::checkpoint::Need { term: need.term - 1, ..need };
    let node = cluster.node(follower);
    assert!(!node.group.offer(stale, &origin).unwrap());
    assert!(node.group.offer(need, &origin).unwrap());
    let effects = node.group.ready().unwrap().unwrap();
    assert!(effects.checkpoint && effects.messages.is_empty() && effects.committed.is_empty());
    let decision = Record::Checkpoint { index: applied.index, term: applied.term, payload: founders };
    assert!(effects.records.contains(&decision), "{:?}", effects.records);
    let (done, durable) = mpsc::channel();
    node.wal.append(GROUP, effects.records, Box::new(move |written| done.send(written).unwrap()));
    node.group.advance().unwrap();
    durable.recv().unwrap().unwrap();
    let promises = node.group.step(Event::Persisted(effects.number)).unwrap();
    assert_eq!((node.group.first_index(), node.group.committed_index()), (applied.index, applied.index));
    assert!(!node.group.offer(need, &origin).unwrap(), "it has it already");
    // From its answer on the leader sends what comes after.
    cluster.messages.extend(promises);
    cluster.node(leader).group.propose(vec![1, 77]).unwrap().unwrap();
    cluster.settle();
    assert_eq!(cluster.node(follower).commands(), [&[1, 77]]);
}
