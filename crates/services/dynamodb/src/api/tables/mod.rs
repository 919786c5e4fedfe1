//! Operations about tables: they write intent to the catalog and read it back.
//!
//! The controller carries out what is written here. Must not know where partitions are.

mod create;
mod delete;
mod describe;
mod read;
mod request;
mod rules;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::Value;

use crate::api::constraints::Body;
use crate::api::context::Context;
use crate::api::error::ApiError;

/// Runs a table operation; `None` when the name is none of them.
pub(crate) async fn dispatch(
    operation: &str,
    context: &Context<'_>,
    body: &Bytes,
) -> Option<Result<Vec<u8>, ApiError>> {
    if !OPERATIONS.contains(&operation) {
        return None;
    }
    Some(run(operation, context, body).await)
}

/// The operations that `run` knows.
const OPERATIONS: &[&str] = &["CreateTable", "DescribeTable", "ListTables", "DeleteTable"];

async fn run(operation: &str, context: &Context<'_>, body: &Bytes) -> Result<Vec<u8>, ApiError> {
    let body = Body::parse(body)?;
    let answer: Value = match operation {
        "CreateTable" => create::create(context, &body).await?,
        "DescribeTable" => read::describe(context, &body).await?,
        "ListTables" => read::list(context, &body).await?,
        "DeleteTable" => delete::delete(context, &body).await?,
        _ => return Err(ApiError::unknown_operation()),
    };
    Ok(answer.to_string().into_bytes())
}
