//! A voter's replica of the catalog: what answers everybody else, and serves its own node.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use quorate_base::{NodeId, Revision};
use quorate_consensus::{Group, GroupConfig, GroupError, Leadership, Voter};
use quorate_region::transport::{Caller, Requester, Router};

use crate::catalog::{Backend, Boxed, Catalog};
use crate::config::{CATALOG_TIMEOUT, LeaseConfig, VOTER_TIMEOUT, WATCH_WAIT};
use crate::error::CatalogError;
use crate::leader::{LeaderCalls, Repeat};
use crate::machine::CatalogMachine;
use crate::messages::{
    BARRIER, COMMIT, FromLeader, RENEW, RenewQuestion, SESSIONS, Session, Sessions, WATCH,
    WatchAnswer, WatchQuestion,
};
use crate::node_record::NodeRecord;
use crate::sessions::SessionTable;
use crate::store::Outcome;
use crate::txn::Txn;
use crate::view::View;

/// The catalog in one voter.
pub struct Replica {
    own: NodeId,
    group: Group,
    machine: Arc<CatalogMachine>,
    leader: LeaderCalls,
    lease: LeaseConfig,
    term: Mutex<Option<(u64, SessionTable)>>,
    renewed: Notify,
}

impl Replica {
    /// Opens the voter whose log is in `folder`.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be read.
    pub async fn open(
        own: &Voter,
        voters: Vec<Voter>,
        folder: &Path,
        timing: &GroupConfig,
        lease: LeaseConfig,
        caller: Arc<Caller>,
    ) -> Result<Arc<Replica>, CatalogError> {
        let machine = Arc::new(CatalogMachine::default());
        let group = Group::open(own.id(), timing, folder, caller.clone(), machine.clone())
            .await
            .map_err(unavailable)?;
        Ok(Arc::new(Replica {
            own: own.node.clone(),
            group,
            machine,
            leader: LeaderCalls::new(caller, voters),
            lease,
            term: Mutex::new(None),
            renewed: Notify::new(),
        }))
    }

    /// Forms the group, if it is not formed yet. Call it once the node answers calls.
    ///
    /// # Errors
    /// `Unavailable` when storage failed.
    pub async fn form(&self) -> Result<(), CatalogError> {
        self.group
            .form(self.leader.voters())
            .await
            .map_err(unavailable)
    }

    /// The catalog, for services on this node.
    #[must_use]
    pub fn catalog(self: &Arc<Self>) -> Catalog {
        Catalog::new(self.clone())
    }

    /// Answers the calls of other processes.
    pub fn route(self: &Arc<Self>, router: &mut Router) {
        self.group.route(router);
        let replica = self.clone();
        router.on(COMMIT, move |_: Requester, txn: Txn| {
            let replica = replica.clone();
            async move { Ok(replica.commit_here(&txn).await) }
        });
        let replica = self.clone();
        router.on(BARRIER, move |_: Requester, (): ()| {
            let replica = replica.clone();
            async move { Ok(replica.barrier_here().await) }
        });
        let replica = self.clone();
        router.on(WATCH, move |_: Requester, question: WatchQuestion| {
            let replica = replica.clone();
            async move { Ok(replica.watch_here(&question).await) }
        });
        let replica = self.clone();
        router.on(RENEW, move |who: Requester, question: RenewQuestion| {
            let replica = replica.clone();
            async move {
                if !who.is_node(&question.node) {
                    return Err(format!("you are not {}", question.node));
                }
                Ok(replica.renew_here(question).await)
            }
        });
        let replica = self.clone();
        router.on(SESSIONS, move |_: Requester, (): ()| {
            let replica = replica.clone();
            async move { Ok(replica.sessions_here().await) }
        });
    }

