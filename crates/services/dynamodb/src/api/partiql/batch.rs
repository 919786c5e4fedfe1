//! `BatchExecuteStatement`: statements about one item each, none of which minds the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use quorate_dynamo_lang::json::{JsonError, read_value};
use quorate_dynamo_lang::partiql::{Select, Statement};
use quorate_dynamo_lang::{AttributeValue, Item, item_bytes};
use quorate_dynamo_store::WriteOp;

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::admission::{self, Admitted};
use crate::api::items::answer::{body, item_value};
use crate::api::items::capacity::{Consumed, Report, Units};
use crate::api::items::input::read;
use crate::api::items::write::consumed;
use crate::api::items::{get, target};
use crate::api::partiql::call::Call;
use crate::api::partiql::execute::EXISTS_OUTSIDE;
use crate::api::partiql::input::{BatchInput, BatchStatementInput, shows_old};
use crate::api::partiql::select::one_item;
use crate::api::partiql::write::{Within, Write, check_key_types, check_returning, table};
use crate::messages::{Answer, Freshness, NotWritten, Op};
use crate::model::IndexNumber;
use crate::routing::{RouteError, TableRoute};

/// What is said of a SELECT that asks for anything but one key.
const NOT_BY_KEY: &str = "Select statements within BatchExecuteStatement must specify the primary key in the where clause.";

/// A statement that can be carried out.
enum Ready {
    Read {
        select: Select,
        call: Box<Call>,
        admitted: Admitted,
    },
    Write {
        write: Box<Write>,
        show_old: bool,
        admitted: Admitted,
    },
}

impl Ready {
    /// The item that it is about, and its table.
    fn item(&self) -> Option<(&str, &Item)> {
        match self {
            Ready::Read { select, call, .. } => match &call.op {
                Op::Get { key, .. } => Some((&select.table, key)),
                _ => None,
            },
            Ready::Write { write, .. } => Some((&write.name, &write.key)),
        }
    }
}

pub(super) async fn batch_execute_statement(
    context: &Context<'_>,
    bytes: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    let input: BatchInput = read(bytes)?;
    input.check()?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let members = input.statements.unwrap_or_default();
    let mut parsed = Vec::with_capacity(members.len());
    for member in &members {
        parsed.push(parse(member)?);
    }
    let reads: Vec<bool> = parsed.iter().flatten().map(Statement::is_read).collect();
    if reads.contains(&true) && reads.contains(&false) {
        return Err(ApiError::validation(
            "BatchExecuteStatement API does not support both read and write operations in the same request.",
        ));
    }
    let mut ready: Vec<Result<Ready, ApiError>> = Vec::with_capacity(members.len());
    for (statement, member) in parsed.into_iter().zip(&members) {
        ready.push(match statement {
            Ok(statement) => prepare(context, statement, member).await,
            Err(e) => Err(e),
        });
    }
    check_distinct(&ready)?;
    let answers = make_all(context, &ready, report).await;
    let mut responses = Vec::with_capacity(ready.len());
    let mut bill = Bill::default();
    for (ready, answer) in ready.into_iter().zip(answers) {
        responses.push(respond(context, ready, answer, &mut bill));
    }
    let mut output = Map::new();
    output.insert(String::from("Responses"), Value::Array(responses));
    if let Some(capacity) = bill.json(report) {
        output.insert(String::from("ConsumedCapacity"), capacity);
    }
    Ok(body(&output))
}

/// Refuses a batch that names an item twice. Statements that cannot be carried out name none.
fn check_distinct(ready: &[Result<Ready, ApiError>]) -> Result<(), ApiError> {
    let mut seen: Vec<(&str, &Item)> = Vec::with_capacity(ready.len());
    for item in ready.iter().flatten().filter_map(Ready::item) {
        if seen.contains(&item) {
            return Err(ApiError::validation(
                "Provided list of item keys contains duplicates",
            ));
        }
        seen.push(item);
    }
    Ok(())
}

/// What the statements cost, by table.
///
/// A statement whose condition fails has cost the write that it was, if another one of its table succeeds: it is in the
/// table's total and in no part of it. A table where nothing succeeds is not listed, nor is an empty list. AWS does not
/// document it; captured by dynoxide (its `tests/partiql_index_consumed_capacity`, August 2026).
#[derive(Default)]
struct Bill {
    by_table: BTreeMap<String, Consumed>,
    refused: BTreeMap<String, Units>,
}

impl Bill {
    fn succeeded(&mut self, table: &str, consumed: &Consumed) {
        self.by_table
            .entry(table.to_owned())
            .or_default()
            .add(consumed);
    }

    fn refused(&mut self, table: &str, units: Units) {
        let sum = self.refused.entry(table.to_owned()).or_default();
        *sum = sum.plus(units);
    }

