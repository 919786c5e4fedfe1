//! How a host's calls reach other hosts: the region's transport, or a simulated network.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use quorate_region::transport::{CallError, Caller};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::types::Voter;

/// An answer on its way through a simulated network.
pub type Carried = Pin<Box<dyn Future<Output = Result<Vec<u8>, CallError>> + Send>>;

/// A simulated network. What it carries is answered by `Host::receive` on the other side.
pub trait Network: Send + Sync {
    /// Takes a question to `to`; the answer may come late or never.
    fn carry(&self, to: &Voter, method: &'static str, question: Vec<u8>) -> Carried;
}

/// The way that a host's calls take.
pub(crate) enum Way {
    Caller(Arc<Caller>),
    Simulated(Arc<dyn Network>),
}

impl Way {
    /// As `Caller::call`.
    pub(crate) async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        to: &Voter,
        method: &'static str,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, CallError> {
        match self {
            Way::Caller(caller) => {
                caller
                    .call(&to.node, to.address, method, question, timeout)
                    .await
            }
            Way::Simulated(network) => {
                let no_answer = |why: String| CallError::NoAnswer {
                    node: to.node.clone(),
                    why,
                };
                let question = postcard::to_stdvec(question).expect("questions are plain data");
                let answer = tokio::time::timeout(timeout, network.carry(to, method, question))
                    .await
                    .map_err(|_| no_answer(format!("no answer in {} ms", timeout.as_millis())))??;
                postcard::from_bytes(&answer)
                    .map_err(|e| no_answer(format!("unreadable answer: {e}")))
            }
        }
    }
}
