//! Attribute values on the wire: DynamoDB's JSON, `{"S":"x"}`, read and written without a tree in between.
//!
//! Owns what AWS says about a malformed value. Must not know which request a value stands in: a request is a serde
//! struct with [`WireValue`], [`WireItem`] and [`WireValues`] in it, and its error goes through [`JsonError::from`].

mod read;
mod sets;
#[cfg(test)]
mod tests;
mod write;

use serde::de;

use crate::error::ValidationError;
use crate::value::{AttributeValue, Item};

/// Levels that a value may have: a scalar has one, each list or map around it adds one.
pub const NESTING_MAX: usize = 32;

/// Marks, in the text of a serde error, words that are AWS's and of a `ValidationException`.
const VALIDATION: char = '\u{1}';
/// The same for a `SerializationException`.
const SERIALIZATION: char = '\u{2}';

/// Why JSON is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The value's shape is wrong: AWS answers `SerializationException` with these words.
    #[error("{0}")]
    Serialization(String),
    /// AWS answers `ValidationException`.
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// No JSON, or not the shape of the request; the text is serde's and for the log: AWS says nothing.
    #[error("{0}")]
    Syntax(String),
}

impl From<serde_json::Error> for JsonError {
    /// Finds AWS's words in an error of serde.
    fn from(error: serde_json::Error) -> JsonError {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let text = text.strip_suffix(&place).unwrap_or(&text);
        if let Some(words) = text.strip_prefix(VALIDATION) {
            JsonError::Validation(ValidationError::new(words))
        } else if let Some(words) = text.strip_prefix(SERIALIZATION) {
            JsonError::Serialization(words.to_owned())
        } else {
            JsonError::Syntax(text.to_owned())
        }
    }
}

fn validation<E: de::Error>(words: &str) -> E {
    E::custom(format_args!("{VALIDATION}{words}"))
}

fn serialization<E: de::Error>(words: &str) -> E {
    E::custom(format_args!("{SERIALIZATION}{words}"))
}

/// One attribute value from JSON.
///
/// # Errors
/// When it is malformed, with AWS's words.
pub fn read_value(json: &[u8]) -> Result<AttributeValue, JsonError> {
    let WireValue(value) = serde_json::from_slice(json)?;
    Ok(value)
}

/// An item from JSON.
///
/// # Errors
/// As `read_value`.
pub fn read_item(json: &[u8]) -> Result<Item, JsonError> {
    let WireItem(item) = serde_json::from_slice(json)?;
    Ok(item)
}

/// Appends the value's JSON to `out`.
pub fn write_value(value: &AttributeValue, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &ValueRef(value)).expect("memory takes every value");
}

/// Appends the item's JSON to `out`.
pub fn write_item(item: &Item, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &ItemRef(item)).expect("memory takes every item");
}

/// An attribute value in its JSON form, as a field of a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireValue(pub AttributeValue);

/// An item in its JSON form, as a field of a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WireItem(pub Item);

/// `ExpressionAttributeValues`: values under placeholders, whose syntax is not looked at here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WireValues(pub Item);

/// A borrowed value that serialises to its JSON form.
#[derive(Debug, Clone, Copy)]
pub struct ValueRef<'a>(pub &'a AttributeValue);

/// A borrowed item that serialises to its JSON form.
#[derive(Debug, Clone, Copy)]
pub struct ItemRef<'a>(pub &'a Item);
