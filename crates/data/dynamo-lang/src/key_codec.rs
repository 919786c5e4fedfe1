//! Key values as bytes that sort as the values do and tell where they end.
//!
//! ```text
//! S, B   each 00 as 00 FF, then 00 00
//! N      tag (negative 01, zero 02, positive 03), and but for zero:
//!        exponent of the first digit + 130, the digits in pairs as 2p+1, the last pair as 2p
//!        (a negative number: all after the tag inverted)
//! ```
//!
//! So the bytes of several values, one after the other, sort as the row of values does.

use crate::number::Number;
use crate::value::{AttributeValue, ScalarType};

const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;
/// Added to the exponent of the first digit, which then fits one byte: -130 is 0, 125 is 255.
const BIAS: i32 = 130;
/// Pairs of digits in the longest number.
const PAIRS_MAX: usize = 19;

/// Why bytes are no key value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("damaged key")]
pub struct DamagedKey;

/// Where in the hash space a hash key lives: XXH3 with 64 bits over its encoded bytes.
#[must_use]
pub fn hash_position(hash_key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(hash_key)
}

/// Appends the bytes of a string, number or byte string; of another type nothing.
pub fn encode_into(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => encode_bytes(text.as_bytes(), out),
        AttributeValue::B(bytes) => encode_bytes(bytes, out),
        AttributeValue::N(number) => encode_number(number, out),
        _ => {}
    }
}

/// The bytes that every encoded string or byte string with this prefix starts with, and no other.
#[must_use]
pub fn encode_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(prefix.len());
    escape(prefix, &mut out);
    out
}

/// Reads one value from the front of `bytes`, and moves `bytes` behind it.
///
/// # Errors
/// When there is none of that type.
pub fn decode(kind: ScalarType, bytes: &mut &[u8]) -> Result<AttributeValue, DamagedKey> {
    Ok(match kind {
        ScalarType::S => {
            AttributeValue::S(String::from_utf8(decode_bytes(bytes)?).map_err(|_| DamagedKey)?)
        }
        ScalarType::B => AttributeValue::B(decode_bytes(bytes)?),
        ScalarType::N => AttributeValue::N(decode_number(bytes)?),
    })
}

/// The first bytes that sort after everything that starts with `prefix`; nothing when there are none.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(u8::MAX);
        }
    }
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out);
    out.extend_from_slice(&[0, 0]);
}

fn decode_bytes(bytes: &mut &[u8]) -> Result<Vec<u8>, DamagedKey> {
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(0), Some(0)) => {
                *bytes = &bytes[at + 2..];
                return Ok(value);
            }
            (Some(0), Some(&u8::MAX)) => {
                value.push(0);
                at += 2;
            }
            (Some(byte), _) if *byte != 0 => {
                value.push(*byte);
                at += 1;
            }
            _ => return Err(DamagedKey),
        }
    }
}

fn encode_number(number: &Number, out: &mut Vec<u8>) {
    let digits = number.digits();
    if digits == 0 {
        return out.push(ZERO);
    }
    let negative = digits < 0;
    let mask = if negative { u8::MAX } else { 0 };
    out.push(if negative { NEGATIVE } else { POSITIVE });
    let biased = u8::try_from(number.magnitude() + BIAS).expect("a number is in its range");
    out.push(biased ^ mask);
    let (pairs, count) = digit_pairs(digits.unsigned_abs());
    for (at, pair) in pairs[..count].iter().enumerate() {
        let more = u8::from(at + 1 < count);
        out.push((pair * 2 + more) ^ mask);
    }
}

/// The digits by twos from the left, the last with a zero when it has one only, and how many pairs there are.
fn digit_pairs(mut digits: u128) -> ([u8; PAIRS_MAX], usize) {
    let count = digits.ilog10() as usize + 1;
    if count % 2 == 1 {
        digits *= 10;
    }
    let pairs_count = count.div_ceil(2);
    let mut pairs = [0; PAIRS_MAX];
    for pair in pairs[..pairs_count].iter_mut().rev() {
        *pair = u8::try_from(digits % 100).expect("below 100");
        digits /= 100;
    }
    (pairs, pairs_count)
}

