//! Tables of a member's next step.

use super::*;

fn lineage(epoch: u64) -> Lineage {
    Lineage {
        resource_id: String::from("db-X"),
        epoch: Epoch(epoch),
    }
}

fn upstream(epoch: u64) -> UpstreamFacts {
    UpstreamFacts {
        address: "127.0.1.1:5000".parse().unwrap(),
        lineage: lineage(epoch),
    }
}

fn leader() -> MemberFacts {
    MemberFacts {
        desired: Desired::Running,
        leads: true,
        own: lineage(8),
        ever_served: true,
        primary_down: false,
        in_sync: false,
        upstream: None,
        copy: CopyFacts::Led(lineage(8)),
        engine: EngineFacts::Down,
        crashed: false,
        lease_held: true,
    }
}

fn follower() -> MemberFacts {
    MemberFacts {
        leads: false,
        upstream: Some(upstream(8)),
        copy: CopyFacts::Followed(lineage(8)),
        ..leader()
    }
}

#[test]
fn a_new_instance_is_initialized_once() {
    let new = MemberFacts {
        ever_served: false,
        copy: CopyFacts::None,
        ..leader()
    };
    assert_eq!(decide_member(&new), MemberStep::Initialize);
    let lost = MemberFacts {
        ever_served: true,
        ..new
    };
    assert!(matches!(decide_member(&lost), MemberStep::Lost(_)));
}

#[test]
fn nothing_leads_without_a_lease() {
    for copy in [
        CopyFacts::None,
        CopyFacts::Led(lineage(8)),
        CopyFacts::Followed(lineage(7)),
    ] {
        for ever_served in [false, true] {
            let facts = MemberFacts {
                lease_held: false,
                copy: copy.clone(),
                ever_served,
                ..leader()
            };
            assert!(
                matches!(decide_member(&facts), MemberStep::Wait(_)),
                "{facts:?}"
            );
        }
    }
    let running = MemberFacts {
        engine: EngineFacts::Follows,
        lease_held: false,
        ..leader()
    };
    assert_ne!(decide_member(&running), MemberStep::Promote);
}

#[test]
fn a_crashed_engine_is_reported_when_the_standby_can_take_over_and_restarted_when_not() {
    let crashed = MemberFacts {
        crashed: true,
        in_sync: true,
        ..leader()
    };
    assert_eq!(decide_member(&crashed), MemberStep::ReportDown);
    let alone = MemberFacts {
        crashed: true,
        in_sync: false,
        ..leader()
    };
    assert_eq!(decide_member(&alone), MemberStep::StartLeader);
    let promised = MemberFacts {
        primary_down: true,
        ..crashed
    };
    assert!(matches!(decide_member(&promised), MemberStep::Wait(_)));
}

#[test]
fn a_promoted_follower_is_promoted_running_or_not() {
    let facts = MemberFacts {
        copy: CopyFacts::Followed(lineage(7)),
        ..leader()
    };
    assert_eq!(decide_member(&facts), MemberStep::StartFollower(None));
    let running = MemberFacts {
        engine: EngineFacts::Follows,
        ..facts
    };
    assert_eq!(decide_member(&running), MemberStep::Promote);
}

#[test]
fn a_demoted_leader_stops_then_realigns_then_follows() {
    let mut facts = MemberFacts {
        copy: CopyFacts::Led(lineage(7)),
        engine: EngineFacts::Leads,
        ..follower()
    };
    assert_eq!(decide_member(&facts), MemberStep::Stop);
    facts.engine = EngineFacts::Down;
    assert_eq!(decide_member(&facts), MemberStep::Realign(upstream(8)));
    facts.copy = CopyFacts::Followed(lineage(8));
    assert_eq!(
        decide_member(&facts),
        MemberStep::StartFollower(Some(upstream(8)))
    );
    facts.engine = EngineFacts::Follows;
    assert_eq!(decide_member(&facts), MemberStep::Supervise);
}

#[test]
fn a_demoted_leader_stops_also_while_nobody_serves_yet() {
    let facts = MemberFacts {
        upstream: None,
        copy: CopyFacts::Led(lineage(7)),
        engine: EngineFacts::Leads,
        ..follower()
    };
    assert_eq!(decide_member(&facts), MemberStep::Stop);
}

#[test]
fn a_follower_of_an_older_lineage_realigns() {
    for engine in [EngineFacts::Down, EngineFacts::Follows] {
        let facts = MemberFacts {
            copy: CopyFacts::Followed(lineage(7)),
            engine,
            ..follower()
        };
        assert_eq!(decide_member(&facts), MemberStep::Realign(upstream(8)));
    }
}

#[test]
fn a_copy_that_led_never_starts_as_follower_without_realigning() {
    for epoch in 1..9 {
        let facts = MemberFacts {
            copy: CopyFacts::Led(lineage(epoch)),
            ..follower()
        };
        assert_eq!(
            decide_member(&facts),
            MemberStep::Realign(upstream(8)),
            "epoch {epoch}"
        );
    }
}

#[test]
fn a_stopped_instance_keeps_its_copy_and_a_deleted_one_does_not() {
    let stopped = MemberFacts {
        desired: Desired::Stopped,
        engine: EngineFacts::Leads,
        ..leader()
    };
    assert_eq!(decide_member(&stopped), MemberStep::Stop);
    let down = MemberFacts {
        engine: EngineFacts::Down,
        ..stopped
    };
    assert!(matches!(decide_member(&down), MemberStep::Wait(_)));
    let deleted = MemberFacts {
        desired: Desired::Deleted,
        ..leader()
    };
    assert_eq!(decide_member(&deleted), MemberStep::Remove);
}
