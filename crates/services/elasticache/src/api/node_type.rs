//! `ListAllowedNodeTypeModifications`.

use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::context::Context;
use crate::api::error::ElastiCacheError;
use crate::catalogue::{find_node_type, node_types};

/// `ListAllowedNodeTypeModifications`: every other node type, by whether it has more memory.
pub(crate) async fn list_allowed(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let caches = Caches::read(context).await?;
    let stored = match (
        params.text("CacheClusterId"),
        params.text("ReplicationGroupId"),
    ) {
        (Some(name), None) => caches.cluster(name)?.stored,
        (None, Some(name)) => caches.group(name)?,
        _ => {
            return Err(ElastiCacheError::InvalidCombination(String::from(
                "Give either CacheClusterId or ReplicationGroupId.",
            )));
        }
    };
    let now = &stored.record.settings.node_type;
    let memory = find_node_type(now).map_or(0, |node| node.maxmemory_bytes);
    let list = |name: &'static str, up: bool| {
        let others = node_types().iter().filter(|node| node.name != now);
        let fits = others.filter(|node| (node.maxmemory_bytes >= memory) == up);
        Element::list(name, fits, |node| Element::text("member", node.name))
    };
    Ok(vec![
        list("ScaleUpModifications", true),
        list("ScaleDownModifications", false),
    ])
}
