//! The volumes of clusters: where their log stands, and how each segment is.
//!
//! The catalog says which segments there should be; what is known of them comes from the sessions of their nodes, and is
//! as old as those: a segment may be further by now, and one of a lost node is shown without figures.

use std::sync::Arc;

use serde::Serialize;

use quorate_base::{Epoch, NodeId, ZoneName};
use quorate_control::{Remote, Session, Sessions, Stored};
use quorate_rds::aurora::model::{
    Cluster, Group, Progress, SegmentHealth, SegmentPlace, SegmentReport, Volume, VolumeReport,
    WriterReport,
};
use quorate_volume::protocol::{GroupIndex, Lsn, MembershipEpoch, VolumeEpoch, WRITE_QUORUM};

/// A cluster's volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClusterVolume {
    pub(crate) cluster: String,
    pub(crate) resource_id: String,
    /// The epoch at which the writer should have it open.
    pub(crate) epoch: Epoch,
    /// The DB instance that writes.
    pub(crate) writer: Option<String>,
    /// What the cluster says of itself, where that is more than its status.
    pub(crate) detail: Option<String>,
    /// Bytes that fit into one protection group.
    pub(crate) group_bytes: u64,
    /// None while nobody has it open for writing.
    pub(crate) log: Option<LogStatus>,
    pub(crate) groups: Vec<GroupStatus>,
}

/// Where a volume's log stands, as its writer told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct LogStatus {
    /// The epoch at which the writer has the volume open.
    pub(crate) epoch: VolumeEpoch,
    pub(crate) vcl: Lsn,
    pub(crate) vdl: Lsn,
    /// The last record, acknowledged or not.
    pub(crate) last: Lsn,
    /// Bytes that records carried since the volume was opened, each counted once.
    pub(crate) payload_bytes: u64,
    /// The same, counted for each copy whose node took them.
    pub(crate) sent_bytes: u64,
    /// When that was so, in milliseconds from the opening.
    pub(crate) at_ms: u64,
    /// What was added a second between two reports; none where there was one only.
    pub(crate) rate: Option<LogRate>,
}

/// How fast a log grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct LogRate {
    pub(crate) records_per_s: u64,
    pub(crate) payload_bytes_per_s: u64,
    pub(crate) sent_bytes_per_s: u64,
}

/// A protection group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GroupStatus {
    pub(crate) group: GroupIndex,
    pub(crate) membership: MembershipEpoch,
    /// The segment that is being replaced, and the one that comes in its place.
    pub(crate) replacement: Option<Replacement>,
    /// Six; seven while one is being replaced.
    pub(crate) segments: Vec<SegmentStatus>,
}

/// A change of a group's segments that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Replacement {
    pub(crate) outgoing: SegmentPlace,
    pub(crate) incoming: SegmentPlace,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SegmentStatus {
    pub(crate) copy: u32,
    pub(crate) node: NodeId,
    pub(crate) zone: ZoneName,
    /// None while it is away.
    pub(crate) scl: Option<Lsn>,
    /// What it takes: pages, without those that it shares with what it was cloned from, and log that is not in pages yet. None
    /// while it is away.
    pub(crate) bytes: Option<u64>,
    /// Log of its group up to VDL that it lacks, in LSNs: at most so many records. None while it is away.
    pub(crate) behind: Option<u64>,
    pub(crate) health: Health,
    pub(crate) repair: Option<Progress>,
}

/// How a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Health {
    /// Has what its group has.
    Sound,
    /// Takes from its peers what it never had.
    Filling,
    /// Takes from its peers what it lost.
    Repairing,
    /// Its node is lost, or does not have it.
    Away,
}

impl Health {
    /// Every one.
    pub(crate) const ALL: [Health; 4] = [
        Health::Sound,
        Health::Filling,
        Health::Repairing,
        Health::Away,
    ];

    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Health::Sound => "sound",
            Health::Filling => "filling",
            Health::Repairing => "repairing",
            Health::Away => "away",
        }
    }
}

impl ClusterVolume {
    /// Every segment with its group.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (GroupIndex, &SegmentStatus)> {
        let of_group = |group: &GroupStatus| group.group;
        self.groups
            .iter()
            .flat_map(move |g| g.segments.iter().map(move |s| (of_group(g), s)))
    }

    /// How many segments are so.
    pub(crate) fn count(&self, health: Health) -> usize {
        self.segments().filter(|(_, s)| s.health == health).count()
    }
}

impl LogStatus {
    /// What was added a second since an earlier report; none when the volume was opened anew in between, or no time passed.
    pub(crate) fn rate_since(&self, earlier: &LogStatus) -> Option<LogRate> {
        let passed_ms = self.at_ms.checked_sub(earlier.at_ms).filter(|ms| *ms > 0)?;
        if self.epoch != earlier.epoch {
            return None;
        }
        let a_second = |after: u64, before: u64| {
            let grown = u128::from(after.saturating_sub(before));
            u64::try_from(grown * 1_000 / u128::from(passed_ms)).unwrap_or(u64::MAX)
        };
        Some(LogRate {
            records_per_s: a_second(self.last.0, earlier.last.0),
            payload_bytes_per_s: a_second(self.payload_bytes, earlier.payload_bytes),
            sent_bytes_per_s: a_second(self.sent_bytes, earlier.sent_bytes),
        })
    }
}

