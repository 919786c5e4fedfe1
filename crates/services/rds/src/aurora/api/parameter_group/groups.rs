//! Groups as such: made, listed, found, deleted.
//!
//! The group `default.FAMILY` is there for every family that a host can run. It is not stored and cannot be changed.

use std::collections::BTreeMap;

use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::identifier;
use crate::aurora::model::{Cluster, ClusterParameterGroup};
use crate::catalogue::family_of;

/// The parameter that names a group.
pub(super) const NAME: &str = "DBClusterParameterGroupName";
const DEFAULT_PREFIX: &str = "default.";

/// A group by its name, stored or default.
pub(crate) struct FoundClusterGroup {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) description: String,
    /// None for a default group.
    pub(crate) stored: Option<Stored<ClusterParameterGroup>>,
}

impl FoundClusterGroup {
    pub(super) fn default_of(family: &str) -> FoundClusterGroup {
        FoundClusterGroup {
            name: format!("{DEFAULT_PREFIX}{family}"),
            family: family.to_owned(),
            description: format!("Default cluster parameter group for {family}"),
            stored: None,
        }
    }

    pub(super) fn of(stored: Stored<ClusterParameterGroup>) -> FoundClusterGroup {
        FoundClusterGroup {
            name: stored.id.clone(),
            family: stored.record.family.clone(),
            description: stored.record.description.clone(),
            stored: Some(stored),
        }
    }
}

/// `CreateDBClusterParameterGroup`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = identifier::parameter_group_name(NAME, params.required(NAME)?)?;
    let family = params.required("DBParameterGroupFamily")?;
    let engines = Engines::read(context).await?;
    check_family(&engines, family)?;
    let group = ClusterParameterGroup {
        family: family.to_owned(),
        description: params.required("Description")?.to_owned(),
        settings: BTreeMap::new(),
        tags: context.tags()?,
    };
    retry(|| async {
        if context
            .read::<ClusterParameterGroup>(&name)
            .await?
            .is_some()
        {
            return Err(RdsError::ParameterGroupAlreadyExists(name.clone()));
        }
        let txn = Txn::new().insert(&name, &group);
        context.catalog().commit(txn).await?;
        Ok(())
    })
    .await?;
    Ok(vec![element(context, &name, family, &group.description)])
}

/// `DescribeDBClusterParameterGroups`.
pub(crate) async fn describe_groups(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let page = PageRequest::read(&context.params)?;
    Filters::read(&context.params, &[])?;
    let groups = match context.params.text(NAME) {
        Some(name) => vec![asked(context, name).await?],
        None => {
            let stored: Vec<Stored<ClusterParameterGroup>> = context.list().await?;
            let engines = Engines::read(context).await?;
            let families = engines.cluster_families().into_iter();
            families
                .map(|(family, _)| FoundClusterGroup::default_of(&family))
                .chain(stored.into_iter().map(FoundClusterGroup::of))
                .collect()
        }
    };
    let page = page.cut(groups, |group| group.name.clone());
    Ok(page.into_result("DBClusterParameterGroups", |group| {
        element(context, &group.name, &group.family, &group.description)
    }))
}

/// `DeleteDBClusterParameterGroup`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required(NAME)?;
    retry(|| async {
        let group = asked(context, name).await?;
        let Some(stored) = group.stored else {
            return Err(RdsError::InvalidParameterGroupState(format!(
                "Default DBClusterParameterGroup cannot be deleted: {}",
                group.name
            )));
        };
        let clusters: Vec<Stored<Cluster>> = context.list().await?;
        if clusters.iter().any(|c| c.record.settings.parameter_group == stored.id) {
            return Err(RdsError::InvalidParameterGroupState(format!(
                "One or more database clusters are still members of this parameter group {}, so the group cannot be \
                 deleted",
                stored.id
            )));
        }
        context.catalog().commit(Txn::new().remove(&stored)).await?;
        Ok(())
    })
    .await?;
    Ok(Vec::new())
}

/// The group that a request is about.
pub(super) async fn asked(
    context: &Context<'_>,
    name: &str,
) -> Result<FoundClusterGroup, RdsError> {
    find(context, name)
        .await?
        .ok_or_else(|| RdsError::ClusterGroupNotFound(name.to_owned()))
}

/// Refuses families that are no cluster's, or that no host can run.
pub(super) fn check_family(engines: &Engines, family: &str) -> Result<(), RdsError> {
    let families = engines.cluster_families();
    if families.iter().any(|(known, _)| known == family) {
        return Ok(());
    }
    let known: Vec<String> = families.into_iter().map(|(family, _)| family).collect();
    Err(RdsError::InvalidValue(format!(
        "ParameterGroupFamily {family} is not a valid parameter group family of DB clusters. Hosts of this region offer: {}",
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
    Element::new("DBClusterParameterGroup")
        .field("DBClusterParameterGroupName", name)
        .field("DBParameterGroupFamily", family)
        .field("Description", description)
        .field(
            "DBClusterParameterGroupArn",
            context.arn("cluster-pg", name),
        )
}

/// The group with this name, if there is one.
pub(super) async fn find(
    context: &Context<'_>,
    name: &str,
) -> Result<Option<FoundClusterGroup>, RdsError> {
    let id = name.to_ascii_lowercase();
    if let Some(family) = id.strip_prefix(DEFAULT_PREFIX) {
        let engines = Engines::read(context).await?;
        let mut families = engines.cluster_families().into_iter();
        if families.any(|(known, _)| known == family) {
            return Ok(Some(FoundClusterGroup::default_of(family)));
        }
    }
    let stored = context.read::<ClusterParameterGroup>(&id).await?;
    Ok(stored.map(FoundClusterGroup::of))
}

/// The group that a cluster names.
pub(crate) async fn named(
    context: &Context<'_>,
    name: &str,
) -> Result<FoundClusterGroup, RdsError> {
    find(context, name)
        .await?
        .ok_or_else(|| RdsError::ClusterParameterGroupNotFound(name.to_owned()))
}

/// The group that a cluster of this engine and version names.
pub(crate) async fn for_version(
    context: &Context<'_>,
    name: &str,
    engine: &str,
    engine_version: &str,
) -> Result<FoundClusterGroup, RdsError> {
    let group = named(context, name).await?;
    let family = family_of(engine, engine_version);
    if group.family != family {
        return Err(RdsError::InvalidCombination(format!(
            "The Parameter Group {} with DBParameterGroupFamily {} cannot be used for this instance. Please use a \
             Parameter Group with DBParameterGroupFamily {family}",
            group.name, group.family
        )));
    }
    Ok(group)
}
