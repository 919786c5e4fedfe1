//! `volume`: what the storage of Aurora's clusters does.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::time::Instant;

use quorate_base::RegionName;
use quorate_rds::aurora::model::Progress;

use crate::cli::{ShowArgs, VolumeArgs, VolumeCommand};
use crate::gateway::GatewayRegion;
use crate::status::{ClusterVolume, GroupStatus, Health, LogStatus, SegmentStatus, region_volumes};
use crate::table::{print_json, print_table, say};

/// Shortest time between the two reports that a rate is made of.
const RATE_OVER_MS: u64 = 1_000;
/// How long the second one is waited for. A writer's node tells anew several times a second, unless it is lost.
const RATE_WITHIN: Duration = Duration::from_secs(5);
/// Time between two questions.
const ASK_EVERY: Duration = Duration::from_millis(200);

#[derive(Serialize)]
struct Shown {
    volumes: Vec<RegionVolume>,
}

#[derive(Serialize)]
struct RegionVolume {
    region: RegionName,
    #[serde(flatten)]
    volume: ClusterVolume,
}

/// Lists volumes, or shows one.
pub(crate) async fn volume(args: VolumeArgs) -> anyhow::Result<()> {
    match args.command {
        VolumeCommand::List(args) => list(&args).await,
        VolumeCommand::Show { cluster, show } => show_one(&cluster.to_lowercase(), &show).await,
    }
}

async fn list(args: &ShowArgs) -> anyhow::Result<()> {
    let mut volumes = Vec::new();
    for region in args.follow_regions()? {
        let found = region_volumes(&region.remote).await?;
        volumes.extend(found.into_iter().map(|volume| RegionVolume {
            region: region.name().clone(),
            volume,
        }));
    }
    if args.json {
        return print_json(&Shown { volumes });
    }
    if volumes.is_empty() {
        say("no volumes: each DB cluster has one");
        return Ok(());
    }
    let header = [
        "REGION", "CLUSTER", "WRITER", "EPOCH", "VDL", "VCL", "GROUPS", "SEGMENTS",
    ];
    print_table(header, volumes.iter().map(list_row).collect());
    Ok(())
}

async fn show_one(cluster: &str, args: &ShowArgs) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for region in args.follow_regions()? {
        if let Some(volume) = find(&region, cluster).await? {
            found.push((region, volume));
        }
    }
    ensure!(
        found.len() < 2,
        "several regions have a cluster {cluster}: name one with --region"
    );
    let found = found.pop();
    let (region, first) = found.with_context(|| {
        format!("there is no volume of a cluster {cluster}: `quorate volume list` shows those that are placed")
    })?;
    let volume = with_rate(&region, first).await?;
    if args.json {
        let region = region.name().clone();
        return print_json(&RegionVolume { region, volume });
    }
    show(&volume);
    Ok(())
}

async fn find(region: &GatewayRegion, cluster: &str) -> anyhow::Result<Option<ClusterVolume>> {
    let volumes = region_volumes(&region.remote).await?;
    Ok(volumes.into_iter().find(|v| v.cluster == cluster))
}

/// Asks until a second report is there, and says how fast the log grew. Without one, or without a writer: what is known.
async fn with_rate(region: &GatewayRegion, first: ClusterVolume) -> anyhow::Result<ClusterVolume> {
    let Some(before) = first.log else {
        return Ok(first);
    };
    let deadline = Instant::now() + RATE_WITHIN;
    let mut last = first;
    while Instant::now() < deadline {
        tokio::time::sleep(ASK_EVERY).await;
        let Some(volume) = find(region, &last.cluster).await? else {
            break;
        };
        last = volume;
        let Some(log) = last.log.as_mut().filter(|log| log.epoch == before.epoch) else {
            break;
        };
        if log.at_ms.saturating_sub(before.at_ms) >= RATE_OVER_MS {
            log.rate = log.rate_since(&before);
            break;
        }
    }
    Ok(last)
}

