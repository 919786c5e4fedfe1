//! Local and global indexes.

use std::collections::BTreeSet;

use crate::api::error::ApiError;
use crate::api::tables::request::{IndexRequest, KeyRequest, ProjectionRequest};
use crate::api::tables::rules::keys::{definitions_are_used, keys_are_defined, pair, wide};
use crate::api::tables::rules::throughput::{self, Owner};
use crate::model::{
    AttributeDefinition, Billing, GlobalIndex, IndexNumber, IndexStatus, KeyElement, LocalIndex,
    Projection,
};

/// Local indexes of one table.
const LOCAL_MAX: usize = 5;
/// Global indexes of one table.
pub(in crate::api::tables) const GLOBAL_MAX: usize = 20;
/// Attributes on one side of a global index's key.
const SIDE_MAX: usize = 4;
/// Attributes that all indexes of a table together are asked to hold by name.
const PROJECTED_MAX: usize = 100;

/// The indexes that a table is created with.
#[derive(Debug)]
pub(in crate::api::tables) struct Indexes {
    pub(in crate::api::tables) local: Vec<LocalIndex>,
    pub(in crate::api::tables) global: Vec<GlobalIndex>,
    pub(in crate::api::tables) last: IndexNumber,
}

/// The parts of a new table that its indexes are held against.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::tables) struct Unfinished<'a> {
    pub(in crate::api::tables) attributes: &'a [AttributeDefinition],
    pub(in crate::api::tables) keys: &'a [KeyElement],
    pub(in crate::api::tables) billing: Billing,
}

