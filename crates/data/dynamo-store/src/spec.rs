//! What a partition is: its table, its range of the hash space, its keys and its indexes.

use quorate_dynamo_lang::key_codec::hash_position;
use quorate_dynamo_lang::{Item, KeySchema, ScalarType};
use serde::{Deserialize, Serialize};

/// Names a partition on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId(pub u64);

/// Names a table's rows, or a global index's, in a store; never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableKey(pub u64);

/// Names a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TxnId(pub u128);

/// A base partition as the sender of index entries. A split raises the generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId {
    /// The partition.
    pub partition: PartitionId,
    /// How often it was split, itself and its ancestors.
    pub generation: u32,
}

/// A range of hash positions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashRange {
    /// The lowest position.
    pub first: u64,
    /// The highest position.
    pub last: u64,
}

impl HashRange {
    /// Every position.
    pub const ALL: HashRange = HashRange {
        first: 0,
        last: u64::MAX,
    };

    /// Whether the position is in the range.
    #[must_use]
    pub fn contains(&self, position: u64) -> bool {
        self.first <= position && position <= self.last
    }

    /// Whether both have a position in common.
    #[must_use]
    pub fn overlaps(&self, other: &HashRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Which attributes an index holds besides the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexProjection {
    /// None.
    KeysOnly,
    /// These.
    Include(Vec<String>),
    /// All.
    All,
}

/// An index with the table's hash key and another range key, kept with the items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalIndex {
    /// Its name.
    pub name: String,
    /// Its number within the table; never used again for another.
    pub id: u16,
    /// Its range attribute.
    pub range: (String, ScalarType),
    /// What it holds.
    pub projection: IndexProjection,
}

/// An index with keys of its own, kept in partitions of its own; here only fed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalIndex {
    /// Its name.
    pub name: String,
    /// Its number within the table; never used again for another.
    pub id: u16,
    /// Its keys.
    pub schema: KeySchema,
    /// What it holds.
    pub projection: IndexProjection,
}

/// What the rows of a partition are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionKind {
    /// A table's items.
    Base,
    /// A global index's rows.
    IndexOf {
        /// The keys of the table, which end each row's key.
        base: KeySchema,
    },
}

/// What a partition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionSpec {
    /// Whose rows.
    pub table: TableKey,
    /// Which part of the hash space.
    pub range: HashRange,
    /// The keys of the table, or of the index.
    pub schema: KeySchema,
    /// Local secondary indexes.
    pub local_indexes: Vec<LocalIndex>,
    /// Global secondary indexes that are fed from here.
    pub global_indexes: Vec<GlobalIndex>,
    /// The attribute with the expiry time, in seconds since 1970.
    pub ttl_attribute: Option<String>,
    /// Items or index rows.
    pub kind: PartitionKind,
}

/// A row's key within a table: the hash position, then the key's order-preserving bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey(pub(crate) Vec<u8>);

impl ItemKey {
    /// Where in the hash space it lives.
    #[must_use]
    pub fn position(&self) -> u64 {
        position_of(&self.0).unwrap_or(0)
    }

    /// The bytes, for hashing and comparing.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The hash position that a row's key starts with.
pub(crate) fn position_of(key: &[u8]) -> Option<u64> {
    key.first_chunk().map(|first| u64::from_be_bytes(*first))
}

impl PartitionSpec {
    /// The key of the item's row; nothing when a key attribute is absent or of another type.
    #[must_use]
    pub fn item_key(&self, item: &Item) -> Option<ItemKey> {
        let base = match &self.kind {
            PartitionKind::Base => None,
            PartitionKind::IndexOf { base } => Some(base),
        };
        row_key(&self.schema, base, item)
    }

    /// The attributes of a row's key, each once: those of the schema, then those of the table below.
    pub(crate) fn key_attributes(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.schema.attributes().map(|(name, _)| name).collect();
        if let PartitionKind::IndexOf { base } = &self.kind {
            for (name, _) in base.attributes() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    pub(crate) fn local_index(&self, id: u16) -> Option<&LocalIndex> {
        self.local_indexes.iter().find(|index| index.id == id)
    }

    pub(crate) fn global_index(&self, id: u16) -> Option<&GlobalIndex> {
        self.global_indexes.iter().find(|index| index.id == id)
    }
}

/// `[position][hash][range]`, and behind it `[hash][range]` of the table's key when the row is an index's.
pub(crate) fn row_key(
    schema: &KeySchema,
    base: Option<&KeySchema>,
    item: &Item,
) -> Option<ItemKey> {
    let key = schema.encode(item)?;
    let mut bytes = Vec::with_capacity(8 + key.hash.len() + key.range.len() + 32);
    bytes.extend_from_slice(&hash_position(&key.hash).to_be_bytes());
    bytes.extend_from_slice(&key.hash);
    bytes.extend_from_slice(&key.range);
    if let Some(base) = base {
        let key = base.encode(item)?;
        bytes.extend_from_slice(&key.hash);
        bytes.extend_from_slice(&key.range);
    }
    Some(ItemKey(bytes))
}
