//! How long writers got no acknowledgement.

use serde::{Deserialize, Serialize};

use crate::ledger::{History, Outcome};

/// A stretch of time without an acknowledged write, on the history's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The acknowledgement before, or the range's start.
    pub from_us: u64,
    /// The acknowledgement after, or the range's end.
    pub to_us: u64,
}

impl Gap {
    /// How long it lasted.
    #[must_use]
    pub fn length_us(&self) -> u64 {
        self.to_us - self.from_us
    }
}

/// The longest time in the range without an acknowledged write; the range itself when it holds none.
#[must_use]
pub fn longest_gap(history: &History, from_us: u64, to_us: u64) -> Gap {
    assert!(from_us <= to_us, "a range ends after it starts");
    let mut at: Vec<u64> = acknowledgements(history)
        .filter(|at| (from_us..=to_us).contains(at))
        .collect();
    at.sort_unstable();
    at.insert(0, from_us);
    at.push(to_us);
    at.windows(2)
        .map(|pair| Gap {
            from_us: pair[0],
            to_us: pair[1],
        })
        .max_by_key(Gap::length_us)
        .expect("a start and an end are one pair at least")
}

/// The first acknowledgement of a write that was begun at or after `at_us`: its end.
#[must_use]
pub fn first_acknowledged_after(history: &History, at_us: u64) -> Option<u64> {
    history
        .attempts
        .iter()
        .filter(|a| a.outcome == Outcome::Acknowledged && a.start_us >= at_us)
        .map(|a| a.end_us)
        .min()
}

fn acknowledgements(history: &History) -> impl Iterator<Item = u64> {
    history
        .attempts
        .iter()
        .filter(|a| a.outcome == Outcome::Acknowledged)
        .map(|a| a.end_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WriteId;
    use crate::ledger::Attempt;

    fn history(ends: &[u64]) -> History {
        let attempt = |(n, end): (usize, &u64)| Attempt {
            id: WriteId(n as u64),
            start_us: end - 5,
            end_us: *end,
            outcome: Outcome::Acknowledged,
        };
        History {
            attempts: ends.iter().enumerate().map(attempt).collect(),
        }
    }

    #[test]
    fn the_longest_gap_lies_between_two_acknowledgements() {
        let gap = longest_gap(&history(&[300, 100, 110]), 100, 310);
        assert_eq!((gap.from_us, gap.to_us), (110, 300));
        assert_eq!(gap.length_us(), 190);
    }

    #[test]
    fn a_range_without_an_acknowledgement_is_one_gap() {
        assert_eq!(longest_gap(&history(&[10]), 20, 90).length_us(), 70);
        assert_eq!(longest_gap(&history(&[30]), 20, 90).length_us(), 60);
    }

    #[test]
    fn a_write_begun_before_the_fault_does_not_end_its_gap() {
        let history = history(&[100, 108]);
        assert_eq!(first_acknowledged_after(&history, 96), Some(108));
        assert_eq!(first_acknowledged_after(&history, 104), None);
    }
}
