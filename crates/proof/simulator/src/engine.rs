//! A model of a database server: takes writes, waits for its standby or not, streams, can be killed at any time.

use std::collections::BTreeMap;

use crate::node::Local;

/// Whom commits wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncName {
    /// A standby that does not exist: the barrier's first half.
    Nobody,
    /// The standby on this node.
    Standby(usize),
}

/// How an engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself.
    Crashed,
    /// Killed by its guard or its agent.
    Killed,
}

/// A follower as its upstream sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) connection: u64,
    /// What it has on disk, as it last said; none before it said anything.
    pub(crate) flushed: Option<usize>,
    /// Where to send from.
    pub(crate) from: usize,
    pub(crate) heard_at: u64,
}

/// A running engine. Its data is the node's disk.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// Tells this run of an engine from every other.
    pub(crate) run: u64,
    pub(crate) leads: bool,
    /// The epoch at which it was started or promoted as leader.
    pub(crate) epoch: u64,
    /// What the configuration names.
    pub(crate) sync_named: Option<SyncName>,
    /// What commits go by, a moment later.
    pub(crate) sync: Option<SyncName>,
    /// Writes that wait: position after the write, and the write.
    pub(crate) waiting: BTreeMap<usize, u64>,
    pub(crate) peers: BTreeMap<usize, Peer>,
    /// Whom it follows, and over which connection to which run.
    pub(crate) upstream: Option<usize>,
    pub(crate) connection: Option<(u64, u64)>,
    pub(crate) heard_at: u64,
    /// Whether the guard ends it with the lease, and when, by the node's clock.
    pub(crate) fenced: bool,
    pub(crate) deadline: Local,
    /// The end of the log when every commit was seen to wait.
    pub(crate) barrier: usize,
}

impl Engine {
    pub(crate) fn new(run: u64, leads: bool, epoch: u64, upstream: Option<usize>) -> Engine {
        Engine {
            run,
            leads,
            epoch,
            sync_named: None,
            sync: None,
            waiting: BTreeMap::new(),
            peers: BTreeMap::new(),
            upstream,
            connection: None,
            heard_at: 0,
            fenced: false,
            deadline: Local(0),
            barrier: 0,
        }
    }

    /// Writes that need not wait any longer, taken out of those that wait.
    pub(crate) fn release(&mut self) -> Vec<u64> {
        let upto = match self.sync {
            None => usize::MAX,
            Some(SyncName::Nobody) => return Vec::new(),
            Some(SyncName::Standby(node)) => self
                .peers
                .get(&node)
                .and_then(|peer| peer.flushed)
                .unwrap_or(0),
        };
        let mut released = Vec::new();
        while let Some(entry) = self.waiting.first_entry().filter(|e| *e.key() <= upto) {
            released.push(entry.remove());
        }
        released
    }
}
