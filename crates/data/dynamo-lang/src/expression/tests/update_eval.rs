//! What updates make of items.

use super::*;

fn sample() -> Item {
    item([
        ("pk", s("1")),
        ("n", n("5")),
        ("s", s("text")),
        ("ss", ss(&["a", "b"])),
        ("ns", ns(&["1", "2"])),
        ("l", l([n("0"), n("1"), n("2"), n("3")])),
        ("m", m([("x", n("6")), ("l", l([s("p"), l([s("q")])]))])),
    ])
}

fn placeholders() -> Placeholders {
    with(
        &[("#n", "n")],
        &[
            (":v", s("new")),
            (":w", s("other")),
            (":one", n("1")),
            (":ten", n("10")),
            (":big", n("9.9e125")),
            (":l", l([s("new")])),
            (":empty", l([])),
            (":ab", ss(&["a", "b"])),
            (":bc", ss(&["b", "c"])),
            (":ns", ns(&["3"])),
        ],
    )
}

fn update(text: &str, old: Option<&Item>) -> Result<Updated, String> {
    Update::parse(text, &mut placeholders())
        .expect(text)
        .apply(old, &item([("pk", s("1"))]))
        .map_err(|error| error.message)
}

fn changed(text: &str) -> Item {
    let updated = update(text, Some(&sample())).expect(text);
    assert!(updated.stored);
    updated.item
}

fn refusal(text: &str) -> String {
    update(text, Some(&sample())).unwrap_err()
}

const TYPE: &str = "An operand in the update expression has an incorrect data type";
const ABSENT: &str =
    "The provided expression refers to an attribute that does not exist in the item";
const PATH: &str = "The document path provided in the update expression is invalid for update";

#[test]
fn set_assigns() {
    for (text, name, expected) in [
        ("SET a = :v", "a", s("new")),
        ("SET n = :v", "n", s("new")),
        ("SET a = s", "a", s("text")),
        ("SET a = m.l[1][0]", "a", s("q")),
        ("SET n = #n + :one", "n", n("6")),
        ("SET n = :ten - n", "n", n("5")),
        ("SET a = (n + m.x)", "a", n("11")),
        ("SET a = if_not_exists(gone, :v)", "a", s("new")),
        ("SET a = if_not_exists(s, :v)", "a", s("text")),
        ("SET a = if_not_exists(s, gone)", "a", s("text")),
        (
            "SET a = if_not_exists(m.gone, if_not_exists(l[9], m.x))",
            "a",
            n("6"),
        ),
        ("SET a = if_not_exists(gone, :one) + n", "a", n("6")),
        (
            "SET n = if_not_exists(n, :ten) - if_not_exists(gone, :one)",
            "n",
            n("4"),
        ),
        (
            "SET a = list_append(m.l[1], :l)",
            "a",
            l([s("q"), s("new")]),
        ),
        (
            "SET a = list_append(:l, m.l[1])",
            "a",
            l([s("new"), s("q")]),
        ),
        (
            "SET a = list_append(if_not_exists(gone, :empty), :l)",
            "a",
            l([s("new")]),
        ),
        (
            "SET a = list_append(list_append(:l, m.l[1]), :l)",
            "a",
            l([s("new"), s("q"), s("new")]),
        ),
        (
            "SET a = if_not_exists(s, list_append(s, gone))",
            "a",
            s("text"),
        ),
    ] {
        assert_eq!(changed(text)[name], expected, "{text}");
    }
}

#[test]
fn all_values_come_from_the_item_as_it_was() {
    let after = changed("SET n = s, s = n, a = n REMOVE m ADD c :one");
    assert_eq!(after["n"], s("text"));
    assert_eq!(after["s"], n("5"));
    assert_eq!(after["a"], n("5"));
    assert_eq!(after["c"], n("1"));
    assert!(!after.contains_key("m"));
    assert_eq!(changed("REMOVE n SET a = n")["a"], n("5"));
    assert_eq!(changed("REMOVE l[0] SET a = l[1]")["a"], n("1"));
}

