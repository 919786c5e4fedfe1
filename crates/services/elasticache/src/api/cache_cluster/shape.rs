//! The `CacheCluster` element.

use quorate_base::ZoneName;
use quorate_wire::xml::Element;

use crate::api::cache::ClusterRef;
use crate::api::context::Context;
use crate::api::replication_group::endpoint;
use crate::model::{
    Auth, Cache, CacheKind, Engine, Member, MemberNumber, MemberState, Order, ShardNumber, Status,
};

/// A cluster as the API shows it.
pub(super) fn to_element(
    context: &Context<'_>,
    id: &str,
    cluster: ClusterRef<'_>,
    with_nodes: bool,
) -> Element {
    let cache = &cluster.stored.record;
    let settings = &cache.settings;
    let grouped = cache.kind == CacheKind::ReplicationGroup;
    let nodes = members_of(cluster);
    let status = status_of(cluster);
    let made = !matches!(status, "creating" | "incompatible-network");
    let mut element = Element::new("CacheCluster").field("CacheClusterId", id);
    if cache.kind == CacheKind::Memcached && made {
        element = element.with(endpoint(
            context,
            "ConfigurationEndpoint",
            cache.endpoint_port,
        ));
    }
    element = element
        .field("ClientDownloadLandingPage", "")
        .field("CacheNodeType", &settings.node_type)
        .field("Engine", settings.engine)
        .field("EngineVersion", &settings.engine_version)
        .field("CacheClusterStatus", status)
        .field("NumCacheNodes", nodes.len())
        .field_if("PreferredAvailabilityZone", zone_of(&nodes))
        .field("CacheClusterCreateTime", created_at(cluster, &nodes))
        .field("PreferredMaintenanceWindow", &settings.maintenance_window)
        .with(pending(cache));
    if let Some(topic) = &settings.notification_topic_arn {
        let notification = Element::new("NotificationConfiguration")
            .field("TopicArn", topic)
            .field("TopicStatus", "active");
        element = element.with(notification);
    }
    element = element
        .with(Element::new("CacheSecurityGroups"))
        .with(parameter_group(cache))
        .field("CacheSubnetGroupName", &settings.subnet_group);
    if with_nodes {
        let shown = nodes
            .iter()
            .map(|(_, number, member)| node(context, cache, *number, member, status, made));
        element = element.with(Element::new("CacheNodes").with_all(shown));
    }
    let groups = Element::list("SecurityGroups", &settings.security_groups, |group| {
        Element::new("member")
            .field("SecurityGroupId", group)
            .field("Status", "active")
    });
    let token_changed = match &settings.auth {
        Auth::Token { changed_at, .. } => Some(*changed_at),
        Auth::None | Auth::Users(_) => None,
    };
    element = element
        .field(
            "AutoMinorVersionUpgrade",
            settings.auto_minor_version_upgrade,
        )
        .with(groups)
        .field_if("ReplicationGroupId", grouped.then_some(&cluster.stored.id));
    if cache.kind != CacheKind::Memcached {
        element = element
            .field("SnapshotRetentionLimit", settings.snapshot_retention_days)
            .field("SnapshotWindow", &settings.snapshot_window);
    }
    if settings.transit_encryption {
        element = element.field("TransitEncryptionMode", "required");
    }
    element
        .field("AuthTokenEnabled", token_changed.is_some())
        .field_if("AuthTokenLastModifiedDate", token_changed)
        .field("TransitEncryptionEnabled", settings.transit_encryption)
        .field("AtRestEncryptionEnabled", settings.at_rest_encryption)
        .field("ARN", context.arn("cluster", id))
        .field("ReplicationGroupLogDeliveryEnabled", false)
        .with(Element::new("LogDeliveryConfigurations"))
        .field("NetworkType", "ipv4")
        .field("IpDiscovery", "ipv4")
}

/// The members that a cluster shows as its nodes.
pub(super) fn members_of(cluster: ClusterRef<'_>) -> Vec<(ShardNumber, MemberNumber, &Member)> {
    let shards = cluster.stored.record.topology.shards.iter();
    let all = shards.flat_map(|(shard, record)| {
        let members = record.members.iter();
        members.map(move |(number, member)| (*shard, *number, member))
    });
    all.filter(|(shard, number, _)| cluster.member.is_none_or(|of| of == (*shard, *number)))
        .collect()
}

