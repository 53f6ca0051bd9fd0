//! Histories made by hand: each breaks one rule, and that rule is named.

use super::*;

fn class(checked: Checked) -> String {
    checked.unwrap_err().class
}

fn vow(term: u64, vote: u64) -> Vow {
    Vow { term, vote }
}

fn count(node: u64, term: u64, index: u64, entry_term: u64) -> Count<'static> {
    Count { node, term, index, entry_term: Some(entry_term), voters: &[1, 2, 3] }
}

/// Node 1 leads in term 2, and entry 5 of its term is committed.
fn committed() -> Chronicle {
    let mut chronicle = Chronicle::default();
    chronicle.leads(1, 2, 4, &|_| None).unwrap();
    for node in [1, 2] {
        chronicle.logs(node, Some(1), (5, 2), 55).unwrap();
    }
    chronicle.commits(count(1, 2, 5, 2), &|voter, _, _| voter != 3).unwrap();
    chronicle.applies(1, (5, 2), 55).unwrap();
    chronicle
}

#[test]
fn a_vote_is_given_once_and_is_durable_first() {
    let mut chronicle = Chronicle::default();
    chronicle.votes(3, 7, 1, vow(7, 1)).unwrap();
    chronicle.votes(3, 7, 1, vow(8, 0)).unwrap();
    assert_eq!(class(chronicle.votes(3, 7, 2, vow(7, 2))), "two-votes");
    assert_eq!(class(chronicle.votes(2, 7, 1, vow(6, 1))), "vote-not-durable");
    assert_eq!(class(chronicle.votes(1, 7, 1, vow(7, 0))), "vote-not-durable");
}

#[test]
fn a_disk_forgets_neither_terms_nor_votes() {
    let after = |vows: &[Vow]| {
        let mut chronicle = Chronicle::default();
        let checked: Vec<Checked> = vows.iter().map(|vow| chronicle.vows(1, *vow)).collect();
        chronicle.vows(2, vow(1, 1)).unwrap();
        checked.into_iter().collect::<Checked>()
    };
    after(&[vow(3, 0), vow(3, 2), vow(4, 0)]).unwrap();
    assert_eq!(class(after(&[vow(3, 2), vow(3, 1)])), "vow-broken");
    assert_eq!(class(after(&[vow(3, 2), vow(3, 0)])), "vow-broken");
    assert_eq!(class(after(&[vow(3, 2), vow(2, 2)])), "vow-broken");
}

#[test]
fn what_a_follower_says_that_it_has_is_on_its_disk() {
    let chronicle = Chronicle::default();
    let mut log = Log::default();
    (log.entries, log.vow) = (BTreeMap::from([(1, (1, 0)), (2, (1, 0))]), vow(1, 0));
    chronicle.holds(2, 1, 2, &log).unwrap();
    chronicle.holds(2, 0, 3, &log).unwrap();
    assert_eq!(class(chronicle.holds(2, 1, 3, &log)), "append-not-durable");
}

#[test]
fn one_node_leads_in_a_term_and_has_all_that_is_committed() {
    let has = |term| move |index: u64| (index <= 5).then_some(term);
    assert_eq!(class(committed().leads(2, 2, 0, &has(2))), "two-leaders");
    committed().leads(2, 3, 0, &has(2)).unwrap();
    committed().leads(2, 3, 9, &|_| None).unwrap();
    committed().leads(3, 1, 0, &|_| None).expect("nothing was committed before its term");
    assert_eq!(class(committed().leads(3, 3, 4, &has(1))), "leader-incomplete");
    assert_eq!(class(committed().leads(3, 3, 4, &|_| None)), "leader-incomplete");
}

#[test]
fn entries_of_one_index_and_term_are_one_and_follow_one() {
    committed().logs(3, Some(1), (5, 2), 55).unwrap();
    committed().logs(3, None, (5, 2), 55).unwrap();
    committed().logs(3, Some(1), (5, 3), 56).unwrap();
    assert_eq!(class(committed().logs(3, Some(1), (5, 2), 56)), "logs-differ");
    assert_eq!(class(committed().logs(3, Some(2), (5, 2), 55)), "logs-differ");
}

#[test]
fn only_a_majority_of_disks_commits() {
    let mut chronicle = committed();
    assert_eq!(class(chronicle.commits(count(1, 2, 6, 2), &|voter, _, _| voter == 1)), "no-majority");
    chronicle.commits(Count { voters: &[1], ..count(1, 2, 6, 2) }, &|voter, _, _| voter == 1).unwrap();
    let four = Count { voters: &[1, 2, 3, 4], ..count(1, 2, 7, 2) };
    assert_eq!(class(chronicle.commits(four, &|voter, _, _| voter < 3)), "no-majority");
}

#[test]
fn majorities_before_and_after_a_change_overlap() {
    let chronicle = Chronicle::default();
    for (before, after) in [(&[1][..], &[1, 2][..]), (&[1, 2, 3], &[1, 2, 3, 4]), (&[1, 2, 3], &[1, 3])] {
        chronicle.reconfigures(1, before, after).unwrap();
    }
    for (before, after) in [(&[1][..], &[1, 2, 3][..]), (&[1, 2, 3], &[1, 2, 3, 4, 5]), (&[1, 2, 3], &[4])] {
        assert_eq!(class(chronicle.reconfigures(1, before, after)), "quorums-apart");
    }
}

#[test]
fn an_entry_of_an_older_term_is_not_counted_by_itself() {
    let mut chronicle = committed();
    chronicle.leads(2, 3, 5, &|_| Some(2)).unwrap();
    chronicle.commits(count(2, 3, 5, 2), &|_, _, _| false).unwrap();
    assert_eq!(class(chronicle.commits(count(2, 3, 6, 2), &|_, _, _| true)), "counted-an-older-term");
}

#[test]
fn what_is_applied_is_what_was_written_and_committed_and_never_changes() {
    let mut chronicle = committed();
    chronicle.applies(2, (5, 2), 55).unwrap();
    chronicle.logs(3, Some(1), (5, 3), 57).unwrap();
    assert_eq!(class(chronicle.applies(3, (5, 3), 57)), "committed-changed");
    assert_eq!(class(chronicle.applies(3, (5, 2), 57)), "committed-changed");
    assert_eq!(class(chronicle.applies(3, (6, 2), 60)), "never-written");
    let mut early = committed();
    early.commits(count(1, 2, 6, 2), &|_, _, _| true).unwrap();
    early.logs(3, Some(2), (6, 1), 61).unwrap();
    assert_eq!(class(early.applies(3, (6, 1), 61)), "committed-changed");
}

#[test]
fn a_log_shares_what_was_applied_up_to_the_last_entry_of_the_same_term() {
    let mut chronicle = committed();
    for (index, term) in [(6, 2), (7, 4)] {
        chronicle.logs(1, None, (index, term), index).unwrap();
        chronicle.applies(1, (index, term), index).unwrap();
        chronicle.comes_to(index, Some(index * 100));
    }
    let log = |entries: &[(u64, u64)]| {
        let mut log = Log::default();
        log.first = (5, 2);
        log.entries = entries.iter().map(|(index, term)| (*index, (*term, 0))).collect();
        log
    };
    assert_eq!(chronicle.shared_version(&log(&[(6, 2), (7, 4), (8, 4)])), 700);
    // What another leader wrote there is of another time line.
    assert_eq!(chronicle.shared_version(&log(&[(6, 2), (7, 3)])), 600);
    assert_eq!(chronicle.shared_version(&log(&[])), 0, "no entry before carried a version");
}
