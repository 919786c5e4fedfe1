//! What the old parameters mean, and what AWS says of wrong ones.

use std::collections::BTreeMap;

use super::*;
use crate::expression::values::*;
use crate::{AttributeValue, Item, SortCondition};

fn condition(operator: &str, values: &[AttributeValue]) -> LegacyCondition {
    LegacyCondition {
        operator: operator.parse().unwrap(),
        values: values.to_vec(),
    }
}

fn map<T>(entries: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
    entries
        .into_iter()
        .map(|(name, entry)| (name.to_owned(), entry))
        .collect()
}

fn sample() -> Item {
    item([
        ("n", n("5")),
        ("s", s("hello")),
        ("ss", ss(&["a", "b"])),
        ("l", l([n("1"), s("x")])),
        ("bin", b(&[1, 2, 3])),
    ])
}

fn holds(name: &'static str, operator: &str, values: &[AttributeValue]) -> bool {
    filter(&map([(name, condition(operator, values))]), None)
        .unwrap()
        .eval(Some(&sample()))
}

#[test]
fn every_operator_means_what_it_says() {
    for (name, operator, values, expected) in [
        ("n", "EQ", vec![n("5")], true),
        ("n", "EQ", vec![s("5")], false),
        ("ss", "EQ", vec![ss(&["b", "a"])], true),
        ("gone", "EQ", vec![n("5")], false),
        ("n", "NE", vec![n("6")], true),
        ("n", "NE", vec![s("5")], true),
        ("gone", "NE", vec![n("5")], true),
        ("n", "NE", vec![n("5")], false),
        ("n", "LE", vec![n("5")], true),
        ("n", "LT", vec![n("5")], false),
        ("n", "GE", vec![n("5")], true),
        ("n", "GT", vec![n("4")], true),
        ("n", "LE", vec![s("9")], false),
        ("gone", "LE", vec![n("9")], false),
        ("n", "NOT_NULL", vec![], true),
        ("gone", "NOT_NULL", vec![], false),
        ("n", "NULL", vec![], false),
        ("gone", "NULL", vec![], true),
        ("s", "CONTAINS", vec![s("ell")], true),
        ("ss", "CONTAINS", vec![s("a")], true),
        ("l", "CONTAINS", vec![n("1")], true),
        ("bin", "CONTAINS", vec![b(&[2, 3])], true),
        ("n", "CONTAINS", vec![n("5")], false),
        ("s", "NOT_CONTAINS", vec![s("ell")], false),
        ("s", "NOT_CONTAINS", vec![s("dog")], true),
        ("ss", "NOT_CONTAINS", vec![s("c")], true),
        ("gone", "NOT_CONTAINS", vec![s("c")], false),
        ("s", "BEGINS_WITH", vec![s("he")], true),
        ("n", "BEGINS_WITH", vec![s("5")], false),
        ("n", "IN", vec![n("4"), n("5")], true),
        ("gone", "IN", vec![n("4")], false),
        ("n", "BETWEEN", vec![n("5"), n("5")], true),
        ("n", "BETWEEN", vec![n("6"), n("7")], false),
    ] {
        assert_eq!(
            holds(name, operator, &values),
            expected,
            "{name} {operator} {values:?}"
        );
    }
}

#[test]
fn comparisons_are_joined_by_and_or_by_or() {
    let both = map([
        ("n", condition("EQ", &[n("5")])),
        ("s", condition("EQ", &[s("other")])),
    ]);
    let holds = |joined| filter(&both, joined).unwrap().eval(Some(&sample()));
    assert!(!holds(None));
    assert!(!holds(Some(ConditionalOperator::And)));
    assert!(holds(Some(ConditionalOperator::Or)));
    assert!(filter(&BTreeMap::new(), None).unwrap().eval(None));
    let refusal = |count: usize| {
        let some = both.clone().into_iter().take(count).collect();
        filter(&some, Some(ConditionalOperator::And))
            .unwrap_err()
            .message
    };
    assert_eq!(
        refusal(0),
        "ConditionalOperator cannot be used without Filter or Expected"
    );
    assert_eq!(
        refusal(1),
        "ConditionalOperator can only be used when Filter or Expected has two or more elements"
    );
}

