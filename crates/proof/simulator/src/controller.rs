//! The controller beside a leader, or beside one that believes to lead: the product's decisions on what it sees.

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use quorate_rds::decide::failover::{FailoverDecision, FailoverFacts, decide_failover};
use quorate_rds::decide::placement::{NodeFacts, decide_placement};
use quorate_rds::model::{Desired, Failover, MemberState, Order};

use crate::record::{Database, NODES, database, index_of, node_id, placed_member};
use crate::world::{Event, Proposal, World};

/// Time between two looks.
const LOOK_EVERY_MS: u64 = 200;
/// How long a standby's zone may stay away before another zone gets the standby.
const REPLACE_AFTER_MS: u64 = 6_000;
/// How long a decision may be on its way.
const COMMIT_TIMEOUT_MS: u64 = 1_500;

impl World {
    pub(crate) fn control(&mut self, node: usize) {
        self.after(LOOK_EVERY_MS, Event::Control(node));
        if !self.nodes[node].up {
            return;
        }
        let now = self.now;
        let at = self.instant(self.nodes[node].local(now));
        let Some(leading) = self.nodes[node].leading.as_mut() else {
            return;
        };
        leading.table.look(at);
        let mut alive = [false; NODES];
        for (index, alive) in alive.iter_mut().enumerate() {
            *alive = leading.table.session(&node_id(index), at).alive;
            let silent = &mut leading.silent_since[index];
            *silent = if *alive { None } else { silent.or(Some(now)) };
        }
        if leading.busy_until > now {
            return;
        }
        let (term, silent_since) = (leading.term, leading.silent_since);
        let Some(stored) = database(&self.nodes[node].view) else {
            return;
        };
        let changed = self
            .plan_failover(&stored, alive)
            .or_else(|| self.plan_standby(&stored, alive, silent_since));
        let Some(record) = changed else { return };
        if let Some(leading) = self.nodes[node].leading.as_mut() {
            leading.busy_until = now + COMMIT_TIMEOUT_MS;
        }
        let proposal = Proposal {
            from: node,
            life: self.nodes[node].life,
            txn: Txn::new().replace(&stored, &record),
            turn: None,
            term: (!self.rules.forward_decisions).then_some(term),
            until: now + COMMIT_TIMEOUT_MS,
        };
        let delay = self.pick(1, 10);
        self.after(delay, Event::Propose(proposal));
    }

    pub(crate) fn decided(&mut self, node: usize) {
        if let Some(leading) = self.nodes[node].leading.as_mut() {
            leading.busy_until = 0;
        }
    }

    fn plan_failover(
        &mut self,
        stored: &Stored<Database>,
        alive: [bool; NODES],
    ) -> Option<Database> {
        let database = &stored.record;
        let mut seen = database.topology.clone();
        seen.in_sync |= self.rules.promote_unsynced;
        let is_alive = |node| alive[index_of(node)];
        let decision = decide_failover(&FailoverFacts {
            topology: &seen,
            desired: Desired::Running,
            order: database.order.as_ref(),
            primary_alive: is_alive(seen.primary.as_ref()?),
            standby_alive: seen.standby().is_some_and(|(node, _)| is_alive(node)),
            only_standby_has_room: false,
        });
        let mut record = database.clone();
        match decision {
            FailoverDecision::Stay => return None,
            FailoverDecision::RestartPrimary => record.topology.primary_down = false,
            FailoverDecision::Promote { to, reason } => {
                let topology = &mut record.topology;
                let from = topology.primary.replace(to)?;
                topology.epoch = topology.epoch.next();
                topology.in_sync = false;
                topology.primary_down = false;
                if let Some(member) = topology.members.get_mut(&from) {
                    member.state = MemberState::Building;
                }
                let (reason, started_at) = (reason.to_owned(), UnixMillis(self.now));
                topology.failover = Some(Failover {
                    from,
                    reason,
                    started_at,
                });
                if record.order == Some(Order::RebootWithFailover) {
                    record.order = None;
                }
            }
        }
        Some(record)
    }

    fn plan_standby(
        &mut self,
        stored: &Stored<Database>,
        alive: [bool; NODES],
        silent_since: [Option<u64>; NODES],
    ) -> Option<Database> {
        let topology = &stored.record.topology;
        let primary = topology.primary.as_ref()?;
        if topology.in_sync || !topology.is_serving() {
            return None;
        }
        let places: Vec<NodeFacts> = (0..NODES)
            .map(|index| NodeFacts {
                node: node_id(index),
                alive: alive[index],
                has_engine: true,
                members: usize::from(topology.members.contains_key(&node_id(index))),
            })
            .collect();
        let mut record = stored.record.clone();
        let mut avoid = vec![primary.zone()];
        if let Some((standby, _)) = topology.standby() {
            let silent_ms = silent_since[index_of(standby)].map_or(0, |since| self.now - since);
            if silent_ms < REPLACE_AFTER_MS {
                return None;
            }
            avoid.push(standby.zone());
            record.topology.members.remove(standby);
        }
        let to = decide_placement(&places, None, &avoid)?;
        record.topology.members.insert(to, placed_member(self.now));
        Some(record)
    }
}
