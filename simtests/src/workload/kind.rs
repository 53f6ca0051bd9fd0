//! Which workload a run has: its schema, and how the steps of its clients are drawn.

use super::rows::filter::OrderKey;
use super::rows::table::Table;
use super::rows::{self, NewRow, Operation, Query};
use super::task::{Part, Task};
use super::{Action, Freshness, Sent, Step, counter, index, pagination, relation, schema_change, unique};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// Lists that are in use at the same time: few, so that transactions meet.
const LISTS: u64 = 3;
/// Steps of each client after which other lists are used.
const LIST_STEPS: u64 = 12;
/// Accounts of the bank.
const ACCOUNTS: u64 = 4;
/// What is on each account at first.
pub const BALANCE: i64 = 100;
/// Registers.
const REGISTERS: u64 = 3;
/// What registers hold: few values, so that swaps often fit.
const VALUES: u64 = 4;
/// More than the steps of a client: values of different clients differ.
const STEPS_MAX: u64 = 1000;
/// About as long as the first client takes to make what all work on.
const OPENING_MICROS: u64 = 8_000;
/// Above the shelves that steps use.
const PROBE_SHELF: i64 = 1000;
/// Above the values that steps use.
const PROBE_VALUE: u64 = 1_000_000;
/// More than the parts of a transaction.
const PARTS_MAX: u64 = 10;

/// What clients do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// One of everything, checked by the certificate.
    #[default]
    Mixed,
    /// Transactions of appends to lists and reads of them, checked for cycles too.
    Append,
    /// Transfers between accounts: all reads have one sum.
    Bank,
    /// Registers with compare-and-set, checked for linearizability too.
    Register,
    /// A set that grows: what was added stays.
    Set,
    /// Reads through indexes, with filters and orders, beside writes.
    Index,
    /// Walks over pages.
    Pagination,
    /// Values that only one may have.
    Unique,
    /// Records that refer to each other.
    Relation,
    /// Counters under requests that are sent twice.
    Counter,
    /// A schema that changes meanwhile.
    Schema,
}

impl Workload {
    /// Its name on the command line.
    pub fn word(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The schema that it begins with.
    pub fn schema(self) -> &'static str {
        match self {
            Workload::Mixed => super::SCHEMA,
            Workload::Schema => schema_change::SCHEMA,
            Workload::Append | Workload::Bank | Workload::Register | Workload::Set => include_str!("tasks.graphql"),
            _ => rows::SCHEMA,
        }
    }

    /// The steps of a client.
    pub fn draw(self, client: u64, count: u64, rng: &mut Rng) -> Vec<Step> {
        if self == Workload::Mixed {
            return super::draw(client, count, rng);
        }
        let opening = if client == 1 { self.opening() } else { Vec::new() };
        let opening = opening.into_iter().map(|action| (0, action));
        let mut all: Vec<(u64, Action)> = opening.collect();
        for number in 1..=count {
            let action = match self {
                Workload::Append => Action::Task(transact(client, number, rng)),
                Workload::Bank => Action::Task(bank(format!("c{client}-{number}-then"), rng)),
                Workload::Register => Action::Task(register((client, number), rng)),
                Workload::Mixed | Workload::Set => Action::Task(set(client, number, rng)),
                Workload::Index => Action::Rows(index::draw(client, number, rng)),
                Workload::Pagination => Action::Rows(pagination::draw(client, number, rng)),
                Workload::Unique => Action::Rows(unique::draw(rng)),
                Workload::Relation => Action::Rows(relation::draw(number, rng)),
                Workload::Counter => Action::Rows(counter::draw(client, number, rng)),
                Workload::Schema => Action::Schema(schema_change::draw(client, number, rng)),
            };
            // The first client makes what the others work on.
            let later = if client > 1 && number == 1 { OPENING_MICROS } else { 0 };
            all.push((later + rng.spread(1, 6_000), action));
        }
        let step = |(number, (pause_micros, action)): (u64, (u64, Action))| {
            let key = action.is_mutation().then(|| format!("c{client}-{number}"));
            let often = [Sent::Once, Sent::Once, Sent::Once, Sent::Again, Sent::Twice];
            let repeats = key.is_some() && action.declares().is_none();
            let sent = if repeats { *rng.pick(&often) } else { Sent::Once };
            Step { pause_micros, at_ms: 0, key, sent, freshness: Freshness::Newest, action }
        };
        let mut steps: Vec<Step> = (1..).zip(all).map(step).collect();
        if matches!(self, Workload::Counter | Workload::Schema) {
            send_again(&mut steps, rng);
        }
        steps
    }

