//! Sites where simulation plants bugs, makes rare things common, and counts rare paths. Outside simulation none costs
//! anything.
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

/// True when something that is allowed and rare is to happen here, now. Always false outside simulation.
#[cfg(not(madsim))]
#[inline(always)]
pub const fn buggify(_name: &str) -> bool {
    false
}

#[cfg(madsim)]
pub use planted::{agitate, buggify, calm, marks, mutant, plant, reached, sometimes};

#[cfg(madsim)]
mod planted {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Default)]
    struct Probes {
        planted: BTreeSet<String>,
        reached: BTreeMap<String, u64>,
        marks: BTreeMap<&'static str, u64>,
        /// The seed of what happens at sites of [`buggify`]; nothing does without one.
        agitation: Option<u64>,
        /// How often each of these sites was passed.
        passed: BTreeMap<&'static str, u64>,
    }

    /// A site is active in one of so many runs, and happens then in one of so many passes.
    const ONE_IN: u64 = 4;

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

    /// Lets rare things happen from now on, as a seed says: each site in a quarter of all runs.
    pub fn agitate(seed: u64) {
        with(|probes| probes.agitation = Some(seed));
    }

    /// From now on nothing happens that is not asked for.
    pub fn calm() {
        with(|probes| probes.agitation = None);
    }

    /// True when something that is allowed and rare is to happen here, now.
    pub fn buggify(name: &'static str) -> bool {
        with(|probes| {
            let Some(seed) = probes.agitation else { return false };
            let site = mixed(seed ^ u64::from(crc32c::crc32c(name.as_bytes())));
            if !site.is_multiple_of(ONE_IN) {
                return false;
            }
            let passed = probes.passed.entry(name).or_default();
            *passed += 1;
            let happens = mixed(site.wrapping_add(*passed)).is_multiple_of(ONE_IN);
            if happens {
                *probes.marks.entry(name).or_default() += 1;
            }
            happens
        })
    }

    /// Spreads what differs in few bits over all of them (the end of splitmix64).
    fn mixed(value: u64) -> u64 {
        let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
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
