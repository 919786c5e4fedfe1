//! What a user chose for an instance.

use serde::{Deserialize, Serialize};

use quorate_base::ZoneName;

use crate::model::PasswordVerifier;

/// One tag of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// 1 to 128 characters, unique on the resource.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}

/// The settings in force (those that wait stand in `PendingChanges`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `postgres`.
    pub engine: String,
    /// As in `15.18`; one of the versions that hosts report.
    pub engine_version: String,
    /// As in `db.t3.micro`.
    pub class: String,
    /// Gibibytes; recorded, and shown, and not enforced by the file system.
    pub allocated_storage_gib: u32,
    /// `gp2`, `gp3`, `io1`, `io2` or `standard`.
    pub storage_type: String,
    /// Provisioned operations a second, where the storage type has them.
    pub iops: Option<u32>,
    /// `MaxAllocatedStorage`.
    pub max_allocated_storage_gib: Option<u32>,
    /// `StorageEncrypted`: recorded as asked.
    pub storage_encrypted: bool,
    /// Whether a synchronous standby is kept in another zone.
    pub multi_az: bool,
    /// The zone that was asked for, if any.
    pub zone: Option<ZoneName>,
    /// The database made at creation, if any.
    pub db_name: Option<String>,
    /// The master user's name.
    pub master_username: String,
    /// What the engine checks the master password against. The password itself is kept nowhere.
    pub master_verifier: PasswordVerifier,
    /// Name of the DB parameter group.
    pub parameter_group: String,
    /// Name of the subnet group.
    pub subnet_group: String,
    /// The port that was asked for; the endpoint's own port stands in the endpoint table.
    pub port_asked: u16,
    /// `BackupRetentionPeriod`, days.
    pub backup_retention_days: u32,
    /// `PreferredBackupWindow`, as in `04:00-04:30`.
    pub backup_window: String,
    /// `PreferredMaintenanceWindow`, as in `sun:05:00-sun:05:30`.
    pub maintenance_window: String,
    /// `AutoMinorVersionUpgrade`.
    pub auto_minor_version_upgrade: bool,
    /// `CopyTagsToSnapshot`.
    pub copy_tags_to_snapshot: bool,
    /// `DeletionProtection`.
    pub deletion_protection: bool,
    /// `PubliclyAccessible`: recorded as asked.
    pub publicly_accessible: bool,
    /// `EnableIAMDatabaseAuthentication`: always false until it is offered.
    pub iam_authentication: bool,
    /// `VpcSecurityGroupIds`: recorded as asked.
    pub security_groups: Vec<String>,
}
