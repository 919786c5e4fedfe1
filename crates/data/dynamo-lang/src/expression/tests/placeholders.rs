//! The maps of names and values.

use super::*;

fn names(keys: &[(&str, &str)]) -> String {
    let map = keys
        .iter()
        .map(|(key, name)| ((*key).to_owned(), (*name).to_owned()))
        .collect();
    Placeholders::new(Some(map), None).unwrap_err().message
}

fn values(keys: &[&str]) -> String {
    let map = keys.iter().map(|key| ((*key).to_owned(), null())).collect();
    Placeholders::new(None, Some(map)).unwrap_err().message
}

#[test]
fn maps_must_not_be_empty() {
    assert_eq!(names(&[]), "ExpressionAttributeNames must not be empty");
    assert_eq!(values(&[]), "ExpressionAttributeValues must not be empty");
}

#[test]
fn keys_are_a_sigil_and_a_word() {
    for key in ["a", "#", "#a-b", ":a", "# a", "#é", ""] {
        let expected =
            format!("ExpressionAttributeNames contains invalid key: Syntax error; key: \"{key}\"");
        assert_eq!(names(&[(key, "x")]), expected);
    }
    for key in ["a", ":", ":a-b", "#a", ""] {
        let expected =
            format!("ExpressionAttributeValues contains invalid key: Syntax error; key: \"{key}\"");
        assert_eq!(values(&[key]), expected);
    }
    assert!(Placeholders::new(None, None).is_ok());
    let _ = with(&[("#0_a", "x")], &[(":_", null())]);
}

#[test]
fn keys_have_255_bytes_at_most() {
    let long = format!("#{}", "a".repeat(255));
    assert_eq!(
        names(&[(&long, "x")]),
        "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; size of key: 256"
    );
    assert_eq!(
        values(&[&long.replace('#', ":-")]),
        "ExpressionAttributeValues contains invalid key: The expression attribute map contains a key that is too long;"
    );
    let _ = with(&[(&long[..255], "x")], &[]);
}

#[test]
fn names_must_not_be_empty() {
    assert_eq!(
        names(&[("#a", "")]),
        "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"
    );
}

#[test]
fn all_must_be_used_in_some_expression_of_the_request() {
    let mut placeholders = with(
        &[("#a", "a"), ("#b", "b"), ("#c", "c")],
        &[(":v", n("1")), (":w", n("2"))],
    );
    let unused = |p: &Placeholders| p.all_used().unwrap_err().message;
    Condition::parse(ConditionKind::Condition, "#a = :v", &mut placeholders).unwrap();
    assert_eq!(
        unused(&placeholders),
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}"
    );
    Projection::parse("#b, x.#c", &mut placeholders).unwrap();
    assert_eq!(
        unused(&placeholders),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"
    );
    Update::parse("SET z = :w", &mut placeholders).unwrap();
    assert_eq!(placeholders.all_used(), Ok(()));
}
