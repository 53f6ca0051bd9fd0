//! Makes a failing plan small: takes parts away as long as what is left fails in the same way (delta debugging).
//!
//! Fewer events change the schedule, so each candidate may fail under any of a few seeds.

mod cut;

use crate::plan::{Calls, Messages, Mischief, Plan};
use crate::workload::Sent;
use cut::{LISTS, List};

/// Seeds that a candidate is tried with, its own first: large parts are worth more tries than small ones.
const SEEDS_FOR_MANY: u64 = 8;
const SEEDS_FOR_FEW: u64 = 3;
/// From so many parts on a cut is a large one.
const MANY: usize = 4;
/// Rounds over all lists; after two or three nothing changes any more.
const ROUNDS_MAX: usize = 6;

/// What a trial of some plans says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// This one, by its place, fails as the first one did.
    Fails(usize),
    /// None of them does.
    Holds,
    /// There is no time to try any more.
    Over,
}

/// How big a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// What goes wrong.
    pub troubles: usize,
    /// What clients do.
    pub operations: usize,
    /// Who works.
    pub clients: usize,
    /// Who serves.
    pub nodes: u64,
}

impl Size {
    /// The size of a plan.
    pub fn of(plan: &Plan) -> Size {
        Size {
            troubles: List::Disturbances.len(plan) + List::Incidents.len(plan),
            operations: List::Steps.len(plan),
            clients: plan.clients.len(),
            nodes: plan.cluster.as_ref().map_or(1, |cluster| cluster.nodes),
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Size { troubles, operations, clients, nodes } = self;
        write!(f, "{troubles} troubles, {operations} operations of {clients} clients, {nodes} nodes")
    }
}

/// The smallest plan that was found to fail, beginning with one that does. `trial` runs candidates.
pub fn minimise(plan: &Plan, trial: impl FnMut(&[Plan]) -> Trial) -> Plan {
    let mut search = Search { plan: plan.clone(), trial, over: false };
    search.run();
    search.plan
}

/// A search, where it stands.
struct Search<T> {
    /// The smallest that fails so far.
    plan: Plan,
    trial: T,
    over: bool,
}

impl<T: FnMut(&[Plan]) -> Trial> Search<T> {
    fn run(&mut self) {
        // How much was answered says nothing about how it fails.
        self.plan.acknowledged_min = 0;
        self.simplify();
        for _ in 0..ROUNDS_MAX {
            let before = Size::of(&self.plan);
            for list in LISTS {
                self.shorten(list);
            }
            self.simplify();
            if self.over || Size::of(&self.plan) == before {
                break;
            }
        }
        self.shrink_numbers();
    }

    /// Takes a candidate if it fails under one of so many seeds.
    fn attempt(&mut self, candidate: Plan, seeds: u64) -> bool {
        if self.over || candidate == self.plan {
            return false;
        }
        let with_seed = |by: u64| Plan { seed: candidate.seed.wrapping_add(by), ..candidate.clone() };
        let candidates: Vec<Plan> = (0..seeds).map(with_seed).collect();
        match (self.trial)(&candidates) {
            Trial::Fails(place) => {
                self.plan = candidates.into_iter().nth(place).expect("the place is one of theirs");
                true
            }
            Trial::Holds => false,
            Trial::Over => {
                self.over = true;
                false
            }
        }
    }

    fn try_change(&mut self, change: impl FnOnce(&mut Plan)) {
        let mut candidate = self.plan.clone();
        change(&mut candidate);
        self.attempt(candidate, SEEDS_FOR_MANY);
    }

    /// Takes parts out of a list: halves, quarters, at last one by one. The last ones first: they often come too late.
    fn shorten(&mut self, list: List) {
        let mut size = list.len(&self.plan).div_ceil(2);
        while size > 0 && !self.over {
            let mut end = list.len(&self.plan);
            let mut is_shorter = false;
            while end > 0 && !self.over {
                let range = end.saturating_sub(size)..end;
                let seeds = if range.len() >= MANY { SEEDS_FOR_MANY } else { SEEDS_FOR_FEW };
                is_shorter |= self.attempt(list.without(&self.plan, &range), seeds);
                end = range.start;
            }
            size = if size == 1 && is_shorter { 1 } else { size / 2 };
        }
    }

