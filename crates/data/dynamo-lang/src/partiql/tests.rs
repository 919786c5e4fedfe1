//! What statements mean, and what AWS says of wrong ones.

use super::*;
use crate::expression::values::*;
use crate::{AttributeValue, Item, SortCondition, Updated};

fn parse(text: &str) -> Statement {
    Statement::parse(text, &[]).expect(text)
}

fn refusal(text: &str) -> String {
    match Statement::parse(text, &[]) {
        Ok(_) => format!("accepted: {text}"),
        Err(error) => error.message,
    }
}

fn select(text: &str) -> Select {
    match parse(text) {
        Statement::Select(select) => select,
        other => panic!("{other:?}"),
    }
}

fn sample() -> Item {
    item([
        ("pk", s("1")),
        ("n", n("5")),
        ("s", s("it's")),
        ("ss", ss(&["a", "b", "c"])),
        ("nul", null()),
        ("flag", yes()),
        ("l", l([n("1"), l([n("2")])])),
        (
            "m",
            m([("sub", s("x")), ("a b", n("2")), ("k", l([s("p"), s("q")]))]),
        ),
        ("a.b", n("9")),
    ])
}

fn holds(condition: &str) -> bool {
    select(&format!("SELECT * FROM t WHERE {condition}"))
        .condition
        .eval(Some(&sample()))
}

