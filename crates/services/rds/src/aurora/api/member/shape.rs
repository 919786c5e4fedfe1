//! A member as the `DBInstance` element: the same as any DB instance's, with what it has of its cluster.

use quorate_control::Stored;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::instance::Fleet;
use crate::api::instance::shape;
use crate::aurora::model::{Cluster, ClusterMember};
use crate::model::{Desired, Instance, PendingChanges, Settings, Topology};

/// AWS tells this size of every member: storage belongs to the cluster.
const ALLOCATED_STORAGE_GIB: u32 = 1;

/// One member as the API shows it.
pub(super) fn db_instance(
    context: &Context<'_>,
    fleet: &Fleet,
    cluster: &Stored<Cluster>,
    id: &str,
    member: &ClusterMember,
) -> Element {
    let instance = as_instance(&cluster.record, member);
    let element = shape::db_instance(context, fleet, id, &instance);
    with_membership(element, &cluster.id, member)
}

/// Adds what only members have.
pub(crate) fn with_membership(element: Element, cluster: &str, member: &ClusterMember) -> Element {
    element
        .field("DBClusterIdentifier", cluster)
        .field("PromotionTier", member.promotion_tier)
}

/// The member as if it were an instance of its own, to be described. Its endpoint is told once it has run.
pub(crate) fn as_instance(cluster: &Cluster, member: &ClusterMember) -> Instance {
    Instance {
        resource_id: member.resource_id.clone(),
        created_at: member.created_at,
        settings: settings(cluster, member),
        pending: PendingChanges {
            apply_now: member.pending.apply_now,
            class: member.pending.class.clone(),
            new_id: member.pending.new_id.clone(),
            ..PendingChanges::default()
        },
        order: None,
        desired: Desired::Running,
        status: member.status,
        status_detail: None,
        source: None,
        topology: Topology {
            epoch: cluster.epoch,
            primary: member.node.clone(),
            serving: member.following,
            ..Topology::default()
        },
        endpoint_port: member.endpoint_port,
        tags: member.tags.clone(),
        parameters_applied: member.parameters_applied.clone(),
        credentials_applied: None,
    }
}

fn settings(cluster: &Cluster, member: &ClusterMember) -> Settings {
    let of_cluster = &cluster.settings;
    Settings {
        engine: of_cluster.engine.clone(),
        engine_version: of_cluster.engine_version.clone(),
        class: member.class.clone(),
        allocated_storage_gib: ALLOCATED_STORAGE_GIB,
        storage_type: of_cluster.storage_type.clone(),
        iops: None,
        max_allocated_storage_gib: None,
        storage_encrypted: of_cluster.storage_encrypted,
        multi_az: false,
        zone: member.zone.clone(),
        db_name: of_cluster.database_name.clone(),
        master_username: of_cluster.master_username.clone(),
        master_verifier: of_cluster.master_verifier.clone(),
        parameter_group: member.parameter_group.clone(),
        subnet_group: of_cluster.subnet_group.clone(),
        port_asked: of_cluster.port_asked,
        backup_retention_days: of_cluster.backup_retention_days,
        backup_window: of_cluster.backup_window.clone(),
        maintenance_window: member.maintenance_window.clone(),
        auto_minor_version_upgrade: member.auto_minor_version_upgrade,
        copy_tags_to_snapshot: member.copy_tags_to_snapshot,
        deletion_protection: false,
        publicly_accessible: member.publicly_accessible,
        iam_authentication: of_cluster.iam_authentication,
        security_groups: of_cluster.security_groups.clone(),
    }
}
