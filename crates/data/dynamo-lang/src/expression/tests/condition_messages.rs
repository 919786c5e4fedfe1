//! What AWS says of conditions that it refuses.

use super::*;

fn refusal(text: &str) -> String {
    match Condition::parse(ConditionKind::Condition, text, &mut usual()) {
        Ok(_) => format!("accepted: {text}"),
        Err(error) => error
            .message
            .strip_prefix("Invalid ConditionExpression: ")
            .unwrap()
            .to_owned(),
    }
}

fn accepted(text: &str) {
    Condition::parse(ConditionKind::Condition, text, &mut usual()).expect(text);
}

#[test]
fn the_message_names_the_parameter() {
    for (kind, name) in [
        (ConditionKind::Condition, "ConditionExpression"),
        (ConditionKind::Filter, "FilterExpression"),
    ] {
        let error = Condition::parse(kind, "", &mut usual()).unwrap_err();
        let expected = format!("Invalid {name}: The expression can not be empty;");
        assert_eq!(error.message, expected);
    }
}

#[test]
fn size_is_limited_to_4096_bytes() {
    accepted(&format!("{} = :s", "a".repeat(4091)));
    assert_eq!(
        refusal(&format!("{} = :s", "a".repeat(4092))),
        "Expression size has exceeded the maximum allowed size; expression size: 4097"
    );
    // Bytes, and checked before anything else.
    assert_eq!(
        refusal(&"é".repeat(2049)),
        "Expression size has exceeded the maximum allowed size; expression size: 4098"
    );
}

