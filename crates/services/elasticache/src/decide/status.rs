//! Which status follows, and what the event says.

use crate::decide::endpoints::{Sight, Sights};
use crate::model::{
    Cache, CacheKind, Desired, Member, MemberNumber, MemberState, Shard, ShardNumber, Status,
    Watched,
};

/// A primary is held for gone, and another elected, by two Sentinels at least.
const SENTINELS_MIN: usize = 2;

/// A status that follows, with the event that tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusMove {
    /// The status.
    pub to: Status,
    /// The event's sentence; none where AWS has no event.
    pub message: Option<&'static str>,
}

/// The members that are not what the topology says, or do not run with the settings of the moment. A member on a node that
/// is away is not one of them: it comes back with its node, or is placed elsewhere.
#[must_use]
pub fn unsettled(cache: &Cache, sights: &Sights) -> Vec<(ShardNumber, MemberNumber)> {
    let mut found = Vec::new();
    for (number, shard) in &cache.topology.shards {
        for (member_number, member) in &shard.members {
            let at = (*number, *member_number);
            let sight = sights.get(&at).copied().unwrap_or(Sight::Down);
            let away = sight == Sight::Away && member.node.is_some();
            if !away && !is_settled(cache, shard, *member_number, member, sight) {
                found.push(at);
            }
        }
    }
    found
}

fn is_settled(
    cache: &Cache,
    shard: &Shard,
    number: MemberNumber,
    member: &Member,
    sight: Sight,
) -> bool {
    let leads = cache.kind == CacheKind::Memcached || shard.primary == Some(number);
    let role = match sight {
        Sight::Leads => leads,
        Sight::Follows { linked } => !leads && linked,
        Sight::Away | Sight::Down => false,
    };
    member.state == MemberState::Running && member.started == member.restarts && role
}

/// Whether the Sentinels could promote a replica if the primary were lost: two of them at least know another one, and all
/// replicas that run. `seen` is what they say, those of nodes that are away left out.
#[must_use]
pub fn is_guarded(cache: &Cache, seen: &[Watched]) -> bool {
    let shards = cache.topology.shards.values();
    let members = shards.flat_map(Shard::replicas);
    let running = members.filter(|(_, member)| member.state == MemberState::Running);
    let replicas = running.count();
    let knows = |w: &&Watched| w.others > 0 && usize::from(w.replicas) >= replicas;
    let watched = cache.kind == CacheKind::ReplicationGroup
        && cache.settings.automatic_failover
        && !cache.settings.cluster_mode
        && replicas > 0;
    !watched || seen.iter().filter(knows).count() >= SENTINELS_MIN
}

