//! When a replica asks for votes. Pure: what is known comes in, what to do goes out.

use std::time::Duration;

use crate::host::clock::Moment;
use crate::types::VoterId;

/// What a replica knows about who leads its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// This replica leads, or has no vote in the group.
    NotMine,
    /// Nobody leads, since this moment.
    Nobody { since: Moment },
    /// Another leads that is no voter any more, since this moment: it will not stay.
    Leaving { since: Moment },
    /// Another leads.
    Leader {
        leader: VoterId,
        /// When its host was last heard.
        heard: Moment,
        /// Its host was started again after it was followed: a start ends leadership.
        restarted: Option<Moment>,
    },
}

/// What a replica waits for, drawn at random so that not all ask at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Silence of the leader's host, or time without a leader.
    pub(crate) silence: Duration,
    /// Time after the leader's host was started again.
    pub(crate) restart: Duration,
}

/// Whether to ask for votes, `asked` being when this replica last did.
pub(crate) fn decide_to_campaign(
    seen: &Seen,
    asked: Moment,
    patience: Patience,
    now: Moment,
) -> bool {
    let past = |since: Moment, wait: Duration| now.since(since.max(asked)) >= wait;
    match seen {
        Seen::NotMine => false,
        Seen::Nobody { since } | Seen::Leaving { since } => past(*since, patience.silence),
        Seen::Leader {
            heard, restarted, ..
        } => {
            past(*heard, patience.silence)
                || restarted.is_some_and(|since| past(since, patience.restart))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        silence: Duration::from_millis(1_000),
        restart: Duration::from_millis(100),
    };

    fn at(ms: u64) -> Moment {
        Moment::default() + Duration::from_millis(ms)
    }

    fn leader(heard: u64, restarted: Option<u64>) -> Seen {
        Seen::Leader {
            leader: 2,
            heard: at(heard),
            restarted: restarted.map(at),
        }
    }

    #[test]
    fn a_replica_asks_for_votes_when_its_leader_is_gone() {
        let never = at(0);
        let cases = [
            (Seen::NotMine, 50_000, false),
            (Seen::Nobody { since: at(1_000) }, 1_999, false),
            (Seen::Nobody { since: at(1_000) }, 2_000, true),
            (Seen::Leaving { since: at(1_000) }, 2_000, true),
            (leader(1_000, None), 1_999, false),
            (leader(1_000, None), 2_000, true),
            (leader(1_000, Some(1_000)), 1_099, false),
            (leader(1_000, Some(1_000)), 1_100, true),
        ];
        for (seen, now, campaigns) in cases {
            assert_eq!(
                decide_to_campaign(&seen, never, PATIENCE, at(now)),
                campaigns,
                "{seen:?}"
            );
        }
    }

    #[test]
    fn a_replica_that_just_asked_waits_its_time_again() {
        let seen = Seen::Nobody { since: at(0) };
        assert!(!decide_to_campaign(&seen, at(1_500), PATIENCE, at(2_400)));
        assert!(decide_to_campaign(&seen, at(1_500), PATIENCE, at(2_500)));
    }
}
