//! What a drill found out.
//!
//! Exit status of a program that runs a drill: [`EXIT_KEPT`] when every acknowledged write is there exactly once
//! and writes came back after the fault; [`EXIT_BROKEN`] when the drill ran and a promise was broken;
//! [`EXIT_NOT_RUN`] when it could not be run to its end, which says nothing about the promise.

use std::fmt;

use quorate_oracle::gaps::{first_acknowledged_after, longest_gap};
use quorate_oracle::ledger::{History, LedgerVerdict};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::multi_az::MultiAzDrill;

/// The promise was kept.
pub const EXIT_KEPT: u8 = 0;
/// The promise was broken.
pub const EXIT_BROKEN: u8 = 1;
/// The drill did not come to a verdict.
pub const EXIT_NOT_RUN: u8 = 2;

/// Who is given each line of a drill's timeline, with its milliseconds, as it happens.
pub(crate) type Tell = dyn Fn(u64, &str) + Send + Sync;

/// The moments of a drill, on the history's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    /// The fault began to be injected: times are measured from here.
    pub(crate) begun_us: u64,
    /// The fault was there: only writes begun after this show that it is overcome.
    pub(crate) injected_us: u64,
    /// The clients were told to stop.
    pub(crate) end_us: u64,
}

/// The verdict. Times are milliseconds since the clients started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillVerdict {
    /// The instance.
    pub instance: String,
    /// What was done to it.
    pub fault: Fault,
    /// How many clients wrote.
    pub clients: u32,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged, and not there at the end.
    pub lost: u64,
    /// There more than once.
    pub repeated: u64,
    /// Of unknown outcome: asked to commit, and no answer came.
    pub unknown: u64,
    /// Of those, how many are there.
    pub unknown_present: u64,
    /// Failed for sure.
    pub failed: u64,
    /// The longest time without an acknowledged write, from the fault until the clients stopped.
    pub longest_gap_ms: u64,
    /// From the fault to the first acknowledgement of a write begun after it; none when none came.
    pub fault_to_first_ack_ms: Option<u64>,
    /// What happened, in order.
    pub timeline: Vec<(u64, String)>,
    /// The whole count.
    pub ledger: LedgerVerdict,
}

impl DrillVerdict {
    /// Puts a verdict together.
    #[must_use]
    pub(crate) fn new(
        instance: &str,
        drill: &MultiAzDrill,
        history: &History,
        ledger: LedgerVerdict,
        moments: Moments,
        timeline: Vec<(u64, String)>,
    ) -> DrillVerdict {
        let first = first_acknowledged_after(history, moments.injected_us);
        let gap = longest_gap(
            history,
            moments.begun_us,
            moments.end_us.max(moments.begun_us),
        );
        DrillVerdict {
            instance: instance.to_owned(),
            fault: drill.fault,
            clients: drill.workload.clients,
            acknowledged: ledger.acknowledged,
            lost: ledger.lost,
            repeated: ledger.repeated,
            unknown: ledger.unknown(),
            unknown_present: ledger.unknown_present,
            failed: ledger.failed,
            longest_gap_ms: gap.length_us() / 1_000,
            fault_to_first_ack_ms: first.map(|at| (at - moments.begun_us) / 1_000),
            timeline,
            ledger,
        }
    }

    /// Whether every acknowledged write is there once, and writes came back.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.ledger.is_kept() && self.acknowledged > 0 && self.fault_to_first_ack_ms.is_some()
    }

    /// The exit status of a program that ran this drill.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        if self.is_kept() {
            EXIT_KEPT
        } else {
            EXIT_BROKEN
        }
    }
}