/// Decides the status that follows the present one, if another does. `seen`: see `is_guarded`.
#[must_use]
pub fn decide_status(cache: &Cache, sights: &Sights, seen: &[Watched]) -> Option<StatusMove> {
    let shards = || cache.topology.shards.values();
    let handed_over = shards().any(|shard| shard.coordinated.is_some() || shard.takeover.is_some());
    let resharding = shards().any(|shard| {
        shard.slots_wanted.is_some() || (cache.settings.cluster_mode && shard.slots.is_empty())
    });
    let busy = handed_over
        || resharding
        || !cache.orders.is_empty()
        || !unsettled(cache, sights).is_empty()
        || !is_guarded(cache, seen);
    // What is being made has all its members, whatever becomes of nodes later.
    let unmade = shards().any(|shard| {
        let mut members = shard.members.values();
        members.any(|member| member.state == MemberState::Placed)
    });
    if busy || cache.desired != Desired::Running {
        return None;
    }
    let message = match cache.status {
        Status::Creating if unmade => return None,
        Status::Creating => match cache.kind {
            CacheKind::ReplicationGroup => Some("Replication group created"),
            CacheKind::LoneNode | CacheKind::Memcached => Some("Cache cluster created"),
        },
        Status::Modifying if cache.pending.apply_now && !cache.pending.is_empty() => return None,
        Status::Modifying | Status::Snapshotting => None,
        Status::Rebooting => Some("Cache node restarted"),
        Status::Available | Status::Deleting | Status::CreateFailed | Status::RestoreFailed => {
            return None;
        }
    };
    Some(StatusMove {
        to: Status::Available,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixture;

    const SHARD: ShardNumber = ShardNumber(1);
    const FIRST: MemberNumber = MemberNumber(1);

    fn sights(cache: &Cache) -> Sights {
        let shard = &cache.topology.shards[&SHARD];
        let sight = |member| {
            if shard.primary == Some(member) {
                Sight::Leads
            } else {
                Sight::Follows { linked: true }
            }
        };
        let members = shard.members.keys();
        members
            .map(|member| ((SHARD, *member), sight(*member)))
            .collect()
    }

    fn guards() -> [Watched; 2] {
        [Watched {
            others: 2,
            replicas: 2,
            down: false,
        }; 2]
    }

    #[test]
    fn a_group_is_available_once_all_its_members_are_what_they_should_be() {
        let mut cache = fixture::cache(3);
        cache.status = Status::Creating;
        let well = sights(&cache);
        assert_eq!(
            decide_status(&cache, &well, &guards()).map(|m| m.to),
            Some(Status::Available)
        );

        for (sight, why) in [
            (Sight::Down, "an engine does not answer"),
            (Sight::Away, "a node went away before its engine ran"),
            (Sight::Follows { linked: false }, "a replica has no link"),
            (Sight::Leads, "a replica leads"),
        ] {
            let mut bad = well.clone();
            bad.insert((SHARD, MemberNumber(2)), sight);
            let mut cache = cache.clone();
            if sight == Sight::Away {
                let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
                shard.members.get_mut(&MemberNumber(2)).unwrap().state = MemberState::Placed;
            }
            assert_eq!(decide_status(&cache, &bad, &guards()), None, "{why}");
        }
    }

    #[test]
    fn a_group_is_not_available_before_its_sentinels_could_fail_it_over() {
        let mut cache = fixture::cache(3);
        cache.status = Status::Creating;
        cache.settings.automatic_failover = true;
        let well = sights(&cache);
        let knows = |others, replicas| Watched {
            others,
            replicas,
            down: false,
        };
        for unready in [
            vec![],
            vec![knows(2, 2)],
            vec![knows(2, 2), knows(2, 1)],
            vec![knows(2, 2), knows(0, 2)],
        ] {
            assert_eq!(decide_status(&cache, &well, &unready), None, "{unready:?}");
        }
        let ready = [knows(1, 2), knows(1, 2)];
        assert!(decide_status(&cache, &well, &ready).is_some());
    }

    #[test]
    fn a_node_that_is_away_does_not_keep_a_group_from_being_available() {
        let mut cache = fixture::cache(3);
        cache.status = Status::Modifying;
        let mut sights = sights(&cache);
        sights.insert((SHARD, MemberNumber(3)), Sight::Away);
        assert!(decide_status(&cache, &sights, &guards()).is_some());
        assert!(unsettled(&cache, &sights).is_empty());
    }

    #[test]
    fn a_restart_and_an_order_that_are_not_carried_out_are_waited_for() {
        let mut cache = fixture::cache(2);
        cache.status = Status::Rebooting;
        let sights = sights(&cache);
        let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
        shard.members.get_mut(&FIRST).unwrap().restarts += 1;
        assert_eq!(decide_status(&cache, &sights, &guards()), None);
        assert_eq!(unsettled(&cache, &sights), [(SHARD, FIRST)]);
        let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
        shard.members.get_mut(&FIRST).unwrap().started += 1;
        assert!(decide_status(&cache, &sights, &guards()).is_some());
        cache.orders.push(crate::model::Order::TestFailover(SHARD));
        assert_eq!(decide_status(&cache, &sights, &guards()), None);
    }

    #[test]
    fn a_cluster_is_available_once_no_slot_is_to_move() {
        let mut cache = fixture::cache(2);
        cache.status = Status::Modifying;
        cache.settings.cluster_mode = true;
        let sights = sights(&cache);
        assert_eq!(decide_status(&cache, &sights, &[]), None, "no slots yet");
        let all = vec![crate::model::SlotRange {
            first: 0,
            last: 16_383,
        }];
        let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
        (shard.slots, shard.slots_wanted) = (all.clone(), Some(all));
        assert_eq!(decide_status(&cache, &sights, &[]), None);
        cache.topology.shards.get_mut(&SHARD).unwrap().slots_wanted = None;
        assert!(decide_status(&cache, &sights, &[]).is_some());
    }

    #[test]
    fn a_deleted_cache_keeps_its_status() {
        let mut cache = fixture::cache(2);
        let sights = sights(&cache);
        cache.status = Status::Modifying;
        cache.desired = Desired::Deleted {
            final_snapshot: None,
        };
        assert_eq!(decide_status(&cache, &sights, &guards()), None);
    }
}
