//! The fields of a `DBClusterEndpoint`.

use std::collections::BTreeSet;

use quorate_control::Stored;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::aurora::api::cluster::shape::address_with_port;
use crate::aurora::model::{Cluster, CustomEndpoint, CustomEndpointMembers};

/// A custom endpoint.
pub(super) fn custom(
    context: &Context<'_>,
    cluster: &str,
    name: &str,
    endpoint: &CustomEndpoint,
    status: &str,
) -> Vec<Element> {
    let none = BTreeSet::new();
    let (members, excluded) = match &endpoint.members {
        CustomEndpointMembers::Static(names) => (names, &none),
        CustomEndpointMembers::AllBut(names) => (&none, names),
    };
    let list = |name: &'static str, names: &BTreeSet<String>| {
        Element::list(name, names, |name| Element::text("member", name))
    };
    vec![
        Element::text("DBClusterEndpointIdentifier", name),
        Element::text("DBClusterIdentifier", cluster),
        Element::text("DBClusterEndpointResourceIdentifier", &endpoint.resource_id),
        Element::text("Endpoint", address_with_port(context, endpoint.port)),
        Element::text("Status", status),
        Element::text("EndpointType", "CUSTOM"),
        Element::text("CustomEndpointType", endpoint.kind.as_str()),
        list("StaticMembers", members),
        list("ExcludedMembers", excluded),
        Element::text(
            "DBClusterEndpointArn",
            context.arn("cluster-endpoint", name),
        ),
    ]
}

/// The two endpoints that every cluster has: type and address.
pub(super) fn built_in(
    context: &Context<'_>,
    cluster: &Stored<Cluster>,
) -> [(&'static str, Vec<Element>); 2] {
    let element = |kind: &'static str, address: String| {
        let fields = vec![
            Element::text("DBClusterIdentifier", &cluster.id),
            Element::text("Endpoint", address),
            Element::text("Status", "available"),
            Element::text("EndpointType", kind),
        ];
        (kind, fields)
    };
    let reader = address_with_port(context, cluster.record.endpoints.reader_port);
    [
        element("WRITER", context.region.endpoint_address.clone()),
        element("READER", reader),
    ]
}
