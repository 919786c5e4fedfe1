//! PartiQL: statements carried out by the partition calls that operations on items use.
//!
//! A statement becomes the same reads, queries, scans and writes as the item API's requests. Must not know the grammar,
//! which is `dynamo_lang`'s.

mod batch;
mod call;
mod execute;
mod input;
mod order;
mod select;
mod token;
mod transaction;
mod write;

use bytes::Bytes;

use crate::api::context::Context;
use crate::api::error::ApiError;

/// Runs an operation on statements; `None` when the name is none of them.
pub(crate) async fn dispatch(
    operation: &str,
    context: &Context<'_>,
    body: &Bytes,
) -> Option<Result<Vec<u8>, ApiError>> {
    Some(match operation {
        "ExecuteStatement" => execute::execute_statement(context, body).await,
        "BatchExecuteStatement" => batch::batch_execute_statement(context, body).await,
        "ExecuteTransaction" => transaction::execute_transaction(context, body).await,
        _ => return None,
    })
}
