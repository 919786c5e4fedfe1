//! `DescribeDBClusters`.

use quorate_base::UnixMillis;
use quorate_control::Stored;
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::aurora::api::backup::Backups;
use crate::aurora::api::cluster::{find, id_of, shape};
use crate::aurora::model::Cluster;

const FILTERS: [&str; 5] = [
    "clone-group-id",
    "db-cluster-id",
    "db-cluster-resource-id",
    "domain",
    "engine",
];

/// `DescribeDBClusters`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let page = PageRequest::read(&context.params)?;
    let filters = Filters::read(&context.params, &FILTERS)?;
    let mut shown: Vec<Stored<Cluster>> = match context.params.text("DBClusterIdentifier") {
        Some(name) => vec![find(context, name).await?],
        None => context.list().await?,
    };
    shown.retain(|cluster| {
        filters.pass(|name, value| match name {
            "db-cluster-id" => cluster.id == id_of(context, value),
            "db-cluster-resource-id" => cluster.record.resource_id.eq_ignore_ascii_case(value),
            "engine" => cluster.record.settings.engine == value,
            // No cluster is a clone or part of a directory's domain.
            _ => false,
        })
    });
    let page = page.cut(shown, |cluster| cluster.id.clone());
    let backups = Backups::read(context).await?;
    Ok(page.into_result("DBClusters", |cluster| {
        let element = shape::db_cluster(context, &cluster.id, &cluster.record);
        let restorable = backups.restorable(&cluster.record, UnixMillis::now());
        let earliest = restorable.first().map(|stretch| stretch.earliest);
        let latest = restorable.last().map(|stretch| stretch.latest);
        element
            .field_if("EarliestRestorableTime", earliest)
            .field_if("LatestRestorableTime", latest)
    }))
}
