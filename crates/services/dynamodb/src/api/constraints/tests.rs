//! Bodies of every form, and the words for the wrong ones.

use bytes::Bytes;

use super::*;
use crate::api::error::ApiError;

fn message<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.code, "SerializationException");
    error.message
}

/// Reads the member `m` of a body.
fn read<T>(
    json: &str,
    read: impl FnOnce(&Fields<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let bytes = Bytes::from(format!("{{\"m\":{json}}}"));
    let body = Body::parse(&bytes)?;
    read(&body.fields())
}

#[test]
fn bodies_that_are_no_json_object_are_refused_without_a_message() {
    let deep = "[".repeat(100_000);
    let nested = format!("{}{}", "{\"a\":".repeat(200), "}".repeat(200));
    let many = format!("{{\"a\":[{}1]}}", "1,".repeat(4_100_000));
    for body in [
        "",
        " ",
        "hi",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{",
        "{}{}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1e999}",
        &deep,
        &nested,
        &many,
    ] {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        assert_eq!(message(Body::parse(&bytes)), "");
    }
    let bytes = Bytes::from_static(b"{\"a\":\"\xff\xfe\"}");
    assert_eq!(message(Body::parse(&bytes)), "");
}

#[test]
fn members_of_the_wrong_type_are_told_in_the_words_of_aws() {
    let list = "Unrecognized collection type class java.lang";
    let map = "Start of structure or map found where not expected";
    let strings = [
        ("true", "TRUE_VALUE cannot be converted to String"),
        ("false", "FALSE_VALUE cannot be converted to String"),
        ("23", "NUMBER_VALUE cannot be converted to String"),
        ("-2147483648", "NUMBER_VALUE cannot be converted to String"),
        ("34.56", "DECIMAL_VALUE cannot be converted to String"),
        ("[]", &format!("{list}.String")),
        ("{}", map),
    ];
    for (json, expected) in strings {
        assert_eq!(message(read(json, |f| f.string("m").map(drop))), expected);
    }
    let booleans = [
        ("\"23\"", "Unexpected token received from parser"),
        ("23", "NUMBER_VALUE cannot be converted to Boolean"),
        ("34.56", "DECIMAL_VALUE cannot be converted to Boolean"),
        ("[]", &format!("{list}.Boolean")),
        ("{}", map),
    ];
    for (json, expected) in booleans {
        assert_eq!(message(read(json, |f| f.boolean("m"))), expected);
    }
    let numbers = [
        ("\"23\"", "STRING_VALUE cannot be converted to Long"),
        ("true", "TRUE_VALUE cannot be converted to Long"),
        ("[]", &format!("{list}.Long")),
        ("{}", map),
    ];
    for (json, expected) in numbers {
        assert_eq!(message(read(json, |f| f.long("m"))), expected);
        let expected = expected.replace("Long", "Integer");
        assert_eq!(message(read(json, |f| f.integer("m"))), expected);
    }
    for json in ["\"23\"", "true", "23", "34.56"] {
        let field = "Unexpected field type";
        assert_eq!(message(read(json, |f| f.list("m").map(drop))), field);
        let structure = |f: &Fields<'_>| f.structure("m", "Tag").map(drop);
        assert_eq!(message(read(json, structure)), field);
        let element = |f: &Fields<'_>| f.structures("m", "Tag").map(drop);
        let got = message(read(&format!("[{json}]"), element));
        assert_eq!(got, "Unexpected value type in payload");
    }
}

#[test]
fn collections_of_the_wrong_kind_name_the_class() {
    assert_eq!(
        message(read("{}", |f| f.list("m").map(drop))),
        "Start of structure or map found where not expected"
    );
    assert_eq!(
        message(read("[]", |f| f.structure("m", "Projection").map(drop))),
        "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.Projection"
    );
}

#[test]
fn the_last_of_a_name_counts_and_null_is_absent() {
    let bytes = Bytes::from_static(br#"{"a":1,"a":2,"b":null,"c":2.9,"d":"x\ny"}"#);
    let body = Body::parse(&bytes).unwrap();
    let fields = body.fields();
    assert_eq!(fields.long("a").unwrap(), Some(2));
    assert_eq!(fields.string("b").unwrap(), None);
    assert_eq!(fields.long("c").unwrap(), Some(2));
    assert_eq!(fields.string("d").unwrap(), Some("x\ny"));
    assert_eq!(fields.string("e").unwrap(), None);
}

#[test]
fn places_are_written_as_aws_writes_them() {
    let map = Place::of("RequestItems");
    let list = map.entry("orders");
    let element = list.element(2);
    let place = element.member("PutRequest");
    assert_eq!(
        place.to_string(),
        "requestItems.orders.member.3.member.putRequest"
    );
}

#[test]
fn names_of_tables_in_operations_on_items() {
    let told = |name: Option<&str>| {
        let mut violations = Violations::new();
        check_table_name(&mut violations, name);
        violations.finish().err().map(|e| e.message)
    };
    let expected = |what: &str| Some(format!("1 validation error detected: {what}"));
    assert_eq!(told(Some("orders")), None);
    assert_eq!(
        told(Some("arn:aws:dynamodb:us-east-1:1:table/x")),
        None,
        "an ARN is looked at when it is resolved"
    );
    assert_eq!(
        told(None),
        expected("Value null at 'tableName' failed to satisfy constraint: Member must not be null")
    );
    assert_eq!(
        told(Some("")),
        expected(
            "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1"
        )
    );
    assert_eq!(
        told(Some("bad table!@#")),
        expected(
            "Value 'bad table!@#' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression \
             pattern: [a-zA-Z0-9_.-]+"
        )
    );
}
