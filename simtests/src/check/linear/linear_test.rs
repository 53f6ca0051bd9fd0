//! The search agrees with trying everything, gives up when told so, and says what does not fit.

use super::*;
use crate::rng::Rng;

/// Steps that no history here needs.
const ENOUGH: u64 = 1_000_000;

fn operation(process: u64, times: (u64, Option<u64>), action: Action) -> Operation {
    Operation { process, invoked: times.0, returned: times.1, action }
}

#[test]
fn a_stale_read_is_named() {
    let operations = [
        operation(1, (1, Some(2)), Action::Write(7)),
        operation(2, (3, Some(4)), Action::Swap { from: 7, to: 8 }),
        operation(1, (5, Some(6)), Action::Read(7)),
    ];
    let Verdict::Broken(words) = check(0, &operations, ENOUGH) else { panic!("it is stale") };
    assert_eq!(
        words,
        "no order explains all answers; the best explains 2 of 3: after write of 7 by process 1 (from 1 to 2), \
         swap of 7 for 8 by process 2 (from 3 to 4) the register holds 8, and the read of 7 by process 1 (from 5 to 6) \
         does not fit"
    );
    assert_eq!(check(0, &operations[..2], ENOUGH), Verdict::Linearizable);
    assert_eq!(check(0, &[], ENOUGH), Verdict::Linearizable);
}

#[test]
fn what_nobody_knows_may_come_late_or_never() {
    let unknown = operation(1, (1, None), Action::Write(7));
    let read = |moment, value| operation(2, (moment, Some(moment + 1)), Action::Read(value));
    let never = [unknown, read(5, 0), read(7, 0)];
    let late = [unknown, read(5, 0), read(7, 7)];
    let twice = [unknown, read(3, 7), read(5, 0), read(7, 7)];
    let early = [read(3, 7), operation(1, (5, None), Action::Write(7))];
    assert_eq!(check(0, &never, ENOUGH), Verdict::Linearizable);
    assert_eq!(check(0, &late, ENOUGH), Verdict::Linearizable);
    assert!(matches!(check(0, &twice, ENOUGH), Verdict::Broken(_)));
    assert!(matches!(check(0, &early, ENOUGH), Verdict::Broken(_)));
}

#[test]
fn the_work_is_bounded() {
    let mut operations: Vec<_> = (1..=24).map(|value| operation(value, (1, Some(100)), Action::Write(value))).collect();
    operations.push(operation(99, (1, Some(100)), Action::Read(99)));
    assert_eq!(check(0, &operations, 20_000), Verdict::Unknown);
}

/// Does operations one after the other, at random moments within their intervals.
fn serial(rng: &mut Rng, count: u64, spread: u64) -> Vec<Operation> {
    let mut state = 0;
    let one = |number: u64| {
        let moment = number * 10;
        let invoked = moment - rng.below(spread).min(moment);
        let returned = moment + rng.below(spread);
        let (value, from) = (rng.below(4), rng.below(4));
        let action = match rng.below(3) {
            0 => Action::Read(state),
            1 => Action::Write(value),
            _ if from == state => Action::Swap { from, to: value },
            _ => Action::Miss { from },
        };
        // Of what nobody knows, half never happens.
        let is_known = rng.chance(5, 6);
        if is_known || rng.chance(1, 2) {
            state = action.apply(state).expect("it was made to fit");
        }
        operation(number, (invoked, is_known.then_some(returned)), action)
    };
    (1..=count).map(one).collect()
}

#[test]
fn serial_executions_are_linearizable() {
    for seed in 0..100 {
        let operations = serial(&mut Rng::stream(seed, "serial"), 300, 40);
        assert_eq!(check(0, &operations, ENOUGH), Verdict::Linearizable, "seed {seed}");
    }
}

/// Tries all orders.
fn is_linearizable(operations: &[Operation], left: &[usize], state: u64) -> bool {
    if left.iter().all(|number| operations[*number].returned.is_none()) {
        return true;
    }
    left.iter().any(|next| {
        let operation = operations[*next];
        let too_early =
            left.iter().any(|other| operations[*other].returned.is_some_and(|returned| returned < operation.invoked));
        let rest: Vec<usize> = left.iter().filter(|other| *other != next).copied().collect();
        let state = operation.action.apply(state);
        !too_early && state.is_some_and(|state| is_linearizable(operations, &rest, state))
    })
}

#[test]
fn the_verdict_is_that_of_trying_all_orders() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..6000 {
        let mut rng = Rng::stream(seed, "tiny");
        let mut operations = serial(&mut rng, 6, 30);
        for _ in 0..rng.below(3) {
            let at = rng.below(operations.len() as u64) as usize;
            operations[at].action = match operations[at].action {
                Action::Read(_) => Action::Read(rng.below(4)),
                Action::Write(_) => Action::Write(rng.below(4)),
                Action::Swap { from, to } => Action::Swap { from: to, to: from },
                Action::Miss { from } => Action::Swap { from, to: rng.below(4) },
            };
        }
        let all: Vec<usize> = (0..operations.len()).collect();
        let expected = is_linearizable(&operations, &all, 0);
        let found = check(0, &operations, ENOUGH);
        assert_eq!(found == Verdict::Linearizable, expected, "seed {seed}: {found:?} of {operations:#?}");
        *if expected { &mut right } else { &mut wrong } += 1;
    }
    assert!(right > 1000 && wrong > 1000, "{right} right, {wrong} wrong");
}
