//! What a user chose for a cluster.

use serde::{Deserialize, Serialize};

use quorate_base::ZoneName;

use crate::model::PasswordVerifier;

/// The settings in force (those that wait stand in `PendingClusterChanges`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSettings {
    /// `aurora-postgresql` or `aurora-mysql`.
    pub engine: String,
    /// As in `15.18` or `8.0.mysql_aurora.3.mariadb.10.11.19`; of a program that hosts report.
    pub engine_version: String,
    /// The master user's name.
    pub master_username: String,
    /// What the engine checks the master password against. The password itself is kept nowhere.
    pub master_verifier: PasswordVerifier,
    /// The database made at creation, if any.
    pub database_name: Option<String>,
    /// The port that was asked for; the endpoints' own ports stand in the endpoint table.
    pub port_asked: u16,
    /// Name of the DB cluster parameter group.
    pub parameter_group: String,
    /// Name of the subnet group.
    pub subnet_group: String,
    /// `AvailabilityZones` as asked; the region's zones where none were.
    pub zones: Vec<ZoneName>,
    /// `BackupRetentionPeriod`, days.
    pub backup_retention_days: u32,
    /// `PreferredBackupWindow`, as in `04:00-04:30`.
    pub backup_window: String,
    /// `PreferredMaintenanceWindow`, as in `sun:05:00-sun:05:30`.
    pub maintenance_window: String,
    /// `StorageEncrypted`: recorded as asked.
    pub storage_encrypted: bool,
    /// `StorageType`: `aurora`, or `aurora-iopt1` as asked.
    pub storage_type: String,
    /// `CopyTagsToSnapshot`.
    pub copy_tags_to_snapshot: bool,
    /// `DeletionProtection`.
    pub deletion_protection: bool,
    /// `EnableIAMDatabaseAuthentication`: always false until it is offered.
    pub iam_authentication: bool,
    /// `VpcSecurityGroupIds`: recorded as asked.
    pub security_groups: Vec<String>,
}

/// Changes that were accepted and are not in force. A port never waits for the maintenance window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingClusterChanges {
    /// Whether the controller carries them out at once rather than in the maintenance window.
    pub apply_now: bool,
    /// `MasterUserPassword`, as a verifier.
    pub master_verifier: Option<PasswordVerifier>,
    /// `Port`: of the cluster endpoint.
    pub port: Option<u16>,
    /// `NewDBClusterIdentifier`.
    pub new_id: Option<String>,
}

impl PendingClusterChanges {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.master_verifier.is_none() && self.port.is_none() && self.new_id.is_none()
    }
}
