//! Cache parameter groups and the parameters in them.
//!
//! The groups `default.FAMILY` and `default.FAMILY.cluster.on` are there for every family that a host can run. They are not
//! stored and cannot be changed.

use std::collections::BTreeMap;

use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::query::QueryError;
use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::context::{Context, retry};
use crate::api::engines::Engines;
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::{check, tags};
use crate::catalogue::{Parameter, find_parameter, parameters_of};
use crate::model::ParameterGroup;

/// How many parameters one call may change.
const PARAMETERS_MAX: usize = 20;
const SOURCES: [&str; 3] = ["user", "system", "engine-default"];

/// A group by its name, stored or default.
pub(crate) struct FoundGroup {
    pub(crate) name: String,
    pub(crate) family: String,
    /// None for a default group.
    pub(crate) stored: Option<Stored<ParameterGroup>>,
}

impl FoundGroup {
    fn of(stored: Stored<ParameterGroup>) -> FoundGroup {
        FoundGroup {
            name: stored.id.clone(),
            family: stored.record.family.clone(),
            stored: Some(stored),
        }
    }

    fn of_default((name, family): (String, String)) -> FoundGroup {
        FoundGroup {
            name,
            family,
            stored: None,
        }
    }

    /// The stored group; the default ones can be neither changed nor deleted.
    fn require_stored(self) -> Result<Stored<ParameterGroup>, ElastiCacheError> {
        self.stored.ok_or_else(|| {
            ElastiCacheError::InvalidState(
                Kind::ParameterGroup,
                format!(
                    "The default cache parameter group {} cannot be modified or deleted: create a group of your own.",
                    self.name
                ),
            )
        })
    }

    fn to_element(&self, context: &Context<'_>) -> Element {
        let default = format!("Default parameter group for {}", self.family);
        let stored = self.stored.as_ref();
        let description = stored.map_or(&default, |stored| &stored.record.description);
        Element::new("CacheParameterGroup")
            .field("CacheParameterGroupName", &self.name)
            .field("CacheParameterGroupFamily", &self.family)
            .field("Description", description)
            .field("IsGlobal", false)
            .field("ARN", context.arn("parametergroup", &self.name))
    }
}

/// `CreateCacheParameterGroup`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let parameter = "CacheParameterGroupName";
    let name = check::name(parameter, params.required(parameter)?)?;
    let family = params.required("CacheParameterGroupFamily")?;
    check_family(context, family).await?;
    let group = ParameterGroup {
        family: family.to_owned(),
        description: params.required("Description")?.to_owned(),
        settings: BTreeMap::new(),
        tags: tags::from_params(params)?,
    };
    let stored = retry(|| async {
        if context.read::<ParameterGroup>(&name).await?.is_some() {
            return Err(ElastiCacheError::AlreadyExists(
                Kind::ParameterGroup,
                name.clone(),
            ));
        }
        let txn = Txn::new().insert(&name, &group);
        let revision = context.catalog().commit(txn).await?;
        Ok(Stored {
            id: name.clone(),
            revision,
            record: group.clone(),
        })
    })
    .await?;
    Ok(vec![FoundGroup::of(stored).to_element(context)])
}

/// `DescribeCacheParameterGroups`.
pub(crate) async fn describe_groups(
    context: &Context<'_>,
) -> Result<Vec<Element>, ElastiCacheError> {
    let page = PageRequest::read(&context.params)?;
    let groups = match context.params.text("CacheParameterGroupName") {
        Some(name) => vec![find(context, name).await?],
        None => {
            let stored: Vec<Stored<ParameterGroup>> = context.list().await?;
            let defaults = Engines::read(context).await?.default_groups().into_iter();
            let defaults = defaults.map(FoundGroup::of_default);
            defaults
                .chain(stored.into_iter().map(FoundGroup::of))
                .collect()
        }
    };
    let page = page.cut(groups, |group| group.name.clone());
    Ok(page.into_result("CacheParameterGroups", |group| group.to_element(context)))
}

/// `DescribeCacheParameters`.
pub(crate) async fn describe_parameters(
    context: &Context<'_>,
) -> Result<Vec<Element>, ElastiCacheError> {
    let page = PageRequest::read(&context.params)?;
    let source = context.params.text("Source");
    if let Some(unknown) = source.filter(|source| !SOURCES.contains(source)) {
        return Err(ElastiCacheError::InvalidValue(format!(
            "Invalid value '{unknown}' for Source. Valid values are: {}.",
            SOURCES.join(", ")
        )));
    }
    let name = context.params.required("CacheParameterGroupName")?;
    let group = find(context, name).await?;
    let mut rows = values(&group);
    rows.retain(|(_, _, of)| source.is_none_or(|asked| asked == *of));
    let page = page.cut(rows, |(parameter, ..)| parameter.name.to_owned());
    Ok(
        page.into_result("Parameters", |(parameter, value, source)| {
            to_element(parameter, &value, source)
        }),
    )
}

/// `DescribeEngineDefaultParameters`.
pub(crate) async fn describe_defaults(
    context: &Context<'_>,
) -> Result<Vec<Element>, ElastiCacheError> {
    let page = PageRequest::read(&context.params)?;
    let family = context.params.required("CacheParameterGroupFamily")?;
    check_family(context, family).await?;
    let group = FoundGroup::of_default((String::new(), family.to_owned()));
    let page = page.cut(values(&group), |(parameter, ..)| parameter.name.to_owned());
    let rows = page.into_result("Parameters", |(parameter, value, source)| {
        to_element(parameter, &value, source)
    });
    let defaults = Element::new("EngineDefaults").field("CacheParameterGroupFamily", family);
    Ok(vec![defaults.with_all(rows)])
}

