//! `ExecuteTransaction`: statements that all happen at one moment, or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use quorate_dynamo_lang::partiql::{Select, Statement};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::answer::{body, item_value};
use crate::api::items::capacity::{Consumed, Report, Side, Units};
use crate::api::items::coordinator::{Action, cancelled_because};
use crate::api::items::input::read;
use crate::api::items::target;
use crate::api::items::transact_get::{Wanted, snapshot};
use crate::api::items::transact_write::{Planned, admit, check_together, execute, fingerprint};
use crate::api::partiql::batch::code;
use crate::api::partiql::input::{TransactionInput, shows_old, values};
use crate::api::partiql::select::one_item;
use crate::api::partiql::write::{DUPLICATE, Within, Write, existing, returning, table};
use crate::routing::TableRoute;

const NOT_BY_KEY: &str =
    "Select statements within ExecuteTransaction must specify the primary key in the where clause.";

/// A statement with its table, if that is there.
struct Member {
    statement: Statement,
    table: Result<Arc<TableRoute>, ApiError>,
    show_old: bool,
}

/// Why each statement cannot be carried out, where there is a reason.
type Reasons = Vec<Option<ApiError>>;

pub(super) async fn execute_transaction(
    context: &Context<'_>,
    bytes: &Bytes,
) -> Result<Vec<u8>, ApiError> {
    let input: TransactionInput = read(bytes)?;
    input.check()?;
    let report = Report::of(input.return_consumed_capacity.as_deref());
    let mut members = Vec::new();
    for (number, one) in input.transact_statements.into_iter().flatten().enumerate() {
        let text = one.statement.unwrap_or_default();
        let statement = Statement::parse(&text, &values(one.parameters))
            .map_err(|e| failed(number, e.into()))?;
        members.push(Member {
            table: table(context, statement.table()),
            statement,
            show_old: shows_old(one.return_values_on_condition_check_failure.as_deref()),
        });
    }
    let reads = members.iter().filter(|m| m.statement.is_read()).count();
    if reads > 0 && reads < members.len() {
        return Err(ApiError::validation(
            "ExecuteTransaction API does not support both read and write operations in the same request.",
        ));
    }
    for (number, member) in members.iter().enumerate() {
        check(member).map_err(|e| failed(number, e))?;
    }
    if reads > 0 {
        return read_all(context, members, report).await;
    }
    let token = input.client_request_token.as_deref();
    write_all(context, members, token, bytes, report).await
}

/// What is wrong with one statement, as it is told of all.
fn failed(number: usize, mut e: ApiError) -> ApiError {
    e.message = format!(
        "Validation failed in TransactStatements[{number}]: {}",
        e.message
    );
    e
}

/// What no transaction may ask, if its table is there.
fn check(member: &Member) -> Result<(), ApiError> {
    let Ok(table) = &member.table else {
        return Ok(());
    };
    if returning(&member.statement).is_some() {
        return Err(ApiError::validation(
            "RETURNING clause is not supported in ExecuteTransaction.",
        ));
    }
    let schema = table.table.record.schema();
    match &member.statement {
        Statement::Select(select) if select.index.is_some() => Err(ApiError::validation(
            "Reads on indices are not supported within transactions.",
        )),
        Statement::Select(select) => one_item(select, &schema, NOT_BY_KEY).map(|_| ()),
        Statement::Exists(select) => {
            let names: Vec<&str> = schema.attributes().map(|(name, _)| name).collect();
            existing(select, &names).map(|_| ()).ok_or_else(|| {
                ApiError::validation(
                    "EXISTS() must contain a single item read with additional condition",
                )
            })
        }
        _ => Ok(()),
    }
}

async fn read_all(
    context: &Context<'_>,
    members: Vec<Member>,
    report: Report,
) -> Result<Vec<u8>, ApiError> {
    let mut reasons = Reasons::new();
    let mut wanted: Vec<(Select, Wanted)> = Vec::new();
    for member in members {
        match want(member) {
            Ok(one) => {
                wanted.push(one);
                reasons.push(None);
            }
            Err(e) => reasons.push(Some(e)),
        }
    }
    cancel_for(&reasons)?;
    let (selects, wanted): (Vec<Select>, Vec<Wanted>) = wanted.into_iter().unzip();
    for (at, one) in wanted.iter().enumerate() {
        let same =
            |other: &Wanted| other.position.table == one.position.table && other.key == one.key;
        if wanted[..at].iter().any(same) {
            return Err(ApiError::validation(
                "Transaction request cannot include multiple operations on one item",
            ));
        }
    }
    let found = snapshot(context, &wanted).await?;
    let mut by_table: BTreeMap<String, Consumed> = BTreeMap::new();
    let mut responses = Vec::with_capacity(found.len());
    for (select, found) in selects.iter().zip(&found) {
        let cost = Consumed::of_table(Units::read(found.bytes, true)).doubled();
        by_table.entry(select.table.clone()).or_default().add(&cost);
        responses.push(match &found.item {
            Some(item) => json!({"Item": item_value(&select.project(item))}),
            None => json!({}),
        });
    }
    Ok(answer(responses, &by_table, report, Side::Read))
}

