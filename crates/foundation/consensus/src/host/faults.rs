//! Broken links and disks on purpose, for tests and drills.

use std::collections::HashSet;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::types::VoterId;

/// What is broken at one host.
#[derive(Debug, Default)]
pub struct Faults {
    cut: Mutex<HashSet<VoterId>>,
    syncs_fail: AtomicBool,
}

impl Faults {
    /// Drops everything that this host and the other one send each other.
    pub fn cut(&self, peer: VoterId) {
        self.cut.lock().expect("no holder panics").insert(peer);
    }

    /// Mends all links.
    pub fn mend(&self) {
        self.cut.lock().expect("no holder panics").clear();
    }

    /// Has the next sync of the log fail.
    pub fn fail_syncs(&self) {
        self.syncs_fail.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_cut(&self, peer: VoterId) -> bool {
        self.cut.lock().expect("no holder panics").contains(&peer)
    }

    pub(crate) fn before_sync(&self) -> io::Result<()> {
        if self.syncs_fail.load(Ordering::SeqCst) {
            return Err(io::Error::other("a sync was made to fail"));
        }
        Ok(())
    }
}
