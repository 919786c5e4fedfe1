//! The bodies of requests about statements, and what AWS's model of the API says about them.

use serde::Deserialize;
use serde_json::Value;

use quorate_dynamo_lang::AttributeValue;
use quorate_dynamo_lang::json::WireValue;
use quorate_dynamo_lang::partiql::STATEMENT_CHARS_MAX;

use crate::api::constraints::{Place, Violations};
use crate::api::error::ApiError;
use crate::api::items::integer::integer;

/// Statements of one batch.
const BATCH_MAX: usize = 25;
/// Statements of one transaction.
const TRANSACTION_MAX: usize = 100;
/// Characters of a `NextToken`.
const NEXT_TOKEN_CHARS_MAX: usize = 32_768;
/// Characters of a `ClientRequestToken`.
const REQUEST_TOKEN_CHARS_MAX: usize = 36;
const CAPACITY: &[&str] = &["INDEXES", "TOTAL", "NONE"];
const ON_FAILURE: &[&str] = &["ALL_OLD", "NONE"];

/// `ExecuteStatement`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExecuteInput {
    pub(super) statement: Option<String>,
    pub(super) parameters: Option<Vec<WireValue>>,
    pub(super) consistent_read: Option<bool>,
    pub(super) next_token: Option<String>,
    #[serde(default, deserialize_with = "integer")]
    pub(super) limit: Option<i64>,
    pub(super) return_consumed_capacity: Option<String>,
    pub(super) return_values_on_condition_check_failure: Option<String>,
}

/// One statement of a batch. Its parameters are read with the statement: what is wrong with them is wrong with it alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchStatementInput {
    pub(super) statement: Option<String>,
    pub(super) parameters: Option<Vec<Value>>,
    pub(super) consistent_read: Option<bool>,
    pub(super) return_values_on_condition_check_failure: Option<String>,
}

/// `BatchExecuteStatement`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchInput {
    pub(super) statements: Option<Vec<BatchStatementInput>>,
    pub(super) return_consumed_capacity: Option<String>,
}

/// One statement of a transaction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TransactionStatementInput {
    pub(super) statement: Option<String>,
    pub(super) parameters: Option<Vec<WireValue>>,
    pub(super) return_values_on_condition_check_failure: Option<String>,
}

/// `ExecuteTransaction`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TransactionInput {
    pub(super) transact_statements: Option<Vec<TransactionStatementInput>>,
    pub(super) client_request_token: Option<String>,
    pub(super) return_consumed_capacity: Option<String>,
}

/// The values that `?` stand for.
pub(super) fn values(parameters: Option<Vec<WireValue>>) -> Vec<AttributeValue> {
    let parameters = parameters.into_iter().flatten();
    parameters.map(|WireValue(value)| value).collect()
}

/// Whether a failed condition is to show the item.
pub(super) fn shows_old(on_failure: Option<&str>) -> bool {
    on_failure == Some("ALL_OLD")
}

impl ExecuteInput {
    /// The model's constraints.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let mut violations = Violations::new();
        let at = Place::of("Statement");
        statement(&mut violations, &at, self.statement.as_deref());
        let count = self.parameters.as_ref().map(Vec::len);
        parameters(&mut violations, &Place::of("Parameters"), count);
        if let Some(token) = &self.next_token {
            let at = Place::of("NextToken");
            violations.length(&at, token, 1, NEXT_TOKEN_CHARS_MAX);
        }
        if let Some(limit) = self.limit {
            violations.at_least(&Place::of("Limit"), limit, 1);
        }
        report(&mut violations, self.return_consumed_capacity.as_deref());
        let at = Place::of("ReturnValuesOnConditionCheckFailure");
        let word = self.return_values_on_condition_check_failure.as_deref();
        on_failure(&mut violations, &at, word);
        violations.finish()
    }
}

impl BatchInput {
    /// The model's constraints.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let mut violations = Violations::new();
        let list = Place::of("Statements");
        let count = self.statements.as_ref().map(Vec::len);
        statements(&mut violations, &list, count, BATCH_MAX);
        for (number, one) in self.statements.iter().flatten().enumerate() {
            let place = list.element(number);
            member(
                &mut violations,
                &place,
                one.statement.as_deref(),
                one.parameters.as_ref().map(Vec::len),
                one.return_values_on_condition_check_failure.as_deref(),
            );
        }
        report(&mut violations, self.return_consumed_capacity.as_deref());
        violations.finish()
    }
}

