//! Values: their JSON, their numbers, and the bytes of keys.

use std::cmp::Ordering;

use proptest::prelude::*;
use quorate_dynamo_lang::json::{read_item, read_value, write_item, write_value};
use quorate_dynamo_lang::key_codec::{after_prefix, decode, encode_into, encode_prefix};
use quorate_dynamo_lang::{AttributeValue, Number, ScalarType, item_bytes, value_bytes};

use crate::run;

/// JSON from which other JSON is made.
const SEEDS: &[&str] = &[
    r#"{"S":"a\"\n\u0001é"}"#,
    r#"{"N":"-12.50e-3"}"#,
    r#"{"B":"AQID"}"#,
    r#"{"SS":["a","b"]}"#,
    r#"{"NS":["-1","2","1e125"]}"#,
    r#"{"BS":["AQ==","Ag=="]}"#,
    r#"{"BOOL":false}"#,
    r#"{"NULL":true}"#,
    r#"{"L":[{"S":"x"},{"L":[]}]}"#,
    r#"{"M":{"a":{"M":{}},"b":{"N":"1"}}}"#,
    r#"{"pk":{"S":"x"},"n":{"N":"1"},"l":{"L":[{"NULL":true}]}}"#,
];

/// Parts that JSON is also made of.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"S\"",
    "\"N\"",
    "\"B\"",
    "\"SS\"",
    "\"NS\"",
    "\"BS\"",
    "\"L\"",
    "\"M\"",
    "\"BOOL\"",
    "\"NULL\"",
    "\"a\"",
    "\"\"",
    "\"1\"",
    "\"1e126\"",
    "\"AQ==\"",
    "\"A\"",
    "true",
    "false",
    "null",
    "1",
    "-0.5",
    "1e999",
    "\\",
    "\\u",
    "\\ud800",
    "\u{0}",
    "é",
    " ",
    "{\"L\":[",
    "{\"M\":{\"a\":",
];

/// Parts of numbers.
const DIGITS: &[&str] = &[
    "0",
    "1",
    "9",
    "00",
    "99999999999999999999",
    "-",
    "+",
    ".",
    "e",
    "E",
    "e-",
    "125",
    "130",
    "126",
    "131",
    "9223372036854775808",
    "_",
    " ",
    "x",
    "１",
];

