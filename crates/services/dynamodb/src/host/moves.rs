//! Making a group's voters those that the partition's record wants.
//!
//! Each step can be repeated: it goes by the record as the catalog has it, changes the voters if they differ, and writes
//! down that it did. A leader that is replaced in the middle leaves a group that the next one finds different from the record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use quorate_consensus::{GroupError, Voter, VoterId, voter_id};
use quorate_control::{CatalogError, NodeRecord, Txn};

use crate::host::duties::DutyError;
use crate::host::partition_host::PartitionHost;
use crate::host::replica::Replica;
use crate::messages::Refusal;
use crate::model::{PartitionRecord, PartitionState};

/// Longest time for which a step goes by the record that it read. A newcomer goes on catching up in the meantime.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether the group's voters are other than the record wants, or a move is under way.
pub(crate) fn is_due(record: &PartitionRecord, replica: &Replica) -> bool {
    let splits = matches!(record.state, PartitionState::Splitting { .. });
    !splits && (record.moving.is_some() || !is_settled(record, replica))
}

/// Whether the group has the voters that the record wants.
pub(crate) fn is_settled(record: &PartitionRecord, replica: &Replica) -> bool {
    let wanted: BTreeSet<VoterId> = record.wanted().iter().map(voter_id).collect();
    replica.group.is_made_of(&wanted)
}

/// Takes the next step; whether there may be another one.
pub(crate) async fn drive(
    host: &Arc<PartitionHost>,
    replica: &Arc<Replica>,
) -> Result<bool, DutyError> {
    replica.lead().await?;
    let id = replica.number.record_id();
    let Some(read) = host.catalog.read::<PartitionRecord>(&id).await? else {
        return Ok(false);
    };
    if !is_due(&read.record, replica) {
        return Ok(false);
    }
    let mut voters = Vec::new();
    for node in read.record.wanted() {
        let Some(registered) = host.catalog.view().read::<NodeRecord>(node.as_str())? else {
            return Ok(false);
        };
        let address = registered.record.address;
        voters.push(Voter { node, address });
    }
    let changed = replica.group.change_voters(voters, STEP_TIMEOUT).await;
    changed.map_err(|e| match e {
        GroupError::NotLeader(voter) => Refusal::NotLeader(voter.map(|v| v.node)),
        GroupError::Unavailable(why) => Refusal::Unavailable(why),
    })?;
    let Some(next) = read.record.moved_on() else {
        return Ok(false);
    };
    if let Some(moving) = &read.record.moving {
        let (leaves, joins, stage) = (&moving.leaves, &moving.joins, moving.stage);
        tracing::info!(partition = %replica.number, %leaves, %joins, ?stage, "a step of a move is done");
    }
    match host.catalog.commit(Txn::new().replace(&read, &next)).await {
        Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(true),
        Err(e) => Err(e.into()),
    }
}