    /// Turns off what is not needed at all.
    fn simplify(&mut self) {
        self.try_change(|plan| plan.images.places = 0);
        self.try_change(|plan| plan.time_s = 0);
        self.try_change(|plan| {
            if let Some(cluster) = &mut plan.cluster {
                cluster.messages = Messages::default();
            }
        });
        self.try_change(|plan| {
            if let Some(cluster) = &mut plan.cluster {
                cluster.skews_micros.clear();
            }
        });
        self.try_change(|plan| plan.knobs.buggify = false);
        self.try_change(|plan| {
            if let Some(cluster) = &mut plan.cluster {
                cluster.calls = Calls::default();
            }
        });
        self.try_change(|plan| {
            if let Some(cluster) = &mut plan.cluster {
                cluster.core = None;
            }
        });
        self.let_nobody_come_or_go();
        for nodes in [1, 3, 5] {
            self.try_change(|plan| {
                if let Some(cluster) = plan.cluster.as_mut().filter(|cluster| cluster.nodes > nodes) {
                    cluster.nodes = nodes;
                }
            });
        }
        self.try_change(|plan| {
            let steps = plan.clients.iter_mut().flat_map(|client| &mut client.steps);
            steps.for_each(|step| step.sent = Sent::Once);
        });
    }

    /// Takes changes of the members out, all at once or each kind by itself, and the machines that nobody needs then.
    fn let_nobody_come_or_go(&mut self) {
        self.try_without(Mischief::changes_members);
        self.try_without(|what| matches!(what, Mischief::Replace { .. }));
        self.try_without(|what| matches!(what, Mischief::Transfer { .. }));
        self.try_without(|what| matches!(what, Mischief::Remove { .. }));
        self.try_without(|what| matches!(what, Mischief::Join { .. }));
        let one_by_one = |plan: &mut Plan| {
            let disturbances = plan.cluster.iter_mut().flat_map(|cluster| &mut cluster.disturbances);
            for disturbance in disturbances {
                if let Mischief::Join { machines } = &mut disturbance.what {
                    *machines = 1;
                }
            }
        };
        self.try_change(one_by_one);
        for spares in [0, 1] {
            self.try_change(|plan| {
                if let Some(cluster) = plan.cluster.as_mut().filter(|cluster| cluster.spares > spares) {
                    cluster.spares = spares;
                }
            });
        }
    }

    /// Takes all disturbances of a kind out; the others come no sooner.
    fn try_without(&mut self, is_meant: impl Fn(&Mischief) -> bool) {
        let mut candidate = self.plan.clone();
        let disturbances = |plan: &Plan| plan.cluster.as_ref().map_or(0, |cluster| cluster.disturbances.len());
        for place in (0..disturbances(&candidate)).rev() {
            if candidate.cluster.as_ref().is_some_and(|cluster| is_meant(&cluster.disturbances[place].what)) {
                candidate = List::Disturbances.without(&candidate, &(place..place + 1));
            }
        }
        self.attempt(candidate, SEEDS_FOR_MANY);
    }

