//! `BatchExecuteStatement`: statements about one item each, none of which minds the others.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use quorate_dynamo_lang::AttributeValue;
use quorate_dynamo_lang::json::{JsonError, read_value};
use quorate_dynamo_lang::partiql::{Select, Statement};

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
use crate::api::partiql::write::{UNNAMED, Write, check_returning, table};
use crate::messages::{Answer, Freshness, Op};
use crate::model::IndexNumber;
use crate::routing::RouteError;

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
    let answers = make_all(context, &ready).await;
    let mut responses = Vec::with_capacity(ready.len());
    let mut capacity = Vec::new();
    for (ready, answer) in ready.into_iter().zip(answers) {
        let (response, consumed) = respond(context, ready, answer, report);
        responses.push(response);
        capacity.extend(consumed);
    }
    let mut output = Map::new();
    output.insert(String::from("Responses"), Value::Array(responses));
    if report != Report::None {
        output.insert(String::from("ConsumedCapacity"), Value::Array(capacity));
    }
    Ok(body(&output))
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
            let table = table(context, other.table())?;
            let show_old = shows_old(member.return_values_on_condition_check_failure.as_deref());
            let write = Box::new(Write::plan(table, other, UNNAMED)?);
            let admitted = admission::write(context, &write.table, &write.op).await?;
            Ok(Ready::Write {
                write,
                show_old,
                admitted,
            })
        }
    }
}

async fn prepare_read(
    context: &Context<'_>,
    select: Select,
    consistent: Option<bool>,
) -> Result<Ready, ApiError> {
    let table = table(context, &select.table)?;
    if select.index.is_some() {
        return Err(ApiError::validation(NOT_BY_KEY));
    }
    let schema = table.table.record.schema();
    let key = one_item(&select, &schema, NOT_BY_KEY)?.key;
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
) -> Vec<Option<Result<Answer, RouteError>>> {
    let mut under_way = JoinSet::new();
    for (place, ready) in ready.iter().enumerate() {
        let call = match ready {
            Ok(Ready::Read { call, .. }) => (**call).clone(),
            Ok(Ready::Write {
                write, show_old, ..
            }) => write.call(*show_old),
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

/// A member's response, and what it cost.
fn respond(
    context: &Context<'_>,
    ready: Result<Ready, ApiError>,
    answer: Option<Result<Answer, RouteError>>,
    report: Report,
) -> (Value, Option<Value>) {
    let ready = match ready {
        Ok(ready) => ready,
        Err(e) => return (json!({"Error": error(&e)}), None),
    };
    let name = match &ready {
        Ready::Read { select, .. } => select.table.clone(),
        Ready::Write { write, .. } => write.name.clone(),
    };
    match finish(context, ready, answer) {
        Ok((item, consumed)) => {
            let mut response = json!({"TableName": name});
            if let Some(item) = item {
                response["Item"] = item;
            }
            (response, consumed.json(&name, report, None))
        }
        Err(e) => (json!({"TableName": name, "Error": error(&e)}), None),
    }
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
