//! What was acknowledged is kept by every later recovery, whether it was decided before the acknowledgement or after it.
//!
//! This is what fences writers: an older writer may be told late that four copies have a record, but only of a record that
//! they had before they were sealed, and such a record lies at or below the cut of each later recovery.

use quorate_volume::protocol::{Cut, History, VolumeEpoch};

use super::Breach;
use crate::ledger::Acknowledged;

/// `decided` holds what recoveries decided on, each with its epoch.
pub(crate) fn acknowledged_is_kept<'a>(
    acknowledged: Acknowledged,
    decided: impl IntoIterator<Item = (&'a VolumeEpoch, &'a History)>,
) -> Result<(), Breach> {
    let later = decided
        .into_iter()
        .filter(|(e, _)| **e > acknowledged.epoch);
    for (recovery, history) in later {
        let is_over = |cut: &&Cut| cut.epoch > acknowledged.epoch && cut.at < acknowledged.lsn;
        if let Some(cut) = history.cuts().iter().find(is_over) {
            return Err(Breach::Lost {
                writer: acknowledged.epoch,
                acknowledged: acknowledged.lsn,
                recovery: *recovery,
                cut: cut.at,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::Lsn;

    use super::*;

    fn history(cuts: &[(u64, u64)]) -> History {
        let cut = |(epoch, at): &(u64, u64)| Cut {
            epoch: VolumeEpoch(*epoch),
            at: Lsn(*at),
            start: Lsn(at + 1),
        };
        cuts.iter()
            .fold(History::default(), |history, of| history.with(cut(of)))
    }

    #[test]
    fn a_cut_below_an_acknowledgement_of_an_older_writer_is_seen() {
        let of_first = Acknowledged {
            epoch: VolumeEpoch(1),
            lsn: Lsn(50),
        };
        let check = |cuts: &[(u64, u64)]| {
            let history = history(cuts);
            let epoch = history.epoch();
            acknowledged_is_kept(of_first, [(&epoch, &history)])
        };
        assert_eq!(check(&[(1, 0)]), Ok(()));
        assert_eq!(check(&[(1, 0), (2, 50)]), Ok(()));
        assert_eq!(check(&[(1, 0), (2, 60), (3, 160)]), Ok(()));
        assert!(check(&[(1, 0), (2, 49)]).is_err());
        assert!(check(&[(1, 0), (2, 49), (3, 160)]).is_err());
    }
}
