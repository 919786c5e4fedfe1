//! A node: its process, its clock, its view of the catalog, its agent, and the engine below it.

use std::collections::VecDeque;

use quorate_control::{SessionTable, Store};

use crate::disk::Disk;
use crate::effects::Effect;
use crate::engine::{Engine, Exit};
use crate::world::Event;

/// Milliseconds on a node's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Local(pub(crate) u64);

/// What a node's agent keeps in mind.
#[derive(Debug, Default)]
pub(crate) struct Agent {
    /// Effects still to be carried out.
    pub(crate) queue: VecDeque<Effect>,
    /// Raised with each plan and each answer: an answer or a timeout of an older one is not for us.
    pub(crate) turn: u64,
    pub(crate) busy: bool,
    /// When it looks next, and the number of that look.
    pub(crate) look_at: Option<u64>,
    pub(crate) look_token: u64,
    pub(crate) attempts: u32,
    /// The run of the engine that it knows of.
    pub(crate) engine: Option<u64>,
    pub(crate) crashed: bool,
    /// Whom PostgreSQL waits for: node and incarnation.
    pub(crate) waits_for: Option<(usize, u32)>,
    /// A declaration "in sync" was sent, and no later word of the catalog denies it.
    pub(crate) promised: bool,
    pub(crate) well_at: Option<u64>,
    pub(crate) seen_flushed: Option<usize>,
    pub(crate) silent_since: Option<u64>,
    pub(crate) realigned: u32,
}

/// What the voter of a node that leads, or believes to lead, keeps.
#[derive(Debug)]
pub(crate) struct Leading {
    pub(crate) term: u64,
    pub(crate) table: SessionTable,
    /// Since when each node is silent, by the world's clock.
    pub(crate) silent_since: [Option<u64>; 3],
    /// A decision is on its way until then.
    pub(crate) busy_until: u64,
}

/// One node and its zone.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) up: bool,
    /// Raised when it is killed: what was meant for an earlier life is dropped.
    pub(crate) life: u32,
    pub(crate) process_paused: bool,
    pub(crate) zone_paused: bool,
    /// Its clock's rate, in thousandths.
    pub(crate) rate: u64,
    pub(crate) view: Store,
    pub(crate) lease_until: Option<Local>,
    pub(crate) leading: Option<Leading>,
    pub(crate) disk: Disk,
    pub(crate) engine: Option<Engine>,
    pub(crate) last_exit: Exit,
    pub(crate) agent: Agent,
    /// What came while it was paused.
    pub(crate) deferred: Vec<Event>,
}

impl Node {
    pub(crate) fn new(rate: u64) -> Node {
        Node {
            up: true,
            life: 0,
            process_paused: false,
            zone_paused: false,
            rate,
            view: Store::default(),
            lease_until: None,
            leading: None,
            disk: Disk::default(),
            engine: None,
            last_exit: Exit::Killed,
            agent: Agent::default(),
            deferred: Vec::new(),
        }
    }

    /// Whether its process runs.
    pub(crate) fn runs(&self) -> bool {
        self.up && !self.process_paused && !self.zone_paused
    }

    /// Whether an engine of its zone runs, if there is one.
    pub(crate) fn engine_runs(&self) -> bool {
        self.up && !self.zone_paused && self.engine.is_some()
    }

    pub(crate) fn local(&self, now: u64) -> Local {
        Local(now * self.rate / 1_000)
    }

    pub(crate) fn lease_held(&self, now: u64) -> bool {
        self.lease_until
            .is_some_and(|until| self.local(now) < until)
    }

    /// Gives the engine's guard the present end of the lease.
    pub(crate) fn hand_on_lease(&mut self) {
        let until = self.lease_until.unwrap_or_default();
        if let Some(engine) = self.engine.as_mut().filter(|e| e.fenced) {
            engine.deadline = until;
        }
    }

    /// Ends the engine.
    pub(crate) fn end_engine(&mut self, exit: Exit) {
        if self.engine.take().is_some() {
            self.last_exit = exit;
        }
    }
}
