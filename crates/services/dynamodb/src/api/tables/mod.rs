//! Operations about tables: they write intent to the catalog and read it back.

use bytes::Bytes;

use crate::api::context::Context;
use crate::api::error::ApiError;

/// Runs a table operation; `None` when the name is none of them.
pub(crate) async fn dispatch(
    operation: &str,
    _context: &Context<'_>,
    _body: &Bytes,
) -> Option<Result<Vec<u8>, ApiError>> {
    let _ = operation;
    None
}
