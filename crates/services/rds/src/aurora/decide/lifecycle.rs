//! Which status of a cluster, and of a member, follows, and what the event says.

use std::collections::BTreeSet;

use quorate_base::NodeId;

use crate::aurora::model::{Cluster, ClusterMember, ClusterStatus, MemberDesired};
use crate::model::{Desired, EventCategory, MemberState, Status};

/// A status that follows, with the event that tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move<S> {
    /// The status.
    pub to: S,
    /// The event's sentence; none where AWS has no event.
    pub message: Option<String>,
    /// The event's category.
    pub category: EventCategory,
}

fn moved<S>(to: S, message: &str, category: EventCategory) -> Option<Move<S>> {
    Some(Move {
        to,
        message: Some(message.to_owned()),
        category,
    })
}

/// Whether the engine has the master password of the settings. A cluster without a writer has nobody to give it to: the
/// next writer takes it before it serves.
#[must_use]
pub fn credentials_in_force(cluster: &Cluster) -> bool {
    let wanted = cluster.settings.master_verifier.fingerprint();
    cluster.writer.is_none() || !cluster.created || cluster.credentials_applied == Some(wanted)
}

/// Whether every engine is stopped that can be: members whose node is away count as stopped, since their node stops them
/// when it returns.
#[must_use]
pub fn all_stopped(cluster: &Cluster, alive: &BTreeSet<NodeId>) -> bool {
    cluster.members.values().all(|member| {
        let away = |node: &NodeId| !alive.contains(node);
        member.state == MemberState::Stopped || member.node.as_ref().is_none_or(away)
    })
}

/// Whether every pending change waits for the maintenance window.
fn nothing_due(cluster: &Cluster) -> bool {
    let pending = &cluster.pending;
    pending.port.is_none() && (pending.is_empty() || !pending.apply_now)
}

/// Decides the cluster's status that follows the present one, if another does. `placed` says whether its volume is.
#[must_use]
pub fn decide_cluster_status(
    cluster: &Cluster,
    alive: &BTreeSet<NodeId>,
    placed: bool,
) -> Option<Move<ClusterStatus>> {
    if cluster.desired == Desired::Deleted {
        return None;
    }
    let available = ClusterStatus::Available;
    let serves = cluster.is_serving() && cluster.failover.is_none();
    match cluster.status {
        ClusterStatus::Creating if placed && cluster.restore.is_none() => {
            moved(available, "DB cluster created", EventCategory::Creation)
        }
        ClusterStatus::FailingOver if cluster.failover.is_none() && cluster.order.is_none() => {
            Some(Move {
                to: available,
                message: None,
                category: EventCategory::Failover,
            })
        }
        ClusterStatus::ResettingMasterCredentials if credentials_in_force(cluster) => moved(
            available,
            "Reset master credentials",
            EventCategory::ConfigurationChange,
        ),
        ClusterStatus::Modifying | ClusterStatus::Renaming if nothing_due(cluster) => Some(Move {
            to: available,
            message: None,
            category: EventCategory::ConfigurationChange,
        }),
        ClusterStatus::Stopping if all_stopped(cluster, alive) => moved(
            ClusterStatus::Stopped,
            "DB cluster stopped",
            EventCategory::Notification,
        ),
        ClusterStatus::Starting if serves || cluster.members.is_empty() => {
            moved(available, "DB cluster started", EventCategory::Notification)
        }
        _ => None,
    }
}

