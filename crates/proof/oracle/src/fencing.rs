//! The promise of epochs: one primary each, and each sees all that was acknowledged before it.
//!
//! Precisely, for a history of acknowledgements and of the states that primaries began with:
//!
//! 1. all acknowledgements that carry the same epoch come from one node;
//! 2. a write acknowledged at epoch `e` is in the state that the primary of every epoch above `e` began with,
//!    whenever the acknowledgement came.
//!
//! The second allows an acknowledgement to come late: the answer of a primary that was replaced between the commit
//! and the answer is right as long as its successor has the write. It forbids one of a write that the successor
//! does not have, which is what a stale primary would give.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::WriteId;

/// One acknowledged write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The node whose engine acknowledged.
    pub node: String,
    /// The epoch at which that engine led.
    pub epoch: u64,
    /// The place of the acknowledgement in the history, or its time.
    pub at: u64,
    /// What was acknowledged.
    pub write: WriteId,
}

/// A primary's beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// The epoch.
    pub epoch: u64,
    /// The node that leads at it.
    pub node: String,
    /// When it began, as `Acknowledgement::at`.
    pub at: u64,
    /// Every write that its engine had when it began to take writes.
    pub holds: BTreeSet<WriteId>,
}

/// Acknowledgements and beginnings, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencingHistory {
    /// Acknowledged writes.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Primaries' beginnings.
    pub beginnings: Vec<Beginning>,
}

/// How the promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FencingBreach {
    /// Two nodes acknowledged in one epoch.
    TwoPrimaries {
        /// The epoch.
        epoch: u64,
        /// The nodes, in the order of their names.
        nodes: BTreeSet<String>,
    },
    /// A later primary began without an acknowledged write.
    NotContained {
        /// What was acknowledged.
        write: WriteId,
        /// The epoch at which it was.
        acknowledged_at: u64,
        /// The later epoch.
        missing_at: u64,
        /// Its primary.
        node: String,
    },
}

/// Finds every breach of the promise; of the missing writes one for each beginning.
#[must_use]
pub fn check_fencing(history: &FencingHistory) -> Vec<FencingBreach> {
    let mut nodes: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for ack in &history.acknowledgements {
        nodes.entry(ack.epoch).or_default().insert(ack.node.clone());
    }
    let two = nodes
        .into_iter()
        .filter(|(_, nodes)| nodes.len() > 1)
        .map(|(epoch, nodes)| FencingBreach::TwoPrimaries { epoch, nodes });
    let missing = history.beginnings.iter().filter_map(|beginning| {
        history
            .acknowledgements
            .iter()
            .find(|ack| ack.epoch < beginning.epoch && !beginning.holds.contains(&ack.write))
            .map(|ack| FencingBreach::NotContained {
                write: ack.write,
                acknowledged_at: ack.epoch,
                missing_at: beginning.epoch,
                node: beginning.node.clone(),
            })
    });
    two.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(node: &str, epoch: u64, at: u64) -> Acknowledgement {
        Acknowledgement {
            node: node.to_owned(),
            epoch,
            at,
            write: WriteId(at),
        }
    }

    fn begin(node: &str, epoch: u64, at: u64, holds: &[u64]) -> Beginning {
        Beginning {
            epoch,
            node: node.to_owned(),
            at,
            holds: holds.iter().copied().map(WriteId).collect(),
        }
    }

    #[test]
    fn one_primary_after_the_other_is_right_and_so_is_a_late_answer() {
        let history = FencingHistory {
            acknowledgements: vec![ack("a", 1, 1), ack("a", 1, 5), ack("b", 2, 6)],
            beginnings: vec![begin("a", 1, 0, &[]), begin("b", 2, 4, &[1, 5])],
        };
        assert_eq!(check_fencing(&history), []);
    }

    #[test]
    fn two_nodes_in_one_epoch_are_found() {
        let history = FencingHistory {
            acknowledgements: vec![ack("a", 3, 1), ack("b", 3, 2)],
            beginnings: Vec::new(),
        };
        assert!(matches!(
            &check_fencing(&history)[..],
            [FencingBreach::TwoPrimaries { epoch: 3, nodes }] if nodes.len() == 2
        ));
    }

    #[test]
    fn a_stale_primary_that_acknowledges_is_found() {
        let history = FencingHistory {
            acknowledgements: vec![ack("a", 1, 1), ack("a", 1, 9)],
            beginnings: vec![begin("b", 2, 4, &[1])],
        };
        assert_eq!(
            check_fencing(&history),
            [FencingBreach::NotContained {
                write: WriteId(9),
                acknowledged_at: 1,
                missing_at: 2,
                node: String::from("b"),
            }]
        );
    }

    #[test]
    fn a_write_must_survive_more_than_one_change_of_primary() {
        let history = FencingHistory {
            acknowledgements: vec![ack("a", 1, 1)],
            beginnings: vec![begin("b", 2, 4, &[1]), begin("c", 3, 8, &[])],
        };
        assert!(matches!(
            &check_fencing(&history)[..],
            [FencingBreach::NotContained { missing_at: 3, .. }]
        ));
    }
}
