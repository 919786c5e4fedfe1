//! A log's disk: what was not synced is lost in a crash, or not.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use quorate_consensus::{Change, LogDisk, Rows, Space};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Table = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

struct State {
    durable: Table,
    /// What a reader sees.
    written: Table,
    unsynced: VecDeque<Vec<Change>>,
    rng: ChaCha8Rng,
    slow: bool,
    fails: bool,
    lies: bool,
}

/// The disk of one node's log; it outlives the node's processes.
pub(crate) struct SimulatedDisk {
    state: Mutex<State>,
}

fn put(table: &mut Table, changes: Vec<Change>) {
    for change in changes {
        let key = (change.space, change.key);
        match change.value {
            Some(value) => table.insert(key, value),
            None => table.remove(&key),
        };
    }
}

impl SimulatedDisk {
    /// A disk; one that `lies` says that a sync is done and does nothing.
    pub(crate) fn new(seed: u64, lies: bool) -> SimulatedDisk {
        SimulatedDisk {
            state: Mutex::new(State {
                durable: Table::new(),
                written: Table::new(),
                unsynced: VecDeque::new(),
                rng: ChaCha8Rng::seed_from_u64(seed),
                slow: false,
                fails: false,
                lies,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Loses power: of what was not synced, the first so many batches are there all the same. How many were lost.
    pub(crate) fn crash(&self) -> usize {
        let mut state = self.state();
        let waiting = state.unsynced.len();
        let mut kept = state.rng.random_range(0..=waiting);
        if state.lies {
            kept /= 4;
        }
        for _ in 0..kept {
            if let Some(changes) = state.unsynced.pop_front() {
                put(&mut state.durable, changes);
            }
        }
        state.unsynced.clear();
        state.written = state.durable.clone();
        state.fails = false;
        waiting - kept
    }

    pub(crate) fn be_slow(&self, slow: bool) {
        self.state().slow = slow;
    }

    /// Has the next sync fail.
    pub(crate) fn fail(&self) {
        self.state().fails = true;
    }

    pub(crate) fn mend(&self) {
        let mut state = self.state();
        state.slow = false;
        state.fails = false;
    }
}

impl LogDisk for SimulatedDisk {
    fn get(&self, space: Space, key: &[u8]) -> Option<Vec<u8>> {
        self.state().written.get(&(space, key.to_vec())).cloned()
    }

    fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows {
        let state = self.state();
        let range = state
            .written
            .range((space, from.to_vec())..(space, to.to_vec()));
        range
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }

    fn write(&self, changes: Vec<Change>) {
        let mut state = self.state();
        put(&mut state.written, changes.clone());
        state.unsynced.push_back(changes);
    }

    fn sync_time(&self) -> Duration {
        let mut state = self.state();
        let us = if state.slow {
            state.rng.random_range(20_000..600_000)
        } else {
            state.rng.random_range(300..4_000)
        };
        Duration::from_micros(us)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.fails {
            return Err(io::Error::other("the disk is broken"));
        }
        if state.lies {
            return Ok(());
        }
        while let Some(changes) = state.unsynced.pop_front() {
            put(&mut state.durable, changes);
        }
        Ok(())
    }
}
