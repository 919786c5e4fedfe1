//! Operations on items: parsed and validated here, carried out by the partitions.

pub(crate) mod admission;
pub(crate) mod answer;
mod batch_get;
mod batch_write;
pub(crate) mod capacity;
mod checks;
pub(crate) mod coordinator;
pub(crate) mod get;
pub(crate) mod input;
pub(crate) mod integer;
mod legacy;
pub(crate) mod pages;
pub(crate) mod search;
pub(crate) mod selection;
pub(crate) mod source;
pub(crate) mod start_key;
pub(crate) mod target;
pub(crate) mod transact_get;
pub(crate) mod transact_write;
pub(crate) mod write;

use bytes::Bytes;

use crate::api::context::Context;
use crate::api::error::ApiError;

/// Runs an operation on items; `None` when the name is none of them.
pub(crate) async fn dispatch(
    operation: &str,
    context: &Context<'_>,
    body: &Bytes,
) -> Option<Result<Vec<u8>, ApiError>> {
    Some(match operation {
        "GetItem" => get::get_item(context, body).await,
        "PutItem" => write::put_item(context, body).await,
        "DeleteItem" => write::delete_item(context, body).await,
        "UpdateItem" => write::update_item(context, body).await,
        "Query" => search::query(context, body).await,
        "Scan" => search::scan(context, body).await,
        "BatchGetItem" => batch_get::batch_get_item(context, body).await,
        "BatchWriteItem" => batch_write::batch_write_item(context, body).await,
        "TransactWriteItems" => transact_write::transact_write_items(context, body).await,
        "TransactGetItems" => transact_get::transact_get_items(context, body).await,
        _ => return None,
    })
}
