//! Broken disks on purpose, for tests and drills.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What is broken at one store.
#[derive(Debug, Default)]
pub struct Faults {
    syncs_fail: AtomicBool,
    writes_fail: AtomicBool,
    /// Steps of a truncation that are still carried out; 0 for all.
    steps_left: AtomicU32,
}

impl Faults {
    /// Has syncs of the log fail.
    pub fn fail_syncs(&self) {
        self.syncs_fail.store(true, Ordering::SeqCst);
    }

    /// Has writes of the log fail.
    pub fn fail_writes(&self) {
        self.writes_fail.store(true, Ordering::SeqCst);
    }

    /// Has the next truncation end with an error before its step `step`, counted from 1.
    pub fn stop_truncation_at(&self, step: u32) {
        self.steps_left.store(step, Ordering::SeqCst);
    }

    pub(super) fn before_sync(&self) -> io::Result<()> {
        fail_if(&self.syncs_fail, "a sync was made to fail")
    }

    pub(super) fn before_write(&self) -> io::Result<()> {
        fail_if(&self.writes_fail, "a write was made to fail")
    }

    pub(super) fn before_step(&self) -> io::Result<()> {
        let left = self.steps_left.load(Ordering::SeqCst);
        self.steps_left
            .store(left.saturating_sub(1), Ordering::SeqCst);
        if left == 1 {
            return Err(io::Error::other("a truncation was made to stop"));
        }
        Ok(())
    }
}

fn fail_if(broken: &AtomicBool, why: &'static str) -> io::Result<()> {
    match broken.load(Ordering::SeqCst) {
        true => Err(io::Error::other(why)),
        false => Ok(()),
    }
}