    /// A mutation that no step makes: to see whether a node still writes.
    pub fn probe(self, number: u64) -> Action {
        match self {
            Workload::Mixed => {
                let shelf = i64::try_from(number).expect("probes are few") + PROBE_SHELF;
                Action::CreateBox { tag: format!("probe{number}"), room: "RED".into(), shelf }
            }
            Workload::Append | Workload::Bank | Workload::Register | Workload::Set => {
                Action::Task(Task::AddMember { value: number + PROBE_VALUE })
            }
            Workload::Schema => {
                let said = schema_change::Said { size: Some(0), ..schema_change::Said::default() };
                Action::Schema(schema_change::Task::Create { name: format!("probe{number}"), said })
            }
            _ => {
                let rows = vec![NewRow::new(format!("probe{number}"), [])];
                Action::Rows(Operation::of(vec![rows::Part::Create { of: Table::Gate, rows }]))
            }
        }
    }

    /// A read that no step makes: to see whether a node still reads.
    pub fn look(self) -> Action {
        match self {
            Workload::Mixed => Action::CountItems,
            Workload::Append | Workload::Bank | Workload::Register | Workload::Set => Action::Task(Task::ReadMembers),
            Workload::Schema => {
                let (least, renamed) = (i64::from(i32::MAX), None);
                Action::Schema(schema_change::Task::List { least, renamed, extra: false, worth: false })
            }
            _ => {
                let order = vec![OrderKey::up("name")];
                let some = Query { of: Table::Gate, first: 1, counted: true, order, filter: None, below: None };
                Action::Rows(Operation::of(vec![rows::Part::List(some)]))
            }
        }
    }

    /// What the first client does before all else.
    fn opening(self) -> Vec<Action> {
        let accounts = || (0..ACCOUNTS).map(|number| Task::OpenAccount { name: account(number), balance: BALANCE });
        let registers = || (0..REGISTERS).map(|number| Task::OpenRegister { name: format!("r{number}") });
        let tasks = match self {
            Workload::Append => vec![Task::OpenGate],
            Workload::Bank => accounts().collect(),
            Workload::Register => registers().collect(),
            _ => Vec::new(),
        };
        let operations = match self {
            Workload::Index => index::opening(),
            Workload::Unique => unique::opening(),
            Workload::Relation => relation::opening(),
            Workload::Counter => counter::opening(),
            _ => Vec::new(),
        };
        let tasks = tasks.into_iter().map(Action::Task);
        tasks.chain(operations.into_iter().map(Action::Rows)).collect()
    }
}

/// Some mutations are sent again when much else has happened: they must be answered as they were.
fn send_again(steps: &mut [Step], rng: &mut Rng) {
    for at in 1..steps.len() {
        let earlier = &steps[rng.below(at as u64) as usize];
        let is_sendable = earlier.key.is_some() && earlier.action.declares().is_none();
        if is_sendable && steps[at].action.declares().is_none() && rng.chance(1, 4) {
            let (key, action) = (earlier.key.clone(), earlier.action.clone());
            steps[at] = Step { key, action, sent: Sent::Once, ..steps[at].clone() };
        }
    }
}

fn transact(client: u64, number: u64, rng: &mut Rng) -> Task {
    let first = number / LIST_STEPS * LISTS;
    let part = |place: u64| {
        let list = first + rng.below(LISTS);
        let value = (client * STEPS_MAX + number) * PARTS_MAX + place;
        if rng.chance(1, 2) { Part::Append { list, value } } else { Part::Read { list } }
    };
    let mut parts: Vec<Part> = (0..1 + number % 4).map(part).collect();
    if rng.chance(1, 10) {
        parts.push(Part::Fail);
    }
    Task::Transact { parts }
}

fn account(number: u64) -> String {
    format!("a{number}")
}

fn bank(key: String, rng: &mut Rng) -> Task {
    match rng.below(8) {
        0 | 1 => Task::ReadAccounts,
        2 => Task::ReadAccountsByBalance,
        _ => {
            let from = rng.below(ACCOUNTS);
            let to = (from + rng.between(1, ACCOUNTS - 1)) % ACCOUNTS;
            Task::ReadPair { from: account(from), to: account(to), amount: rng.between(1, BALANCE as u64) as i64, key }
        }
    }
}

fn register((client, number): (u64, u64), rng: &mut Rng) -> Task {
    let name = format!("r{}", rng.below(REGISTERS));
    let (value, from) = (rng.below(VALUES) as i64, rng.below(VALUES) as i64);
    // A value that nobody else writes tells more.
    let own = (client * STEPS_MAX + number) as i64;
    match rng.below(10) {
        0..=2 => Task::ReadRegister { name },
        3 => Task::WriteRegister { name, value },
        4 => Task::WriteRegister { name, value: own },
        5..=6 => Task::SwapRegister { name, from, to: value },
        _ => Task::ReadToSwap { name, to: own, key: format!("c{client}-{number}-then") },
    }
}

fn set(client: u64, number: u64, rng: &mut Rng) -> Task {
    match rng.below(3) {
        0 => Task::ReadMembers,
        _ => Task::AddMember { value: client * STEPS_MAX + number },
    }
}