fn json() -> impl Strategy<Value = Vec<u8>> {
    let seed = proptest::sample::select(SEEDS);
    let token = proptest::sample::select(TOKENS);
    prop_oneof![
        proptest::collection::vec(token.clone(), 0..60)
            .prop_map(|parts| parts.concat().into_bytes()),
        (
            seed.clone(),
            any::<prop::sample::Index>(),
            token.clone(),
            0_usize..4
        )
            .prop_map(|(seed, at, token, cut)| {
                let bytes = seed.as_bytes();
                let at = at.index(bytes.len() + 1);
                let tail = &bytes[(at + cut).min(bytes.len())..];
                [&bytes[..at], token.as_bytes(), tail].concat()
            }),
        (seed, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(seed, at, byte)| {
            let mut bytes = seed.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
        (token, 1_usize..4_000).prop_map(|(token, times)| token.repeat(times).into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..60),
    ]
}

/// No JSON panics the decoder.
pub(crate) fn json_is_read() {
    run(json(), |bytes| {
        if let Ok(value) = read_value(bytes) {
            let mut out = Vec::new();
            write_value(&value, &mut out);
            assert_eq!(read_value(&out).unwrap(), value);
            let _ = value_bytes(&value);
        }
        if let Ok(item) = read_item(bytes) {
            let mut out = Vec::new();
            write_item(&item, &mut out);
            assert_eq!(read_item(&out).unwrap(), item);
            let _ = item_bytes(&item);
        }
    });
}

fn number_texts() -> impl Strategy<Value = String> {
    let part = proptest::sample::select(DIGITS);
    prop_oneof![
        proptest::collection::vec(part.clone(), 0..8).prop_map(|parts| parts.concat()),
        "[-+]?[0-9]{0,40}(\\.[0-9]{0,40})?([eE][-+]?[0-9]{1,4})?",
        (part, 1_usize..4_000).prop_map(|(part, times)| part.repeat(times)),
        any::<String>(),
    ]
}

/// The order of two numbers by their digits as they are written.
fn written_order(a: &str, b: &str) -> Ordering {
    let split = |text: &str| {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest.to_owned()),
            None => (false, text.to_owned()),
        };
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
            None => (text, String::new()),
        };
        (negative, format!("{whole:0>130}{fraction:0<170}"))
    };
    let ((a_negative, a), (b_negative, b)) = (split(a), split(b));
    match (a_negative, b_negative) {
        (false, false) => a.cmp(&b),
        (true, true) => b.cmp(&a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// No text panics the codec of numbers, which keeps their order.
pub(crate) fn numbers_are_read() {
    run((number_texts(), number_texts()), |(one, other)| {
        let (Ok(a), Ok(b)) = (one.parse::<Number>(), other.parse::<Number>()) else {
            return;
        };
        let (x, y) = (a.to_string(), b.to_string());
        assert_eq!(x.parse::<Number>(), Ok(a), "{one}");
        assert_eq!(a.cmp(&b), written_order(&x, &y), "{one} {other}");
        if let Ok(sum) = a.checked_add(&b) {
            assert_eq!(b.checked_add(&a), Ok(sum), "{one} {other}");
        }
        if let Ok(difference) = a.checked_sub(&b) {
            let sign = difference.cmp(&Number::ZERO);
            assert_eq!(sign, a.cmp(&b), "{one} {other}");
        }
    });
}

fn key_value() -> impl Strategy<Value = AttributeValue> {
    let number = number_texts().prop_map(|text| {
        let number = text.parse::<Number>().unwrap_or(Number::ZERO);
        AttributeValue::N(number)
    });
    let byte = prop_oneof![Just(0), Just(1), Just(255), any::<u8>()];
    prop_oneof![
        number,
        proptest::collection::vec(byte, 0..20).prop_map(AttributeValue::B),
        any::<String>().prop_map(AttributeValue::S),
    ]
}

fn kind(value: &AttributeValue) -> ScalarType {
    match value {
        AttributeValue::N(_) => ScalarType::N,
        AttributeValue::B(_) => ScalarType::B,
        _ => ScalarType::S,
    }
}

fn natural_order(a: &AttributeValue, b: &AttributeValue) -> Option<Ordering> {
    match (a, b) {
        (AttributeValue::N(a), AttributeValue::N(b)) => Some(a.cmp(b)),
        (AttributeValue::B(a), AttributeValue::B(b)) => Some(a.cmp(b)),
        (AttributeValue::S(a), AttributeValue::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => None,
    }
}

/// No bytes panic the codec of keys, which keeps the order of values.
pub(crate) fn keys_are_read() {
    let damaged = proptest::collection::vec(any::<u8>(), 0..40);
    run((key_value(), key_value(), damaged), |(a, b, damaged)| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        encode_into(a, &mut x);
        encode_into(b, &mut y);
        if let Some(order) = natural_order(a, b) {
            assert_eq!(x.cmp(&y), order);
        }
        let row = [x.as_slice(), &y].concat();
        let mut rest = row.as_slice();
        assert_eq!(decode(kind(a), &mut rest).as_ref(), Ok(a));
        assert_eq!(decode(kind(b), &mut rest).as_ref(), Ok(b));
        assert!(rest.is_empty());
        let prefix = encode_prefix(damaged);
        assert!(after_prefix(&prefix).is_none_or(|after| after > prefix));
        for kind in [ScalarType::N, ScalarType::B, ScalarType::S] {
            let mut rest = damaged.as_slice();
            let Ok(value) = decode(kind, &mut rest) else {
                continue;
            };
            // What is read at all is the one spelling of a value.
            let mut again = Vec::new();
            encode_into(&value, &mut again);
            assert_eq!(again, damaged[..damaged.len() - rest.len()]);
        }
    });
}
