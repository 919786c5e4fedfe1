//! The calling side: one connection to each node, kept and made again when it broke.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use quorate_base::NodeId;

use super::duplex;
use super::link::{AskError, Connected, Link};
use super::peer::Peer;
use super::tls::client_config;
use crate::identity::{Identity, IdentityError, node_name};

/// Longest wait for a connection and its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection: the question did not arrive.
    #[error("{node} cannot be reached: {why}")]
    Unreachable {
        /// Who was called.
        node: NodeId,
        /// What the network said.
        why: String,
    },
    /// The connection broke or time ran out: the question may or may not have been acted on.
    #[error("{node} did not answer: {why}")]
    NoAnswer {
        /// Who was called.
        node: NodeId,
        /// What happened.
        why: String,
    },
    /// The other side answered that it will not.
    #[error("{node} refused: {why}")]
    Refused {
        /// Who was called.
        node: NodeId,
        /// Its reason.
        why: String,
    },
}

/// Calls nodes of the region. Share it: connections are kept in it.
pub struct Caller {
    tls: TlsConnector,
    peers: Mutex<HashMap<SocketAddr, Arc<Peer>>>,
}

impl Caller {
    /// A caller with this identity.
    ///
    /// # Errors
    /// When the identity's certificates cannot be used.
    pub fn new(identity: &Identity) -> Result<Caller, IdentityError> {
        let tls = TlsConnector::from(client_config(identity)?);
        Ok(Caller {
            tls,
            peers: Mutex::default(),
        })
    }

    /// Asks `node` at `address` and waits for its answer, `timeout` at most. A call that is dropped is ended there, too.
    ///
    /// # Errors
    /// See `CallError`: only after `Unreachable` and `Refused` is it known that nothing was done.
    pub async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        node: &NodeId,
        address: SocketAddr,
        method: &'static str,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, CallError> {
        let question = postcard::to_stdvec(question).expect("questions are plain data");
        let no_answer = |why: String| CallError::NoAnswer {
            node: node.clone(),
            why,
        };
        let asked = self.exchange(node, address, method, &question);
        let answer = tokio::time::timeout(timeout, asked)
            .await
            .map_err(|_| no_answer(format!("no answer in {} ms", timeout.as_millis())))??;
        postcard::from_bytes(&answer).map_err(|e| no_answer(format!("unreadable answer: {e}")))
    }

    async fn exchange(
        &self,
        node: &NodeId,
        address: SocketAddr,
        method: &'static str,
        question: &[u8],
    ) -> Result<Bytes, CallError> {
        let peer = self.peer(node, address);
        let connect = async || {
            let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.connect(node, address));
            let connected = connecting.await;
            let connected = connected.map_err(|_| String::from("no connection in time"))?;
            connected.map_err(|e| e.to_string())
        };
        let unreachable = |why: String| CallError::Unreachable {
            node: node.clone(),
            why,
        };
        let mut asked = Err(AskError::Ended);
        // A connection may have ended unnoticed: then nothing was sent, and another one is tried.
        for _ in 0..2 {
            let link = peer.link(connect).await.map_err(unreachable)?;
            asked = link.ask(method, question).await;
            if asked != Err(AskError::Ended) {
                break;
            }
        }
        let node = node.clone();
        asked.map_err(|e| match e {
            AskError::Ended | AskError::Full | AskError::TooLarge => unreachable(e.to_string()),
            AskError::Lost => CallError::NoAnswer {
                node,
                why: e.to_string(),
            },
            AskError::Refused(why) => CallError::Refused { node, why },
        })
    }

    fn peer(&self, node: &NodeId, address: SocketAddr) -> Arc<Peer> {
        let mut peers = self.peers.lock().expect("no holder panics");
        let kept = peers.get(&address).filter(|peer| peer.node == *node);
        if let Some(peer) = kept {
            return peer.clone();
        }
        let peer = Arc::new(Peer::new(node.clone()));
        peers.insert(address, peer.clone());
        peer
    }

    async fn connect(&self, node: &NodeId, address: SocketAddr) -> std::io::Result<Connected> {
        let name = ServerName::try_from(node_name(node)).map_err(std::io::Error::other)?;
        let stream = duplex::prepare(TcpStream::connect(address).await?)?;
        let stream = self.tls.connect(name, stream).await?;
        Ok(Link::over(stream))
    }
}
