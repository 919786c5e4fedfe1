//! What a DynamoDB drill found out.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use quorate_oracle::WriteId;
use quorate_oracle::gaps::longest_gap;
use quorate_oracle::ledger::{Attempt, History, LedgerVerdict, Outcome, check_ledger};
use quorate_oracle::linearizability::{
    Action, Answer, LinearizabilityVerdict, Operation, check_linearizability,
};
use serde::{Deserialize, Serialize};

use crate::dynamodb::DynamoDbDrill;
use crate::dynamodb::clients::{DynamoDbHistory, EventualRead};
use crate::fault::Fault;
use crate::verdict::{EXIT_BROKEN, EXIT_KEPT, seconds};

/// The moments of a drill, on the history's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub(crate) begun_us: u64,
    pub(crate) injected_us: u64,
    pub(crate) end_us: u64,
}

/// The verdict. Times are milliseconds since the clients started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamoDbVerdict {
    /// What was done; none for load alone.
    pub fault: Option<Fault>,
    /// How many clients there were.
    pub clients: u32,
    /// What their operations were drawn from.
    pub seed: u64,
    /// Whether all promises were kept.
    pub kept: bool,
    /// Writes that were acknowledged, to keys and to the ledger.
    pub acknowledged: u64,
    /// Items of the ledger that were acknowledged and are not there.
    pub lost: u64,
    /// Items of the ledger that are there more than once.
    pub repeated: u64,
    /// Writes of unknown outcome.
    pub unknown: u64,
    /// Writes and strong reads that surely failed.
    pub failed: u64,
    /// Whether all answers fit into one order, key by key.
    pub linearizable: bool,
    /// The longest time without an acknowledged write, from the fault to the end.
    pub longest_without_write_ms: u64,
    /// The longest time without an answered strong read, from the fault to the end.
    pub longest_without_strong_read_ms: u64,
    /// The longest time without an answered eventual read, from the fault to the end.
    pub longest_without_eventual_read_ms: u64,
    /// From the fault to the first acknowledgement of a write begun after it.
    pub fault_to_first_ack_ms: Option<u64>,
    /// Eventual reads.
    pub eventual_reads: u64,
    /// Those that gave an error.
    pub eventual_errors: u64,
    /// Those that gave a value which a write acknowledged before them had surely replaced.
    pub eventual_stale: u64,
    /// How often each error came.
    pub errors: BTreeMap<String, u64>,
    /// What happened, in order.
    pub timeline: Vec<(u64, String)>,
    /// The order of operations on keys, in full.
    pub order: LinearizabilityVerdict,
    /// The ledger's count, in full.
    pub ledger: LedgerVerdict,
}

impl DynamoDbVerdict {
    pub(crate) fn new(
        drill: &DynamoDbDrill,
        history: &DynamoDbHistory,
        rows: &[WriteId],
        moments: Moments,
        timeline: Vec<(u64, String)>,
    ) -> DynamoDbVerdict {
        let order = check_linearizability(&history.operations);
        let ledger = check_ledger(&history.ledger, rows);
        let writes = writes(history);
        let gap = |history: &History| {
            let to = moments.end_us.max(moments.begun_us);
            longest_gap(history, moments.begun_us, to).length_us() / 1_000
        };
        let first = quorate_oracle::gaps::first_acknowledged_after(&writes, moments.injected_us);
        let ends = |outcome| {
            writes
                .attempts
                .iter()
                .filter(|a| a.outcome == outcome)
                .count() as u64
        };
        let failed_reads = of_reads(history)
            .filter(|(_, _, answered)| !answered)
            .count() as u64;
        let eventual_errors = history.eventual.iter().filter(|r| r.found.is_err()).count() as u64;
        let acknowledged = ends(Outcome::Acknowledged);
        DynamoDbVerdict {
            fault: drill.fault,
            clients: drill.clients,
            seed: drill.seed,
            kept: order.is_kept()
                && ledger.is_kept()
                && acknowledged > 0
                && eventual_errors == 0
                && first.is_some(),
            acknowledged,
            lost: ledger.lost,
            repeated: ledger.repeated,
            unknown: ends(Outcome::Unknown),
            failed: ends(Outcome::Failed) + failed_reads,
            linearizable: order.is_kept(),
            longest_without_write_ms: gap(&writes),
            longest_without_strong_read_ms: gap(&as_history(of_reads(history))),
            longest_without_eventual_read_ms: gap(&as_history(
                history
                    .eventual
                    .iter()
                    .map(|r| (r.start_us, r.end_us, r.found.is_ok())),
            )),
            fault_to_first_ack_ms: first.map(|at| at.saturating_sub(moments.begun_us) / 1_000),
            eventual_reads: history.eventual.len() as u64,
            eventual_errors,
            eventual_stale: stale(&history.operations, &history.eventual),
            errors: history.errors.clone(),
            timeline,
            order,
            ledger,
        }
    }

