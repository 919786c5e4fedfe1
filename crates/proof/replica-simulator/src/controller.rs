//! What DynamoDB's controller and the leaders' duties do by themselves: splits, and other nodes in place of voters.

use std::time::Duration;

use quorate_dynamo_store::SplitPlan;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::client::{Outside, Tried};
use crate::site::{Ask, Said};

/// Partitions that one is split into at most.
const PARTITIONS_MAX: usize = 4;
/// Pause between two tries of a step.
const PAUSE: Duration = Duration::from_millis(150);

impl Outside {
    /// Splits partitions and changes voters, until it is told to stop; what was begun goes on to its end.
    pub(crate) async fn control(self, nodes: usize, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x4354_524C);
        loop {
            let pause = rng.random_range(600..3_500);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if self.history().stops {
                return;
            }
            let numbers: Vec<u64> = self.catalog().partitions.keys().copied().collect();
            let number = numbers[rng.random_range(0..numbers.len())];
            let own = ChaCha8Rng::seed_from_u64(rng.random());
            let few = numbers.len() < PARTITIONS_MAX;
            match rng.random_range(0..4) {
                0 | 1 if few => self.begin_split(number, own).await,
                2 | 3 => self.begin_change(number, nodes, own),
                _ => {
                    let leaders = self.catalog().partitions[&number].voters.clone();
                    let at = rng.random_range(0..leaders.len());
                    let to = leaders.into_iter().nth(at).unwrap_or(0);
                    let ask = Ask::Elect(number);
                    let bytes = postcard::to_stdvec(&ask).expect("plain data");
                    self.stage.note(format!("{to} is told to lead {number}"));
                    // Nobody waits for it.
                    drop(
                        self.stage
                            .ask(crate::stage::OUTSIDE, to, crate::stage::ASK, bytes),
                    );
                }
            }
        }
    }

    fn is_free(&self, number: u64) -> bool {
        let catalog = self.catalog();
        let placement = catalog.partitions.get(&number);
        placement.is_some_and(|p| p.splitting.is_none() && !p.changing)
    }

    async fn begin_split(&self, number: u64, mut rng: ChaCha8Rng) {
        if !self.is_free(number) {
            return;
        }
        let timeout = Duration::from_secs(2);
        let ask = Ask::Plan(number);
        let asked = self.ask_leader(number, &ask, timeout, &mut rng);
        let (_, Tried::Said(Said::Plan(Some((at, right_items, right_bytes))))) = asked.await else {
            return;
        };
        // Another change may have begun meanwhile.
        if !self.is_free(number) {
            return;
        }
        let right = {
            let mut catalog = self.catalog();
            let right = catalog.next_number();
            let plan = SplitPlan {
                at,
                right_items,
                right_bytes,
            };
            if let Some(placement) = catalog.partitions.get_mut(&number) {
                placement.splitting = Some((plan, right));
            }
            right
        };
        self.stage
            .note(format!("partition {number} is to give {right} its half"));
        let ask = Ask::Split(number, (at, right_items, right_bytes), right);
        tokio::spawn(self.clone().drive(number, ask, rng));
    }

    fn begin_change(&self, number: u64, nodes: usize, mut rng: ChaCha8Rng) {
        if !self.is_free(number) {
            return;
        }
        let voters = {
            let mut catalog = self.catalog();
            let spare = catalog.spare(number, nodes);
            if spare.is_empty() {
                return;
            }
            let Some(placement) = catalog.partitions.get_mut(&number) else {
                return;
            };
            let comes = spare[rng.random_range(0..spare.len())];
            let at = rng.random_range(0..placement.voters.len());
            let goes = placement.voters.iter().nth(at).copied().unwrap_or(0);
            let mut voters = placement.voters.clone();
            voters.remove(&goes);
            voters.insert(comes);
            placement.placed.insert(comes);
            placement.changing = true;
            voters
        };
        self.stage
            .note(format!("the voters of {number} are to be {voters:?}"));
        tokio::spawn(self.clone().drive(number, Ask::Change(number, voters), rng));
    }

    /// Asks whoever leads until it is done.
    async fn drive(self, number: u64, ask: Ask, mut rng: ChaCha8Rng) {
        loop {
            let timeout = Duration::from_secs(8);
            let (by, tried) = self.ask_leader(number, &ask, timeout, &mut rng).await;
            if matches!(tried, Tried::Said(Said::Done)) {
                return self.publish(number, &ask, by);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn publish(&self, number: u64, ask: &Ask, by: usize) {
        self.stage.note(format!("done, by {by}: {ask:?}"));
        let mut catalog = self.catalog();
        if matches!(ask, Ask::Split(..)) {
            return catalog.publish(number, by);
        }
        let Some(placement) = catalog.partitions.get_mut(&number) else {
            return;
        };
        if let Ask::Change(_, voters) = ask {
            placement.changing = false;
            placement.placed.clone_from(voters);
            let gone: Vec<usize> = placement.voters.difference(voters).copied().collect();
            placement.removed.extend(gone);
            placement.founders.retain(|n| voters.contains(n));
            placement.voters.clone_from(voters);
        }
    }
}
