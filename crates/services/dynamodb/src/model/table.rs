//! A table as it was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;
use quorate_dynamo_lang::ScalarType;

use crate::model::ids::{IndexNumber, TableNumber};

/// AWS's `TableStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableStatus {
    /// Its partitions are being made.
    Creating,
    /// A change is under way.
    Updating,
    /// It is being removed.
    Deleting,
    /// It serves.
    Active,
}

/// AWS's `IndexStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexStatus {
    /// Being made or backfilled.
    Creating,
    /// A change is under way.
    Updating,
    /// Being removed.
    Deleting,
    /// It serves.
    Active,
}

/// An attribute that a key names, and its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub scalar: ScalarType,
}

/// AWS's `KeyType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyRole {
    /// Part of the partition key.
    Hash,
    /// Part of the sort key.
    Range,
}

/// One element of a key schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyElement {
    /// The attribute's name.
    pub name: String,
    /// What it is in the key.
    pub role: KeyRole,
}

/// What an index holds beside its own keys and the table's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Projection {
    /// Nothing.
    KeysOnly,
    /// These attributes.
    Include(Vec<String>),
    /// All attributes.
    All,
}

/// A local secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalIndex {
    /// Its number in the table.
    pub number: IndexNumber,
    /// Its name.
    pub name: String,
    /// The table's partition key and another sort key.
    pub keys: Vec<KeyElement>,
    /// What it holds.
    pub projection: Projection,
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalIndex {
    /// Its number in the table.
    pub number: IndexNumber,
    /// Its name.
    pub name: String,
    /// Up to four attributes on each side.
    pub keys: Vec<KeyElement>,
    /// What it holds.
    pub projection: Projection,
    /// How far it is.
    pub status: IndexStatus,
    /// Whether the items that were there before it are still being put into it.
    pub backfilling: bool,
    /// Its provisioned throughput, its on-demand limits, its warm throughput.
    pub throughput: Throughput,
}

/// AWS's `BillingMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Billing {
    /// Capacity units are reserved, and enforced.
    Provisioned,
    /// What is used.
    PayPerRequest,
}

/// Throughput settings of a table or of a global index. Units a second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throughput {
    /// Provisioned read units; 0 when billing is on demand.
    pub read: u64,
    /// Provisioned write units; 0 when billing is on demand.
    pub write: u64,
    /// When it was last raised.
    pub increased_at: Option<UnixMillis>,
    /// When it was last lowered.
    pub decreased_at: Option<UnixMillis>,
    /// How often it was lowered on the day of `decreased_at` (UTC).
    pub decreases_today: u32,
    /// `OnDemandThroughput.MaxReadRequestUnits`.
    pub on_demand_read_max: Option<u64>,
    /// `OnDemandThroughput.MaxWriteRequestUnits`.
    pub on_demand_write_max: Option<u64>,
    /// `WarmThroughput.ReadUnitsPerSecond`, when it was asked for or was provisioned before.
    pub warm_read: Option<u64>,
    /// `WarmThroughput.WriteUnitsPerSecond`, when it was asked for or was provisioned before.
    pub warm_write: Option<u64>,
}

/// AWS's `TableClass`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableClass {
    /// `STANDARD`.
    Standard,
    /// `STANDARD_INFREQUENT_ACCESS`.
    InfrequentAccess,
}

/// AWS's `TimeToLiveStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TtlStatus {
    /// Being switched on.
    Enabling,
    /// Expired items go.
    Enabled,
    /// Being switched off.
    Disabling,
    /// Off.
    Disabled,
}

/// Expiry of items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeToLive {
    /// The attribute that holds the second of expiry.
    pub attribute: String,
    /// Whether it is on.
    pub status: TtlStatus,
    /// When it was last switched; AWS refuses another switch for an hour.
    pub changed_at: UnixMillis,
}

/// A table. Id in the catalog: its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Its number in this region.
    pub number: TableNumber,
    /// AWS's `TableId`: a UUID.
    pub table_id: String,
    /// How far it is.
    pub status: TableStatus,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// Every attribute that a key names.
    pub attributes: Vec<AttributeDefinition>,
    /// Its key.
    pub keys: Vec<KeyElement>,
    /// Its local indexes.
    pub local_indexes: Vec<LocalIndex>,
    /// Its global indexes.
    pub global_indexes: Vec<GlobalIndex>,
    /// The last number given to an index of this table.
    pub last_index: IndexNumber,
    /// How it is billed.
    pub billing: Billing,
    /// When billing last became on demand.
    pub on_demand_since: Option<UnixMillis>,
    /// Its throughput.
    pub throughput: Throughput,
    /// Its class.
    pub class: TableClass,
    /// When its class was last changed.
    #[serde(default)]
    pub class_changed_at: Option<UnixMillis>,
    /// `SSESpecification.Enabled` with its key's ARN, when it was asked for.
    pub sse_key_arn: Option<String>,
    /// Whether `DeleteTable` is refused.
    pub deletion_protection: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Expiry of items, once it was ever switched on.
    pub ttl: Option<TimeToLive>,
    /// Its resource policy, if it has one.
    pub resource_policy: Option<String>,
    /// How often the resource policy was set or removed; AWS's `RevisionId`.
    #[serde(default)]
    pub resource_policy_revision: u64,
}

impl TableRecord {
    /// The global index with this name.
    #[must_use]
    pub fn global_index(&self, name: &str) -> Option<&GlobalIndex> {
        self.global_indexes.iter().find(|index| index.name == name)
    }

    /// Removes the definitions of attributes that no key names any more.
    pub fn prune_attributes(&mut self) {
        let local = self.local_indexes.iter().map(|index| &index.keys);
        let global = self.global_indexes.iter().map(|index| &index.keys);
        let used: BTreeSet<&str> = std::iter::once(&self.keys)
            .chain(local)
            .chain(global)
            .flatten()
            .map(|key| key.name.as_str())
            .collect();
        self.attributes.retain(|a| used.contains(a.name.as_str()));
    }

    /// The type of a key attribute.
    #[must_use]
    pub fn scalar_of(&self, attribute: &str) -> Option<ScalarType> {
        self.attributes
            .iter()
            .find(|a| a.name == attribute)
            .map(|a| a.scalar)
    }
}

impl Record for TableRecord {
    const TABLE: &'static str = "dynamodb/table";
    const VERSION: u32 = 1;
}
