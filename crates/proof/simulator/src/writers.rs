//! Clients: most write where the endpoint leads, some to whatever engine takes writes.

use quorate_oracle::WriteId;
use quorate_oracle::ledger::Outcome;

use crate::record::{NODES, database, index_of};
use crate::world::{Event, World};

impl World {
    pub(crate) fn write(&mut self) {
        let again = self.pick(5, 60);
        self.after(again, Event::Write);
        let stale = self.pick(0, 99) < 25;
        let node = if stale {
            Some(self.pick(0, NODES as u64 - 1) as usize)
        } else {
            self.endpoint()
        };
        let Some(node) = node else { return };
        let write = self.observed.attempt(self.now);
        let taken = self.nodes[node].engine_runs();
        let zone = &mut self.nodes[node];
        let (Some(engine), Some(data)) = (
            zone.engine.as_mut().filter(|e| taken && e.leads),
            zone.disk.data.as_mut(),
        ) else {
            self.observed.end(self.now, WriteId(write), Outcome::Failed);
            return;
        };
        data.log.push(write);
        engine.waiting.insert(data.log.len(), write);
        if engine.sync.is_none() {
            self.release(node);
        }
        if !stale {
            self.observed.endpoint_writes += 1;
        }
    }

    /// Where the endpoint leads, as the gateway sees it: it has a target while the primary serves.
    fn endpoint(&self) -> Option<usize> {
        let topology = database(&self.gateway)?.record.topology;
        topology
            .primary
            .as_ref()
            .filter(|_| topology.is_serving())
            .map(index_of)
    }
}
