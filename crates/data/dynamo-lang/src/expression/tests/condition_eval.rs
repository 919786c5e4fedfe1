//! What conditions say of items.

use super::*;

fn sample() -> Item {
    item([
        ("s", s("hello")),
        ("t", s("hello")),
        ("n", n("5")),
        ("b", b(&[1, 2, 255])),
        ("ss", ss(&["a", "b"])),
        ("ns", ns(&["1", "2.5"])),
        ("bs", bs(&[b"x", b"y"])),
        ("bool", yes()),
        ("nothing", null()),
        ("l", l([n("1"), s("x"), l([n("2")]), m([("k", n("3"))])])),
        ("m", m([("k", m([("deep", s("found"))])), ("a.b", n("7"))])),
        ("a.b", n("9")),
    ])
}

fn holds(text: &str) -> bool {
    let values = [
        (":hello", s("hello")),
        (":h", s("h")),
        (":z", s("z")),
        (":ell", s("ell")),
        (":empty", s("")),
        (":a", s("a")),
        (":n1", n("1")),
        (":n2", n("2")),
        (":n3", n("3")),
        (":n4", n("4")),
        (":n5", n("5.0")),
        (":n7", n("7")),
        (":n9", n("9")),
        (":half", n("2.50")),
        (":b", b(&[1, 2])),
        (":bb", b(&[2, 255])),
        (":x", b(b"x")),
        (":true", yes()),
        (":null", null()),
        (":ss", ss(&["b", "a"])),
        (":l", l([n("2")])),
        (":m", m([("k", n("3"))])),
        (":S", s("S")),
        (":N", s("N")),
        (":NULL", s("NULL")),
        (":BOOL", s("BOOL")),
        (":L", s("L")),
    ];
    let names = [("#dot", "a.b"), ("#m", "m")];
    let mut placeholders = with(&names, &values);
    Condition::parse(ConditionKind::Condition, text, &mut placeholders)
        .expect(text)
        .eval(Some(&sample()))
}

#[test]
fn what_holds() {
    for text in [
        "s = :hello",
        "s = t",
        "n = :n5",
        "s <> :h",
        "absent <> :h",
        "absent <> gone",
        "n <> s",
        "n < :n9",
        "n <= :n5",
        "n >= :n5",
        "n > :n1",
        ":n1 < n",
        "s > :h",
        "b > :b",
        "bool = :true",
        "nothing = :null",
        "ss = :ss",
        "l[2] = :l",
        "l[3] = :m",
        "n BETWEEN :n5 AND :n5",
        "n BETWEEN :n1 AND :n9",
        ":n3 BETWEEN l[0] AND n",
        "s BETWEEN :h AND :z",
        "n IN (:h, :n5)",
        "s IN (n, t)",
        "attribute_exists(s)",
        "attribute_exists(m.k.deep)",
        "attribute_exists(#m.#dot)",
        "attribute_not_exists(absent)",
        "attribute_not_exists(m.absent.deep)",
        "attribute_not_exists(l[4])",
        "attribute_not_exists(s.k)",
        "attribute_not_exists(s[0])",
        "attribute_not_exists(m[0])",
        "attribute_exists(nothing)",
        "attribute_type(s, :S)",
        "attribute_type(nothing, :NULL)",
        "attribute_type(bool, :BOOL)",
        "attribute_type(l[2], :L)",
        "begins_with(s, :h)",
        "begins_with(s, :empty)",
        "begins_with(b, :b)",
        "begins_with(:hello, :h)",
        "contains(s, :ell)",
        "contains(s, :empty)",
        "contains(b, :bb)",
        "contains(ss, :a)",
        "contains(ns, :half)",
        "contains(bs, :x)",
        "contains(l, :n1)",
        "contains(l, :l)",
        "contains(l, :m)",
        "size(s) = :n5",
        "size(b) = :n3",
        "size(ss) = :n2",
        "size(ns) = :n2",
        "size(l) = :n4",
        "size(m) = :n2",
        "size(:hello) = n",
        "size(s) = n",
        "size(l) < size(s)",
        "size(n) <> :n1",
        "size(l) BETWEEN :n1 AND n",
        "size(l) IN (:n1, :n4)",
        "#dot = :n9",
        "#m.#dot = :n7",
        "l[3].k = :n3",
        "l[2][0] = :n2",
    ] {
        assert!(holds(text), "{text}");
        assert!(!holds(&format!("NOT ({text})")), "NOT ({text})");
    }
}

