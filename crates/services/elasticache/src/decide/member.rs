//! What a member's agent does next.
//!
//! Invariants
//! - A running member's role is changed against Sentinel's word never: only when the record and the Sentinel of this zone
//!   name the same other primary, or nobody watches. A Sentinel names the primary that it elects only once it has seen it
//!   lead: until then a role that somebody else has just changed is left alone.
//! - A recorded primary that may lack what it acknowledged, while others hold it, does not start before an election had its
//!   time: replicas would copy what it lacks.

use std::net::SocketAddr;

/// How long an election is waited for before a primary that was down leads again.
pub const ELECTION_WAIT_MS: u64 = 30_000;
/// How long a member may contradict the record where no Sentinel is at hand, or after somebody else changed its role: longer
/// than a Sentinel waits for the replica that it promotes.
pub const CONTRADICTION_MAX_MS: u64 = 5_000;

/// What a step is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// Whether it is on its way out.
    pub leaving: bool,
    /// Whether what lies on disk is of an earlier life of the member.
    pub outdated: bool,
    /// Whether it follows nobody by its nature: Memcached.
    pub alone: bool,
    /// Whether the record names it as primary.
    pub is_primary: bool,
    /// Where the recorded primary is, when that is another member and has an address.
    pub primary: Option<SocketAddr>,
    /// Where this member is, once it is known.
    pub own: Option<SocketAddr>,
    /// Whether Sentinels watch the shard, and there is a replica that they could promote.
    pub watched: bool,
    /// A change of primary without loss is under way.
    pub coordinated: bool,
    /// Where this zone's Sentinel says that the primary is.
    pub sentinel: Option<SocketAddr>,
    /// Whether it may lack writes that it acknowledged: it has served, its engine did not end in order, and it has not
    /// copied a primary since.
    pub may_lack: bool,
    /// With cluster mode: what it waits for before it starts, if for anything (`decide::cluster`).
    pub cluster_waits: Option<&'static str>,
    /// How long its engine has been down, or the agent has looked without one.
    pub down_ms: u64,
    /// How long its running engine has contradicted the record.
    pub contradicts_ms: u64,
    /// How long ago somebody else changed its running engine's role, if anybody did at the record's epoch.
    pub moved_ms: Option<u64>,
    /// The record's `restarts`.
    pub restarts: u32,
    /// The engine.
    pub engine: EngineFacts,
}

