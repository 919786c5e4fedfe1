//! What is asked of a single item, and what is answered.

use quorate_dynamo_lang::{Condition, Item, Update};
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;

/// A write of one item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum WriteOp {
    /// The item takes the place of what is there.
    Put {
        /// The whole item.
        item: Item,
        /// What must hold for the item that is there.
        condition: Option<Condition>,
    },
    /// The item goes.
    Delete {
        /// Its key.
        key: Item,
        /// What must hold for it.
        condition: Option<Condition>,
    },
    /// The item changes, or comes to be.
    Update {
        /// Its key.
        key: Item,
        /// How.
        update: Update,
        /// What must hold for it.
        condition: Option<Condition>,
    },
    /// Nothing changes, in a transaction: the item is locked and its condition checked.
    Check {
        /// Its key.
        key: Item,
        /// What must hold for it.
        condition: Condition,
    },
    /// The service deletes the item if it has expired and was not renewed.
    Expire {
        /// Its key.
        key: Item,
        /// Seconds since 1970.
        now_s: u64,
    },
}

impl WriteOp {
    /// The item or the key that names what is written.
    #[must_use]
    pub fn key(&self) -> &Item {
        match self {
            WriteOp::Put { item, .. } => item,
            WriteOp::Delete { key, .. }
            | WriteOp::Update { key, .. }
            | WriteOp::Check { key, .. }
            | WriteOp::Expire { key, .. } => key,
        }
    }

    pub(crate) fn condition(&self) -> Option<&Condition> {
        match self {
            WriteOp::Put { condition, .. }
            | WriteOp::Delete { condition, .. }
            | WriteOp::Update { condition, .. } => condition.as_ref(),
            WriteOp::Check { condition, .. } => Some(condition),
            WriteOp::Expire { .. } => None,
        }
    }
}

/// What an evaluation came to.
#[derive(Debug)]
pub struct Evaluated {
    /// What to propose to the log; nothing when nothing changes.
    pub effect: Option<Vec<u8>>,
    /// What to answer once the effect is applied, or at once without one.
    pub answer: WriteAnswer,
    /// What the item will be, and the index definitions that it was evaluated with; none when nothing changes.
    pub(crate) image: Option<(u32, Option<Bytes>)>,
}

/// What a write did; the caller answers of it what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WriteAnswer {
    /// The item before.
    pub old: Option<Item>,
    /// The item afterwards; only of an update: of a put the caller has it.
    pub new: Option<Item>,
    /// What the update touched, as it was.
    pub updated_old: Option<Item>,
    /// What the update touched, as it is.
    pub updated_new: Option<Item>,
    /// The size before; 0 without an item.
    pub old_bytes: usize,
    /// The size afterwards.
    pub new_bytes: usize,
    /// What the indexes cost; those that do not change are not named.
    pub index_units: Vec<IndexUnits>,
    /// The item collection's size afterwards, of a table with local indexes.
    pub collection_bytes: Option<u64>,
}

/// What a write costs in one index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexUnits {
    /// The index's number.
    pub index: u16,
    /// Whether it is a local one.
    pub local: bool,
    /// Write units: one for each KB begun, of the row that goes and of the row that comes.
    pub units: u64,
}
