//! One group's replica on a host: its Raft, log and machine, and what is known of its leader.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openraft::ServerState;
use openraft::metrics::RaftServerMetrics;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::group::{GroupError, Leadership};
use crate::host::applied::FlushPace;
use crate::host::clock::Moment;
use crate::host::config::Origin;
use crate::host::log::GroupLog;
use crate::host::look::Look;
use crate::host::machine::DurableMachine;
use crate::host::messages::{Answer, Ask};
use crate::host::poison::Poison;
use crate::host::post::Hub;
use crate::host::proposer::Proposal;
use crate::host::types::{GroupId, LeaderId, LogId, Raft};
use crate::types::{Voter, VoterId};

pub(crate) type ServerMetrics = RaftServerMetrics<VoterId, Voter>;

/// How long a leader's empty messages go out one by one after a follower refused a notice.
const PROBE_TIME: Duration = Duration::from_millis(1_000);
/// How long a leader that yields does not lead.
const YIELD_TIME: Duration = Duration::from_millis(1_500);

/// Whether a follower has to hear the leader itself, and not by notice.
#[derive(Default)]
pub(crate) struct Probe {
    until: AtomicU64,
}

impl Probe {
    pub(crate) fn is_wanted(&self) -> bool {
        Moment::now().0 < self.until.load(Ordering::Relaxed)
    }

    fn want(&self) {
        let until = Moment::now() + PROBE_TIME;
        self.until.store(until.0, Ordering::Relaxed);
    }
}

/// To whom a leader gives way, and until when.
struct Yielding {
    to: Option<Voter>,
    until: Moment,
}

/// One group's replica.
pub(crate) struct Cell {
    pub(crate) id: GroupId,
    pub(crate) hub: Arc<Hub>,
    pub(crate) raft: Raft,
    pub(crate) log: GroupLog,
    pub(crate) machine: Arc<dyn DurableMachine>,
    pub(crate) poison: Arc<Poison>,
    pub(crate) applied: Arc<watch::Sender<Option<LogId>>>,
    pub(crate) pace: Arc<FlushPace>,
    pub(crate) origin: Option<Origin>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) look: Mutex<Look>,
    /// One round of confirmations at a time: who waits for it finds the lease that it brought.
    pub(crate) round: tokio::sync::Mutex<()>,
    pub(crate) renewing: AtomicBool,
    pub(crate) proposals: mpsc::Sender<Proposal>,
    pub(crate) proposer: Mutex<Option<AbortHandle>>,
    /// A snapshot is being loaded: openraft answers nothing meanwhile.
    pub(crate) loading: AtomicBool,
    /// Changes of the voters that are under way: no lease meanwhile.
    pub(crate) changes: AtomicUsize,
    kept: Arc<AtomicUsize>,
    yielding: Mutex<Option<Yielding>>,
    server: watch::Receiver<ServerMetrics>,
}

/// What a cell is made of.
pub(crate) struct Parts {
    pub(crate) id: GroupId,
    pub(crate) hub: Arc<Hub>,
    pub(crate) raft: Raft,
    pub(crate) log: GroupLog,
    pub(crate) machine: Arc<dyn DurableMachine>,
    pub(crate) poison: Arc<Poison>,
    pub(crate) applied: Arc<watch::Sender<Option<LogId>>>,
    pub(crate) pace: Arc<FlushPace>,
    pub(crate) origin: Option<Origin>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) look: Look,
    pub(crate) proposals: mpsc::Sender<Proposal>,
}

/// Keeps the log from being cut while it exists.
pub(crate) struct KeptLog(Arc<AtomicUsize>);

impl Drop for KeptLog {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Cell {
    pub(crate) fn new(parts: Parts) -> Cell {
        let server = parts.raft.server_metrics();
        Cell {
            id: parts.id,
            hub: parts.hub,
            raft: parts.raft,
            log: parts.log,
            machine: parts.machine,
            poison: parts.poison,
            applied: parts.applied,
            pace: parts.pace,
            origin: parts.origin,
            probe: parts.probe,
            look: Mutex::new(parts.look),
            round: tokio::sync::Mutex::new(()),
            renewing: AtomicBool::new(false),
            proposals: parts.proposals,
            proposer: Mutex::new(None),
            loading: AtomicBool::new(false),
            changes: AtomicUsize::new(0),
            kept: Arc::default(),
            yielding: Mutex::new(None),
            server,
        }
    }

    pub(crate) fn own(&self) -> VoterId {
        self.hub.pulse.from
    }

    pub(crate) fn server(&self) -> watch::Receiver<ServerMetrics> {
        self.server.clone()
    }

