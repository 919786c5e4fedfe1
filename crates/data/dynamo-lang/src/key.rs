//! What the attributes of a key are, and what AWS says about an item or a key that does not fit.
//!
//! Pure: which table a schema belongs to is not known here.

use serde::{Deserialize, Serialize};

use crate::error::ValidationError;
use crate::key_codec;
use crate::value::{AttributeValue, Item, ScalarType};

/// The most bytes that the hash part of a key can have.
pub const HASH_KEY_BYTES_MAX: usize = 2_048;
/// The most bytes that the range part of a key can have.
pub const RANGE_KEY_BYTES_MAX: usize = 1_024;

/// The key attributes, in order. A table has one hash attribute and at most one range attribute; a global index up to
/// four of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySchema {
    /// Attributes that decide where an item lives.
    pub hash: Vec<(String, ScalarType)>,
    /// Attributes that order the items of one hash key.
    pub range: Vec<(String, ScalarType)>,
}

/// A key's order-preserving bytes; see [`key_codec`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncodedKey {
    /// The hash attributes, one after the other.
    pub hash: Vec<u8>,
    /// The range attributes, one after the other; empty without any.
    pub range: Vec<u8>,
}

impl ScalarType {
    /// The type's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ScalarType::S => "S",
            ScalarType::N => "N",
            ScalarType::B => "B",
        }
    }

    /// Whether `value` is of this type.
    #[must_use]
    pub fn matches(self, value: &AttributeValue) -> bool {
        matches!(
            (self, value),
            (ScalarType::S, AttributeValue::S(_))
                | (ScalarType::N, AttributeValue::N(_))
                | (ScalarType::B, AttributeValue::B(_))
        )
    }
}

impl KeySchema {
    /// The schema of a table.
    #[must_use]
    pub fn of(hash: (&str, ScalarType), range: Option<(&str, ScalarType)>) -> KeySchema {
        let owned = |(name, kind): (&str, ScalarType)| (name.to_owned(), kind);
        KeySchema {
            hash: vec![owned(hash)],
            range: range.map(owned).into_iter().collect(),
        }
    }

