//! The errors of the API, with AWS's codes: the one place where a failure becomes an answer.

use http::StatusCode;
use serde_json::{Map, Value, json};

use quorate_control::CatalogError;
use quorate_dynamo_lang::ValidationError;

/// The namespace of DynamoDB's own errors.
const DYNAMODB: &str = "com.amazonaws.dynamodb.v20120810#";
/// The namespace of errors that every service has.
const CORAL: &str = "com.amazon.coral.service#";
/// The namespace of `ValidationException`.
const VALIDATE: &str = "com.amazon.coral.validate#";

/// An error as the caller reads it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    namespace: &'static str,
    /// AWS's code, as in `ResourceNotFoundException`.
    pub code: &'static str,
    /// AWS's sentence.
    pub message: String,
    /// Further members of the answer, as `CancellationReasons` and `Item`.
    pub members: Map<String, Value>,
}

impl ApiError {
    fn of(namespace: &'static str, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            namespace,
            code,
            message: message.into(),
            members: Map::new(),
        }
    }

    /// One of DynamoDB's own errors, status 400.
    pub(crate) fn dynamodb(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::of(DYNAMODB, code, message)
    }

    /// `ValidationException`.
    pub(crate) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::of(VALIDATE, "ValidationException", message)
    }

    /// `SerializationException`: the body does not have the operation's shape.
    pub(crate) fn serialization(message: impl Into<String>) -> ApiError {
        ApiError::of(CORAL, "SerializationException", message)
    }

    /// A body that is larger than 16 MB once it is unpacked.
    pub(crate) fn too_large() -> ApiError {
        ApiError {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..ApiError::of(
                CORAL,
                "RequestEntityTooLarge",
                "The request's body is too large",
            )
        }
    }

    /// `UnknownOperationException`.
    pub(crate) fn unknown_operation() -> ApiError {
        ApiError::of(CORAL, "UnknownOperationException", "")
    }

    /// `ThrottlingException`: a maximum that was set for a table on demand.
    pub(crate) fn throttling(message: impl Into<String>) -> ApiError {
        ApiError::of(CORAL, "ThrottlingException", message)
    }

    /// `ResourceNotFoundException` of an operation on items.
    pub(crate) fn no_table() -> ApiError {
        ApiError::dynamodb("ResourceNotFoundException", "Requested resource not found")
    }

    /// `ResourceNotFoundException` of an operation on tables.
    pub(crate) fn table_not_found(name: &str) -> ApiError {
        ApiError::dynamodb(
            "ResourceNotFoundException",
            format!("Requested resource not found: Table: {name} not found"),
        )
    }

    /// `ResourceInUseException`: the table or its index is busy with `what`.
    pub(crate) fn in_use(what: impl std::fmt::Display) -> ApiError {
        ApiError::dynamodb(
            "ResourceInUseException",
            format!("Attempt to change a resource which is still in use: {what}"),
        )
    }

    /// `ValidationException` about what parameters mean together.
    pub(crate) fn invalid(what: impl std::fmt::Display) -> ApiError {
        ApiError::validation(format!("One or more parameter values were invalid: {what}"))
    }

    /// `InternalServerError`, which SDKs try again: the partition has no quorum, or it is not known what became of the request.
    pub(crate) fn internal(message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..ApiError::dynamodb("InternalServerError", message)
        }
    }

    /// Adds a member to the answer.
    pub(crate) fn with(mut self, name: &str, value: Value) -> ApiError {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// The answer's body.
    pub(crate) fn body(&self) -> Value {
        let mut body = self.members.clone();
        body.insert(
            String::from("__type"),
            json!(format!("{}{}", self.namespace, self.code)),
        );
        if !self.message.is_empty() {
            // AWS spells the member with a capital in these.
            let capital = ["TransactionCanceledException", "SerializationException"];
            let name = if capital.contains(&self.code) {
                "Message"
            } else {
                "message"
            };
            body.insert(name.to_owned(), json!(self.message));
        }
        Value::Object(body)
    }
}

impl From<ValidationError> for ApiError {
    fn from(e: ValidationError) -> ApiError {
        ApiError::validation(e.message)
    }
}

impl From<CatalogError> for ApiError {
    fn from(e: CatalogError) -> ApiError {
        match e {
            CatalogError::Conflict { key } => ApiError::dynamodb(
                "ResourceInUseException",
                format!("Another request is changing {key}; try again."),
            ),
            CatalogError::Unavailable(why) => {
                ApiError::internal(format!("The region's catalog has no quorum: {why}"))
            }
            CatalogError::Unreadable { .. } => ApiError::internal(e.to_string()),
        }
    }
}