/// Decides a member's status that follows the present one, if another does.
#[must_use]
pub fn decide_member_status(
    cluster: &Cluster,
    id: &str,
    member: &ClusterMember,
) -> Option<Move<Status>> {
    if member.desired == MemberDesired::Deleted {
        return None;
    }
    let runs = cluster.runs(member) && (!cluster.is_writer(id) || cluster.is_serving());
    let failed = member.state == MemberState::Failed;
    let settled = runs && member.order.is_none();
    let available = Status::Available;
    match member.status {
        Status::Creating if runs => {
            moved(available, "DB instance created", EventCategory::Creation)
        }
        Status::Creating | Status::Available | Status::Starting if failed => moved(
            Status::Failed,
            "The DB instance cannot be brought up",
            EventCategory::Failure,
        ),
        Status::Failed if runs => moved(available, "DB instance is back", EventCategory::Recovery),
        Status::Rebooting if settled => moved(
            available,
            "DB instance restarted",
            EventCategory::Availability,
        ),
        Status::Modifying if settled && member.pending.is_empty() => moved(
            available,
            "Finished applying modification to the DB instance",
            EventCategory::ConfigurationChange,
        ),
        Status::Stopping if cluster.status == ClusterStatus::Stopped => moved(
            Status::Stopped,
            "DB instance stopped",
            EventCategory::Availability,
        ),
        Status::Starting if runs => moved(
            available,
            "DB instance started",
            EventCategory::Availability,
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quorate_base::Epoch;

    use super::*;
    use crate::aurora::fixture::{cluster, node};
    use crate::aurora::model::ClusterFailover;

    fn alive(letters: &str) -> BTreeSet<NodeId> {
        letters.chars().map(node).collect()
    }

    fn next(cluster: &Cluster) -> Option<ClusterStatus> {
        decide_cluster_status(cluster, &alive("abc"), true).map(|next| next.to)
    }

    fn next_of(cluster: &Cluster, id: &str) -> Option<Status> {
        decide_member_status(cluster, id, &cluster.members[id]).map(|next| next.to)
    }

    #[test]
    fn a_cluster_is_there_once_its_volume_is_placed() {
        let mut cluster = cluster(0);
        cluster.status = ClusterStatus::Creating;
        assert_eq!(decide_cluster_status(&cluster, &alive("abc"), false), None);
        assert_eq!(next(&cluster), Some(ClusterStatus::Available));
        cluster.desired = Desired::Deleted;
        assert_eq!(next(&cluster), None);
    }

    #[test]
    fn a_failover_ends_when_nothing_of_it_is_left() {
        let mut cluster = cluster(2);
        cluster.status = ClusterStatus::FailingOver;
        cluster.failover = Some(ClusterFailover {
            from: "m2".into(),
            reason: "r".into(),
            started_at: crate::aurora::fixture::NOW,
        });
        assert_eq!(next(&cluster), None);
        cluster.failover = None;
        assert_eq!(next(&cluster), Some(ClusterStatus::Available));
    }

    #[test]
    fn a_password_is_reset_when_the_writer_has_it() {
        let mut cluster = cluster(1);
        cluster.status = ClusterStatus::ResettingMasterCredentials;
        cluster.credentials_applied = None;
        assert_eq!(next(&cluster), None);
        cluster.writer = None;
        assert_eq!(next(&cluster), Some(ClusterStatus::Available));
    }

    #[test]
    fn what_waits_for_the_window_does_not_keep_a_cluster_modifying() {
        let mut cluster = cluster(1);
        cluster.status = ClusterStatus::Modifying;
        cluster.pending.port = Some(7_000);
        cluster.pending.new_id = Some("d".into());
        assert_eq!(next(&cluster), None);
        cluster.pending.port = None;
        assert_eq!(next(&cluster), Some(ClusterStatus::Available));
        cluster.pending.apply_now = true;
        assert_eq!(next(&cluster), None);
    }

    #[test]
    fn a_cluster_stops_when_every_engine_within_reach_has() {
        let mut cluster = cluster(2);
        cluster.desired = Desired::Stopped;
        cluster.status = ClusterStatus::Stopping;
        assert_eq!(next(&cluster), None);
        cluster.members.get_mut("m1").unwrap().state = MemberState::Stopped;
        assert_eq!(next(&cluster), None);
        let without_m2 = decide_cluster_status(&cluster, &alive("ac"), true);
        assert_eq!(without_m2.unwrap().to, ClusterStatus::Stopped);
    }

    #[test]
    fn a_cluster_starts_when_its_writer_serves() {
        let mut cluster = cluster(1);
        cluster.status = ClusterStatus::Starting;
        assert_eq!(next(&cluster), Some(ClusterStatus::Available));
        cluster.serving = Some(Epoch(2));
        assert_eq!(next(&cluster), None);
        cluster.members.clear();
        assert_eq!(next(&cluster), Some(ClusterStatus::Available));
    }

    #[test]
    fn a_member_is_available_when_it_does_its_part() {
        let mut cluster = cluster(2);
        for id in ["m1", "m2"] {
            cluster.members.get_mut(id).unwrap().status = Status::Creating;
            assert_eq!(next_of(&cluster, id), Some(Status::Available), "{id}");
        }
        cluster.serving = None;
        assert_eq!(next_of(&cluster, "m1"), None);
        assert_eq!(next_of(&cluster, "m2"), Some(Status::Available));
    }

    #[test]
    fn a_reboot_ends_when_the_engine_runs_and_nothing_is_ordered() {
        let mut cluster = cluster(1);
        let m1 = cluster.members.get_mut("m1").unwrap();
        m1.status = Status::Rebooting;
        m1.order = Some(crate::aurora::model::MemberOrder::Reboot);
        assert_eq!(next_of(&cluster, "m1"), None);
        cluster.members.get_mut("m1").unwrap().order = None;
        assert_eq!(next_of(&cluster, "m1"), Some(Status::Available));
    }

    #[test]
    fn a_member_that_cannot_run_says_so_and_comes_back() {
        let mut cluster = cluster(1);
        cluster.members.get_mut("m1").unwrap().state = MemberState::Failed;
        assert_eq!(next_of(&cluster, "m1"), Some(Status::Failed));
        let m1 = cluster.members.get_mut("m1").unwrap();
        m1.state = MemberState::Running;
        m1.status = Status::Failed;
        assert_eq!(next_of(&cluster, "m1"), Some(Status::Available));
    }
}
