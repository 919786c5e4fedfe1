//! The promise to readers of several items: what is read at one moment is of one moment.
//!
//! A bank's accounts begin with a sum that is known. Transfers move money between two of them, all or nothing. So
//! whoever reads all accounts at one moment finds that sum, whatever is being transferred.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many offending reads a verdict names.
const NAMED_MAX: usize = 20;

/// All accounts, as one snapshot read showed them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRead {
    /// When it was begun, in microseconds since the history's start.
    pub start_us: u64,
    /// When its answer was there.
    pub end_us: u64,
    /// What was in each account that was found.
    pub balances: BTreeMap<String, i64>,
}

/// What the reads come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankVerdict {
    /// Reads that were looked at.
    pub reads: u64,
    /// Those with another sum than the bank has.
    pub torn: u64,
    /// Those in which an account was missing, or one that nobody opened was there.
    pub incomplete: u64,
    /// The first reads that break the promise, at most twenty.
    pub offenders: Vec<SnapshotRead>,
}

impl BankVerdict {
    /// Whether the promise was kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.torn + self.incomplete == 0
    }
}

/// Holds the reads against the accounts that there are, and the sum of all of them.
#[must_use]
pub fn check_bank(accounts: &[String], total: i64, reads: &[SnapshotRead]) -> BankVerdict {
    let mut verdict = BankVerdict::default();
    for read in reads {
        verdict.reads += 1;
        let complete = read.balances.len() == accounts.len()
            && accounts.iter().all(|a| read.balances.contains_key(a));
        // Sums of amounts that a client chose: wider than any of them.
        let sum: i128 = read.balances.values().copied().map(i128::from).sum();
        let torn = complete && sum != i128::from(total);
        verdict.incomplete += u64::from(!complete);
        verdict.torn += u64::from(torn);
        if (torn || !complete) && verdict.offenders.len() < NAMED_MAX {
            verdict.offenders.push(read.clone());
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reads: &[&[(&str, i64)]]) -> BankVerdict {
        let reads: Vec<SnapshotRead> = reads
            .iter()
            .map(|read| SnapshotRead {
                balances: read.iter().map(|(a, b)| ((*a).to_owned(), *b)).collect(),
                ..SnapshotRead::default()
            })
            .collect();
        check_bank(&["a", "b"].map(str::to_owned), 100, &reads)
    }

    #[test]
    fn reads_of_one_moment_have_one_sum() {
        let verdict = check(&[&[("a", 100), ("b", 0)], &[("a", -20), ("b", 120)]]);
        assert!(verdict.is_kept());
        assert_eq!(verdict.reads, 2);
    }

    #[test]
    fn a_read_that_sees_half_a_transfer_is_torn() {
        let verdict = check(&[&[("a", 100), ("b", 0)], &[("a", 90), ("b", 0)]]);
        assert_eq!((verdict.torn, verdict.is_kept()), (1, false));
        assert_eq!(verdict.offenders[0].balances["a"], 90);
    }

    #[test]
    fn a_read_without_an_account_is_incomplete() {
        let verdict = check(&[&[("a", 100)], &[("a", 100), ("c", 0)]]);
        assert_eq!((verdict.incomplete, verdict.is_kept()), (2, false));
    }
}
