//! How WHERE clauses are split by keys.

use super::*;
use crate::{Condition, SortCondition};

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
        ("pk IN [1, 2] AND sk = 2", vec![("1", "2"), ("2", "2")], 0),
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
    let half: Vec<String> = (0..26).map(|n| n.to_string()).collect();
    let both = format!("pk IN [{}] AND sk IN [1, 2]", half.join(","));
    assert_eq!(plan(&both, &["pk"], &["sk"]).unwrap_err(), too_many);
    let fifty: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert!(plan(&format!("pk IN [{}]", fifty.join(",")), &["pk"], &[]).is_ok());
    assert_eq!(
        plan("pk IN [1, 1]", &["pk"], &["sk"]).unwrap_err(),
        "Overlapping conditions with range keys are not supported in where clause"
    );
}

fn named(condition: &str, naming: Naming) -> Option<NamedItem> {
    let condition = select(&format!("SELECT * FROM t WHERE {condition}")).condition;
    named_item(&condition, ["pk", "sk"], naming)
}

#[test]
fn one_item_is_named_by_all_of_its_key() {
    let found = named("(pk = 1 AND sk = 2) AND a = 3 AND pk = 1", Naming::Equality).unwrap();
    assert_eq!(found.key, item([("pk", n("1")), ("sk", n("2"))]));
    assert_eq!(found.rest.attributes().count(), 1);
    assert!(found.doubtful.is_empty());
    let twice = named("pk = 1 AND sk = 2 AND pk = 3", Naming::Equality).unwrap();
    assert_eq!(twice.doubtful, ["pk"]);
    assert!(!twice.rest.eval(Some(&item([("pk", n("1"))]))));
    for condition in [
        "pk = 1",
        "pk = 1 OR sk = 2",
        "pk = 1 AND sk > 2",
        "pk IN [1] AND sk = 2",
    ] {
        assert_eq!(named(condition, Naming::Equality), None, "{condition}");
    }
    let listed = named("pk IN [1] AND sk IN [2]", Naming::OneValue).unwrap();
    assert!(listed.rest.is_empty());
    assert_eq!(named("pk IN [1, 2] AND sk = 2", Naming::OneValue), None);
}

#[test]
fn a_condition_is_joined_with_the_items_presence() {
    let present = item([("pk", n("1")), ("a", n("3"))]);
    let rest = named("pk = 1 AND sk = 2 AND a = 3", Naming::Equality)
        .unwrap()
        .rest;
    assert!(rest.clone().and_exists("pk").eval(Some(&present)));
    assert!(!rest.clone().and_exists("pk").eval(None));
    assert!(rest.clone().or_missing("pk").eval(None));
    assert!(!rest.or_missing("pk").eval(Some(&item([("pk", n("1"))]))));
    let nothing = Condition::default();
    assert!(nothing.clone().and_missing("pk").eval(None));
    assert!(!nothing.clone().and_missing("pk").eval(Some(&present)));
    assert!(nothing.or_missing("pk").is_empty());
}
