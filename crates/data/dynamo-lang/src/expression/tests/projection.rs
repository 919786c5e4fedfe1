//! Projections.

use super::*;

fn project(text: &str) -> Item {
    let sample = item([
        ("pk", s("1")),
        (
            "l",
            l([
                n("0"),
                n("1"),
                l([n("2"), n("3")]),
                m([("a", n("4")), ("b", n("5"))]),
            ]),
        ),
        (
            "m",
            m([
                ("x", n("6")),
                ("y", m([("z", n("7"))])),
                ("l", l([s("p"), s("q")])),
            ]),
        ),
    ]);
    let mut placeholders = with(&[("#x", "x"), ("#m", "m")], &[]);
    Projection::parse(text, &mut placeholders)
        .expect(text)
        .project(&sample)
}

fn refusal(text: &str) -> String {
    Projection::parse(text, &mut with(&[("#x", "x")], &[]))
        .unwrap_err()
        .message
        .strip_prefix("Invalid ProjectionExpression: ")
        .unwrap()
        .to_owned()
}

#[test]
fn parts_keep_the_structure_they_stand_in() {
    for (text, expected) in [
        ("pk", item([("pk", s("1"))])),
        ("gone, pk", item([("pk", s("1"))])),
        ("gone", item([])),
        ("m.x", item([("m", m([("x", n("6"))]))])),
        (
            "#m.#x, pk",
            item([("m", m([("x", n("6"))])), ("pk", s("1"))]),
        ),
        (
            "m.y.z, m.x",
            item([("m", m([("x", n("6")), ("y", m([("z", n("7"))]))]))]),
        ),
        ("m.gone", item([])),
        ("m.gone, m.x", item([("m", m([("x", n("6"))]))])),
        ("m[0]", item([])),
        ("l.a", item([])),
        ("l[1]", item([("l", l([n("1")]))])),
        (
            "l[2], l[0]",
            item([("l", l([n("0"), l([n("2"), n("3")])]))]),
        ),
        ("l[100]", item([])),
        ("l[100], l[1]", item([("l", l([n("1")]))])),
        (
            "l[3].b, l[2][1]",
            item([("l", l([l([n("3")]), m([("b", n("5"))])]))]),
        ),
        ("m.l[1]", item([("m", m([("l", l([s("q")]))]))])),
    ] {
        assert_eq!(project(text), expected, "{text}");
    }
}

#[test]
fn what_is_refused() {
    for (text, what) in [
        ("", "The expression can not be empty;"),
        ("a,", "Syntax error; token: \"<EOF>\", near: \",\""),
        ("a b", "Syntax error; token: \"b\", near: \"a b\""),
        ("a, (b)", "Syntax error; token: \"(\", near: \", (b\""),
        ("a..b", "Syntax error; token: \".\", near: \"..b\""),
        ("l[a]", "Syntax error; token: \"a\", near: \"[a]\""),
        ("a, :v", "Syntax error; token: \":v\", near: \", :v\""),
        (
            "a, abort",
            "Attribute name is a reserved keyword; reserved keyword: abort",
        ),
        (
            "#y, abort",
            "Attribute name is a reserved keyword; reserved keyword: abort",
        ),
        (
            "a, #y",
            "An expression attribute name used in the document path is not defined; attribute name: #y",
        ),
        (
            "x, #x",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: [x]",
        ),
        (
            "b, a.b.c, c, a",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b, c], path two: [a]",
        ),
        (
            "a.b, a[1]",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]",
        ),
    ] {
        assert_eq!(refusal(text), what, "{text}");
    }
    assert_eq!(
        refusal(&"a".repeat(4097)),
        "Expression size has exceeded the maximum allowed size;"
    );
}

#[test]
fn top_level_names_come_once() {
    let projection = Projection::parse("b.c, a[1], b.d, a[0]", &mut with(&[], &[])).unwrap();
    assert_eq!(projection.top_level().collect::<Vec<_>>(), ["a", "b"]);
}
