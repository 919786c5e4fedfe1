//! `DescribeDBInstances`.

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::instance::fleet::{Fleet, id_of};
use crate::api::instance::shape;

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
    let mut shown = match context.params.text("DBInstanceIdentifier") {
        Some(name) => vec![fleet.find(context, name)?],
        None => fleet.instances.iter().collect(),
    };
    shown.retain(|instance| {
        filters.pass(|name, value| match name {
            "db-instance-id" => instance.id == id_of(context, value),
            "dbi-resource-id" => instance.record.resource_id.eq_ignore_ascii_case(value),
            "engine" => instance.record.settings.engine == value,
            // No instance is part of a cluster or a directory's domain.
            _ => false,
        })
    });
    let page = page.cut(shown, |instance| instance.id.clone());
    Ok(page.into_result("DBInstances", |instance| {
        shape::db_instance(context, &fleet, &instance.id, &instance.record)
    }))
}
