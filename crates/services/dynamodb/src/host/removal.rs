//! Removing replicas that no record names any more: of tables that were deleted, perhaps while this node was down.
//!
//! Invariant: nothing is removed on the word of this node's view alone. The view may be behind the logs of the partitions:
//! a split is applied here before its record is seen here, and a replica that forgets what it voted for and wrote down can
//! cost the group an acknowledged write.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_base::NodeId;
use quorate_control::Stored;

use crate::host::partition_host::{LookError, PartitionHost};
use crate::model::{PartitionNumber, PartitionRecord, PartitionState};

/// Longest wait for the catalog's word.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(1);

/// Removes those of the candidates that the catalog's newest state does not place here.
pub(crate) async fn remove_abandoned(
    host: &PartitionHost,
    candidates: &[PartitionNumber],
) -> Result<(), LookError> {
    let listed =
        tokio::time::timeout(CATALOG_TIMEOUT, host.catalog.list::<PartitionRecord>()).await;
    let Ok(listed) = listed else {
        return Ok(());
    };
    for number in decide_abandoned(candidates, &listed?, &host.config.own.node) {
        host.remove(number).await?;
    }
    Ok(())
}

/// Those of the candidates that no record places on the node: neither its own, nor that of a partition which is splitting
/// it off.
fn decide_abandoned(
    candidates: &[PartitionNumber],
    records: &[Stored<PartitionRecord>],
    node: &NodeId,
) -> Vec<PartitionNumber> {
    let mut placed = BTreeSet::new();
    for stored in records {
        if !stored.record.places(node) {
            continue;
        }
        placed.extend(PartitionNumber::of_record_id(&stored.id));
        if let PartitionState::Splitting { right, .. } = stored.record.state {
            placed.insert(right);
        }
    }
    let abandoned = candidates.iter().filter(|number| !placed.contains(number));
    abandoned.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HashRange, HomeId, IndexNumber, Move, MoveStage, TableNumber};
    use quorate_base::Revision;

    fn stored(number: u64, replicas: &[&str], state: PartitionState) -> Stored<PartitionRecord> {
        let replicas: Vec<NodeId> = replicas.iter().map(|n| n.parse().unwrap()).collect();
        Stored {
            id: PartitionNumber(number).record_id(),
            revision: Revision(1),
            record: PartitionRecord {
                table_name: String::from("t"),
                table: TableNumber(1),
                index: IndexNumber::TABLE,
                range: HashRange::ALL,
                preferred: replicas[0].clone(),
                replicas,
                state,
                split_off: None,
                began_with: None,
                backfilled: BTreeSet::new(),
                homes: Default::default(),
                founders: Vec::new(),
                joined: BTreeSet::new(),
                moving: None,
            },
        }
    }

    #[test]
    fn only_what_no_record_names_is_abandoned() {
        let (here, there) = ("us-east-1a-1", "us-east-1b-1");
        let splitting = PartitionState::Splitting {
            at: 7,
            right: PartitionNumber(9),
        };
        let records = [
            stored(1, &[here, there], PartitionState::Serving),
            stored(2, &[there], PartitionState::Serving),
            stored(3, &[here], splitting),
        ];
        let mut moves = stored(5, &[there], PartitionState::Serving);
        moves.record.moving = Some(Move {
            leaves: there.parse().unwrap(),
            joins: here.parse().unwrap(),
            home: HomeId(1),
            stage: MoveStage::Leaving,
        });
        let records = [&records[..], &[moves]].concat();
        let candidates = [1, 2, 3, 4, 5, 9].map(PartitionNumber);
        let abandoned = decide_abandoned(&candidates, &records, &here.parse().unwrap());
        assert_eq!(abandoned, [2, 4].map(PartitionNumber));
    }
}
