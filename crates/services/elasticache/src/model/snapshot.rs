//! Snapshots of caches.

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;

use crate::model::{CacheKind, Settings, ShardNumber, SlotRange, Tag};

/// A snapshot. Id in the catalog: its name, in lower case. Its bytes are in the archive, under
/// `elasticache/snapshot/RESOURCE-ID/NAME/SHARD.rdb`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The cache that it is of; it may be gone.
    pub cache: String,
    /// What the cache was.
    pub kind: CacheKind,
    /// The cache's settings at the time.
    pub settings: Settings,
    /// The snapshot that it is a copy of, while it is being copied and after.
    pub copied_from: Option<String>,
    /// Who asked for it.
    pub source: SnapshotSource,
    /// `SnapshotStatus`.
    pub status: SnapshotStatus,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// The object of each shard, with its slots and size in bytes.
    pub shards: Vec<(ShardNumber, Vec<SlotRange>, String, u64)>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// `SnapshotSource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotSource {
    /// By a user.
    Manual,
    /// By the daily window: it goes when it is older than the retention.
    Automated,
}

/// `SnapshotStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotStatus {
    /// Being taken.
    Creating,
    /// In the archive.
    Available,
    /// A cache is being made from it.
    Restoring,
    /// Being copied.
    Copying,
    /// Going.
    Deleting,
    /// It could not be taken; events say why.
    Failed,
}

impl Record for Snapshot {
    const TABLE: &'static str = "elasticache/snapshot";
    const VERSION: u32 = 1;
}
