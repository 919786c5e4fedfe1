//! Tags.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::error::ApiError;
use crate::api::tables::request::TagRequest;

/// Tags of one table.
pub(in crate::api::tables) const TAGS_MAX: usize = 50;
const KEY_LENGTH_MAX: usize = 128;
const VALUE_LENGTH_MAX: usize = 256;

/// The tags by key.
pub(in crate::api::tables) fn tags(
    requests: &[TagRequest<'_>],
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut seen = BTreeSet::new();
    let mut tags = BTreeMap::new();
    for request in requests {
        let key = tag_key(request.key)?;
        let value = request
            .value
            .filter(|value| value.chars().count() <= VALUE_LENGTH_MAX);
        let value = value.ok_or_else(|| {
            let shown = request.value.unwrap_or("null");
            ApiError::validation(format!("The Tag Value provided is invalid, Value: {shown}"))
        })?;
        if key.starts_with("aws:") {
            return Err(ApiError::validation(format!(
                "Tag Key cannot be prefixed with aws:, Key: {key}"
            )));
        }
        if !seen.insert(key) {
            return Err(ApiError::validation(format!(
                "Duplicate Tag Keys provided as input: Duplicate Tag Key found {key}"
            )));
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    if tags.len() > TAGS_MAX {
        return Err(too_many());
    }
    Ok(tags)
}

/// A tag's key.
pub(in crate::api::tables) fn tag_key(key: Option<&str>) -> Result<&str, ApiError> {
    let fits = |key: &&str| (1..=KEY_LENGTH_MAX).contains(&key.chars().count());
    key.filter(fits).ok_or_else(|| {
        let shown = key.unwrap_or("null");
        ApiError::validation(format!("The Tag Key provided is invalid, Key: {shown}"))
    })
}

/// The table would have more tags than it may.
pub(in crate::api::tables) fn too_many() -> ApiError {
    ApiError::validation("Number of Tags exceed the current limit for the provided ResourceArn")
}
