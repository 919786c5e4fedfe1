//! `ExecuteStatement`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use quorate_dynamo_lang::json::WireItem;
use quorate_dynamo_lang::partiql::{Select, Statement};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::admission;
use crate::api::items::answer::body;
use crate::api::items::capacity::Report;
use crate::api::items::input::read;
use crate::api::items::write::consumed;
use crate::api::partiql::input::{ExecuteInput, shows_old, values};
use crate::api::partiql::select::{Options, run};
use crate::api::partiql::token::{Place, Tokens};
use crate::api::partiql::write::{Within, Write, check_returning, table};

/// What is said of EXISTS anywhere but in a transaction.
pub(super) const EXISTS_OUTSIDE: &str =
    "EXISTS can only be used in ExecuteTransaction write requests.";

#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Output {
    items: Vec<WireItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated_key: Option<WireItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<Value>,
}

pub(super) async fn execute_statement(
    context: &Context<'_>,
    bytes: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    let mut input: ExecuteInput = read(bytes)?;
    input.check()?;
    let text = input.statement.take().unwrap_or_default();
    let parameters = values(input.parameters.take());
    let statement = Statement::parse(&text, &parameters)?;
    let output = match statement {
        Statement::Select(select) => {
            let tokens = Tokens::of(&text, &parameters);
            read_page(context, &select, &tokens, &input).await?
        }
        Statement::Exists(_) => return Err(ApiError::validation(EXISTS_OUTSIDE)),
        other => write_item(context, other, &input).await?,
    };
    Ok(body(&output))
}

async fn read_page(
    context: &Context<'_>,
    select: &Select,
    tokens: &Tokens,
    input: &ExecuteInput,
) -> Result<Output, ApiError> {
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let from = match &input.next_token {
        Some(token) => tokens.read(token)?,
        None => Place::default(),
    };
    let options = Options {
        consistent: input.consistent_read,
        limit: input.limit.map(|l| u32::try_from(l).unwrap_or(u32::MAX)),
        from,
    };
    let found = run(context, select, options).await?;
    let last = found.next.as_ref().and_then(|place| place.last.clone());
    Ok(Output {
        items: found.items.into_iter().map(WireItem).collect(),
        next_token: found.next.map(|place| tokens.write(place)),
        last_evaluated_key: last.map(WireItem),
        consumed_capacity: found.consumed.json(&select.table, report, None),
    })
}

async fn write_item(
    context: &Context<'_>,
    statement: Statement,
    input: &ExecuteInput,
) -> Result<Output, ApiError> {
    check_returning(&statement)?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let show_old = shows_old(input.return_values_on_condition_check_failure.as_deref());
    let table = table(context, statement.table())?;
    let write = Write::plan(table, statement, Within::Statement)?;
    let admitted = admission::write(context, &write.table, &write.op).await?;
    let calls = context.region.calls.clone();
    let answer = write.call(show_old).make(calls).await?;
    let answer = write.outcome(answer, show_old)?;
    let record = &write.table.table.record;
    let consumed = consumed(record, &answer);
    admitted.settle_write(context, record, &consumed);
    Ok(Output {
        items: write.returned(answer).map(WireItem).into_iter().collect(),
        consumed_capacity: consumed.json(&write.name, report, None),
        ..Output::default()
    })
}
