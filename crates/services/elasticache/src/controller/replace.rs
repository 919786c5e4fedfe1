//! Members whose node stays away are placed anew.

use quorate_control::Stored;

use crate::controller::plan::{Plan, change, shard_name, zones_beside};
use crate::controller::world::World;
use crate::decide::placement::decide_placement;
use crate::model::{Cache, CacheKind, Member, MemberNumber, MemberState, Shard};

/// Places one member anew whose node has been away for too long. A primary is waited for: Sentinel names another one, or,
/// without automatic failover, nobody may.
pub(crate) fn plan_replacement(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    let places = world.places(cache.settings.engine, &cache.settings.engine_version);
    for (number, shard) in &cache.topology.shards {
        let Some(lost) = lost_member(world, cache, shard) else {
            continue;
        };
        let beside = zones_beside(shard, lost);
        let Some(node) = decide_placement(&places, None, &beside) else {
            continue;
        };
        let mut record = cache.clone();
        let member = record
            .topology
            .shards
            .get_mut(number)
            .and_then(|shard| shard.members.get_mut(&lost))?;
        let what = format!("{}/{} placed anew on {node}", shard_name(*number), lost.0);
        let message = format!(
            "The node of member {:03} does not answer: it is replaced in {}",
            lost.0,
            node.zone()
        );
        *member = Member {
            node: Some(node),
            state: MemberState::Placed,
            address: None,
            incarnation: member.incarnation + 1,
            started: 0,
            since: world.now,
            ..member.clone()
        };
        return Some(change(world, stored, &record, &[message.as_str()], &what));
    }
    None
}

/// The first member that is to be placed anew.
fn lost_member(world: &World, cache: &Cache, shard: &Shard) -> Option<MemberNumber> {
    // A replica is made from the primary, which must be there.
    let has_source = shard
        .primary_member()
        .and_then(|primary| primary.node.as_ref())
        .is_some_and(|node| world.is_alive(node));
    let memcached = cache.kind == CacheKind::Memcached;
    if !memcached && !has_source {
        return None;
    }
    let is_lost = |member: &Member| {
        let away =
            |node| !world.is_alive(node) && world.silent_ms(node) >= world.config.replace_after_ms;
        member.state != MemberState::Leaving && member.node.as_ref().is_some_and(away)
    };
    let mut members = shard.members.iter();
    let lost = members.find(|(number, member)| Some(**number) != shard.primary && is_lost(member));
    lost.map(|(number, _)| *number)
}
