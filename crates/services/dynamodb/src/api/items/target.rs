//! Which table, and which of its partitions, an operation is about.

use std::sync::Arc;

use quorate_dynamo_lang::key_codec::hash_position;
use quorate_dynamo_lang::{Item, KeySchema};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::model::{IndexNumber, TableStatus};
use crate::routing::{Position, TableRoute};

/// The table of an operation on items.
///
/// # Errors
/// `ResourceNotFoundException` when it is not there, not yet or not any more.
pub(crate) fn table(context: &Context<'_>, name: &str) -> Result<Arc<TableRoute>, ApiError> {
    let found = context.region.calls.table(name)?;
    found
        .filter(|t| {
            matches!(
                t.table.record.status,
                TableStatus::Active | TableStatus::Updating
            )
        })
        .ok_or_else(ApiError::no_table)
}

/// Where the item of that key is. The key was checked before.
///
/// # Errors
/// Never, after the check.
pub(crate) fn of_key(name: &str, schema: &KeySchema, key: &Item) -> Result<Position, ApiError> {
    let encoded = schema.encode(key).ok_or_else(|| {
        ApiError::validation("The provided key element does not match the schema")
    })?;
    Ok(Position {
        table: name.to_owned(),
        index: IndexNumber::TABLE,
        position: hash_position(&encoded.hash),
    })
}
