//! How a snapshot is taken, and what a cache that begins with one reads.
//!
//! Invariants
//! - One member at a time takes the snapshot of a shard, under an object's name of that attempt alone.
//! - The attempts and the waiting have bounds: each snapshot ends, in `available` or in `failed` with a reason.

use quorate_base::UnixMillis;

use crate::decide::endpoints::{Sight, Sights};
use crate::model::{Cache, MemberNumber, Shard, ShardNumber, Snapshot, Taker};

/// Attempts at one shard.
pub const ATTEMPTS_MAX: u32 = 4;
/// Pause after an attempt that failed, for each attempt that there was.
pub const RETRY_AFTER_MS: u64 = 1_000;
/// How long a member is waited for that could take the snapshot.
pub const MEMBER_WAIT_MS: u64 = 600_000;

/// What is next for a snapshot that is being taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taking {
    /// Members are at it, or are waited for.
    Wait,
    /// This is to be noted: somebody takes it, or somebody who took it is gone.
    Note(ShardNumber, Taker),
    /// All shards are in the archive.
    Complete,
    /// It cannot be taken.
    Fail(String),
}

/// What is next for a snapshot that is being taken; `asked` is the member that the order names.
#[must_use]
pub fn decide_taking(
    cache: &Cache,
    snapshot: &Snapshot,
    asked: Option<(ShardNumber, MemberNumber)>,
    sights: &Sights,
    now: UnixMillis,
) -> Taking {
    // Keys that are on their way from shard to shard would be in both or in neither.
    let moves = cache.topology.shards.values().any(|shard| {
        let wanted = shard.slots_wanted.as_ref();
        wanted.is_some_and(|wanted| *wanted != shard.slots)
    });
    let mut complete = true;
    for (number, shard) in &cache.topology.shards {
        if snapshot.shards.iter().any(|(taken, ..)| taken == number) {
            continue;
        }
        complete = false;
        let sight = |member| sights.get(&(*number, member)).copied();
        let taker = snapshot.takers.get(number);
        if let Some(taker) = taker
            && let Some(member) = taker.member
        {
            if !shard.members.contains_key(&member) || sight(member) == Some(Sight::Away) {
                let failure = format!("the node of member {:03} does not answer", member.0);
                return Taking::Note(*number, taker.failed(failure, now));
            }
            continue;
        }
        let asked = asked.filter(|(shard, _)| shard == number);
        let member = pick_member(shard, asked.map(|(_, member)| member), taker, sight);
        let member = member.filter(|_| !moves);
        match decide_attempt(snapshot, taker, member, now) {
            Ok(None) => {}
            Ok(Some(taker)) => return Taking::Note(*number, taker),
            Err(why) => return Taking::Fail(why),
        }
    }
    if complete {
        Taking::Complete
    } else {
        Taking::Wait
    }
}

/// The next attempt at a shard that nobody is at, once its time has come; or why there is none.
fn decide_attempt(
    snapshot: &Snapshot,
    taker: Option<&Taker>,
    member: Option<MemberNumber>,
    now: UnixMillis,
) -> Result<Option<Taker>, String> {
    let attempts = taker.map_or(0, |taker| taker.attempt);
    let failure = taker.and_then(|taker| taker.failure.clone());
    if attempts >= ATTEMPTS_MAX {
        return Err(failure.unwrap_or_default());
    }
    let since = taker.map_or(snapshot.created_at, |taker| taker.since);
    let waited_ms = now.millis_since(since);
    match member {
        _ if waited_ms < RETRY_AFTER_MS * u64::from(attempts) => Ok(None),
        None if waited_ms > MEMBER_WAIT_MS => Err(failure.unwrap_or_else(|| {
            String::from("no member that it could be taken from was there in time")
        })),
        None => Ok(None),
        Some(member) => Ok(Some(Taker {
            member: Some(member),
            attempt: attempts + 1,
            since: now,
            failure,
        })),
    }
}

