//! The changes of a cluster's record that agents make, and the endpoints that follow from a record.
//!
//! Invariants
//! - Endpoints are a function of the cluster's record ([`endpoints`]). Every transaction that writes a cluster goes through
//!   [`change`], which writes the endpoints that differ with it; nothing else writes them.
//! - A change that an agent makes names the epoch that its engine runs at, and is refused (`None`) when the record has
//!   another one or the member is not what the agent takes it for.
//!
//! Pure over records: no clock, no catalog.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use quorate_base::{Epoch, NodeId, UnixMillis};
use quorate_control::{Endpoint, EndpointProtocol, Stored, Txn};

use crate::aurora::model::{
    Cluster, ClusterMember, CustomEndpoint, CustomEndpointKind, MemberDesired, MemberOrder, Volume,
};
use crate::catalogue::Program;
use crate::model::{Desired, MemberState, ParametersApplied};

/// The id of the cluster endpoint, which leads to the writer.
#[must_use]
pub fn writer_endpoint_id(cluster: &str) -> String {
    format!("rds-cluster:{cluster}")
}

/// The id of the reader endpoint.
#[must_use]
pub fn reader_endpoint_id(cluster: &str) -> String {
    format!("rds-cluster-ro:{cluster}")
}

/// The id of a member's own endpoint: the same as that of a DB instance with this identifier.
#[must_use]
pub fn member_endpoint_id(member: &str) -> String {
    format!("rds:{member}")
}

/// The id of a custom endpoint.
#[must_use]
pub fn custom_endpoint_id(name: &str) -> String {
    format!("rds-cluster-custom:{name}")
}

/// What clients of a cluster speak, as far as gateways have to know.
fn protocol(cluster: &Cluster) -> EndpointProtocol {
    match Program::of_version(&cluster.settings.engine_version) {
        Program::Postgres => EndpointProtocol::Postgres,
        Program::Mariadb => EndpointProtocol::Opaque,
    }
}

/// Every endpoint of a cluster, by its id, with the targets that follow from the record. `id` is the DB cluster
/// identifier.
#[must_use]
pub fn endpoints(id: &str, cluster: &Cluster) -> BTreeMap<String, Endpoint> {
    let endpoint = |port: u16, targets: Vec<SocketAddr>| Endpoint {
        port,
        targets,
        epoch: cluster.epoch,
        protocol: protocol(cluster),
        cluster: None,
    };
    let writer: Vec<SocketAddr> = writer_target(cluster).into_iter().collect();
    let readers: Vec<SocketAddr> = cluster
        .readers()
        .filter_map(|(_, member)| target(cluster, member))
        .collect();
    let reading = if readers.is_empty() {
        writer.clone()
    } else {
        readers
    };
    let ports = &cluster.endpoints;
    let mut endpoints = BTreeMap::from([
        (writer_endpoint_id(id), endpoint(ports.writer_port, writer)),
        (reader_endpoint_id(id), endpoint(ports.reader_port, reading)),
    ]);
    for (name, member) in &cluster.members {
        let own = member_target(cluster, name, member).into_iter().collect();
        endpoints.insert(
            member_endpoint_id(name),
            endpoint(member.endpoint_port, own),
        );
    }
    for (name, custom) in &ports.custom {
        let targets = custom_targets(cluster, custom);
        endpoints.insert(custom_endpoint_id(name), endpoint(custom.port, targets));
    }
    endpoints
}

fn custom_targets(cluster: &Cluster, custom: &CustomEndpoint) -> Vec<SocketAddr> {
    let leads_to = |name: &str| {
        custom.members.contains(name)
            && (custom.kind == CustomEndpointKind::Any || !cluster.is_writer(name))
    };
    cluster
        .members
        .iter()
        .filter(|(name, _)| leads_to(name))
        .filter_map(|(name, member)| member_target(cluster, name, member))
        .collect()
}

fn member_target(cluster: &Cluster, name: &str, member: &ClusterMember) -> Option<SocketAddr> {
    if cluster.is_writer(name) {
        writer_target(cluster)
    } else {
        target(cluster, member)
    }
}

fn writer_target(cluster: &Cluster) -> Option<SocketAddr> {
    let member = cluster.writer_member().filter(|_| cluster.is_serving())?;
    target(cluster, member)
}

fn target(cluster: &Cluster, member: &ClusterMember) -> Option<SocketAddr> {
    member.address.filter(|_| cluster.runs(member))
}