#[test]
fn nested_places_are_changed_in_place() {
    assert_eq!(
        changed("SET m.x = :v, m.y = :w REMOVE m.l")["m"],
        m([("x", s("new")), ("y", s("other"))])
    );
    assert_eq!(
        changed("SET m.l[1][0] = :v")["m"],
        m([("x", n("6")), ("l", l([s("p"), l([s("new")])]))])
    );
    assert_eq!(
        changed("REMOVE m.l[0] SET m.l[1][7] = :v")["m"],
        m([("x", n("6")), ("l", l([l([s("q"), s("new")])]))])
    );
}

#[test]
fn lists_have_no_holes_and_indices_are_those_from_before() {
    for (text, expected) in [
        ("SET l[1] = :v", l([n("0"), s("new"), n("2"), n("3")])),
        (
            "SET l[4] = :v",
            l([n("0"), n("1"), n("2"), n("3"), s("new")]),
        ),
        (
            "SET l[99] = :v",
            l([n("0"), n("1"), n("2"), n("3"), s("new")]),
        ),
        (
            "SET l[9] = :v, l[7] = :w",
            l([n("0"), n("1"), n("2"), n("3"), s("other"), s("new")]),
        ),
        ("REMOVE l[1]", l([n("0"), n("2"), n("3")])),
        ("REMOVE l[0], l[2]", l([n("1"), n("3")])),
        ("REMOVE l[2], l[0], l[3], l[1]", l([])),
        ("REMOVE l[9]", l([n("0"), n("1"), n("2"), n("3")])),
        ("REMOVE l[1] SET l[2] = :v", l([n("0"), s("new"), n("3")])),
        (
            "REMOVE l[0] SET l[8] = :v",
            l([n("1"), n("2"), n("3"), s("new")]),
        ),
        (
            "ADD l[0] :ten, l[6] :one",
            l([n("10"), n("1"), n("2"), n("3"), n("1")]),
        ),
    ] {
        assert_eq!(changed(text)["l"], expected, "{text}");
    }
}

#[test]
fn add_and_delete_change_numbers_and_sets() {
    for (text, name, expected) in [
        ("ADD n :ten", "n", n("15")),
        ("ADD a :ten", "a", n("10")),
        (
            "ADD m.x :one",
            "m",
            m([("x", n("7")), ("l", l([s("p"), l([s("q")])]))]),
        ),
        ("ADD ss :bc", "ss", ss(&["a", "b", "c"])),
        ("ADD a :bc", "a", ss(&["b", "c"])),
        ("ADD ns :ns", "ns", ns(&["1", "2", "3"])),
        ("DELETE ss :bc", "ss", ss(&["a"])),
        ("DELETE ns :ns", "ns", ns(&["1", "2"])),
    ] {
        assert_eq!(changed(text)[name], expected, "{text}");
    }
    assert!(!changed("DELETE ss :ab").contains_key("ss"));
    assert!(!changed("DELETE gone :ab").contains_key("gone"));
}

#[test]
fn what_the_item_must_have() {
    for (text, what) in [
        ("SET a = gone", ABSENT),
        ("SET a = gone + n", ABSENT),
        ("SET a = gone + s", ABSENT),
        ("SET a = n + gone", ABSENT),
        ("SET a = list_append(gone, :l)", ABSENT),
        ("SET a = if_not_exists(gone, alsogone)", ABSENT),
        ("SET a = l[4]", ABSENT),
        ("SET a = n + s", TYPE),
        ("SET a = s + gone", TYPE),
        ("SET a = s - :one", TYPE),
        ("SET a = list_append(s, :l)", TYPE),
        ("ADD s :one", TYPE),
        ("ADD n :ab", TYPE),
        ("ADD ss :ns", TYPE),
        ("DELETE ns :ab", TYPE),
        ("DELETE n :ab", TYPE),
        ("SET gone.x = :v", PATH),
        ("SET m.gone.x = :v", PATH),
        ("SET l.x = :v", PATH),
        ("SET m[0] = :v", PATH),
        ("SET s.x = :v", PATH),
        ("SET gone[0] = :v", PATH),
        ("REMOVE gone.x", PATH),
        ("REMOVE s[0]", PATH),
        ("ADD gone.x :one", PATH),
        ("DELETE gone.x :ab", PATH),
        // Types before what is missing, wherever they stand; then the last section first.
        ("SET a = gone, b = n + s", TYPE),
        ("SET a = gone REMOVE gone.x", PATH),
        ("SET gone.x = :v, a = gone", PATH),
        ("REMOVE gone.x SET a = gone", ABSENT),
        ("SET a = n + s, s.x = :v", PATH),
    ] {
        assert_eq!(refusal(text), what, "{text}");
    }
}