/// A member of a group is shown by what happens to itself, where that is known.
fn status_of(cluster: ClusterRef<'_>) -> &'static str {
    let cache = &cluster.stored.record;
    let whole = cache.status.of_cluster();
    let Some((shard, number)) = cluster.member else {
        return whole;
    };
    if matches!(cache.status, Status::Creating | Status::Deleting) {
        return whole;
    }
    let member = cache.topology.shards.get(&shard);
    let member = member.and_then(|shard| shard.members.get(&number));
    let ordered = |fits: &dyn Fn(&Order) -> bool| cache.orders.iter().any(fits);
    let going = ordered(
        &|order| matches!(order, Order::Remove(of, members) if *of == shard && members.contains(&number)),
    );
    let rebooting = ordered(
        &|order| matches!(order, Order::Reboot(of, members) if *of == shard && members.contains(&number)),
    );
    match member.map(|member| member.state) {
        _ if going => "deleting",
        Some(MemberState::Leaving) | None => "deleting",
        Some(MemberState::Placed) => "creating",
        _ if rebooting => "rebooting cluster nodes",
        _ if cache.status == Status::Rebooting => "available",
        Some(MemberState::Running | MemberState::Failed) => whole,
    }
}

fn zone_of(nodes: &[(ShardNumber, MemberNumber, &Member)]) -> Option<String> {
    let mut zones: Vec<ZoneName> = nodes
        .iter()
        .filter_map(|(_, _, member)| member.zone().or_else(|| member.zone_asked.clone()))
        .collect();
    zones.sort();
    zones.dedup();
    match zones.as_slice() {
        [] => None,
        [one] => Some(one.to_string()),
        _ => Some(String::from("Multiple")),
    }
}

fn created_at(
    cluster: ClusterRef<'_>,
    nodes: &[(ShardNumber, MemberNumber, &Member)],
) -> quorate_base::UnixMillis {
    let of_member = nodes.first().filter(|_| cluster.member.is_some());
    of_member.map_or(cluster.stored.record.created_at, |(_, _, member)| {
        member.created_at
    })
}

fn pending(cache: &Cache) -> Element {
    let pending = &cache.pending;
    let mut element = Element::new("PendingModifiedValues");
    if let Some(nodes) = &pending.nodes {
        let now: usize = cache
            .topology
            .shards
            .values()
            .map(|s| s.members.len())
            .sum();
        let count = now + nodes.add.len() - nodes.remove.len();
        element = element.field("NumCacheNodes", count);
        if !nodes.remove.is_empty() {
            element = element.with(Element::list(
                "CacheNodeIdsToRemove",
                &nodes.remove,
                |node| Element::text("CacheNodeId", format!("{:04}", node.0)),
            ));
        }
    }
    element
        .field_if("EngineVersion", pending.engine_version.as_ref())
        .field_if("CacheNodeType", pending.node_type.as_ref())
}

fn parameter_group(cache: &Cache) -> Element {
    let status = if cache.pending_reboot {
        "pending-reboot"
    } else {
        "in-sync"
    };
    Element::new("CacheParameterGroup")
        .field("CacheParameterGroupName", &cache.settings.parameter_group)
        .field("ParameterApplyStatus", status)
        .with(Element::new("CacheNodeIdsToReboot"))
}

/// A node of a Redis or Valkey cluster has the number 0001, whatever member of a group it is.
fn node(
    context: &Context<'_>,
    cache: &Cache,
    number: MemberNumber,
    member: &Member,
    status: &str,
    made: bool,
) -> Element {
    let id = match cache.settings.engine {
        Engine::Memcached => format!("{:04}", number.0),
        Engine::Redis | Engine::Valkey => String::from("0001"),
    };
    let status = match member.state {
        MemberState::Placed => "creating",
        MemberState::Leaving => "deleting",
        MemberState::Running | MemberState::Failed => status,
    };
    let mut element = Element::new("CacheNode")
        .field("CacheNodeId", id)
        .field("CacheNodeStatus", status)
        .field("CacheNodeCreateTime", member.created_at);
    if made {
        element = element.with(endpoint(context, "Endpoint", member.endpoint_port));
    }
    let zone = member.zone().or_else(|| member.zone_asked.clone());
    element
        .field(
            "ParameterGroupStatus",
            if cache.pending_reboot {
                "pending-reboot"
            } else {
                "in-sync"
            },
        )
        .field_if("CustomerAvailabilityZone", zone)
}
