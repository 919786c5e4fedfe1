//! The bytes of what is stored: a format byte, then postcard.

use quorate_dynamo_lang::Item;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Version of every value's encoding.
const FORMAT: u8 = 1;

/// An item as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Grows with each write of the item. The upper 48 bits are the writer's milliseconds.
    pub(crate) version: u64,
    /// The item's size by DynamoDB's rules.
    pub(crate) bytes: u32,
    /// The item.
    pub(crate) item: Item,
}

#[derive(Serialize)]
struct RecordRef<'a> {
    version: u64,
    bytes: u32,
    item: &'a Item,
}

/// A stored item's bytes.
pub(crate) fn encode_record(version: u64, bytes: usize, item: &Item) -> Vec<u8> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    encode(&RecordRef {
        version,
        bytes,
        item,
    })
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.push(FORMAT);
    postcard::to_extend(value, out).expect("plain data")
}

/// Reads what `encode` wrote; `what` names it in the error.
pub(crate) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => postcard::from_bytes(rest).map_err(|_| StoreError::Damaged(what)),
        _ => Err(StoreError::Damaged(what)),
    }
}

pub(crate) fn decode_record(bytes: &[u8]) -> Result<Record, StoreError> {
    decode(bytes, "item")
}