#[test]
fn results_must_be_numbers_that_can_be_held() {
    let old = item([("pk", s("1")), ("n", n("9.9e125"))]);
    for text in ["ADD n :big", "SET n = n + :big", "SET a = n + :big"] {
        assert_eq!(
            update(text, Some(&old)).unwrap_err(),
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
            "{text}"
        );
    }
}

#[test]
fn an_item_that_is_not_there_begins_with_its_key() {
    let made = update("SET a = :v ADD n :one", None).unwrap();
    assert_eq!(
        made.item,
        item([("pk", s("1")), ("a", s("new")), ("n", n("1"))])
    );
    assert!(made.stored);
    assert_eq!(made.updated_old, None);
    assert_eq!(
        made.updated_new,
        Some(item([("a", s("new")), ("n", n("1"))]))
    );
    for text in ["REMOVE a", "DELETE a :ab", "REMOVE x.y", "REMOVE x[0]"] {
        let unmade = update(text, None).unwrap();
        assert!(!unmade.stored, "{text}");
        assert_eq!(unmade.updated_new, None);
    }
    assert_eq!(update("REMOVE x.y SET a = :v", None).unwrap_err(), PATH);
    assert!(update("REMOVE gone", Some(&sample())).unwrap().stored);
    assert_eq!(update("SET a = pk", None).unwrap().item["a"], s("1"));
    assert!(Update::default().apply(None, &item([])).unwrap().stored);
}

#[test]
fn return_values_hold_the_changed_paths_only() {
    for (text, old, new) in [
        (
            "SET s = :v, a = :w",
            Some(item([("s", s("text"))])),
            Some(item([("s", s("new")), ("a", s("other"))])),
        ),
        (
            "SET s = s",
            Some(item([("s", s("text"))])),
            Some(item([("s", s("text"))])),
        ),
        ("SET a = :v", None, Some(item([("a", s("new"))]))),
        ("REMOVE s", Some(item([("s", s("text"))])), None),
        ("REMOVE gone", None, None),
        (
            "SET m.x = :v",
            Some(item([("m", m([("x", n("6"))]))])),
            Some(item([("m", m([("x", s("new"))]))])),
        ),
        (
            "SET m.y = :v",
            None,
            Some(item([("m", m([("y", s("new"))]))])),
        ),
        (
            "SET m.l[0] = :v",
            Some(item([("m", m([("l", l([s("p")]))]))])),
            Some(item([("m", m([("l", l([s("new")]))]))])),
        ),
        // Beyond the end there is nothing, neither before nor after.
        ("SET l[99] = :v", None, None),
        // What has moved to the place of a removed element is told.
        (
            "REMOVE l[1]",
            Some(item([("l", l([n("1")]))])),
            Some(item([("l", l([n("2")]))])),
        ),
        ("REMOVE l[3], l[7]", Some(item([("l", l([n("3")]))])), None),
        (
            "ADD n :one DELETE ss :bc",
            Some(item([("n", n("5")), ("ss", ss(&["a", "b"]))])),
            Some(item([("n", n("6")), ("ss", ss(&["a"]))])),
        ),
    ] {
        let updated = update(text, Some(&sample())).unwrap();
        assert_eq!(updated.updated_old, old, "{text}");
        assert_eq!(updated.updated_new, new, "{text}");
    }
}

#[test]
fn an_update_survives_being_sent() {
    let text = "SET a = if_not_exists(l[1].x, :one) + n REMOVE s ADD ns :ns DELETE ss :ab";
    let update = Update::parse(text, &mut placeholders()).unwrap();
    let bytes = postcard::to_stdvec(&update).unwrap();
    assert_eq!(postcard::from_bytes::<Update>(&bytes).unwrap(), update);
}