impl From<WriterReport> for LogStatus {
    fn from(report: WriterReport) -> LogStatus {
        LogStatus {
            epoch: report.epoch,
            vcl: report.vcl,
            vdl: report.vdl,
            last: report.last,
            payload_bytes: report.payload_bytes,
            sent_bytes: report.sent_bytes,
            at_ms: report.at_ms,
            rate: None,
        }
    }
}

/// The volumes of a region's clusters.
pub(crate) async fn region_volumes(remote: &Arc<Remote>) -> anyhow::Result<Vec<ClusterVolume>> {
    let sessions = remote.sessions().await?;
    let catalog = remote.catalog();
    let clusters = catalog.list::<Cluster>().await?;
    let volumes = catalog.list::<Volume>().await?;
    Ok(of_clusters(&clusters, &volumes, &sessions))
}

/// The volumes of these clusters, as far as they are placed.
pub(super) fn of_clusters(
    clusters: &[Stored<Cluster>],
    volumes: &[Stored<Volume>],
    sessions: &Sessions,
) -> Vec<ClusterVolume> {
    let volume_of = |cluster: &Stored<Cluster>| {
        let found = volumes
            .iter()
            .find(|v| v.id == cluster.record.resource_id)?;
        Some(survey(
            &cluster.id,
            &cluster.record,
            &found.record,
            sessions,
        ))
    };
    clusters.iter().filter_map(volume_of).collect()
}

fn survey(id: &str, cluster: &Cluster, volume: &Volume, sessions: &Sessions) -> ClusterVolume {
    let reports = reports(&cluster.resource_id, sessions);
    // A writer that was replaced and does not know it yet tells of an older epoch.
    let writers = reports
        .iter()
        .filter_map(|(_, report)| report.writer.clone());
    let log = writers
        .max_by_key(|writer| writer.epoch)
        .map(LogStatus::from);
    let vdl = log.map(|log| log.vdl);
    let groups = (0..).map(GroupIndex).zip(&volume.groups);
    ClusterVolume {
        cluster: id.to_owned(),
        resource_id: cluster.resource_id.clone(),
        epoch: cluster.epoch,
        writer: cluster.writer.clone(),
        detail: cluster.status_detail.clone(),
        group_bytes: volume
            .pages_per_group
            .saturating_mul(u64::from(volume.page_bytes)),
        log,
        groups: groups
            .map(|(index, group)| group_status(index, group, vdl, &reports))
            .collect(),
    }
}

/// What the nodes that are alive tell of a volume.
fn reports<'a>(resource_id: &str, sessions: &'a Sessions) -> Vec<(&'a NodeId, VolumeReport)> {
    let key = VolumeReport::key(resource_id);
    let told = |session: &'a Session| {
        let bytes = session.observed.get(&key)?;
        Some((&session.node, serde_json::from_slice(bytes).ok()?))
    };
    let alive = sessions.sessions.iter().filter(|session| session.alive);
    alive.filter_map(told).collect()
}

fn group_status(
    index: GroupIndex,
    group: &Group,
    vdl: Option<Lsn>,
    reports: &[(&NodeId, VolumeReport)],
) -> GroupStatus {
    let report_of = |place: &SegmentPlace| -> Option<&SegmentReport> {
        let mut of_node = reports.iter().filter(|(node, _)| **node == place.node);
        of_node.find_map(|(_, report)| report.segment(index, place.copy))
    };
    let places: Vec<_> = group
        .segments()
        .into_iter()
        .map(|place| (place, report_of(place)))
        .collect();
    let reached = places
        .iter()
        .filter_map(|(_, report)| Some(report.as_ref()?.scl));
    let complete = complete_of(reached.collect(), vdl);
    let row = |(place, report): &(&SegmentPlace, Option<&SegmentReport>)| SegmentStatus {
        copy: place.copy,
        node: place.node.clone(),
        zone: place.node.zone(),
        scl: report.map(|r| r.scl),
        bytes: report.map(|r| r.bytes),
        behind: report.map(|r| complete.0.saturating_sub(r.scl.0)),
        health: match report.map(|r| r.health) {
            None => Health::Away,
            Some(SegmentHealth::Sound) => Health::Sound,
            Some(SegmentHealth::Filling) => Health::Filling,
            Some(SegmentHealth::Repairing) => Health::Repairing,
            Some(SegmentHealth::Lost) => Health::Away,
        },
        repair: report.and_then(|r| r.repair),
    };
    GroupStatus {
        group: index,
        membership: group.epoch,
        replacement: group.replacement().map(|(incoming, outgoing)| Replacement {
            outgoing: outgoing.clone(),
            incoming: incoming.clone(),
        }),
        segments: places.iter().map(row).collect(),
    }
}

