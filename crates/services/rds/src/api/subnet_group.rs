//! DB subnet groups. A region here has one network, in which each subnet stands for one zone.

use std::collections::BTreeSet;

use quorate_base::ZoneName;
use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::identifier;
use crate::api::instance::Fleet;
use crate::model::SubnetGroup;

/// The group that instances are in when none is asked for. Not stored.
pub(crate) const DEFAULT_GROUP: &str = "default";

/// The one network of a region.
pub(crate) const VPC_ID: &str = "vpc-quorate";
const SUBNETS_MAX: usize = 20;
const ZONES_MIN: usize = 2;
const SUBNET_CHARS_MAX: usize = 255;

/// `CreateDBSubnetGroup`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = identifier::subnet_group_name(params.required("DBSubnetGroupName")?)?;
    if name == DEFAULT_GROUP {
        return Err(RdsError::InvalidValue(String::from(
            "The parameter DBSubnetGroupName must not be default.",
        )));
    }
    let group = SubnetGroup {
        description: params.required("DBSubnetGroupDescription")?.to_owned(),
        subnets: subnets(context)?,
        tags: context.tags()?,
    };
    retry(|| async {
        if context.read::<SubnetGroup>(&name).await?.is_some() {
            return Err(RdsError::SubnetGroupAlreadyExists(name.clone()));
        }
        context
            .catalog()
            .commit(Txn::new().insert(&name, &group))
            .await?;
        Ok(())
    })
    .await?;
    Ok(vec![to_element(context, &name, &group)])
}

/// `DescribeDBSubnetGroups`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let page = PageRequest::read(&context.params)?;
    Filters::read(&context.params, &[])?;
    let mut groups: Vec<(String, SubnetGroup)> = context
        .list::<SubnetGroup>()
        .await?
        .into_iter()
        .map(|stored| (stored.id, stored.record))
        .collect();
    groups.push((DEFAULT_GROUP.to_owned(), default_group(context)));
    if let Some(name) = context.params.text("DBSubnetGroupName") {
        groups.retain(|(id, _)| id.eq_ignore_ascii_case(name));
        if groups.is_empty() {
            return Err(RdsError::SubnetGroupNotFound(name.to_owned()));
        }
    }
    let page = page.cut(groups, |(id, _)| id.clone());
    Ok(page.into_result("DBSubnetGroups", |(id, group)| {
        to_element(context, &id, &group)
    }))
}

/// `ModifyDBSubnetGroup`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context
        .params
        .required("DBSubnetGroupName")?
        .to_ascii_lowercase();
    let description = context.params.text("DBSubnetGroupDescription");
    let subnets = subnets(context)?;
    let group = retry(|| async {
        let stored = stored(context, &name).await?;
        let mut group = stored.record.clone();
        group.subnets.clone_from(&subnets);
        if let Some(description) = description {
            description.clone_into(&mut group.description);
        }
        context
            .catalog()
            .commit(Txn::new().replace(&stored, &group))
            .await?;
        Ok(group)
    })
    .await?;
    Ok(vec![to_element(context, &name, &group)])
}

/// `DeleteDBSubnetGroup`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context
        .params
        .required("DBSubnetGroupName")?
        .to_ascii_lowercase();
    retry(|| async {
        let stored = stored(context, &name).await?;
        let fleet = Fleet::read(context).await?;
        if let Some(user) = fleet.user_of_subnet_group(&name) {
            return Err(RdsError::InvalidSubnetGroupState(format!(
                "Cannot delete the subnet group '{name}' because at least one database instance: {user} is still using it."
            )));
        }
        context.catalog().commit(Txn::new().remove(&stored)).await?;
        Ok(())
    })
    .await?;
    Ok(Vec::new())
}

/// A group that an instance may be put in, with its record when it is not the default.
pub(crate) async fn find(
    context: &Context<'_>,
    name: &str,
) -> Result<(String, SubnetGroup, Option<Stored<SubnetGroup>>), RdsError> {
    let id = name.to_ascii_lowercase();
    if id == DEFAULT_GROUP {
        return Ok((id, default_group(context), None));
    }
    let stored = context
        .read::<SubnetGroup>(&id)
        .await?
        .ok_or_else(|| RdsError::SubnetGroupNotFound(name.to_owned()))?;
    Ok((id, stored.record.clone(), Some(stored)))
}

/// The group that is always there: one subnet in each zone.
pub(crate) fn default_group(context: &Context<'_>) -> SubnetGroup {
    let zones = context.region.zones.iter();
    SubnetGroup {
        description: String::from("default"),
        subnets: zones
            .map(|zone| (format!("subnet-{zone}"), zone.clone()))
            .collect(),
        tags: Vec::new(),
    }
}

/// The `DBSubnetGroup` element.
pub(crate) fn to_element(context: &Context<'_>, name: &str, group: &SubnetGroup) -> Element {
    Element::new("DBSubnetGroup")
        .field("DBSubnetGroupName", name)
        .field("DBSubnetGroupDescription", &group.description)
        .field("VpcId", VPC_ID)
        .field("SubnetGroupStatus", "Complete")
        .with(Element::list("Subnets", &group.subnets, |(id, zone)| {
            Element::new("Subnet")
                .field("SubnetIdentifier", id)
                .with(Element::new("SubnetAvailabilityZone").field("Name", zone))
                .with(Element::new("SubnetOutpost"))
                .field("SubnetStatus", "Active")
        }))
        .field("DBSubnetGroupArn", context.arn("subgrp", name))
        .with(Element::list("SupportedNetworkTypes", ["IPV4"], |kind| {
            Element::text("member", kind)
        }))
}

async fn stored(context: &Context<'_>, name: &str) -> Result<Stored<SubnetGroup>, RdsError> {
    if name == DEFAULT_GROUP {
        return Err(RdsError::InvalidSubnetGroupState(String::from(
            "The default DB subnet group cannot be modified or deleted.",
        )));
    }
    context
        .read(name)
        .await?
        .ok_or_else(|| RdsError::SubnetGroupNotFound(name.to_owned()))
}

/// The subnets of the request, each with the zone that its name ends with, the others in turn.
fn subnets(context: &Context<'_>) -> Result<Vec<(String, ZoneName)>, RdsError> {
    let given = context
        .params
        .texts("SubnetIds", "SubnetIdentifier")
        .filter(|ids| !ids.is_empty())
        .ok_or_else(|| quorate_wire::query::QueryError::Missing(String::from("SubnetIds")))?;
    if given.len() > SUBNETS_MAX {
        return Err(RdsError::InvalidValue(format!(
            "A DB subnet group has at most {SUBNETS_MAX} subnets."
        )));
    }
    let zones = &context.region.zones;
    let mut in_turn = zones.iter().cycle();
    let mut subnets = Vec::new();
    for id in given {
        let named = zones.iter().find(|zone| id.ends_with(zone.as_str()));
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if id.is_empty() || id.len() > SUBNET_CHARS_MAX || !id.chars().all(allowed) {
            return Err(RdsError::InvalidSubnet(id.to_owned()));
        }
        if subnets.iter().any(|(other, _)| other == id) {
            continue;
        }
        if let Some(zone) = named.or_else(|| in_turn.next()) {
            subnets.push((id.to_owned(), zone.clone()));
        }
    }
    let covered: BTreeSet<&str> = subnets.iter().map(|(_, zone)| zone.as_str()).collect();
    if covered.len() < ZONES_MIN {
        let covered: Vec<&str> = covered.into_iter().collect();
        return Err(RdsError::SubnetGroupCoversTooFewZones(covered.join(", ")));
    }
    Ok(subnets)
}
