//! What happened to a resource, told to users by DescribeEvents.

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;

/// One event. Id in the catalog: `{millis:013}-{random}`, so that ids order by time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: UnixMillis,
    /// What kind of resource.
    pub source: EventSource,
    /// Its identifier.
    pub source_id: String,
    /// Its ARN.
    pub source_arn: String,
    /// One sentence; AWS's where AWS has one.
    pub message: String,
    /// AWS's categories.
    pub categories: Vec<EventCategory>,
}

/// `SourceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventSource {
    /// A DB instance.
    DbInstance,
    /// A DB parameter group.
    DbParameterGroup,
    /// A DB cluster.
    DbCluster,
    /// A snapshot of a DB cluster.
    DbClusterSnapshot,
}

/// `EventCategories`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventCategory {
    /// Snapshots.
    Backup,
    /// Starts, stops and restarts.
    Availability,
    /// Settings.
    ConfigurationChange,
    /// Made.
    Creation,
    /// Gone.
    Deletion,
    /// A change of primary.
    Failover,
    /// Something is wrong.
    Failure,
    /// Space is short.
    LowStorage,
    /// Something to know.
    Notification,
    /// Mended.
    Recovery,
    /// Replicas.
    ReadReplica,
}

impl Record for Event {
    const TABLE: &'static str = "rds/event";
    const VERSION: u32 = 1;
}
