//! What the controller does about one instance: the first change that is due.

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{Endpoint, Stored, Txn};

use crate::controller::modify::plan_modification;
use crate::controller::world::World;
use crate::decide::failover::{FailoverDecision, FailoverFacts, decide_failover};
use crate::decide::lifecycle::{StatusFacts, decide_status};
use crate::decide::placement::decide_placement;
use crate::events::instance_event;
use crate::model::{
    Desired, EventCategory, Failover, Instance, Member, MemberState, Order, Status,
};
use crate::parameters::parameters_in_force;

/// One change: the transaction and, for the log, what it is.
pub(crate) struct Plan {
    pub(crate) txn: Txn,
    pub(crate) what: String,
}

type Told<'a> = (&'a str, EventCategory);

/// The first change that is due to an instance, if any is.
pub(crate) fn plan_instance(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    if stored.record.desired == Desired::Deleted {
        return plan_removal(world, stored);
    }
    plan_primary(world, stored)
        .or_else(|| plan_failover(world, stored))
        .or_else(|| plan_promotion(world, stored))
        .or_else(|| plan_standby(world, stored))
        .or_else(|| plan_modification(world, stored))
        .or_else(|| plan_status(world, stored))
}

/// Replaces the record and tells events.
pub(crate) fn change(
    world: &World,
    stored: &Stored<Instance>,
    record: &Instance,
    told: &[Told<'_>],
    what: &str,
) -> Plan {
    let mut txn = Txn::new().replace(stored, record);
    for (message, category) in told {
        let (id, event) = instance_event(
            world.now,
            &world.config.owner,
            &stored.id,
            message,
            *category,
        );
        txn = txn.put(&id, &event);
    }
    Plan {
        txn,
        what: format!("{}: {what}", stored.id),
    }
}

pub(crate) fn endpoint_id(instance: &str) -> String {
    format!("rds:{instance}")
}

/// The endpoint's record with no target, at the instance's epoch: old connections are cut, new ones wait.
pub(crate) fn closed_endpoint(instance: &Instance) -> Endpoint {
    Endpoint {
        port: instance.endpoint_port,
        targets: Vec::new(),
        epoch: instance.topology.epoch,
        protocol: quorate_control::EndpointProtocol::Postgres,
        cluster: None,
    }
}

fn placed(now: UnixMillis) -> Member {
    Member {
        state: MemberState::Placed,
        address: None,
        incarnation: incarnation(now),
        since: now,
    }
}

/// A number that no earlier copy on the same node carries: seconds of the clock, read when it was placed.
fn incarnation(now: UnixMillis) -> u32 {
    u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX)
}

fn plan_primary(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    let instance = &stored.record;
    if instance.topology.primary.is_some() {
        return None;
    }
    let settings = &instance.settings;
    let places = world.places(&settings.engine, &settings.engine_version);
    let node = decide_placement(&places, settings.zone.as_ref(), &[])?;
    let mut record = instance.clone();
    record.topology.primary = Some(node.clone());
    record
        .topology
        .members
        .insert(node.clone(), placed(world.now));
    Some(change(
        world,
        stored,
        &record,
        &[],
        &format!("primary placed on {node}"),
    ))
}

fn plan_failover(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    let instance = &stored.record;
    let topology = &instance.topology;
    let primary = topology.primary.as_ref()?;
    let decision = decide_failover(&FailoverFacts {
        topology,
        desired: instance.desired,
        order: instance.order.as_ref(),
        primary_alive: world.is_alive(primary),
        standby_alive: topology
            .standby()
            .is_some_and(|(node, _)| world.is_alive(node)),
        only_standby_has_room: only_standby_has_room(world, instance),
    });
    match decision {
        FailoverDecision::Stay => None,
        FailoverDecision::RestartPrimary => {
            let mut record = instance.clone();
            record.topology.primary_down = false;
            Some(change(
                world,
                stored,
                &record,
                &[],
                "primary restarts at its epoch",
            ))
        }
        FailoverDecision::Promote { to, reason } => {
            let record = promoted(instance, primary, &to, reason, world.now);
            let message = format!("Multi-AZ instance failover started: {reason}");
            let told = [(message.as_str(), EventCategory::Failover)];
            let what = format!(
                "{to} takes over from {primary} at epoch {}",
                record.topology.epoch
            );
            let mut plan = change(world, stored, &record, &told, &what);
            plan.txn = plan
                .txn
                .put(&endpoint_id(&stored.id), &closed_endpoint(&record));
            Some(plan)
        }
    }
}

/// What is not reported counts against a change of primary.
fn only_standby_has_room(world: &World, instance: &Instance) -> bool {
    let is_full = |node: &NodeId| Some(world.report(node, &instance.resource_id)?.storage_full);
    let topology = &instance.topology;
    let (Some(primary), Some((standby, _))) = (&topology.primary, topology.standby()) else {
        return false;
    };
    is_full(primary) == Some(true) && is_full(standby) == Some(false)
}

