//! Cancel requests, handed on only where they do no harm.
//!
//! A backend that is cancelled while it waits for its standby reports success although only the primary has the
//! commit. So the relay does not pass cancel requests through: it asks the node, which looks at the backend first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use quorate_control::Stored;
use quorate_region::transport::{Requester, Router};

use crate::agent::host::AgentHost;
use crate::model::Instance;

/// The method's name among the calls between processes.
pub const CANCEL_METHOD: &str = "rds.cancel";

/// Hands a cancel request to a member's engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelQuestion {
    /// The instance's id.
    pub instance: String,
    /// The request, as the client sent it.
    pub packet: [u8; 16],
}

/// Answers cancel requests for the members of this node.
pub(crate) fn route(host: &Arc<AgentHost>, router: &mut Router) {
    let host = host.clone();
    router.on(
        CANCEL_METHOD,
        move |_: Requester, question: CancelQuestion| {
            let host = host.clone();
            async move { deliver(&host, &question).await }
        },
    );
}

/// Whether the engine was given the request.
async fn deliver(host: &AgentHost, question: &CancelQuestion) -> Result<bool, String> {
    let read = host.catalog.view().read::<Instance>(&question.instance);
    let stored: Option<Stored<Instance>> = read.map_err(|e| e.to_string())?;
    let stored = stored.ok_or_else(|| String::from("there is no such instance"))?;
    let handle = {
        let members = host.members.lock().expect("no holder of the lock panics");
        members.get(&stored.record.resource_id).cloned()
    };
    let handle = handle.ok_or_else(|| String::from("no engine of this instance runs here"))?;
    let outcome = handle
        .server
        .deliver_cancel(&question.packet)
        .await
        .map_err(|e| e.to_string())?;
    Ok(outcome == quorate_engines::postgres::CancelOutcome::Delivered)
}
