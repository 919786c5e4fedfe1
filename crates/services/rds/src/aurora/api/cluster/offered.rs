//! Options that Aurora has and Quorate does not: asking for one is refused, never silently ignored.

use quorate_wire::query::Params;

use crate::api::context::Context;
use crate::api::error::RdsError;

/// Refused when set to true.
const SWITCHES: [&str; 14] = [
    "AllowEngineModeChange",
    "EnableGlobalWriteForwarding",
    "EnableHttpEndpoint",
    "EnableIAMDatabaseAuthentication",
    "EnableInternetAccessGateway",
    "EnableLimitlessDatabase",
    "EnableLocalWriteForwarding",
    "EnablePerformanceInsights",
    "EnableVPCNetworking",
    "ManageMasterUserPassword",
    "PubliclyAccessible",
    "RotateMasterUserPassword",
    "WithExpressConfiguration",
    "MultiTenant",
];

/// Refused when given at all.
const TEXTS: [&str; 18] = [
    "AllocatedStorage",
    "AwsBackupRecoveryPointArn",
    "CharacterSetName",
    "ClusterScalabilityType",
    "DBClusterInstanceClass",
    "DBSystemId",
    "Domain",
    "DomainIAMRoleName",
    "GlobalClusterIdentifier",
    "Iops",
    "KmsKeyId",
    "MasterUserSecretKmsKeyId",
    "MonitoringRoleArn",
    "OptionGroupName",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "PreSignedUrl",
    "ReplicationSourceIdentifier",
];

/// Structures of which nothing may be given, by one of their members each.
const STRUCTURES: [&str; 9] = [
    "RdsCustomClusterConfiguration.InterconnectSubnetId",
    "RdsCustomClusterConfiguration.TransitGatewayMulticastDomainId",
    "RdsCustomClusterConfiguration.ReplicaMode",
    "ScalingConfiguration.AutoPause",
    "ScalingConfiguration.MaxCapacity",
    "ScalingConfiguration.MinCapacity",
    "ServerlessV2ScalingConfiguration.MaxCapacity",
    "ServerlessV2ScalingConfiguration.MinCapacity",
    "ServerlessV2ScalingConfiguration.SecondsUntilAutoPause",
];

/// Lists that must be empty.
const LISTS: [(&str, &str); 4] = [
    ("AssociatedRoles", "DBClusterAssociatedRole"),
    ("CloudwatchLogsExportConfiguration.EnableLogTypes", "member"),
    ("EnableCloudwatchLogsExports", "member"),
    ("TagSpecifications", "item"),
];

/// Texts with the values that are offered.
const FIXED: [(&str, &[&str]); 8] = [
    ("BacktrackWindow", &["0"]),
    ("DatabaseInsightsMode", &["standard"]),
    ("EngineLifecycleSupport", &LIFECYCLE),
    ("EngineMode", &["provisioned"]),
    ("MasterUserAuthenticationType", &["password"]),
    ("MonitoringInterval", &["0"]),
    ("NetworkType", &["IPV4"]),
    ("StorageType", &["aurora", "aurora-iopt1"]),
];
const LIFECYCLE: [&str; 2] = [
    "open-source-rds-extended-support",
    "open-source-rds-extended-support-disabled",
];

/// Refuses what is not offered, of all that a request for a cluster asks.
pub(crate) fn check(context: &Context<'_>) -> Result<(), RdsError> {
    let params = &context.params;
    if let Some(name) = params.text("CACertificateIdentifier")
        && name != context.region.ca_identifier
    {
        return Err(RdsError::CertificateNotFound(name.to_owned()));
    }
    check_tables(params)
}

fn check_tables(params: &Params<'_>) -> Result<(), RdsError> {
    let refused = |name: &str| {
        Err(RdsError::InvalidCombination(format!(
            "{name} isn't supported for Aurora DB clusters here."
        )))
    };
    for name in SWITCHES {
        if params.boolean(name)? == Some(true) {
            return refused(name);
        }
    }
    let mut given = TEXTS.iter().chain(&STRUCTURES);
    if let Some(name) = given.find(|name| params.text(name).is_some()) {
        return refused(name);
    }
    for (name, item) in LISTS {
        let texts = params.texts(name, item).unwrap_or_default();
        if !params.structures(name, item).is_empty() || !texts.is_empty() {
            return refused(name);
        }
    }
    for (name, offered) in FIXED {
        if let Some(value) = params.text(name)
            && !offered.contains(&value)
        {
            return Err(RdsError::InvalidCombination(format!(
                "Invalid value '{value}' for {name}. Offered here: {}",
                offered.join(", ")
            )));
        }
    }
    Ok(())
}