    /// Tells each change of leadership.
    #[must_use]
    pub fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        self.group.watch_leadership()
    }

    /// The sessions of all registered nodes, when this voter leads and a quorum confirms it.
    pub(crate) async fn sessions_here(&self) -> FromLeader<Sessions> {
        match self.group.confirm_leadership(VOTER_TIMEOUT).await {
            Ok(_) => match self.sessions() {
                Ok(sessions) => FromLeader::Answer(sessions),
                Err(e) => FromLeader::NoQuorum(e.to_string()),
            },
            Err(e) => refusal(e),
        }
    }

    /// The sessions as this voter sees them, not confirmed: a decision on them must be a conditional commit.
    ///
    /// # Errors
    /// `Unavailable` when this voter does not lead.
    pub fn sessions(&self) -> Result<Sessions, CatalogError> {
        let leadership = self.group.leadership();
        let nodes = self.view().list::<NodeRecord>()?;
        let now = Instant::now();
        let sessions = self
            .with_table(&leadership, |table| {
                table.look(now);
                nodes
                    .iter()
                    .filter_map(|stored| stored.id.parse().ok())
                    .map(|node: NodeId| table.session(&node, now))
                    .collect::<Vec<Session>>()
            })
            .ok_or_else(|| CatalogError::Unavailable(String::from("this voter does not lead")))?;
        Ok(Sessions {
            leader: self.own.clone(),
            term: leadership.term,
            sessions,
        })
    }

    /// Makes a transaction that was decided on this voter's sessions of a term, whole or not at all; only while this
    /// voter leads in that term. Never handed on: a leader that was cut off takes everybody for silent, and what it
    /// decides on that must not be made by the one that replaced it.
    ///
    /// # Errors
    /// As `Catalog::commit`; `Unavailable` too when this voter does not lead in that term any more.
    pub async fn commit_in_term(&self, term: u64, txn: Txn) -> Result<Revision, CatalogError> {
        let deposed = || CatalogError::Unavailable(format!("this voter does not lead in {term}"));
        let leadership = self.group.leadership();
        if !leadership.own || leadership.term != term {
            return Err(deposed());
        }
        match self.commit_here(&txn).await {
            FromLeader::Answer(Outcome::Committed(revision)) => {
                reach(self.view(), revision).await?;
                Ok(revision)
            }
            FromLeader::Answer(Outcome::Conflict(key)) => Err(CatalogError::Conflict { key }),
            FromLeader::Elsewhere(_) => Err(deposed()),
            FromLeader::NoQuorum(why) => Err(CatalogError::Unavailable(why)),
        }
    }

    /// Waits for a renewal, or until the next session would end, whichever is first; at most `at_most`.
    pub async fn session_event(&self, at_most: std::time::Duration) {
        let leadership = self.group.leadership();
        let now = Instant::now();
        let nodes = self.view().list::<NodeRecord>().unwrap_or_default();
        let ends = self
            .with_table(&leadership, |table| {
                nodes
                    .iter()
                    .filter_map(|stored| stored.id.parse().ok())
                    .map(|node: NodeId| table.ends_at(&node))
                    .filter(|end| *end > now)
                    .min()
            })
            .flatten();
        let until = ends.unwrap_or(now + at_most).min(now + at_most);
        tokio::select! {
            () = tokio::time::sleep_until(until + std::time::Duration::from_millis(1)) => {}
            () = self.renewed.notified() => {}
        }
    }

    /// Waits until this voter has stopped by itself; returns why. A voter whose log could not be written never
    /// answers again: its process should end.
    pub async fn stopped(&self) -> String {
        self.group.stopped().await
    }

    /// Stops this voter.
    pub async fn shutdown(&self) {
        self.group.shutdown().await;
    }

    async fn commit_here(&self, txn: &Txn) -> FromLeader<Outcome> {
        let command = postcard::to_stdvec(txn).expect("transactions are plain data");
        match self.group.propose(command, VOTER_TIMEOUT).await {
            Ok(answer) => match postcard::from_bytes(&answer) {
                Ok(outcome) => FromLeader::Answer(outcome),
                Err(e) => FromLeader::NoQuorum(format!("unreadable outcome: {e}")),
            },
            Err(e) => refusal(e),
        }
    }

    async fn barrier_here(&self) -> FromLeader<Revision> {
        match self.group.confirm_leadership(VOTER_TIMEOUT).await {
            Ok(index) => FromLeader::Answer(Revision(index)),
            Err(e) => refusal(e),
        }
    }

    async fn watch_here(&self, question: &WatchQuestion) -> WatchAnswer {
        let mut bell = self.view().subscribe();
        // Time running out is an answer too: nothing changed.
        let _ =
            tokio::time::timeout(WATCH_WAIT, bell.wait_for(|seen| *seen > question.since)).await;
        self.machine.changes_since(question.since)
    }

    async fn renew_here(&self, question: RenewQuestion) -> FromLeader<Revision> {
        let received = Instant::now();
        let index = match self.group.confirm_leadership(self.lease.lease() / 2).await {
            Ok(index) => index,
            Err(e) => return refusal(e),
        };
        let leadership = self.group.leadership();
        let noted = self.with_table(&leadership, |table| {
            table.renew(question.node, received, question.observed);
        });
        if noted.is_none() {
            return FromLeader::Elsewhere(None);
        }
        self.renewed.notify_waiters();
        FromLeader::Answer(Revision(index))
    }

    /// Gives the session table of the current term, which starts empty, to `work`. None when this voter
    /// does not lead.
    fn with_table<T>(
        &self,
        leadership: &Leadership,
        work: impl FnOnce(&mut SessionTable) -> T,
    ) -> Option<T> {
        if !leadership.own {
            return None;
        }
        let mut slot = self.term.lock().expect("no holder of the lock panics");
        let started = slot
            .as_ref()
            .is_some_and(|(term, _)| *term == leadership.term);
        if !started {
            *slot = Some((
                leadership.term,
                SessionTable::new(self.lease, Instant::now()),
            ));
        }
        slot.as_mut().map(|(_, table)| work(table))
    }
}

