//! `DescribeDBClusterEndpoints`.

use quorate_control::Stored;
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::aurora::api::cluster;
use crate::aurora::api::endpoint::shape;
use crate::aurora::model::Cluster;

const FILTERS: [&str; 4] = [
    "db-cluster-endpoint-custom-type",
    "db-cluster-endpoint-id",
    "db-cluster-endpoint-status",
    "db-cluster-endpoint-type",
];
const STATUS: &str = "available";

/// One endpoint with what filters ask of it.
struct Shown {
    key: String,
    id: Option<String>,
    kind: &'static str,
    custom_kind: Option<&'static str>,
    fields: Vec<Element>,
}

/// `DescribeDBClusterEndpoints`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let filters = Filters::read(params, &FILTERS)?;
    let clusters: Vec<Stored<Cluster>> = match params.text("DBClusterIdentifier") {
        Some(name) => vec![cluster::find(context, name).await?],
        None => context.list().await?,
    };
    let mut shown: Vec<Shown> = clusters.iter().flat_map(|c| all(context, c)).collect();
    if let Some(name) = params.text("DBClusterEndpointIdentifier") {
        let name = Some(name.to_ascii_lowercase());
        shown.retain(|endpoint| endpoint.id == name);
    }
    shown.retain(|endpoint| {
        filters.pass(|name, value| match name {
            "db-cluster-endpoint-type" => value.eq_ignore_ascii_case(endpoint.kind),
            "db-cluster-endpoint-custom-type" => endpoint
                .custom_kind
                .is_some_and(|kind| value.eq_ignore_ascii_case(kind)),
            "db-cluster-endpoint-id" => endpoint
                .id
                .as_ref()
                .is_some_and(|id| value.eq_ignore_ascii_case(id)),
            _ => value == STATUS,
        })
    });
    let page = page.cut(shown, |endpoint| endpoint.key.clone());
    Ok(page.into_result("DBClusterEndpoints", |endpoint| {
        Element::new("DBClusterEndpointList").with_all(endpoint.fields)
    }))
}

fn all(context: &Context<'_>, cluster: &Stored<Cluster>) -> Vec<Shown> {
    let built_in = shape::built_in(context, cluster).map(|(kind, fields)| Shown {
        key: format!("{}/{kind}", cluster.id),
        id: None,
        kind,
        custom_kind: None,
        fields,
    });
    let custom = cluster.record.endpoints.custom.iter();
    let custom = custom.map(|(name, endpoint)| Shown {
        key: format!("{}/a-{name}", cluster.id),
        id: Some(name.clone()),
        kind: "CUSTOM",
        custom_kind: Some(endpoint.kind.as_str()),
        fields: shape::custom(context, &cluster.id, name, endpoint, STATUS),
    });
    let mut all: Vec<Shown> = built_in.into_iter().chain(custom).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}
