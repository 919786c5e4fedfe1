//! One DB instance: what was asked of it and where it stands.

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;

use crate::model::{PasswordVerifier, Settings, Status, Tag, Topology};

/// A DB instance. Id in the catalog: the DB instance identifier, in lower case.
///
/// API handlers write `settings`, `pending`, `order`, `desired`, `tags` and the status that the answer must
/// show. The controller and the agents write the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `DbiResourceId`, as in `db-ABCDEFGHIJKLMNOPQRSTUVWXYZ`; never used again for another instance.
    pub resource_id: String,
    /// When CreateDBInstance was answered.
    pub created_at: UnixMillis,
    /// What is in force.
    pub settings: Settings,
    /// What waits for the maintenance window, a reboot, or (with `apply_now`) the controller.
    pub pending: PendingChanges,
    /// What the user last ordered that is not a setting, until it is carried out.
    pub order: Option<Order>,
    /// Whether engines should run, be stopped, or be gone.
    pub desired: Desired,
    /// `DBInstanceStatus`.
    pub status: Status,
    /// Why the status is not `available`, where there is more to say than the status.
    pub status_detail: Option<String>,
    /// The instance that this one is a read replica of. Cleared by promotion.
    pub source: Option<String>,
    /// Members, primary, epoch.
    pub topology: Topology,
    /// The port of the endpoint, for the life of the instance.
    pub endpoint_port: u16,
    /// Tags.
    pub tags: Vec<Tag>,
    /// The parameter group's revision that the primary's engine was last started or reloaded with, and whether
    /// a static parameter waits for a reboot: gives `ParameterApplyStatus`.
    pub parameters_applied: ParametersApplied,
    /// Fingerprint of the master verifier that the engine was last given (`PasswordVerifier::fingerprint`).
    pub credentials_applied: Option<String>,
}

/// How far the engine has taken its parameter group in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParametersApplied {
    /// A digest of the parameters that the running engine was last given; empty before the first start.
    pub digest: String,
    /// Whether a static parameter differs from what the engine runs with.
    pub pending_reboot: bool,
}

/// Changes that were accepted and are not in force (`PendingModifiedValues`). `master_verifier` and `port` never
/// wait for the maintenance window: they are carried out at once, whatever `apply_now` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChanges {
    /// Whether the controller carries them out at once rather than in the maintenance window.
    pub apply_now: bool,
    /// `DBInstanceClass`.
    pub class: Option<String>,
    /// `AllocatedStorage`, gibibytes.
    pub allocated_storage_gib: Option<u32>,
    /// `StorageType`.
    pub storage_type: Option<String>,
    /// `Iops`.
    pub iops: Option<u32>,
    /// `MultiAZ`.
    pub multi_az: Option<bool>,
    /// `EngineVersion`.
    pub engine_version: Option<String>,
    /// `MasterUserPassword`, as a verifier.
    pub master_verifier: Option<PasswordVerifier>,
    /// `DBPortNumber`.
    pub port: Option<u16>,
    /// `BackupRetentionPeriod`, days.
    pub backup_retention_days: Option<u32>,
    /// `NewDBInstanceIdentifier`.
    pub new_id: Option<String>,
}

impl PendingChanges {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self
            == PendingChanges {
                apply_now: self.apply_now,
                ..PendingChanges::default()
            }
    }
}

/// What a user ordered once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// `RebootDBInstance` without failover: the primary's engine restarts.
    Reboot,
    /// `RebootDBInstance` with `ForceFailover`: primary and standby change places.
    RebootWithFailover,
    /// `PromoteReadReplica`: becomes an independent, writable instance.
    Promote,
}

/// Whether engines should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Desired {
    /// Engines run.
    Running,
    /// `StopDBInstance`: data is kept, engines are not.
    Stopped,
    /// `DeleteDBInstance`: engines and data go, then the record.
    Deleted,
}

impl Record for Instance {
    const TABLE: &'static str = "rds/instance";
    const VERSION: u32 = 1;
}
