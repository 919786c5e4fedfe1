//! Cache subnet groups. A region here has one network, in which each subnet stands for one zone.

use quorate_base::ZoneName;
use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::query::QueryError;
use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::{check, tags};
use crate::model::SubnetGroup;

/// The group that caches are in when none is asked for. Not stored.
pub(crate) const DEFAULT_GROUP: &str = "default";

/// The one network of a region.
pub(crate) const VPC_ID: &str = "vpc-quorate";
const SUBNETS_MAX: usize = 20;
const SUBNET_CHARS_MAX: usize = 255;

/// `CreateCacheSubnetGroup`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let name = check::name(
        "CacheSubnetGroupName",
        params.required("CacheSubnetGroupName")?,
    )?;
    let group = SubnetGroup {
        description: params.required("CacheSubnetGroupDescription")?.to_owned(),
        subnets: subnets(context)?.ok_or_else(|| QueryError::Missing(String::from("SubnetIds")))?,
        tags: tags::from_params(params)?,
    };
    retry(|| async {
        if name == DEFAULT_GROUP || context.read::<SubnetGroup>(&name).await?.is_some() {
            return Err(ElastiCacheError::AlreadyExists(
                Kind::SubnetGroup,
                name.clone(),
            ));
        }
        let txn = Txn::new().insert(&name, &group);
        context.catalog().commit(txn).await?;
        Ok(())
    })
    .await?;
    Ok(vec![to_element(context, &name, &group)])
}

/// `DescribeCacheSubnetGroups`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let page = PageRequest::read(&context.params)?;
    let stored: Vec<Stored<SubnetGroup>> = context.list().await?;
    let stored = stored.into_iter().map(|stored| (stored.id, stored.record));
    let mut groups: Vec<(String, SubnetGroup)> = stored.collect();
    groups.push((DEFAULT_GROUP.to_owned(), default_of(context)));
    if let Some(name) = context.params.text("CacheSubnetGroupName") {
        groups.retain(|(id, _)| id.eq_ignore_ascii_case(name));
        if groups.is_empty() {
            return Err(ElastiCacheError::NotFound(
                Kind::SubnetGroup,
                name.to_owned(),
            ));
        }
    }
    let page = page.cut(groups, |(id, _)| id.clone());
    Ok(page.into_result("CacheSubnetGroups", |(id, group)| {
        to_element(context, &id, &group)
    }))
}

/// `ModifyCacheSubnetGroup`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let name = params.required("CacheSubnetGroupName")?;
    let subnets = subnets(context)?;
    let (id, group) = retry(|| async {
        let stored = stored(context, name).await?;
        let mut group = stored.record.clone();
        if let Some(subnets) = &subnets {
            group.subnets.clone_from(subnets);
        }
        if let Some(description) = params.text("CacheSubnetGroupDescription") {
            description.clone_into(&mut group.description);
        }
        let txn = Txn::new().replace(&stored, &group);
        context.catalog().commit(txn).await?;
        Ok((stored.id, group))
    })
    .await?;
    Ok(vec![to_element(context, &id, &group)])
}

/// `DeleteCacheSubnetGroup`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("CacheSubnetGroupName")?;
    retry(|| async {
        let stored = stored(context, name).await?;
        let caches = Caches::read(context).await?;
        if let Some(user) = caches.find(|cache| cache.settings.subnet_group == stored.id) {
            return Err(ElastiCacheError::SubnetGroupInUse(format!(
                "Cache subnet group {} is currently in use by cache {}.",
                stored.id, user.id
            )));
        }
        context.catalog().commit(Txn::new().remove(&stored)).await?;
        Ok(())
    })
    .await?;
    Ok(Vec::new())
}

/// A group that a cache may be put in, with its record when it is not the default.
pub(crate) async fn find(
    context: &Context<'_>,
    name: &str,
) -> Result<(String, Option<Stored<SubnetGroup>>), ElastiCacheError> {
    let id = name.to_ascii_lowercase();
    if id == DEFAULT_GROUP {
        return Ok((id, None));
    }
    let stored = stored(context, name).await?;
    Ok((id, Some(stored)))
}

fn default_of(context: &Context<'_>) -> SubnetGroup {
    let zones = context.region.zones.iter();
    SubnetGroup {
        description: String::from("default"),
        subnets: zones
            .map(|zone| (format!("subnet-{zone}"), zone.clone()))
            .collect(),
        tags: Vec::new(),
    }
}

async fn stored(
    context: &Context<'_>,
    name: &str,
) -> Result<Stored<SubnetGroup>, ElastiCacheError> {
    let id = name.to_ascii_lowercase();
    if id == DEFAULT_GROUP {
        return Err(ElastiCacheError::SubnetGroupInUse(String::from(
            "The default cache subnet group cannot be modified or deleted.",
        )));
    }
    let read = context.read(&id).await?;
    read.ok_or_else(|| ElastiCacheError::NotFound(Kind::SubnetGroup, name.to_owned()))
}

/// The subnets of the request, each with the zone that its name ends with, the others in turn.
fn subnets(context: &Context<'_>) -> Result<Option<Vec<(String, ZoneName)>>, ElastiCacheError> {
    let Some(given) = context.texts("SubnetIds", "SubnetIdentifier") else {
        return Ok(None);
    };
    if given.is_empty() || given.len() > SUBNETS_MAX {
        return Err(ElastiCacheError::InvalidValue(format!(
            "A cache subnet group has 1 to {SUBNETS_MAX} subnets."
        )));
    }
    let zones = &context.region.zones;
    let mut in_turn = zones.iter().cycle();
    let mut subnets: Vec<(String, ZoneName)> = Vec::new();
    for id in given {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if id.is_empty() || id.len() > SUBNET_CHARS_MAX || !id.chars().all(allowed) {
            return Err(ElastiCacheError::InvalidSubnet(id));
        }
        let named = zones.iter().find(|zone| id.ends_with(zone.as_str()));
        let known = subnets.iter().any(|(other, _)| *other == id);
        if !known && let Some(zone) = named.or_else(|| in_turn.next()) {
            subnets.push((id, zone.clone()));
        }
    }
    Ok(Some(subnets))
}

fn to_element(context: &Context<'_>, name: &str, group: &SubnetGroup) -> Element {
    let types = || {
        Element::list("SupportedNetworkTypes", ["ipv4"], |t| {
            Element::text("member", t)
        })
    };
    Element::new("CacheSubnetGroup")
        .field("CacheSubnetGroupName", name)
        .field("CacheSubnetGroupDescription", &group.description)
        .field("VpcId", VPC_ID)
        .with(Element::list("Subnets", &group.subnets, |(id, zone)| {
            Element::new("Subnet")
                .field("SubnetIdentifier", id)
                .with(Element::new("SubnetAvailabilityZone").field("Name", zone))
                .with(types())
        }))
        .field("ARN", context.arn("subnetgroup", name))
        .with(types())
}
