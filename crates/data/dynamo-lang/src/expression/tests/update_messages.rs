//! What AWS says of updates that it refuses before it looks at an item.

use super::*;

fn refusal(text: &str) -> String {
    match Update::parse(text, &mut usual()) {
        Ok(_) => format!("accepted: {text}"),
        Err(error) => error
            .message
            .strip_prefix("Invalid UpdateExpression: ")
            .unwrap()
            .to_owned(),
    }
}

#[test]
fn syntax_errors() {
    for (text, token, near) in [
        ("INVALID SYNTAX HERE", "INVALID", "INVALID SYNTAX"),
        ("SET", "<EOF>", "SET"),
        ("SET a", "<EOF>", "a"),
        ("SET MyStr = myNum + 1", "1", "+ 1"),
        (
            "SET MyStr = myNum Mystr2 myNum2",
            "Mystr2",
            "myNum Mystr2 myNum2",
        ),
        ("SET MyStr = my Num", "Num", "my Num"),
        ("SET a = b + c + d", "+", "c + d"),
        ("SET a = (b + c) + d", "+", ") + d"),
        ("SET a = list_append(b + c, d)", "+", "b + c"),
        ("SET a = b = c", "=", "b = c"),
        ("SET a = NOT b", "NOT", "= NOT b"),
        ("SET a = b AND c", "AND", "b AND c"),
        ("SET a = (b", "<EOF>", "b"),
        ("SET a = f()", ")", "()"),
        ("REMOVE a b", "b", "a b"),
        ("REMOVE a = :s", "=", "a = :s"),
        ("ADD a b", "b", "a b"),
        ("ADD a", "<EOF>", "a"),
        ("DELETE a = :ss", "=", "a = :ss"),
        ("SET a = :s,", "<EOF>", ","),
        ("SET a = :s, REMOVE b", "REMOVE", ", REMOVE b"),
        ("SET a = :s ; REMOVE b", ";", ":s ; REMOVE"),
        ("SET size(a) = :s", "(", "size(a"),
        ("SET :s = a", ":s", "SET :s ="),
        ("SET (a) = :s", "(", "SET (a"),
    ] {
        let expected = format!("Syntax error; token: \"{token}\", near: \"{near}\"");
        assert_eq!(refusal(text), expected, "{text}");
    }
    assert_eq!(refusal(""), "The expression can not be empty;");
    assert_eq!(
        refusal(&format!("SET {} = :s", "a".repeat(4088))),
        "Expression size has exceeded the maximum allowed size;"
    );
}

