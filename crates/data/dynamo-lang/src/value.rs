//! Attribute values in all ten types.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::number::Number;

/// An item: attributes by name.
pub type Item = BTreeMap<String, AttributeValue>;

/// The types that a key can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ScalarType {
    /// A string.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

/// A value. Sets are held in order, so that equal sets are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AttributeValue {
    /// A string; compared by its UTF-8 bytes.
    S(String),
    /// A number, exact to 38 digits.
    N(Number),
    /// Bytes, compared as unsigned.
    B(Vec<u8>),
    /// A set of strings, not empty.
    SS(BTreeSet<String>),
    /// A set of numbers, not empty.
    NS(BTreeSet<Number>),
    /// A set of byte strings, not empty.
    BS(BTreeSet<Vec<u8>>),
    /// A truth value.
    Bool(bool),
    /// Null.
    Null,
    /// A list.
    L(Vec<AttributeValue>),
    /// A map.
    M(BTreeMap<String, AttributeValue>),
}

impl AttributeValue {
    /// The type's name on the wire, as in `NS`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            AttributeValue::S(_) => "S",
            AttributeValue::N(_) => "N",
            AttributeValue::B(_) => "B",
            AttributeValue::SS(_) => "SS",
            AttributeValue::NS(_) => "NS",
            AttributeValue::BS(_) => "BS",
            AttributeValue::Bool(_) => "BOOL",
            AttributeValue::Null => "NULL",
            AttributeValue::L(_) => "L",
            AttributeValue::M(_) => "M",
        }
    }
}
