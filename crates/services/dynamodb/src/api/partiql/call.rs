//! A statement's one call to a partition, which can be made beside those of other statements.

use std::sync::Arc;

use crate::messages::{Answer, Freshness, Op};
use crate::routing::{PartitionCalls, Position, RouteError};

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) to: Position,
    pub(super) op: Op,
    /// Of a read; a write has none.
    pub(super) freshness: Option<Freshness>,
}

impl Call {
    /// Makes it.
    pub(super) async fn make(self, calls: Arc<PartitionCalls>) -> Result<Answer, RouteError> {
        let to = self.to.into();
        match self.freshness {
            Some(freshness) => calls.read(&to, freshness, self.op).await,
            None => calls.write(&to, self.op).await,
        }
    }
}
