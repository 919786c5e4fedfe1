//! Statements that are refused.

use super::*;

#[test]
fn what_cannot_be_read() {
    let bad = |detail: &str| format!("Statement wasn't well formed, can't be processed: {detail}");
    let leftover = bad("Unexpected token after expression");
    for text in [
        "SELECT * FROM t WHERE pk = 1 foo",
        "SELECT * FROM t WHERE pk = 1 e5",
        "INSERT INTO t VALUE {'pk': 970001} foo",
        "UPDATE t SET a = 9 WHERE pk = 970002 foo",
        "DELETE FROM t WHERE pk = 970003 foo",
        "SELECT * FROM t WHERE pk = 1)",
        "DELETE FROM t WHERE pk = 970004 ORDER BY pk",
        "SELECT * FROM t ORDER BY pk WHERE pk = 1",
        "INSERT INTO \"t\" t VALUE {'pk': 'x'}",
        "SELECT * FROM t; SELECT * FROM t",
    ] {
        assert_eq!(refusal(text), leftover, "{text}");
    }
    for text in [
        "SELECT * FROM t WHERE pk = 1e2147483648",
        "SELECT * FROM t WHERE pk = 1e99999999999",
        "SELECT * FROM t WHERE pk = 1.5e-2147483647",
        "SELECT * FROM t WHERE pk = 1 # note",
        "SELECT * FROM t WHERE pk = 1 /* note",
        "SELECT * FROM t WHERE pk = 'x",
    ] {
        assert_eq!(refusal(text), bad(""), "{text}");
    }
    for text in [
        "SELECT * FROM \"t\" t WHERE pk = 'x'",
        "SELECT * FROM \"t\" AS t WHERE pk = 'x'",
        "UPDATE \"t\" t SET a = 3 WHERE pk = 'x'",
        "DELETE FROM \"t\" t WHERE pk = 'x'",
        "SELECT a AS b FROM t",
    ] {
        assert_eq!(refusal(text), "Aliasing is not supported", "{text}");
    }
    for text in [
        "",
        "UPSERT",
        "SELECT",
        "SELECT * FROM",
        "SELECT * FROM t WHERE",
        "DELETE t",
    ] {
        assert!(refusal(text).starts_with(&bad("")), "{text}");
    }
    assert_eq!(refusal("SLECT * FROM t"), bad("Expected data manipulation"));
    assert_eq!(
        refusal("SELECT * FROM t.i.x"),
        "A path may contain at most 2 components in the FROM clause"
    );
    for text in ["SELECT * FROM \"\"", "SELECT * FROM t.\"\""] {
        let empty = "Path component cannot be an empty string";
        assert_eq!(refusal(text), empty, "{text}");
    }
    assert_eq!(
        refusal("SELECT * FROM t LIMIT 1"),
        "Unsupported clause: LIMIT"
    );
    let deep = format!(
        "SELECT * FROM t WHERE {}a = 1{}",
        "(".repeat(4000),
        ")".repeat(4000)
    );
    assert!(refusal(&deep).starts_with(&bad("")));
    let lists = format!("INSERT INTO t VALUE {{'pk': {}1}}", "[".repeat(4000));
    assert!(refusal(&lists).starts_with("Nesting Levels have exceeded supported limits"));
}

#[test]
fn numbers_beyond_the_range_name_their_place() {
    let over =
        "Number overflow. Attempting to store a number with magnitude larger than supported range";
    let under = "Number underflow. Attempting to store a number with magnitude smaller than supported range";
    let digits = "Attempting to store more than 38 significant digits in a Number";
    for (text, what) in [
        (
            "SELECT * FROM t WHERE pk = 1e126",
            format!("{over} under root"),
        ),
        (
            "SELECT * FROM t WHERE pk = 1e-131",
            format!("{under} under root"),
        ),
        (
            "SELECT * FROM t WHERE pk = 123456789012345678901234567890123456789",
            format!("{digits} under root"),
        ),
        (
            "INSERT INTO t VALUE {'pk': 1e126}",
            format!("{over} under root"),
        ),
        (
            "UPDATE t SET a = 1e-131 WHERE pk = 1",
            format!("{under} under root"),
        ),
        (
            "INSERT INTO t VALUE {'pk': 1, 'm': {'x': 1e126}}",
            format!("{over} under root.x"),
        ),
        (
            "INSERT INTO t VALUE {'pk': 1, 'l': [1, 1e126]}",
            format!("{over} under root[1]"),
        ),
    ] {
        assert_eq!(refusal(text), what, "{text}");
    }
}