/// `ModifyCacheParameterGroup`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let given = given(context)?;
    if given.is_empty() {
        return Err(QueryError::Missing(String::from("ParameterNameValues")).into());
    }
    change(context, |group| {
        for (name, value) in &given {
            let parameter = known(&group.family, name)?;
            let value = value.as_ref().ok_or_else(|| {
                ElastiCacheError::InvalidValue(format!("ParameterValue must be given for {name}."))
            })?;
            parameter
                .check(value)
                .map_err(ElastiCacheError::InvalidValue)?;
            group.settings.insert(name.clone(), value.clone());
        }
        Ok(())
    })
    .await
}

/// `ResetCacheParameterGroup`.
pub(crate) async fn reset(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let given = given(context)?;
    let all = context.flag("ResetAllParameters")?;
    if all != given.is_empty() {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "Give either ResetAllParameters as true or ParameterNameValues, not both and not neither.",
        )));
    }
    change(context, |group| {
        if all {
            group.settings.clear();
        }
        for (name, _) in &given {
            known(&group.family, name)?;
            group.settings.remove(name);
        }
        Ok(())
    })
    .await
}

/// `DeleteCacheParameterGroup`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("CacheParameterGroupName")?;
    retry(|| async {
        let stored = find(context, name).await?.require_stored()?;
        let caches = Caches::read(context).await?;
        if let Some(user) = caches.find(|cache| cache.settings.parameter_group == stored.id) {
            return Err(ElastiCacheError::InvalidState(
                Kind::ParameterGroup,
                format!(
                    "One or more cache clusters are still members of this parameter group {}, so the group cannot be \
                     deleted: {} is one.",
                    stored.id, user.id
                ),
            ));
        }
        context.catalog().commit(Txn::new().remove(&stored)).await?;
        Ok(())
    })
    .await?;
    Ok(Vec::new())
}

/// The group with this name.
pub(crate) async fn find(
    context: &Context<'_>,
    name: &str,
) -> Result<FoundGroup, ElastiCacheError> {
    let id = name.to_ascii_lowercase();
    let mut defaults = Engines::read(context).await?.default_groups().into_iter();
    if let Some(default) = defaults.find(|(name, _)| *name == id) {
        return Ok(FoundGroup::of_default(default));
    }
    let stored = context.read::<ParameterGroup>(&id).await?;
    stored
        .map(FoundGroup::of)
        .ok_or_else(|| ElastiCacheError::NotFound(Kind::ParameterGroup, name.to_owned()))
}

async fn check_family(context: &Context<'_>, family: &str) -> Result<(), ElastiCacheError> {
    let families = Engines::read(context).await?.families();
    if families.contains(family) {
        return Ok(());
    }
    let known: Vec<String> = families.into_iter().collect();
    Err(ElastiCacheError::InvalidValue(format!(
        "CacheParameterGroupFamily {family} is not a valid parameter group family. Hosts of this region can run: {}.",
        if known.is_empty() {
            String::from("none; install redis-server, valkey-server or memcached")
        } else {
            known.join(", ")
        }
    )))
}

/// Each parameter of the group's family with its value and source.
fn values(group: &FoundGroup) -> Vec<(&'static Parameter, String, &'static str)> {
    let settings = group.stored.as_ref().map(|stored| &stored.record.settings);
    let of = |parameter: &'static Parameter| {
        let set = settings.and_then(|settings| settings.get(parameter.name));
        let source = if set.is_some() { "user" } else { "system" };
        let default = match parameter.name {
            "cluster-enabled" if group.name.ends_with(".cluster.on") => "yes",
            _ => parameter.default,
        };
        let value = set.map_or(default, String::as_str).to_owned();
        (parameter, value, source)
    };
    parameters_of(&group.family).into_iter().map(of).collect()
}

fn to_element(parameter: &Parameter, value: &str, source: &str) -> Element {
    Element::new("Parameter")
        .field("ParameterName", parameter.name)
        .field("ParameterValue", value)
        .field("Description", parameter.description)
        .field("Source", source)
        .field("DataType", parameter.data_type())
        .field("AllowedValues", parameter.allowed())
        .field("IsModifiable", parameter.modifiable)
        .field("MinimumEngineVersion", parameter.since)
        .field("ChangeType", parameter.change.as_str())
}

type Given = Vec<(String, Option<String>)>;

fn given(context: &Context<'_>) -> Result<Given, ElastiCacheError> {
    let structures = context
        .params
        .structures("ParameterNameValues", "ParameterNameValue");
    if structures.len() > PARAMETERS_MAX {
        return Err(ElastiCacheError::InvalidValue(format!(
            "A maximum of {PARAMETERS_MAX} parameters can be modified in a single request."
        )));
    }
    let mut given = Vec::new();
    for structure in structures {
        let name = structure.required("ParameterName")?.to_owned();
        given.push((name, structure.raw("ParameterValue").map(str::to_owned)));
    }
    Ok(given)
}

fn known(family: &str, name: &str) -> Result<&'static Parameter, ElastiCacheError> {
    find_parameter(family, name).ok_or_else(|| {
        ElastiCacheError::InvalidValue(format!(
            "The parameter {name} is not a parameter of family {family}."
        ))
    })
}

async fn change(
    context: &Context<'_>,
    edit: impl Fn(&mut ParameterGroup) -> Result<(), ElastiCacheError> + Sync,
) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("CacheParameterGroupName")?;
    let id = retry(|| async {
        let stored = find(context, name).await?.require_stored()?;
        let mut group = stored.record.clone();
        edit(&mut group)?;
        let txn = Txn::new().replace(&stored, &group);
        context.catalog().commit(txn).await?;
        Ok(stored.id)
    })
    .await?;
    Ok(vec![Element::text("CacheParameterGroupName", id)])
}
