//! ORDER BY: what a SELECT may be ordered by, and how its reads are put in that order.

use std::cmp::Ordering;

use quorate_dynamo_lang::partiql::{KeyPlan, Select};
use quorate_dynamo_lang::{AttributeValue, KeySchema, key_codec};

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
    let descends = |names: &[(String, _)]| {
        let named = |(name, _): &&(String, bool)| names.iter().any(|(key, _)| key == name);
        let found = select.order_by.iter().find(named);
        found.map(|(_, descends)| *descends)
    };
    let order = Order {
        // A range key that the clause does not name falls: observed, AWS's documentation does not say it.
        forward: descends(&keys.range) == Some(false),
        hash_forward: descends(&keys.hash).map(|descends| !descends),
    };
    let count = match plan {
        KeyPlan::Scan => {
            return Err(ApiError::validation(
                "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
            ));
        }
        KeyPlan::Items { keys: items, .. } => {
            items.sort_by(|a, b| {
                let of = |names: &[(String, _)]| {
                    bytes(names.iter().map(|(n, _)| a.get(n)))
                        .cmp(&bytes(names.iter().map(|(n, _)| b.get(n))))
                };
                let hash = directed(of(&keys.hash), order.hash_forward.unwrap_or(true));
                hash.then(directed(of(&keys.range), order.forward))
            });
            items
                .windows(2)
                .filter(|pair| differs(&pair[0], &pair[1], keys))
                .count()
                + 1
        }
        KeyPlan::Partitions { queries, .. } => {
            queries.sort_by(|a, b| {
                let of =
                    |list: &[(String, AttributeValue)]| bytes(list.iter().map(|(_, v)| Some(v)));
                let hash = of(&a.hash).cmp(&of(&b.hash));
                let range = of(&a.range_equals).cmp(&of(&b.range_equals));
                directed(hash, order.hash_forward.unwrap_or(true))
                    .then(directed(range, order.forward))
            });
            queries
                .windows(2)
                .filter(|pair| pair[0].hash != pair[1].hash)
                .count()
                + 1
        }
    };
    if count > 1 && order.hash_forward.is_none() {
        return Err(ApiError::validation(
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
        ));
    }
    Ok(order)
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

fn differs(
    one: &quorate_dynamo_lang::Item,
    other: &quorate_dynamo_lang::Item,
    keys: &KeySchema,
) -> bool {
    keys.hash
        .iter()
        .any(|(name, _)| one.get(name) != other.get(name))
}

/// Bytes that sort as the values do.
fn bytes<'a>(values: impl Iterator<Item = Option<&'a AttributeValue>>) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values.flatten() {
        key_codec::encode_into(value, &mut out);
    }
    out
}
