//! All randomness of a world.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers from the seed.
#[derive(Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From `from` to `to`, both included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.random_range(from..=to)
    }

    /// Below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.0.random_range(0..100) < percent
    }

    pub(crate) fn per_mille(&mut self, per_mille: u64) -> bool {
        self.0.random_range(0..1000) < per_mille
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() {
            return None;
        }
        from.get(self.below(from.len())).cloned()
    }
}
