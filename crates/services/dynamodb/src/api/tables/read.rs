//! `DescribeTable` and `ListTables`.

use serde_json::{Value, json};

use crate::api::constraints::{
    Body, Place, Violations, check_table_name, required_table_name, table_of,
};
use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::tables::describe::table_description;
use crate::ledger::is_internal;
use crate::model::TableRecord;

/// Names on a page, at most and where no limit was sent.
const PAGE_MAX: usize = 100;
const NAME_LENGTH_MIN: usize = 3;
const NAME_LENGTH_MAX: usize = 255;

/// The table that a request with nothing but a `TableName` is about.
pub(super) fn named_table<'b>(
    context: &Context<'_>,
    body: &'b Body<'_>,
) -> Result<&'b str, ApiError> {
    let name = required_table_name(body.fields().string("TableName")?)?;
    let mut violations = Violations::new();
    check_table_name(&mut violations, Some(name));
    violations.finish()?;
    table_of(context, name)
}

/// `DescribeTable`.
pub(super) async fn describe(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let name = named_table(context, body)?;
    let read = context.table(name).await?;
    context.region.figures.refresh(name).await;
    let table = table_description(context, name, &read.record);
    Ok(json!({ "Table": table }))
}

/// `ListTables`: names in the order of their bytes.
pub(super) async fn list(context: &Context<'_>, body: &Body<'_>) -> Result<Value, ApiError> {
    let fields = body.fields();
    let start = fields.string("ExclusiveStartTableName")?;
    let limit = fields.integer("Limit")?;
    let mut violations = Violations::new();
    if let Some(start) = start {
        let place = Place::of("ExclusiveStartTableName");
        violations.name(&place, start);
        violations.length(&place, start, NAME_LENGTH_MIN, NAME_LENGTH_MAX);
    }
    if let Some(limit) = limit {
        let place = Place::of("Limit");
        violations.at_least(&place, limit, 1);
        violations.at_most(&place, limit, 100);
    }
    violations.finish()?;
    let limit = limit.map_or(PAGE_MAX, |l| usize::try_from(l).unwrap_or(PAGE_MAX));
    let tables = context.catalog().list::<TableRecord>().await?;
    let start = start.unwrap_or_default();
    let mut names = tables
        .iter()
        .map(|table| table.id.as_str())
        .filter(|name| *name > start && !is_internal(name));
    let page: Vec<&str> = names.by_ref().take(limit).collect();
    let mut answer = json!({ "TableNames": page });
    if names.next().is_some()
        && let Some(last) = page.last()
    {
        answer["LastEvaluatedTableName"] = json!(last);
    }
    Ok(answer)
}
