//! One voter of a Raft group: commands in, agreement out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{CheckIsLeaderError, ClientWriteError, InitializeError, RaftError};
use openraft::{Config, ServerState, SnapshotPolicy};
use tokio::sync::watch;

use quorate_region::transport::{Caller, Router};

use crate::log::LogStore;
use crate::machine::{Applied, StateMachine};
use crate::network::{Network, route};
use crate::types::{Raft, Voter, VoterId};

/// Entries between two snapshots.
const SNAPSHOT_EVERY_ENTRIES: u64 = 2_000;
/// Entries kept below a snapshot, so that a voter that was away a moment needs no snapshot.
const KEEP_ENTRIES: u64 = 500;

/// Timing of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// Time between a leader's heartbeats.
    pub heartbeat_ms: u64,
    /// Shortest silence after which a voter asks for votes.
    pub election_ms_min: u64,
    /// Longest silence after which a voter asks for votes.
    pub election_ms_max: u64,
}

impl Default for GroupConfig {
    /// Openraft asks for votes after a silence of `election_ms_max` and, on top, a random time between the two bounds:
    /// 0.9 to 1.2 s here.
    fn default() -> GroupConfig {
        GroupConfig {
            heartbeat_ms: 150,
            election_ms_min: 300,
            election_ms_max: 600,
        }
    }
}

/// Why a group did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// This voter does not lead; the other one may.
    #[error("this voter does not lead the group")]
    NotLeader(Option<Voter>),
    /// No quorum answered, or storage failed. A command may or may not have been accepted.
    #[error("the group has no quorum: {0}")]
    Unavailable(String),
}

/// Whether this voter leads, as far as it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leadership {
    /// The leader's number, if one is known.
    pub leader: Option<VoterId>,
    /// The term, to tell one leadership from the next.
    pub term: u64,
    /// Whether this voter is it.
    pub own: bool,
}

/// One voter of a Raft group. Cheap to clone.
#[derive(Clone)]
pub struct Group {
    raft: Raft,
    own: VoterId,
}

impl Group {
    /// Opens the voter whose log is in `folder`, or makes it there.
    ///
    /// # Errors
    /// When the folder holds no readable log, or another process has it open.
    pub async fn open(
        own: VoterId,
        config: &GroupConfig,
        folder: &Path,
        caller: Arc<Caller>,
        machine: Arc<dyn StateMachine>,
    ) -> Result<Group, GroupError> {
        let unavailable = |e: &dyn std::fmt::Display| GroupError::Unavailable(e.to_string());
        let config = Config {
            heartbeat_interval: config.heartbeat_ms,
            election_timeout_min: config.election_ms_min,
            election_timeout_max: config.election_ms_max,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY_ENTRIES),
            max_in_snapshot_log_to_keep: KEEP_ENTRIES,
            install_snapshot_timeout: 5_000,
            ..Config::default()
        };
        let config = config.validate().map_err(|e| unavailable(&e))?;
        let store = LogStore::open(own, folder).map_err(|e| unavailable(&e))?;
        let applied = Applied::open(machine, store.clone()).map_err(|e| unavailable(&e))?;
        let raft = Raft::new(own, Arc::new(config), Network { caller }, store, applied)
            .await
            .map_err(|e| unavailable(&e))?;
        Ok(Group { raft, own })
    }

    /// Answers the messages of the group's other voters.
    pub fn route(&self, router: &mut Router) {
        route(&self.raft, router);
    }

    /// Forms the group out of these voters. Every one of them may call it, with the same list; on a
    /// group that was formed before it does nothing.
    ///
    /// # Errors
    /// `Unavailable` when storage failed.
    pub async fn form(&self, voters: &[Voter]) -> Result<(), GroupError> {
        let members: BTreeMap<VoterId, Voter> =
            voters.iter().map(|v| (v.id(), v.clone())).collect();
        match self.raft.initialize(members).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(e) => Err(GroupError::Unavailable(e.to_string())),
        }
    }

    /// Has the command agreed on and applied; returns the state machine's answer.
    ///
    /// # Errors
    /// After `Unavailable` the command may or may not be applied, or be applied later.
    pub async fn propose(
        &self,
        command: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, GroupError> {
        let written = tokio::time::timeout(timeout, self.raft.client_write(command)).await;
        match written {
            Ok(Ok(response)) => Ok(response.data),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to)))) => {
                Err(GroupError::NotLeader(to.leader_node))
            }
            Ok(Err(e)) => Err(GroupError::Unavailable(e.to_string())),
            Err(_) => Err(GroupError::Unavailable(no_answer(timeout))),
        }
    }

    /// Confirms with a quorum that this voter leads *after* this call began, and returns an index
    /// up to which everything committed before the call is applied here.
    ///
    /// # Errors
    /// `NotLeader` when another leads, `Unavailable` when no quorum answers in time.
    pub async fn confirm_leadership(&self, timeout: Duration) -> Result<u64, GroupError> {
        match tokio::time::timeout(timeout, self.raft.ensure_linearizable()).await {
            Ok(Ok(read)) => Ok(read.map_or(0, |id| id.index)),
            Ok(Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to)))) => {
                Err(GroupError::NotLeader(to.leader_node))
            }
            Ok(Err(e)) => Err(GroupError::Unavailable(e.to_string())),
            Err(_) => Err(GroupError::Unavailable(no_answer(timeout))),
        }
    }

    /// Who leads, as far as this voter knows: not confirmed.
    #[must_use]
    pub fn leadership(&self) -> Leadership {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        Leadership {
            leader: metrics.current_leader,
            term: metrics.current_term,
            own: metrics.state == ServerState::Leader && metrics.current_leader == Some(self.own),
        }
    }

    /// A receiver that tells each change of leadership.
    #[must_use]
    pub fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        let (sender, receiver) = watch::channel(self.leadership());
        let mut metrics = self.raft.metrics();
        let group = self.clone();
        tokio::spawn(async move {
            while metrics.changed().await.is_ok() {
                let leadership = group.leadership();
                sender.send_if_modified(|seen| {
                    let changed = *seen != leadership;
                    *seen = leadership;
                    changed
                });
                if sender.is_closed() {
                    return;
                }
            }
        });
        receiver
    }

    /// Waits until this voter has stopped, by order or because storage failed; returns why.
    pub async fn stopped(&self) -> String {
        let mut metrics = self.raft.metrics();
        match metrics.wait_for(|seen| seen.running_state.is_err()).await {
            Ok(seen) => match &seen.running_state {
                Err(fatal) => fatal.to_string(),
                Ok(()) => String::from("it was stopped"),
            },
            Err(_) => String::from("it was stopped"),
        }
    }

    /// Stops this voter.
    pub async fn shutdown(&self) {
        if let Err(e) = self.raft.shutdown().await {
            tracing::warn!(error = %e, "the group did not stop in order");
        }
    }
}

fn no_answer(timeout: Duration) -> String {
    format!("no quorum answered in {} ms", timeout.as_millis())
}
