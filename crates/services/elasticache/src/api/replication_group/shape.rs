//! The `ReplicationGroup` element.

use quorate_control::Stored;
use quorate_wire::xml::Element;

use crate::api::cache::member_id;
use crate::api::context::Context;
use crate::model::{
    Auth, Cache, Member, MemberNumber, PendingChanges, Shard, ShardNumber, SlotRange, Status,
};

/// The number of the one cache node of a Redis or Valkey cluster.
const CACHE_NODE_ID: &str = "0001";

/// A group as the API shows it.
pub(super) fn to_element(context: &Context<'_>, stored: &Stored<Cache>) -> Element {
    let cache = &stored.record;
    let settings = &cache.settings;
    let made = !matches!(cache.status, Status::Creating | Status::CreateFailed);
    let members = cache.topology.shards.iter().flat_map(|(number, shard)| {
        let members = shard.members.iter();
        members.map(|(member_number, member)| member_id(stored, *number, *member_number, member))
    });
    let mut group = Element::new("ReplicationGroup")
        .field("ReplicationGroupId", &stored.id)
        .field("Description", &settings.description)
        .with(Element::new("GlobalReplicationGroupInfo"))
        .field("Status", cache.status.of_group())
        .with(pending(&cache.pending))
        .with(Element::list("MemberClusters", members, |id| {
            Element::text("ClusterId", id)
        }));
    if made {
        let shards = cache.topology.shards.iter();
        let shards = shards.map(|(number, shard)| node_group(context, stored, *number, shard));
        group = group.with(Element::new("NodeGroups").with_all(shards));
    }
    if made && settings.cluster_mode {
        group = group.with(endpoint(
            context,
            "ConfigurationEndpoint",
            cache.endpoint_port,
        ));
    }
    let token_changed = match &settings.auth {
        Auth::Token { changed_at, .. } => Some(*changed_at),
        Auth::None | Auth::Users(_) => None,
    };
    group = group
        .field("AutomaticFailover", failover_word(cache))
        .field("MultiAZ", enabled(settings.multi_az))
        .field("SnapshotRetentionLimit", settings.snapshot_retention_days)
        .field("SnapshotWindow", &settings.snapshot_window)
        .field("ClusterEnabled", settings.cluster_mode)
        .field("CacheNodeType", &settings.node_type)
        .field("AuthTokenEnabled", token_changed.is_some())
        .field_if("AuthTokenLastModifiedDate", token_changed)
        .field("TransitEncryptionEnabled", settings.transit_encryption)
        .field("AtRestEncryptionEnabled", settings.at_rest_encryption)
        .field_if("KmsKeyId", settings.kms_key.as_ref())
        .field("ARN", context.arn("replicationgroup", &stored.id));
    if let Auth::Users(groups) = &settings.auth {
        let ids = Element::list("UserGroupIds", groups, |id| Element::text("member", id));
        group = group.with(ids);
    }
    if settings.transit_encryption {
        group = group.field("TransitEncryptionMode", "required");
    }
    group
        .with(Element::new("LogDeliveryConfigurations"))
        .field("ReplicationGroupCreateTime", cache.created_at)
        .field("DataTiering", "disabled")
        .field(
            "AutoMinorVersionUpgrade",
            settings.auto_minor_version_upgrade,
        )
        .field("NetworkType", "ipv4")
        .field("IpDiscovery", "ipv4")
        .field("ClusterMode", enabled(settings.cluster_mode))
        .field("Engine", settings.engine)
}

/// An endpoint's element.
pub(crate) fn endpoint(context: &Context<'_>, name: &'static str, port: u16) -> Element {
    Element::new(name)
        .field("Address", context.region.endpoint_address)
        .field("Port", port)
}

/// Slots as AWS writes them.
pub(crate) fn slots_text(slots: &[SlotRange]) -> String {
    let ranges = slots.iter().map(|range| {
        if range.first == range.last {
            range.first.to_string()
        } else {
            format!("{}-{}", range.first, range.last)
        }
    });
    ranges.collect::<Vec<_>>().join(",")
}

fn node_group(
    context: &Context<'_>,
    stored: &Stored<Cache>,
    number: ShardNumber,
    shard: &Shard,
) -> Element {
    let cache = &stored.record;
    let mut group = Element::new("NodeGroup")
        .field("NodeGroupId", format!("{:04}", number.0))
        .field("Status", cache.status.of_group());
    if cache.settings.cluster_mode {
        group = group.field("Slots", slots_text(&shard.slots));
    } else {
        group = group.with(endpoint(context, "PrimaryEndpoint", cache.endpoint_port));
        if let Some(port) = cache.reader_port {
            group = group.with(endpoint(context, "ReaderEndpoint", port));
        }
    }
    let members = shard.members.iter().map(|(member_number, member)| {
        let id = member_id(stored, number, *member_number, member);
        node_group_member(context, cache, shard, (*member_number, member), id)
    });
    group.with(Element::new("NodeGroupMembers").with_all(members))
}

fn node_group_member(
    context: &Context<'_>,
    cache: &Cache,
    shard: &Shard,
    (number, member): (MemberNumber, &Member),
    id: String,
) -> Element {
    let mut element = Element::new("NodeGroupMember")
        .field("CacheClusterId", id)
        .field("CacheNodeId", CACHE_NODE_ID);
    // AWS says neither the role nor the endpoint of a node with cluster mode: clients learn both from the cluster.
    if !cache.settings.cluster_mode {
        let leads = shard.primary == Some(number);
        element = element
            .with(endpoint(context, "ReadEndpoint", member.endpoint_port))
            .field("CurrentRole", if leads { "primary" } else { "replica" });
    }
    let zone = member.zone().or_else(|| member.zone_asked.clone());
    element.field_if("PreferredAvailabilityZone", zone)
}

fn pending(pending: &PendingChanges) -> Element {
    let failover = pending.automatic_failover.map(enabled);
    Element::new("PendingModifiedValues").field_if("AutomaticFailoverStatus", failover)
}

fn failover_word(cache: &Cache) -> &'static str {
    match cache.pending.automatic_failover {
        Some(true) => "enabling",
        Some(false) => "disabling",
        None => enabled(cache.settings.automatic_failover),
    }
}

fn enabled(is: bool) -> &'static str {
    if is { "enabled" } else { "disabled" }
}
