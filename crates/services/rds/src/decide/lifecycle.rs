//! Which status follows, and what the event says.

use crate::model::{Desired, EventCategory, Instance, MemberState, Status};

/// What the status hangs on besides the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusFacts {
    /// Whether the primary runs with the parameters that class, version and group ask for, none waiting for a
    /// restart.
    pub parameters_in_force: bool,
    /// Whether the primary's agent reports that there is no room left.
    pub storage_full: bool,
    /// Whether every member whose node is alive has stopped.
    pub all_stopped: bool,
}

/// A status that follows, with the event that tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusMove {
    /// The status.
    pub to: Status,
    /// The event's sentence; none where AWS has no event.
    pub message: Option<&'static str>,
    /// The event's category.
    pub category: EventCategory,
}

fn moved(to: Status, message: &'static str, category: EventCategory) -> Option<StatusMove> {
    Some(StatusMove {
        to,
        message: Some(message),
        category,
    })
}

/// Whether the instance has the members that it should have, in the state that they should be in.
#[must_use]
pub fn is_complete(instance: &Instance) -> bool {
    let topology = &instance.topology;
    let standby_right = if instance.settings.multi_az {
        topology.in_sync
    } else {
        topology.standby().is_none()
    };
    topology.is_serving() && topology.failover.is_none() && standby_right
}

/// Decides the status that follows the present one, if another does.
#[must_use]
pub fn decide_status(instance: &Instance, facts: StatusFacts) -> Option<StatusMove> {
    let topology = &instance.topology;
    let credentials_in_force = instance.credentials_applied
        == Some(instance.settings.master_verifier.fingerprint())
        || instance.source.is_some();
    let settled = is_complete(instance) && instance.order.is_none();
    let primary_failed = topology
        .primary_member()
        .is_some_and(|m| m.state == MemberState::Failed);
    match instance.status {
        _ if instance.desired == Desired::Deleted => None,
        Status::Creating if settled => moved(
            Status::Available,
            "DB instance created",
            EventCategory::Creation,
        ),
        Status::Creating | Status::Available | Status::Starting if primary_failed => moved(
            Status::Failed,
            "The DB instance cannot be brought up",
            EventCategory::Failure,
        ),
        Status::Modifying | Status::Upgrading | Status::Renaming
            if settled && facts.parameters_in_force && credentials_in_force =>
        {
            let message = "Finished applying modification to the DB instance";
            moved(
                Status::Available,
                message,
                EventCategory::ConfigurationChange,
            )
        }
        Status::ResettingMasterCredentials if settled && credentials_in_force => {
            let message = "Reset master credentials";
            moved(
                Status::Available,
                message,
                EventCategory::ConfigurationChange,
            )
        }
        Status::Rebooting if topology.is_serving() && instance.order.is_none() => moved(
            Status::Available,
            "DB instance restarted",
            EventCategory::Availability,
        ),
        Status::Stopping if facts.all_stopped => moved(
            Status::Stopped,
            "DB instance stopped",
            EventCategory::Availability,
        ),
        Status::Starting if topology.is_serving() => moved(
            Status::Available,
            "DB instance started",
            EventCategory::Availability,
        ),
        Status::Available if facts.storage_full => {
            let message = "DB instance has exhausted its storage: free space where its data lies";
            moved(Status::StorageFull, message, EventCategory::LowStorage)
        }
        Status::StorageFull if !facts.storage_full && topology.is_serving() => moved(
            Status::Available,
            "DB instance has room again",
            EventCategory::Recovery,
        ),
        Status::Failed if topology.is_serving() && !primary_failed => moved(
            Status::Available,
            "DB instance is back",
            EventCategory::Recovery,
        ),
        _ => None,
    }
}