fn promoted(
    instance: &Instance,
    from: &NodeId,
    to: &NodeId,
    reason: &str,
    now: UnixMillis,
) -> Instance {
    let mut record = instance.clone();
    let topology = &mut record.topology;
    assert!(topology.in_sync, "only a standby in sync is promoted");
    topology.epoch = topology.epoch.next();
    topology.primary = Some(to.clone());
    topology.in_sync = false;
    topology.primary_down = false;
    topology.failover = Some(Failover {
        from: from.clone(),
        reason: reason.to_owned(),
        started_at: now,
    });
    if let Some(member) = topology.members.get_mut(from) {
        member.state = MemberState::Building;
        member.since = now;
    }
    if record.order == Some(Order::RebootWithFailover) {
        record.order = None;
    }
    record
}

/// A read replica becomes an instance of its own: its agent promotes the engine when it sees that it follows nobody.
fn plan_promotion(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    let instance = &stored.record;
    if instance.order != Some(Order::Promote) {
        return None;
    }
    let mut record = instance.clone();
    record.order = None;
    record.source = None;
    record.status = Status::Modifying;
    record.topology.epoch = record.topology.epoch.next();
    let told = [(
        "Promoted Read Replica to a standalone database instance",
        EventCategory::ReadReplica,
    )];
    let mut plan = change(world, stored, &record, &told, "replica promoted");
    plan.txn = plan
        .txn
        .put(&endpoint_id(&stored.id), &closed_endpoint(&record));
    Some(plan)
}

fn plan_standby(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    let instance = &stored.record;
    let topology = &instance.topology;
    let primary = topology.primary.as_ref()?;
    if topology.in_sync || !topology.is_serving() || instance.desired != Desired::Running {
        return None;
    }
    let settings = &instance.settings;
    let places = world.places(&settings.engine, &settings.engine_version);
    let mut record = instance.clone();
    match topology.standby() {
        None if settings.multi_az => {
            let node = decide_placement(&places, None, &[primary.zone()])?;
            record
                .topology
                .members
                .insert(node.clone(), placed(world.now));
            Some(change(
                world,
                stored,
                &record,
                &[],
                &format!("standby placed on {node}"),
            ))
        }
        Some((node, _)) if !settings.multi_az => {
            let node = node.clone();
            record.topology.members.remove(&node);
            Some(change(
                world,
                stored,
                &record,
                &[],
                &format!("standby on {node} given up"),
            ))
        }
        Some((node, _)) if world.silent_ms(node) >= world.config.standby_replace_after_ms => {
            let away = node.clone();
            let to = decide_placement(&places, None, &[primary.zone(), away.zone()])?;
            record.topology.members.remove(&away);
            record
                .topology
                .members
                .insert(to.clone(), placed(world.now));
            let message = format!(
                "The zone of the standby does not answer: a new standby is made in {}",
                to.zone()
            );
            let told = [(message.as_str(), EventCategory::Notification)];
            Some(change(
                world,
                stored,
                &record,
                &told,
                &format!("standby moves from {away} to {to}"),
            ))
        }
        _ => None,
    }
}

fn plan_status(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    let instance = &stored.record;
    let topology = &instance.topology;
    let group = world.groups.get(&instance.settings.parameter_group);
    let storage_full = topology
        .primary
        .as_ref()
        .and_then(|node| world.report(node, &instance.resource_id))
        .is_some_and(|report| report.storage_full);
    let all_stopped = topology
        .members
        .iter()
        .all(|(node, member)| member.state == MemberState::Stopped || !world.is_alive(node));
    let facts = StatusFacts {
        parameters_in_force: parameters_in_force(instance, group),
        storage_full,
        all_stopped,
    };
    let next = decide_status(instance, facts)?;
    let mut record = instance.clone();
    record.status = next.to;
    if next.to == Status::Available {
        record.status_detail = None;
    }
    let told: Vec<Told<'_>> = next.message.iter().map(|m| (*m, next.category)).collect();
    Some(change(
        world,
        stored,
        &record,
        &told,
        &format!("status {}", next.to),
    ))
}

/// A deleted instance is gone when every member whose node is alive has removed its copy; a node that comes back
/// later finds a copy that nobody wants and removes it. Replicas become instances of their own first.
fn plan_removal(world: &World, stored: &Stored<Instance>) -> Option<Plan> {
    let waiting = world
        .replicas(&stored.id)
        .find(|replica| replica.record.order.is_none());
    if let Some(replica) = waiting.filter(|r| r.record.desired != Desired::Deleted) {
        let mut record = replica.record.clone();
        record.order = Some(Order::Promote);
        return Some(change(
            world,
            replica,
            &record,
            &[],
            "promoted because its source is deleted",
        ));
    }
    if world
        .replicas(&stored.id)
        .any(|r| r.record.desired != Desired::Deleted)
    {
        return None;
    }
    if stored
        .record
        .topology
        .members
        .keys()
        .any(|node| world.is_alive(node))
    {
        return None;
    }
    let (id, event) = instance_event(
        world.now,
        &world.config.owner,
        &stored.id,
        "DB instance deleted",
        EventCategory::Deletion,
    );
    let txn = Txn::new()
        .remove(stored)
        .discard::<Endpoint>(&endpoint_id(&stored.id))
        .put(&id, &event);
    Some(Plan {
        txn,
        what: format!("{}: removed", stored.id),
    })
}
