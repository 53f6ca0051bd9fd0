//! The lists and numbers of a plan that may become smaller, whatever they are about.

use crate::plan::Plan;
use std::ops::Range;

/// A list of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Whole clients.
    Clients,
    /// What goes wrong with a cluster.
    Disturbances,
    /// What goes wrong with a node that is alone.
    Incidents,
    /// The steps of all clients, one client after the other.
    Steps,
}

/// All of them, those first whose parts are the largest.
pub(super) const LISTS: [List; 4] = [List::Clients, List::Disturbances, List::Incidents, List::Steps];

impl List {
    pub(super) fn len(self, plan: &Plan) -> usize {
        match self {
            List::Clients => plan.clients.len(),
            List::Disturbances => plan.cluster.as_ref().map_or(0, |cluster| cluster.disturbances.len()),
            List::Incidents => plan.incidents.len(),
            List::Steps => plan.clients.iter().map(|client| client.steps.len()).sum(),
        }
    }

    /// A plan without some parts. What comes after them comes no sooner.
    pub(super) fn without(self, plan: &Plan, range: &Range<usize>) -> Plan {
        let mut plan = plan.clone();
        match self {
            List::Clients => drop(plan.clients.drain(range.clone())),
            List::Incidents => drop(plan.incidents.drain(range.clone())),
            List::Disturbances => {
                if let Some(cluster) = &mut plan.cluster {
                    let gone = cluster.disturbances.drain(range.clone()).map(|one| one.wait_ms).sum::<u64>();
                    if let Some(next) = cluster.disturbances.get_mut(range.start) {
                        next.wait_ms += gone;
                    }
                }
            }
            List::Steps => {
                let mut begin = 0;
                for client in &mut plan.clients {
                    let count = client.steps.len();
                    let here = |at: usize| at.clamp(begin, begin + count) - begin;
                    let part = here(range.start)..here(range.end);
                    let gone = client.steps.drain(part.clone()).map(|step| step.pause_micros).sum::<u64>();
                    if let Some(next) = client.steps.get_mut(part.start) {
                        next.pause_micros += gone;
                    }
                    begin += count;
                }
            }
        }
        plan
    }
}

/// The pauses and lengths of a plan.
pub(super) fn numbers(plan: &mut Plan) -> Vec<&mut u64> {
    let disturbances = plan.cluster.iter_mut().flat_map(|cluster| &mut cluster.disturbances);
    let disturbances = disturbances.flat_map(|one| [&mut one.wait_ms, &mut one.lasts_ms]);
    let incidents = plan.incidents.iter_mut().flat_map(|one| [&mut one.at_ms, &mut one.wait_ms]);
    let steps = plan.clients.iter_mut().flat_map(|client| &mut client.steps);
    let steps = steps.flat_map(|step| [&mut step.at_ms, &mut step.pause_micros]);
    disturbances.chain(incidents).chain(steps).collect()
}
