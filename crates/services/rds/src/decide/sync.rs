//! Whether the primary waits for its standby.
//!
//! Invariant: PostgreSQL stops waiting only after the catalog says that the standby is not in sync; the catalog
//! says that it is in sync only after PostgreSQL waits.
//!
//! A declaration whose answer did not come may be made later. So PostgreSQL stops waiting only after a write that such
//! a declaration cannot follow: `declared` stays true until the opposite is written.

/// What the primary's agent sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncFacts {
    /// The catalog's word, as the agent last read it.
    pub in_sync: bool,
    /// Whether "in sync" was sent to the catalog and nothing that denies it was written since, whatever was answered.
    pub declared: bool,
    /// Whether PostgreSQL waits for the standby before it acknowledges.
    pub waits: bool,
    /// Whether the instance should have a standby and has one that is not being replaced.
    pub wanted: bool,
    /// Whether the standby streams and has caught up so far that waiting for it costs no more than a moment.
    pub caught_up: bool,
    /// Whether the standby has not answered for the detection time.
    pub lost: bool,
}

/// The agent's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncStep {
    /// Nothing.
    Keep,
    /// Make PostgreSQL wait, by the sync barrier.
    StartWaiting,
    /// Write `in_sync` to the catalog.
    DeclareInSync,
    /// Clear `in_sync` in the catalog.
    DeclareNotInSync,
    /// Let PostgreSQL go on alone.
    StopWaiting,
}

/// Decides the next step.
#[must_use]
pub fn decide_sync(facts: SyncFacts) -> SyncStep {
    let SyncFacts {
        in_sync,
        declared,
        waits,
        wanted,
        caught_up,
        lost,
    } = facts;
    match (in_sync, waits) {
        // The catalog promises what PostgreSQL does not do: after a restart at most, and before it serves.
        (true, false) => SyncStep::StartWaiting,
        (true, true) if !wanted || lost => SyncStep::DeclareNotInSync,
        (true, true) => SyncStep::Keep,
        (false, true) if wanted && !lost => SyncStep::DeclareInSync,
        (false, true) if declared => SyncStep::DeclareNotInSync,
        (false, true) => SyncStep::StopWaiting,
        (false, false) if wanted && caught_up && !lost => SyncStep::StartWaiting,
        (false, false) => SyncStep::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(bits: u8) -> SyncFacts {
        let bit = |n: u8| bits & (1 << n) != 0;
        SyncFacts {
            in_sync: bit(0),
            waits: bit(1),
            wanted: bit(2),
            caught_up: bit(3),
            lost: bit(4),
            declared: bit(5),
        }
    }

    #[test]
    fn postgresql_goes_on_alone_only_when_the_catalog_has_said_so() {
        for bits in 0..64 {
            let facts = facts(bits);
            if decide_sync(facts) == SyncStep::StopWaiting {
                assert!(!facts.in_sync && !facts.declared, "{facts:?}");
            }
        }
    }

    #[test]
    fn in_sync_is_declared_only_while_postgresql_waits() {
        for bits in 0..64 {
            let facts = facts(bits);
            if decide_sync(facts) == SyncStep::DeclareInSync {
                assert!(facts.waits, "{facts:?}");
            }
        }
    }

    #[test]
    fn a_lost_standby_is_given_up_in_two_steps() {
        let mut facts = SyncFacts {
            in_sync: true,
            declared: true,
            waits: true,
            wanted: true,
            caught_up: false,
            lost: true,
        };
        assert_eq!(decide_sync(facts), SyncStep::DeclareNotInSync);
        facts.in_sync = false;
        facts.declared = false;
        assert_eq!(decide_sync(facts), SyncStep::StopWaiting);
        facts.waits = false;
        assert_eq!(decide_sync(facts), SyncStep::Keep);
    }

    #[test]
    fn a_declaration_that_was_not_answered_is_denied_before_going_on_alone() {
        let mut facts = SyncFacts {
            in_sync: false,
            declared: true,
            waits: true,
            wanted: true,
            caught_up: true,
            lost: false,
        };
        assert_eq!(decide_sync(facts), SyncStep::DeclareInSync);
        facts.lost = true;
        assert_eq!(decide_sync(facts), SyncStep::DeclareNotInSync);
        facts.declared = false;
        assert_eq!(decide_sync(facts), SyncStep::StopWaiting);
    }

    #[test]
    fn a_standby_that_caught_up_is_taken_in_in_two_steps() {
        let mut facts = SyncFacts {
            in_sync: false,
            declared: false,
            waits: false,
            wanted: true,
            caught_up: true,
            lost: false,
        };
        assert_eq!(decide_sync(facts), SyncStep::StartWaiting);
        facts.waits = true;
        assert_eq!(decide_sync(facts), SyncStep::DeclareInSync);
        facts.in_sync = true;
        assert_eq!(decide_sync(facts), SyncStep::Keep);
    }
}
