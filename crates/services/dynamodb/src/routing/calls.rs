//! Asking a partition: the leader for writes and strong reads, any replica for the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_control::CatalogError;
use quorate_region::transport::{CallError, Caller};

use crate::messages::{Answer, Freshness, Op, PARTITION, Question, Refusal};
use crate::model::{IndexNumber, PartitionNumber};
use crate::routing::routes::{PartitionRoute, Routes, TableRoute, Target};

/// Longest time for which a leader is looked for.
const LEADER_WAIT: Duration = Duration::from_secs(8);
/// Longest wait for the answer to a write: longer than a leader waits for its quorum.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a read, which another replica or a later leader can give as well.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for one replica's answer to an eventual read.
const EVENTUAL_TIMEOUT: Duration = Duration::from_millis(500);
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
        PartitionCalls { caller, routes }
    }

    /// The table of that name.
    ///
    /// # Errors
    /// When the catalog's records cannot be read.
    pub fn table(&self, name: &str) -> Result<Option<Arc<TableRoute>>, CatalogError> {
        self.routes.table(name)
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
        let mut why = String::from("no replica is registered");
        loop {
            let route = self.find(to)?;
            let at = route.believed_leader();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RouteError::Unavailable(why));
            }
            if let Some(target) = route.replicas.get(at) {
                let question = Question {
                    partition: route.number,
                    op,
                };
                let answer = self.ask(target, &question, left.min(patience)).await;
                op = question.op;
                match answer {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(Refusal::Elsewhere)) if matches!(op, Op::Scan { .. }) => {
                        route.doubt(at);
                        return Err(RouteError::Moved);
                    }
                    Ok(Err(refusal)) => {
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
            let first = route.next_reader();
            let mut moved = false;
            for target in route
                .replicas
                .iter()
                .cycle()
                .skip(first)
                .take(route.replicas.len())
            {
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
        self.caller
            .call(&target.node, target.address, PARTITION, question, timeout)
            .await
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
