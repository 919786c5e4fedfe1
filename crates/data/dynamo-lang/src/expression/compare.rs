//! What comparisons and functions say of two values.
//!
//! Owns order, containment, prefixes and sizes. Must not know where the values come from.

use std::cmp::Ordering;

use crate::{AttributeValue, Number};

/// Which of two strings, numbers or binaries is greater; `None` for different or unordered types.
pub(crate) fn order(a: &AttributeValue, b: &AttributeValue) -> Option<Ordering> {
    match (a, b) {
        // Rust compares strings by their UTF-8 bytes, as DynamoDB does.
        (AttributeValue::S(a), AttributeValue::S(b)) => Some(a.cmp(b)),
        (AttributeValue::N(a), AttributeValue::N(b)) => Some(a.cmp(b)),
        (AttributeValue::B(a), AttributeValue::B(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whether values of the type have an order.
pub(crate) fn is_ordered(type_name: &str) -> bool {
    matches!(type_name, "S" | "N" | "B")
}

/// Whether `value` begins with `prefix`: both strings or both binaries.
pub(crate) fn begins_with(value: &AttributeValue, prefix: &AttributeValue) -> bool {
    match (value, prefix) {
        (AttributeValue::S(value), AttributeValue::S(prefix)) => value.starts_with(prefix),
        (AttributeValue::B(value), AttributeValue::B(prefix)) => value.starts_with(prefix),
        _ => false,
    }
}

/// Whether `value` has `part`: as a substring, as an element of a set or of a list.
pub(crate) fn contains(value: &AttributeValue, part: &AttributeValue) -> bool {
    match (value, part) {
        (AttributeValue::S(value), AttributeValue::S(part)) => value.contains(part.as_str()),
        (AttributeValue::B(value), AttributeValue::B(part)) => {
            part.is_empty() || value.windows(part.len()).any(|window| window == part)
        }
        (AttributeValue::SS(set), AttributeValue::S(part)) => set.contains(part),
        (AttributeValue::NS(set), AttributeValue::N(part)) => set.contains(part),
        (AttributeValue::BS(set), AttributeValue::B(part)) => set.contains(part),
        (AttributeValue::L(elements), part) => elements.contains(part),
        _ => false,
    }
}

/// What `size` says; `None` for types without a size. Strings are measured as Java does: in UTF-16 units.
pub(crate) fn size(value: &AttributeValue) -> Option<AttributeValue> {
    let size = match value {
        AttributeValue::S(text) => text.encode_utf16().count(),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::SS(set) => set.len(),
        AttributeValue::NS(set) => set.len(),
        AttributeValue::BS(set) => set.len(),
        AttributeValue::L(elements) => elements.len(),
        AttributeValue::M(members) => members.len(),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => return None,
    };
    let number = Number::from_parts(i128::try_from(size).ok()?, 0).ok()?;
    Some(AttributeValue::N(number))
}
