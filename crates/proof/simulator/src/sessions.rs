//! Renewals: a node counts from the sending, the leader from the receipt and only after its quorum confirmed it.

use quorate_control::{Observations, Store};

use crate::engine::Exit;
use crate::node::Local;
use crate::record::node_id;
use crate::world::{Event, World};

impl World {
    pub(crate) fn renew(&mut self, node: usize) {
        let every = self.lease.lease_ms / 6 * 1_000 / self.nodes[node].rate;
        self.after(every, Event::Renew(node));
        if !self.nodes[node].up {
            return;
        }
        let (life, sent) = (self.nodes[node].life, self.nodes[node].local(self.now));
        if let Some(leader) = self.region.leader {
            self.send(node, leader, Event::Renewal(node, life, sent, leader));
        }
    }

    pub(crate) fn renewal(&mut self, node: usize, life: u32, sent: Local, to: usize) {
        let received = self.nodes[to].local(self.now);
        let Some(term) = self.nodes[to].leading.as_ref().map(|l| l.term) else {
            return;
        };
        let delay = self.pick(1, 20);
        self.after(delay, Event::Confirm(node, life, sent, to, received, term));
    }

    pub(crate) fn confirm(
        &mut self,
        node: usize,
        life: u32,
        sent: Local,
        to: usize,
        (received, term): (Local, u64),
    ) {
        let leads = self.leader() == Some(to) && self.region.term == term;
        let at = self.instant(received);
        let Some(leading) = self.nodes[to]
            .leading
            .as_mut()
            .filter(|l| leads && l.term == term)
        else {
            return;
        };
        leading.table.renew(node_id(node), at, Observations::new());
        if self.nodes[node].life == life {
            self.send(
                to,
                node,
                Event::Renewed(node, sent, self.region.store.clone()),
            );
        }
    }

    pub(crate) fn renewed(&mut self, node: usize, sent: Local, store: Store) {
        self.watched(node, store);
        let until = Local(sent.0 + self.lease.lease_ms);
        let lease = &mut self.nodes[node].lease_until;
        *lease = (*lease).max(Some(until));
        self.nodes[node].hand_on_lease();
        self.wind_guard(node);
    }

    /// Sets the guard's timer to the engine's deadline.
    pub(crate) fn wind_guard(&mut self, node: usize) {
        let Some(engine) = self.nodes[node].engine.as_ref().filter(|e| e.fenced) else {
            return;
        };
        let run = engine.run;
        // One more, so that rounding never rings early.
        let at = engine.deadline.0 * 1_000 / self.nodes[node].rate + 1;
        self.after(at.saturating_sub(self.now), Event::Guard(node, run));
    }

    pub(crate) fn guard(&mut self, node: usize, run: u64) {
        let local = self.nodes[node].local(self.now);
        let lapsed = self.nodes[node]
            .engine
            .as_ref()
            .is_some_and(|e| e.run == run && e.fenced && local >= e.deadline);
        if lapsed && !self.rules.no_fence {
            self.observed
                .note(self.now, || format!("the guard of {node} ends its engine"));
            self.nodes[node].end_engine(Exit::Killed);
            self.wake(node, 1);
        }
    }
}
