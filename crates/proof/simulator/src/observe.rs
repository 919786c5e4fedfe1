//! What the checkers are given, and what they found.

use std::collections::{BTreeMap, BTreeSet};

use quorate_oracle::WriteId;
use quorate_oracle::fencing::{
    Acknowledgement, Beginning, FencingBreach, FencingHistory, check_fencing,
};
use quorate_oracle::ledger::{Attempt, History, LedgerVerdict, Outcome, check_ledger};
use quorate_oracle::promotion::{Promotion, PromotionBreach, check_promotion};
use tokio::time::Instant;

use crate::record::{Database, database, index_of, node_id};
use crate::world::World;

/// How many lines of the story are kept.
const STORY_LINES_MAX: usize = 400;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// The ledger of the last primary does not hold what was acknowledged.
    Ledger(LedgerVerdict),
    /// Epochs.
    Fencing(FencingBreach),
    /// A member was promoted that should not have been.
    Promotion(PromotionBreach),
    /// A primary of an older epoch still ran when its successor, named because its zone was silent, began.
    ServesBeside {
        /// The older primary's node.
        old: String,
        /// The newer epoch.
        epoch: u64,
    },
    /// The database did not come back after the faults had ended.
    Stuck(String),
}

/// Histories and breaches, as they grow.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Where the nodes' clocks begin.
    pub(crate) origin: Instant,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) story: Vec<String>,
    /// Writes taken through the endpoint.
    pub(crate) endpoint_writes: u64,
    pub(crate) promotions: u64,
    attempts: BTreeMap<WriteId, Attempt>,
    acknowledged: BTreeSet<WriteId>,
    fencing: FencingHistory,
    next: u64,
}

impl Default for Observed {
    fn default() -> Observed {
        Observed {
            origin: Instant::now(),
            breaches: Vec::new(),
            story: Vec::new(),
            endpoint_writes: 0,
            promotions: 0,
            attempts: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            fencing: FencingHistory::default(),
            next: 0,
        }
    }
}

impl Observed {
    pub(crate) fn note(&mut self, now: u64, line: impl FnOnce() -> String) {
        if self.story.len() >= STORY_LINES_MAX {
            self.story.remove(0);
        }
        self.story.push(format!("{now:>7} {}", line()));
    }

    /// A client begins a write: unknown until something is heard of it.
    pub(crate) fn attempt(&mut self, now: u64) -> u64 {
        self.next += 1;
        let id = WriteId(self.next);
        let attempt = Attempt {
            id,
            start_us: now,
            end_us: now,
            outcome: Outcome::Unknown,
        };
        self.attempts.insert(id, attempt);
        self.next
    }

    pub(crate) fn end(&mut self, now: u64, id: WriteId, outcome: Outcome) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.end_us = now;
            attempt.outcome = outcome;
        }
    }

    pub(crate) fn acknowledge(&mut self, now: u64, node: usize, epoch: u64, write: u64) {
        let write = WriteId(write);
        self.end(now, write, Outcome::Acknowledged);
        self.acknowledged.insert(write);
        let node = node_id(node).to_string();
        self.fencing.acknowledgements.push(Acknowledgement {
            node,
            epoch,
            at: now,
            write,
        });
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }
}

impl World {
    fn holds(&self, node: usize) -> BTreeSet<WriteId> {
        let data = self.nodes[node].disk.data.as_ref();
        data.map(|data| data.log.iter().copied().map(WriteId).collect())
            .unwrap_or_default()
    }

    /// The catalog was changed: a promotion is judged at this moment.
    pub(crate) fn observe_commit(&mut self, before: Option<&Database>) {
        let Some(after) = database(&self.region.store).map(|stored| stored.record) else {
            return;
        };
        let topology = &after.topology;
        let (now, epoch) = (self.now, topology.epoch);
        let line = format!(
            "catalog: epoch {epoch} primary {:?} serving {:?} in_sync {} down {} members {:?}",
            topology.primary.as_ref().map(index_of),
            topology.serving.map(|e| e.0),
            topology.in_sync,
            topology.primary_down,
            topology.members.keys().map(index_of).collect::<Vec<_>>(),
        );
        self.observed.note(now, || line);
        let Some(before) = before.filter(|before| before.topology.epoch < epoch) else {
            return;
        };
        let Some(node) = topology.primary.as_ref() else {
            return;
        };
        self.observed.promotions += 1;
        let promotion = Promotion {
            at: now,
            epoch: epoch.0,
            node: node.to_string(),
            in_sync: before.topology.in_sync,
            acknowledged: self.observed.acknowledged.clone(),
            holds: self.holds(index_of(node)),
        };
        if let Some(breach) = check_promotion(&promotion) {
            self.breach(Breach::Promotion(breach));
        }
    }

    /// An engine begins to lead.
    pub(crate) fn observe_beginning(&mut self, node: usize, epoch: u64, silent: bool) {
        let beginning = Beginning {
            epoch,
            node: node_id(node).to_string(),
            at: self.now,
            holds: self.holds(node),
        };
        self.observed.fencing.beginnings.push(beginning);
        let beside = (0..self.nodes.len()).find(|other| {
            let runs = *other != node && self.nodes[*other].engine_runs();
            runs && self.nodes[*other]
                .engine
                .as_ref()
                .is_some_and(|e| e.leads && e.epoch < epoch)
        });
        if let Some(old) = beside.filter(|_| silent) {
            self.breach(Breach::ServesBeside {
                old: node_id(old).to_string(),
                epoch,
            });
        }
    }

    pub(crate) fn breach(&mut self, breach: Breach) {
        self.observed
            .note(self.now, || format!("BREACH {breach:?}"));
        self.observed.breaches.push(breach);
    }

    /// The checks of the end, on the data of the primary that the catalog names.
    pub(crate) fn judge(&mut self) {
        for breach in check_fencing(&self.observed.fencing) {
            self.breach(Breach::Fencing(breach));
        }
        let Some(primary) = database(&self.region.store).and_then(|d| d.record.topology.primary)
        else {
            return;
        };
        let data = self.nodes[index_of(&primary)]
            .disk
            .data
            .clone()
            .unwrap_or_default();
        let rows: Vec<WriteId> = data.log.into_iter().map(WriteId).collect();
        let attempts = self.observed.attempts.values().copied().collect();
        let verdict = check_ledger(&History { attempts }, &rows);
        if !verdict.is_kept() {
            self.breach(Breach::Ledger(verdict));
        }
    }
}
