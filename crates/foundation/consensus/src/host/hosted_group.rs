//! One group, for the service that owns its meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::error::{ClientWriteError, Fatal, RaftError};
use openraft::{ChangeMembers, LogIdOptionExt};
use tokio::sync::{mpsc, oneshot, watch};

use crate::group::{GroupError, Leadership};
use crate::host::cell::Cell;
use crate::host::clock::Moment;
use crate::host::hosting::CAUGHT_UP_WITHIN;
use crate::host::messages::{Answer, Ask};
use crate::host::proposer::Proposal;
use crate::host::read::ReadPermit;
use crate::host::types::GroupId;
use crate::types::{Voter, VoterId};

/// Pause between two looks at how far a change of voters is.
const CHANGE_PAUSE: Duration = Duration::from_millis(20);

/// How far each replica has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// On the leader: the index up to which each voter and learner has the leader's log. Empty elsewhere.
    pub matched: BTreeMap<VoterId, u64>,
    /// The index up to which the log is known to be committed and applied here.
    pub committed: u64,
    /// The index of the last entry of the log here.
    pub last: u64,
}

/// One replica of a group. Cheap to clone.
#[derive(Clone)]
pub struct HostedGroup {
    pub(crate) cell: Arc<Cell>,
}

/// A command on its way into the log.
#[must_use]
pub struct Submitted(oneshot::Receiver<Result<Vec<u8>, GroupError>>);

impl Submitted {
    /// Waits for the machine's answer, however long it takes.
    ///
    /// # Errors
    /// As `HostedGroup::propose`.
    pub async fn answer(self) -> Result<Vec<u8>, GroupError> {
        let stopped = || GroupError::Unavailable(String::from("the replica stopped"));
        self.0.await.unwrap_or_else(|_| Err(stopped()))
    }
}

type WriteError = RaftError<VoterId, ClientWriteError<VoterId, Voter>>;

fn write_error(e: WriteError) -> GroupError {
    match e {
        RaftError::APIError(ClientWriteError::ForwardToLeader(to)) => {
            GroupError::NotLeader(to.leader_node)
        }
        e => GroupError::Unavailable(e.to_string()),
    }
}

fn late(timeout: Duration) -> GroupError {
    let ms = timeout.as_millis();
    GroupError::Unavailable(format!("no quorum answered in {ms} ms"))
}

impl HostedGroup {
    /// The group's number.
    #[must_use]
    pub fn id(&self) -> GroupId {
        self.cell.id
    }

