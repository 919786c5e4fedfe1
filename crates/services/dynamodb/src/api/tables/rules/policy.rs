//! Resource policies, which are kept and not evaluated.

use crate::api::error::ApiError;

const POLICY_BYTES_MAX: usize = 20_480;

/// A policy document: JSON, not too large.
pub(in crate::api::tables) fn policy(text: &str) -> Result<String, ApiError> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(ApiError::invalid(format_args!(
            "Maximum policy size of {POLICY_BYTES_MAX} bytes exceeded"
        )));
    }
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(text);
    if parsed.is_err() {
        return Err(ApiError::invalid(
            "Invalid policy document: This policy contains invalid Json",
        ));
    }
    Ok(text.to_owned())
}
