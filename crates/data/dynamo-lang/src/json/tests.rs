//! Values in JSON and back, and AWS's words for what is no value.

use super::{JsonError, read_item, read_value, write_item, write_value};

fn round(json: &str) -> String {
    let mut out = Vec::new();
    write_value(&read_value(json.as_bytes()).unwrap(), &mut out);
    String::from_utf8(out).unwrap()
}

fn validation_of(json: &str) -> String {
    match read_value(json.as_bytes()) {
        Err(JsonError::Validation(e)) => e.message,
        other => panic!("{other:?}"),
    }
}

fn serialization_of(json: &str) -> String {
    match read_value(json.as_bytes()) {
        Err(JsonError::Serialization(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_type_is_read_and_written() {
    for json in [
        r#"{"S":"a\"\n\u0001é"}"#,
        r#"{"S":""}"#,
        r#"{"N":"-12.5"}"#,
        r#"{"B":"AQID"}"#,
        r#"{"SS":["a","b"]}"#,
        r#"{"NS":["-1","2"]}"#,
        r#"{"BS":["AQ==","Ag=="]}"#,
        r#"{"BOOL":false}"#,
        r#"{"NULL":true}"#,
        r#"{"L":[{"S":"x"},{"L":[]}]}"#,
        r#"{"M":{"a":{"M":{}},"b":{"N":"1"}}}"#,
    ] {
        assert_eq!(round(json), json);
    }
    assert_eq!(round(r#"{"N":"1.50e2"}"#), r#"{"N":"150"}"#);
    assert_eq!(round(r#"{"S":"x","N":null,"other":{}}"#), r#"{"S":"x"}"#);
}

#[test]
fn a_value_has_exactly_one_type() {
    let empty =
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
    for json in ["{}", r#"{"a":""}"#, r#"{"L":[{}]}"#, r#"{"M":{"a":{}}}"#] {
        assert_eq!(validation_of(json), empty);
    }
    assert_eq!(
        validation_of(r#"{"S":"a","N":"1"}"#),
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
    );
}

#[test]
fn bad_values_are_refused_in_the_words_of_aws() {
    let invalid = |words: &str| format!("One or more parameter values were invalid: {words}");
    for (json, words) in [
        (
            r#"{"NULL":"no"}"#,
            "Null attribute value types must have the value of true",
        ),
        (
            r#"{"NULL":false}"#,
            "Null attribute value types must have the value of true",
        ),
        (r#"{"SS":[]}"#, "An string set  may not be empty"),
        (r#"{"NS":[]}"#, "An number set  may not be empty"),
        (r#"{"BS":[]}"#, "Binary sets should not be empty"),
        (
            r#"{"SS":["a","a"]}"#,
            "Input collection [a, a] contains duplicates.",
        ),
        (
            r#"{"BS":["Yg==","Yg=="]}"#,
            "Input collection [Yg==, Yg==]of type BS contains duplicates.",
        ),
    ] {
        assert_eq!(validation_of(json), invalid(words));
    }
    assert_eq!(
        validation_of(r#"{"NS":["1","1.0"]}"#),
        "Input collection contains duplicates"
    );
    assert_eq!(
        validation_of(r#"{"N":"b"}"#),
        "The parameter cannot be converted to a numeric value: b"
    );
    assert_eq!(
        validation_of(r#"{"N":""}"#),
        "The parameter cannot be converted to a numeric value"
    );
    assert_eq!(
        validation_of(r#"{"N":"1e126"}"#),
        "Number overflow. Attempting to store a number with magnitude larger than supported range"
    );
}

#[test]
fn wrong_json_is_a_serialization_error() {
    for (json, words) in [
        (r#""x""#, "Unexpected value type in payload"),
        ("1.5", "Unexpected value type in payload"),
        (r#"{"S":1}"#, "NUMBER_VALUE cannot be converted to String"),
        (r#"{"N":true}"#, "TRUE_VALUE cannot be converted to String"),
        (
            r#"{"S":{}}"#,
            "Start of structure or map found where not expected",
        ),
        (
            r#"{"B":1}"#,
            "only base-64-encoded strings are convertible to bytes",
        ),
        (
            r#"{"B":"23456"}"#,
            "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        (
            r#"{"B":"+/+="}"#,
            "Invalid last non-pad Base64 character dectected",
        ),
        (r#"{"L":"x"}"#, "Unexpected field type"),
        (r#"{"L":["x"]}"#, "Unexpected value type in payload"),
        (r#"{"M":1}"#, "Unexpected field type"),
    ] {
        assert_eq!(serialization_of(json), words, "{json}");
    }
    assert!(matches!(read_value(b"{"), Err(JsonError::Syntax(_))));
}

#[test]
fn thirty_two_levels_are_the_most() {
    let nested = |wraps: usize| {
        let mut json = String::from(r#"{"S":"leaf"}"#);
        for i in 0..wraps {
            json = if i % 2 == 0 {
                format!(r#"{{"M":{{"n":{json}}}}}"#)
            } else {
                format!(r#"{{"L":[{json}]}}"#)
            };
        }
        json
    };
    assert_eq!(round(&nested(31)), nested(31));
    for wraps in [32, 2_000] {
        assert!(validation_of(&nested(wraps)).starts_with("Nesting Levels have exceeded"));
    }
}

#[test]
fn an_item_is_an_object_of_values() {
    let json = br#"{"a":{"S":"x"},"b":{"N":"1"}}"#;
    let mut out = Vec::new();
    write_item(&read_item(json).unwrap(), &mut out);
    assert_eq!(out, json);
    assert!(matches!(read_item(b"[]"), Err(JsonError::Serialization(_))));
}
