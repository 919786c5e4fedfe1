//! What a user chose for a cache.

use serde::{Deserialize, Serialize};

use quorate_base::ZoneName;

use crate::model::Engine;

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
    /// `ReplicationGroupDescription`.
    pub description: String,
    /// The engine.
    pub engine: Engine,
    /// As in `7.0.15`; one of the versions that hosts report.
    pub engine_version: String,
    /// As in `cache.t3.micro`.
    pub node_type: String,
    /// Whether keys are spread over shards by slots.
    pub cluster_mode: bool,
    /// Shards; 1 without cluster mode.
    pub shards: u16,
    /// Replicas of each shard; nodes of a Memcached cluster less one.
    pub replicas: u16,
    /// `AutomaticFailoverEnabled`.
    pub automatic_failover: bool,
    /// `MultiAZEnabled`.
    pub multi_az: bool,
    /// Zones that were asked for, in the order of the members; may be shorter than they are.
    pub zones: Vec<ZoneName>,
    /// The port that was asked for; the endpoint's own port stands in the endpoint table.
    pub port_asked: u16,
    /// Who may connect.
    pub auth: Auth,
    /// `TransitEncryptionEnabled`.
    pub transit_encryption: bool,
    /// `AtRestEncryptionEnabled`: recorded as asked.
    pub at_rest_encryption: bool,
    /// `KmsKeyId`: recorded as asked.
    pub kms_key: Option<String>,
    /// Name of the cache parameter group.
    pub parameter_group: String,
    /// Name of the cache subnet group.
    pub subnet_group: String,
    /// `SecurityGroupIds`: recorded as asked.
    pub security_groups: Vec<String>,
    /// `SnapshotRetentionLimit`, days; 0 for none.
    pub snapshot_retention_days: u32,
    /// `SnapshotWindow`, as in `04:00-05:00`.
    pub snapshot_window: String,
    /// `PreferredMaintenanceWindow`, as in `sun:05:00-sun:06:00`.
    pub maintenance_window: String,
    /// `AutoMinorVersionUpgrade`.
    pub auto_minor_version_upgrade: bool,
    /// `NotificationTopicArn`: recorded as asked.
    pub notification_topic_arn: Option<String>,
}

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// Everybody who reaches the endpoint.
    None,
    /// Who has the AUTH token, or either of two while it is rotated.
    Token {
        /// Those that are accepted, the newest first: one, or two.
        accepted: Vec<TokenHash>,
        /// When the newest was set.
        changed_at: quorate_base::UnixMillis,
    },
    /// The users of these groups.
    Users(Vec<String>),
}

/// A token or password as Redis's ACL keeps it: SHA-256 in hexadecimal digits. The secret itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenHash(pub String);
