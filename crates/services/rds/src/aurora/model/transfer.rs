//! The copying of a volume's pages, for a snapshot or for a restore: which node is at it, and how far it is.

use serde::{Deserialize, Serialize};

use quorate_base::{Epoch, NodeId, UnixMillis};

/// One attempt at it. The next attempt has the next number; an attempt that is over never goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// The node whose agent does it.
    pub node: NodeId,
    /// When it began, or failed.
    pub since: UnixMillis,
    /// The epoch at which the agent opens the volume that is read, where no writer is at work on it: handed out to this
    /// attempt alone.
    pub reading_epoch: Option<Epoch>,
    /// The epoch at which the agent opens the volume that is filled, in a restore: handed out to this attempt alone.
    pub filling_epoch: Option<Epoch>,
    /// The run of the agent that took it on. Another run, after a restart, does not go on with it.
    pub run: Option<u64>,
    /// Why it failed, once it has.
    pub failure: Option<String>,
    /// How much of the pages is copied, in hundredths.
    pub percent: u8,
}

/// What names an attempt in an agent's run: the attempt itself may be overruled by a later one at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunOf {
    /// The attempt.
    pub number: u32,
    /// The agent's run.
    pub run: u64,
}

impl Attempt {
    /// Whether an agent is, or should be, at it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.failure.is_none()
    }

    /// Whether it is still this run's.
    #[must_use]
    pub fn is_of(&self, run: RunOf) -> bool {
        self.is_open() && self.number == run.number && self.run == Some(run.run)
    }

    /// The attempt once it has failed.
    #[must_use]
    pub fn failed(&self, why: String, now: UnixMillis) -> Attempt {
        Attempt {
            failure: Some(why),
            since: now,
            ..self.clone()
        }
    }

    /// The attempt once a run of an agent has taken it on, or has found that an earlier run had.
    #[must_use]
    pub fn taken_on(&self, run: u64, now: UnixMillis) -> Attempt {
        match self.run {
            None => Attempt {
                run: Some(run),
                ..self.clone()
            },
            Some(other) if other == run => self.clone(),
            Some(_) => self.failed(String::from("its node was started anew"), now),
        }
    }
}
