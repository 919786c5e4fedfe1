//! The rows of caches: one for each member, and one for each node's Sentinels.

use quorate_base::NodeId;
use quorate_control::{Session, Stored};
use quorate_elasticache::model::{
    Cache, CacheKind, EngineState, Member, MemberNumber, MemberReport, Sentinel, Shard,
    ShardNumber, WATCH_KEY, WatchReport,
};

use super::region::{ResourceStatus, SentinelStatus, word};

/// The members of a cache.
pub(super) fn members<'a>(
    stored: &Stored<Cache>,
    session: &impl Fn(&NodeId) -> Option<&'a Session>,
) -> Vec<ResourceStatus> {
    let mut rows = Vec::new();
    for (shard_number, shard) in &stored.record.topology.shards {
        let reports: Vec<(MemberNumber, &Member, Option<MemberReport>)> = shard
            .members
            .iter()
            .map(|(number, member)| {
                let report = report(&stored.record, *shard_number, *number, member, session);
                (*number, member, report)
            })
            .collect();
        let written = reports
            .iter()
            .find(|(number, ..)| Some(*number) == shard.primary)
            .and_then(|(_, _, report)| Some(report.as_ref()?.offset));
        for (number, member, report) in &reports {
            let place = (*shard_number, *number);
            rows.push(row(stored, shard, place, member, report.as_ref(), written));
        }
    }
    rows
}

fn report<'a>(
    cache: &Cache,
    shard: ShardNumber,
    number: MemberNumber,
    member: &Member,
    session: &impl Fn(&NodeId) -> Option<&'a Session>,
) -> Option<MemberReport> {
    let session = session(member.node.as_ref()?).filter(|s| s.alive)?;
    let key = MemberReport::key(&cache.resource_id, shard, number);
    serde_json::from_slice(session.observed.get(&key)?).ok()
}

fn row(
    stored: &Stored<Cache>,
    shard: &Shard,
    (shard_number, number): (ShardNumber, MemberNumber),
    member: &Member,
    report: Option<&MemberReport>,
    written: Option<u64>,
) -> ResourceStatus {
    let cache = &stored.record;
    let leads = shard.primary == Some(number);
    let id = match cache.kind {
        CacheKind::LoneNode => stored.id.clone(),
        CacheKind::Memcached => format!("{}-{:04}", stored.id, number.0),
        CacheKind::ReplicationGroup if cache.settings.cluster_mode => {
            format!("{}-{:04}-{:03}", stored.id, shard_number.0, number.0)
        }
        CacheKind::ReplicationGroup => format!("{}-{:03}", stored.id, number.0),
    };
    let follows = report.filter(|report| report.engine == EngineState::Following);
    let linked = follows.and_then(|report| report.link).is_some_and(|l| l.up);
    let lag = follows.and_then(|report| Some(written?.saturating_sub(report.offset)));
    ResourceStatus {
        id,
        kind: "cache-node",
        status: match cache.kind {
            CacheKind::ReplicationGroup => cache.status.of_group().to_owned(),
            CacheKind::LoneNode | CacheKind::Memcached => cache.status.of_cluster().to_owned(),
        },
        role: match (cache.kind, leads) {
            (CacheKind::Memcached, _) => "node",
            (_, true) => "primary",
            (_, false) => "replica",
        },
        zone: member.zone(),
        node: member.node.clone(),
        state: word(&member.state),
        engine: report.map(|r| word(&r.engine)),
        epoch: shard.epoch,
        // Replication is asynchronous: a linked replica is as near to that as there is.
        in_sync: linked,
        lag_bytes: lag,
        lag_ms: None,
        address: member.address,
        endpoint_port: member.endpoint_port,
        detail: report.and_then(|r| r.detail.clone()),
    }
}

/// One node's Sentinels.
pub(super) fn sentinel<'a>(
    stored: &Stored<Sentinel>,
    session: &impl Fn(&NodeId) -> Option<&'a Session>,
) -> Option<SentinelStatus> {
    let node: NodeId = stored.id.parse().ok()?;
    let observed = session(&node)
        .filter(|session| session.alive)
        .and_then(|session| session.observed.get(WATCH_KEY));
    let report: Option<WatchReport> = observed.and_then(|bytes| serde_json::from_slice(bytes).ok());
    Some(SentinelStatus {
        zone: node.zone(),
        node,
        address: stored.record.plain,
        tls_address: stored.record.tls,
        caches: report.unwrap_or_default().caches,
    })
}