    fn yielding(&self) -> MutexGuard<'_, Option<Yielding>> {
        self.yielding.lock().expect("no holder panics")
    }

    /// Who this replica leads as; else who does.
    ///
    /// # Errors
    /// `NotLeader`, or `Unavailable` when the host has stopped.
    pub(crate) fn leading(&self) -> Result<LeaderId, GroupError> {
        self.poison
            .check()
            .map_err(|e| GroupError::Unavailable(e.to_string()))?;
        let server = self.server.borrow();
        if server.state == ServerState::Leader {
            return match &*self.yielding() {
                Some(yielding) if Moment::now() < yielding.until => {
                    Err(GroupError::NotLeader(yielding.to.clone()))
                }
                _ => Ok(server.vote.leader_id),
            };
        }
        let leader = server.current_leader.filter(|id| *id != self.own());
        let membership = server.membership_config.membership();
        let voter = leader.and_then(|id| membership.get_node(&id).cloned());
        Err(GroupError::NotLeader(voter))
    }

    pub(crate) fn leadership(&self) -> Leadership {
        let own = self.leading().is_ok();
        let server = self.server.borrow();
        Leadership {
            leader: server.current_leader,
            term: server.vote.leader_id.term,
            own: own && server.current_leader == Some(self.own()),
        }
    }

    /// The voters and learners.
    pub(crate) fn nodes(&self) -> BTreeMap<VoterId, Voter> {
        let server = self.server.borrow();
        let nodes = server.membership_config.nodes();
        nodes.map(|(id, voter)| (*id, voter.clone())).collect()
    }

    /// Whether this replica leads a group that `peer` is in.
    pub(crate) fn leads_with(&self, peer: VoterId) -> bool {
        let server = self.server.borrow();
        let membership = server.membership_config.membership();
        server.state == ServerState::Leader && membership.get_node(&peer).is_some()
    }

    /// Whether this replica leads in this leadership.
    pub(crate) fn leads_as(&self, leader: LeaderId) -> bool {
        let server = self.server.borrow();
        server.state == ServerState::Leader && server.vote.leader_id == leader
    }

    /// Stops leading for a while, in favour of another voter, or for good when there is none.
    pub(crate) fn give_way(&self, to: Option<Voter>) {
        let until = match to {
            Some(_) => Moment::now() + YIELD_TIME,
            None => Moment(u64::MAX),
        };
        *self.yielding() = Some(Yielding { to, until });
        self.log.guard().drop_lease();
    }

    /// Takes up leading again after `give_way`.
    pub(crate) fn stay(&self) {
        *self.yielding() = None;
    }

    /// Has openraft send each follower a message, which goes as a notice of what is committed.
    pub(crate) async fn tell_followers(&self) {
        // It fails when the replica has stopped.
        let _ = self.raft.trigger().heartbeat().await;
    }

    /// A follower may follow another leader or lack entries: lets it hear the leader itself, and the leader hear it.
    pub(crate) fn probe(self: &Arc<Self>) {
        if self.probe.is_wanted() {
            return;
        }
        self.probe.want();
        let cell = self.clone();
        tokio::spawn(async move { cell.tell_followers().await });
    }

    /// Keeps the log from being cut until what it returns is dropped.
    pub(crate) fn keep_log(&self) -> KeptLog {
        self.kept.fetch_add(1, Ordering::AcqRel);
        KeptLog(self.kept.clone())
    }

    /// Flushes the machine and cuts the log, if it is time to.
    pub(crate) async fn flush_if_due(&self) {
        if self.kept.load(Ordering::Acquire) == 0 && self.pace.take() {
            // It fails when the replica has stopped.
            let _ = self.raft.trigger().snapshot().await;
        }
    }

    /// Tells the other voters one by one to lead, until one has heard it.
    pub(crate) async fn leave_to_others(&self) {
        /// Longest wait for one of them.
        const WAIT: Duration = Duration::from_millis(300);
        for (id, voter) in self.nodes() {
            if id == self.own() {
                continue;
            }
            let post = self.hub.post(&voter);
            let told = post.ask(self.id, Ask::Campaign);
            if let Ok(Ok(Answer::Done)) = tokio::time::timeout(WAIT, told).await {
                return;
            }
        }
    }

    /// Ends the replica; its log stays.
    pub(crate) async fn stop(&self) {
        if let Some(proposer) = self.proposer.lock().expect("no holder panics").take() {
            proposer.abort();
        }
        self.log.guard().drop_lease();
        self.give_way(None);
        if let Err(e) = self.raft.shutdown().await {
            tracing::warn!(group = %self.id, error = %e, "a replica did not stop in order");
        }
    }
}