    fn json(mut self, report: Report) -> Option<Value> {
        for (name, consumed) in &mut self.by_table {
            consumed.refused = self.refused.get(name).copied().unwrap_or_default();
        }
        let listed: Vec<Value> = self
            .by_table
            .iter()
            .filter_map(|(name, consumed)| consumed.json(name, report, None))
            .collect();
        (!listed.is_empty()).then_some(Value::Array(listed))
    }
}

/// The statement of a member. What is wrong with the statement or its values is the member's own error.
///
/// # Errors
/// `SerializationException` for a parameter that is no value at all.
fn parse(member: &BatchStatementInput) -> Result<Result<Statement, ApiError>, ApiError> {
    let mut values: Vec<AttributeValue> = Vec::new();
    for parameter in member.parameters.iter().flatten() {
        match read_value(parameter.to_string().as_bytes()) {
            Ok(value) => values.push(value),
            Err(JsonError::Validation(e)) => return Ok(Err(e.into())),
            Err(JsonError::Serialization(words)) => return Err(ApiError::serialization(words)),
            Err(JsonError::Syntax(_)) => return Err(ApiError::serialization("")),
        }
    }
    let text = member.statement.as_deref().unwrap_or_default();
    Ok(Statement::parse(text, &values).map_err(ApiError::from))
}

async fn prepare(
    context: &Context<'_>,
    statement: Statement,
    member: &BatchStatementInput,
) -> Result<Ready, ApiError> {
    check_returning(&statement)?;
    match statement {
        Statement::Exists(_) => Err(ApiError::validation(EXISTS_OUTSIDE)),
        Statement::Select(select) => prepare_read(context, select, member.consistent_read).await,
        other => {
            let table = named_table(context, other.table())?;
            let show_old = shows_old(member.return_values_on_condition_check_failure.as_deref());
            let write = Box::new(Write::plan(table, other, Within::Statement)?);
            let admitted = admission::write(context, &write.table, &write.op).await?;
            Ok(Ready::Write {
                write,
                show_old,
                admitted,
            })
        }
    }
}

/// The table of a statement; the answer of one that is not there names it.
fn named_table(context: &Context<'_>, name: &str) -> Result<Arc<TableRoute>, ApiError> {
    table(context, name).map_err(|e| e.with("TableName", json!(name)))
}

async fn prepare_read(
    context: &Context<'_>,
    select: Select,
    consistent: Option<bool>,
) -> Result<Ready, ApiError> {
    let table = named_table(context, &select.table)?;
    if select.index.is_some() {
        return Err(ApiError::validation(NOT_BY_KEY));
    }
    let schema = table.table.record.schema();
    let key = one_item(&select, &schema, NOT_BY_KEY)?.key;
    check_key_types(&schema, &key)?;
    schema.check_key(&key)?;
    let freshness = get::freshness(consistent);
    let strong = freshness == Freshness::Strong;
    let admitted = admission::read(context, &table, IndexNumber::TABLE, strong).await?;
    let call = Box::new(Call {
        to: target::of_key(&select.table, &schema, &key)?,
        op: Op::Get {
            key,
            projection: None,
            freshness,
        },
        freshness: Some(freshness),
    });
    Ok(Ready::Read {
        select,
        call,
        admitted,
    })
}

/// Makes all calls at the same time; the answers in the order of the statements, those that cannot be made without any.
async fn make_all(
    context: &Context<'_>,
    ready: &[Result<Ready, ApiError>],
    report: Report,
) -> Vec<Option<Result<Answer, RouteError>>> {
    let mut under_way = JoinSet::new();
    for (place, ready) in ready.iter().enumerate() {
        let call = match ready {
            Ok(Ready::Read { call, .. }) => (**call).clone(),
            Ok(Ready::Write {
                write, show_old, ..
            }) => write.call(*show_old || report != Report::None),
            Err(_) => continue,
        };
        let calls = context.region.calls.clone();
        under_way.spawn(async move { (place, call.make(calls).await) });
    }
    let mut answers: Vec<Option<_>> = ready.iter().map(|_| None).collect();
    while let Some(joined) = under_way.join_next().await {
        if let Ok((place, answer)) = joined {
            answers[place] = Some(answer);
        }
    }
    answers
}

/// A member's response; what it cost is put on the bill.
fn respond(
    context: &Context<'_>,
    ready: Result<Ready, ApiError>,
    answer: Option<Result<Answer, RouteError>>,
    bill: &mut Bill,
) -> Value {
    let ready = match ready {
        Ok(ready) => ready,
        Err(e) => {
            let mut response = json!({"Error": error(&e)});
            if let Some(name) = e.members.get("TableName") {
                response["TableName"] = name.clone();
            }
            return response;
        }
    };
    let name = match &ready {
        Ready::Read { select, .. } => select.table.clone(),
        Ready::Write { write, .. } => write.name.clone(),
    };
    if let Some(units) = refused_units(&ready, &answer) {
        bill.refused(&name, units);
    }
    match finish(context, ready, answer) {
        Ok((item, consumed)) => {
            bill.succeeded(&name, &consumed);
            let mut response = json!({"TableName": name});
            if let Some(item) = item {
                response["Item"] = item;
            }
            response
        }
        Err(e) => json!({"TableName": name, "Error": error(&e)}),
    }
}