/// Replaces a cluster's record, with the endpoints that differ from those of the record as read.
pub fn change(stored: &Stored<Cluster>, record: &Cluster) -> Txn {
    change_in(Txn::new(), stored, record)
}

/// Adds to a transaction what [`change`] does.
pub fn change_in(txn: Txn, stored: &Stored<Cluster>, record: &Cluster) -> Txn {
    let before = endpoints(&stored.id, &stored.record);
    let after = endpoints(&stored.id, record);
    write_endpoints(txn.replace(stored, record), &before, &after)
}

/// Adds to a transaction that it writes a cluster that was not there, with its endpoints.
pub fn insertion(txn: Txn, id: &str, record: &Cluster) -> Txn {
    let txn = txn.insert(id, record);
    endpoints(id, record)
        .iter()
        .fold(txn, |txn, (id, endpoint)| txn.insert(id, endpoint))
}

/// Puts a cluster under another identifier, with its endpoints.
pub fn renaming(stored: &Stored<Cluster>, new_id: &str, record: &Cluster) -> Txn {
    let before = endpoints(&stored.id, &stored.record);
    let after = endpoints(new_id, record);
    let txn = Txn::new().remove(stored).insert(new_id, record);
    write_endpoints(txn, &before, &after)
}

/// Removes a cluster with its endpoints.
pub fn removal(stored: &Stored<Cluster>) -> Txn {
    let txn = Txn::new().remove(stored);
    write_endpoints(
        txn,
        &endpoints(&stored.id, &stored.record),
        &BTreeMap::new(),
    )
}

fn write_endpoints(
    mut txn: Txn,
    before: &BTreeMap<String, Endpoint>,
    after: &BTreeMap<String, Endpoint>,
) -> Txn {
    for gone in before.keys().filter(|id| !after.contains_key(*id)) {
        txn = txn.discard::<Endpoint>(gone);
    }
    for (id, endpoint) in after {
        if before.get(id) != Some(endpoint) {
            txn = txn.put(id, endpoint);
        }
    }
    txn
}

/// A member on a node, at an epoch: who makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<'a> {
    /// The member, by its DB instance identifier.
    pub member: &'a str,
    /// The agent's node.
    pub node: &'a NodeId,
    /// The epoch at which its mount is.
    pub epoch: Epoch,
    /// When.
    pub now: UnixMillis,
}

/// The writer's engine accepts writes at `address`. The volume counts as made from then on: a writer that finds it not
/// made begins it anew, since nothing in it can have been acknowledged.
///
/// None when the member is not the writer on this node at this epoch, or engines should not run.
#[must_use]
pub fn writer_serves(cluster: &Cluster, at: &At<'_>, address: SocketAddr) -> Option<Cluster> {
    if !cluster.is_writer(at.member) || cluster.desired != Desired::Running {
        return None;
    }
    let mut record = running(cluster, at, address)?;
    record.serving = Some(at.epoch);
    record.created = true;
    Some(record)
}

/// A reader's engine answers queries at `address`, over a view of the volume at the epoch.
///
/// None when the member is the writer or not on this node, the epoch is over, or engines should not run.
#[must_use]
pub fn reader_runs(cluster: &Cluster, at: &At<'_>, address: SocketAddr) -> Option<Cluster> {
    if cluster.is_writer(at.member) || cluster.desired != Desired::Running {
        return None;
    }
    running(cluster, at, address)
}

fn running(cluster: &Cluster, at: &At<'_>, address: SocketAddr) -> Option<Cluster> {
    let mut record = cluster.clone();
    let member = member_at(&mut record, at)?;
    if member.desired != MemberDesired::Running {
        return None;
    }
    member.address = Some(address);
    member.following = Some(at.epoch);
    set_state(member, MemberState::Running, at.now);
    Some(record)
}

/// A member's engine does not answer at the moment: it is being started, mounted or made anew. Endpoints lead away from
/// it. None when the record says so already, or the member is not on this node at this epoch.
#[must_use]
pub fn member_builds(cluster: &Cluster, at: &At<'_>) -> Option<Cluster> {
    with_state(cluster, at, MemberState::Building)
}

/// A member's engine was stopped on request, its mount is gone. None as for [`member_builds`].
#[must_use]
pub fn member_stopped(cluster: &Cluster, at: &At<'_>) -> Option<Cluster> {
    with_state(cluster, at, MemberState::Stopped)
}