#[test]
fn conditions_hold() {
    for text in [
        "n = 5",
        "n = 5.0e0",
        "n = .5e1",
        "n <> 6",
        "n != 6",
        "n > -1",
        "n >= +5",
        "5 < 6 AND n < 10",
        "s = 'it''s'",
        "\"s\" = 'it''s' AND \"a.b\" = 9",
        "m.sub = 'x'",
        "m.\"a b\" = 2",
        "m['a b'] = 2",
        "l[1][0] = 2",
        "n IN [4, 5]",
        "n IN (4, 5)",
        "n NOT IN [4]",
        "n BETWEEN 5 AND 6",
        "n NOT BETWEEN 6 AND 7",
        "nul IS NULL",
        "s IS NOT NULL",
        "gone IS MISSING",
        "n IS NOT MISSING",
        "flag IS BOOL",
        "s IS STRING",
        "NOT n = 6",
        "NOT NOT n = 5",
        "n = 6 OR n = 5 AND s <> 'x'",
        "(n = 6 OR n = 5) AND s <> 'x'",
        "NOT (n = 6 AND n = 5)",
        "((n = 5))",
        "(n) = (5)",
        "(n = 6 OR (n = 5 AND (s <> 'x')))",
        "(NOT n = 6 AND n = 5)",
        "begins_with(s, 'it')",
        "BEGINS_WITH(s, 'it')",
        "contains(ss, 'a')",
        "size(ss) = 3",
        "(size(ss)) > 2",
        "attribute_type(ss, 'SS')",
        "attribute_exists(m.sub)",
        "ATTRIBUTE_EXISTS(\"ss\")",
        "attribute_exists(ss) = true",
        "attribute_exists(gone) = false",
        "attribute_exists(gone) <> true",
        "NOT attribute_exists(gone)",
        "attribute_not_exists(m.gone)",
        "ss = <<'b', 'a', 'c'>>",
        "l = [1, [2]]",
        "m = {'sub': 'x', 'a b': 2, 'k': ['p', 'q']}",
        "flag = TRUE AND nul = null",
        "gone <> 1",
    ] {
        assert!(holds(text), "{text}");
    }
    for text in [
        "n = 6",
        "s IS NULL",
        "gone IS NULL",
        "n IS MISSING",
        "gone = 1",
        "s IS BOOL",
    ] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn parameters_stand_for_question_marks_in_order() {
    let text = "SELECT * FROM t WHERE a = ? AND b IN [?, 2] AND c IN ? AND d = '?'";
    let values = [s("x"), n("1"), l([n("3")]), s("unused")];
    let Statement::Select(select) = Statement::parse(text, &values).unwrap() else {
        panic!("{text}");
    };
    let row = item([("a", s("x")), ("b", n("1")), ("c", n("3")), ("d", s("?"))]);
    assert!(select.condition.eval(Some(&row)));
    assert_eq!(
        Statement::parse(text, &values[..2]).unwrap_err().message,
        "Number of parameters in request and statement don't match."
    );
}

#[test]
fn columns_are_answered_by_their_last_part() {
    for (columns, expected) in [
        ("*", sample()),
        ("n, gone, pk", item([("n", n("5")), ("pk", s("1"))])),
        (
            "m.k[1], l[0], m.sub",
            item([("k[1]", s("q")), ("l[0]", n("1")), ("sub", s("x"))]),
        ),
        ("\"a.b\"", item([("a.b", n("9"))])),
        ("gone", item([])),
    ] {
        let text = format!("SELECT {columns} FROM t");
        assert_eq!(select(&text).project(&sample()), expected, "{columns}");
    }
    assert_eq!(
        refusal("SELECT m.z, z FROM t"),
        "Duplicate identifiers in select clause: z"
    );
}

#[test]
fn sources_and_orders() {
    let found = select("select a from \"T-1\".\"by.name\" where a = 1 order by b desc, c asc;");
    assert_eq!(
        (found.table.as_str(), found.index.as_deref()),
        ("T-1", Some("by.name"))
    );
    assert_eq!(
        found.order_by,
        [("b".to_owned(), true), ("c".to_owned(), false)]
    );
    let commented = "-- first\nSELECT * /* all\n of it */ FROM t -- last";
    assert_eq!(select(commented).table, "t");
    assert!(parse(commented).is_read());
    let exists = parse("EXISTS(SELECT * FROM t WHERE pk = 1 AND a = 2)");
    assert!(matches!(&exists, Statement::Exists(select) if select.table == "t"));
    assert!(!exists.is_read());
}

#[test]
fn inserts_have_an_item() {
    let text = "INSERT INTO \"t\" VALUE {'pk': 'a', 'n': -1.50, 'l': [1, 'x', null], 'm': {'k': {}}, 'ns': <<1, 2>>, 'p': ?}";
    let Statement::Insert(insert) = Statement::parse(text, &[b(b"z")]).unwrap() else {
        panic!("{text}");
    };
    assert_eq!(insert.table, "t");
    let expected = item([
        ("pk", s("a")),
        ("n", n("-1.5")),
        ("l", l([n("1"), s("x"), null()])),
        ("m", m([("k", m([]))])),
        ("ns", ns(&["1", "2"])),
        ("p", b(b"z")),
    ]);
    assert_eq!(insert.item, expected);
}

fn updated(clauses: &str) -> Result<Updated, String> {
    let text = format!("UPDATE t {clauses} WHERE pk = '1' RETURNING ALL NEW *");
    match Statement::parse(&text, &[]).map_err(|error| error.message)? {
        Statement::Update(update) => {
            assert_eq!(update.returning, Some(Returning::AllNew));
            update
                .update
                .apply(Some(&sample()), &item([]))
                .map_err(|error| error.message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn updates_set_and_remove() {
    for (clauses, name, expected) in [
        ("SET a = 1", "a", Some(n("1"))),
        ("SET a = 1 SET b = 2 REMOVE n", "b", Some(n("2"))),
        ("SET a = 1, b = 2", "b", Some(n("2"))),
        ("REMOVE n", "n", None),
        ("REMOVE l[0]", "l", Some(l([l([n("2")])]))),
        ("SET n = n + 1", "n", Some(n("6"))),
        ("SET n = n - 1", "n", Some(n("4"))),
        ("SET a = m.k", "a", Some(l([s("p"), s("q")]))),
        (
            "SET l = list_append(l, [3])",
            "l",
            Some(l([n("1"), l([n("2")]), n("3")])),
        ),
        (
            "SET a = list_append(if_not_exists(gone, []), [3])",
            "a",
            Some(l([n("3")])),
        ),
        (
            "SET ss = set_add(ss, <<'z'>>)",
            "ss",
            Some(ss(&["a", "b", "c", "z"])),
        ),
        (
            "SET ss = SET_DELETE(ss, <<'a', 'q'>>)",
            "ss",
            Some(ss(&["b", "c"])),
        ),
        ("SET ss = set_delete(ss, <<'a', 'b', 'c'>>)", "ss", None),
        (
            "SET fresh = set_add(fresh, <<1>>)",
            "fresh",
            Some(ns(&["1"])),
        ),
        ("SET fresh = set_delete(fresh, <<1>>)", "fresh", None),
    ] {
        let after = updated(clauses).expect(clauses);
        assert_eq!(after.item.get(name).cloned(), expected, "{clauses}");
    }
    let type_error = "An operand in the update expression has an incorrect data type";
    for clauses in [
        "SET ss = set_add(ss, <<1>>)",
        "SET s = set_add(s, <<'x'>>)",
        "SET n = s + 1",
    ] {
        assert_eq!(updated(clauses).unwrap_err(), type_error, "{clauses}");
    }
    assert!(
        updated("SET m.sub = 1 REMOVE m")
            .unwrap_err()
            .starts_with("Two document paths overlap")
    );
}

#[test]
fn other_forms_of_writes() {
    let from_first =
        parse("FROM \"t\" WHERE pk = '1' AND a = 1 SET c = 1 REMOVE d RETURNING MODIFIED OLD *");
    let Statement::Update(update) = from_first else {
        panic!("no update");
    };
    assert_eq!(update.update.touched().count(), 2);
    assert_eq!(update.condition.attributes().count(), 2);
    assert_eq!(update.returning, Some(Returning::ModifiedOld));
    let Statement::Delete(delete) = parse("DELETE FROM t WHERE pk = 1 RETURNING ALL OLD *") else {
        panic!("no delete");
    };
    assert_eq!(
        (delete.table.as_str(), delete.returning),
        ("t", Some(Returning::AllOld))
    );
}

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
    let text = update("ss = set_add(ss, ['x'])");
    let place = text.find("set_add(").unwrap() + "set_add(".len() + 1;
    assert_eq!(
        refusal(&text),
        format!("The second argument to SET_ADD must be a value with type SET at 1:{place}:2")
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

fn plan(condition: &str, hash: &[&str], range: &[&str]) -> Result<KeyPlan, String> {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let condition = select(&format!("SELECT * FROM t WHERE {condition}")).condition;
    plan_keys(&condition, &names(hash), &names(range)).map_err(|error| error.message)
}

#[test]
fn full_keys_are_found() {
    for (condition, expected, left) in [
        ("pk = 1 AND sk = 2", vec![("1", "2")], 0),
        ("2 = sk AND (pk = 1) AND a = 3", vec![("1", "2")], 1),
        (
            "pk IN [1, 2, 1] AND sk = 2",
            vec![("1", "2"), ("2", "2")],
            0,
        ),
        (
            "a > 1 AND pk = 1 AND sk IN [3, 2] AND b = 1",
            vec![("1", "3"), ("1", "2")],
            2,
        ),
        (
            "pk = 1 AND sk = 2 AND (a = 1 OR b = 2)",
            vec![("1", "2")],
            2,
        ),
    ] {
        let Ok(KeyPlan::Items { keys, rest }) = plan(condition, &["pk"], &["sk"]) else {
            panic!("{condition}");
        };
        let wanted: Vec<Item> = expected
            .iter()
            .map(|(pk, sk)| item([("pk", n(pk)), ("sk", n(sk))]))
            .collect();
        assert_eq!(keys, wanted, "{condition}");
        assert_eq!(rest.attributes().count(), left, "{condition}");
    }
}

#[test]
fn what_is_left_still_means_the_same() {
    let condition = "pk = '1' AND (n = 6 OR n = 5) AND NOT s = 'x' AND n > 1";
    let Ok(KeyPlan::Items { rest, .. }) = plan(condition, &["pk"], &[]) else {
        panic!("no items");
    };
    assert!(rest.eval(Some(&sample())));
    assert!(!rest.eval(Some(&item([("n", n("5")), ("s", s("x"))]))));
    assert!(!rest.eval(Some(&item([("n", n("7"))]))));
}

#[test]
fn partitions_are_found() {
    use SortCondition::*;
    for (condition, range, left) in [
        ("pk = 1", None, 0),
        ("pk = 1 AND a = 2", None, 1),
        ("pk = 1 AND sk > 2", Some(Gt(n("2"))), 0),
        ("2 > sk AND pk = 1", Some(Lt(n("2"))), 0),
        (
            "pk = 1 AND sk BETWEEN 1 AND 2",
            Some(Between(n("1"), n("2"))),
            0,
        ),
        (
            "pk = 1 AND begins_with(sk, 'a')",
            Some(BeginsWith(s("a"))),
            0,
        ),
        ("pk = 1 AND sk <> 2", None, 1),
        ("pk = 1 AND NOT sk = 2", None, 1),
        ("pk = 1 AND sk.x = 2", None, 1),
    ] {
        let Ok(KeyPlan::Partitions { queries, rest }) = plan(condition, &["pk"], &["sk"]) else {
            panic!("{condition}");
        };
        assert_eq!(queries.len(), 1);
        assert_eq!(queries[0].hash, [("pk".to_owned(), n("1"))]);
        let wanted = range.map(|range| ("sk".to_owned(), range));
        assert_eq!(queries[0].range, wanted, "{condition}");
        assert_eq!(rest.attributes().count(), left, "{condition}");
    }
    let Ok(KeyPlan::Partitions { queries, .. }) = plan(
        "h = 1 AND g IN [1, 2] AND a = 1 AND b = 2",
        &["h", "g"],
        &["a", "b", "c"],
    ) else {
        panic!("no partitions");
    };
    assert_eq!(queries.len(), 2);
    assert_eq!(
        queries[1].hash,
        [("h".to_owned(), n("1")), ("g".to_owned(), n("2"))]
    );
    assert_eq!(queries[0].range_equals, [("a".to_owned(), n("1"))]);
    assert_eq!(queries[0].range, Some(("b".to_owned(), Eq(n("2")))));
}

#[test]
fn everything_else_is_a_scan() {
    for condition in [
        "a = 1",
        "pk > 1",
        "pk = 1 OR pk = 2",
        "NOT pk = 1",
        "pk = a",
        "sk = 1",
    ] {
        assert_eq!(
            plan(condition, &["pk"], &["sk"]),
            Ok(KeyPlan::Scan),
            "{condition}"
        );
    }
    let no_where = select("SELECT * FROM t").condition;
    assert_eq!(
        plan_keys(&no_where, &["pk".to_owned()], &[]),
        Ok(KeyPlan::Scan)
    );
    let list = |count: usize| vec!["1"; count].join(",");
    let too_many = "Too many decomposed read operations for a given query.";
    assert_eq!(
        plan(&format!("pk IN [{}]", list(51)), &["pk"], &[]).unwrap_err(),
        too_many
    );
    let both = format!("pk IN [{}] AND sk IN [1, 2]", list(26));
    assert_eq!(plan(&both, &["pk"], &["sk"]).unwrap_err(), too_many);
    assert!(plan(&format!("pk IN [{}]", list(50)), &["pk"], &[]).is_ok());
}

#[test]
fn a_statement_survives_being_sent() {
    for text in [
        "SELECT a.b[1] FROM t.i WHERE a = 1 AND NOT b IN ['x'] ORDER BY c DESC",
        "INSERT INTO t VALUE {'pk': <<1>>}",
        "UPDATE t SET a = a + 1 REMOVE b[0] WHERE pk = 1 RETURNING MODIFIED NEW *",
        "DELETE FROM t WHERE pk = 1",
        "EXISTS(SELECT * FROM t WHERE pk = 1)",
    ] {
        let statement = parse(text);
        let bytes = postcard::to_stdvec(&statement).unwrap();
        assert_eq!(
            postcard::from_bytes::<Statement>(&bytes).unwrap(),
            statement
        );
    }
}

#[test]
fn a_parameter_may_be_a_set_of_binaries() {
    let values: [AttributeValue; 1] = [bs(&[b"x"])];
    let text = "UPDATE t SET bs = set_add(bs, ?) WHERE pk = 1";
    assert!(Statement::parse(text, &values).is_ok());
}
