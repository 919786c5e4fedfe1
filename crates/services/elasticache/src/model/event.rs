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
    /// One sentence; AWS's where AWS has one.
    pub message: String,
}

/// `SourceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventSource {
    /// A cache cluster.
    CacheCluster,
    /// A cache parameter group.
    CacheParameterGroup,
    /// A cache subnet group.
    CacheSubnetGroup,
    /// A replication group.
    ReplicationGroup,
    /// A user.
    User,
    /// A user group.
    UserGroup,
}

impl Record for Event {
    const TABLE: &'static str = "elasticache/event";
    const VERSION: u32 = 1;
}
