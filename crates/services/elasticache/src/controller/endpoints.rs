//! Keeps a cache's endpoint records at what its members are.

use quorate_control::{Stored, Txn};

use crate::controller::plan::{Plan, is_endpoint_of};
use crate::controller::world::World;
use crate::decide::endpoints::decide_endpoints;
use crate::model::Cache;

/// Writes the endpoint records that are not as they should be, and removes those of members that are gone.
pub(crate) fn plan_endpoints(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    let own = world
        .endpoints
        .iter()
        .filter(|(id, _)| is_endpoint_of(id, &stored.id));
    let own: Vec<_> = own.collect();
    let present = own
        .iter()
        .map(|(id, endpoint)| ((*id).clone(), endpoint.record.clone()))
        .collect();
    let gateway = world.config.endpoint_address;
    let wanted = decide_endpoints(&stored.id, cache, &world.sights(cache), &present, gateway);
    let mut txn = Txn::new().require(stored);
    let mut changed = Vec::new();
    for (id, endpoint) in &wanted {
        let present = world.endpoints.get(id);
        if present.is_some_and(|present| present.record == *endpoint) {
            continue;
        }
        txn = match present {
            Some(present) => txn.replace(present, endpoint),
            None => txn.insert(id, endpoint),
        };
        changed.push(id.as_str());
    }
    for (id, present) in own {
        if !wanted.contains_key(id) {
            txn = txn.remove(present);
            changed.push(id);
        }
    }
    (!changed.is_empty()).then(|| Plan {
        what: format!("endpoints {}", changed.join(", ")),
        txn,
    })
}
