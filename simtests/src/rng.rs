//! Chance from named streams of one seed: removing one user of chance does not shift what the others draw.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A generator (xoshiro256++), keyed by a seed and a name.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The stream `name` of `seed`.
    pub fn stream(seed: u64, name: &str) -> Rng {
        let mut mix = xxh3_64_with_seed(name.as_bytes(), seed);
        let state = [(); 4].map(|()| {
            mix = mix.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = mix;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        });
        Rng { state }
    }

    /// 64 bits.
    #[allow(clippy::should_implement_trait, reason = "a generator has no end that an iterator could report")]
    pub fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// A number from `least` to `most`, small ones as likely as large ones on a logarithmic scale.
    pub fn spread(&mut self, least: u64, most: u64) -> u64 {
        let octaves = u64::from((most / least.max(1)).max(1).ilog2());
        let top = least.max(1) << self.between(0, octaves);
        self.between(least, top.min(most).max(least))
    }

    /// True in `part` of `whole` cases.
    pub fn chance(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_are_independent_and_repeatable() {
        let draw = |seed, name| {
            (0..4)
                .map({
                    let mut rng = Rng::stream(seed, name);
                    move |_| rng.next()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "disk"), draw(7, "disk"));
        assert_ne!(draw(7, "disk"), draw(7, "workload/c1"));
        assert_ne!(draw(7, "disk"), draw(8, "disk"));
    }

    #[test]
    fn spread_keeps_its_bounds() {
        let mut rng = Rng::stream(1, "spread");
        for _ in 0..1000 {
            let number = rng.spread(3, 100);
            assert!((3..=100).contains(&number), "{number}");
        }
    }
}