impl fmt::Display for DrillVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Drill: {} on {}, {} clients",
            self.fault, self.instance, self.clients
        )?;
        writeln!(f)?;
        for (at_ms, text) in &self.timeline {
            writeln!(f, "  {:>9}  {text}", seconds(*at_ms))?;
        }
        writeln!(f)?;
        writeln!(f, "  acknowledged commits     {:>8}", self.acknowledged)?;
        writeln!(f, "  lost                     {:>8}", self.lost)?;
        writeln!(f, "  repeated                 {:>8}", self.repeated)?;
        writeln!(
            f,
            "  outcome unknown          {:>8}  ({} of them are there)",
            self.unknown, self.unknown_present
        )?;
        writeln!(f, "  failed for sure          {:>8}", self.failed)?;
        if self.ledger.unexplained + self.ledger.failed_but_present > 0 {
            writeln!(
                f,
                "  rows nobody wrote        {:>8}",
                self.ledger.unexplained
            )?;
            writeln!(
                f,
                "  failed, and yet there    {:>8}",
                self.ledger.failed_but_present
            )?;
        }
        writeln!(
            f,
            "  longest time without one {:>8}",
            seconds(self.longest_gap_ms)
        )?;
        match self.fault_to_first_ack_ms {
            Some(ms) => writeln!(f, "  from fault to the first  {:>8}", seconds(ms))?,
            None => writeln!(f, "  from fault to the first     never")?,
        }
        writeln!(f)?;
        if self.is_kept() {
            write!(f, "KEPT: every acknowledged commit is there, once.")
        } else if self.ledger.is_kept() {
            write!(
                f,
                "BROKEN: nothing is lost, but no write was acknowledged again."
            )
        } else {
            let named: Vec<String> = self
                .ledger
                .offenders
                .iter()
                .map(ToString::to_string)
                .collect();
            write!(f, "BROKEN: see the writes {}", named.join(", "))
        }
    }
}

pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use quorate_oracle::WriteId;
    use quorate_oracle::ledger::{Attempt, Outcome, check_ledger};

    use super::*;

    fn verdict(rows: &[u64], ends_ms: &[u64]) -> DrillVerdict {
        let attempt = |(n, end): (usize, &u64)| Attempt {
            id: WriteId(n as u64),
            start_us: end * 1_000 - 900,
            end_us: end * 1_000,
            outcome: Outcome::Acknowledged,
        };
        let history = History {
            attempts: ends_ms.iter().enumerate().map(attempt).collect(),
        };
        let rows: Vec<WriteId> = rows.iter().copied().map(WriteId).collect();
        let ledger = check_ledger(&history, &rows);
        let timeline = vec![(100, String::from("us-east-1a killed"))];
        let moments = Moments {
            begun_us: 100_000,
            injected_us: 100_000,
            end_us: 4_000_000,
        };
        DrillVerdict::new(
            "orders",
            &MultiAzDrill::default(),
            &history,
            ledger,
            moments,
            timeline,
        )
    }

    #[test]
    fn a_kept_promise_exits_with_zero_and_tells_the_times() {
        let verdict = verdict(&[0, 1, 2], &[50, 99, 2_600]);
        assert_eq!(verdict.exit_status(), EXIT_KEPT);
        assert_eq!(verdict.fault_to_first_ack_ms, Some(2_500));
        assert_eq!(verdict.longest_gap_ms, 2_500);
        let report = verdict.to_string();
        assert!(
            report.contains("2.500 s") && report.contains("KEPT"),
            "{report}"
        );
    }

    #[test]
    fn a_lost_write_and_writes_that_do_not_come_back_exit_with_one() {
        assert_eq!(
            verdict(&[0, 2], &[50, 99, 2_600]).exit_status(),
            EXIT_BROKEN
        );
        assert!(
            verdict(&[0, 2], &[50, 99, 2_600])
                .to_string()
                .contains("BROKEN")
        );
        assert_eq!(verdict(&[0, 1], &[50, 99]).exit_status(), EXIT_BROKEN);
    }

    #[test]
    fn a_verdict_goes_through_json() {
        let verdict = verdict(&[0], &[50]);
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(
            serde_json::from_str::<DrillVerdict>(&text).unwrap(),
            verdict
        );
    }
}
