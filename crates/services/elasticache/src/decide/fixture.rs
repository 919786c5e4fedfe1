//! Caches for the tests of decisions.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use quorate_base::{Epoch, UnixMillis};

use crate::model::{
    Auth, Cache, CacheKind, Desired, Engine, Member, MemberNumber, MemberState, PendingChanges,
    Settings, Shard, ShardNumber, Snapshot, SnapshotSource, SnapshotStatus, Status, Topology,
};

/// Where the engine of a fixture's member listens.
pub(crate) fn at(member: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 1, 1], 20_000 + member))
}

/// A replication group without cluster mode whose members all run; the first leads. Endpoints: 7000, 7001, members from
/// 7101.
pub(crate) fn cache(members: u16) -> Cache {
    let mut shard = Shard {
        primary: Some(MemberNumber(1)),
        epoch: Epoch(1),
        last_member: members,
        ..Shard::default()
    };
    for number in 1..=members {
        let zone = ["us-east-1a-1", "us-east-1b-1", "us-east-1c-1"][usize::from(number - 1) % 3];
        let mut member = Member::asked(7100 + number, None, UnixMillis(0));
        member.node = Some(zone.parse().unwrap());
        member.state = MemberState::Running;
        member.address = Some(at(number));
        shard.members.insert(MemberNumber(number), member);
    }
    Cache {
        kind: CacheKind::ReplicationGroup,
        resource_id: String::from("cache-ABCDEFGHIJKLMNOPQRST"),
        created_at: UnixMillis(0),
        settings: settings(Engine::Redis, members),
        pending: PendingChanges::default(),
        orders: Vec::new(),
        desired: Desired::Running,
        status: Status::Available,
        status_detail: None,
        topology: Topology {
            shards: BTreeMap::from([(ShardNumber(1), shard)]),
        },
        endpoint_port: 7000,
        reader_port: Some(7001),
        inner_password: String::from("inner"),
        restore_from: None,
        configuration_version: 1,
        parameters_applied: String::new(),
        pending_reboot: false,
        tags: Vec::new(),
    }
}

/// A Memcached cluster whose nodes all run.
pub(crate) fn memcached(nodes: u16) -> Cache {
    let mut cache = cache(nodes);
    cache.kind = CacheKind::Memcached;
    cache.settings = settings(Engine::Memcached, nodes);
    cache.reader_port = None;
    for shard in cache.topology.shards.values_mut() {
        shard.primary = None;
    }
    cache
}

fn settings(engine: Engine, members: u16) -> Settings {
    Settings {
        description: String::new(),
        engine,
        engine_version: String::from("7.0.15"),
        node_type: String::from("cache.t3.micro"),
        cluster_mode: false,
        shards: 1,
        replicas: members - 1,
        automatic_failover: true,
        multi_az: true,
        zones: Vec::new(),
        port_asked: 6379,
        auth: Auth::None,
        transit_encryption: false,
        at_rest_encryption: false,
        kms_key: None,
        parameter_group: String::from("default.redis7"),
        subnet_group: String::from("default"),
        security_groups: Vec::new(),
        snapshot_retention_days: 0,
        snapshot_window: String::from("04:00-05:00"),
        maintenance_window: String::from("sun:05:00-sun:06:00"),
        auto_minor_version_upgrade: true,
        notification_topic_arn: None,
    }
}

/// A snapshot of a cache that is to be taken.
pub(crate) fn snapshot(cache: &Cache) -> Snapshot {
    Snapshot {
        cache: String::from("c"),
        resource_id: cache.resource_id.clone(),
        kind: cache.kind,
        settings: cache.settings.clone(),
        copied_from: None,
        source: SnapshotSource::Manual,
        status: SnapshotStatus::Creating,
        created_at: UnixMillis(0),
        shards: Vec::new(),
        takers: BTreeMap::new(),
        tags: Vec::new(),
    }
}