/// What a segment of a group should have, by the SCLs that its segments tell: what a write quorum has, and nothing above
/// VDL. A group's last record may stand far below VDL, which other groups move on. With fewer segments than a write quorum
/// it is what the best one has.
fn complete_of(mut reached: Vec<Lsn>, vdl: Option<Lsn>) -> Lsn {
    reached.sort_unstable_by_key(|scl| std::cmp::Reverse(*scl));
    let quorum = reached.get(WRITE_QUORUM - 1).or(reached.first());
    let quorum = quorum.copied().unwrap_or_default();
    vdl.map_or(quorum, |vdl| quorum.min(vdl))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(letter: char) -> NodeId {
        format!("us-east-1{letter}-1").parse().unwrap()
    }

    fn place(copy: u32, letter: char) -> SegmentPlace {
        let node = node(letter);
        SegmentPlace { copy, node }
    }

    fn group() -> Group {
        let letters = (0..).zip("aabbcc".chars());
        Group {
            epoch: MembershipEpoch(1),
            sets: vec![letters.map(|(copy, letter)| place(copy, letter)).collect()],
            next_copy: 6,
            made: Default::default(),
        }
    }

    fn told(copies: [(u32, u64); 2]) -> VolumeReport {
        let segment = |(copy, scl)| SegmentReport {
            group: GroupIndex(0),
            copy,
            membership: MembershipEpoch(1),
            scl: Lsn(scl),
            bytes: 0,
            health: SegmentHealth::Sound,
            repair: None,
        };
        VolumeReport {
            segments: copies.map(segment).to_vec(),
            writer: None,
        }
    }

    fn log(at_ms: u64, last: u64, payload_bytes: u64) -> LogStatus {
        LogStatus {
            epoch: VolumeEpoch(3),
            vcl: Lsn(last),
            vdl: Lsn(last),
            last: Lsn(last),
            payload_bytes,
            sent_bytes: payload_bytes * 6,
            at_ms,
            rate: None,
        }
    }

    #[test]
    fn segments_of_a_node_that_does_not_tell_are_away() {
        let (a, b) = (node('a'), node('b'));
        let reports = [
            (&a, told([(0, 100), (1, 90)])),
            (&b, told([(2, 100), (3, 100)])),
        ];
        let found = group_status(GroupIndex(0), &group(), Some(Lsn(100)), &reports);
        let rows = found.segments.iter();
        let rows: Vec<_> = rows.map(|s| (s.copy, s.behind, s.health)).collect();
        assert_eq!(
            rows,
            [
                // Four tell, and a write quorum of them has 90.
                (0, Some(0), Health::Sound),
                (1, Some(0), Health::Sound),
                (2, Some(0), Health::Sound),
                (3, Some(0), Health::Sound),
                (4, None, Health::Away),
                (5, None, Health::Away),
            ]
        );
        assert_eq!(found.replacement, None);
    }

    #[test]
    fn a_segment_is_as_far_behind_as_a_write_quorum_is_ahead() {
        let reached = |scls: &[u64]| scls.iter().copied().map(Lsn).collect::<Vec<_>>();
        for (scls, vdl, complete) in [
            (&[100, 100, 100, 100, 40, 7][..], Some(100), 100),
            // The last record of this group stands below VDL.
            (&[70, 70, 70, 70, 70, 70], Some(100), 70),
            // What is above VDL need not be anywhere.
            (&[110, 110, 110, 110, 110, 100], Some(100), 100),
            (&[100, 90], Some(100), 100),
            (&[100, 90], None, 100),
            (&[], Some(100), 0),
        ] {
            let found = complete_of(reached(scls), vdl.map(Lsn));
            assert_eq!(found, Lsn(complete), "{scls:?} {vdl:?}");
        }
    }

    #[test]
    fn a_group_in_which_a_segment_is_replaced_shows_seven() {
        let mut group = group();
        let mut to_come = group.sets[0].clone();
        to_come[5] = place(6, 'c');
        group.sets.push(to_come);
        let found = group_status(GroupIndex(0), &group, None, &[]);
        assert_eq!(found.segments.len(), 7);
        let replacement = found.replacement.unwrap();
        assert_eq!(replacement.outgoing, place(5, 'c'));
        assert_eq!(replacement.incoming, place(6, 'c'));
    }

    #[test]
    fn a_rate_is_what_two_reports_of_one_opening_differ_in() {
        let rate = log(3_000, 500, 9_000).rate_since(&log(1_000, 100, 1_000));
        let rate = rate.unwrap();
        assert_eq!(rate.records_per_s, 200);
        assert_eq!(rate.payload_bytes_per_s, 4_000);
        assert_eq!(rate.sent_bytes_per_s, 24_000);
        let mut reopened = log(3_000, 500, 9_000);
        reopened.epoch = VolumeEpoch(4);
        assert_eq!(reopened.rate_since(&log(1_000, 100, 1_000)), None);
        assert_eq!(log(1_000, 1, 1).rate_since(&log(1_000, 1, 1)), None);
    }
}
