//! The `Snapshot` element.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::replication_group::slots_text;
use crate::api::subnet_group::VPC_ID;
use crate::model::{CacheKind, Snapshot, SnapshotSource, SnapshotStatus};

const MIB: u64 = 1 << 20;

/// A snapshot as the API shows it.
pub(super) fn to_element(
    context: &Context<'_>,
    id: &str,
    snapshot: &Snapshot,
    with_groups: bool,
) -> Element {
    let settings = &snapshot.settings;
    let grouped = snapshot.kind == CacheKind::ReplicationGroup;
    let mut element = Element::new("Snapshot").field("SnapshotName", id);
    element = if grouped {
        element
            .field("ReplicationGroupId", &snapshot.cache)
            .field("ReplicationGroupDescription", &settings.description)
            .field("NumNodeGroups", settings.shards)
            .field(
                "AutomaticFailover",
                if settings.automatic_failover {
                    "enabled"
                } else {
                    "disabled"
                },
            )
    } else {
        element
            .field("CacheClusterId", &snapshot.cache)
            .field("NumCacheNodes", 1)
    };
    let shards = snapshot.shards.iter().map(|(number, slots, _, bytes)| {
        let number = format!("{:04}", number.0);
        let mut node = Element::new("NodeSnapshot")
            .field("NodeGroupId", &number)
            .field("CacheNodeId", "0001")
            .field("CacheSize", format!("{} MB", bytes.div_ceil(MIB)))
            .field("SnapshotCreateTime", snapshot.created_at);
        if with_groups && grouped {
            let mut group = Element::new("NodeGroupConfiguration")
                .field("NodeGroupId", &number)
                .field("ReplicaCount", settings.replicas);
            if !slots.is_empty() {
                group = group.field("Slots", slots_text(slots));
            }
            node = node.with(group);
        }
        node
    });
    element
        .field("SnapshotStatus", status_word(snapshot.status))
        .field("SnapshotSource", source_word(snapshot.source))
        .field("CacheNodeType", &settings.node_type)
        .field("Engine", settings.engine)
        .field("EngineVersion", &settings.engine_version)
        .field("PreferredMaintenanceWindow", &settings.maintenance_window)
        .field_if("TopicArn", settings.notification_topic_arn.as_ref())
        .field("Port", settings.port_asked)
        .field("CacheParameterGroupName", &settings.parameter_group)
        .field("CacheSubnetGroupName", &settings.subnet_group)
        .field("VpcId", VPC_ID)
        .field(
            "AutoMinorVersionUpgrade",
            settings.auto_minor_version_upgrade,
        )
        .field("SnapshotRetentionLimit", settings.snapshot_retention_days)
        .field("SnapshotWindow", &settings.snapshot_window)
        .with(Element::new("NodeSnapshots").with_all(shards))
        .field_if("KmsKeyId", settings.kms_key.as_ref())
        .field("ARN", context.arn("snapshot", id))
        .field("DataTiering", "disabled")
}

fn status_word(status: SnapshotStatus) -> &'static str {
    match status {
        SnapshotStatus::Creating => "creating",
        SnapshotStatus::Available => "available",
        SnapshotStatus::Restoring => "restoring",
        SnapshotStatus::Copying => "copying",
        SnapshotStatus::Deleting => "deleting",
        SnapshotStatus::Failed => "failed",
    }
}

fn source_word(source: SnapshotSource) -> &'static str {
    match source {
        SnapshotSource::Manual => "manual",
        SnapshotSource::Automated => "automated",
    }
}