#[test]
fn arguments_are_checked() {
    let refusal = |operator: &str, values: &[AttributeValue]| {
        filter(&map([("a", condition(operator, values))]), None)
            .unwrap_err()
            .message
    };
    for (operator, counts) in [
        ("EQ", [0, 2]),
        ("NE", [0, 2]),
        ("LE", [0, 2]),
        ("LT", [0, 2]),
        ("GE", [0, 2]),
        ("GT", [0, 2]),
        ("CONTAINS", [0, 2]),
        ("NOT_CONTAINS", [0, 2]),
        ("BEGINS_WITH", [0, 2]),
        ("NULL", [1, 2]),
        ("NOT_NULL", [1, 2]),
        ("IN", [0, 0]),
        ("BETWEEN", [1, 3]),
    ] {
        for count in counts {
            let expected = format!(
                "One or more parameter values were invalid: Invalid number of argument(s) for the {operator} ComparisonOperator"
            );
            assert_eq!(refusal(operator, &vec![s("a"); count]), expected);
        }
    }
    let invalid = "One or more parameter values were invalid: ";
    assert_eq!(
        refusal("IN", &[s("a"), n("1")]),
        format!("{invalid}AttributeValues inside AttributeValueList must be of same type")
    );
    for operator in ["LT", "LE", "GT", "GE", "IN", "BEGINS_WITH"] {
        for value in [
            yes(),
            null(),
            ss(&["a"]),
            ns(&["1"]),
            bs(&[b"a"]),
            m([]),
            l([]),
        ] {
            let expected = format!(
                "{invalid}ComparisonOperator {operator} is not valid for {} AttributeValue type",
                value.type_name()
            );
            assert_eq!(refusal(operator, &[value]), expected);
        }
    }
    for value in [ss(&["a"]), m([]), l([])] {
        let name = value.type_name();
        let expected = format!(
            "{invalid}ComparisonOperator NOT_CONTAINS is not valid for {name} AttributeValue type"
        );
        assert_eq!(refusal("NOT_CONTAINS", &[value]), expected);
    }
    assert_eq!(
        refusal("BETWEEN", &[s("b"), s("a")]),
        "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
    );
}

fn expectation(
    operator: Option<&str>,
    values: Option<Vec<AttributeValue>>,
    value: Option<AttributeValue>,
    exists: Option<bool>,
) -> Expectation {
    Expectation {
        operator: operator.map(|name| name.parse().unwrap()),
        values,
        value,
        exists,
    }
}

#[test]
fn expectations_without_an_operator() {
    let holds = |name: &'static str, value: Option<AttributeValue>, exists: Option<bool>| {
        expected(&map([(name, expectation(None, None, value, exists))]), None)
            .unwrap()
            .eval(Some(&sample()))
    };
    assert!(holds("n", Some(n("5")), None));
    assert!(holds("n", Some(n("5")), Some(true)));
    assert!(!holds("n", Some(n("6")), Some(true)));
    assert!(!holds("n", None, Some(false)));
    assert!(holds("gone", None, Some(false)));
    let compared = expectation(Some("GT"), None, Some(n("4")), None);
    assert!(
        expected(&map([("n", compared)]), None)
            .unwrap()
            .eval(Some(&sample()))
    );
}