/// Checks and builds the indexes of a new table.
pub(in crate::api::tables) fn indexes(
    table: Unfinished<'_>,
    local: Option<&[IndexRequest<'_>]>,
    global: Option<&[IndexRequest<'_>]>,
) -> Result<Indexes, ApiError> {
    attributes_fit(table, local, global)?;
    let mut names = BTreeSet::new();
    let mut last = IndexNumber::TABLE;
    let mut next = || {
        last.0 += 1;
        last
    };
    let mut built = Indexes {
        local: Vec::new(),
        global: Vec::new(),
        last: IndexNumber::TABLE,
    };
    for request in local.unwrap_or_default() {
        built.local.push(one_local(table, request, next())?);
        unique(&mut names, request)?;
    }
    if built.local.len() > LOCAL_MAX {
        return Err(ApiError::invalid(format_args!(
            "Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_MAX}"
        )));
    }
    for request in global.unwrap_or_default() {
        built.global.push(one_global(table, request, next())?);
        unique(&mut names, request)?;
    }
    if built.global.len() > GLOBAL_MAX {
        return Err(ApiError::invalid(format_args!(
            "GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_MAX}"
        )));
    }
    let local = built.local.iter().map(|index| &index.projection);
    projected(local.chain(built.global.iter().map(|index| &index.projection)))?;
    built.last = last;
    Ok(built)
}

/// Checks and builds one global index; its attributes are known to be defined.
pub(in crate::api::tables) fn one_global(
    table: Unfinished<'_>,
    request: &IndexRequest<'_>,
    number: IndexNumber,
) -> Result<GlobalIndex, ApiError> {
    let name = request.name.unwrap_or_default();
    let keys = elements(request);
    wide(&keys, SIDE_MAX)?;
    let projection = projection(request)?;
    let throughput = throughput::created(
        Owner::Index(name),
        table.billing,
        request.provisioned,
        request.on_demand,
        request.warm,
    )?;
    Ok(GlobalIndex {
        number,
        name: name.to_owned(),
        keys,
        projection,
        status: IndexStatus::Creating,
        backfilling: false,
        throughput,
    })
}

/// The attributes that indexes hold by name are not too many.
pub(in crate::api::tables) fn projected<'a>(
    projections: impl Iterator<Item = &'a Projection>,
) -> Result<(), ApiError> {
    let count: usize = projections
        .map(|projection| match projection {
            Projection::Include(names) => names.len(),
            Projection::KeysOnly | Projection::All => 0,
        })
        .sum();
    if count > PROJECTED_MAX {
        return Err(ApiError::invalid(format_args!(
            "Number of NonKeyAttributes of all indexes exceeds the per-table limit of {PROJECTED_MAX}"
        )));
    }
    Ok(())
}

/// Definitions and keys fit together. AWS looks at this before anything else about an index.
fn attributes_fit(
    table: Unfinished<'_>,
    local: Option<&[IndexRequest<'_>]>,
    global: Option<&[IndexRequest<'_>]>,
) -> Result<(), ApiError> {
    let mut used: BTreeSet<&str> = table.keys.iter().map(|key| key.name.as_str()).collect();
    let mut all = Vec::new();
    for (name, list) in [
        ("LocalSecondaryIndexes", local),
        ("GlobalSecondaryIndexes", global),
    ] {
        let Some(list) = list else { continue };
        if list.is_empty() {
            return Err(ApiError::invalid(format_args!("List of {name} is empty")));
        }
        if name == "LocalSecondaryIndexes" && table.keys.len() != 2 {
            return Err(ApiError::invalid(
                "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
            ));
        }
        for request in list {
            let keys = elements(request);
            keys_are_defined(&keys, table.attributes)?;
            all.extend(keys);
        }
    }
    used.extend(all.iter().map(|key| key.name.as_str()));
    let indexed = local.is_some() || global.is_some();
    definitions_are_used(table.attributes, &used, indexed)
}

fn one_local(
    table: Unfinished<'_>,
    request: &IndexRequest<'_>,
    number: IndexNumber,
) -> Result<LocalIndex, ApiError> {
    let name = request.name.unwrap_or_default();
    let keys = elements(request);
    pair(&keys)?;
    if keys.len() != 2 {
        return Err(ApiError::invalid(format_args!(
            "Index KeySchema does not have a range key for index: {name}"
        )));
    }
    let (own, tables) = (&keys[0].name, &table.keys[0].name);
    if own != tables {
        return Err(ApiError::invalid(format_args!(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. index hash \
             key: {own}, table hash key: {tables}"
        )));
    }
    Ok(LocalIndex {
        number,
        name: name.to_owned(),
        projection: projection(request)?,
        keys,
    })
}

fn elements(request: &IndexRequest<'_>) -> Vec<KeyElement> {
    let keys = request.keys.iter().flatten();
    keys.map(KeyRequest::element).collect()
}

fn unique<'j>(names: &mut BTreeSet<&'j str>, request: &IndexRequest<'j>) -> Result<(), ApiError> {
    let name = request.name.unwrap_or_default();
    if names.insert(name) {
        return Ok(());
    }
    Err(ApiError::invalid(format_args!(
        "Duplicate index name: {name}"
    )))
}

/// What the index holds. AWS tells the names in order, whatever the order was.
fn projection(request: &IndexRequest<'_>) -> Result<Projection, ApiError> {
    let nothing = ProjectionRequest {
        kind: None,
        attributes: None,
    };
    let asked = request.projection.as_ref().unwrap_or(&nothing);
    let unwanted = |kind: &str| {
        Err(ApiError::invalid(format_args!(
            "ProjectionType is {kind}, but NonKeyAttributes is specified"
        )))
    };
    match (asked.kind, &asked.attributes) {
        (Some("ALL"), None) => Ok(Projection::All),
        (Some("KEYS_ONLY"), None) => Ok(Projection::KeysOnly),
        (Some("INCLUDE"), Some(names)) => {
            let mut included = BTreeSet::new();
            for name in names.iter().flatten() {
                if !included.insert((*name).to_owned()) {
                    return Err(ApiError::invalid(format_args!(
                        "Duplicate element in NonKeyAttributes: {name}"
                    )));
                }
            }
            Ok(Projection::Include(included.into_iter().collect()))
        }
        (Some("INCLUDE"), None) => Err(ApiError::invalid(
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        )),
        (Some(kind), _) => unwanted(kind),
        (None, _) => Err(ApiError::invalid("Unknown ProjectionType: null")),
    }
}
