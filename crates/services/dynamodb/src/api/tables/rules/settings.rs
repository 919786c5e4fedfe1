//! Class, encryption and streams.

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::tables::request::{SseRequest, StreamRequest};
use crate::model::TableClass;

/// `TableClass`, which AWS checks in words of its own.
pub(in crate::api::tables) fn table_class(text: &str) -> Result<TableClass, ApiError> {
    match text {
        "STANDARD" => Ok(TableClass::Standard),
        "STANDARD_INFREQUENT_ACCESS" => Ok(TableClass::InfrequentAccess),
        _ => Err(ApiError::validation(
            "Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, \
             STANDARD_INFREQUENT_ACCESS].",
        )),
    }
}

/// The ARN of the key that the table is to be encrypted with; `None` where encryption is not asked for.
pub(in crate::api::tables) fn sse(
    context: &Context<'_>,
    request: &SseRequest<'_>,
) -> Result<Option<String>, ApiError> {
    if !request.enabled.unwrap_or(false) {
        if request.kind.is_some() {
            return Err(ApiError::invalid(
                "SSEType can not be specified if Enabled is false",
            ));
        }
        if request.key.is_some() {
            return Err(ApiError::invalid(
                "KMSMasterKeyId can not be specified if Enabled is false",
            ));
        }
        return Ok(None);
    }
    match (request.kind, request.key) {
        (Some("AES256"), _) => Err(ApiError::invalid("SSEType AES256 is not supported")),
        (None, Some(_)) => Err(ApiError::invalid(
            "SSEType KMS is required if KMSMasterKeyId is specified",
        )),
        (_, key) => Ok(Some(key_arn(context, key.unwrap_or("alias/aws/dynamodb")))),
    }
}

/// The ARN of a key that is named by ARN, alias or id.
fn key_arn(context: &Context<'_>, key: &str) -> String {
    if key.starts_with("arn:") {
        key.to_owned()
    } else if key.starts_with("alias/") {
        context.arn("kms", key.to_owned())
    } else {
        context.arn("kms", format!("key/{key}"))
    }
}

/// `StreamSpecification` of a table that is being created: no stream, said in a way that makes sense.
pub(in crate::api::tables) fn stream_at_creation(
    request: &StreamRequest<'_>,
) -> Result<(), ApiError> {
    match (request.enabled.unwrap_or(false), request.view) {
        (true, None) => Err(ApiError::invalid(
            "Table is being created with a stream enabled, UpdateViewType is required",
        )),
        (false, Some(_)) => Err(ApiError::invalid(
            "Table is being created with a stream disabled, UpdateViewType should not be specified",
        )),
        (true, Some(_)) => Err(no_streams()),
        (false, None) => Ok(()),
    }
}

/// Streams are refused rather than silently left out.
pub(in crate::api::tables) fn no_streams() -> ApiError {
    ApiError::invalid("This region does not offer streams: StreamEnabled must be false")
}