fn decode_number(bytes: &mut &[u8]) -> Result<Number, DamagedKey> {
    let mask = match take(bytes)? {
        ZERO => return Ok(Number::ZERO),
        NEGATIVE => u8::MAX,
        POSITIVE => 0,
        _ => return Err(DamagedKey),
    };
    let magnitude = i32::from(take(bytes)? ^ mask) - BIAS;
    let mut digits: i128 = 0;
    for count in 1..=PAIRS_MAX {
        let byte = take(bytes)? ^ mask;
        if byte / 2 > 99 {
            return Err(DamagedKey);
        }
        digits = digits * 100 + i128::from(byte / 2);
        // A last pair of zeros would be a second spelling of a shorter number.
        if byte == 0 {
            return Err(DamagedKey);
        }
        if byte % 2 == 0 {
            let places = i32::try_from(count * 2).expect("at most 38");
            let signed = if mask == 0 { digits } else { -digits };
            let number =
                Number::from_parts(signed, magnitude + 1 - places).map_err(|_| DamagedKey)?;
            // A first pair below 10 would be a second spelling of another number.
            return if number.magnitude() == magnitude {
                Ok(number)
            } else {
                Err(DamagedKey)
            };
        }
    }
    Err(DamagedKey)
}

fn take(bytes: &mut &[u8]) -> Result<u8, DamagedKey> {
    let (first, rest) = bytes.split_first().ok_or(DamagedKey)?;
    *bytes = rest;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: &AttributeValue) -> Vec<u8> {
        let mut out = Vec::new();
        encode_into(value, &mut out);
        out
    }

    fn number() -> impl Strategy<Value = Number> {
        let wide = (any::<i128>(), -140_i32..130)
            .prop_filter_map("in range", |(digits, exponent)| {
                Number::from_parts(digits / 10, exponent).ok()
            });
        let narrow = (-2_000_i128..2_000, -6_i32..6)
            .prop_map(|(digits, exponent)| Number::from_parts(digits, exponent).unwrap());
        prop_oneof![wide, narrow]
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0), Just(1), Just(255), any::<u8>()], 0..12)
    }

    proptest! {
        #[test]
        fn numbers_sort_as_their_bytes(a in number(), b in number()) {
            let (x, y) = (encoded(&AttributeValue::N(a)), encoded(&AttributeValue::N(b)));
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        }

        #[test]
        fn bytes_sort_as_their_bytes(a in bytes(), b in bytes()) {
            let (x, y) = (
                encoded(&AttributeValue::B(a.clone())),
                encoded(&AttributeValue::B(b.clone())),
            );
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
            prop_assert_eq!(a.starts_with(&b), x.starts_with(&encode_prefix(&b)));
        }

        #[test]
        fn values_are_read_back_one_after_the_other(a in number(), b in bytes(), c in any::<String>()) {
            let row = [AttributeValue::N(a), AttributeValue::B(b), AttributeValue::S(c)];
            let mut out = Vec::new();
            row.iter().for_each(|value| encode_into(value, &mut out));
            let mut rest = out.as_slice();
            for (value, kind) in row.iter().zip([ScalarType::N, ScalarType::B, ScalarType::S]) {
                prop_assert_eq!(&decode(kind, &mut rest).unwrap(), value);
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn damaged_bytes_are_an_error(mut damaged in bytes()) {
            damaged.truncate(8);
            for kind in [ScalarType::N, ScalarType::B, ScalarType::S] {
                let _ = decode(kind, &mut damaged.as_slice());
            }
        }
    }

    #[test]
    fn a_position_never_changes() {
        // The first is XXH3's published value for no input.
        assert_eq!(hash_position(b""), 0x2D06_8005_38D3_94C2);
        assert_eq!(hash_position(b"quorate"), hash_position(&b"quorate"[..]));
    }

    #[test]
    fn after_a_prefix_comes_the_next_sibling() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255]), None);
    }
}