impl Backend for Replica {
    fn commit(&self, txn: Txn) -> Boxed<'_, Result<Outcome, CatalogError>> {
        Box::pin(async move {
            let outcome: Outcome = match self.commit_here(&txn).await {
                FromLeader::Answer(outcome) => outcome,
                FromLeader::Elsewhere(to) => {
                    self.leader.hint(to.as_ref());
                    self.leader
                        .ask(COMMIT, &txn, Repeat::Never, CATALOG_TIMEOUT)
                        .await?
                }
                FromLeader::NoQuorum(why) => return Err(CatalogError::Unavailable(why)),
            };
            if let Outcome::Committed(revision) = outcome {
                reach(self.view(), revision).await?;
            }
            Ok(outcome)
        })
    }

    fn read_barrier(&self) -> Boxed<'_, Result<(), CatalogError>> {
        Box::pin(async move {
            let revision = match self.barrier_here().await {
                FromLeader::Answer(revision) => revision,
                other => {
                    if let FromLeader::Elsewhere(to) = &other {
                        self.leader.hint(to.as_ref());
                    }
                    self.leader
                        .ask(BARRIER, &(), Repeat::Harmless, CATALOG_TIMEOUT)
                        .await?
                }
            };
            reach(self.view(), revision).await
        })
    }

    fn view(&self) -> &View {
        self.machine.view()
    }
}

/// Waits until the view holds `revision`.
pub(crate) async fn reach(view: &View, revision: Revision) -> Result<(), CatalogError> {
    tokio::time::timeout(CATALOG_TIMEOUT, view.reach(revision))
        .await
        .map_err(|_| {
            CatalogError::Unavailable(format!("the local view did not reach revision {revision}"))
        })
}

fn unavailable(e: GroupError) -> CatalogError {
    CatalogError::Unavailable(e.to_string())
}

fn refusal<T>(e: GroupError) -> FromLeader<T> {
    match e {
        GroupError::NotLeader(to) => FromLeader::Elsewhere(to),
        GroupError::Unavailable(why) => FromLeader::NoQuorum(why),
    }
}
