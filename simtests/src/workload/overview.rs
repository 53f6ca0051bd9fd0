//! Everything that a workload works on, read as its clients read it: what somebody outside can know at the end.
//!
//! The answers go to the checkers that need no versions, like those of any other client.

use super::rows::filter::OrderKey;
use super::rows::table::Table;
use super::rows::{self, Operation, Query, Walk, Way};
use super::task::{Part, Task};
use super::{Action, Workload};
use crate::history::History;
use std::collections::BTreeSet;

/// Lists that one transaction reads.
const LISTS_AT_ONCE: usize = 8;
/// Records that a list shows at most: above what the workloads make, where each has lists below it and where not.
const ALL_WITH_LISTS: u64 = 200;
const ALL: u64 = 1000;

impl Workload {
    /// True when a checker that needs no versions knows it.
    pub fn has_witness(self) -> bool {
        !matches!(self, Workload::Mixed | Workload::Schema)
    }

    /// Reads of everything that was worked on in a history; none where no checker without versions would look at them.
    pub fn overview(self, past: &History) -> Vec<Action> {
        let read_tables = |tables: &[Table]| {
            let lists = tables.iter().map(|of| rows::Part::List(all(*of))).collect();
            vec![Action::Rows(Operation::of(lists))]
        };
        let tasks = match self {
            Workload::Mixed | Workload::Schema => return Vec::new(),
            Workload::Index => return read_tables(&[Table::Purse, Table::Pair]),
            Workload::Pagination => return vec![Action::Rows(Operation::of(vec![rows::Part::Walk(one_page())]))],
            Workload::Unique => return read_tables(&[Table::Person]),
            Workload::Relation => {
                let both_sides =
                    [Table::Author, Table::Shelf, Table::Book, Table::Topic, Table::Chapter, Table::Remark];
                return read_tables(&both_sides);
            }
            Workload::Counter => return read_tables(&[Table::Counter, Table::Tick]),
            Workload::Append => transactions(past),
            Workload::Bank => vec![Task::ReadAccounts, Task::ReadAccountsByBalance],
            Workload::Register => registers(past),
            Workload::Set => Vec::new(),
        };
        // Whether a node still writes is seen with the set, whatever else it works on.
        tasks.into_iter().chain([Task::ReadMembers]).map(Action::Task).collect()
    }
}

fn all(of: Table) -> Query {
    let has_lists = of.fields().iter().any(|field| field.kind.is_list());
    let first = if has_lists { ALL_WITH_LISTS } else { ALL };
    Query { of, first, counted: true, order: vec![OrderKey::up("name")], filter: None, below: None }
}

fn one_page() -> Walk {
    let (cursor, seen, at) = (None, Vec::new(), None);
    let order = vec![OrderKey::up("name")];
    Walk { of: Table::Foliage, size: ALL, way: Way::Forward, counted: true, order, filter: None, cursor, seen, at }
}

fn tasks(past: &History) -> impl Iterator<Item = &Task> {
    past.calls.iter().filter_map(|call| match &call.action {
        Action::Task(task) => Some(task),
        _ => None,
    })
}

/// Every list that was appended to or read.
fn transactions(past: &History) -> Vec<Task> {
    let parts = tasks(past).flat_map(|task| match task {
        Task::Transact { parts } => &parts[..],
        _ => &[],
    });
    let list = |part: &Part| match part {
        Part::Append { list, .. } | Part::Read { list } => Some(*list),
        Part::Fail => None,
    };
    let lists: Vec<u64> = parts.filter_map(list).collect::<BTreeSet<_>>().into_iter().collect();
    let read = |lists: &[u64]| Task::Transact { parts: lists.iter().map(|list| Part::Read { list: *list }).collect() };
    lists.chunks(LISTS_AT_ONCE).map(read).collect()
}

/// Every register that was opened.
fn registers(past: &History) -> Vec<Task> {
    let name = |task: &Task| match task {
        Task::OpenRegister { name } => Some(name.clone()),
        _ => None,
    };
    let names: BTreeSet<String> = tasks(past).filter_map(name).collect();
    names.into_iter().map(|name| Task::ReadRegister { name }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use clap::ValueEnum;

    #[test]
    fn what_was_worked_on_is_read_and_nothing_is_written() {
        for workload in Workload::value_variants() {
            let mut past = History::default();
            for step in workload.draw(1, 30, &mut Rng::stream(7, "steps")) {
                let begun = past.moment(0, 0);
                past.begin(1, step.key, step.action, begun);
            }
            let reads = workload.overview(&past);
            assert_eq!(!reads.is_empty(), workload.has_witness(), "{workload:?}");
            assert!(reads.iter().all(|read| !read.is_mutation()), "{reads:?}");
        }
    }

    #[test]
    fn each_list_is_read_once() {
        let mut past = History::default();
        for list in [3, 1, 3, 2, 20, 21, 22, 23, 24, 25] {
            let parts = vec![Part::Append { list, value: list }, Part::Fail];
            let begun = past.moment(0, 0);
            past.begin(1, None, Action::Task(Task::Transact { parts }), begun);
        }
        let read = Workload::Append.overview(&past);
        assert_eq!(read.len(), 3, "two transactions and the set");
        let Action::Task(Task::Transact { parts }) = &read[0] else { panic!("{read:?}") };
        assert_eq!(parts[..3], [1, 2, 3].map(|list| Part::Read { list }));
    }
}
