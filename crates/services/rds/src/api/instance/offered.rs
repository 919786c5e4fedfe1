//! Options that RDS has and Quorate does not: asking for one is refused, never silently ignored.

use quorate_wire::query::Params;

use crate::api::context::Context;
use crate::api::engines::POSTGRES;
use crate::api::error::RdsError;
use crate::catalogue::{Program, major_of};

/// Refused when set to true.
const SWITCHES: [&str; 9] = [
    "DedicatedLogVolume",
    "DisableDomain",
    "EnableCustomerOwnedIp",
    "EnableIAMDatabaseAuthentication",
    "EnablePerformanceInsights",
    "ManageMasterUserPassword",
    "MultiTenant",
    "RotateMasterUserPassword",
    "UpgradeStorageConfig",
];

/// Names what members of a cluster, and no other instances, belong to.
const CLUSTER: &str = "DBClusterIdentifier";

/// Refused when given at all.
const TEXTS: [&str; 19] = [
    "AwsBackupRecoveryPointArn",
    "CharacterSetName",
    "CustomIamInstanceProfile",
    CLUSTER,
    "DBSystemId",
    "Domain",
    "DomainFqdn",
    "DomainIAMRoleName",
    "KmsKeyId",
    "MasterUserSecretKmsKeyId",
    "MonitoringRoleArn",
    "NcharCharacterSetName",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "PreSignedUrl",
    "SourceDBClusterIdentifier",
    "TdeCredentialArn",
    "TdeCredentialPassword",
    "Timezone",
];

/// Lists that must be empty.
const LISTS: [(&str, &str); 5] = [
    ("AdditionalStorageVolumes", "member"),
    ("DBSecurityGroups", "DBSecurityGroupName"),
    ("DomainDnsIps", "member"),
    ("EnableCloudwatchLogsExports", "member"),
    ("ProcessorFeatures", "ProcessorFeature"),
];

/// Texts with the values that are offered.
const FIXED: [(&str, &[&str]); 7] = [
    ("AutomationMode", &["full"]),
    ("BackupTarget", &["region"]),
    ("DatabaseInsightsMode", &["standard"]),
    ("MasterUserAuthenticationType", &["password"]),
    ("MonitoringInterval", &["0"]),
    ("NetworkType", &["IPV4"]),
    ("StorageThroughput", &["0", "125"]),
];

/// Refuses what is not offered, of all that a request for an instance of this version asks.
pub(crate) fn check(
    context: &Context<'_>,
    engine: &str,
    engine_version: &str,
) -> Result<(), RdsError> {
    let params = &context.params;
    check_tables(params, engine)?;
    if let Some(name) = params.text("CACertificateIdentifier")
        && name != context.region.ca_identifier
    {
        return Err(RdsError::CertificateNotFound(name.to_owned()));
    }
    let license = Program::of_version(engine_version).license();
    if let Some(asked) = params
        .text("LicenseModel")
        .filter(|asked| *asked != license)
    {
        return Err(RdsError::InvalidCombination(format!(
            "Invalid value '{asked}' for LicenseModel. Offered here: {license}"
        )));
    }
    if let Some(name) = params.text("OptionGroupName")
        && name != option_group(engine, engine_version)
    {
        return Err(RdsError::OptionGroupNotFound(name.to_owned()));
    }
    Ok(())
}

/// The one option group of an engine's version.
pub(crate) fn option_group(engine: &str, engine_version: &str) -> String {
    let major = major_of(engine_version).replace('.', "-");
    format!("default:{engine}-{major}")
}

fn check_tables(params: &Params<'_>, engine: &str) -> Result<(), RdsError> {
    let refused = |name: &str| {
        Err(RdsError::InvalidCombination(format!(
            "{name} is not offered for engine {engine} here."
        )))
    };
    for name in SWITCHES {
        if params.boolean(name)? == Some(true) {
            return refused(name);
        }
    }
    let of_cluster = |name: &str| name == CLUSTER && engine != POSTGRES;
    let given = |name: &&&str| params.text(name).is_some() && !of_cluster(name);
    if let Some(name) = TEXTS.iter().find(given) {
        return refused(name);
    }
    for (name, item) in LISTS {
        if !params.structures(name, item).is_empty() {
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