fn list_row(shown: &RegionVolume) -> [String; 8] {
    let volume = &shown.volume;
    let lsn = |pick: fn(&LogStatus) -> u64| {
        volume
            .log
            .as_ref()
            .map_or_else(|| String::from("-"), |log| pick(log).to_string())
    };
    let counts = Health::ALL.map(|health| (volume.count(health), health.as_str()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(n, word)| format!("{n} {word}")).collect();
    [
        shown.region.to_string(),
        volume.cluster.clone(),
        volume.writer.clone().unwrap_or_else(|| String::from("-")),
        volume.epoch.to_string(),
        lsn(|log| log.vdl.0),
        lsn(|log| log.vcl.0),
        volume.groups.len().to_string(),
        counts.join(", "),
    ]
}

fn show(volume: &ClusterVolume) {
    let writer = volume.writer.as_deref().unwrap_or("nobody");
    say(&format!(
        "{} ({}): epoch {}, written by {writer}",
        volume.cluster, volume.resource_id, volume.epoch
    ));
    if let Some(detail) = &volume.detail {
        say(detail);
    }
    match &volume.log {
        Some(log) => show_log(volume, log),
        None => say("nobody has it open for writing"),
    }
    for group in &volume.groups {
        show_group(group);
    }
}

fn show_log(volume: &ClusterVolume, log: &LogStatus) {
    if log.epoch.0 != volume.epoch.0 {
        say(&format!(
            "what follows was told at epoch {}: the writer of epoch {} does not have it open yet",
            log.epoch, volume.epoch
        ));
    }
    say(&format!(
        "VDL {}, VCL {}, last record {} ({} not acknowledged)",
        log.vdl,
        log.vcl,
        log.last,
        log.last.0.saturating_sub(log.vdl.0)
    ));
    match log.rate {
        Some(rate) => say(&format!(
            "{} records and {} bytes of log a second, {} bytes a second sent to all copies",
            rate.records_per_s, rate.payload_bytes_per_s, rate.sent_bytes_per_s
        )),
        None => say("the writer's node tells nothing new"),
    }
    say(&format!(
        "since it was opened: {} bytes of log, {} sent to all copies{}",
        log.payload_bytes,
        log.sent_bytes,
        sent_for_each(log)
    ));
}

/// How often each byte was sent: once a copy, more with repetitions.
fn sent_for_each(log: &LogStatus) -> String {
    let hundredths = u128::from(log.sent_bytes) * 100;
    match hundredths.checked_div(u128::from(log.payload_bytes)) {
        Some(times) => format!(" ({}.{:02} for each)", times / 100, times % 100),
        None => String::new(),
    }
}

fn show_group(group: &GroupStatus) {
    say(&format!(
        "\nprotection group {}, membership {}",
        group.group, group.membership
    ));
    if let Some(replacement) = &group.replacement {
        let (out, into) = (&replacement.outgoing, &replacement.incoming);
        say(&format!(
            "segment {} on {} is being replaced by {} on {}",
            out.copy, out.node, into.copy, into.node
        ));
    }
    let header = [
        "SEGMENT", "ZONE", "NODE", "HEALTH", "SCL", "BEHIND", "BYTES", "REPAIR",
    ];
    print_table(header, group.segments.iter().map(segment_row).collect());
}

fn segment_row(segment: &SegmentStatus) -> [String; 8] {
    let or_dash = |figure: Option<u64>| figure.map_or_else(|| String::from("-"), |f| f.to_string());
    [
        segment.copy.to_string(),
        segment.zone.to_string(),
        segment.node.to_string(),
        String::from(segment.health.as_str()),
        or_dash(segment.scl.map(|scl| scl.0)),
        or_dash(segment.behind),
        or_dash(segment.bytes),
        segment.repair.map_or_else(|| String::from("-"), progress),
    ]
}

/// The peers of a segment do not know beforehand how many pages there are.
fn progress(repair: Progress) -> String {
    match repair.total {
        0 => format!("{} pages", repair.done),
        total => format!("{} of {total} pages", repair.done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_volume::protocol::{Lsn, VolumeEpoch};

    #[test]
    fn bytes_sent_are_told_for_each_byte_of_log() {
        let log = |payload_bytes, sent_bytes| LogStatus {
            epoch: VolumeEpoch(1),
            vcl: Lsn(1),
            vdl: Lsn(1),
            last: Lsn(1),
            payload_bytes,
            sent_bytes,
            at_ms: 0,
            rate: None,
        };
        assert_eq!(sent_for_each(&log(100, 605)), " (6.05 for each)");
        assert_eq!(sent_for_each(&log(0, 0)), "");
    }

    #[test]
    fn progress_without_an_end_tells_what_is_done() {
        let told = |done, total| progress(Progress { done, total });
        assert_eq!(told(7, 0), "7 pages");
        assert_eq!(told(7, 9), "7 of 9 pages");
    }
}
