//! A node that is called: its connection, made by one caller for all.

use std::sync::{Arc, RwLock};

use quorate_base::NodeId;
use tokio::time::Instant;

use super::link::{Connected, Link};

/// The last attempt that made no connection.
struct Failed {
    at: Instant,
    why: String,
}

/// A node at an address.
pub(super) struct Peer {
    pub(super) node: NodeId,
    connected: RwLock<Option<Connected>>,
    connecting: tokio::sync::Mutex<Option<Failed>>,
}

impl Peer {
    pub(super) fn new(node: NodeId) -> Peer {
        Peer {
            node,
            connected: RwLock::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// The connection, made by `connect` when there is none. Who comes while it is being made waits, and shares its
    /// failure.
    pub(super) async fn link(
        &self,
        connect: impl AsyncFnOnce() -> Result<Connected, String>,
    ) -> Result<Arc<Link>, String> {
        if let Some(link) = self.kept() {
            return Ok(link);
        }
        let came = Instant::now();
        let mut failed = self.connecting.lock().await;
        if let Some(link) = self.kept() {
            return Ok(link);
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at >= came) {
            return Err(failed.why.clone());
        }
        match connect().await {
            Ok(connected) => {
                let link = connected.link.clone();
                *self.connected.write().expect("no holder panics") = Some(connected);
                *failed = None;
                Ok(link)
            }
            Err(why) => {
                let at = Instant::now();
                *failed = Some(Failed {
                    at,
                    why: why.clone(),
                });
                Err(why)
            }
        }
    }

    fn kept(&self) -> Option<Arc<Link>> {
        let connected = self.connected.read().expect("no holder panics");
        let link = &connected.as_ref()?.link;
        (!link.has_ended()).then(|| link.clone())
    }
}
