//! What a client does: connect, write, say how it ended.
//!
//! A write ends as `Failed` only when the commit was never asked for, or the server said that it rolled back.
//! Everything after that without an answer is `Unknown`.

use quorate_oracle::WriteId;
use quorate_oracle::ledger::Outcome;

use crate::region::Boxed;

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteEnd {
    /// What the client may say of it.
    pub outcome: Outcome,
    /// Whether the session can take another write.
    pub session_usable: bool,
    /// What went wrong, when something did.
    pub why: Option<String>,
}

impl WriteEnd {
    /// Committed.
    #[must_use]
    pub fn acknowledged() -> WriteEnd {
        WriteEnd {
            outcome: Outcome::Acknowledged,
            session_usable: true,
            why: None,
        }
    }

    /// Not committed for sure; the session is not used again.
    #[must_use]
    pub fn failed(why: String) -> WriteEnd {
        WriteEnd {
            outcome: Outcome::Failed,
            session_usable: false,
            why: Some(why),
        }
    }

    /// Nobody knows; the session is not used again.
    #[must_use]
    pub fn unknown(why: String) -> WriteEnd {
        WriteEnd {
            outcome: Outcome::Unknown,
            session_usable: false,
            why: Some(why),
        }
    }
}

/// One connection that writes.
pub trait Session: Send {
    /// Writes one row and commits it. Bounded in time by the implementation.
    fn write(&mut self, id: WriteId) -> Boxed<'_, WriteEnd>;
}

/// A ledger that sessions write to.
pub trait Ledger: Send + Sync {
    /// Opens a session. Bounded in time by the implementation.
    fn connect(&self) -> Boxed<'_, anyhow::Result<Box<dyn Session>>>;

    /// Reads all rows of this run back, in any order, each as often as it is there.
    fn read_back(&self) -> Boxed<'_, anyhow::Result<Vec<WriteId>>>;
}
