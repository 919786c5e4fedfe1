//! Asking a partition: the leader for writes and strong reads, any replica for the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_base::NodeId;
use quorate_control::CatalogError;
use quorate_region::transport::{CallError, Caller};

use crate::messages::{Answer, Freshness, Op, PARTITION, Question, Refusal};
use crate::model::{IndexNumber, PartitionNumber};
use crate::routing::routes::{PartitionRoute, Routes, TableRoute, Target};
use crate::routing::silent::Silent;

/// Longest time for which a leader is looked for.
const LEADER_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a write: longer than a leader waits for its quorum.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a read, which another replica or a later leader can give as well.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for one replica's answer to an eventual read.
const EVENTUAL_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a leader may work on an answer before the other replicas are asked whether one of them leads in its place.
const LEADER_DOUBTED_AFTER: Duration = Duration::from_millis(400);
/// Pause between two times that they are asked, and the longest wait for each answer.
const LEADER_DOUBTED_EVERY: Duration = Duration::from_millis(150);
/// Pause after all replicas were asked in vain.
const ELECTION_PAUSE: Duration = Duration::from_millis(25);

/// Why a partition did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// There is no such table, index or partition.
    #[error("the partition is gone")]
    Gone,
    /// The partition has not all positions that were asked for: it has split.
    #[error("the partition has split")]
    Moved,
    /// AWS's `ValidationException`, with its words.
    #[error("{0}")]
    Invalid(String),
    /// Surely not done: nobody with a quorum was found in time.
    #[error("no leader was found: {0}")]
    Unavailable(String),
    /// It may have been done, or be done later.
    #[error("it is not known whether it was done: {0}")]
    Unknown(String),
    /// The catalog cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Calls the partitions of one region.
pub struct PartitionCalls {
    caller: Arc<Caller>,
    routes: Arc<Routes>,
    silent: Silent,
}

/// A hash position of a table or of one of its global indexes. Stays right when partitions split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) table: String,
    pub(crate) index: IndexNumber,
    pub(crate) position: u64,
}

/// Where a question goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The partition that has this position.
    Position(Position),
    /// A partition by its number.
    Partition(PartitionNumber),
}

impl From<Position> for Destination {
    fn from(position: Position) -> Destination {
        Destination::Position(position)
    }
}

impl PartitionCalls {
    /// Calls by these routes.
    #[must_use]
    pub fn new(caller: Arc<Caller>, routes: Arc<Routes>) -> PartitionCalls {
        PartitionCalls {
            caller,
            routes,
            silent: Silent::default(),
        }
    }

    /// The table of that name.
    ///
    /// # Errors
    /// When the catalog's records cannot be read.
    pub fn table(&self, name: &str) -> Result<Option<Arc<TableRoute>>, CatalogError> {
        self.routes.table(name)
    }

    /// The node that leads the first partition of a table at this moment, by its own word.
    ///
    /// # Errors
    /// `Gone` when there is no such table, `Catalog` when its records cannot be read.
    pub async fn leader_of(&self, table: &str) -> Result<Option<NodeId>, RouteError> {
        let table = self.routes.table(table)?.ok_or(RouteError::Gone)?;
        let route = table.all(IndexNumber::TABLE).first();
        let route = route.ok_or(RouteError::Gone)?;
        Ok(self.leader_among(route, None).await)
    }

    /// Asks for something that may be asked twice, from whom its freshness allows.
    pub(crate) async fn read(
        &self,
        to: &Destination,
        freshness: Freshness,
        op: Op,
    ) -> Result<Answer, RouteError> {
        match freshness {
            Freshness::Strong => self.lead(to, op, true).await,
            Freshness::Eventual => self.any(to, op).await,
        }
    }

    /// Has the leader do something, once.
    pub(crate) async fn write(&self, to: &Destination, op: Op) -> Result<Answer, RouteError> {
        self.lead(to, op, false).await
    }

    /// Has the leader do something that does no harm when it is done twice.
    pub(crate) async fn repeat(&self, to: &Destination, op: Op) -> Result<Answer, RouteError> {
        self.lead(to, op, true).await
    }

