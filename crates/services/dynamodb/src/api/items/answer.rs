//! What operations on items answer.

use serde::Serialize;
use serde_json::{Value, json};

use quorate_dynamo_lang::Item;
use quorate_dynamo_lang::json::ItemRef;

use crate::api::error::ApiError;
use crate::messages::NotWritten;
use crate::routing::RouteError;

/// The body of an answer.
pub(crate) fn body<T: Serialize>(answer: &T) -> Vec<u8> {
    serde_json::to_vec(answer).expect("answers are plain data with string keys")
}

/// An item as a JSON tree, for answers that hold it deep inside.
pub(crate) fn item_value(item: &Item) -> Value {
    serde_json::to_value(ItemRef(item)).expect("items are plain data with string keys")
}

/// A write that the partition refused.
pub(crate) fn refused_write(e: NotWritten, show_old: bool) -> ApiError {
    match e {
        NotWritten::ConditionFailed { old } => {
            let error = ApiError::dynamodb(
                "ConditionalCheckFailedException",
                "The conditional request failed",
            );
            match old.filter(|_| show_old) {
                Some(old) => error.with("Item", item_value(&old)),
                None => error,
            }
        }
        NotWritten::Validation(words) => ApiError::validation(words),
        NotWritten::Conflict => ApiError::dynamodb(
            "TransactionConflictException",
            "Transaction is ongoing for the item",
        ),
        NotWritten::CollectionFull => ApiError::dynamodb(
            "ItemCollectionSizeLimitExceededException",
            "Collection size exceeded.",
        ),
        NotWritten::Failed(why) => ApiError::internal(why),
    }
}

impl From<RouteError> for ApiError {
    fn from(e: RouteError) -> ApiError {
        match e {
            RouteError::Gone => ApiError::no_table(),
            RouteError::Catalog(e) => e.into(),
            RouteError::Invalid(words) => ApiError::validation(words),
            other @ (RouteError::Moved | RouteError::Unavailable(_) | RouteError::Unknown(_)) => {
                ApiError::internal(other.to_string())
            }
        }
    }
}

/// `ItemCollectionMetrics`: the key, and the range of whole gigabytes that the size lies in.
pub(crate) fn collection_metrics(hash_key: &Item, bytes: u64) -> Value {
    const GIGABYTE: u64 = 1 << 30;
    let lower = bytes / GIGABYTE;
    json!({
        "ItemCollectionKey": item_value(hash_key),
        "SizeEstimateRangeGB": [float(lower), float(lower + 1)],
    })
}

fn float(whole: u64) -> f64 {
    // Collections end at ten gigabytes.
    #[allow(clippy::cast_precision_loss)]
    let float = whole as f64;
    float
}
