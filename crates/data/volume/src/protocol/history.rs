//! What recoveries have cut off: which records of earlier writers are void.
//!
//! Invariants
//! - A writer adds one cut, at the VDL that its recovery found, before it writes; a write quorum of each group adopts it first.
//! - A history is taken over whole, from a higher epoch only: a recovery that died half way is overruled by the next one.

use serde::{Deserialize, Serialize};

use super::{Lsn, RecordHeader, VolumeEpoch};

/// Where a writer's recovery ended: the truncation range from `at` to `start`, both excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The writer that cut.
    pub epoch: VolumeEpoch,
    /// The VDL that it found: records of lower epochs above it are void.
    pub at: Lsn,
    /// The first LSN that it handed out.
    pub start: Lsn,
}

/// All cuts, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History(Vec<Cut>);

impl History {
    /// The epoch of the last cut; 0 when there is none.
    #[must_use]
    pub fn epoch(&self) -> VolumeEpoch {
        self.0.last().map_or(VolumeEpoch(0), |cut| cut.epoch)
    }

    /// The last cut.
    #[must_use]
    pub fn last(&self) -> Option<Cut> {
        self.0.last().copied()
    }

    /// This history and one more cut. Cuts that the new one covers are left out.
    #[must_use]
    pub fn with(&self, cut: Cut) -> History {
        assert!(cut.epoch > self.epoch(), "epochs rise");
        let mut cuts = self.0.clone();
        while cuts.last().is_some_and(|earlier| earlier.at >= cut.at) {
            cuts.pop();
        }
        cuts.push(cut);
        History(cuts)
    }

    /// The history of what lies at or below a VDL: later cuts do not concern that.
    #[must_use]
    pub fn up_to(&self, vdl: Lsn) -> History {
        let cuts = self.0.iter().copied();
        History(cuts.take_while(|cut| cut.at < vdl).collect())
    }

    /// Whether a record was cut off.
    #[must_use]
    pub fn is_void(&self, header: &RecordHeader) -> bool {
        self.0
            .iter()
            .any(|cut| header.epoch < cut.epoch && header.lsn > cut.at)
    }

    /// The LSN that follows this one in the log, as numbers are handed out without gaps between cuts.
    #[must_use]
    pub fn following(&self, lsn: Lsn) -> Lsn {
        let cut = self.0.iter().rev().find(|cut| cut.at == lsn);
        cut.map_or(lsn.next(), |cut| cut.start)
    }

    /// The cuts.
    #[must_use]
    pub fn cuts(&self) -> &[Cut] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(epoch: u64, at: u64, start: u64) -> Cut {
        Cut {
            epoch: VolumeEpoch(epoch),
            at: Lsn(at),
            start: Lsn(start),
        }
    }

    fn header(lsn: u64, epoch: u64) -> RecordHeader {
        RecordHeader {
            lsn: Lsn(lsn),
            previous: Lsn(lsn - 1),
            epoch: VolumeEpoch(epoch),
            consistency_point: true,
        }
    }

    #[test]
    fn records_of_earlier_epochs_above_a_cut_are_void() {
        let history = History::default().with(cut(1, 0, 1)).with(cut(3, 50, 151));
        assert!(!history.is_void(&header(50, 1)));
        assert!(history.is_void(&header(51, 1)));
        assert!(history.is_void(&header(160, 2)));
        assert!(!history.is_void(&header(151, 3)));
        assert_eq!(history.following(Lsn(50)), Lsn(151));
        assert_eq!(history.following(Lsn(49)), Lsn(50));
    }

    #[test]
    fn a_cut_at_or_below_an_earlier_one_covers_it() {
        let history = History::default().with(cut(1, 0, 1)).with(cut(2, 60, 161));
        let lower = history.with(cut(3, 60, 161));
        assert_eq!(lower.cuts(), [cut(1, 0, 1), cut(3, 60, 161)]);
        assert!(lower.is_void(&header(161, 2)));
        assert_eq!(lower.following(Lsn(60)), Lsn(161));
    }
}
