//! The `DBClusterSnapshot` element.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::subnet_group::VPC_ID;
use crate::api::tags;
use crate::aurora::model::ClusterSnapshot;

const GIB: u64 = 1 << 30;

/// One snapshot as the API shows it.
pub(super) fn snapshot(context: &Context<'_>, id: &str, snapshot: &ClusterSnapshot) -> Element {
    let settings = &snapshot.settings;
    let size_bytes = snapshot.image.as_ref().map_or(0, |image| image.size_bytes);
    let storage_type = Some(&settings.storage_type).filter(|kind| *kind != "aurora");
    Element::new("DBClusterSnapshot")
        .field("DBClusterSnapshotIdentifier", id)
        .field("DBClusterSnapshotArn", context.arn("cluster-snapshot", id))
        .field_if("SourceDBClusterSnapshotArn", snapshot.copied_from.as_ref())
        .field("DBClusterIdentifier", &snapshot.cluster)
        .field("DbClusterResourceId", &snapshot.cluster_resource_id)
        .field("SnapshotType", snapshot.kind())
        .field("Status", snapshot.status.as_str())
        .field("PercentProgress", snapshot.percent())
        .field("SnapshotCreateTime", snapshot.created_at)
        .field("ClusterCreateTime", snapshot.cluster_created_at)
        .field("Engine", &settings.engine)
        .field("EngineMode", "provisioned")
        .field("EngineVersion", &settings.engine_version)
        .field("LicenseModel", "postgresql-license")
        .field("MasterUsername", &settings.master_username)
        .field("Port", settings.port_asked)
        .field("VpcId", VPC_ID)
        .with(Element::list(
            "AvailabilityZones",
            &settings.zones,
            |zone| Element::text("AvailabilityZone", zone),
        ))
        .field("AllocatedStorage", size_bytes.div_ceil(GIB))
        .field_if("StorageType", storage_type)
        .field("StorageEncrypted", settings.storage_encrypted)
        .field(
            "IAMDatabaseAuthenticationEnabled",
            settings.iam_authentication,
        )
        .with(tags::to_element(&snapshot.tags))
}
