//! The `DBCluster` element, complete as SDKs, the command line and Terraform read it.

use std::collections::BTreeSet;

use quorate_base::NodeId;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::instance::shape::HOSTED_ZONE_ID;
use crate::api::tags;
use crate::aurora::model::{Cluster, ClusterSettings, PendingClusterChanges};

/// The storage type that AWS does not tell.
const STORAGE_TYPE_UNTOLD: &str = "aurora";

/// One cluster as the API shows it.
pub(crate) fn db_cluster(context: &Context<'_>, id: &str, cluster: &Cluster) -> Element {
    let element = Element::new("DBCluster")
        .field("DBClusterIdentifier", id)
        .field("DbClusterResourceId", &cluster.resource_id)
        .field("DBClusterArn", context.arn("cluster", id))
        .field("Status", cluster.status)
        .field("ClusterCreateTime", cluster.created_at);
    let restore = cluster.restore.as_ref();
    let percent = restore.map(|r| r.attempt.as_ref().map_or(0, |attempt| attempt.percent));
    let element = element.field_if("PercentProgress", percent);
    let element = with_settings(element, &cluster.settings);
    let element = with_endpoints(element, context, cluster);
    let element = with_members(element, cluster);
    let element = element
        .with(Element::list(
            "VpcSecurityGroups",
            &cluster.settings.security_groups,
            |id| {
                Element::new("VpcSecurityGroupMembership")
                    .field("VpcSecurityGroupId", id)
                    .field("Status", "active")
            },
        ))
        .with_all(pending_values(&cluster.pending))
        .with(tags::to_element(&cluster.tags));
    with_fixed(element)
}

/// An endpoint other than the cluster's own: there is no DNS here, so its port, which no other field tells, stands with
/// its address.
pub(crate) fn address_with_port(context: &Context<'_>, port: u16) -> String {
    format!("{}:{port}", context.region.endpoint_address)
}

fn with_settings(element: Element, settings: &ClusterSettings) -> Element {
    let storage_type = Some(&settings.storage_type).filter(|kind| *kind != STORAGE_TYPE_UNTOLD);
    element
        .field("Engine", &settings.engine)
        .field("EngineVersion", &settings.engine_version)
        .field("EngineMode", "provisioned")
        .field("MasterUsername", &settings.master_username)
        .field_if("DatabaseName", settings.database_name.as_ref())
        .field("DBClusterParameterGroup", &settings.parameter_group)
        .field("DBSubnetGroup", &settings.subnet_group)
        .with(Element::list(
            "AvailabilityZones",
            &settings.zones,
            |zone| Element::text("AvailabilityZone", zone),
        ))
        // Aurora's storage grows by itself: AWS always tells 1.
        .field("AllocatedStorage", 1)
        .field_if("StorageType", storage_type)
        .field("StorageEncrypted", settings.storage_encrypted)
        .field("BackupRetentionPeriod", settings.backup_retention_days)
        .field("PreferredBackupWindow", &settings.backup_window)
        .field("PreferredMaintenanceWindow", &settings.maintenance_window)
        .field("CopyTagsToSnapshot", settings.copy_tags_to_snapshot)
        .field("DeletionProtection", settings.deletion_protection)
        .field(
            "IAMDatabaseAuthenticationEnabled",
            settings.iam_authentication,
        )
}

fn with_endpoints(element: Element, context: &Context<'_>, cluster: &Cluster) -> Element {
    let ports = &cluster.endpoints;
    element
        .field("Endpoint", &context.region.endpoint_address)
        .field("Port", ports.writer_port)
        .field(
            "ReaderEndpoint",
            address_with_port(context, ports.reader_port),
        )
        .with(Element::list(
            "CustomEndpoints",
            ports.custom.values(),
            |custom| Element::text("member", address_with_port(context, custom.port)),
        ))
        .field("HostedZoneId", HOSTED_ZONE_ID)
}

fn with_members(element: Element, cluster: &Cluster) -> Element {
    let nodes = cluster.members.values().filter_map(|m| m.node.as_ref());
    let zones: BTreeSet<_> = nodes.map(NodeId::zone).collect();
    element
        .field("MultiAZ", zones.len() > 1)
        .with(Element::list(
            "DBClusterMembers",
            &cluster.members,
            |(id, member)| {
                let applied = if member.parameters_applied.pending_reboot {
                    "pending-reboot"
                } else {
                    "in-sync"
                };
                Element::new("DBClusterMember")
                    .field("DBInstanceIdentifier", id)
                    .field("IsClusterWriter", cluster.is_writer(id))
                    .field("DBClusterParameterGroupStatus", applied)
                    .field("PromotionTier", member.promotion_tier)
            },
        ))
}

fn pending_values(pending: &PendingClusterChanges) -> Option<Element> {
    let password = pending.master_verifier.as_ref().map(|_| "****");
    (!pending.is_empty()).then(|| {
        Element::new("PendingModifiedValues")
            .field_if("DBClusterIdentifier", pending.new_id.as_ref())
            .field_if("MasterUserPassword", password)
    })
}

/// What is the same for every cluster, because Quorate has no other.
fn with_fixed(element: Element) -> Element {
    let empty = [
        "AssociatedRoles",
        "DomainMemberships",
        "EnabledCloudwatchLogsExports",
        "ReadReplicaIdentifiers",
    ];
    element
        .field("ActivityStreamStatus", "stopped")
        .field("AutoMinorVersionUpgrade", true)
        .field("CrossAccountClone", false)
        .field("DatabaseInsightsMode", "standard")
        .field(
            "EngineLifecycleSupport",
            "open-source-rds-extended-support-disabled",
        )
        .field("HttpEndpointEnabled", false)
        .field("LocalWriteForwardingStatus", "disabled")
        .field("NetworkType", "IPV4")
        .field("PerformanceInsightsEnabled", false)
        .with_all(empty.map(Element::new))
}
