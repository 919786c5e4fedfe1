//! Which operation a request asks for.

use bytes::Bytes;

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::{items, partiql, tables};

/// Runs the operation and returns the answer's body.
pub(crate) async fn dispatch(
    operation: &str,
    context: &Context<'_>,
    body: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    if let Some(answer) = items::dispatch(operation, context, body).await {
        return answer;
    }
    if let Some(answer) = partiql::dispatch(operation, context, body).await {
        return answer;
    }
    tables::dispatch(operation, context, body)
        .await
        .unwrap_or_else(|| Err(ApiError::unknown_operation()))
}
