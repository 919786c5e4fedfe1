//! Snapshots of caches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;

use crate::model::{CacheKind, MemberNumber, Settings, ShardNumber, SlotRange, Tag};

/// A snapshot. Id in the catalog: its name, in lower case. Its bytes are in the archive, under
/// `elasticache/snapshot/RESOURCE-ID/NAME/MILLIS/SHARD-ATTEMPT.rdb`: no object's name is used twice, also when a later
/// snapshot has the name of one that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The cache that it is of; it may be gone.
    pub cache: String,
    /// The cache's `resource_id`: another cache of its name is another one.
    pub resource_id: String,
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
    /// Who takes it of each shard that is not in `shards` yet, while it is being taken.
    pub takers: BTreeMap<ShardNumber, Taker>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// Who takes a snapshot of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taker {
    /// The member; none after an attempt that failed, until the next.
    pub member: Option<MemberNumber>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// When the attempt began, or failed.
    pub since: UnixMillis,
    /// Why the last attempt failed.
    pub failure: Option<String>,
}

impl Snapshot {
    /// Below which the archive has what belongs to the snapshot of this name.
    #[must_use]
    pub fn folder(&self, name: &str) -> String {
        format!("elasticache/snapshot/{}/{name}", self.resource_id)
    }

    /// The object of one shard.
    #[must_use]
    pub fn object(&self, name: &str, shard: ShardNumber, attempt: u32) -> String {
        let (folder, millis) = (self.folder(name), self.created_at.0);
        format!("{folder}/{millis}/{:04}-{attempt}.rdb", shard.0)
    }
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
