//! The catalog: the product's `Store` behind a leader that moves. Raft itself is taken as given: one log, and a
//! proposal that was accepted may be answered late or not at all.

use quorate_base::Revision;
use quorate_control::{Outcome, SessionTable, Store, Txn};
use tokio::time::Instant;

use crate::node::{Leading, Local};
use crate::record::{Database, ID, NODES, database};
use crate::world::{Event, Proposal, World};

/// How long voters bear a leader that does not answer.
const ELECTION_TIMEOUT_MS: u64 = 500;

/// What a quorum agrees on.
#[derive(Debug, Default)]
pub(crate) struct Region {
    pub(crate) store: Store,
    pub(crate) leader: Option<usize>,
    pub(crate) term: u64,
    /// Since when the leader has no quorum.
    failing_since: Option<u64>,
    last_index: u64,
}

impl World {
    pub(crate) fn found_catalog(&mut self) {
        self.elect(0);
        let txn = Txn::new().insert(ID, &Database::placed());
        self.apply(&txn);
    }

    /// Whether a voter runs and reaches another that does.
    pub(crate) fn has_quorum(&self, node: usize) -> bool {
        self.nodes[node].runs()
            && (0..NODES)
                .any(|other| other != node && self.nodes[other].runs() && self.linked(node, other))
    }

    /// The leader, when it can commit.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.region.leader.filter(|leader| self.has_quorum(*leader))
    }

    pub(crate) fn elect(&mut self, node: usize) {
        self.region.leader = Some(node);
        self.region.term += 1;
        self.region.failing_since = None;
        // A leader begins with a blank entry.
        self.region.last_index += 1;
        self.region.store.advance(Revision(self.region.last_index));
        let at = self.instant(self.nodes[node].local(self.now));
        self.nodes[node].leading = Some(Leading {
            term: self.region.term,
            table: SessionTable::new(self.lease, at),
            silent_since: [None; 3],
            busy_until: 0,
        });
        self.observed
            .note(self.now, || format!("{node} leads the catalog"));
    }

    pub(crate) fn election(&mut self) {
        self.after(100, Event::Election);
        if self.leader().is_some() {
            self.region.failing_since = None;
            if self.unlucky(3) {
                let node = self.pick(0, NODES as u64 - 1) as usize;
                if self.region.leader != Some(node) && self.has_quorum(node) {
                    self.elect(node);
                }
            }
        } else {
            let since = *self.region.failing_since.get_or_insert(self.now);
            let candidate = (0..NODES).find(|node| self.has_quorum(*node));
            if let Some(node) = candidate.filter(|_| self.now - since >= ELECTION_TIMEOUT_MS) {
                self.elect(node);
            }
        }
        // A deposed leader learns of it when it hears of the other.
        for node in 0..NODES {
            let deposed = self.nodes[node]
                .leading
                .as_ref()
                .is_some_and(|l| l.term < self.region.term);
            let hears = self
                .region
                .leader
                .is_some_and(|leader| self.linked(node, leader));
            if deposed && hears && self.nodes[node].runs() && self.pick(0, 3) == 0 {
                self.nodes[node].leading = None;
            }
        }
    }

    /// An instant of a node's clock, for the session table.
    pub(crate) fn instant(&self, at: Local) -> Instant {
        self.observed.origin + std::time::Duration::from_millis(at.0)
    }

    /// A proposal reaches the catalog: it is made, made late, or never.
    pub(crate) fn propose(&mut self, proposal: Proposal) {
        let from = proposal.from;
        let Some(leader) = self.leader().filter(|leader| self.linked(from, *leader)) else {
            if self.now < proposal.until && self.nodes[from].life == proposal.life {
                self.after(50, Event::Propose(proposal));
            }
            return;
        };
        if let Some(term) = proposal.term
            && (term != self.region.term || leader != from)
        {
            return;
        }
        if self.unlucky(60) {
            // It is in the leader's log, and the quorum takes its time: the asker gives up meanwhile.
            let later = self.pick(100, 4_000);
            self.after(later, Event::Propose(proposal));
            return;
        }
        let outcome = self.apply(&proposal.txn);
        if self.nodes[from].life != proposal.life {
            return;
        }
        let answer = match proposal.turn {
            Some(turn) => Event::Answered(from, turn, outcome, self.region.store.clone()),
            None => Event::Decided(from),
        };
        self.send(leader, from, answer);
    }

    fn apply(&mut self, txn: &Txn) -> Outcome {
        let before = database(&self.region.store).map(|stored| stored.record);
        self.region.last_index += 1;
        let revision = Revision(self.region.last_index);
        let (outcome, _) = self.region.store.apply(revision, txn);
        if matches!(outcome, Outcome::Committed(_)) {
            self.observe_commit(before.as_ref());
            for node in 0..NODES {
                let delay = self.pick(1, 30);
                if !self.unlucky(100) && self.leader().is_some_and(|l| self.linked(l, node)) {
                    self.after(delay, Event::Watch(node, self.region.store.clone()));
                }
            }
            let delay = self.pick(1, 60);
            self.after(delay, Event::Gateway(self.region.store.clone()));
        }
        outcome
    }

    pub(crate) fn ask_newest(&mut self, node: usize, life: u32, turn: u64) {
        let Some(leader) = self.leader().filter(|leader| self.linked(node, *leader)) else {
            return;
        };
        if self.nodes[node].life == life {
            self.send(
                leader,
                node,
                Event::Newest(node, turn, self.region.store.clone()),
            );
        }
    }

    /// A view never goes back.
    pub(crate) fn see(&mut self, node: usize, store: Store) -> bool {
        let newer = store.revision() > self.nodes[node].view.revision();
        if newer {
            self.nodes[node].view = store;
        }
        newer
    }

    pub(crate) fn watched(&mut self, node: usize, store: Store) {
        if self.see(node, store) {
            self.wake(node, 1);
        }
    }

    pub(crate) fn gateway_sees(&mut self, store: Store) {
        if store.revision() > self.gateway.revision() {
            self.gateway = store;
        }
    }
}
