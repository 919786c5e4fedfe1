//! `DescribeDBInstances`.

use std::borrow::Cow;

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::instance::fleet::{Fleet, id_of};
use crate::api::instance::shape;
use crate::aurora::api::cluster;
use crate::aurora::api::member::{as_instance, with_membership};
use crate::aurora::model::ClusterMember;
use crate::model::Instance;

const FILTERS: [&str; 5] = [
    "db-cluster-id",
    "db-instance-id",
    "dbi-resource-id",
    "domain",
    "engine",
];

/// `DescribeDBInstances`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let page = PageRequest::read(&context.params)?;
    let filters = Filters::read(&context.params, &FILTERS)?;
    let fleet = Fleet::read(context).await?;
    let mut shown = all(&fleet);
    if let Some(name) = context.params.text("DBInstanceIdentifier") {
        let id = id_of(context, name);
        shown.retain(|instance| instance.id == id);
        if shown.is_empty() {
            return Err(RdsError::InstanceNotFound(name.to_owned()));
        }
    }
    shown.retain(|instance| {
        filters.pass(|name, value| match name {
            "db-cluster-id" => instance.cluster() == Some(&cluster::id_of(context, value)),
            "db-instance-id" => instance.id == id_of(context, value),
            "dbi-resource-id" => instance.record.resource_id.eq_ignore_ascii_case(value),
            "engine" => instance.record.settings.engine == value,
            // No instance is part of a directory's domain.
            _ => false,
        })
    });
    let page = page.cut(shown, |instance| instance.id.to_owned());
    Ok(page.into_result("DBInstances", |instance| {
        let element = shape::db_instance(context, &fleet, instance.id, &instance.record);
        match instance.member {
            Some((cluster, member)) => with_membership(element, cluster, member),
            None => element,
        }
    }))
}

/// An instance of its own, or a member of a cluster.
struct Shown<'f> {
    id: &'f str,
    record: Cow<'f, Instance>,
    member: Option<(&'f String, &'f ClusterMember)>,
}

impl Shown<'_> {
    fn cluster(&self) -> Option<&String> {
        self.member.map(|(cluster, _)| cluster)
    }
}

fn all(fleet: &Fleet) -> Vec<Shown<'_>> {
    let instances = fleet.instances.iter().map(|instance| Shown {
        id: &instance.id,
        record: Cow::Borrowed(&instance.record),
        member: None,
    });
    let members = fleet.members().map(|(cluster, id, member)| Shown {
        id,
        record: Cow::Owned(as_instance(&cluster.record, member)),
        member: Some((&cluster.id, member)),
    });
    let mut all: Vec<Shown<'_>> = instances.chain(members).collect();
    all.sort_by_key(|instance| instance.id);
    all
}