#[test]
fn expectations_that_contradict_themselves() {
    let one = || Some(n("1"));
    let list = || Some(vec![n("1")]);
    for (entry, what) in [
        (
            expectation(Some("EQ"), list(), one(), Some(true)),
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            expectation(Some("EQ"), list(), None, Some(true)),
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            expectation(Some("GT"), None, None, None),
            "Value or AttributeValueList must be used with ComparisonOperator: GT for Attribute: a",
        ),
        (
            expectation(None, list(), None, None),
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (
            expectation(None, None, None, None),
            "Value must be provided when Exists is null for Attribute: a",
        ),
        (
            expectation(None, None, None, Some(true)),
            "Value must be provided when Exists is true for Attribute: a",
        ),
        (
            expectation(None, None, one(), Some(false)),
            "Value cannot be used when Exists is false for Attribute: a",
        ),
        (
            expectation(Some("NULL"), None, one(), None),
            "Invalid number of argument(s) for the NULL ComparisonOperator",
        ),
    ] {
        assert_eq!(
            expected(&map([("a", entry)]), None).unwrap_err().message,
            format!("One or more parameter values were invalid: {what}")
        );
    }
}

fn update(action: &str, value: Option<AttributeValue>) -> AttributeUpdate {
    AttributeUpdate {
        action: action.parse().unwrap(),
        value,
    }
}

#[test]
fn attributes_are_put_added_and_deleted() {
    let key = item([("pk", s("1"))]);
    for (name, entry, expected) in [
        ("a", update("PUT", Some(s("x"))), Some(s("x"))),
        ("n", update("ADD", Some(n("2"))), Some(n("7"))),
        ("a", update("ADD", Some(n("2"))), Some(n("2"))),
        (
            "ss",
            update("ADD", Some(ss(&["c"]))),
            Some(ss(&["a", "b", "c"])),
        ),
        (
            "l",
            update("ADD", Some(l([n("2")]))),
            Some(l([n("1"), s("x"), n("2")])),
        ),
        (
            "ss",
            update("DELETE", Some(ss(&["a", "z"]))),
            Some(ss(&["b"])),
        ),
        ("ss", update("DELETE", Some(ss(&["a", "b"]))), None),
        ("n", update("DELETE", None), None),
        ("gone", update("DELETE", None), None),
    ] {
        let updates = attribute_updates(&map([(name, entry)])).unwrap();
        let after = updates.apply(Some(&sample()), &key).unwrap();
        assert_eq!(after.item.get(name).cloned(), expected, "{name}");
    }
    let none = attribute_updates(&BTreeMap::new()).unwrap();
    let made = none.apply(None, &key).unwrap();
    assert!(made.stored);
    assert_eq!((made.item, made.updated_new), (key.clone(), None));
    for (name, entry) in [
        ("s", update("ADD", Some(n("1")))),
        ("n", update("ADD", Some(ss(&["a"])))),
        ("ss", update("DELETE", Some(ns(&["1"])))),
    ] {
        let updates = attribute_updates(&map([(name, entry)])).unwrap();
        assert_eq!(
            updates.apply(Some(&sample()), &key).unwrap_err().message,
            "Type mismatch for attribute to update"
        );
    }
}

#[test]
fn actions_and_values_have_to_match() {
    for (entry, what) in [
        (
            update("PUT", None),
            "Only DELETE action is allowed when no attribute value is specified",
        ),
        (
            update("ADD", None),
            "Only DELETE action is allowed when no attribute value is specified",
        ),
        (
            update("DELETE", Some(n("1"))),
            "DELETE action with value is not supported for the type N",
        ),
        (
            update("ADD", Some(s("x"))),
            "ADD action is not supported for the type S",
        ),
        (
            update("ADD", Some(m([]))),
            "ADD action is not supported for the type M",
        ),
    ] {
        assert_eq!(
            attribute_updates(&map([("a", entry)])).unwrap_err().message,
            format!("One or more parameter values were invalid: {what}")
        );
    }
}

#[test]
fn key_conditions_are_bound_to_the_key() {
    let names = (["a".to_owned()], ["b".to_owned()]);
    let bind = |conditions: BTreeMap<String, LegacyCondition>| {
        key_conditions(&conditions, &names.0, &names.1).map_err(|error| error.message)
    };
    let a = || ("a", condition("EQ", &[s("x")]));
    let found = bind(map([a(), ("b", condition("BETWEEN", &[n("1"), n("2")]))])).unwrap();
    assert_eq!(found.hash, [("a".to_owned(), s("x"))]);
    assert_eq!(
        found.range,
        Some(("b".to_owned(), SortCondition::Between(n("1"), n("2"))))
    );
    assert_eq!(bind(map([a()])).unwrap().range, None);
    for operator in ["NE", "CONTAINS", "NOT_CONTAINS", "IN"] {
        assert_eq!(
            bind(map([a(), ("b", condition(operator, &[n("1")]))])).unwrap_err(),
            "Attempted conditional constraint is not an indexable operation"
        );
    }
    for (conditions, message) in [
        (map([]), "Conditions can be of length 1 or 2 only"),
        (
            map([
                a(),
                ("b", condition("NULL", &[])),
                ("c", condition("NULL", &[])),
            ]),
            "Conditions can be of length 1 or 2 only",
        ),
        (
            map([("z", condition("NULL", &[]))]),
            "Query condition missed key schema element: a",
        ),
        (
            map([a(), ("z", condition("EQ", &[n("1")]))]),
            "Query condition missed key schema element: b",
        ),
        (
            map([("a", condition("GT", &[n("1")]))]),
            "Query key condition not supported",
        ),
        (
            map([("a", condition("GT", &[yes()]))]),
            "One or more parameter values were invalid: ComparisonOperator GT is not valid for BOOL AttributeValue type",
        ),
    ] {
        assert_eq!(bind(conditions).unwrap_err(), message);
    }
}

#[test]
fn parameters_that_cannot_stand_together() {
    let refusal = |found: ParameterUse<'_>| check_parameters(&found).unwrap_err().message;
    let query = ["FilterExpression", "KeyConditionExpression"];
    let mixed = "Can not use both expression and non-expression parameters in the same request: ";
    assert_eq!(
        refusal(ParameterUse {
            legacy: &["AttributeUpdates", "Expected", "ConditionalOperator"],
            expressions: &["UpdateExpression"],
            joined: Some(ConditionalOperator::And),
            ..ParameterUse::default()
        }),
        format!(
            "{mixed}Non-expression parameters: {{AttributeUpdates, Expected, ConditionalOperator}} Expression parameters: {{UpdateExpression}}"
        )
    );
    assert_eq!(
        refusal(ParameterUse {
            legacy: &["QueryFilter", "KeyConditions"],
            expressions: &["ProjectionExpression"],
            ..ParameterUse::default()
        }),
        format!(
            "{mixed}Non-expression parameters: {{QueryFilter}} Expression parameters: {{ProjectionExpression}}"
        )
    );
    let with_keys = ParameterUse {
        legacy: &["KeyConditions"],
        expressions: &["FilterExpression"],
        ..ParameterUse::default()
    };
    assert_eq!(check_parameters(&with_keys), Ok(()));
    assert_eq!(
        refusal(ParameterUse {
            expressions: &["KeyConditionExpression"],
            ..with_keys
        }),
        format!(
            "{mixed}Non-expression parameters: {{KeyConditions}} Expression parameters: {{KeyConditionExpression}}"
        )
    );
    assert_eq!(
        refusal(ParameterUse {
            names: true,
            values: true,
            ..ParameterUse::default()
        }),
        "ExpressionAttributeNames can only be specified when using expressions"
    );
    let values = "ExpressionAttributeValues can only be specified when using expressions: ";
    for (value_expressions, told) in [
        (
            &query[..],
            "FilterExpression and KeyConditionExpression are null",
        ),
        (&["ConditionExpression"], "ConditionExpression is null"),
        (
            &["UpdateExpression", "ConditionExpression"],
            "UpdateExpression is null and ConditionExpression is null",
        ),
    ] {
        assert_eq!(
            refusal(ParameterUse {
                values: true,
                value_expressions,
                ..ParameterUse::default()
            }),
            format!("{values}{told}")
        );
    }
    assert_eq!(
        refusal(ParameterUse {
            joined: Some(ConditionalOperator::Or),
            ..ParameterUse::default()
        }),
        "ConditionalOperator cannot be used without Filter or Expected"
    );
}

#[test]
fn attributes_to_get_come_once() {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let projection = attributes_to_get(&names(&["n", "gone", "a.b"])).unwrap();
    assert_eq!(projection.project(&sample()), item([("n", n("5"))]));
    assert_eq!(
        attributes_to_get(&names(&["a", "b", "a"]))
            .unwrap_err()
            .message,
        "One or more parameter values were invalid: Duplicate value in attribute name: a"
    );
}