#[test]
fn what_does_not_hold() {
    for text in [
        "s = :h",
        "s = n",
        "absent = :h",
        "absent = gone",
        "s <> t",
        "n <> :n5",
        "n < :n5",
        "n < s",
        "absent < :n5",
        "absent >= :n5",
        "bool < n",
        "ss > s",
        "l[0] > s",
        "n BETWEEN :n7 AND :n9",
        "n BETWEEN s AND :n9",
        "absent BETWEEN :n1 AND :n9",
        "n BETWEEN :n1 AND absent",
        "n IN (:h, absent)",
        "absent IN (:h, gone)",
        "attribute_exists(absent)",
        "attribute_exists(l[100])",
        "attribute_not_exists(s)",
        "attribute_type(s, :N)",
        "attribute_type(absent, :S)",
        "begins_with(s, :ell)",
        "begins_with(n, :h)",
        "begins_with(absent, :h)",
        "begins_with(s, b)",
        "contains(s, :z)",
        "contains(ss, :ell)",
        "contains(ns, :n3)",
        "contains(n, :n5)",
        "contains(absent, :h)",
        "contains(l, absent)",
        "contains(m, :h)",
        "contains(s, n)",
        "size(n) = :n1",
        "size(nothing) < :n1",
        "size(bool) > :n1",
        "size(absent) = :n1",
    ] {
        assert!(!holds(text), "{text}");
        assert!(holds(&format!("NOT ({text})")), "NOT ({text})");
    }
}

#[test]
fn not_binds_closest_then_and_then_or() {
    let truth = |text: &str| {
        let text = text
            .replace('Y', "attribute_exists(n)")
            .replace('F', "attribute_exists(absent)");
        holds(&text)
    };
    for (text, expected) in [
        ("Y OR F AND F", true),
        ("(Y OR F) AND F", false),
        ("NOT Y OR Y", true),
        ("NOT (Y OR Y)", false),
        ("NOT F AND F", false),
        ("NOT (F AND F)", true),
        ("NOT NOT Y", true),
        ("NOT NOT NOT Y", false),
        ("F OR F OR Y", true),
        ("Y AND Y AND F", false),
        ("F AND F OR Y AND Y", true),
        ("F AND (F OR Y) AND Y", false),
        ("NOT (NOT Y AND Y)", true),
        ("Y and not F or F", true),
    ] {
        assert_eq!(truth(text), expected, "{text}");
    }
    assert!(holds(
        "NOT n = :n1 AND n BETWEEN :n1 AND :n9 AND s IN (:hello)"
    ));
}

#[test]
fn without_an_item_there_are_no_attributes() {
    for (text, expected) in [
        ("attribute_exists(a)", false),
        ("attribute_not_exists(a)", true),
        ("a = :s", false),
        ("a <> :s", true),
        (":s = :s", true),
        ("size(:s) = :one", true),
    ] {
        let condition = Condition::parse(ConditionKind::Condition, text, &mut usual()).unwrap();
        assert_eq!(condition.eval(None), expected, "{text}");
    }
}

#[test]
fn size_of_text_is_counted_as_java_does() {
    let condition = |size: &str| {
        let mut placeholders = with(&[], &[(":n", n(size))]);
        Condition::parse(ConditionKind::Filter, "size(a) = :n", &mut placeholders).unwrap()
    };
    assert!(condition("2").eval(Some(&item([("a", s("éß"))]))));
    assert!(condition("2").eval(Some(&item([("a", s("😀"))]))));
}

#[test]
fn strings_are_ordered_by_their_bytes() {
    let mut placeholders = with(&[], &[(":v", s("z"))]);
    let condition = Condition::parse(ConditionKind::Filter, "a > :v", &mut placeholders).unwrap();
    assert!(condition.eval(Some(&item([("a", s("¿"))]))));
    assert!(!condition.eval(Some(&item([("a", s("Z"))]))));
}

#[test]
fn all_paths_are_told() {
    let text = "a = b.c AND d IN (e, :s) AND size(f) BETWEEN g AND h OR NOT contains(#n, i) AND attribute_exists(j)";
    let condition = Condition::parse(ConditionKind::Filter, text, &mut usual()).unwrap();
    let names: Vec<&str> = condition
        .attributes()
        .map(|p| p.attribute.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "d", "e", "f", "g", "h", "name", "i", "j"]);
}

#[test]
fn keys_are_refused_in_filters_and_as_documents() {
    let filter =
        Condition::parse(ConditionKind::Filter, "a = :s AND b.c = :n", &mut usual()).unwrap();
    let refusal = |keys: &[&str]| {
        filter
            .check_filter_keys("Filter Expression", keys)
            .unwrap_err()
    };
    assert_eq!(
        refusal(&["pk", "b"]).message,
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: b"
    );
    assert_eq!(
        filter.check_filter_keys("QueryFilter", &["pk", "c"]),
        Ok(())
    );
    assert_eq!(check_scalar_keys(filter.attributes(), &["a", "c"]), Ok(()));
    assert_eq!(
        check_scalar_keys(filter.attributes(), &["b"])
            .unwrap_err()
            .message,
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: b"
    );
}

#[test]
fn a_condition_survives_being_sent() {
    let text = "NOT (a = :s AND #n IN (:n, :m)) OR attribute_type(l[1].k, :type)";
    let condition = Condition::parse(ConditionKind::Filter, text, &mut usual()).unwrap();
    let bytes = postcard::to_stdvec(&condition).unwrap();
    assert_eq!(
        postcard::from_bytes::<Condition>(&bytes).unwrap(),
        condition
    );
}
