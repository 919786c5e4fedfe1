//! How often operations were called, how they ended and how long they took.
//!
//! Label sets are bounded: operations that do not exist are counted as one, and outcomes are classes of HTTP's status.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

/// The operations that are told apart.
const OPERATIONS: [&str; 31] = [
    "BatchExecuteStatement",
    "BatchGetItem",
    "BatchWriteItem",
    "CreateTable",
    "DeleteItem",
    "DeleteResourcePolicy",
    "DeleteTable",
    "DescribeContinuousBackups",
    "DescribeEndpoints",
    "DescribeLimits",
    "DescribeTable",
    "DescribeTimeToLive",
    "ExecuteStatement",
    "ExecuteTransaction",
    "GetItem",
    "GetResourcePolicy",
    "ListTables",
    "ListTagsOfResource",
    "PutItem",
    "PutResourcePolicy",
    "Query",
    "Scan",
    "TagResource",
    "TransactGetItems",
    "TransactWriteItems",
    "UntagResource",
    "UpdateContinuousBackups",
    "UpdateItem",
    "UpdateTable",
    "UpdateTimeToLive",
    OTHER,
];
/// Whatever else was called.
const OTHER: &str = "Other";
/// Classes of status.
const STATUSES: [&str; 3] = ["2xx", "4xx", "5xx"];

/// Upper bounds of the histogram's buckets, in microseconds.
pub const BOUNDS_US: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];

/// Counts since the process began.
#[derive(Debug)]
pub struct Counters {
    operations: Vec<Operation>,
}

#[derive(Debug, Default)]
struct Operation {
    statuses: [AtomicU64; STATUSES.len()],
    /// Calls in each bucket of the histogram; the last one has no upper bound.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// What one operation's counts are at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The operation.
    pub operation: &'static str,
    /// Answers by class of status, as in `2xx`.
    pub statuses: Vec<(&'static str, u64)>,
    /// Answers that took at most so many microseconds, for each of `BOUNDS_US`.
    pub within: Vec<(u64, u64)>,
    /// All answers.
    pub count: u64,
    /// What they took together.
    pub sum_us: u64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            operations: OPERATIONS.iter().map(|_| Operation::default()).collect(),
        }
    }
}

impl Counters {
    /// Counts an answer.
    pub(crate) fn note(&self, operation: Option<&str>, status: StatusCode, took: Duration) {
        let at = OPERATIONS
            .iter()
            .position(|known| Some(*known) == operation)
            .unwrap_or(OPERATIONS.len() - 1);
        let class = match status.as_u16() {
            ..400 => 0,
            400..500 => 1,
            _ => 2,
        };
        let counts = &self.operations[at];
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < took_us);
        counts.statuses[class].fetch_add(1, Ordering::Relaxed);
        counts.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        counts.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// The operations that were called.
    #[must_use]
    pub fn counts(&self) -> Vec<Counts> {
        let all = OPERATIONS.iter().zip(&self.operations);
        all.map(|(operation, held)| held.counts(operation))
            .filter(|counts| counts.count > 0)
            .collect()
    }
}

impl Operation {
    fn counts(&self, operation: &'static str) -> Counts {
        let mut count = 0;
        let mut within = Vec::with_capacity(BOUNDS_US.len());
        for (at, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            within.extend(BOUNDS_US.get(at).map(|bound| (*bound, count)));
        }
        let statuses = STATUSES.iter().zip(&self.statuses);
        Counts {
            operation,
            statuses: statuses
                .map(|(name, held)| (*name, held.load(Ordering::Relaxed)))
                .filter(|(_, held)| *held > 0)
                .collect(),
            within,
            count,
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_operation_status_and_time() {
        let counters = Counters::default();
        let note = |name, status, us| {
            counters.note(Some(name), status, Duration::from_micros(us));
        };
        note("PutItem", StatusCode::OK, 250);
        note("PutItem", StatusCode::BAD_REQUEST, 251);
        note("PutItem", StatusCode::OK, 60_000_000);
        note("Nonsense", StatusCode::INTERNAL_SERVER_ERROR, 1);
        let counts = counters.counts();
        assert_eq!(counts.len(), 2);
        assert_eq!(counts[0].operation, "PutItem");
        assert_eq!(counts[0].statuses, [("2xx", 2), ("4xx", 1)]);
        assert_eq!(counts[0].within[..2], [(250, 1), (500, 2)]);
        assert_eq!(counts[0].within.last(), Some(&(5_000_000, 2)));
        assert_eq!((counts[0].count, counts[0].sum_us), (3, 60_000_501));
        assert_eq!(counts[1].operation, "Other");
    }
}
