//! Which operation a request asks for.

use bytes::Bytes;

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::tables;

/// Runs the operation and returns the answer's body.
pub(crate) async fn dispatch(
    operation: &str,
    context: &Context<'_>,
    body: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    tables::dispatch(operation, context, body)
        .await
        .unwrap_or_else(|| Err(ApiError::unknown_operation()))
}
