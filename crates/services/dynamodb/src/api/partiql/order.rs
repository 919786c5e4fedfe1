//! ORDER BY: what a SELECT may be ordered by, and how its reads are put in that order.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use quorate_dynamo_lang::partiql::{KeyPlan, Select};
use quorate_dynamo_lang::{AttributeValue, KeySchema, ScalarType, key_codec};

use crate::api::error::ApiError;

/// The directions of a SELECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// Whether rows of one hash key come by rising range key.
    pub(super) forward: bool,
    /// The direction of hash keys, when they have one.
    hash_forward: Option<bool>,
}

/// Checks ORDER BY, and orders the reads of `plan` by it.
///
/// # Errors
/// `ValidationException` for an order that no key has.
pub(super) fn arrange(
    select: &Select,
    keys: &KeySchema,
    plan: &mut KeyPlan,
) -> Result<Order, ApiError> {
    if select.order_by.is_empty() {
        return Ok(Order {
            forward: true,
            hash_forward: None,
        });
    }
    check(select, keys)?;
    let descends = |names: &[(String, ScalarType)]| {
        let named = |(name, _): &&(String, bool)| names.iter().any(|(key, _)| key == name);
        let found = select.order_by.iter().find(named);
        found.map(|(_, descends)| *descends)
    };
    let order = Order {
        // A range key that the clause does not name falls: observed, AWS's documentation does not say it.
        forward: descends(&keys.range) == Some(false),
        hash_forward: descends(&keys.hash).map(|descends| !descends),
    };
    let hash_keys = match plan {
        KeyPlan::Scan => {
            return Err(ApiError::validation(
                "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
            ));
        }
        KeyPlan::Items { keys: items, .. } => order.sort(items, |item| {
            let of = |names: &[(String, ScalarType)]| {
                bytes(names.iter().filter_map(|(name, _)| item.get(name)))
            };
            (of(&keys.hash), of(&keys.range))
        }),
        KeyPlan::Partitions { queries, .. } => order.sort(queries, |query| {
            let of = |values: &[(String, AttributeValue)]| bytes(values.iter().map(|(_, v)| v));
            (of(&query.hash), of(&query.range_equals))
        }),
    };
    if hash_keys > 1 && order.hash_forward.is_none() {
        return Err(ApiError::validation(
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
        ));
    }
    Ok(order)
}

impl Order {
    /// Sorts reads by the bytes of their hash and range keys; returns how many hash keys they have.
    fn sort<T>(self, reads: &mut [T], key: impl Fn(&T) -> (Vec<u8>, Vec<u8>)) -> usize {
        reads.sort_by(|a, b| {
            let ((hash_a, range_a), (hash_b, range_b)) = (key(a), key(b));
            let hash = directed(hash_a.cmp(&hash_b), self.hash_forward.unwrap_or(true));
            hash.then(directed(range_a.cmp(&range_b), self.forward))
        });
        let hashes: BTreeSet<Vec<u8>> = reads.iter().map(|read| key(read).0).collect();
        hashes.len()
    }
}

fn check(select: &Select, keys: &KeySchema) -> Result<(), ApiError> {
    if select.condition.is_empty() {
        return Err(ApiError::validation(
            "Must have WHERE clause in the statement when using ORDER BY clause.",
        ));
    }
    let other = select
        .order_by
        .iter()
        .find(|(name, _)| !keys.contains(name));
    match other {
        Some((name, _)) => Err(ApiError::validation(format!(
            "Attribute {name} in ORDER BY clause must be part of the primary key"
        ))),
        None => Ok(()),
    }
}

fn directed(ordering: Ordering, forward: bool) -> Ordering {
    if forward {
        ordering
    } else {
        ordering.reverse()
    }
}

/// Bytes that sort as the values do, one after the other.
fn bytes<'a>(values: impl Iterator<Item = &'a AttributeValue>) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        key_codec::encode_into(value, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use quorate_dynamo_lang::partiql::{Statement, plan_keys};

    use super::*;

    fn arranged(clause: &str) -> Result<Vec<String>, String> {
        let text = format!("SELECT * FROM t {clause}");
        let Statement::Select(select) = Statement::parse(&text, &[]).unwrap() else {
            panic!("{text}");
        };
        let keys = KeySchema::of(("pk", ScalarType::N), Some(("sk", ScalarType::N)));
        let names = (["pk".to_owned()], ["sk".to_owned()]);
        let mut plan = plan_keys(&select.condition, &names.0, &names.1).unwrap();
        let order = arrange(&select, &keys, &mut plan).map_err(|e| e.message)?;
        let shown = |value: &AttributeValue| match value {
            AttributeValue::N(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        Ok(match plan {
            KeyPlan::Items { keys, .. } => keys
                .iter()
                .map(|key| format!("{}/{}", shown(&key["pk"]), shown(&key["sk"])))
                .collect(),
            KeyPlan::Partitions { queries, .. } => queries
                .iter()
                .map(|query| format!("{} {}", shown(&query.hash[0].1), order.forward))
                .collect(),
            KeyPlan::Scan => Vec::new(),
        })
    }

    #[test]
    fn reads_come_in_the_order_of_keys() {
        for (clause, expected) in [
            (
                "WHERE pk IN [2, 10, 1]",
                vec!["2 true", "10 true", "1 true"],
            ),
            (
                "WHERE pk IN [2, 10, 1] ORDER BY pk, sk",
                vec!["1 true", "2 true", "10 true"],
            ),
            (
                "WHERE pk IN [2, 10] ORDER BY pk DESC",
                vec!["10 false", "2 false"],
            ),
            ("WHERE pk = 1 ORDER BY sk DESC", vec!["1 false"]),
            (
                "WHERE pk = 1 AND sk IN [5, 7, 6] ORDER BY sk",
                vec!["1/5", "1/6", "1/7"],
            ),
            (
                "WHERE pk IN [1, 2] AND sk IN [5, 7] ORDER BY pk ASC, sk DESC",
                vec!["1/7", "1/5", "2/7", "2/5"],
            ),
        ] {
            assert_eq!(arranged(clause).unwrap(), expected, "{clause}");
        }
    }

    #[test]
    fn only_keys_order() {
        for (clause, start) in [
            ("ORDER BY sk", "Must have WHERE clause"),
            ("WHERE pk = 1 ORDER BY a", "Attribute a in ORDER BY clause"),
            ("WHERE pk > 1 ORDER BY pk", "Must have at least one"),
            ("WHERE pk IN [1, 2] ORDER BY sk", "Must have hash key"),
            (
                "WHERE pk IN [1, 2] AND sk = 3 ORDER BY sk",
                "Must have hash key",
            ),
        ] {
            let message = arranged(clause).unwrap_err();
            assert!(message.starts_with(start), "{clause}: {message}");
        }
    }
}
