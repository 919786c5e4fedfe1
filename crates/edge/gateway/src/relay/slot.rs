//! One endpoint's target, and the connections that hang on it.
//!
//! Invariants
//! - `members` holds only connections entered under the target of this moment; changing the target
//!   takes them all out and ends their tasks, in the same critical section that makes the change
//!   visible, so that no connection can slip from the old target past the change.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use quorate_base::Epoch;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// Where connections go, and under which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) epoch: Epoch,
}

/// The state that an endpoint's connections share.
pub(crate) struct Slot {
    target: watch::Sender<Target>,
    members: Mutex<Members>,
    /// Cancelled when the endpoint is gone; ends its listener and those who wait.
    pub(crate) gone: CancellationToken,
}

#[derive(Default)]
struct Members {
    tasks: HashMap<u64, AbortHandle>,
    next: u64,
}

/// A connection's place among the members; leaving is dropping it.
pub(crate) struct Membership<'a> {
    slot: &'a Slot,
    number: u64,
}

impl Slot {
    pub(crate) fn new(target: Target, gone: CancellationToken) -> Slot {
        Slot {
            target: watch::Sender::new(target),
            members: Mutex::default(),
            gone,
        }
    }

    /// The target of this moment.
    pub(crate) fn target(&self) -> Target {
        *self.target.borrow()
    }

    /// A receiver that follows the target.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Target> {
        self.target.subscribe()
    }

    /// Takes a new target and cuts the connections of the old one; returns how many there were.
    pub(crate) fn set(&self, target: Target) -> usize {
        let mut members = self.members.lock().expect("no holder of the lock panics");
        let changed = self.target.send_if_modified(|held| {
            let changed = *held != target;
            *held = target;
            changed
        });
        if changed { members.cut() } else { 0 }
    }

    /// Ends the endpoint: cuts all connections and lets none in.
    pub(crate) fn close(&self) -> usize {
        let mut members = self.members.lock().expect("no holder of the lock panics");
        self.gone.cancel();
        members.cut()
    }

    /// Enters the connection of the calling task under `target`; none when that is no longer the target.
    pub(crate) fn enter(&self, target: Target, task: AbortHandle) -> Option<Membership<'_>> {
        let mut members = self.members.lock().expect("no holder of the lock panics");
        if self.gone.is_cancelled() || self.target() != target {
            return None;
        }
        let number = members.next;
        members.next += 1;
        members.tasks.insert(number, task);
        Some(Membership { slot: self, number })
    }

    /// How many connections hang on the target.
    pub(crate) fn len(&self) -> usize {
        let members = self.members.lock().expect("no holder of the lock panics");
        members.tasks.len()
    }
}

impl Members {
    fn cut(&mut self) -> usize {
        let tasks = std::mem::take(&mut self.tasks);
        for task in tasks.values() {
            task.abort();
        }
        tasks.len()
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
