//! Aurora's part of the metrics page: volumes and their segments.
//!
//! Members of clusters are among all members: a reader's lag is `member_lag_milliseconds` with `role="reader"`.

use std::collections::BTreeMap;

use quorate_base::RegionName;

use crate::metrics::family;
use crate::status::{ClusterVolume, Health, LogStatus, RegionStatus};

/// Segments shown at most: those that are furthest behind come first.
const SEGMENTS_MAX: usize = 1_000;

/// A figure of a volume's log.
type Pick = fn(&LogStatus) -> u64;

const LOG_FAMILIES: [(&str, &str, &str, Pick); 6] = [
    (
        "aurora_volume_vdl",
        "The last consistency point of the volume's log: what is acknowledged.",
        "gauge",
        |log| log.vdl.0,
    ),
    (
        "aurora_volume_vcl",
        "Up to where every record of the volume's log is at a write quorum.",
        "gauge",
        |log| log.vcl.0,
    ),
    (
        "aurora_volume_last_lsn",
        "The last record of the volume's log, acknowledged or not.",
        "gauge",
        |log| log.last.0,
    ),
    (
        "aurora_volume_writer_epoch",
        "The epoch at which the volume is open for writing.",
        "gauge",
        |log| log.epoch.0,
    ),
    (
        "aurora_volume_log_bytes_total",
        "Bytes that records carried since the volume was opened, each counted once.",
        "counter",
        |log| log.payload_bytes,
    ),
    (
        "aurora_volume_sent_bytes_total",
        "The same bytes, counted for each copy whose node took them.",
        "counter",
        |log| log.sent_bytes,
    ),
];

/// All families.
pub(super) fn families(page: &mut String, regions: &BTreeMap<RegionName, RegionStatus>) {
    let volumes: Vec<(String, &ClusterVolume)> = regions
        .values()
        .flat_map(|region| {
            region
                .volumes
                .iter()
                .map(|v| (labels(&region.region, v), v))
        })
        .collect();
    volume_families(page, &volumes);
}

fn labels(region: &RegionName, volume: &ClusterVolume) -> String {
    format!("region=\"{region}\",cluster=\"{}\"", volume.cluster)
}

fn volume_families(page: &mut String, volumes: &[(String, &ClusterVolume)]) {
    for (name, help, kind, pick) in LOG_FAMILIES {
        let values = volumes
            .iter()
            .filter_map(|(labels, volume)| Some((format!("{{{labels}}}"), pick(&volume.log?))));
        family(page, name, help, kind, values);
    }
    let by_health = volumes.iter().flat_map(|(labels, volume)| {
        Health::ALL.map(|health| {
            let labels = format!("{{{labels},health=\"{}\"}}", health.as_str());
            (labels, volume.count(health) as u64)
        })
    });
    family(
        page,
        "aurora_segments",
        "Segments of the volume that are so.",
        "gauge",
        by_health,
    );
    let stored = volumes.iter().map(|(labels, volume)| {
        let bytes = volume.segments().filter_map(|(_, segment)| segment.bytes);
        (format!("{{{labels}}}"), bytes.sum())
    });
    family(
        page,
        "aurora_volume_stored_bytes",
        "What the volume's segments take, pages that a clone shares not among them.",
        "gauge",
        stored,
    );
    let mut lags: Vec<(String, u64)> = volumes
        .iter()
        .flat_map(|(labels, volume)| {
            volume.segments().filter_map(move |(group, segment)| {
                let (copy, node) = (segment.copy, &segment.node);
                let own = format!("group=\"{group}\",segment=\"{copy}\",node=\"{node}\"");
                Some((format!("{{{labels},{own}}}"), segment.behind?))
            })
        })
        .collect();
    lags.sort_by_key(|(_, behind)| std::cmp::Reverse(*behind));
    lags.truncate(SEGMENTS_MAX);
    family(
        page,
        "aurora_segment_lag_records",
        "LSNs of its group's acknowledged log that the segment lacks.",
        "gauge",
        lags,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{GroupStatus, SegmentStatus};
    use quorate_base::{Epoch, NodeId};
    use quorate_volume::protocol::{GroupIndex, Lsn, MembershipEpoch, VolumeEpoch};

    fn segment(copy: u32, letter: char, scl: Option<u64>) -> SegmentStatus {
        let node: NodeId = format!("us-east-1{letter}-1").parse().unwrap();
        SegmentStatus {
            copy,
            zone: node.zone(),
            node,
            scl: scl.map(Lsn),
            bytes: scl.map(|_| 7_000),
            behind: scl.map(|scl| 100 - scl),
            health: scl.map_or(Health::Away, |_| Health::Sound),
            repair: None,
        }
    }

    #[test]
    fn a_volume_tells_of_its_log_and_of_each_segment_that_answers() {
        let volume = ClusterVolume {
            cluster: "books".into(),
            resource_id: "cluster-X".into(),
            epoch: Epoch(3),
            writer: None,
            detail: None,
            group_bytes: 1 << 30,
            log: Some(LogStatus {
                epoch: VolumeEpoch(3),
                vcl: Lsn(101),
                vdl: Lsn(100),
                last: Lsn(102),
                payload_bytes: 5_000,
                sent_bytes: 30_000,
                at_ms: 1,
                rate: None,
            }),
            groups: vec![GroupStatus {
                group: GroupIndex(0),
                membership: MembershipEpoch(1),
                replacement: None,
                segments: vec![
                    segment(0, 'a', Some(100)),
                    segment(1, 'a', Some(60)),
                    segment(2, 'b', None),
                ],
            }],
        };
        let mut page = String::new();
        let region: RegionName = "us-east-1".parse().unwrap();
        volume_families(&mut page, &[(labels(&region, &volume), &volume)]);
        let of = "region=\"us-east-1\",cluster=\"books\"";
        let expected = [
            format!("quorate_aurora_volume_vdl{{{of}}} 100"),
            format!("quorate_aurora_volume_vcl{{{of}}} 101"),
            format!("quorate_aurora_volume_writer_epoch{{{of}}} 3"),
            format!("quorate_aurora_volume_log_bytes_total{{{of}}} 5000"),
            format!("quorate_aurora_volume_sent_bytes_total{{{of}}} 30000"),
            format!("quorate_aurora_segments{{{of},health=\"sound\"}} 2"),
            format!("quorate_aurora_segments{{{of},health=\"away\"}} 1"),
            format!(
                "quorate_aurora_segment_lag_records{{{of},group=\"0\",segment=\"1\",node=\"us-east-1a-1\"}} 40"
            ),
        ];
        for line in expected {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("us-east-1b-1"), "{page}");
    }
}
