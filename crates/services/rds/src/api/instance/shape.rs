//! The `DBInstance` element, complete as SDKs, the command line and Terraform read it.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::instance::fleet::Fleet;
use crate::api::instance::offered::option_group;
use crate::api::instance::storage::StorageType;
use crate::api::{subnet_group, tags};
use crate::catalogue::Program;
use crate::model::{Instance, PendingChanges, Settings, Status};

/// The zone id that clients expect of an endpoint's DNS name; there is no DNS here.
pub(crate) const HOSTED_ZONE_ID: &str = "ZQUORATE";
/// When the region's CA ends. Shown, not enforced: the CA says so itself.
const CA_VALID_TILL: &str = "2061-01-01T00:00:00.000Z";

/// One instance as the API shows it.
pub(crate) fn db_instance(
    context: &Context<'_>,
    fleet: &Fleet,
    id: &str,
    instance: &Instance,
) -> Element {
    let element = Element::new("DBInstance")
        .field("DBInstanceIdentifier", id)
        .field("DbiResourceId", &instance.resource_id)
        .field("DBInstanceArn", context.arn("db", id))
        .field("DBInstanceStatus", instance.status)
        .field("InstanceCreateTime", instance.created_at);
    let element = with_settings(element, &instance.settings);
    let element = with_place(element, context, fleet, instance);
    let element = with_replication(element, fleet, id, instance);
    let element = with_memberships(element, context, instance);
    with_fixed(element)
}

fn with_settings(element: Element, settings: &Settings) -> Element {
    let storage = StorageType::parse(&settings.storage_type).ok();
    element
        .field("DBInstanceClass", &settings.class)
        .field("Engine", &settings.engine)
        .field("EngineVersion", &settings.engine_version)
        .field(
            "LicenseModel",
            Program::of_version(&settings.engine_version).license(),
        )
        .field("MasterUsername", &settings.master_username)
        .field_if("DBName", settings.db_name.as_ref())
        .field("AllocatedStorage", settings.allocated_storage_gib)
        .field("StorageType", &settings.storage_type)
        .field_if("Iops", settings.iops)
        .field(
            "StorageThroughput",
            storage.map_or(0, StorageType::throughput_mibps),
        )
        .field_if("MaxAllocatedStorage", settings.max_allocated_storage_gib)
        .field("StorageEncrypted", settings.storage_encrypted)
        .field("MultiAZ", settings.multi_az)
        .field("BackupRetentionPeriod", settings.backup_retention_days)
        .field("PreferredBackupWindow", &settings.backup_window)
        .field("PreferredMaintenanceWindow", &settings.maintenance_window)
        .field(
            "AutoMinorVersionUpgrade",
            settings.auto_minor_version_upgrade,
        )
        .field("CopyTagsToSnapshot", settings.copy_tags_to_snapshot)
        .field("DeletionProtection", settings.deletion_protection)
        .field("PubliclyAccessible", settings.publicly_accessible)
        .field(
            "IAMDatabaseAuthenticationEnabled",
            settings.iam_authentication,
        )
}

fn with_place(
    element: Element,
    context: &Context<'_>,
    fleet: &Fleet,
    instance: &Instance,
) -> Element {
    let (settings, topology) = (&instance.settings, &instance.topology);
    let zone = topology.primary_zone().or_else(|| settings.zone.clone());
    let standby = topology.standby().filter(|_| topology.primary.is_some());
    let standby_zone = standby
        .filter(|_| settings.multi_az)
        .map(|(node, _)| node.zone());
    // The endpoint is told once something has served behind it.
    let endpoint = topology.serving.map(|_| {
        Element::new("Endpoint")
            .field("Address", &context.region.endpoint_address)
            .field("Port", instance.endpoint_port)
            .field("HostedZoneId", HOSTED_ZONE_ID)
    });
    let group = fleet.subnet_group(context, &settings.subnet_group);
    element
        .with_all(endpoint)
        .field("DbInstancePort", 0)
        .field_if("AvailabilityZone", zone)
        .field_if("SecondaryAvailabilityZone", standby_zone)
        .with(subnet_group::to_element(
            context,
            &settings.subnet_group,
            &group,
        ))
}

