//! Who leads the right half of a split: another node, where that spreads the load.
//!
//! It is chosen before the split. Then the right half's replica here does not ask for votes, as it else would, but has the
//! chosen one do so: a leader that was elected first could be replaced only after its followers' patience. The right half is
//! published once it is led.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_base::NodeId;
use quorate_consensus::voter_id;

use crate::host::partition_host::PartitionHost;
use crate::host::replica::Replica;
use crate::model::{PartitionNumber, PartitionRecord};

/// Longest time that the right half waits for the chosen leader; then this node leads it.
const HEIR_TIMEOUT: Duration = Duration::from_millis(600);
/// Longest wait until this node leads it.
const OWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for the answer of the node that is to lead.
const ASK_TIMEOUT: Duration = Duration::from_millis(200);
/// Time for an election before it is asked for again.
const ELECTION_TIME: Duration = Duration::from_millis(150);
/// Pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// Entries that a replica may lack to be chosen.
const BEHIND_MAX: u64 = 64;

/// The node that is to lead: one that is to lead less than this one, which leads the left half as well.
fn decide_heir(own: &NodeId, able: &[NodeId], leads: &BTreeMap<NodeId, usize>) -> Option<NodeId> {
    let leads = |node: &NodeId| leads.get(node).copied().unwrap_or(0);
    let others = able.iter().filter(|node| *node != own);
    let heir = others.min_by_key(|node| (leads(node), (*node).clone()))?;
    (leads(heir) < leads(own)).then(|| heir.clone())
}

/// Chooses who is to lead the right half in place of this node, which leads the left one.
pub(crate) fn choose(
    host: &PartitionHost,
    left: &Replica,
    record: &PartitionRecord,
) -> Option<NodeId> {
    let progress = left.group.progress();
    let follows = |node: &&NodeId| {
        let matched = progress.matched.get(&voter_id(node));
        matched.is_some_and(|at| at + BEHIND_MAX >= progress.last)
    };
    let able: Vec<NodeId> = record.replicas.iter().filter(follows).cloned().collect();
    let mut leads: BTreeMap<NodeId, usize> = BTreeMap::new();
    for stored in host.catalog.view().list::<PartitionRecord>().ok()? {
        *leads.entry(stored.record.preferred).or_default() += 1;
    }
    decide_heir(&host.config.own.node, &able, &leads)
}

/// Waits until the right half is led, by `heir` where that can be had; says who leads it.
pub(crate) async fn until_led(
    host: &Arc<PartitionHost>,
    right: PartitionNumber,
    heir: NodeId,
) -> NodeId {
    let id = voter_id(&heir);
    let deadline = Instant::now() + HEIR_TIMEOUT;
    let mut ask_at = Instant::now();
    while Instant::now() < deadline {
        if let Some(replica) = host.replica(right) {
            if replica.group.leadership().leader == Some(id) {
                return heir;
            }
            if Instant::now() >= ask_at {
                // Until it has applied the split itself, it does not know the group.
                let asked = replica.group.call_to_lead(id, ASK_TIMEOUT).await;
                if matches!(asked, Ok(true)) {
                    ask_at = Instant::now() + ELECTION_TIME;
                }
            }
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    if let Some(replica) = host.replica(right)
        && let Err(e) = replica.group.elect(OWN_TIMEOUT).await
    {
        tracing::debug!(partition = %right, error = %e, "the right half of a split is not led yet");
    }
    host.config.own.node.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeId {
        format!("us-east-1{name}").parse().unwrap()
    }

    #[test]
    fn the_right_half_is_led_by_who_leads_least() {
        let all = ["a-1", "b-1", "c-1"].map(node);
        let cases = [
            ([1, 0, 0], &all[..], Some("b-1")),
            ([2, 1, 0], &all[..], Some("c-1")),
            ([1, 1, 1], &all[..], None),
            ([0, 3, 3], &all[..], None),
            ([2, 1, 0], &all[..2], Some("b-1")),
            ([2, 1, 0], &all[..1], None),
        ];
        for (leads, able, heir) in cases {
            let leads = all.iter().cloned().zip(leads).collect();
            let decided = decide_heir(&all[0], able, &leads);
            assert_eq!(decided, heir.map(node), "{leads:?}");
        }
    }
}