/// `1:column:length` of the first `token`.
fn at(text: &str, token: &str) -> String {
    format!("1:{}:{}", text.find(token).unwrap() + 1, token.len())
}

#[test]
fn functions_are_refused_with_their_place() {
    let filter = |condition: &str| format!("SELECT * FROM \"t\" WHERE pk = '1' AND {condition}");
    let update = |set: &str| format!("UPDATE \"t\" SET {set} WHERE pk = '1'");
    let path =
        "Operator or function requires a document path; operator or function: attribute_exists";
    let count = "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: ";
    assert_eq!(refusal(&filter("attribute_exists('ss')")), path);
    assert_eq!(refusal(&filter("attribute_exists()")), format!("{count}0"));
    assert_eq!(
        refusal(&filter("attribute_exists(ss, ns)")),
        format!("{count}2")
    );
    for (text, what, token) in [
        (
            "SELECT attribute_exists(ss) FROM \"t\" WHERE pk = '1'".to_owned(),
            "Unexpected path component",
            "attribute_exists",
        ),
        (
            filter("EXISTS(ss)"),
            "Unrecognized function: exists",
            "EXISTS",
        ),
        (
            filter("set_add(ss, <<'x'>>) = ss"),
            "Unrecognized function: set_add",
            "set_add",
        ),
        (
            update("t = set_add(ss, <<'x'>>)"),
            "The first argument to SET_ADD must equal the assignment value",
            "set_add",
        ),
        (
            update("ss = set_add(<<'a'>>, <<'b'>>)"),
            "The first argument to SET_ADD must equal the assignment value",
            "set_add",
        ),
        (
            update("ss = set_delete(ss)"),
            "SET_DELETE must have exactly two arguments",
            "set_delete",
        ),
        (
            update("ss = set_add(ss, <<'x'>>, <<'y'>>)"),
            "SET_ADD must have exactly two arguments",
            "set_add",
        ),
        (
            "INSERT INTO \"t\" VALUE {'pk': 'x', 'ss': set_add(<<'a'>>, <<'b'>>)}".to_owned(),
            "Unsupported data type: set_add under key root",
            "set_add",
        ),
    ] {
        assert_eq!(
            refusal(&text),
            format!("{what} at {}", at(&text, token)),
            "{text}"
        );
    }
    assert_eq!(
        refusal("SELECT *\nFROM t\n WHERE oops(a)"),
        "Unrecognized function: oops at 3:8:4"
    );
    let text = update("ss = set_add(ss, ['x'])");
    let place = text.find("set_add(").unwrap() + "set_add(".len() + 1;
    assert_eq!(
        refusal(&text),
        format!("The second argument to SET_ADD must be a value with type SET at 1:{place}:2")
    );
}

#[test]
fn places_count_lines() {
    assert_eq!(
        refusal("SELECT *\nFROM t\n WHERE oops(a)"),
        "Unrecognized function: oops at 3:8:4"
    );
}

#[test]
fn operands_are_checked_as_in_expressions() {
    let type_error = "Incorrect operand type for operator or function; operator or function: ";
    for (condition, what) in [
        ("a < true", format!("{type_error}<, operand type: BOOL")),
        ("a BETWEEN true AND false", format!("{type_error}BETWEEN, operand type: BOOL")),
        ("begins_with(a, 1)", format!("{type_error}begins_with, operand type: N")),
        ("a = <<>>", "Empty bags are not supported".to_owned()),
        ("a = <<1, 'x'>>", "DynamoDB only supports either numbers or strings in bags".to_owned()),
        (
            "a = <<'x', 'x'>>",
            "One or more parameter values were invalid: Input collection [x, x] contains duplicates.".to_owned(),
        ),
    ] {
        assert_eq!(refusal(&format!("SELECT * FROM t WHERE {condition}")), what, "{condition}");
    }
    let many = vec!["1"; 101].join(",");
    assert_eq!(
        refusal(&format!("SELECT * FROM t WHERE a IN [{many}]")),
        "The IN operator is provided with too many operands; number of operands: 101"
    );
}