#[test]
fn each_section_stands_there_once() {
    for (text, section) in [
        ("SET a = :s SET b = :s", "SET"),
        ("REMOVE a SET b = :s REMOVE c", "REMOVE"),
        ("add a :n Add b :n", "ADD"),
        ("DELETE a :ss DELETE a :ss", "DELETE"),
    ] {
        let expected =
            format!("The \"{section}\" section can only be used once in an update expression;");
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn words_and_placeholders() {
    for (text, what) in [
        (
            "SET abort = :s",
            "Attribute name is a reserved keyword; reserved keyword: abort",
        ),
        (
            "REMOVE a.b.name",
            "Attribute name is a reserved keyword; reserved keyword: name",
        ),
        (
            "SET a = :gone, b = name",
            "Attribute name is a reserved keyword; reserved keyword: name",
        ),
        ("SET a = hi(b)", "Invalid function name; function: hi"),
        (
            "SET a = contains(b, :s)",
            "The function is not allowed in an update expression; function: contains",
        ),
        (
            "SET a = size(b)",
            "The function is not allowed in an update expression; function: size",
        ),
        (
            "SET a = list_append(b)",
            "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1",
        ),
        (
            "SET a = if_not_exists(b, c, d)",
            "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 3",
        ),
        (
            "SET a = :gone",
            "An expression attribute value used in expression is not defined; attribute value: :gone",
        ),
        (
            "SET #gone = :gone",
            "An expression attribute name used in the document path is not defined; attribute name: #gone",
        ),
        (
            "SET a = :gone, b = #gone",
            "An expression attribute name used in the document path is not defined; attribute name: #gone",
        ),
        // Actions are read from the last to the first.
        (
            "SET a = :first REMOVE b ADD c :last",
            "An expression attribute value used in expression is not defined; attribute value: :last",
        ),
    ] {
        assert_eq!(refusal(text), what, "{text}");
    }
}

#[test]
fn paths_may_not_clash() {
    let clash = |word: &str, one: &str, two: &str| {
        format!(
            "Two document paths {word} with each other; must remove or rewrite one of these paths; path one: {one}, path two: {two}"
        )
    };
    for (text, expected) in [
        ("SET a.b = :s, a = :s", clash("overlap", "[a, b]", "[a]")),
        ("SET a = :s, a = :t", clash("overlap", "[a]", "[a]")),
        (
            "SET a = :s REMOVE a.b[1]",
            clash("overlap", "[a]", "[a, b, [1]]"),
        ),
        (
            "SET #d.x = :s ADD #d.x :n",
            clash("overlap", "[a.b, x]", "[a.b, x]"),
        ),
        (
            "SET a.b = :s, a[1] = :s",
            clash("conflict", "[a, b]", "[a, [1]]"),
        ),
        (
            "REMOVE l[1], l[1]",
            clash("overlap", "[l, [1]]", "[l, [1]]"),
        ),
        // Before values are looked at.
        ("SET a = :gone, a = :gone", clash("overlap", "[a]", "[a]")),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
    for text in [
        "SET a.b = :s, a.c = :s",
        "REMOVE l[1], l[2], m.l[1]",
        "SET a = b, b = a",
    ] {
        Update::parse(text, &mut usual()).expect(text);
    }
}

#[test]
fn constants_of_the_wrong_type() {
    for (section, value, found) in [
        ("ADD", ":s", "STRING"),
        ("ADD", ":b", "BINARY"),
        ("ADD", ":bool", "BOOLEAN"),
        ("ADD", ":null", "NULL"),
        ("ADD", ":l", "LIST"),
        ("ADD", ":m", "MAP"),
        ("DELETE", ":n", "NUMBER"),
        ("DELETE", ":s", "STRING"),
    ] {
        let expected = format!(
            "Incorrect operand type for operator or function; operator: {section}, operand type: {found}, typeSet: ALLOWED_FOR_{section}_OPERAND"
        );
        assert_eq!(refusal(&format!("{section} a {value}")), expected);
    }
    for (text, operator, found) in [
        ("SET a = b + :s", "+", "S"),
        ("SET a = :l - b", "-", "L"),
        ("SET a = (:ss + b)", "+", "SS"),
        ("SET a = list_append(:n, b)", "list_append", "N"),
        ("SET a = list_append(b, :ss)", "list_append", "SS"),
    ] {
        let expected = format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {found}"
        );
        assert_eq!(refusal(text), expected, "{text}");
    }
    for (text, what) in [
        (
            "SET a = if_not_exists(:s, b)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = if_not_exists(if_not_exists(n, :n), :one)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = if_not_exists(b.c, b.c)",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first operand: [b, c]",
        ),
    ] {
        assert_eq!(refusal(text), what, "{text}");
    }
}

#[test]
fn keys_cannot_be_changed() {
    for text in ["SET pk = :s", "REMOVE a, pk.x", "ADD pk :n"] {
        let update = Update::parse(text, &mut usual()).unwrap();
        assert_eq!(
            update.check_keys(["pk", "sk"]).unwrap_err().message,
            "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
            "{text}"
        );
        assert_eq!(update.check_keys(["sk"]), Ok(()));
    }
    let reads = Update::parse("SET a = pk", &mut usual()).unwrap();
    assert_eq!(reads.check_keys(["pk"]), Ok(()));
    let all: Vec<&str> = reads.attributes().map(|p| p.attribute.as_str()).collect();
    assert_eq!(all, ["a", "pk"]);
}
