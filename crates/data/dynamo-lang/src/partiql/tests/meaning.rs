//! Conditions, columns, items and updates.

use super::*;
use crate::{AttributeValue, Updated};

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
