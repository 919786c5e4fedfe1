//! What agents report of clusters with each renewal of their node's session. Not stored.

use serde::{Deserialize, Serialize};

use quorate_base::Epoch;
use quorate_volume::protocol::{GroupIndex, Lsn, MembershipEpoch, VolumeEpoch};

/// How a report's detail begins when the volume takes no writes.
pub const STORAGE_DETAIL: &str = "storage: ";

/// The detail of a volume with such a group.
#[must_use]
pub fn few_segments(group: GroupIndex) -> String {
    format!("{STORAGE_DETAIL}fewer than four segments of protection group {group} answer")
}

/// One member as its agent sees it. Key among the node's observations: `aurora/RESOURCE-ID` of the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuroraMemberReport {
    /// What mount and engine do.
    pub engine: AuroraEngineState,
    /// The cluster's epoch at which they do.
    pub epoch: Epoch,
    /// For the writer: that mount or engine ended, and that this node does not open the volume at `epoch` again. The
    /// controller answers with another writer, or with the next epoch.
    pub gave_up: bool,
    /// For a reader: how far its view is behind the writer, in milliseconds; none when unknown.
    pub lag_ms: Option<u64>,
    /// What is being done, or what is wrong, in a sentence. One of the writer that begins with [`STORAGE_DETAIL`] goes to
    /// the cluster's detail: such a sentence must not change while what it tells stays.
    pub detail: Option<String>,
}

/// What a member's engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuroraEngineState {
    /// No mount and no process.
    Down,
    /// The volume is being opened, recovered or mounted.
    Mounting,
    /// Mounted; the engine starts or replays its log.
    Starting,
    /// Answers queries over a view of the volume.
    Reading,
    /// Accepts writes.
    Writing,
}

/// What a node knows of a volume. Key among the node's observations: `aurora-volume/RESOURCE-ID` of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeReport {
    /// The segments that lie on the node.
    pub segments: Vec<SegmentReport>,
    /// What the writer knows, on the node that writes.
    pub writer: Option<WriterReport>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentReport {
    /// Its protection group.
    pub group: GroupIndex,
    /// Which copy.
    pub copy: u32,
    /// The membership that it goes by.
    pub membership: MembershipEpoch,
    /// Up to where it has every record of its group.
    pub scl: Lsn,
    /// Bytes of its pages and of records that are not in pages yet, without the pages that it shares with the segment that it
    /// was forked from.
    #[serde(default)]
    pub bytes: u64,
    /// How it is.
    pub health: SegmentHealth,
    /// How far a copy from its peers has come, while one is made.
    pub repair: Option<Progress>,
}

/// How a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentHealth {
    /// Holds what it acknowledged and serves it; it may count in every quorum.
    Sound,
    /// Takes its first copy from its peers, and does not count yet.
    Filling,
    /// Lost something to damage and takes it from its peers again.
    Repairing,
    /// Was made on its node and is not there any more: a copy with another number is to take its place.
    Lost,
}

/// How far something has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Pages done.
    pub done: u64,
    /// Pages to do in all.
    pub total: u64,
}

/// What the writer knows of the volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterReport {
    /// The epoch at which it writes.
    pub epoch: VolumeEpoch,
    /// Up to where the volume is complete.
    pub vcl: Lsn,
    /// The last consistency point at or below it: what is acknowledged.
    pub vdl: Lsn,
    /// Groups whose second set has everything, with the membership that the writer counts by.
    #[serde(default)]
    pub filled: Vec<(GroupIndex, MembershipEpoch)>,
    /// The last record, acknowledged or not.
    #[serde(default)]
    pub last: Lsn,
    /// Bytes that records carried since the volume was opened, each counted once.
    #[serde(default)]
    pub payload_bytes: u64,
    /// The same, counted for each copy whose node took them.
    #[serde(default)]
    pub sent_bytes: u64,
    /// When all this was so, in milliseconds from the start of the writer's mount: what two reports differ in was done in
    /// the time between them.
    #[serde(default)]
    pub at_ms: u64,
}

impl AuroraMemberReport {
    /// The key under which a node's observations hold the report of this member.
    #[must_use]
    pub fn key(resource_id: &str) -> String {
        format!("aurora/{resource_id}")
    }
}

impl VolumeReport {
    /// The key under which a node's observations hold what it knows of this cluster's volume.
    #[must_use]
    pub fn key(resource_id: &str) -> String {
        format!("aurora-volume/{resource_id}")
    }

    /// The report of one segment.
    #[must_use]
    pub fn segment(&self, group: GroupIndex, copy: u32) -> Option<&SegmentReport> {
        self.segments
            .iter()
            .find(|segment| segment.group == group && segment.copy == copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writers_report_without_its_figures_is_read() {
        let report: WriterReport =
            serde_json::from_str(r#"{"epoch":3,"vcl":11,"vdl":10}"#).unwrap();
        assert_eq!((report.vdl, report.vcl), (Lsn(10), Lsn(11)));
        assert_eq!(
            (report.last, report.payload_bytes, report.at_ms),
            (Lsn(0), 0, 0)
        );
    }
}