/// What a write cost whose condition does not hold: by the larger of the item that is there and the one that it carries.
fn refused_units(ready: &Ready, answer: &Option<Result<Answer, RouteError>>) -> Option<Units> {
    let (
        Ready::Write { write, .. },
        Some(Ok(Answer::NotWritten(NotWritten::ConditionFailed { old }))),
    ) = (ready, answer)
    else {
        return None;
    };
    let carried = match &write.op {
        WriteOp::Put { item, .. } => item_bytes(item),
        other => item_bytes(other.key()),
    };
    let bytes = old.as_ref().map_or(0, item_bytes).max(carried);
    Some(Units::write(bytes as u64))
}

fn finish(
    context: &Context<'_>,
    ready: Ready,
    answer: Option<Result<Answer, RouteError>>,
) -> Result<(Option<Value>, Consumed), ApiError> {
    let answer = answer.ok_or_else(|| ApiError::internal("A statement of the batch stopped"))??;
    match (ready, answer) {
        (
            Ready::Read {
                select,
                call,
                admitted,
            },
            Answer::Item { item, bytes, .. },
        ) => {
            let units = Units::read(bytes, call.freshness == Some(Freshness::Strong));
            admitted.settle_read(context, units);
            let item = item.map(|item| item_value(&select.project(&item)));
            Ok((item, Consumed::of_table(units)))
        }
        (Ready::Read { .. }, _) => Err(ApiError::internal(
            "The partition answered another question",
        )),
        (
            Ready::Write {
                write,
                show_old,
                admitted,
            },
            answer,
        ) => {
            let answer = write.outcome(answer, show_old)?;
            let record = &write.table.table.record;
            let consumed = consumed(record, &answer);
            admitted.settle_write(context, record, &consumed);
            Ok((write.returned(answer).as_ref().map(item_value), consumed))
        }
    }
}

/// `Error` of a member.
fn error(e: &ApiError) -> Value {
    let mut error = json!({"Code": code(e.code), "Message": e.message});
    if let Some(item) = e.members.get("Item") {
        error["Item"] = item.clone();
    }
    error
}

/// What a batch and the reasons of a transaction call an error.
pub(super) fn code(code: &'static str) -> &'static str {
    match code {
        "ValidationException" => "ValidationError",
        "ThrottlingException" => "ThrottlingError",
        other => other.strip_suffix("Exception").unwrap_or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_no_suffix() {
        for (long, short) in [
            ("ValidationException", "ValidationError"),
            ("ConditionalCheckFailedException", "ConditionalCheckFailed"),
            ("DuplicateItemException", "DuplicateItem"),
            ("ResourceNotFoundException", "ResourceNotFound"),
            ("InternalServerError", "InternalServerError"),
        ] {
            assert_eq!(code(long), short);
        }
    }

    #[test]
    fn refused_statements_cost_where_another_succeeds() {
        let mut bill = Bill::default();
        bill.refused("a", Units::whole(3));
        bill.refused("b", Units::whole(1));
        assert_eq!(bill.json(Report::Total), None);
        let mut bill = Bill::default();
        bill.refused("a", Units::whole(3));
        bill.refused("b", Units::whole(1));
        bill.succeeded("a", &Consumed::of_table(Units::whole(1)));
        assert_eq!(
            bill.json(Report::Indexes),
            Some(
                json!([{"TableName": "a", "CapacityUnits": 4.0, "Table": {"CapacityUnits": 1.0}}])
            )
        );
        assert_eq!(Bill::default().json(Report::Total), None);
    }

    #[test]
    fn wrong_parameters_are_the_statements_own_error() {
        let member = |parameters: Value| BatchStatementInput {
            statement: Some(String::from("SELECT * FROM t WHERE a = ?")),
            parameters: serde_json::from_value(parameters).unwrap(),
            consistent_read: None,
            return_values_on_condition_check_failure: None,
        };
        assert!(matches!(parse(&member(json!([{"S": "x"}]))), Ok(Ok(_))));
        let own = parse(&member(json!([{"SS": []}]))).unwrap().unwrap_err();
        assert_eq!(own.code, "ValidationException");
        let all = parse(&member(json!([{"S": 1}]))).unwrap_err();
        assert_eq!(all.code, "SerializationException");
    }
}
