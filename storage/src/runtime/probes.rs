//! Sites where simulation plants bugs and counts rare paths. Outside simulation both cost nothing.
//!
//! A planted bug is on for a whole process; which ones, the plan of the run says before anything starts.

/// True when the planted bug `id` is on in this process. Always false outside simulation.
#[cfg(not(madsim))]
#[inline(always)]
pub const fn mutant(_id: &str) -> bool {
    false
}

/// Marks that a rare path was taken: what good simulated runs must meet. Nothing outside simulation.
#[cfg(not(madsim))]
#[inline(always)]
pub const fn sometimes(_name: &str) {}

#[cfg(madsim)]
pub use planted::{marks, mutant, plant, reached, sometimes};

#[cfg(madsim)]
mod planted {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Default)]
    struct Probes {
        planted: BTreeSet<String>,
        reached: BTreeMap<String, u64>,
        marks: BTreeMap<&'static str, u64>,
    }

    static PROBES: Mutex<Option<Probes>> = Mutex::new(None);

    fn with<R>(act: impl FnOnce(&mut Probes) -> R) -> R {
        let mut guard: MutexGuard<'_, Option<Probes>> = PROBES.lock().unwrap_or_else(PoisonError::into_inner);
        act(guard.get_or_insert_with(Probes::default))
    }

    /// Switches planted bugs on, before the run starts.
    pub fn plant(ids: impl IntoIterator<Item = String>) {
        with(|probes| probes.planted = ids.into_iter().collect());
    }

    /// True when the planted bug `id` is on in this process.
    pub fn mutant(id: &str) -> bool {
        with(|probes| {
            let on = probes.planted.contains(id);
            if on {
                *probes.reached.entry(id.to_owned()).or_default() += 1;
            }
            on
        })
    }

    /// Marks that a rare path was taken.
    pub fn sometimes(name: &'static str) {
        with(|probes| *probes.marks.entry(name).or_default() += 1);
    }

    /// How often each planted bug was asked for while it was on.
    pub fn reached() -> BTreeMap<String, u64> {
        with(|probes| probes.reached.clone())
    }

    /// How often each rare path was taken.
    pub fn marks() -> BTreeMap<&'static str, u64> {
        with(|probes| probes.marks.clone())
    }
}
