//! What a run must never show.

use std::collections::{BTreeMap, BTreeSet};

use quorate_oracle::linearizability::Operation;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// Two replicas of a partition hold a lease at one moment.
    TwoLeases {
        /// The partition.
        partition: u64,
        /// Their nodes.
        nodes: (usize, usize),
    },
    /// A machine applied another command at a place than another machine of its partition.
    Diverged {
        /// The partition.
        partition: u64,
        /// Whose machine.
        node: usize,
        /// The place of the command in the partition's life.
        at: u64,
    },
    /// No order explains what the clients of a key were told.
    NotLinearizable(Box<Operation>),
    /// The checker could not decide about a key.
    Undecided(String),
    /// An acknowledged item is not there.
    Lost(String),
    /// An item that was surely not written is there.
    Undead(String),
    /// An item is in two partitions, or in one whose range does not hold it.
    Misplaced(String),
    /// A counter does not show what was added.
    Miscounted {
        /// The counter.
        key: String,
        /// What it shows.
        shown: u64,
        /// The least and the most that it may show.
        within: (u64, u64),
    },
    /// Replicas of a partition are not equal when all is quiet.
    Unequal {
        /// The partition.
        partition: u64,
        /// Two nodes that differ.
        nodes: (usize, usize),
    },
    /// Nothing goes on although nothing is broken.
    Stuck(String),
    /// A replica does not start although nothing is broken there.
    NotStarted(String),
}

/// What a machine applied, in order: how much, and a number that stands for all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl Chain {
    pub(crate) fn link(self, term: u64, command: &[u8]) -> Chain {
        let mut sum = self.sum ^ 0xCBF2_9CE4_8422_2325;
        for byte in term.to_le_bytes().iter().chain(command) {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Chain {
            count: self.count + 1,
            sum,
        }
    }
}

/// What machines have applied at each place of each partition's life, and who has led when.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    applied: BTreeMap<(u64, u64), u64>,
    /// By partition, term and node.
    pub(crate) leaderships: BTreeSet<(u64, u64, usize)>,
    pub(crate) snapshots: u64,
}

impl Observed {
    /// A machine's chain has come to this.
    pub(crate) fn applied(&mut self, partition: u64, node: usize, chain: Chain) -> Option<Breach> {
        let place = (partition, chain.count);
        let known = *self.applied.entry(place).or_insert(chain.sum);
        (known != chain.sum).then_some(Breach::Diverged {
            partition,
            node,
            at: chain.count,
        })
    }

    /// A replica takes itself for the leader of a term. Openraft orders leaderships by term and voter, so two voters may
    /// lead in one term, one after the other.
    pub(crate) fn leads(&mut self, partition: u64, term: u64, node: usize) {
        self.leaderships.insert((partition, term, node));
    }
}