    /// All key attributes, hash before range.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, ScalarType)> {
        self.hash
            .iter()
            .chain(&self.range)
            .map(|(name, kind)| (name.as_str(), *kind))
    }

    /// Whether the attribute is part of the key.
    #[must_use]
    pub fn contains(&self, attribute: &str) -> bool {
        self.attributes().any(|(name, _)| name == attribute)
    }

    /// The key attributes that the item has.
    #[must_use]
    pub fn key_of(&self, item: &Item) -> Item {
        self.attributes()
            .filter_map(|(name, _)| item.get_key_value(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The bytes of the item's key; nothing when an attribute is absent or of another type.
    #[must_use]
    pub fn encode(&self, item: &Item) -> Option<EncodedKey> {
        let encode = |attributes: &[(String, ScalarType)]| {
            let mut bytes = Vec::with_capacity(32);
            for (name, kind) in attributes {
                let value = item.get(name).filter(|v| kind.matches(v))?;
                key_codec::encode_into(value, &mut bytes);
            }
            Some(bytes)
        };
        Some(EncodedKey {
            hash: encode(&self.hash)?,
            range: encode(&self.range)?,
        })
    }

    /// Checks a key as a request gives it: exactly the key attributes.
    ///
    /// # Errors
    /// In AWS's words.
    pub fn check_key(&self, key: &Item) -> Result<(), ValidationError> {
        let fits =
            |(name, kind): (&str, ScalarType)| key.get(name).is_some_and(|v| kind.matches(v));
        if key.len() != self.hash.len() + self.range.len() || !self.attributes().all(fits) {
            return Err(ValidationError::new(
                "The provided key element does not match the schema",
            ));
        }
        self.check_contents(key)
    }

    /// Checks the key attributes within a whole item.
    ///
    /// # Errors
    /// In AWS's words.
    pub fn check_item(&self, item: &Item) -> Result<(), ValidationError> {
        for (name, kind) in self.attributes() {
            let Some(value) = item.get(name) else {
                return Err(ValidationError::new(format!(
                    "One or more parameter values were invalid: Missing the key {name} in the item"
                )));
            };
            if !kind.matches(value) {
                return Err(ValidationError::new(format!(
                    "One or more parameter values were invalid: Type mismatch for key {name} expected: {} actual: {}",
                    kind.name(),
                    value.type_name()
                )));
            }
        }
        self.check_contents(item)
    }

    /// Checks this schema as that of the index `index`: what the item has of it must fit, and it need not have all.
    ///
    /// # Errors
    /// In AWS's words.
    pub fn check_indexed(&self, index: &str, item: &Item) -> Result<(), ValidationError> {
        for (name, kind) in self.attributes() {
            let Some(value) = item.get(name) else {
                continue;
            };
            if !kind.matches(value) {
                return Err(ValidationError::new(format!(
                    "One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {} \
                     Actual: {} IndexName: {index}",
                    kind.name(),
                    value.type_name()
                )));
            }
            if let Some(empty) = empty_kind(value) {
                return Err(ValidationError::new(format!(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not \
                     supported. The AttributeValue for a key attribute cannot contain an empty {empty} value. \
                     IndexName: {index}, IndexKey: {name}"
                )));
            }
        }
        self.check_sizes(item)
    }

    fn check_contents(&self, item: &Item) -> Result<(), ValidationError> {
        for (name, _) in self.attributes() {
            if let Some(empty) = item.get(name).and_then(empty_kind) {
                return Err(ValidationError::new(format!(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
                     contain an empty {empty} value. Key: {name}"
                )));
            }
        }
        self.check_sizes(item)
    }

    fn check_sizes(&self, item: &Item) -> Result<(), ValidationError> {
        let bytes = |attributes: &[(String, ScalarType)]| -> usize {
            attributes
                .iter()
                .filter_map(|(name, _)| item.get(name))
                .map(limited_bytes)
                .sum()
        };
        if bytes(&self.hash) > HASH_KEY_BYTES_MAX {
            // The words run together at AWS too.
            return Err(ValidationError::new(format!(
                "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit \
                 of{HASH_KEY_BYTES_MAX} bytes"
            )));
        }
        if bytes(&self.range) > RANGE_KEY_BYTES_MAX {
            return Err(ValidationError::new(format!(
                "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size \
                 limit of {RANGE_KEY_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}

/// Which kind of empty value this is, if it is one.
fn empty_kind(value: &AttributeValue) -> Option<&'static str> {
    match value {
        AttributeValue::S(text) if text.is_empty() => Some("string"),
        AttributeValue::B(bytes) if bytes.is_empty() => Some("binary"),
        _ => None,
    }
}

/// What a key attribute counts for in its limit; numbers always fit.
fn limited_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read_item;

    fn schema() -> KeySchema {
        KeySchema::of(("pk", ScalarType::S), Some(("sk", ScalarType::B)))
    }

    fn item(json: &str) -> Item {
        read_item(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_key_has_exactly_the_key_attributes() {
        let message = |json: &str| schema().check_key(&item(json)).unwrap_err().message;
        let mismatch = "The provided key element does not match the schema";
        for json in [
            "{}",
            r#"{"pk":{"S":"a"}}"#,
            r#"{"pk":{"S":"a"},"sk":{"S":"a"}}"#,
            r#"{"pk":{"S":"a"},"sk":{"B":"AQ=="},"x":{"S":"a"}}"#,
        ] {
            assert_eq!(message(json), mismatch);
        }
        assert_eq!(
            message(r#"{"pk":{"S":""},"sk":{"B":"AQ=="}}"#),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty string value. Key: pk"
        );
        let fine = item(r#"{"pk":{"S":"a"},"sk":{"B":"AQ=="}}"#);
        assert_eq!(schema().check_key(&fine), Ok(()));
    }

    #[test]
    fn an_items_key_is_there_and_of_its_type() {
        let message = |json: &str| schema().check_item(&item(json)).unwrap_err().message;
        assert_eq!(
            message(r#"{"sk":{"B":"AQ=="}}"#),
            "One or more parameter values were invalid: Missing the key pk in the item"
        );
        assert_eq!(
            message(r#"{"pk":{"N":"1"},"sk":{"B":"AQ=="}}"#),
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N"
        );
        assert_eq!(
            message(r#"{"pk":{"S":"a"},"sk":{"B":""}}"#),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty binary value. Key: sk"
        );
    }

    #[test]
    fn the_limits_are_inclusive() {
        let sized = |hash: usize, range: usize| {
            let sized = Item::from([
                (String::from("pk"), AttributeValue::S("a".repeat(hash))),
                (String::from("sk"), AttributeValue::B(vec![1; range])),
            ]);
            schema().check_item(&sized).map_err(|e| e.message)
        };
        assert_eq!(sized(2_048, 1_024), Ok(()));
        assert_eq!(
            sized(2_049, 1).unwrap_err(),
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"
        );
        assert_eq!(
            sized(1, 1_025).unwrap_err(),
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit \
             of 1024 bytes"
        );
    }

    #[test]
    fn an_index_key_may_be_absent_and_not_of_another_type() {
        let check = |json: &str| schema().check_indexed("i", &item(json));
        assert_eq!(check("{}"), Ok(()));
        assert_eq!(
            check(r#"{"sk":{"N":"1"}}"#).unwrap_err().message,
            "One or more parameter values were invalid: Type mismatch for Index Key sk Expected: B Actual: N \
             IndexName: i"
        );
        assert_eq!(
            check(r#"{"pk":{"S":""}}"#).unwrap_err().message,
            "One or more parameter values are not valid. A value specified for a secondary index key is not \
             supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: i, \
             IndexKey: pk"
        );
    }
}
