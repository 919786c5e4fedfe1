//! What a request may not say of a member: what belongs to its cluster, and what Quorate does not have.

use quorate_wire::query::Params;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::AURORA_POSTGRESQL;

/// Settings of the cluster, with what AWS calls them. A member has the cluster's.
const OF_CLUSTER: [(&str, &str); 9] = [
    ("BackupRetentionPeriod", "backup retention period"),
    ("DBName", "database name"),
    ("DBPortNumber", "port"),
    ("MasterUserPassword", "master user password"),
    ("MasterUsername", "master user name"),
    ("Port", "port"),
    ("PreferredBackupWindow", "backup window"),
    ("StorageType", "storage type"),
    ("EnableIAMDatabaseAuthentication", "IAM authentication"),
];

/// What a member has none of.
const NONE: [&str; 5] = [
    "AllocatedStorage",
    "Iops",
    "MaxAllocatedStorage",
    "MultiAZ",
    "StorageThroughput",
];

/// Refuses what belongs to the cluster, and what members have none of. A value that says what is so anyway passes: clients
/// send `false` and `0` for what they do not ask.
pub(super) fn check(context: &Context<'_>) -> Result<(), RdsError> {
    let params = &context.params;
    let idle = |value: &str| matches!(value, "false" | "0");
    for (name, what) in OF_CLUSTER {
        if params.text(name).is_some_and(|value| !idle(value)) {
            return Err(RdsError::InvalidCombination(format!(
                "The requested DB Instance will be a member of a DB Cluster. Set {what} for the DB Cluster."
            )));
        }
    }
    if let Some(name) = NONE
        .iter()
        .find(|name| params.text(name).is_some_and(|value| !idle(value)))
    {
        return Err(RdsError::InvalidCombination(format!(
            "{name} isn't supported for DB engine {AURORA_POSTGRESQL}: the storage of a DB cluster grows by itself."
        )));
    }
    check_group(params)
}

/// Security groups are the cluster's.
fn check_group(params: &Params<'_>) -> Result<(), RdsError> {
    let given = params
        .texts("VpcSecurityGroupIds", "VpcSecurityGroupId")
        .unwrap_or_default();
    if given.is_empty() {
        return Ok(());
    }
    Err(RdsError::InvalidCombination(String::from(
        "The requested DB Instance will be a member of a DB Cluster. Set vpc security group for the DB Cluster.",
    )))
}