impl TransactionInput {
    /// The model's constraints.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let mut violations = Violations::new();
        let list = Place::of("TransactStatements");
        let count = self.transact_statements.as_ref().map(Vec::len);
        statements(&mut violations, &list, count, TRANSACTION_MAX);
        for (number, one) in self.transact_statements.iter().flatten().enumerate() {
            let place = list.element(number);
            member(
                &mut violations,
                &place,
                one.statement.as_deref(),
                one.parameters.as_ref().map(Vec::len),
                one.return_values_on_condition_check_failure.as_deref(),
            );
        }
        if let Some(token) = &self.client_request_token {
            let at = Place::of("ClientRequestToken");
            violations.length(&at, token, 1, REQUEST_TOKEN_CHARS_MAX);
        }
        report(&mut violations, self.return_consumed_capacity.as_deref());
        violations.finish()
    }
}

fn statements(violations: &mut Violations, at: &Place<'_>, count: Option<usize>, most: usize) {
    violations.required(at, count.as_ref());
    if let Some(count) = count {
        violations.size(at, count, 1, most, || String::from("[]"));
    }
}

fn member(
    violations: &mut Violations,
    place: &Place<'_>,
    text: Option<&str>,
    count: Option<usize>,
    word: Option<&str>,
) {
    statement(violations, &place.member("Statement"), text);
    parameters(violations, &place.member("Parameters"), count);
    let at = place.member("ReturnValuesOnConditionCheckFailure");
    on_failure(violations, &at, word);
}

fn statement(violations: &mut Violations, at: &Place<'_>, text: Option<&str>) {
    violations.required(at, text);
    if let Some(text) = text {
        violations.length(at, text, 1, STATEMENT_CHARS_MAX);
    }
}

fn parameters(violations: &mut Violations, at: &Place<'_>, count: Option<usize>) {
    if let Some(count) = count {
        violations.size(at, count, 1, usize::MAX, || String::from("[]"));
    }
}

fn report(violations: &mut Violations, word: Option<&str>) {
    if let Some(word) = word {
        violations.one_of(&Place::of("ReturnConsumedCapacity"), word, CAPACITY);
    }
}

fn on_failure(violations: &mut Violations, at: &Place<'_>, word: Option<&str>) {
    if let Some(word) = word {
        violations.one_of(at, word, ON_FAILURE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::items::input::read;

    fn refusal(body: &str) -> String {
        let input: ExecuteInput = read(body.as_bytes()).unwrap();
        input.check().unwrap_err().message
    }

    #[test]
    fn a_statement_has_a_length() {
        assert_eq!(
            refusal("{}"),
            "1 validation error detected: Value null at 'statement' failed to satisfy constraint: Member must not be \
             null"
        );
        let long = format!(r#"{{"Statement":"{}"}}"#, "x".repeat(8_193));
        assert!(refusal(&long).ends_with("Member must have length less than or equal to 8192"));
        assert_eq!(
            refusal(r#"{"Statement":"x","Limit":0,"Parameters":[]}"#),
            "2 validation errors detected: Value '[]' at 'parameters' failed to satisfy constraint: Member must have \
             length greater than or equal to 1; Value '0' at 'limit' failed to satisfy constraint: Member must have \
             value greater than or equal to 1"
        );
    }

    #[test]
    fn batches_and_transactions_have_sizes() {
        let batch: BatchInput = read(br#"{"Statements":[]}"#).unwrap();
        assert!(batch.check().unwrap_err().message.contains("'statements'"));
        let members = vec![r#"{"Statement":"x"}"#; 26].join(",");
        let body = format!(r#"{{"Statements":[{members}]}}"#);
        let batch: BatchInput = read(body.as_bytes()).unwrap();
        let message = batch.check().unwrap_err().message;
        assert!(message.ends_with("Member must have length less than or equal to 25"));
        let body = r#"{"TransactStatements":[{}],"ClientRequestToken":""}"#;
        let transaction: TransactionInput = read(body.as_bytes()).unwrap();
        let message = transaction.check().unwrap_err().message;
        assert!(message.starts_with(
            "2 validation errors detected: Value null at 'transactStatements.1.member.statement'"
        ));
    }
}