    /// The exit status of a program that ran this drill.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        if self.kept { EXIT_KEPT } else { EXIT_BROKEN }
    }
}

/// All writes, to keys and to the ledger, as attempts.
fn writes(history: &DynamoDbHistory) -> History {
    let on_keys = history.operations.iter().filter_map(|operation| {
        let outcome = match (operation.action, operation.answer) {
            (Action::Read, _) | (_, Answer::Found(_)) => return None,
            (_, Answer::Done) => Outcome::Acknowledged,
            (_, Answer::Failed) => Outcome::Failed,
            (_, Answer::Unknown) => Outcome::Unknown,
        };
        Some(Attempt {
            id: WriteId::default(),
            start_us: operation.start_us,
            end_us: operation.end_us,
            outcome,
        })
    });
    History {
        attempts: on_keys
            .chain(history.ledger.attempts.iter().copied())
            .collect(),
    }
}

/// Start, end and whether it was answered, of each strong read.
fn of_reads(history: &DynamoDbHistory) -> impl Iterator<Item = (u64, u64, bool)> {
    let reads = history
        .operations
        .iter()
        .filter(|o| o.action == Action::Read);
    reads.map(|o| (o.start_us, o.end_us, matches!(o.answer, Answer::Found(_))))
}

fn as_history(reads: impl Iterator<Item = (u64, u64, bool)>) -> History {
    let attempt = |(start_us, end_us, answered)| Attempt {
        id: WriteId::default(),
        start_us,
        end_us,
        outcome: if answered {
            Outcome::Acknowledged
        } else {
            Outcome::Failed
        },
    };
    History {
        attempts: reads.map(attempt).collect(),
    }
}

/// Reads of a value after which another one had been written, and acknowledged, before the read was begun.
fn stale(operations: &[Operation], reads: &[EventualRead]) -> u64 {
    let mut ends: HashMap<u64, u64> = HashMap::new();
    let mut acknowledged: HashMap<&str, Vec<(u64, u64)>> = HashMap::new();
    for operation in operations {
        let value = match operation.action {
            Action::Put(value) | Action::CompareAndSet { value, .. } => value,
            Action::Read => continue,
        };
        if operation.answer == Answer::Done {
            ends.insert(value, operation.end_us);
            let of_key = acknowledged.entry(&operation.key).or_default();
            of_key.push((operation.start_us, operation.end_us));
        }
    }
    let is_stale = |read: &&EventualRead| {
        let Ok(found) = &read.found else { return false };
        // Of a write of unknown outcome it is not known when it was done.
        let written = match found {
            Some(value) => ends.get(value).copied(),
            None => Some(0),
        };
        let later = acknowledged.get(read.key.as_str());
        written.is_some_and(|written| {
            let mut later = later.into_iter().flatten();
            later.any(|(start, end)| *start > written && *end < read.start_us)
        })
    };
    reads.iter().filter(is_stale).count() as u64
}

impl fmt::Display for DynamoDbVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = self.fault.map_or("no fault", Fault::as_str);
        writeln!(
            f,
            "Drill: {fault}, {} clients, seed {}",
            self.clients, self.seed
        )?;
        writeln!(f)?;
        for (at_ms, text) in &self.timeline {
            writeln!(f, "  {:>9}  {text}", seconds(*at_ms))?;
        }
        writeln!(f)?;
        let yes = |yes: bool| if yes { "yes" } else { "NO" };
        let rows = [
            ("acknowledged writes", self.acknowledged.to_string()),
            ("lost", self.lost.to_string()),
            ("repeated", self.repeated.to_string()),
            ("outcome unknown", self.unknown.to_string()),
            ("failed for sure", self.failed.to_string()),
            ("linearizable", yes(self.linearizable).to_owned()),
            ("eventual reads", self.eventual_reads.to_string()),
            ("  with an error", self.eventual_errors.to_string()),
            ("  seen to be stale", self.eventual_stale.to_string()),
            (
                "longest without a write",
                seconds(self.longest_without_write_ms),
            ),
            (
                "  a strong read",
                seconds(self.longest_without_strong_read_ms),
            ),
            (
                "  an eventual read",
                seconds(self.longest_without_eventual_read_ms),
            ),
        ];
        for (name, value) in rows {
            writeln!(f, "  {name:<26} {value:>9}")?;
        }
        for (error, times) in &self.errors {
            writeln!(f, "  {times:>6} x {error}")?;
        }
        for violation in &self.order.violations {
            writeln!(f, "  no order with {violation:?}")?;
        }
        for key in &self.order.undecided {
            writeln!(f, "  not decided: {key}")?;
        }
        writeln!(f)?;
        if self.kept {
            write!(
                f,
                "KEPT: every answer fits, and every acknowledged item is there."
            )
        } else {
            write!(f, "BROKEN.")
        }
    }
}
