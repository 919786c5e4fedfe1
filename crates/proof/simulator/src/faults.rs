//! What breaks, and how it becomes whole again.

use quorate_control::Txn;
use quorate_rds::model::Order;

use crate::engine::Exit;
use crate::node::Agent;
use crate::record::{NODES, database};
use crate::world::{Event, Proposal, World};

/// A fault that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A zone without power.
    Dead(usize),
    /// A node's process is stopped, its engine is not.
    ProcessPaused(usize),
    /// Everything in a zone is stopped.
    ZonePaused(usize),
    /// Two zones do not reach each other.
    Cut(usize, usize),
}

impl World {
    pub(crate) fn break_something(&mut self) {
        if !self.faulty {
            return;
        }
        let next = if self.unlucky(300) {
            self.pick(50, 600)
        } else {
            self.pick(500, 7_000)
        };
        self.after(next, Event::Break);
        let node = self.pick(0, NODES as u64 - 1) as usize;
        let lasts = if self.unlucky(600) {
            self.pick(50, 3_000)
        } else {
            self.pick(3_000, 14_000)
        };
        match self.pick(0, 10) {
            0 | 1 => self.kill(node, lasts),
            2 => self.pause(node, lasts, true),
            3 => self.pause(node, lasts, false),
            4 | 5 => {
                self.observed
                    .note(self.now, || format!("the engine of {node} crashes"));
                self.nodes[node].end_engine(Exit::Crashed);
                self.wake(node, 1);
            }
            6 | 7 => self.cut_link(node, (node + 1) % NODES, lasts),
            8 => {
                self.cut_link(node, (node + 1) % NODES, lasts);
                self.cut_link(node, (node + 2) % NODES, lasts);
            }
            9 => self.order_failover(),
            _ => self.isolate_leader(),
        }
    }

    pub(crate) fn kill_late(&mut self, node: usize, lasts: u64) {
        if self.faulty {
            self.kill(node, lasts);
        }
    }

    fn kill(&mut self, node: usize, lasts: u64) {
        if !self.nodes[node].up {
            return;
        }
        self.observed.note(self.now, || format!("{node} is killed"));
        let zone = &mut self.nodes[node];
        zone.up = false;
        zone.life += 1;
        zone.process_paused = false;
        zone.zone_paused = false;
        let deferred = std::mem::take(&mut zone.deferred);
        zone.end_engine(Exit::Killed);
        zone.agent = Agent {
            turn: zone.agent.turn + 1,
            look_token: zone.agent.look_token + 1,
            ..Agent::default()
        };
        zone.leading = None;
        zone.lease_until = None;
        // A voter comes back as a follower.
        self.region.leader = self.region.leader.filter(|leader| *leader != node);
        // What comes round again does so for the next life too.
        for event in deferred {
            if matches!(
                event,
                Event::Renew(_) | Event::Control(_) | Event::Stream(_)
            ) {
                self.after(1, event);
            }
        }
        self.after(lasts, Event::Heal(Fault::Dead(node)));
    }

    fn pause(&mut self, node: usize, lasts: u64, zone: bool) {
        let state = &mut self.nodes[node];
        if !state.up || state.process_paused || state.zone_paused {
            return;
        }
        let fault = if zone {
            Fault::ZonePaused(node)
        } else {
            Fault::ProcessPaused(node)
        };
        state.zone_paused = zone;
        state.process_paused = !zone;
        self.observed.note(self.now, || format!("{fault:?}"));
        self.after(lasts, Event::Heal(fault));
    }

    fn cut_link(&mut self, one: usize, other: usize, lasts: u64) {
        let pair = (one.min(other), one.max(other));
        self.observed.note(self.now, || format!("cut {pair:?}"));
        *self.cut.entry(pair).or_default() += 1;
        self.after(lasts, Event::Heal(Fault::Cut(pair.0, pair.1)));
    }

    /// A declaration "in sync" is sent: it comes late, the standby is cut off, and the primary dies soon after it has
    /// come, in half of the cases after an earlier short death. Returns how late.
    pub(crate) fn ambush_declaration(&mut self, primary: usize, standby: usize) -> u64 {
        let late = self.pick(2_200, 5_000);
        let away = self.pick(8_000, 12_000);
        self.cut_link(primary, standby, away);
        if self.pick(0, 1) == 0 {
            let short = self.pick(100, 400);
            self.after(1, Event::Kill(primary, short));
        }
        let dies = late + self.pick(20, 1_200);
        self.after(dies, Event::Kill(primary, away));
        late
    }

    /// A standby is about to be waited for: the process of its node stops, and that of the primary's, while both
    /// engines go on; the primary's goes on when the controller is about to place the standby elsewhere.
    pub(crate) fn ambush_barrier(&mut self, primary: usize, standby: usize) {
        let stalls = self.pick(7_600, 8_400);
        let away = self.pick(8_000, 12_000);
        self.pause(standby, stalls + away, false);
        self.pause(primary, stalls, false);
        let dies = stalls + self.pick(150, 1_500);
        self.after(dies, Event::Kill(primary, away));
    }

    /// The catalog's leader is alone for about as long as sessions last.
    fn isolate_leader(&mut self) {
        let Some(leader) = self.region.leader else {
            return;
        };
        let lasts = self.pick(1_800, 3_600);
        self.cut_link(leader, (leader + 1) % NODES, lasts);
        self.cut_link(leader, (leader + 2) % NODES, lasts);
    }

    /// A user orders a failover: the API writes on the newest record.
    fn order_failover(&mut self) {
        let Some(stored) = database(&self.region.store) else {
            return;
        };
        let mut record = stored.record.clone();
        record.order = Some(Order::RebootWithFailover);
        let txn = Txn::new().replace(&stored, &record);
        let from = self.region.leader.unwrap_or(0);
        let life = self.nodes[from].life;
        self.observed
            .note(self.now, || String::from("a user orders a failover"));
        self.after(
            1,
            Event::Propose(Proposal {
                from,
                life,
                txn,
                turn: None,
                term: None,
                until: 0,
            }),
        );
    }

    pub(crate) fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Cut(one, other) => {
                let count = self.cut.get_mut(&(one, other));
                if let Some(count) = count {
                    *count -= 1;
                    if *count == 0 {
                        self.cut.remove(&(one, other));
                    }
                }
            }
            Fault::Dead(node) => {
                if !self.nodes[node].up {
                    self.observed.note(self.now, || format!("{node} starts"));
                    self.nodes[node].up = true;
                    self.nodes[node].agent.look_at = None;
                    self.wake(node, 5);
                }
            }
            Fault::ProcessPaused(node) | Fault::ZonePaused(node) => self.resume(node),
        }
    }

    fn resume(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        if !state.process_paused && !state.zone_paused {
            return;
        }
        state.process_paused = false;
        state.zone_paused = false;
        self.observed.note(self.now, || format!("{node} goes on"));
        for event in std::mem::take(&mut self.nodes[node].deferred) {
            let delay = self.pick(1, 25);
            self.after(delay, event);
        }
    }

    /// No further faults: everything becomes whole.
    pub(crate) fn calm(&mut self) {
        self.faulty = false;
        self.cut.clear();
        for node in 0..NODES {
            self.heal(Fault::Dead(node));
            self.resume(node);
        }
        self.observed.note(self.now, || String::from("faults end"));
    }
}
