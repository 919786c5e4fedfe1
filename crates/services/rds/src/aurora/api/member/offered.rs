//! What a request may not say of a member: what belongs to its cluster, and what Quorate does not have.

use crate::api::context::Context;
use crate::api::error::RdsError;

/// Settings of the cluster, with what AWS calls them. A member has the cluster's.
const OF_CLUSTER: [(&str, &str); 9] = [
    ("BackupRetentionPeriod", "backup retention period"),
    ("DBName", "database name"),
    ("DBPortNumber", "port"),
    ("DeletionProtection", "deletion protection"),
    ("MasterUserPassword", "master user password"),
    ("MasterUsername", "master user name"),
    ("Port", "port"),
    ("PreferredBackupWindow", "backup window"),
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

/// Storage types that a member may be said to have.
const STORAGE_TYPES: [&str; 2] = ["aurora", "aurora-iopt1"];

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// A new member.
    New,
    /// Another setting of a member.
    Change,
}

/// Refuses what belongs to the cluster, and what members have none of. A value that says what is so anyway passes: clients
/// send `false` and `0` for what they do not ask.
pub(super) fn check(context: &Context<'_>, asking: Asking) -> Result<(), RdsError> {
    let params = &context.params;
    let idle = |value: &str| matches!(value, "false" | "0");
    for (name, what) in OF_CLUSTER {
        if params.text(name).is_some_and(|value| !idle(value)) {
            return Err(asking.refusal(what));
        }
    }
    if let Some(name) = NONE
        .iter()
        .find(|name| params.text(name).is_some_and(|value| !idle(value)))
    {
        return Err(RdsError::InvalidCombination(format!(
            "{name} isn't supported for DB instances of a DB cluster: the storage of a DB cluster grows by itself."
        )));
    }
    if params
        .text("StorageType")
        .is_some_and(|kind| !STORAGE_TYPES.contains(&kind))
    {
        return Err(asking.refusal("storage type"));
    }
    let security_groups = params.texts("VpcSecurityGroupIds", "VpcSecurityGroupId");
    if security_groups.is_some_and(|given| !given.is_empty()) {
        return Err(asking.refusal("vpc security group"));
    }
    Ok(())
}

impl Asking {
    fn refusal(self, what: &str) -> RdsError {
        RdsError::InvalidCombination(match self {
            Asking::New => format!(
                "The requested DB Instance will be a member of a DB Cluster. Set {what} for the DB Cluster."
            ),
            Asking::Change => format!(
                "The specified DB Instance is a member of a cluster. Modify {what} for the DB Cluster using the \
                 ModifyDbCluster API"
            ),
        })
    }
}