/// The member that was asked for, once it serves; else a replica that has everything, another one at each attempt; else the
/// primary. AWS advises to take snapshots from replicas, as the save costs memory and time.
fn pick_member(
    shard: &Shard,
    asked: Option<MemberNumber>,
    taker: Option<&Taker>,
    sight: impl Fn(MemberNumber) -> Option<Sight>,
) -> Option<MemberNumber> {
    let linked = |member| sight(member) == Some(Sight::Follows { linked: true });
    let leads = |member| sight(member) == Some(Sight::Leads);
    if let Some(asked) = asked {
        return Some(asked).filter(|member| linked(*member) || leads(*member));
    }
    let replicas = shard.replicas().map(|(number, _)| number);
    let replicas: Vec<MemberNumber> = replicas.filter(|number| linked(*number)).collect();
    let attempts = taker.map_or(0, |taker| taker.attempt as usize);
    match replicas.get(attempts % replicas.len().max(1)) {
        Some(replica) => Some(*replica),
        None => shard.primary.filter(|primary| leads(*primary)),
    }
}

impl Taker {
    /// The attempt has failed.
    #[must_use]
    pub fn failed(&self, failure: String, now: UnixMillis) -> Taker {
        Taker {
            member: None,
            attempt: self.attempt,
            since: now,
            failure: Some(failure),
        }
    }
}

