//! How many bytes an item counts for, in limits and in capacity.
//!
//! The rules are those of "DynamoDB item sizes and formats" in AWS's developer guide. Pure.

use crate::number::Number;
use crate::value::{AttributeValue, Item};

/// The most that one item may count for: 400 KB.
pub const ITEM_BYTES_MAX: usize = 409_600;
/// What a list or a map counts for, besides what is in it.
const DOCUMENT_BYTES: usize = 3;
/// What each element of a list or a map adds to its own bytes.
const ELEMENT_BYTES: usize = 1;

/// The item's size: its attributes' names in UTF-8, and their values.
#[must_use]
pub fn item_bytes(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value_bytes(value))
        .sum()
}

/// The size of one value, without a name.
#[must_use]
pub fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(number),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::SS(set) => set.iter().map(String::len).sum(),
        AttributeValue::NS(set) => set.iter().map(number_bytes).sum(),
        AttributeValue::BS(set) => set.iter().map(Vec::len).sum(),
        AttributeValue::Bool(_) | AttributeValue::Null => 1,
        AttributeValue::L(list) => {
            let elements = list.iter().map(|v| ELEMENT_BYTES + value_bytes(v));
            DOCUMENT_BYTES + elements.sum::<usize>()
        }
        AttributeValue::M(fields) => {
            let elements = fields
                .iter()
                .map(|(name, v)| ELEMENT_BYTES + name.len() + value_bytes(v));
            DOCUMENT_BYTES + elements.sum::<usize>()
        }
    }
}

/// A byte for each two significant digits before the point, and for each two behind it, rounded up on either side; one
/// more, and one for a minus. The guide says it less exactly: measured to the byte at AWS's limit for items
/// (`dynamodb-conformance`, `numberByteSize`, August 2026).
fn number_bytes(number: &Number) -> usize {
    let digits = number.digits();
    let Some(log) = digits.unsigned_abs().checked_ilog10() else {
        return 1;
    };
    let count = log as usize + 1;
    let behind_point = usize::from(number.exponent().min(0).unsigned_abs()).min(count);
    let before_point = count - behind_point;
    1 + before_point.div_ceil(2) + behind_point.div_ceil(2) + usize::from(digits < 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read_item;

    fn size(json: &str) -> usize {
        item_bytes(&read_item(json.as_bytes()).unwrap())
    }

    #[test]
    fn names_and_values_count_by_their_bytes() {
        assert_eq!(size(r#"{"id":{"S":"abc"}}"#), 5);
        assert_eq!(size(r#"{"é":{"S":"ü"}}"#), 4);
        assert_eq!(size(r#"{"b":{"B":"AQID"}}"#), 4);
        assert_eq!(size(r#"{"t":{"BOOL":true},"n":{"NULL":true}}"#), 4);
        assert_eq!(size(r#"{"s":{"SS":["a","bc"]}}"#), 4);
    }

    #[test]
    fn numbers_count_by_their_significant_digits() {
        for (number, bytes) in [
            ("0", 1),
            ("1", 2),
            ("100", 2),
            ("12", 2),
            ("123", 3),
            ("-123", 4),
            ("12345", 4),
            ("0.001", 2),
            ("0042", 2),
            ("1010", 3),
            ("0.0000001", 2),
            ("1E125", 2),
            ("1E-100", 2),
            ("1.5", 3),
            ("15", 2),
            ("1.200", 3),
            ("1.234", 4),
            ("3.14159", 5),
            ("123456", 4),
            ("-1.5", 4),
            ("99999999999999999999999999999999999999", 20),
            ("-99999999999999999999999999999999999999", 21),
        ] {
            let json = format!(r#"{{"n":{{"N":"{number}"}}}}"#);
            assert_eq!(size(&json), 1 + bytes, "{number}");
        }
    }

    #[test]
    fn documents_count_for_three_and_each_element_for_one() {
        assert_eq!(size(r#"{"l":{"L":[]}}"#), 4);
        assert_eq!(size(r#"{"l":{"L":[{"S":"xy"}]}}"#), 7);
        assert_eq!(size(r#"{"m":{"M":{"k":{"S":"xy"}}}}"#), 8);
    }
}
