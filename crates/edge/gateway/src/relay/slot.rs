//! One endpoint's targets, and the connections that hang on them.
//!
//! Invariants
//! - `members` holds only connections entered under the epoch and to a target of this moment; a change takes the others
//!   out and ends their tasks, in the same critical section that makes it visible, so that no connection can slip from
//!   an old target past the change.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use quorate_base::Epoch;
use quorate_control::ClusterConfiguration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// Where connections go, and under which epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Targets {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) epoch: Epoch,
}

/// The state that an endpoint's connections share.
pub(crate) struct Slot {
    targets: watch::Sender<Targets>,
    members: Mutex<Members>,
    cluster: Mutex<Option<ClusterConfiguration>>,
    /// Which target is next.
    turn: AtomicUsize,
    /// Cancelled when the endpoint is gone; ends its listener and those who wait.
    pub(crate) gone: CancellationToken,
}

#[derive(Default)]
struct Members {
    tasks: HashMap<u64, Member>,
    next: u64,
}

/// A connection: where it goes, and its task.
struct Member {
    address: SocketAddr,
    task: AbortHandle,
}

/// A connection's place among the members; leaving is dropping it.
pub(crate) struct Membership<'a> {
    slot: &'a Slot,
    number: u64,
}

impl Slot {
    pub(crate) fn new(targets: Targets, gone: CancellationToken) -> Slot {
        Slot {
            targets: watch::Sender::new(targets),
            members: Mutex::default(),
            cluster: Mutex::default(),
            turn: AtomicUsize::new(0),
            gone,
        }
    }

    /// The targets of this moment.
    pub(crate) fn targets(&self) -> Targets {
        self.targets.borrow().clone()
    }

    /// A receiver that follows the targets.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Targets> {
        self.targets.subscribe()
    }

    /// The target whose turn it is; none while there is none.
    pub(crate) fn pick(&self, targets: &Targets) -> Option<SocketAddr> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let at = turn.checked_rem(targets.addresses.len())?;
        targets.addresses.get(at).copied()
    }

    /// Takes new targets and cuts the connections of an older epoch, and those to targets that are gone; returns how many
    /// there were.
    pub(crate) fn set(&self, targets: Targets) -> usize {
        let mut members = self.members.lock().expect("no holder of the lock panics");
        let mut cut = 0;
        self.targets.send_if_modified(|held| {
            if *held == targets {
                return false;
            }
            let same_epoch = held.epoch == targets.epoch;
            cut = members.cut(|member| !same_epoch || !targets.addresses.contains(&member.address));
            *held = targets;
            true
        });
        cut
    }

    /// What clients are told of the cluster's nodes.
    pub(crate) fn cluster(&self) -> Option<ClusterConfiguration> {
        let cluster = self.cluster.lock();
        cluster.expect("no holder of the lock panics").clone()
    }

    pub(crate) fn set_cluster(&self, cluster: Option<ClusterConfiguration>) {
        *self.cluster.lock().expect("no holder of the lock panics") = cluster;
    }

    /// Ends the endpoint: cuts all connections and lets none in.
    pub(crate) fn close(&self) -> usize {
        let mut members = self.members.lock().expect("no holder of the lock panics");
        self.gone.cancel();
        members.cut(|_| true)
    }

    /// Enters the connection of the calling task to `address`; none when that is no longer a target of this epoch.
    pub(crate) fn enter(
        &self,
        epoch: Epoch,
        address: SocketAddr,
        task: AbortHandle,
    ) -> Option<Membership<'_>> {
        let mut members = self.members.lock().expect("no holder of the lock panics");
        let held = {
            let targets = self.targets.borrow();
            targets.epoch == epoch && targets.addresses.contains(&address)
        };
        if self.gone.is_cancelled() || !held {
            return None;
        }
        let number = members.next;
        members.next += 1;
        members.tasks.insert(number, Member { address, task });
        Some(Membership { slot: self, number })
    }

    /// How many connections hang on the target.
    pub(crate) fn len(&self) -> usize {
        let members = self.members.lock().expect("no holder of the lock panics");
        members.tasks.len()
    }
}

impl Members {
    fn cut(&mut self, goes: impl Fn(&Member) -> bool) -> usize {
        let before = self.tasks.len();
        self.tasks.retain(|_, member| {
            let goes = goes(member);
            if goes {
                member.task.abort();
            }
            !goes
        });
        before - self.tasks.len()
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        let members = self.slot.members.lock();
        members
            .expect("no holder of the lock panics")
            .tasks
            .remove(&self.number);
    }
}