    /// Makes pauses and lengths smaller, all at once and then one by one.
    fn shrink_numbers(&mut self) {
        for part in [100, 10, 2] {
            let mut candidate = self.plan.clone();
            cut::numbers(&mut candidate).into_iter().for_each(|number| *number /= part);
            self.attempt(candidate, SEEDS_FOR_FEW);
        }
        let count = cut::numbers(&mut self.plan).len();
        for place in 0..count {
            for part in [u64::MAX, 10, 2] {
                let mut candidate = self.plan.clone();
                *cut::numbers(&mut candidate)[place] /= part;
                if self.attempt(candidate, 1) {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Core, Disturbance, Profile, Who, Wish};
    use crate::workload::Workload;

    fn plan() -> Plan {
        plan_of(Profile::Partition)
    }

    fn plan_of(profile: Profile) -> Plan {
        let wish = Wish {
            profile,
            workload: Some(Workload::Append),
            time_s: 60,
            mutants: Vec::new(),
            images: 20,
            black_box: false,
        };
        Plan::draw(3, &wish)
    }

    fn keys(plan: &Plan) -> Vec<&str> {
        plan.clients.iter().flat_map(|client| &client.steps).filter_map(|step| step.key.as_deref()).collect()
    }

    #[test]
    fn what_the_failure_does_not_need_is_gone() {
        let plan = plan();
        let wanted: Vec<String> = keys(&plan).iter().step_by(7).take(3).map(|key| (*key).to_owned()).collect();
        let trouble = plan.cluster.as_ref().unwrap().disturbances[1].what.clone();
        let mut runs = 0;
        let fails = |plan: &Plan| {
            let keys = keys(plan);
            let troubles = &plan.cluster.as_ref().unwrap().disturbances;
            wanted.iter().all(|key| keys.contains(&key.as_str())) && troubles.iter().any(|one| one.what == trouble)
        };
        let small = minimise(&plan, |candidates| {
            runs += 1;
            candidates.iter().position(fails).map_or(Trial::Holds, Trial::Fails)
        });
        assert!(fails(&small));
        assert_eq!((Size::of(&small).troubles, Size::of(&small).operations), (1, 3));
        assert_eq!((small.images.places, small.time_s, Size::of(&small).nodes), (0, 0, 1));
        assert!(small.clients.iter().flat_map(|client| &client.steps).all(|step| step.pause_micros == 0));
        assert!(runs < 400, "{runs}");
    }

    #[test]
    fn members_come_and_go_only_where_the_failure_needs_it() {
        let mut plan = plan_of(Profile::Membership);
        let cluster = plan.cluster.as_mut().unwrap();
        let removal = Mischief::Remove { who: Who::Leader, runs_on: true };
        cluster.disturbances.push(Disturbance { wait_ms: 5, lasts_ms: 5, what: removal.clone() });
        cluster.core = Some(Core { broken: Who::Leader, cut_off: true });
        let has = |plan: &Plan| plan.cluster.as_ref().unwrap().disturbances.iter().any(|one| one.what == removal);
        let small = minimise(&plan, |candidates| candidates.iter().position(has).map_or(Trial::Holds, Trial::Fails));
        let cluster = small.cluster.unwrap();
        assert_eq!((cluster.disturbances.len(), cluster.spares, cluster.core), (1, 0, None));
    }

    #[test]
    fn a_candidate_may_fail_under_another_seed_and_time_has_an_end() {
        let plan = plan();
        let small = minimise(&plan, |candidates| {
            let odd = candidates.iter().position(|plan| plan.seed % 2 == 0);
            odd.map_or(Trial::Holds, Trial::Fails)
        });
        assert_eq!((small.seed % 2, Size::of(&small).operations), (0, 0));
        let same = minimise(&plan, |_| Trial::Over);
        assert_eq!(Plan { acknowledged_min: plan.acknowledged_min, ..same }, plan);
    }

    #[test]
    fn what_is_left_keeps_its_time() {
        let plan = plan();
        let all: u64 = plan.clients[0].steps.iter().take(5).map(|step| step.pause_micros).sum();
        let less = List::Steps.without(&plan, &(1..4));
        let left: u64 = less.clients[0].steps.iter().take(2).map(|step| step.pause_micros).sum();
        assert_eq!(left, all);
        let waits =
            |plan: &Plan| plan.cluster.as_ref().unwrap().disturbances.iter().map(|one| one.wait_ms).sum::<u64>();
        assert_eq!(waits(&List::Disturbances.without(&plan, &(0..2))), waits(&plan));
    }
}
