//! The network: lost, late, repeated, in another order, cut one way or both.

use std::collections::BTreeSet;

use crate::chance::Chance;
use crate::message::Endpoint;

#[derive(Debug, Default)]
pub(crate) struct Network {
    drop_per_mille: u64,
    repeat_per_mille: u64,
    late_per_mille: u64,
    late_ms: u64,
    cut: BTreeSet<(Endpoint, Endpoint)>,
}

impl Network {
    pub(crate) fn of_seed(chance: &mut Chance) -> Network {
        let mut one_of = |of: &[u64]| chance.pick(of).unwrap_or_default();
        Network {
            drop_per_mille: one_of(&[0, 5, 30, 100]),
            repeat_per_mille: one_of(&[0, 10, 50]),
            late_per_mille: one_of(&[0, 20, 100]),
            late_ms: one_of(&[20, 100, 500]),
            cut: BTreeSet::new(),
        }
    }

    /// After how many ms the message arrives, each time that it does.
    pub(crate) fn arrivals(
        &self,
        from: Endpoint,
        to: Endpoint,
        chance: &mut Chance,
        is_quiet: bool,
    ) -> Vec<u64> {
        if is_quiet {
            return vec![chance.between(1, 2)];
        }
        if self.cut.contains(&(from, to)) || chance.per_mille(self.drop_per_mille) {
            return Vec::new();
        }
        let times = if chance.per_mille(self.repeat_per_mille) {
            2
        } else {
            1
        };
        let mut delay = || {
            if chance.per_mille(self.late_per_mille) {
                chance.between(3, self.late_ms)
            } else {
                chance.between(1, 3)
            }
        };
        (0..times).map(|_| delay()).collect()
    }

    /// Cuts everybody in `one` off from everybody else below `others`, or only what comes from them.
    pub(crate) fn cut(&mut self, one: &BTreeSet<Endpoint>, others: usize, both_ways: bool) {
        for inside in one {
            for outside in (0..others).filter(|outside| !one.contains(outside)) {
                self.cut.insert((*inside, outside));
                if both_ways {
                    self.cut.insert((outside, *inside));
                }
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }
}
