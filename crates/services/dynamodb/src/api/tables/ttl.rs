//! `UpdateTimeToLive` and `DescribeTimeToLive`.

use quorate_base::UnixMillis;
use quorate_control::Txn;
use serde_json::{Value, json};

use crate::api::constraints::{
    Body, Place, Violations, check_table_name, required_table_name, table_of,
};
use crate::api::context::{Attempt, Context, retry};
use crate::api::error::ApiError;
use crate::api::tables::describe::status;
use crate::api::tables::read::named_table;
use crate::model::{TableRecord, TableStatus, TimeToLive, TtlStatus};

const NAME_LENGTH_MAX: usize = 255;

/// `UpdateTimeToLive`.
pub(super) async fn update(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    const NAME: &str = "TimeToLiveSpecification";
    let fields = body.fields();
    let table = fields.string("TableName")?;
    let asked = fields.structure(NAME, NAME)?.unwrap_or_default();
    let enabled = asked.boolean("Enabled")?;
    let attribute = asked.string("AttributeName")?;
    required_table_name(table)?;
    let mut violations = Violations::new();
    check_table_name(&mut violations, table);
    let here = Place::of(NAME);
    violations.required(&here, fields.get(NAME));
    if fields.get(NAME).is_some() {
        violations.required(&here.member("Enabled"), enabled.as_ref());
        violations.required(&here.member("AttributeName"), attribute);
        let attribute = attribute.filter(|a| !a.is_empty());
        if let Some(attribute) = attribute {
            let place = here.member("AttributeName");
            violations.length(&place, attribute, 1, NAME_LENGTH_MAX);
        }
    }
    violations.finish()?;
    let (attribute, enabled) = (attribute.unwrap_or_default(), enabled.unwrap_or(false));
    if attribute.is_empty() {
        return Err(ApiError::validation(
            "TimeToLiveSpecification.AttributeName must be non empty",
        ));
    }
    let name = table_of(context, table.unwrap_or_default())?;
    retry(|| switch(context, name, attribute, enabled)).await?;
    Ok(json!({ NAME: { "AttributeName": attribute, "Enabled": enabled } }))
}

async fn switch(
    context: &Context<'_>,
    name: &str,
    attribute: &str,
    enabled: bool,
) -> Result<(), Attempt> {
    let read = context.table(name).await?;
    let ttl = switched(name, &read.record, attribute, enabled)?;
    let mut record = read.record.clone();
    record.ttl = Some(ttl);
    let txn = Txn::new().replace(&read, &record);
    context.catalog().commit(txn).await?;
    Ok(())
}

/// Expiry as it is to be. Unlike AWS's, it can be switched again as soon as the switch before it is done.
fn switched(
    name: &str,
    table: &TableRecord,
    attribute: &str,
    enabled: bool,
) -> Result<TimeToLive, ApiError> {
    match table.status {
        TableStatus::Creating => {
            return Err(ApiError::in_use(format_args!(
                "Table {name} is being created"
            )));
        }
        TableStatus::Deleting => {
            return Err(ApiError::in_use(format_args!(
                "Table {name} is being deleted"
            )));
        }
        TableStatus::Updating | TableStatus::Active => {}
    }
    let on = table
        .ttl
        .as_ref()
        .filter(|t| matches!(t.status, TtlStatus::Enabling | TtlStatus::Enabled));
    match on {
        Some(ttl) if ttl.attribute != attribute => {
            return Err(ApiError::validation(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {}",
                ttl.attribute
            )));
        }
        Some(_) if enabled => return Err(ApiError::validation("TimeToLive is already enabled")),
        None if !enabled => return Err(ApiError::validation("TimeToLive is already disabled")),
        _ => {}
    }
    let pending =
        |ttl: &TimeToLive| matches!(ttl.status, TtlStatus::Enabling | TtlStatus::Disabling);
    if table.ttl.as_ref().is_some_and(pending) {
        return Err(ApiError::validation(
            "Time to live has been modified multiple times within a fixed interval",
        ));
    }
    Ok(TimeToLive {
        attribute: attribute.to_owned(),
        status: if enabled {
            TtlStatus::Enabling
        } else {
            TtlStatus::Disabling
        },
        changed_at: UnixMillis::now(),
    })
}

/// `DescribeTimeToLive`.
pub(super) async fn describe(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let name = named_table(context, body)?;
    let table = context.table(name).await?.record;
    if matches!(table.status, TableStatus::Creating | TableStatus::Deleting) {
        let status = status(table.status);
        return Err(ApiError::validation(format!(
            "Cannot describe time to live while table is in {status} state: Current table state is {status}"
        )));
    }
    let shown = match table.ttl {
        None => json!({ "TimeToLiveStatus": "DISABLED" }),
        Some(ttl) => {
            let status = match ttl.status {
                TtlStatus::Enabling => "ENABLING",
                TtlStatus::Enabled => "ENABLED",
                TtlStatus::Disabling => "DISABLING",
                TtlStatus::Disabled => "DISABLED",
            };
            match ttl.status {
                TtlStatus::Disabled => json!({ "TimeToLiveStatus": status }),
                _ => json!({ "TimeToLiveStatus": status, "AttributeName": ttl.attribute }),
            }
        }
    };
    Ok(json!({ "TimeToLiveDescription": shown }))
}