/// The object that a shard of a new cache begins with, and its size in bytes.
///
/// # Errors
/// Why the snapshot has none that fits.
pub fn decide_source<'a>(
    cache: &Cache,
    number: ShardNumber,
    snapshot: &'a Snapshot,
) -> Result<(&'a str, u64), String> {
    let shards = cache.topology.shards.len();
    if shards != snapshot.shards.len() {
        let taken = snapshot.shards.len();
        return Err(format!(
            "the cache has {shards} shards, the snapshot {taken}: keys are not spread anew here"
        ));
    }
    let mut numbers = cache.topology.shards.keys();
    let at = numbers.position(|other| *other == number);
    let source = at.and_then(|at| snapshot.shards.get(at));
    let Some((_, slots, object, bytes)) = source else {
        return Err(format!("the cache has no shard {:04}", number.0));
    };
    let wanted = cache.topology.shards.get(&number).map(|shard| &shard.slots);
    if shards > 1 && wanted != Some(slots) {
        return Err(format!(
            "shard {:04} has other slots than the snapshot's",
            number.0
        ));
    }
    Ok((object, *bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixture;

    const SHARD: ShardNumber = ShardNumber(1);
    const NOW: UnixMillis = UnixMillis(10_000_000);

    fn sights(cache: &Cache, but: &[(u16, Sight)]) -> Sights {
        let members = cache.topology.shards[&SHARD].members.keys();
        members
            .map(|member| {
                let changed = but.iter().find(|(number, _)| *number == member.0);
                let sight = match member.0 {
                    1 => Sight::Leads,
                    _ => Sight::Follows { linked: true },
                };
                ((SHARD, *member), changed.map_or(sight, |(_, sight)| *sight))
            })
            .collect()
    }

    fn taker(member: Option<u16>, attempt: u32) -> Taker {
        Taker {
            member: member.map(MemberNumber),
            attempt,
            since: NOW,
            failure: Some(String::from("full")),
        }
    }

    fn decide(
        members: u16,
        taker: Option<Taker>,
        asked: Option<u16>,
        but: &[(u16, Sight)],
        now: UnixMillis,
    ) -> Taking {
        let cache = fixture::cache(members);
        let mut snapshot = fixture::snapshot(&cache);
        snapshot.created_at = NOW;
        snapshot.takers = taker.map(|taker| (SHARD, taker)).into_iter().collect();
        let asked = asked.map(|member| (SHARD, MemberNumber(member)));
        decide_taking(&cache, &snapshot, asked, &sights(&cache, but), now)
    }

    fn chosen(taking: &Taking) -> Option<(u16, u32)> {
        match taking {
            Taking::Note(SHARD, taker) => Some((taker.member?.0, taker.attempt)),
            _ => None,
        }
    }

    #[test]
    fn a_replica_that_is_linked_takes_it_and_the_primary_where_there_is_none() {
        let unlinked = Sight::Follows { linked: false };
        for (members, asked, but, wanted) in [
            (3, None, vec![], Some((2, 1))),
            (3, None, vec![(2, unlinked)], Some((3, 1))),
            (
                3,
                None,
                vec![(2, Sight::Down), (3, Sight::Away)],
                Some((1, 1)),
            ),
            (1, None, vec![], Some((1, 1))),
            (1, None, vec![(1, Sight::Down)], None),
            (3, Some(3), vec![], Some((3, 1))),
            (3, Some(1), vec![], Some((1, 1))),
            (3, Some(3), vec![(3, unlinked)], None),
        ] {
            let taking = decide(members, None, asked, &but, NOW);
            assert_eq!(chosen(&taking), wanted, "{members} {asked:?} {but:?}");
        }
    }

    #[test]
    fn whoever_takes_it_is_let_alone_until_its_node_is_gone() {
        let at = |but: &[(u16, Sight)]| decide(3, Some(taker(Some(2), 1)), None, but, NOW);
        assert_eq!(at(&[]), Taking::Wait);
        assert_eq!(at(&[(2, Sight::Down)]), Taking::Wait);
        let Taking::Note(SHARD, gone) = at(&[(2, Sight::Away)]) else {
            panic!("it is waited for")
        };
        assert_eq!((gone.member, gone.attempt), (None, 1));
        assert!(gone.failure.unwrap().contains("002"));
        let removed = decide(1, Some(taker(Some(2), 1)), None, &[], NOW);
        assert!(matches!(removed, Taking::Note(..)), "{removed:?}");
    }

    #[test]
    fn attempts_pause_go_to_others_and_end_with_the_reason() {
        let soon = decide(3, Some(taker(None, 1)), None, &[], NOW);
        assert_eq!(soon, Taking::Wait);
        let later = UnixMillis(NOW.0 + RETRY_AFTER_MS * 3);
        let second = decide(3, Some(taker(None, 1)), None, &[], later);
        assert_eq!(chosen(&second), Some((3, 2)));
        let third = decide(3, Some(taker(None, 2)), None, &[], later);
        assert_eq!(chosen(&third), Some((2, 3)));
        let last = decide(3, Some(taker(None, ATTEMPTS_MAX)), None, &[], later);
        assert_eq!(last, Taking::Fail(String::from("full")));
    }

    #[test]
    fn a_member_is_not_waited_for_for_ever() {
        let away = [(1, Sight::Away)];
        assert_eq!(decide(1, None, None, &away, NOW), Taking::Wait);
        let late = UnixMillis(NOW.0 + MEMBER_WAIT_MS + 1);
        let failed = decide(1, None, None, &away, late);
        assert!(matches!(failed, Taking::Fail(_)), "{failed:?}");
    }

    #[test]
    fn slots_that_move_are_waited_for() {
        let mut cache = fixture::cache(3);
        let snapshot = fixture::snapshot(&cache);
        let sights = sights(&cache, &[]);
        let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
        shard.slots_wanted = Some(vec![crate::model::SlotRange { first: 0, last: 9 }]);
        let moves = decide_taking(&cache, &snapshot, None, &sights, UnixMillis(0));
        assert_eq!(moves, Taking::Wait);
        let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
        shard.slots = shard.slots_wanted.clone().unwrap();
        let moved = decide_taking(&cache, &snapshot, None, &sights, UnixMillis(0));
        assert_eq!(chosen(&moved), Some((2, 1)));
    }

    #[test]
    fn it_is_complete_with_all_shards_and_fits_a_cache_with_as_many() {
        let cache = fixture::cache(1);
        let mut snapshot = fixture::snapshot(&cache);
        let object = snapshot.object("s", SHARD, 1);
        snapshot.shards.push((SHARD, Vec::new(), object.clone(), 9));
        let taking = decide_taking(&cache, &snapshot, None, &sights(&cache, &[]), NOW);
        assert_eq!(taking, Taking::Complete);
        let source = decide_source(&cache, SHARD, &snapshot);
        assert_eq!(source, Ok((object.as_str(), 9)));
        snapshot.shards.clear();
        assert!(decide_source(&cache, SHARD, &snapshot).is_err());
    }
}