fn with_replication(element: Element, fleet: &Fleet, id: &str, instance: &Instance) -> Element {
    let replicas = Element::list(
        "ReadReplicaDBInstanceIdentifiers",
        fleet.replicas_of(id),
        |id| Element::text("ReadReplicaDBInstanceIdentifier", id),
    );
    element
        .with(replicas)
        .with(Element::new("ReadReplicaDBClusterIdentifiers"))
        .field_if(
            "ReadReplicaSourceDBInstanceIdentifier",
            instance.source.as_ref(),
        )
        .with(Element::list(
            "StatusInfos",
            replication_status(instance),
            |(normal, status)| {
                Element::new("DBInstanceStatusInfo")
                    .field("StatusType", "read replication")
                    .field("Normal", normal)
                    .field("Status", status)
            },
        ))
}

/// Whether a replica's replication is well, and AWS's word for how it is.
fn replication_status(instance: &Instance) -> Option<(bool, &'static str)> {
    instance.source.as_ref()?;
    instance.topology.serving?;
    Some(match instance.status {
        Status::Stopped | Status::Stopping => (false, "stopped"),
        Status::Failed | Status::StorageFull | Status::IncompatibleParameters => (false, "error"),
        _ => (true, "replicating"),
    })
}

fn with_memberships(element: Element, context: &Context<'_>, instance: &Instance) -> Element {
    let settings = &instance.settings;
    let apply_status = if instance.parameters_applied.pending_reboot {
        "pending-reboot"
    } else {
        "in-sync"
    };
    let parameter_group = Element::new("DBParameterGroup")
        .field("DBParameterGroupName", &settings.parameter_group)
        .field("ParameterApplyStatus", apply_status);
    let option_group = Element::new("OptionGroupMembership")
        .field(
            "OptionGroupName",
            option_group(&settings.engine, &settings.engine_version),
        )
        .field("Status", "in-sync");
    element
        .with(Element::new("DBParameterGroups").with(parameter_group))
        .with(Element::new("OptionGroupMemberships").with(option_group))
        .with(Element::list(
            "VpcSecurityGroups",
            &settings.security_groups,
            |id| {
                Element::new("VpcSecurityGroupMembership")
                    .field("VpcSecurityGroupId", id)
                    .field("Status", "active")
            },
        ))
        .with(Element::new("DBSecurityGroups"))
        .with(pending_values(&instance.pending))
        .with(tags::to_element(&instance.tags))
        .field("CACertificateIdentifier", &context.region.ca_identifier)
        .with(
            Element::new("CertificateDetails")
                .field("CAIdentifier", &context.region.ca_identifier)
                .field("ValidTill", CA_VALID_TILL),
        )
}

fn pending_values(pending: &PendingChanges) -> Element {
    let password = pending.master_verifier.as_ref().map(|_| "****");
    Element::new("PendingModifiedValues")
        .field_if("DBInstanceClass", pending.class.as_ref())
        .field_if("AllocatedStorage", pending.allocated_storage_gib)
        .field_if("MasterUserPassword", password)
        .field_if("Port", pending.port)
        .field_if("BackupRetentionPeriod", pending.backup_retention_days)
        .field_if("MultiAZ", pending.multi_az)
        .field_if("EngineVersion", pending.engine_version.as_ref())
        .field_if("Iops", pending.iops)
        .field_if("DBInstanceIdentifier", pending.new_id.as_ref())
        .field_if("StorageType", pending.storage_type.as_ref())
}

/// What is the same for every instance, because Quorate has no other.
fn with_fixed(element: Element) -> Element {
    let empty = [
        "DomainMemberships",
        "EnabledCloudwatchLogsExports",
        "ProcessorFeatures",
        "AssociatedRoles",
        "DBInstanceAutomatedBackupsReplications",
    ];
    element
        .field("MonitoringInterval", 0)
        .field("DatabaseInsightsMode", "standard")
        .field("PerformanceInsightsEnabled", false)
        .field("CustomerOwnedIpEnabled", false)
        .field("NetworkType", "IPV4")
        .field("ActivityStreamStatus", "stopped")
        .field("BackupTarget", "region")
        .field("DedicatedLogVolume", false)
        .field("MultiTenant", false)
        .field("IsStorageConfigUpgradeAvailable", false)
        .field(
            "EngineLifecycleSupport",
            "open-source-rds-extended-support-disabled",
        )
        .with_all(empty.map(Element::new))
}