#[test]
fn syntax_errors_name_the_token_and_its_neighbours() {
    for (text, token, near) in [
        ("things are not gonna be ok", "are", "things are not"),
        ("a > 4", "4", "> 4"),
        ("a", "<EOF>", "a"),
        ("a =", "<EOF>", "="),
        ("= a", "=", "= a"),
        ("a = :s b", "b", ":s b"),
        ("pk = !!", "!", "= !!"),
        ("attribute_type()", ")", "()"),
        ("a = :s AND", "<EOF>", "AND"),
        ("(a = :s", "<EOF>", ":s"),
        ("a = :s)", ")", ":s)"),
        ("()", ")", "()"),
        ("a.b. = :s", "=", ". = :s"),
        ("a[x] = :s", "x", "[x]"),
        ("a[01] = :s", "1", "01]"),
        ("a[1 = :s", "=", "1 = :s"),
        ("a[-1] = :s", "-", "[-1"),
        ("a IN :s", ":s", "IN :s"),
        ("a IN ()", ")", "()"),
        ("a BETWEEN :s OR :t", "OR", ":s OR :t"),
        ("a = NOT b", "NOT", "= NOT b"),
        ("(size(a))[0] > a", "[", ")[0"),
        ("a = :s = b", "=", ":s = b"),
        ("(a = :s) = b", "=", ") = b"),
        ("(a) AND b = :s", "AND", ") AND b"),
        ("_a = :s", "_", "_a"),
        ("# = :s", "#", "# ="),
        (": = :s", ":", ": ="),
        ("a + b = :s", "+", "a + b"),
        ("set = :s", "set", "set ="),
        ("remove = :s", "remove", "remove ="),
        ("a == :s", "=", "=="),
        ("a = é", "é", "= é"),
        ("a = :s;", ";", ":s;"),
    ] {
        let near = match text {
            "a == :s" => "== :s",
            _ => near,
        };
        let expected = format!("Syntax error; token: \"{token}\", near: \"{near}\"");
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn parentheses_may_not_be_doubled() {
    for text in [
        "((a = :s))",
        "((a)) = :s",
        "a = ((:s))",
        "((a = :s)) AND",
        "a IN (((b)))",
        "NOT ((a = :s))",
        "begins_with(((a)), :s)",
        "(((((a = :s)))))",
    ] {
        assert_eq!(
            refusal(text),
            "The expression has redundant parentheses;",
            "{text}"
        );
    }
    for text in [
        "(a = :s)",
        "(a) = (:s)",
        "((a = :s) AND (b = :s))",
        "((a) = :s)",
        "(size(a)) < :n",
        "NOT (attribute_exists(a))",
        "(attribute_exists(a)) AND (size(a) > b)",
        "(a) IN ((b), (c))",
        "(a) BETWEEN (:n) AND (b)",
        "begins_with((a), (:s))",
        "(((a = :s) OR b = :s) AND c = :s)",
    ] {
        accepted(text);
    }
}

#[test]
fn words_are_checked_in_the_order_of_the_text() {
    for (text, what) in [
        (
            "name = :s",
            "Attribute name is a reserved keyword; reserved keyword: name",
        ),
        (
            "a.Count = :s",
            "Attribute name is a reserved keyword; reserved keyword: Count",
        ),
        (
            "a[2147483648] = :s",
            "List index is not within the allowable range; index: [2147483648]",
        ),
        (
            "a[99999999999999999999] = :s",
            "List index is not within the allowable range; index: [99999999999999999999]",
        ),
        ("hi(a)", "Invalid function name; function: hi"),
        ("SIZE(a) > :n", "Invalid function name; function: SIZE"),
        ("hi(name)", "Invalid function name; function: hi"),
        (
            "b = name AND hi(a)",
            "Attribute name is a reserved keyword; reserved keyword: name",
        ),
        ("hi(a) AND b = name", "Invalid function name; function: hi"),
        (
            "size(a)",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "NOT size(a) AND b = :s",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "size(contains(a, :s)) = :n",
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        (
            "attribute_exists(a) = :bool",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "if_not_exists(a, b)",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        (
            "size(:undefined, :undefined) = name",
            "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2",
        ),
        (
            "contains(a)",
            "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1",
        ),
        (
            "begins_with(a, b, c)",
            "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 3",
        ),
        (
            "attribute_not_exists(a, b)",
            "Incorrect number of operands for operator or function; operator or function: attribute_not_exists, number of operands: 2",
        ),
    ] {
        assert_eq!(refusal(text), what, "{text}");
    }
    accepted("a[2147483647] = :s");
}

#[test]
fn placeholders_must_be_defined() {
    for (text, what) in [
        (
            "#x = :s",
            "An expression attribute name used in the document path is not defined; attribute name: #x",
        ),
        (
            "a.#x[1] = :s",
            "An expression attribute name used in the document path is not defined; attribute name: #x",
        ),
        (
            "a = :x",
            "An expression attribute value used in expression is not defined; attribute value: :x",
        ),
        (
            "a = :x AND #x = :s",
            "An expression attribute value used in expression is not defined; attribute value: :x",
        ),
        // Words come first, wherever they stand.
        (
            "a = :x AND name = :s",
            "Attribute name is a reserved keyword; reserved keyword: name",
        ),
        // Then what is wrong first in the text.
        (
            "begins_with(a, :n) AND b = :x",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "b = :x AND begins_with(a, :n)",
            "An expression attribute value used in expression is not defined; attribute value: :x",
        ),
    ] {
        assert_eq!(refusal(text), what, "{text}");
    }
}

#[test]
fn the_first_operand_is_another_than_the_rest() {
    for (text, operator, operand) in [
        ("a = a", "=", "[a]"),
        ("a.b[1] <> a.b[1]", "<>", "[a, b, [1]]"),
        ("#n < #n", "<", "[name]"),
        ("a BETWEEN b AND a", "BETWEEN", "[a]"),
        ("a IN (b, a)", "IN", "[a]"),
        ("contains(a, a)", "contains", "[a]"),
        ("begins_with(a, a)", "begins_with", "[a]"),
        ("(a) >= (a)", ">=", "[a]"),
    ] {
        let expected = format!(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: {operator}, first operand: {operand}"
        );
        assert_eq!(refusal(text), expected, "{text}");
    }
    for text in [
        ":s = :s",
        "a = b",
        "a BETWEEN b AND b",
        "a.b = #d",
        "a[0] = a[1]",
    ] {
        accepted(text);
    }
}

#[test]
fn constants_of_the_wrong_type_are_found_without_an_item() {
    let type_error = |operator: &str, found: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {found}"
        )
    };
    for operator in ["<", "<=", ">", ">="] {
        for (value, found) in [
            (":bool", "BOOL"),
            (":null", "NULL"),
            (":ss", "SS"),
            (":ns", "NS"),
            (":bs", "BS"),
            (":l", "L"),
            (":m", "M"),
        ] {
            assert_eq!(
                refusal(&format!("a {operator} {value}")),
                type_error(operator, found)
            );
            assert_eq!(
                refusal(&format!("{value} {operator} a")),
                type_error(operator, found)
            );
            accepted(&format!("a = {value}"));
            accepted(&format!("a <> {value}"));
        }
    }
    for (text, operator, found) in [
        ("a BETWEEN :bool AND :bool", "BETWEEN", "BOOL"),
        ("a BETWEEN b AND :l", "BETWEEN", "L"),
        (":m BETWEEN b AND c", "BETWEEN", "M"),
        ("begins_with(a, :n)", "begins_with", "N"),
        ("begins_with(:ss, a)", "begins_with", "SS"),
        ("begins_with(a, size(b))", "begins_with", "N"),
        ("size(:n) > a", "size", "N"),
        ("size(:bool) > a", "size", "BOOL"),
        ("size(:null) > a", "size", "NULL"),
        ("size(size(a)) > b", "size", "N"),
        ("attribute_type(a, :n)", "attribute_type", "N"),
        ("attribute_type(a, size(b))", "attribute_type", "N"),
        ("NOT (a > :bool)", ">", "BOOL"),
    ] {
        assert_eq!(refusal(text), type_error(operator, found), "{text}");
    }
    for text in [
        "contains(a, :n)",
        "contains(:s, a)",
        "size(:m) > a",
        "a IN (:bool, :m)",
    ] {
        accepted(text);
    }
}

#[test]
fn some_functions_need_a_path_or_a_type() {
    for function in [
        "attribute_exists(:s)",
        "attribute_not_exists((:s))",
        "attribute_exists(size(a))",
    ] {
        let name = function.split('(').next().unwrap();
        let expected =
            format!("Operator or function requires a document path; operator or function: {name}");
        assert_eq!(refusal(function), expected, "{function}");
    }
    assert_eq!(
        refusal("attribute_type(:s, :type)"),
        "Operator or function requires a document path; operator or function: attribute_type"
    );
    assert_eq!(
        refusal("attribute_type(a, :notype)"),
        "Invalid attribute type name found; type: STRING, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
    );
    assert!(refusal("attribute_type(a, b)").starts_with(
        "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {S,SS,"
    ));
    accepted("attribute_type(a, :type)");
}

#[test]
fn bounds_are_of_one_type_and_in_order() {
    let bounds = |low: AttributeValue, high: AttributeValue| {
        let mut placeholders = with(&[], &[(":l", low), (":h", high)]);
        let text = "a BETWEEN :l AND :h";
        Condition::parse(ConditionKind::Filter, text, &mut placeholders)
            .map(|_| ())
            .map_err(|error| error.message)
    };
    let error = |requires: &str, low: &str, high: &str| {
        Err(format!(
            "Invalid FilterExpression: The BETWEEN operator requires {requires}; lower bound operand: AttributeValue: {{{low}}}, upper bound operand: AttributeValue: {{{high}}}"
        ))
    };
    let order = "upper bound to be greater than or equal to lower bound";
    assert_eq!(bounds(n("5"), n("1")), error(order, "N:5", "N:1"));
    assert_eq!(bounds(s("b"), s("a")), error(order, "S:b", "S:a"));
    let same = "same data type for lower and upper bounds";
    assert_eq!(bounds(n("1"), s("a")), error(same, "N:1", "S:a"));
    assert_eq!(bounds(n("5"), n("5")), Ok(()));
    assert_eq!(bounds(b(b"a"), b(b"b")), Ok(()));
}

#[test]
fn in_takes_100_operands_and_an_expression_300_operators() {
    let list = |count: usize| format!("a IN ({})", vec![":s"; count].join(","));
    accepted(&list(100));
    assert_eq!(
        refusal(&list(101)),
        "The IN operator is provided with too many operands; number of operands: 101"
    );
    let chain = |count: usize| vec!["a<b"; count].join(" OR ");
    accepted(&chain(150));
    assert_eq!(
        refusal(&chain(151)),
        "The expression contains too many operators; operator count: 301"
    );
    // Calls and parentheses are no operators.
    accepted(&vec!["(size(a)<b)"; 150].join("AND"));
}

#[test]
fn paths_have_32_steps_at_most() {
    let path = |steps: usize| format!("{} = :s", vec!["a"; steps].join("."));
    accepted(&path(32));
    assert_eq!(
        refusal(&path(33)),
        "The document path has too many nesting levels; nesting levels: 33"
    );
}
