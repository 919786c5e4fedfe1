//! The bodies of requests about items, as they come.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use quorate_dynamo_lang::json::{JsonError, WireItem, WireValue, WireValues};

use crate::api::error::ApiError;
use crate::api::items::integer::integer;

/// `ExpressionAttributeNames`.
pub(crate) type Names = Option<BTreeMap<String, String>>;

/// Reads a body.
///
/// # Errors
/// `SerializationException` when it has not the operation's shape, `ValidationException` for a value that is none.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // A list would pass for a structure's members in their order.
    if body.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ApiError::serialization(""));
    }
    serde_json::from_slice(body).map_err(|e| match JsonError::from(e) {
        JsonError::Validation(e) => e.into(),
        JsonError::Serialization(words) => ApiError::serialization(words),
        JsonError::Syntax(text) => ApiError::serialization(shape_words(&text)),
    })
}

/// What AWS says of a member with a wrong type, from what serde says; nothing of what is not JSON.
fn shape_words(text: &str) -> String {
    let told = text.strip_prefix("invalid type: ");
    let Some((found, expected)) = told.and_then(|told| told.split_once(", expected ")) else {
        return String::new();
    };
    let kind = found.split(' ').next().unwrap_or_default();
    let class = match expected {
        "a string" => "String",
        "a boolean" => "Boolean",
        "i64" => "Integer",
        _ => return structure_words(kind, expected).to_owned(),
    };
    let token = match kind {
        "map" => return String::from("Start of structure or map found where not expected"),
        "sequence" => return format!("Unrecognized collection type class java.lang.{class}"),
        "string" if class == "Boolean" => {
            return String::from("Unexpected token received from parser");
        }
        "string" => "STRING_VALUE",
        "boolean" if found.contains("true") => "TRUE_VALUE",
        "boolean" => "FALSE_VALUE",
        "floating" => "DECIMAL_VALUE",
        _ => "NUMBER_VALUE",
    };
    format!("{token} cannot be converted to {class}")
}

fn structure_words(found: &str, expected: &str) -> &'static str {
    match (found, expected) {
        ("map", "a sequence") => "Start of structure or map found where not expected",
        (_, "a sequence" | "a map") => "Unexpected field type",
        _ => "Unexpected value type in payload",
    }
}

/// One entry of `Expected`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExpectedInput {
    pub(crate) value: Option<WireValue>,
    pub(crate) exists: Option<bool>,
    pub(crate) comparison_operator: Option<String>,
    pub(crate) attribute_value_list: Option<Vec<WireValue>>,
}

/// One entry of `KeyConditions`, `QueryFilter` or `ScanFilter`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConditionInput {
    pub(crate) comparison_operator: Option<String>,
    pub(crate) attribute_value_list: Option<Vec<WireValue>>,
}

/// One entry of `AttributeUpdates`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributeUpdateInput {
    pub(crate) action: Option<String>,
    pub(crate) value: Option<WireValue>,
}

/// `PutItem`, `DeleteItem`, `UpdateItem`: what the three have in common is spelled the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WriteInput {
    pub(crate) table_name: Option<String>,
    /// `PutItem` only.
    pub(crate) item: Option<WireItem>,
    /// `DeleteItem` and `UpdateItem`.
    pub(crate) key: Option<WireItem>,
    pub(crate) attribute_updates: Option<BTreeMap<String, AttributeUpdateInput>>,
    pub(crate) expected: Option<BTreeMap<String, ExpectedInput>>,
    pub(crate) conditional_operator: Option<String>,
    pub(crate) condition_expression: Option<String>,
    pub(crate) update_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Option<WireValues>,
    pub(crate) return_values: Option<String>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
    pub(crate) return_values_on_condition_check_failure: Option<String>,
}

/// `GetItem`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetInput {
    pub(crate) table_name: Option<String>,
    pub(crate) key: Option<WireItem>,
    pub(crate) attributes_to_get: Option<Vec<String>>,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) return_consumed_capacity: Option<String>,
}

