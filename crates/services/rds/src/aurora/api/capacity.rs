//! Whether the region's hosts can carry a cluster.

use std::collections::BTreeSet;

use quorate_base::{NodeId, ZoneName};
use quorate_control::Stored;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::catalogue::{Program, program_version};
use crate::model::Host;

/// Zones that a volume lies in.
const ZONES: usize = 3;

/// Checks that some host can mount a volume and run the engine, in the zone asked for when there is one. A region whose
/// zones have not all reported yet is given the benefit of the doubt: a member is then placed when they have.
pub(super) async fn check(
    context: &Context<'_>,
    version: &str,
    zone: Option<&ZoneName>,
) -> Result<(), RdsError> {
    let zones_all = &context.region.zones;
    if zones_all.len() < ZONES {
        return Err(RdsError::InsufficientStorageCapacity(format!(
            "A DB cluster's volume lies in {ZONES} zones; region {} has {}.",
            context.region.name,
            zones_all.len()
        )));
    }
    let hosts: Vec<Stored<Host>> = context.list().await?;
    let hosts: Vec<(NodeId, Host)> = hosts
        .into_iter()
        .filter_map(|host| Some((host.id.parse().ok()?, host.record)))
        .collect();
    let reported: BTreeSet<ZoneName> = hosts.iter().map(|(node, _)| node.zone()).collect();
    if !zones_all.iter().all(|zone| reported.contains(zone)) {
        return Ok(());
    }
    let program = Program::of_version(version);
    let with_engine: Vec<&(NodeId, Host)> = hosts
        .iter()
        .filter(|(node, _)| zone.is_none_or(|zone| node.zone() == *zone))
        .filter(|(_, host)| host.runs(program.name(), program_version(version)))
        .collect();
    let place = zone.map_or_else(
        || format!("region {}", context.region.name),
        |zone| format!("zone {zone}"),
    );
    let Some((_, first)) = with_engine.first() else {
        return Err(RdsError::InsufficientCapacity(format!(
            "No host of {place} has {} {}. Install it there (apt-get install {}), or choose another zone or version.",
            program.title(),
            program_version(version),
            program.package()
        )));
    };
    let refused = with_engine
        .iter()
        .all(|(_, host)| host.volumes_refused.is_some());
    match &first.volumes_refused {
        Some(why) if refused => Err(RdsError::InsufficientCapacity(format!(
            "No host of {place} can mount a DB cluster's volume: {why}"
        ))),
        _ => Ok(()),
    }
}
