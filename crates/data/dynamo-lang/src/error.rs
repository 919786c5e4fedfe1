//! The one way in which a request's text or values can be wrong.

/// Why AWS would refuse the request with `ValidationException`; the message is AWS's, word for word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValidationError {
    /// What the caller reads.
    pub message: String,
}

impl ValidationError {
    /// An error that says `message`.
    #[must_use]
    pub fn new(message: impl Into<String>) -> ValidationError {
        ValidationError {
            message: message.into(),
        }
    }
}