/// `Query` and `Scan`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SearchInput {
    pub(crate) table_name: Option<String>,
    pub(crate) index_name: Option<String>,
    pub(crate) select: Option<String>,
    pub(crate) attributes_to_get: Option<Vec<String>>,
    #[serde(default, deserialize_with = "integer")]
    pub(crate) limit: Option<i64>,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) key_conditions: Option<BTreeMap<String, ConditionInput>>,
    pub(crate) query_filter: Option<BTreeMap<String, ConditionInput>>,
    pub(crate) scan_filter: Option<BTreeMap<String, ConditionInput>>,
    pub(crate) conditional_operator: Option<String>,
    pub(crate) scan_index_forward: Option<bool>,
    pub(crate) exclusive_start_key: Option<WireItem>,
    #[serde(default, deserialize_with = "integer")]
    pub(crate) total_segments: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    pub(crate) segment: Option<i64>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) filter_expression: Option<String>,
    pub(crate) key_condition_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
    pub(crate) expression_attribute_values: Option<WireValues>,
}

/// One table's part of `BatchGetItem`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeysInput {
    pub(crate) keys: Option<Vec<WireItem>>,
    pub(crate) attributes_to_get: Option<Vec<String>>,
    pub(crate) consistent_read: Option<bool>,
    pub(crate) projection_expression: Option<String>,
    pub(crate) expression_attribute_names: Names,
}

/// `BatchGetItem`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchGetInput {
    pub(crate) request_items: Option<BTreeMap<String, KeysInput>>,
    pub(crate) return_consumed_capacity: Option<String>,
}

/// A put or a delete of `BatchWriteItem`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WriteRequestInput {
    pub(crate) put_request: Option<PutRequestInput>,
    pub(crate) delete_request: Option<DeleteRequestInput>,
}

/// `PutRequest`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRequestInput {
    pub(crate) item: Option<WireItem>,
}

/// `DeleteRequest`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteRequestInput {
    pub(crate) key: Option<WireItem>,
}

/// `BatchWriteItem`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchWriteInput {
    pub(crate) request_items: Option<BTreeMap<String, Vec<WriteRequestInput>>>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
}

/// One action of `TransactWriteItems`: exactly one member is set.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransactWriteItemInput {
    pub(crate) condition_check: Option<WriteInput>,
    pub(crate) put: Option<WriteInput>,
    pub(crate) delete: Option<WriteInput>,
    pub(crate) update: Option<WriteInput>,
}

/// `TransactWriteItems`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransactWriteInput {
    pub(crate) transact_items: Option<Vec<TransactWriteItemInput>>,
    pub(crate) return_consumed_capacity: Option<String>,
    pub(crate) return_item_collection_metrics: Option<String>,
    pub(crate) client_request_token: Option<String>,
}

/// One action of `TransactGetItems`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransactGetItemInput {
    pub(crate) get: Option<GetInput>,
}

/// `TransactGetItems`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransactGetInput {
    pub(crate) transact_items: Option<Vec<TransactGetItemInput>>,
    pub(crate) return_consumed_capacity: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (&'static str, String) {
        let e = read::<WriteInput>(body.as_bytes()).unwrap_err();
        (e.code, e.message)
    }

    #[test]
    fn a_member_of_a_wrong_type_is_named_as_aws_does() {
        assert_eq!(
            refusal(r#"{"TableName":1}"#),
            (
                "SerializationException",
                String::from("NUMBER_VALUE cannot be converted to String")
            )
        );
        assert_eq!(
            refusal(r#"{"ExpressionAttributeNames":{"a":false}}"#).1,
            "FALSE_VALUE cannot be converted to String"
        );
        assert_eq!(
            refusal(r#"{"TableName":{}}"#).1,
            "Start of structure or map found where not expected"
        );
        assert_eq!(
            refusal(r#"{"TableName":[]}"#).1,
            "Unrecognized collection type class java.lang.String"
        );
        assert_eq!(
            refusal(r#"{"Expected":{"a":1}}"#).1,
            "Unexpected value type in payload"
        );
        assert_eq!(refusal("{").0, "SerializationException");
        assert_eq!(refusal("[]").0, "SerializationException");
        assert_eq!(refusal(r#"{"Item":[]}"#).0, "SerializationException");
    }
}