    async fn lead(&self, to: &Destination, op: Op, repeatable: bool) -> Result<Answer, RouteError> {
        let deadline = Instant::now() + LEADER_WAIT;
        let patience = if repeatable {
            READ_TIMEOUT
        } else {
            WRITE_TIMEOUT
        };
        let mut op = op;
        let mut asked_in_vain = 0;
        let mut elsewhere = 0;
        let mut why = String::from("no replica is registered");
        loop {
            let route = self.find(to)?;
            let at = route.believed_leader();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RouteError::Unavailable(why));
            }
            if !route.replicas.is_empty() {
                let question = Question {
                    partition: route.number,
                    op,
                };
                let answer = self.ask_leader(&route, at, &question, left.min(patience));
                let answer = answer.await;
                op = question.op;
                match answer {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(Refusal::Elsewhere)) if matches!(op, Op::Scan { .. }) => {
                        route.doubt(at);
                        return Err(RouteError::Moved);
                    }
                    // These entries are for partitions of before a split: their sender has to share them out again.
                    Ok(Err(Refusal::Elsewhere))
                        if matches!(op, Op::Index { .. }) && elsewhere >= route.replicas.len() =>
                    {
                        return Err(RouteError::Moved);
                    }
                    Ok(Err(refusal)) => {
                        elsewhere += usize::from(matches!(refusal, Refusal::Elsewhere));
                        why = note_refusal(&route, at, refusal, repeatable)?;
                    }
                    Err(CallError::NoAnswer { why, .. }) if !repeatable => {
                        route.doubt(at);
                        return Err(RouteError::Unknown(why));
                    }
                    Err(e) => {
                        route.doubt(at);
                        why = e.to_string();
                    }
                }
            }
            asked_in_vain += 1;
            if asked_in_vain >= route.replicas.len() {
                asked_in_vain = 0;
                tokio::time::sleep(ELECTION_PAUSE).await;
            }
        }
    }

    async fn any(&self, to: &Destination, op: Op) -> Result<Answer, RouteError> {
        let deadline = Instant::now() + LEADER_WAIT;
        let mut op = op;
        let mut why = String::from("no replica is registered");
        loop {
            let route = self.find(to)?;
            let mut moved = false;
            for target in self.silent.last(&route.replicas, route.next_reader()) {
                let question = Question {
                    partition: route.number,
                    op,
                };
                let answer = self.ask(target, &question, EVENTUAL_TIMEOUT).await;
                op = question.op;
                match answer {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(Refusal::Invalid(words))) => return Err(RouteError::Invalid(words)),
                    Ok(Err(refusal)) => {
                        moved |= matches!(refusal, Refusal::Elsewhere);
                        why = format!("{refusal:?}");
                    }
                    Err(e) => why = e.to_string(),
                }
            }
            if moved && matches!(op, Op::Scan { .. }) {
                return Err(RouteError::Moved);
            }
            if Instant::now() >= deadline {
                return Err(RouteError::Unavailable(why));
            }
            tokio::time::sleep(ELECTION_PAUSE).await;
        }
    }

    async fn ask(
        &self,
        target: &Target,
        question: &Question,
        timeout: Duration,
    ) -> Result<Result<Answer, Refusal>, CallError> {
        let called = self
            .caller
            .call(&target.node, target.address, PARTITION, question, timeout);
        let answer = called.await;
        self.silent.note(&target.node, answer.is_err());
        answer
    }

    /// Asks the replica that is believed to lead, until another one says that it leads: a leader that is paused, or cut
    /// off, answers nothing for as long as it is waited for. What it was asked may have been done all the same.
    async fn ask_leader(
        &self,
        route: &PartitionRoute,
        at: usize,
        question: &Question,
        timeout: Duration,
    ) -> Result<Result<Answer, Refusal>, CallError> {
        let target = &route.replicas[at];
        tokio::select! {
            biased;
            answer = self.ask(target, question, timeout) => answer,
            leader = self.another_leader(route, at) => {
                route.believe(&leader);
                self.silent.note(&target.node, true);
                Err(CallError::NoAnswer {
                    node: target.node.clone(),
                    why: format!("{leader} leads in its place"),
                })
            }
        }
    }

    /// Waits until a replica other than the one at `at` says that it leads.
    async fn another_leader(&self, route: &PartitionRoute, at: usize) -> NodeId {
        let mut pause = LEADER_DOUBTED_AFTER;
        loop {
            tokio::time::sleep(pause).await;
            pause = LEADER_DOUBTED_EVERY;
            if let Some(leader) = self.leader_among(route, Some(at)).await {
                return leader;
            }
        }
    }

    /// The replica that says that it leads, of all but the one at `but`.
    async fn leader_among(&self, route: &PartitionRoute, but: Option<usize>) -> Option<NodeId> {
        let question = Question {
            partition: route.number,
            op: Op::Measure,
        };
        for (n, target) in route.replicas.iter().enumerate() {
            if but == Some(n) {
                continue;
            }
            let answer = self.ask(target, &question, LEADER_DOUBTED_EVERY).await;
            if let Ok(Ok(Answer::Measured(measured))) = answer
                && measured.leads
            {
                return Some(target.node.clone());
            }
        }
        None
    }

    fn find(&self, to: &Destination) -> Result<Arc<PartitionRoute>, RouteError> {
        let route = match to {
            Destination::Partition(number) => self.routes.partition(*number)?,
            Destination::Position(Position {
                table,
                index,
                position,
            }) => {
                let table = self.routes.table(table)?.ok_or(RouteError::Gone)?;
                table.at(*index, *position).cloned()
            }
        };
        route.ok_or(RouteError::Gone)
    }
}

/// Learns from a refusal; returns why the question is to be put again.
fn note_refusal(
    route: &PartitionRoute,
    asked: usize,
    refusal: Refusal,
    repeatable: bool,
) -> Result<String, RouteError> {
    match refusal {
        Refusal::NotLeader(Some(node)) if route.replicas[asked].node != node => {
            route.believe(&node);
            Ok(format!("{node} is said to lead"))
        }
        Refusal::NotLeader(_) => {
            route.doubt(asked);
            Ok(String::from("no replica leads"))
        }
        Refusal::Invalid(words) => Err(RouteError::Invalid(words)),
        Refusal::Elsewhere => {
            route.doubt(asked);
            Ok(String::from("the partition is being moved"))
        }
        Refusal::Unavailable(why) => {
            route.doubt(asked);
            Ok(why)
        }
        Refusal::Unknown(why) if repeatable => Ok(why),
        Refusal::Unknown(why) => Err(RouteError::Unknown(why)),
    }
}
