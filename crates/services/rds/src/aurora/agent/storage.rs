//! Notices that a volume takes no writes: records wait, and VDL stands still.
//!
//! Where four segments have what a quorum has says nothing: they always do. Only time tells a group that lacks segments from
//! one whose records are on their way.

use std::time::Duration;

use tokio::time::Instant;

use quorate_volume::VolumeStatus;
use quorate_volume::protocol::{GroupIndex, Lsn};

use crate::aurora::model::{STORAGE_DETAIL, few_segments};

/// How long VDL may stand still below a record. An open unit of writes is closed sooner, and a slow disk is slow by less.
const STALL: Duration = Duration::from_secs(3);

/// What was seen of a volume's log.
#[derive(Debug, Default)]
pub(super) struct StorageWatch {
    /// A VDL above which records wait, and when it was first seen so.
    waits: Option<(Lsn, Instant)>,
}

impl StorageWatch {
    /// Takes a look. A sentence for the cluster's detail while the volume takes no writes.
    pub(super) fn look(&mut self, status: &VolumeStatus, now: Instant) -> Option<String> {
        if status.last <= status.vdl {
            self.waits = None;
            return None;
        }
        match self.waits {
            Some((vdl, since)) if vdl == status.vdl => {
                (now.saturating_duration_since(since) >= STALL).then(|| sentence(status))
            }
            _ => {
                self.waits = Some((status.vdl, now));
                None
            }
        }
    }
}

fn sentence(status: &VolumeStatus) -> String {
    match stuck(status) {
        Some(group) => few_segments(group),
        None => format!("{STORAGE_DETAIL}no segment answers"),
    }
}

/// The group in which some segments have what a write quorum has not.
fn stuck(status: &VolumeStatus) -> Option<GroupIndex> {
    let mut groups = status.groups.iter();
    let stuck = groups.find(|group| group.copies.iter().any(|copy| copy.scl > group.complete));
    stuck.map(|group| group.group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_volume::protocol::{MembershipEpoch, VolumeEpoch};
    use quorate_volume::{CopyStatus, GroupStatus};

    /// A volume whose second group has these SCLs, the fourth highest of them complete.
    fn status(vdl: u64, last: u64, scls: [u64; 6]) -> VolumeStatus {
        let group = |index: u32, scls: [u64; 6]| {
            let mut sorted = scls;
            sorted.sort_unstable();
            GroupStatus {
                group: GroupIndex(index),
                membership: MembershipEpoch(1),
                filled: false,
                complete: Lsn(sorted[2]),
                copies: (0..)
                    .zip(scls)
                    .map(|(copy, scl)| CopyStatus {
                        copy,
                        node: "us-east-1a-1".parse().unwrap(),
                        scl: Lsn(scl),
                    })
                    .collect(),
            }
        };
        VolumeStatus {
            epoch: VolumeEpoch(1),
            vdl: Lsn(vdl),
            vcl: Lsn(vdl),
            last: Lsn(last),
            payload_bytes: 0,
            sent_bytes: 0,
            wanted_groups: 2,
            groups: vec![group(0, [5; 6]), group(1, scls)],
        }
    }

    #[test]
    fn records_that_wait_long_for_a_fourth_segment_are_a_matter_of_storage() {
        let mut watch = StorageWatch::default();
        let start = Instant::now();
        let stuck = status(10, 12, [10, 10, 10, 12, 12, 12]);
        assert_eq!(watch.look(&stuck, start), None);
        assert_eq!(watch.look(&stuck, start + STALL / 2), None);
        let told = watch.look(&stuck, start + STALL);
        let expected = "storage: fewer than four segments of protection group 1 answer";
        assert_eq!(told.as_deref(), Some(expected));
        assert_eq!(watch.look(&status(12, 12, [12; 6]), start + STALL), None);
    }

    #[test]
    fn a_log_that_moves_is_no_trouble_however_much_waits() {
        let mut watch = StorageWatch::default();
        let start = Instant::now();
        for step in 0..10 {
            let vdl = 10 + u64::from(step);
            let busy = status(vdl, vdl + 1_000, [vdl, vdl, vdl, vdl, vdl + 500, vdl + 500]);
            assert_eq!(watch.look(&busy, start + STALL * step), None);
        }
    }

    #[test]
    fn no_segment_that_goes_on_is_told_without_a_group() {
        let mut watch = StorageWatch::default();
        let start = Instant::now();
        let alone = status(10, 12, [10; 6]);
        assert_eq!(watch.look(&alone, start), None);
        let told = watch.look(&alone, start + STALL);
        assert_eq!(told.as_deref(), Some("storage: no segment answers"));
    }
}
