//! Groups as such: made, listed, found, deleted.
//!
//! The group `default.FAMILY` is there for every family that a host can run. It is not stored and cannot be
//! changed.

use std::collections::BTreeMap;

use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::identifier;
use crate::api::instance::Fleet;
use crate::model::ParameterGroup;

const DEFAULT_PREFIX: &str = "default.";

/// A group by its name, stored or default.
pub(crate) struct FoundGroup {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) description: String,
    /// None for a default group.
    pub(crate) stored: Option<Stored<ParameterGroup>>,
}

impl FoundGroup {
    fn default_of(family: &str) -> FoundGroup {
        FoundGroup {
            name: format!("{DEFAULT_PREFIX}{family}"),
            family: family.to_owned(),
            description: format!("Default parameter group for {family}"),
            stored: None,
        }
    }

    fn of(stored: Stored<ParameterGroup>) -> FoundGroup {
        FoundGroup {
            name: stored.id.clone(),
            family: stored.record.family.clone(),
            description: stored.record.description.clone(),
            stored: Some(stored),
        }
    }
}

/// `CreateDBParameterGroup`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = identifier::parameter_group_name(
        "DBParameterGroupName",
        params.required("DBParameterGroupName")?,
    )?;
    let family = params.required("DBParameterGroupFamily")?;
    let engines = Engines::read(context).await?;
    check_family(&engines, family)?;
    let group = ParameterGroup {
        family: family.to_owned(),
        description: params.required("Description")?.to_owned(),
        settings: BTreeMap::new(),
        tags: context.tags()?,
    };
    retry(|| async {
        if context.read::<ParameterGroup>(&name).await?.is_some() {
            return Err(RdsError::ParameterGroupAlreadyExists(name.clone()));
        }
        let txn = Txn::new().insert(&name, &group);
        context.catalog().commit(txn).await?;
        Ok(())
    })
    .await?;
    Ok(vec![element(context, &name, family, &group.description)])
}

/// `DescribeDBParameterGroups`.
pub(crate) async fn describe_groups(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let page = PageRequest::read(&context.params)?;
    Filters::read(&context.params, &[])?;
    let groups = match context.params.text("DBParameterGroupName") {
        Some(name) => vec![find(context, name).await?],
        None => {
            let stored: Vec<Stored<ParameterGroup>> = context.list().await?;
            let engines = Engines::read(context).await?;
            let families = engines.families().into_iter();
            families
                .map(|(family, _)| FoundGroup::default_of(&family))
                .chain(stored.into_iter().map(FoundGroup::of))
                .collect()
        }
    };
    let page = page.cut(groups, |group| group.name.clone());
    Ok(page.into_result("DBParameterGroups", |group| {
        element(context, &group.name, &group.family, &group.description)
    }))
}

/// `DeleteDBParameterGroup`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required("DBParameterGroupName")?;
    retry(|| async {
        let group = find(context, name).await?;
        let Some(stored) = group.stored else {
            return Err(RdsError::InvalidParameterGroupState(format!(
                "Default DBParameterGroup cannot be deleted: {}",
                group.name
            )));
        };
        let fleet = Fleet::read(context).await?;
        if fleet.parameter_groups().any(|group| group == stored.id) {
            return Err(RdsError::InvalidParameterGroupState(format!(
                "One or more database instances are still members of this parameter group {}, so the group cannot be deleted",
                stored.id
            )));
        }
        context.catalog().commit(Txn::new().remove(&stored)).await?;
        Ok(())
    })
    .await?;
    Ok(Vec::new())
}

/// The group with this name.
pub(crate) async fn find(context: &Context<'_>, name: &str) -> Result<FoundGroup, RdsError> {
    let id = name.to_ascii_lowercase();
    if let Some(family) = id.strip_prefix(DEFAULT_PREFIX) {
        let engines = Engines::read(context).await?;
        if engines.families().iter().any(|(known, _)| known == family) {
            return Ok(FoundGroup::default_of(family));
        }
    }
    let stored = context.read::<ParameterGroup>(&id).await?;
    stored
        .map(FoundGroup::of)
        .ok_or_else(|| RdsError::ParameterGroupNotFound(name.to_owned()))
}

/// Refuses families that no host can run.
pub(super) fn check_family(engines: &Engines, family: &str) -> Result<(), RdsError> {
    let families = engines.families();
    if families.iter().any(|(known, _)| known == family) {
        return Ok(());
    }
    let known: Vec<String> = families.into_iter().map(|(family, _)| family).collect();
    Err(RdsError::InvalidValue(format!(
        "ParameterGroupFamily {family} is not a valid parameter group family. Hosts of this region offer: {}",
        if known.is_empty() {
            String::from(
                "none; install PostgreSQL (apt-get install postgresql) or MariaDB (apt-get install mariadb-server)",
            )
        } else {
            known.join(", ")
        }
    )))
}

fn element(context: &Context<'_>, name: &str, family: &str, description: &str) -> Element {
    Element::new("DBParameterGroup")
        .field("DBParameterGroupName", name)
        .field("DBParameterGroupFamily", family)
        .field("Description", description)
        .field("DBParameterGroupArn", context.arn("pg", name))
}
