//! What becomes of an effect that was proposed.

use std::time::Duration;

use tokio::sync::oneshot;

use quorate_dynamo_store::Outcome;

use crate::host::machine::{Fate, fate};
use crate::messages::Refusal;

/// Longest wait for a quorum.
pub(crate) const QUORUM_TIMEOUT: Duration = Duration::from_secs(3);

/// What a proposed effect came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It was carried out, or there was nothing to do.
    Done,
    /// It was not carried out: evaluate again.
    Again,
    /// It was not carried out: the state does not allow it.
    Refused,
}

/// An effect on its way, and what is to be answered once it is carried out.
pub(crate) struct Settling<A> {
    pub(crate) told: oneshot::Receiver<Result<Settled, Refusal>>,
    pub(crate) answer: A,
}

impl Settling<()> {
    /// The same, with an answer.
    pub(crate) fn with<A>(self, answer: A) -> Settling<A> {
        let told = self.told;
        Settling { told, answer }
    }
}

impl<A> Settling<A> {
    /// Waits until it is known what became of the effect.
    pub(crate) async fn wait(self) -> Result<(Settled, A), Refusal> {
        let unknown = |why: &str| Refusal::Unknown(why.to_owned());
        match tokio::time::timeout(QUORUM_TIMEOUT, self.told).await {
            Ok(Ok(settled)) => Ok((settled?, self.answer)),
            Ok(Err(_)) => Err(unknown("the node stops")),
            Err(_) => Err(unknown("no quorum answered in time")),
        }
    }
}

/// Reads the partition's reply.
pub(crate) fn settled(reply: &[u8]) -> Result<Settled, Refusal> {
    settled_as(fate(reply).map_err(|e| Refusal::Unknown(e.to_string()))?)
}

/// What the fate of an effect means for who proposed it.
pub(crate) fn settled_as(fate: Fate) -> Result<Settled, Refusal> {
    match fate {
        Fate::Applied(None | Some(Outcome::Applied | Outcome::Ignored | Outcome::Next(_))) => {
            Ok(Settled::Done)
        }
        Fate::OtherTerm | Fate::Applied(Some(Outcome::Stale)) => Ok(Settled::Again),
        Fate::Applied(Some(Outcome::WrongPartition)) => Err(Refusal::Elsewhere),
        Fate::Applied(Some(Outcome::Refused)) => Ok(Settled::Refused),
    }
}