    /// Has the command agreed on and applied; returns the machine's answer.
    ///
    /// # Errors
    /// After `NotLeader` the command was surely not accepted. After `Unavailable` it may or may not be applied, or be
    /// applied later.
    pub async fn propose(
        &self,
        command: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, GroupError> {
        let submitted = self.submit(command)?;
        tokio::time::timeout(timeout, submitted.answer())
            .await
            .map_err(|_| late(timeout))?
    }

    /// Puts the command behind all that were submitted here before it. Commands come into the log in this order, and one
    /// that is lost takes those behind it with it, if each is waited for to its end: one that is dropped before it is
    /// written is left out, and those behind it are not.
    ///
    /// # Errors
    /// The command was surely not accepted: `NotLeader`, or `Unavailable` when too many wait.
    pub fn submit(&self, command: Vec<u8>) -> Result<Submitted, GroupError> {
        self.cell.leading()?;
        let (answer, waiting) = oneshot::channel();
        let proposal = Proposal { command, answer };
        self.cell.proposals.try_send(proposal).map_err(|e| {
            GroupError::Unavailable(String::from(match e {
                mpsc::error::TrySendError::Full(_) => "too many proposals wait",
                mpsc::error::TrySendError::Closed(_) => "the replica has stopped",
            }))
        })?;
        Ok(Submitted(waiting))
    }

    /// A permit for a linearizable read: everything acknowledged before the call is applied in the machine here. What
    /// is read then counts if the permit is still valid afterwards.
    ///
    /// # Errors
    /// `NotLeader` when another leads, `Unavailable` when no quorum confirms this leader in time.
    pub async fn read_permit(&self, timeout: Duration) -> Result<ReadPermit, GroupError> {
        tokio::time::timeout(timeout, self.cell.read_permit())
            .await
            .map_err(|_| late(timeout))?
    }

    /// Who leads, as far as this replica knows: not confirmed.
    #[must_use]
    pub fn leadership(&self) -> Leadership {
        self.cell.leadership()
    }

    /// A receiver that tells each change of leadership.
    #[must_use]
    pub fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        let (sender, receiver) = watch::channel(self.leadership());
        let mut server = self.cell.server();
        let group = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    changed = server.changed() => if changed.is_err() { return },
                    () = sender.closed() => return,
                }
                let leadership = group.leadership();
                sender.send_if_modified(|seen| {
                    let changed = *seen != leadership;
                    *seen = leadership;
                    changed
                });
            }
        });
        receiver
    }

    /// Whether this replica holds a lease: no two of a group ever do at a time.
    #[doc(hidden)]
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        let Ok(leader) = self.cell.leading() else {
            return false;
        };
        let guard = self.cell.log.guard();
        guard.lease(leader, Moment::now()).is_some()
    }

    /// The voters and learners, as this replica knows them.
    #[must_use]
    pub fn members(&self) -> Vec<Voter> {
        self.cell.nodes().into_values().collect()
    }

    /// The index up to which the log is applied here.
    #[must_use]
    pub fn applied_index(&self) -> u64 {
        self.cell.applied.borrow().index().unwrap_or(0)
    }

    /// How far the replicas have got.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let metrics = self.cell.raft.data_metrics();
        let metrics = metrics.borrow();
        let replication = metrics.replication.iter().flatten();
        Progress {
            matched: replication
                .map(|(id, log_id)| (*id, log_id.index().unwrap_or(0)))
                .collect(),
            committed: self.applied_index(),
            last: metrics.last_log.index().unwrap_or(0),
        }
    }

    /// The voter or learner of that number.
    #[must_use]
    pub fn member(&self, id: VoterId) -> Option<Voter> {
        self.cell.nodes().remove(&id)
    }

    /// Whether the group has agreed on these voters, as far as this replica knows, and has neither others nor learners.
    #[must_use]
    pub fn is_made_of(&self, voters: &BTreeSet<VoterId>) -> bool {
        let server = self.cell.server();
        let server = server.borrow();
        if *server.membership_config.log_id() > *self.cell.applied.borrow() {
            return false;
        }
        let membership = server.membership_config.membership();
        let one_set = matches!(membership.get_joint_config().as_slice(), [set] if set == voters);
        one_set && membership.nodes().count() == voters.len()
    }

    /// Whether anything is applied here: a replica that joined has nothing until it is sent the others' state.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.cell.applied.borrow().is_some()
    }

    /// Makes these the group's voters: adds who is missing as a learner, waits until it has caught up, then leaves out
    /// who is not named. Only on the leader; a node that joins has the group started without origin, and is sent the
    /// machine's state. When the leader is not named it stops leading in the end and one of the others takes over.
    ///
    /// # Errors
    /// `NotLeader` when another leads. After `Unavailable` the change may be made in part; it can be asked for again.
    pub async fn change_voters(
        &self,
        voters: Vec<Voter>,
        timeout: Duration,
    ) -> Result<(), GroupError> {
        self.cell.leading()?;
        tokio::time::timeout(timeout, self.change_voters_now(&voters))
            .await
            .map_err(|_| late(timeout))??;
        if !voters.iter().any(|voter| voter.id() == self.cell.own()) {
            self.retire(&voters).await;
        }
        Ok(())
    }

    async fn change_voters_now(&self, voters: &[Voter]) -> Result<(), GroupError> {
        let raft = &self.cell.raft;
        let wanted: BTreeSet<VoterId> = voters.iter().map(Voter::id).collect();
        if self.is_made_of(&wanted) {
            return Ok(());
        }
        let present = self.cell.nodes();
        for voter in voters {
            let id = voter.id();
            if present.get(&id) != Some(voter) {
                self.cut_beginning().await?;
                raft.add_learner(id, voter.clone(), false)
                    .await
                    .map_err(write_error)?;
            }
        }
        self.catch_up(&wanted).await?;
        let _change = Change::begin(&self.cell);
        raft.change_membership(wanted.clone(), false)
            .await
            .map_err(write_error)?;
        // Those of an earlier change that went another way.
        let learners: BTreeSet<VoterId> = self.cell.nodes().into_keys().collect();
        let learners: BTreeSet<VoterId> = learners.difference(&wanted).copied().collect();
        if !learners.is_empty() {
            raft.change_membership(ChangeMembers::RemoveNodes(learners), false)
                .await
                .map_err(write_error)?;
        }
        Ok(())
    }

    /// Waits until those of the replicas that are no voters yet have nearly all of the log.
    async fn catch_up(&self, wanted: &BTreeSet<VoterId>) -> Result<(), GroupError> {
        loop {
            self.cell.leading()?;
            let voters: BTreeSet<VoterId> = {
                let server = self.cell.server();
                let server = server.borrow();
                server.membership_config.voter_ids().collect()
            };
            let progress = self.progress();
            let has_most = |id: &VoterId| {
                let matched = progress.matched.get(id);
                matched.is_some_and(|at| at + CAUGHT_UP_WITHIN >= progress.last && *at > 0)
            };
            let mut behind = wanted.difference(&voters).filter(|id| !has_most(id));
            if behind.next().is_none() {
                return Ok(());
            }
            // Another leader added them, perhaps, and this one's log still has all entries.
            self.cut_beginning().await?;
            tokio::time::sleep(CHANGE_PAUSE).await;
        }
    }

    /// Has the log begin behind its first entry at least: who has nothing is then sent the machine's state.
    async fn cut_beginning(&self) -> Result<(), GroupError> {
        let trigger = self.cell.raft.trigger();
        let stopped = |e: Fatal<VoterId>| GroupError::Unavailable(e.to_string());
        while self.cell.log.purged().is_none() {
            self.cell.leading()?;
            trigger.snapshot().await.map_err(stopped)?;
            trigger.purge_log(0).await.map_err(stopped)?;
            tokio::time::sleep(CHANGE_PAUSE).await;
        }
        Ok(())
    }

    /// Stops leading a group that this replica is no voter of any more.
    async fn retire(&self, voters: &[Voter]) {
        let cell = &self.cell;
        // Openraft steps down at its next tick.
        cell.raft.runtime_config().tick(true);
        cell.give_way(None);
        let matched = self.progress().matched;
        let furthest = voters.iter().max_by_key(|v| matched.get(&v.id()));
        if let Some(heir) = furthest {
            // When it does not hear this, the voters ask for votes by themselves a second later.
            let _ = cell.hub.post(heir).ask(cell.id, Ask::Campaign).await;
        }
    }

    /// Has this replica try to become the leader: the one that leads gives way first. Writes and reads pause for as
    /// long as promises to it last.
    ///
    /// # Errors
    /// `Unavailable` when it does not lead after `timeout`.
    pub async fn elect(&self, timeout: Duration) -> Result<(), GroupError> {
        self.cell.elect(timeout).await
    }

    /// Has the leader, which this replica is, hand over to another voter.
    ///
    /// # Errors
    /// `NotLeader` when another leads, `Unavailable` when the voter is unknown or does not answer.
    pub async fn step_down(&self, to: VoterId, timeout: Duration) -> Result<(), GroupError> {
        self.cell.leading()?;
        self.call_to_lead(to, timeout).await.map(drop)
    }

    /// Asks another voter to try to become the leader, whoever leads; whether its replica runs and does.
    ///
    /// # Errors
    /// `Unavailable` when the voter is unknown or does not answer.
    pub async fn call_to_lead(&self, to: VoterId, timeout: Duration) -> Result<bool, GroupError> {
        let unknown = || GroupError::Unavailable(format!("voter {to} is not in the group"));
        let heir = self.member(to).ok_or_else(unknown)?;
        let post = self.cell.hub.post(&heir);
        match tokio::time::timeout(timeout, post.ask(self.cell.id, Ask::Campaign)).await {
            Ok(Ok(answer)) => Ok(matches!(answer, Answer::Done)),
            Ok(Err(e)) => Err(GroupError::Unavailable(e.to_string())),
            Err(_) => Err(late(timeout)),
        }
    }
}

/// While it exists the group's leader holds no lease: a quorum of the voters before may be none of those after.
struct Change<'a>(&'a Cell);

impl Change<'_> {
    fn begin(cell: &Cell) -> Change<'_> {
        cell.changes.fetch_add(1, Ordering::AcqRel);
        cell.log.guard().drop_lease();
        Change(cell)
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.changes.fetch_sub(1, Ordering::AcqRel);
    }
}
