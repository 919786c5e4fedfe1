//! Finding the catalog's leader and asking it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use quorate_base::NodeId;
use quorate_consensus::Voter;
use quorate_region::transport::{CallError, Caller};

use crate::config::{ELECTION_PAUSE, VOTER_TIMEOUT};
use crate::error::CatalogError;
use crate::messages::FromLeader;

/// How many voters there must be time to ask: one that is stopped answers nobody.
const VOTERS_ASKED_MIN: u32 = 4;

/// Calls whichever voter leads. Remembers who it was.
pub(crate) struct LeaderCalls {
    caller: Arc<Caller>,
    voters: Vec<Voter>,
    believed: Mutex<usize>,
}

/// Whether a question may be put again after it went unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Asking twice does no harm.
    Harmless,
    /// It may have been acted on: only ask again when it is certain that it was not.
    Never,
}

impl LeaderCalls {
    pub(crate) fn new(caller: Arc<Caller>, voters: Vec<Voter>) -> LeaderCalls {
        assert!(!voters.is_empty(), "a region has voters");
        LeaderCalls {
            caller,
            voters,
            believed: Mutex::new(0),
        }
    }

    pub(crate) fn voters(&self) -> &[Voter] {
        &self.voters
    }

    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Asks the leader, looking for it until `within` is over.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        method: &'static str,
        question: &Q,
        repeat: Repeat,
        within: Duration,
    ) -> Result<A, CatalogError> {
        let deadline = Instant::now() + within;
        let patience = (within / VOTERS_ASKED_MIN).min(VOTER_TIMEOUT);
        let mut last_reason = String::from("no voter was reached");
        loop {
            for _ in 0..self.voters.len() {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(CatalogError::Unavailable(last_reason));
                }
                let at = *self.believed.lock().expect("no holder panics") % self.voters.len();
                let Voter { node, address } = &self.voters[at];
                match self
                    .put(node, *address, method, question, left.min(patience))
                    .await
                {
                    Ok(FromLeader::Answer(answer)) => return Ok(answer),
                    Ok(FromLeader::Elsewhere(to)) => {
                        last_reason = format!("{node} does not lead");
                        self.believe(to.as_ref(), at);
                    }
                    Ok(FromLeader::NoQuorum(why)) if repeat == Repeat::Never => {
                        self.believe(None, at);
                        return Err(CatalogError::Unavailable(why));
                    }
                    Err(e @ CallError::NoAnswer { .. }) if repeat == Repeat::Never => {
                        self.believe(None, at);
                        return Err(CatalogError::Unavailable(e.to_string()));
                    }
                    Ok(FromLeader::NoQuorum(why)) => {
                        last_reason = why;
                        self.believe(None, at);
                    }
                    Err(e) => {
                        last_reason = e.to_string();
                        self.believe(None, at);
                    }
                }
            }
            tokio::time::sleep(ELECTION_PAUSE).await;
        }
    }

    async fn put<Q: Serialize, A: DeserializeOwned>(
        &self,
        node: &NodeId,
        address: SocketAddr,
        method: &'static str,
        question: &Q,
        timeout: Duration,
    ) -> Result<FromLeader<A>, CallError> {
        self.caller
            .call(node, address, method, question, timeout)
            .await
    }

    /// Notes who leads, from somebody who knows better.
    pub(crate) fn hint(&self, leader: Option<&Voter>) {
        let known = leader.and_then(|v| self.voters.iter().position(|own| own.node == v.node));
        if let Some(at) = known {
            *self.believed.lock().expect("no holder panics") = at;
        }
    }

    /// Looks next at the voter that was named, or at the one after the one that was asked.
    fn believe(&self, named: Option<&Voter>, asked: usize) {
        let named = named.and_then(|v| self.voters.iter().position(|known| known.node == v.node));
        let mut believed = self.believed.lock().expect("no holder panics");
        *believed = named.unwrap_or(asked + 1) % self.voters.len();
    }
}
