//! Errors that come before any service: signatures, sizes, malformed requests.

use http::StatusCode;

/// Why the front door refused a request. The codes and status are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct FrontDoorError {
    /// HTTP status.
    pub status: StatusCode,
    /// AWS's code, as in `SignatureDoesNotMatch`.
    pub code: &'static str,
    /// AWS's sentence, or ours where AWS has none.
    pub message: String,
}