fn want(member: Member) -> Result<(Select, Wanted), ApiError> {
    let schema = member.table?.table.record.schema();
    let Statement::Select(select) = member.statement else {
        return Err(ApiError::internal("Only a SELECT reads"));
    };
    let key = one_item(&select, &schema, NOT_BY_KEY)?.key;
    schema.check_key(&key)?;
    let wanted = Wanted {
        position: target::of_key(&select.table, &schema, &key)?,
        key,
        projection: None,
    };
    Ok((select, wanted))
}

async fn write_all(
    context: &Context<'_>,
    members: Vec<Member>,
    token: Option<&str>,
    bytes: &Bytes,
    report: Report,
) -> Result<Vec<u8>, ApiError> {
    let mut reasons = Reasons::new();
    let mut planned: Vec<Planned> = Vec::new();
    let mut inserts = Vec::new();
    for member in members {
        let show_old = member.show_old;
        let write = member
            .table
            .and_then(|table| Write::plan(table, member.statement, Within::Transaction));
        reasons.push(match write {
            Ok(write) => {
                inserts.push(write.inserts);
                planned.push(Planned {
                    table: write.table,
                    key: write.key,
                    action: Action {
                        position: write.to,
                        write: write.op,
                        show_old,
                    },
                });
                None
            }
            Err(e) => Some(e),
        });
    }
    cancel_for(&reasons)?;
    check_together(&planned)?;
    let admitted = admit(context, &planned).await?;
    let executed = execute(context, &planned, token, fingerprint(bytes))
        .await
        .map_err(|e| told_of_duplicates(e, &inserts))?;
    let mut by_table: BTreeMap<String, Consumed> = BTreeMap::new();
    for ((one, answer), admitted) in planned.iter().zip(&executed.answers).zip(admitted) {
        let record = &one.table.table.record;
        let cost = executed.cost(record, answer);
        admitted.settle_write(context, record, &cost);
        let name = one.action.position.table.clone();
        by_table.entry(name).or_default().add(&cost);
    }
    // Reads have an answer each, writes none (captured from AWS by dynoxide, October 2026).
    Ok(answer(Vec::new(), &by_table, report, executed.side()))
}

/// Cancels the transaction when there is a reason.
fn cancel_for(reasons: &Reasons) -> Result<(), ApiError> {
    if reasons.iter().all(Option::is_none) {
        return Ok(());
    }
    Err(cancelled_because(reasons.iter().map(|reason| {
        let mut member = Map::new();
        match reason {
            None => ("None", member),
            Some(e) => {
                member.insert(String::from("Message"), json!(e.message));
                (code(e.code), member)
            }
        }
    })))
}

/// The cancellation with the reason of an INSERT whose item is there in its own words.
fn told_of_duplicates(mut e: ApiError, inserts: &[bool]) -> ApiError {
    let Some(Value::Array(reasons)) = e.members.get_mut("CancellationReasons") else {
        return e;
    };
    for (reason, _) in reasons.iter_mut().zip(inserts).filter(|(_, i)| **i) {
        if reason["Code"] == "ConditionalCheckFailed" {
            *reason = json!({"Code": "DuplicateItem", "Message": DUPLICATE});
        }
    }
    let codes: Vec<&str> = reasons
        .iter()
        .map(|reason| reason["Code"].as_str().unwrap_or_default())
        .collect();
    e.message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    e
}

fn answer(
    responses: Vec<Value>,
    by_table: &BTreeMap<String, Consumed>,
    report: Report,
    side: Side,
) -> Vec<u8> {
    let mut output = Map::new();
    output.insert(String::from("Responses"), Value::Array(responses));
    if report != Report::None {
        let capacity = by_table
            .iter()
            .filter_map(|(name, consumed)| consumed.json(name, report, Some(side)))
            .collect();
        output.insert(String::from("ConsumedCapacity"), Value::Array(capacity));
    }
    body(&output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_of_what_is_there_is_a_duplicate() {
        let failed = || {
            let mut member = Map::new();
            let words = json!("The conditional request failed");
            member.insert(String::from("Message"), words);
            ("ConditionalCheckFailed", member)
        };
        let e = cancelled_because([failed(), failed(), ("None", Map::new())]);
        let e = told_of_duplicates(e, &[true, false, true]);
        assert!(
            e.message
                .ends_with("[DuplicateItem, ConditionalCheckFailed, None]")
        );
        assert_eq!(e.members["CancellationReasons"][0]["Message"], DUPLICATE);
        let other = ApiError::validation("x");
        assert_eq!(told_of_duplicates(other.clone(), &[true]), other);
    }

    #[test]
    fn one_reason_cancels_all() {
        assert_eq!(cancel_for(&vec![None, None]), Ok(()));
        let e = cancel_for(&vec![None, Some(ApiError::no_table())]).unwrap_err();
        assert_eq!(e.code, "TransactionCanceledException");
        assert!(e.message.ends_with("[None, ResourceNotFound]"));
        assert_eq!(
            failed(3, ApiError::validation("x")).message,
            "Validation failed in TransactStatements[3]: x"
        );
    }
}
