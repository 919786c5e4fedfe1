//! Operations about tables: they write intent to the catalog and read it back.
//!
//! The controller carries out what is written here. Must not know where partitions are.

mod create;
mod delete;
mod describe;
mod information;
mod policy;
mod read;
mod request;
mod resource;
mod rules;
mod tags;
#[cfg(test)]
mod tests;
mod ttl;
mod update;

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

/// The operations that `run` knows. The name is looked at before the body, which may be somebody else's and large.
const OPERATIONS: &[&str] = &[
    "CreateTable",
    "DescribeTable",
    "ListTables",
    "UpdateTable",
    "DeleteTable",
    "TagResource",
    "UntagResource",
    "ListTagsOfResource",
    "UpdateTimeToLive",
    "DescribeTimeToLive",
    "PutResourcePolicy",
    "GetResourcePolicy",
    "DeleteResourcePolicy",
    "DescribeLimits",
    "DescribeEndpoints",
    "DescribeContinuousBackups",
    "UpdateContinuousBackups",
];

async fn run(operation: &str, context: &Context<'_>, body: &Bytes) -> Result<Vec<u8>, ApiError> {
    let body = Body::parse(body)?;
    let answer = match operation {
        "CreateTable" => create::create(context, &body).await,
        "DescribeTable" => read::describe(context, &body).await,
        "ListTables" => read::list(context, &body).await,
        "UpdateTable" => update::update(context, &body).await,
        "DeleteTable" => delete::delete(context, &body).await,
        "TagResource" => tags::tag(context, &body).await,
        "UntagResource" => tags::untag(context, &body).await,
        "ListTagsOfResource" => tags::list(context, &body).await,
        "UpdateTimeToLive" => ttl::update(context, &body).await,
        "DescribeTimeToLive" => ttl::describe(context, &body).await,
        "PutResourcePolicy" => policy::put(context, &body).await,
        "GetResourcePolicy" => policy::get(context, &body).await,
        "DeleteResourcePolicy" => policy::delete(context, &body).await,
        "DescribeLimits" => Ok(information::limits()),
        "DescribeEndpoints" => Ok(information::endpoints(context)),
        "DescribeContinuousBackups" => information::continuous_backups(context, &body).await,
        "UpdateContinuousBackups" => information::switch_continuous_backups(context, &body).await,
        _ => Err(ApiError::unknown_operation()),
    };
    answer.map(|answer: Value| answer.to_string().into_bytes())
}