/// A member cannot run on its node; `why` goes to the cluster's detail. None as for [`member_builds`].
#[must_use]
pub fn member_failed(cluster: &Cluster, at: &At<'_>, why: &str) -> Option<Cluster> {
    let mut record = with_state(cluster, at, MemberState::Failed)?;
    record.status_detail = Some(format!("{}: {why}", at.member));
    Some(record)
}

fn with_state(cluster: &Cluster, at: &At<'_>, state: MemberState) -> Option<Cluster> {
    let mut record = cluster.clone();
    let member = member_at(&mut record, at)?;
    if member.state == state {
        return None;
    }
    set_state(member, state, at.now);
    Some(record)
}

/// Whether a deleted member's engine may end: the writer goes on until another member has taken over, while there is one
/// that should.
#[must_use]
pub fn may_let_go(cluster: &Cluster, id: &str) -> bool {
    let deleted = |member: &ClusterMember| member.desired == MemberDesired::Deleted;
    let handed_over = !cluster.is_writer(id)
        || cluster.desired != Desired::Running
        || cluster.members.values().all(deleted);
    handed_over && cluster.members.get(id).is_some_and(deleted)
}

/// A deleted member's engine has ended and its node keeps nothing of it. The controller then takes it out of the
/// cluster. None when it may not end ([`may_let_go`]), or is not on this node.
#[must_use]
pub fn member_let_go(cluster: &Cluster, member: &str, node: &NodeId) -> Option<Cluster> {
    if !may_let_go(cluster, member) {
        return None;
    }
    let mut record = cluster.clone();
    let member = record.members.get_mut(member)?;
    if member.node.as_ref() != Some(node) {
        return None;
    }
    member.node = None;
    member.address = None;
    Some(record)
}

/// A member's engine restarted as ordered. None when nothing was ordered.
#[must_use]
pub fn member_rebooted(cluster: &Cluster, at: &At<'_>) -> Option<Cluster> {
    let mut record = cluster.clone();
    let member = member_at(&mut record, at)?;
    member
        .order
        .take_if(|order| *order == MemberOrder::Reboot)?;
    Some(record)
}

/// A member's engine was started or reloaded with these parameters. None when the record says so already.
#[must_use]
pub fn parameters_taken(
    cluster: &Cluster,
    at: &At<'_>,
    applied: &ParametersApplied,
) -> Option<Cluster> {
    let mut record = cluster.clone();
    let member = member_at(&mut record, at)?;
    if member.parameters_applied == *applied {
        return None;
    }
    member.parameters_applied = applied.clone();
    Some(record)
}

/// The writer's engine was given the master verifier with this fingerprint. None when the record says so already, or
/// the member is not the writer at this epoch.
#[must_use]
pub fn credentials_taken(cluster: &Cluster, at: &At<'_>, fingerprint: &str) -> Option<Cluster> {
    let mut record = cluster.clone();
    member_at(&mut record, at)?;
    if !cluster.is_writer(at.member) || cluster.credentials_applied.as_deref() == Some(fingerprint)
    {
        return None;
    }
    record.credentials_applied = Some(fingerprint.to_owned());
    Some(record)
}

/// The writer's volume needs this many protection groups. None when the record says so already: the number never falls.
#[must_use]
pub fn volume_wants(volume: &Volume, groups: u32) -> Option<Volume> {
    (groups > volume.wanted_groups).then(|| Volume {
        wanted_groups: groups,
        ..volume.clone()
    })
}

/// The member on the node that asks, at the record's epoch.
fn member_at<'c>(cluster: &'c mut Cluster, at: &At<'_>) -> Option<&'c mut ClusterMember> {
    let epoch = cluster.epoch;
    cluster
        .members
        .get_mut(at.member)
        .filter(|member| member.node.as_ref() == Some(at.node) && at.epoch == epoch)
}

/// Sets how far a member is, and when that changed.
pub(crate) fn set_state(member: &mut ClusterMember, state: MemberState, now: UnixMillis) {
    if member.state != state {
        member.state = state;
        member.since = now;
    }
}

mod backup;
mod transfer;

pub use backup::{ArchivedFile, archiver_attempt, log_archived, log_begun, log_ended, log_idle};
pub use transfer::{
    attempt_failed, attempt_progress, restore_attempt, restored, snapshot_attempt, snapshot_taken,
};

#[cfg(test)]
mod tests;
