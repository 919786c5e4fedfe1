//! Streaming between engines. A connection is a number: what belongs to an older one is dropped.

use crate::engine::{Peer, SyncName};
use crate::record::NODES;
use crate::world::{Event, World};

/// How long either end bears silence.
const STREAM_SILENCE_MS: u64 = 3_000;

impl World {
    /// One round of the engine on a node: connect where it should follow, send to those that follow it.
    pub(crate) fn stream(&mut self, node: usize) {
        let again = self.pick(15, 40);
        self.after(again, Event::Stream(node));
        if !self.nodes[node].engine_runs() {
            return;
        }
        self.follow_upstream(node);
        for follower in 0..NODES {
            self.feed(node, follower);
        }
    }

    fn follow_upstream(&mut self, node: usize) {
        let now = self.now;
        let Some(engine) = self.nodes[node].engine.as_ref() else {
            return;
        };
        let Some(upstream) = engine.upstream else {
            return;
        };
        let (run, connection, heard_at) = (engine.run, engine.connection, engine.heard_at);
        let there = self.nodes[upstream].engine.as_ref().map(|e| e.run);
        // A process that ended closes its connections; a link that is cut, or a stopped zone, says nothing.
        let closed =
            self.linked(node, upstream) && connection.is_some_and(|(_, at)| there != Some(at));
        let silent = now.saturating_sub(heard_at) > STREAM_SILENCE_MS;
        if (closed || silent)
            && let Some(engine) = self.nodes[node].engine.as_mut()
        {
            engine.connection = None;
            engine.heard_at = now;
        }
        let idle = self.nodes[node]
            .engine
            .as_ref()
            .is_some_and(|e| e.connection.is_none());
        if idle && there.is_some() && self.pick(0, 2) == 0 {
            let connection = self.new_serial();
            self.wire(
                node,
                upstream,
                Event::Connect(node, run, upstream, connection),
            );
        }
    }

    /// A message of a stream: late while standbys are slow, never reordered in effect, lost with its connection.
    fn wire(&mut self, from: usize, to: usize, event: Event) {
        if !self.linked(from, to) {
            return;
        }
        let mut delay = self.pick(1, 6);
        if self.unlucky(30) {
            delay += self.pick(20, 900);
        }
        self.after(delay, event);
    }

    pub(crate) fn connect(&mut self, from: usize, run: u64, to: usize, connection: u64) {
        let now = self.now;
        let still = self.nodes[from]
            .engine
            .as_ref()
            .is_some_and(|e| e.run == run && e.upstream == Some(to) && e.connection.is_none());
        if !still || !self.nodes[to].engine_runs() || !self.nodes[from].engine_runs() {
            return;
        }
        let (Some(theirs), Some(ours)) = (&self.nodes[from].disk.data, &self.nodes[to].disk.data)
        else {
            return;
        };
        if !ours.can_feed(theirs) {
            return;
        }
        let at = theirs.log.len();
        let Some(upstream) = self.nodes[to].engine.as_mut() else {
            return;
        };
        let run = upstream.run;
        let peer = Peer {
            connection,
            flushed: None,
            from: at,
            heard_at: now,
        };
        upstream.peers.insert(from, peer);
        if let Some(engine) = self.nodes[from].engine.as_mut() {
            engine.connection = Some((connection, run));
            engine.heard_at = now;
        }
    }

    fn feed(&mut self, node: usize, follower: usize) {
        let now = self.now;
        let Some(engine) = self.nodes[node].engine.as_mut() else {
            return;
        };
        let Some(peer) = engine.peers.get(&follower).copied() else {
            return;
        };
        if now - peer.heard_at > STREAM_SILENCE_MS {
            engine.peers.remove(&follower);
            return;
        }
        let Some(data) = self.nodes[node].disk.data.as_ref() else {
            return;
        };
        let at = peer.flushed.unwrap_or(peer.from);
        let writes = data.log.get(at..).unwrap_or_default().to_vec();
        let history = data.history.clone();
        self.wire(
            node,
            follower,
            Event::Log(node, follower, peer.connection, at, writes, history),
        );
    }

    pub(crate) fn take_log(
        &mut self,
        from: usize,
        to: usize,
        connection: u64,
        at: usize,
        (writes, history): (Vec<u64>, Vec<(u32, usize)>),
    ) {
        let now = self.now;
        let node = &mut self.nodes[to];
        let ours = node
            .engine
            .as_ref()
            .and_then(|e| e.connection)
            .map(|(number, _)| number);
        if !node.up || ours != Some(connection) {
            return;
        }
        let (Some(engine), Some(data)) = (node.engine.as_mut(), node.disk.data.as_mut()) else {
            return;
        };
        engine.heard_at = now;
        let have = data.log.len();
        if at <= have && at + writes.len() > have {
            data.log.extend_from_slice(&writes[have - at..]);
        }
        if at + writes.len() >= data.log.len() {
            data.history = history;
        }
        let upto = data.log.len();
        self.wire(to, from, Event::Flushed(to, from, connection, upto));
    }

    pub(crate) fn flushed(&mut self, from: usize, to: usize, connection: u64, at: usize) {
        let now = self.now;
        let Some(engine) = self.nodes[to].engine.as_mut() else {
            return;
        };
        let Some(peer) = engine
            .peers
            .get_mut(&from)
            .filter(|p| p.connection == connection)
        else {
            return;
        };
        peer.flushed = peer.flushed.max(Some(at));
        peer.heard_at = now;
        self.release(to);
    }

    /// Acknowledges what need not wait any longer.
    pub(crate) fn release(&mut self, node: usize) {
        let Some(engine) = self.nodes[node].engine.as_mut() else {
            return;
        };
        let epoch = engine.epoch;
        for write in engine.release() {
            self.observed.acknowledge(self.now, node, epoch, write);
        }
    }

    /// A reload takes effect.
    pub(crate) fn reload(&mut self, node: usize, run: u64, names: Option<SyncName>) {
        let Some(engine) = self.nodes[node].engine.as_mut().filter(|e| e.run == run) else {
            return;
        };
        // A later reload overtakes an earlier one that is still on its way.
        if engine.sync_named == names {
            engine.sync = names;
            self.release(node);
        }
    }
}
