//! Attribute definitions and the table's key.

use std::collections::BTreeSet;

use crate::api::error::ApiError;
use crate::api::tables::request::AttributeRequest;
use crate::model::{AttributeDefinition, KeyElement, KeyRole};

const NO_DEFINITION: &str = "Invalid KeySchema: Some index key attribute have no definition";
const SAME_NAME: &str =
    "Both the Hash Key and the Range Key element in the KeySchema have the same name";
const FIRST_NOT_HASH: &str = "Invalid KeySchema: The first KeySchemaElement is not a HASH key type";
const SECOND_NOT_RANGE: &str =
    "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type";

/// The definitions, each name once.
pub(in crate::api::tables) fn attributes(
    requests: &[AttributeRequest<'_>],
) -> Result<Vec<AttributeDefinition>, ApiError> {
    let mut seen = BTreeSet::new();
    let mut definitions = Vec::with_capacity(requests.len());
    for request in requests {
        let definition = request.definition();
        if !seen.insert(definition.name.clone()) {
            return Err(ApiError::validation(format!(
                "Attribute Name is duplicated: {}",
                definition.name
            )));
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

/// The table's key: a partition key and maybe a sort key, both defined.
pub(in crate::api::tables) fn table_keys(
    keys: &[KeyElement],
    defined: &[AttributeDefinition],
) -> Result<(), ApiError> {
    if keys.len() > defined.len() {
        return Err(ApiError::validation(NO_DEFINITION));
    }
    keys_are_defined(keys, defined)?;
    pair(keys)
}

/// Every attribute of the key has a definition.
pub(in crate::api::tables) fn keys_are_defined(
    keys: &[KeyElement],
    defined: &[AttributeDefinition],
) -> Result<(), ApiError> {
    let known = |key: &KeyElement| defined.iter().any(|d| d.name == key.name);
    if keys.iter().all(known) {
        return Ok(());
    }
    Err(ApiError::invalid(format_args!(
        "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], AttributeDefinitions: [{}]",
        names(keys.iter().map(|key| key.name.as_str())),
        names(defined.iter().map(|d| d.name.as_str())),
    )))
}

/// A key of one or two elements: the partition key first, then the sort key, of different names.
pub(super) fn pair(keys: &[KeyElement]) -> Result<(), ApiError> {
    if let [first, second] = keys
        && first.name == second.name
    {
        return Err(ApiError::validation(SAME_NAME));
    }
    if keys.first().is_none_or(|key| key.role != KeyRole::Hash) {
        return Err(ApiError::validation(FIRST_NOT_HASH));
    }
    if keys.get(1).is_some_and(|key| key.role != KeyRole::Range) {
        return Err(ApiError::validation(SECOND_NOT_RANGE));
    }
    Ok(())
}

/// A key of several attributes on each side, as global indexes have.
pub(super) fn wide(keys: &[KeyElement], side_max: usize) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    if !keys.iter().all(|key| seen.insert(&key.name)) {
        return Err(match keys {
            [first, second] if first.role != second.role => ApiError::validation(SAME_NAME),
            _ => ApiError::validation(
                "The KeySchema contains multiple key attributes with the same name",
            ),
        });
    }
    if keys.first().is_none_or(|key| key.role != KeyRole::Hash) {
        return Err(ApiError::validation(FIRST_NOT_HASH));
    }
    let order = keys.iter().map(|key| key.role == KeyRole::Range);
    if !order.is_sorted() {
        return Err(ApiError::invalid(
            "All HASH key attributes must precede RANGE key attributes in the KeySchema",
        ));
    }
    for (role, name) in [(KeyRole::Hash, "HASH"), (KeyRole::Range, "RANGE")] {
        if keys.iter().filter(|key| key.role == role).count() > side_max {
            return Err(ApiError::invalid(format_args!(
                "The KeySchema exceeds the maximum allowed number of {name} key attributes"
            )));
        }
    }
    Ok(())
}

/// Every definition is used by a key. `indexed` tells whether the table has indexes, which changes AWS's words.
pub(super) fn definitions_are_used(
    defined: &[AttributeDefinition],
    used: &BTreeSet<&str>,
    indexed: bool,
) -> Result<(), ApiError> {
    if defined.iter().all(|d| used.contains(d.name.as_str())) {
        return Ok(());
    }
    if !indexed {
        return Err(ApiError::invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions",
        ));
    }
    Err(ApiError::invalid(format_args!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
        names(defined.iter().map(|d| d.name.as_str())),
        names(used.iter().copied()),
    )))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
