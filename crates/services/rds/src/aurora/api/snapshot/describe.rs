//! `DescribeDBClusterSnapshots`.

use quorate_control::Stored;
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::aurora::api::cluster;
use crate::aurora::api::snapshot::read::{find, id_of};
use crate::aurora::api::snapshot::shape;
use crate::aurora::model::ClusterSnapshot;

const FILTERS: [&str; 5] = [
    "db-cluster-id",
    "db-cluster-resource-id",
    "db-cluster-snapshot-id",
    "engine",
    "snapshot-type",
];

/// The types that clients may ask for. Those here are automated or manual.
const TYPES: [&str; 5] = ["automated", "manual", "shared", "public", "awsbackup"];

/// `DescribeDBClusterSnapshots`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let filters = Filters::read(params, &FILTERS)?;
    let kind = params.text("SnapshotType");
    if let Some(unknown) = kind.filter(|kind| !TYPES.contains(kind)) {
        return Err(RdsError::InvalidValue(format!(
            "Invalid snapshot type: {unknown}. Must be one of: {}",
            TYPES.join(", ")
        )));
    }
    let of_cluster = params.text("DBClusterIdentifier");
    let of_cluster = of_cluster.map(|name| cluster::id_of(context, name));
    let resource_id = params.text("DbClusterResourceId");
    let mut shown: Vec<Stored<ClusterSnapshot>> = match params.text("DBClusterSnapshotIdentifier") {
        Some(name) => vec![find(context, name).await?],
        None => context.list().await?,
    };
    shown.retain(|Stored { id, record, .. }| {
        kind.is_none_or(|kind| kind == record.kind())
            && of_cluster.as_ref().is_none_or(|of| *of == record.cluster)
            && resource_id.is_none_or(|of| of.eq_ignore_ascii_case(&record.cluster_resource_id))
            && filters.pass(|name, value| match name {
                "db-cluster-id" => record.cluster == cluster::id_of(context, value),
                "db-cluster-resource-id" => record.cluster_resource_id.eq_ignore_ascii_case(value),
                "db-cluster-snapshot-id" => *id == id_of(context, value),
                "engine" => record.settings.engine == value,
                _ => value == record.kind(),
            })
    });
    let page = page.cut(shown, |snapshot| snapshot.id.clone());
    Ok(page.into_result("DBClusterSnapshots", |snapshot| {
        shape::snapshot(context, &snapshot.id, &snapshot.record)
    }))
}