/// What the engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineFacts {
    /// No process.
    Down,
    /// It runs since the record's `restarts` were this many.
    Runs {
        /// `restarts` at its start.
        started: u32,
        /// Whom it follows; none when it leads.
        follows: Option<SocketAddr>,
    },
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberStep {
    /// End the engine, remove everything, leave the record.
    Leave,
    /// End the engine and remove the data.
    Discard,
    /// Start, as a replica of this primary, or as a primary.
    Start(Option<SocketAddr>),
    /// Stop, to be started anew.
    Stop,
    /// Follow this primary, or lead.
    Replicate(Option<SocketAddr>),
    /// Look after it.
    Supervise,
    /// Something has to happen elsewhere.
    Wait(&'static str),
}

/// What is next for a member.
#[must_use]
pub fn decide_member(facts: &MemberFacts) -> MemberStep {
    if facts.leaving {
        return MemberStep::Leave;
    }
    if facts.outdated {
        return MemberStep::Discard;
    }
    match facts.engine {
        EngineFacts::Down => decide_start(facts),
        EngineFacts::Runs { started, .. } if started != facts.restarts => MemberStep::Stop,
        EngineFacts::Runs { .. } if facts.alone || facts.coordinated => MemberStep::Supervise,
        EngineFacts::Runs { follows, .. } => decide_role(facts, follows),
    }
}

fn decide_start(facts: &MemberFacts) -> MemberStep {
    if let Some(why) = facts.cluster_waits {
        return MemberStep::Wait(why);
    }
    if facts.alone {
        return MemberStep::Start(None);
    }
    let elected_other = facts.sentinel.filter(|at| Some(*at) != facts.own);
    if facts.is_primary {
        return match elected_other {
            Some(other) if facts.watched => MemberStep::Start(Some(other)),
            _ if facts.watched && facts.may_lack && facts.down_ms < ELECTION_WAIT_MS => {
                MemberStep::Wait("the Sentinels may elect another primary")
            }
            _ => MemberStep::Start(None),
        };
    }
    match facts.primary {
        Some(primary) => MemberStep::Start(Some(primary)),
        None => MemberStep::Wait("the primary has no address yet"),
    }
}

fn decide_role(facts: &MemberFacts, follows: Option<SocketAddr>) -> MemberStep {
    let wanted = if facts.is_primary {
        None
    } else if facts.primary.is_some() {
        facts.primary
    } else {
        return MemberStep::Supervise;
    };
    if follows == wanted {
        return MemberStep::Supervise;
    }
    if facts.watched && facts.moved_ms.is_some_and(|ms| ms < CONTRADICTION_MAX_MS) {
        return MemberStep::Supervise;
    }
    if wanted.is_none() && facts.may_lack && facts.contradicts_ms < ELECTION_WAIT_MS {
        return MemberStep::Supervise;
    }
    let named = if facts.is_primary {
        facts.own
    } else {
        facts.primary
    };
    let agreed = match facts.sentinel {
        _ if !facts.watched => true,
        Some(at) => Some(at) == named,
        None => facts.contradicts_ms >= CONTRADICTION_MAX_MS,
    };
    if agreed {
        MemberStep::Replicate(wanted)
    } else {
        MemberStep::Supervise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixture::at;

    fn facts() -> MemberFacts {
        MemberFacts {
            leaving: false,
            outdated: false,
            alone: false,
            is_primary: false,
            primary: Some(at(1)),
            own: Some(at(2)),
            watched: true,
            coordinated: false,
            sentinel: Some(at(1)),
            may_lack: true,
            cluster_waits: None,
            down_ms: 0,
            contradicts_ms: 0,
            moved_ms: None,
            restarts: 0,
            engine: EngineFacts::Down,
        }
    }

    fn runs(follows: Option<SocketAddr>) -> EngineFacts {
        EngineFacts::Runs {
            started: 0,
            follows,
        }
    }

    fn decide(change: impl FnOnce(&mut MemberFacts)) -> MemberStep {
        let mut facts = facts();
        change(&mut facts);
        decide_member(&facts)
    }

    fn primary(facts: &mut MemberFacts) {
        facts.is_primary = true;
        facts.primary = None;
        facts.own = Some(at(1));
    }

    #[test]
    fn a_start_goes_by_the_record_and_waits_for_an_election() {
        assert_eq!(decide(|_| ()), MemberStep::Start(Some(at(1))));
        let unplaced = decide(|f| f.primary = None);
        assert!(matches!(unplaced, MemberStep::Wait(_)));
        let held = decide(primary);
        assert!(matches!(held, MemberStep::Wait(_)), "{held:?}");
        let waited = decide(|f| {
            primary(f);
            f.down_ms = ELECTION_WAIT_MS;
        });
        assert_eq!(waited, MemberStep::Start(None));
        let replaced = decide(|f| {
            primary(f);
            f.sentinel = Some(at(3));
        });
        assert_eq!(replaced, MemberStep::Start(Some(at(3))));
        for first in [
            decide(|f| {
                primary(f);
                f.may_lack = false;
            }),
            decide(|f| {
                primary(f);
                f.watched = false;
            }),
        ] {
            assert_eq!(first, MemberStep::Start(None));
        }
    }

    #[test]
    fn a_stray_primary_is_made_a_replica_once_sentinel_and_record_agree() {
        let stray = decide(|f| f.engine = runs(None));
        assert_eq!(stray, MemberStep::Replicate(Some(at(1))));
        let promoted = decide(|f| {
            f.engine = runs(None);
            f.sentinel = Some(at(2));
        });
        assert_eq!(promoted, MemberStep::Supervise);
        let blind = |contradicts_ms| {
            decide(|f| {
                f.engine = runs(None);
                f.sentinel = None;
                f.contradicts_ms = contradicts_ms;
            })
        };
        assert_eq!(blind(0), MemberStep::Supervise);
        assert_eq!(
            blind(CONTRADICTION_MAX_MS),
            MemberStep::Replicate(Some(at(1)))
        );
        let unwatched = decide(|f| {
            f.engine = runs(Some(at(3)));
            f.watched = false;
            f.sentinel = None;
        });
        assert_eq!(unwatched, MemberStep::Replicate(Some(at(1))));
        let handing_over = decide(|f| {
            f.engine = runs(None);
            f.coordinated = true;
        });
        assert_eq!(handing_over, MemberStep::Supervise);
    }

    #[test]
    fn a_promotion_under_way_is_left_alone_and_a_member_that_lacks_writes_does_not_lead() {
        let moved = |moved_ms, may_lack| {
            decide(|f| {
                f.engine = runs(None);
                f.moved_ms = Some(moved_ms);
                f.may_lack = may_lack;
            })
        };
        assert_eq!(moved(0, false), MemberStep::Supervise);
        let stray = MemberStep::Replicate(Some(at(1)));
        assert_eq!(moved(CONTRADICTION_MAX_MS, false), stray);
        let lacking = |may_lack, contradicts_ms| {
            decide(|f| {
                primary(f);
                f.engine = runs(Some(at(3)));
                f.may_lack = may_lack;
                f.contradicts_ms = contradicts_ms;
            })
        };
        assert_eq!(lacking(true, 0), MemberStep::Supervise);
        assert_eq!(lacking(false, 0), MemberStep::Replicate(None));
        let waited = lacking(true, ELECTION_WAIT_MS);
        assert_eq!(waited, MemberStep::Replicate(None));
    }

    #[test]
    fn a_member_of_a_cluster_starts_when_the_cluster_has_nothing_against_it() {
        let waits = decide(|f| {
            f.alone = true;
            f.cluster_waits = Some("an election");
        });
        assert_eq!(waits, MemberStep::Wait("an election"));
        assert_eq!(decide(|f| f.alone = true), MemberStep::Start(None));
    }

    #[test]
    fn leaving_comes_before_restarting_before_roles() {
        assert_eq!(
            decide(|f| {
                f.leaving = true;
                f.outdated = true;
            }),
            MemberStep::Leave
        );
        assert_eq!(decide(|f| f.outdated = true), MemberStep::Discard);
        let restart = decide(|f| {
            f.engine = runs(None);
            f.restarts = 1;
        });
        assert_eq!(restart, MemberStep::Stop);
        let memcached = decide(|f| {
            f.alone = true;
            f.primary = None;
            f.engine = runs(None);
        });
        assert_eq!(memcached, MemberStep::Supervise);
    }
}
