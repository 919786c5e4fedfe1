//! Changes that an agent makes to the record: read the newest, write on the condition that it still is.

use std::net::SocketAddr;

use quorate_base::Epoch;
use quorate_control::{Outcome, Store, Stored, Txn};
use quorate_rds::model::{MemberState, Role};

use crate::effects::{Effect, PATIENCE_MS};
use crate::record::{Database, database, node_id};
use crate::world::{Event, Proposal, World};

/// How often a change is tried again when another writer came first.
const CHANGE_ATTEMPTS_MAX: u32 = 16;
/// A change that an agent makes to the record, conditional on what it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    State(MemberState),
    Address,
    /// Writes the record as it is, so that every conditional write that was decided before fails.
    Claim,
    Serving(u64),
    Followable(u64),
    Down(u64),
    InSync(u64, (usize, u32)),
    NotInSync(u64),
}

impl World {
    /// A read barrier's answer: a change is made on what was read.
    pub(crate) fn newest(&mut self, node: usize, turn: u64, store: Store) {
        if self.nodes[node].agent.turn != turn {
            return;
        }
        self.see(node, store);
        let Some(effect) = self.nodes[node].agent.queue.front().copied() else {
            return;
        };
        let Effect::Change(change) = effect else {
            return self.proceed(node);
        };
        let Some(stored) = database(&self.nodes[node].view) else {
            return self.proceed(node);
        };
        let record = changed(&stored, node, change);
        let insists = match change {
            Change::Claim => true,
            Change::NotInSync(_) => !self.rules.forget_unknown_declaration,
            _ => false,
        };
        if record == stored.record && !insists {
            return self.proceed(node);
        }
        let txn = Txn::new().replace(&stored, &record);
        let turn = self.next_turn(node);
        let life = self.nodes[node].life;
        let proposal = Proposal {
            from: node,
            life,
            txn,
            turn: Some(turn),
            term: None,
            until: 0,
        };
        match (change, self.region.leader) {
            (Change::InSync(_, (standby, _)), Some(_)) if self.unlucky(80) => {
                let late = self.ambush_declaration(node, standby);
                self.after(late, Event::Propose(proposal));
            }
            (_, Some(leader)) => self.send(node, leader, Event::Propose(proposal)),
            (_, None) => {}
        }
        self.after(PATIENCE_MS, Event::GiveUp(node, turn));
    }

    fn next_turn(&mut self, node: usize) -> u64 {
        self.nodes[node].agent.turn += 1;
        self.nodes[node].agent.turn
    }

    /// The present effect is done.
    fn proceed(&mut self, node: usize) {
        let turn = self.next_turn(node);
        self.nodes[node].agent.queue.pop_front();
        self.after(1, Event::Act(node, turn));
    }

    pub(crate) fn answered(&mut self, node: usize, turn: u64, outcome: Outcome, store: Store) {
        self.see(node, store);
        if self.nodes[node].agent.turn != turn {
            return;
        }
        if matches!(outcome, Outcome::Committed(_)) {
            return self.proceed(node);
        }
        self.nodes[node].agent.attempts += 1;
        if self.nodes[node].agent.attempts > CHANGE_ATTEMPTS_MAX {
            return self.abandon(node);
        }
        let turn = self.next_turn(node);
        self.after(1, Event::Act(node, turn));
    }
}

/// The record after a change, as the closures of `rds::agent` make it.
fn changed(stored: &Stored<Database>, node: usize, change: Change) -> Database {
    let mut record = stored.record.clone();
    let topology = &mut record.topology;
    let own = node_id(node);
    let leads = topology.role_of(&own) == Some(Role::Primary);
    let at = |epoch: u64| topology.epoch == Epoch(epoch);
    match change {
        Change::State(state) => {
            if let Some(member) = topology.members.get_mut(&own) {
                member.state = state;
            }
        }
        Change::Address => {
            let port = 5_000 + u16::try_from(node).unwrap_or_default();
            if let Some(member) = topology.members.get_mut(&own) {
                member.address = Some(SocketAddr::from(([127, 0, 0, 1], port)));
            }
        }
        Change::Claim => {}
        Change::Serving(epoch) if at(epoch) && leads => {
            topology.serving = Some(Epoch(epoch));
            topology.failover = None;
        }
        Change::Followable(epoch) if at(epoch) => topology.followable = Some(Epoch(epoch)),
        Change::Down(epoch) if at(epoch) && leads => topology.primary_down = topology.in_sync,
        Change::InSync(epoch, (standby, incarnation)) if at(epoch) && leads => {
            let same = topology
                .standby()
                .is_some_and(|(id, m)| *id == node_id(standby) && m.incarnation == incarnation);
            topology.in_sync |= same;
        }
        Change::NotInSync(epoch) if at(epoch) => topology.in_sync = false,
        _ => {}
    }
    record
}
