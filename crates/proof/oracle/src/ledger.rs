//! The promise to writers: every acknowledged write is there, once.
//!
//! A ledger is a table that is only appended to. Each attempt has a [`WriteId`] of its own, is never made twice
//! under it, and ends in one of three ways: acknowledged, failed for sure, or unknown. An unknown write may be there
//! or not: both are right, which is why it must never be counted as failed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::WriteId;

/// How many offending writes a verdict names.
const NAMED_MAX: usize = 20;

/// What the client was told of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The server said that it is committed.
    Acknowledged,
    /// It cannot have been committed: the server refused it, or it was never asked to commit.
    Failed,
    /// The server was asked to commit, and no answer came.
    Unknown,
}

/// One attempt, with times on one monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which write.
    pub id: WriteId,
    /// When it was begun, in microseconds since the history's start.
    pub start_us: u64,
    /// When its outcome was known.
    pub end_us: u64,
    /// What the client was told.
    pub outcome: Outcome,
}

/// All attempts of all clients, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The attempts.
    pub attempts: Vec<Attempt>,
}

/// What a history and the rows that were read back at its end come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerVerdict {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged and absent. Breaks the promise.
    pub lost: u64,
    /// Present more than once. Breaks the promise.
    pub repeated: u64,
    /// Rows that nobody attempted to write. Breaks the promise.
    pub unexplained: u64,
    /// Failed for sure, and present all the same. Breaks the promise: the client was told otherwise.
    pub failed_but_present: u64,
    /// Failed for sure.
    pub failed: u64,
    /// Of unknown outcome, and present.
    pub unknown_present: u64,
    /// Of unknown outcome, and absent.
    pub unknown_absent: u64,
    /// The first writes that break the promise, at most twenty.
    pub offenders: Vec<WriteId>,
}

impl LedgerVerdict {
    /// Whether the promise was kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.lost + self.repeated + self.unexplained + self.failed_but_present == 0
    }

    /// Writes of unknown outcome.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown_present + self.unknown_absent
    }
}

/// Holds a history against the rows that were read back after the last attempt had ended.
#[must_use]
pub fn check_ledger(history: &History, rows: &[WriteId]) -> LedgerVerdict {
    let mut present: BTreeMap<WriteId, u64> = BTreeMap::new();
    for row in rows {
        *present.entry(*row).or_default() += 1;
    }
    let mut verdict = LedgerVerdict::default();
    let mut offenders = BTreeSet::new();
    let mut attempted = BTreeSet::new();
    for attempt in &history.attempts {
        attempted.insert(attempt.id);
        let there = present.contains_key(&attempt.id);
        match attempt.outcome {
            Outcome::Acknowledged => {
                verdict.acknowledged += 1;
                if !there {
                    verdict.lost += 1;
                    offenders.insert(attempt.id);
                }
            }
            Outcome::Failed => {
                verdict.failed += 1;
                if there {
                    verdict.failed_but_present += 1;
                    offenders.insert(attempt.id);
                }
            }
            Outcome::Unknown if there => verdict.unknown_present += 1,
            Outcome::Unknown => verdict.unknown_absent += 1,
        }
    }
    for (id, times) in present {
        let unexplained = !attempted.contains(&id);
        verdict.repeated += u64::from(times > 1);
        verdict.unexplained += u64::from(unexplained);
        if times > 1 || unexplained {
            offenders.insert(id);
        }
    }
    verdict.offenders = offenders.into_iter().take(NAMED_MAX).collect();
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(outcomes: &[Outcome]) -> History {
        let attempt = |(n, outcome): (usize, &Outcome)| Attempt {
            id: WriteId(n as u64),
            start_us: n as u64 * 10,
            end_us: n as u64 * 10 + 5,
            outcome: *outcome,
        };
        History {
            attempts: outcomes.iter().enumerate().map(attempt).collect(),
        }
    }

    fn check(outcomes: &[Outcome], rows: &[u64]) -> LedgerVerdict {
        let rows: Vec<WriteId> = rows.iter().copied().map(WriteId).collect();
        check_ledger(&history(outcomes), &rows)
    }

    use Outcome::{Acknowledged, Failed, Unknown};

    #[test]
    fn a_ledger_with_every_acknowledged_write_once_is_kept() {
        let verdict = check(&[Acknowledged, Unknown, Unknown, Failed], &[1, 0]);
        assert!(verdict.is_kept());
        assert_eq!((verdict.acknowledged, verdict.failed), (1, 1));
        assert_eq!((verdict.unknown_present, verdict.unknown_absent), (1, 1));
    }

    #[test]
    fn an_acknowledged_write_that_is_absent_is_lost() {
        let verdict = check(&[Acknowledged, Acknowledged], &[1]);
        assert_eq!((verdict.lost, verdict.is_kept()), (1, false));
        assert_eq!(verdict.offenders, [WriteId(0)]);
    }

    #[test]
    fn a_row_that_is_there_twice_is_repeated() {
        let verdict = check(&[Acknowledged, Unknown], &[0, 1, 1]);
        assert_eq!((verdict.repeated, verdict.is_kept()), (1, false));
        assert_eq!(verdict.offenders, [WriteId(1)]);
    }

    #[test]
    fn a_row_that_nobody_attempted_is_unexplained() {
        let verdict = check(&[Acknowledged], &[0, 9]);
        assert_eq!((verdict.unexplained, verdict.is_kept()), (1, false));
    }

    #[test]
    fn a_write_that_failed_for_sure_must_not_appear() {
        let verdict = check(&[Failed], &[0]);
        assert_eq!((verdict.failed_but_present, verdict.is_kept()), (1, false));
    }

    #[test]
    fn histories_and_verdicts_go_through_json() {
        let history = history(&[Acknowledged, Unknown]);
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
        let verdict = check(&[Acknowledged], &[]);
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(
            serde_json::from_str::<LedgerVerdict>(&text).unwrap(),
            verdict
        );
    }
}
