//! Key conditions.

use super::*;

fn parse(text: &str, hash: &[&str], range: &[&str]) -> Result<KeyCondition, String> {
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    KeyCondition::parse(text, &mut usual(), &owned(hash), &owned(range))
        .map_err(|error| error.message)
}

fn simple(text: &str) -> Result<KeyCondition, String> {
    parse(text, &["a"], &["b"])
}

#[test]
fn hash_and_range_are_told_apart() {
    use SortCondition::*;
    for (text, range) in [
        ("a = :s", None),
        (":s = a", None),
        ("(a = :s)", None),
        ("a = :s AND b = :n", Some(Eq(n("5")))),
        ("b = :n and a = :s", Some(Eq(n("5")))),
        ("(a = :s) AND (b < :n)", Some(Lt(n("5")))),
        ("a = :s AND b <= :n", Some(Le(n("5")))),
        ("a = :s AND b > :n", Some(Gt(n("5")))),
        ("a = :s AND b >= :n", Some(Ge(n("5")))),
        ("a = :s AND :n > b", Some(Lt(n("5")))),
        ("a = :s AND :n <= b", Some(Ge(n("5")))),
        (
            "a = :s AND b BETWEEN :one AND :n",
            Some(Between(n("1"), n("5"))),
        ),
        ("a = :s AND begins_with(b, :t)", Some(BeginsWith(s("y")))),
    ] {
        let found = simple(text).expect(text);
        assert_eq!(found.hash, [("a".to_owned(), s("x"))], "{text}");
        assert_eq!(found.range_equals, [], "{text}");
        assert_eq!(
            found.range,
            range.map(|range| ("b".to_owned(), range)),
            "{text}"
        );
    }
}

#[test]
fn keys_of_several_attributes_are_bound_from_the_left() {
    let found = parse(
        "c = :n AND d > :one AND h1 = :s AND b = :t AND h2 = :t",
        &["h1", "h2"],
        &["b", "c", "d", "e"],
    )
    .unwrap();
    assert_eq!(
        found.hash,
        [("h1".to_owned(), s("x")), ("h2".to_owned(), s("y"))]
    );
    assert_eq!(
        found.range_equals,
        [("b".to_owned(), s("y")), ("c".to_owned(), n("5"))]
    );
    assert_eq!(
        found.range,
        Some(("d".to_owned(), SortCondition::Gt(n("1"))))
    );
    let refused = |text: &str| parse(text, &["h"], &["b", "c", "d"]).unwrap_err();
    assert_eq!(
        refused("h = :s AND c = :s"),
        "RANGE key attributes b must have equality conditions specified in the query because a condition is present on key attribute c"
    );
    assert_eq!(
        refused("h = :s AND b > :s AND c = :s"),
        "RANGE key attributes b must have equality conditions specified in the query because a condition is present on key attribute c"
    );
    assert_eq!(
        refused("h = :s AND d = :s"),
        "RANGE key attributes b, c must have equality conditions specified in the query because a condition is present on key attribute d"
    );
}

#[test]
fn what_no_key_allows() {
    let invalid = |what: &str| format!("Invalid condition in KeyConditionExpression: {what}");
    let first = |operator: &str| {
        invalid(&format!(
            "{operator} operator must have the key attribute as its first operand"
        ))
    };
    let operator = |name: &str| format!("Invalid operator used in KeyConditionExpression: {name}");
    let nested =
        "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations";
    let multiple = invalid("Multiple attribute names used in one condition");
    let inner = "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes";
    let none = invalid("No key attribute specified");
    let twice = "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key";
    for (text, what) in [
        ("a > b and size(b) > c or a > c", operator("OR")),
        ("a in (b, size(c), d)", operator("IN")),
        ("attribute_exists(a)", operator("attribute_exists")),
        ("attribute_not_exists(a)", operator("attribute_not_exists")),
        ("contains(a.d, b)", operator("contains")),
        ("attribute_type(a, :type)", operator("attribute_type")),
        ("not a > b", operator("NOT")),
        ("a <> b", operator("<>")),
        (
            ":s between size(b) and size(a) and b > :n",
            first("BETWEEN"),
        ),
        ("begins_with(:s, b) and a > :n", first("begins_with")),
        ("size(b) > a AND a.b > b AND b > c", nested.to_owned()),
        ("a > size(b.d)", nested.to_owned()),
        ("a between size(b) and size(a)", nested.to_owned()),
        ("b > a.b", multiple.clone()),
        ("b between c[1] and d", multiple.clone()),
        ("a between b and size(a)", multiple.clone()),
        ("begins_with(a, b)", multiple.clone()),
        ("b.d > a AND c.d > e.f", inner.to_owned()),
        ("b[0] > a", inner.to_owned()),
        ("a = :s AND :n < b.c", inner.to_owned()),
        (":n > :one AND a < :n", none.clone()),
        ("b > :n AND b < :n and c = :n and d = :n", twice.to_owned()),
        ("a = :s AND b > :n AND b < :n", twice.to_owned()),
    ] {
        assert_eq!(simple(text).unwrap_err(), what, "{text}");
    }
}

#[test]
fn what_this_key_does_not_allow() {
    for (text, what) in [
        ("b = :s", "Query condition missed key schema element: a"),
        ("c = :s", "Query condition missed key schema element: a"),
        (
            "a = :s AND c = :n",
            "Query condition missed key schema element: b",
        ),
        ("a > :s", "Query key condition not supported"),
        (
            "begins_with(a, :s) AND b = :s",
            "Query key condition not supported",
        ),
        (
            "a = :s AND b > :n AND c = :n",
            "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
        ),
    ] {
        assert_eq!(simple(text).unwrap_err(), what, "{text}");
    }
}

#[test]
fn the_rules_of_all_conditions_come_first() {
    for (text, what) in [
        ("", "The expression can not be empty;"),
        ("a > 4", "Syntax error; token: \"4\", near: \"> 4\""),
        (
            "data.x = :s",
            "Attribute name is a reserved keyword; reserved keyword: data",
        ),
        (
            "a = :s AND begins_with(b, :n) AND c = :gone",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "a = :s AND :bool >= b",
            "Incorrect operand type for operator or function; operator or function: >=, operand type: BOOL",
        ),
        (
            "a between :n and :s",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {S:x}",
        ),
    ] {
        let expected = format!("Invalid KeyConditionExpression: {what}");
        assert_eq!(simple(text).unwrap_err(), expected, "{text}");
    }
    assert_eq!(
        simple(&"a".repeat(4097)).unwrap_err(),
        "Invalid KeyConditionExpression: Expression size has exceeded the maximum allowed size;"
    );
}
