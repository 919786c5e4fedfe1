//! `DescribeLimits`, `DescribeEndpoints` and what is said about backups, of which there are none.

use serde_json::{Value, json};

use crate::api::constraints::{Body, Place, Violations};
use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::tables::read::named_table;
use crate::api::tables::rules::TABLE_UNITS_MAX;
use crate::model::TableRecord;

/// How long a client may keep an endpoint.
const ENDPOINT_MINUTES: u32 = 1440;

/// `DescribeLimits`: AWS's quotas of a table; the account's follow from them as with AWS.
pub(super) fn limits() -> Value {
    json!({
        "AccountMaxReadCapacityUnits": 2 * TABLE_UNITS_MAX,
        "AccountMaxWriteCapacityUnits": 2 * TABLE_UNITS_MAX,
        "TableMaxReadCapacityUnits": TABLE_UNITS_MAX,
        "TableMaxWriteCapacityUnits": TABLE_UNITS_MAX,
    })
}

/// `DescribeEndpoints`: the endpoint that was called, so that nobody is sent to AWS.
pub(super) fn endpoints(context: &Context<'_>) -> Value {
    json!({ "Endpoints": [{ "Address": context.host, "CachePeriodInMinutes": ENDPOINT_MINUTES }] })
}

/// `DescribeContinuousBackups`: off. Terraform asks for it after it has created a table.
pub(super) async fn continuous_backups(
    context: &Context<'_>,
    body: &Body<'_>,
) -> Result<Value, ApiError> {
    let name = named_table(context, body)?;
    backups_of(context, name).await
}

/// `UpdateContinuousBackups`: they can be switched off, which they are.
pub(super) async fn switch_continuous_backups(
    context: &Context<'_>,
    body: &Body<'_>,
) -> Result<Value, ApiError> {
    const NAME: &str = "PointInTimeRecoverySpecification";
    let asked = body.fields().structure(NAME, NAME)?.unwrap_or_default();
    let enabled = asked.boolean("PointInTimeRecoveryEnabled")?;
    let name = named_table(context, body)?;
    let mut violations = Violations::new();
    let place = Place::of(NAME);
    let place = place.member("PointInTimeRecoveryEnabled");
    violations.required(&place, enabled.as_ref());
    violations.finish()?;
    if enabled == Some(true) {
        return Err(ApiError::unknown_operation());
    }
    backups_of(context, name).await
}

async fn backups_of(context: &Context<'_>, name: &str) -> Result<Value, ApiError> {
    if context.catalog().read::<TableRecord>(name).await?.is_none() {
        return Err(ApiError::dynamodb(
            "TableNotFoundException",
            format!("Table not found: {name}"),
        ));
    }
    Ok(json!({ "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "DISABLED",
        "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": "DISABLED" },
    } }))
}
