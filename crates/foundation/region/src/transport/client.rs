//! The calling side: one connection to each node, kept and made again when it broke.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use quorate_base::NodeId;

use super::MESSAGE_BYTES_MAX;
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

type Connection = SendRequest<Full<Bytes>>;

/// Calls nodes of the region. Share it: connections are kept in it.
pub struct Caller {
    tls: TlsConnector,
    connections: Mutex<HashMap<(NodeId, SocketAddr), Connection>>,
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
            connections: Mutex::default(),
        })
    }

    /// Asks `node` at `address` and waits for its answer, `timeout` at most.
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
        let body = postcard::to_stdvec(question).expect("questions are plain data");
        let no_answer = |why: String| CallError::NoAnswer {
            node: node.clone(),
            why,
        };
        let answer =
            tokio::time::timeout(timeout, self.exchange(node, address, method, body.into()))
                .await
                .map_err(|_| no_answer(format!("no answer in {} ms", timeout.as_millis())))??;
        postcard::from_bytes(&answer).map_err(|e| no_answer(format!("unreadable answer: {e}")))
    }

    async fn exchange(
        &self,
        node: &NodeId,
        address: SocketAddr,
        method: &'static str,
        body: Bytes,
    ) -> Result<Bytes, CallError> {
        let unreachable = |why: String| CallError::Unreachable {
            node: node.clone(),
            why,
        };
        let no_answer = |why: String| CallError::NoAnswer {
            node: node.clone(),
            why,
        };
        let mut connection = self.connection(node, address).await?;
        if connection.ready().await.is_err() {
            self.forget(node, address);
            connection = self.connection(node, address).await?;
            connection
                .ready()
                .await
                .map_err(|e| unreachable(e.to_string()))?;
        }
        let request = Request::post(format!("http://node/{method}"))
            .body(Full::new(body))
            .expect("method names are path segments");
        let response = connection.send_request(request).await.map_err(|e| {
            self.forget(node, address);
            no_answer(e.to_string())
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MESSAGE_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| no_answer(e.to_string()))?
            .to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            let why = String::from_utf8_lossy(&body).into_owned();
            Err(CallError::Refused {
                node: node.clone(),
                why,
            })
        }
    }

    async fn connection(
        &self,
        node: &NodeId,
        address: SocketAddr,
    ) -> Result<Connection, CallError> {
        let key = (node.clone(), address);
        let kept = self
            .connections
            .lock()
            .expect("no holder panics")
            .get(&key)
            .cloned();
        if let Some(connection) = kept.filter(|c| !c.is_closed()) {
            return Ok(connection);
        }
        let unreachable = |why: String| CallError::Unreachable {
            node: node.clone(),
            why,
        };
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, self.connect(node, address))
            .await
            .map_err(|_| unreachable(String::from("no connection in time")))?
            .map_err(|e| unreachable(e.to_string()))?;
        self.connections
            .lock()
            .expect("no holder panics")
            .insert(key, connection.clone());
        Ok(connection)
    }

    async fn connect(&self, node: &NodeId, address: SocketAddr) -> std::io::Result<Connection> {
        let name = ServerName::try_from(node_name(node)).map_err(std::io::Error::other)?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(name, stream).await?;
        let (connection, driver) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(Box::pin(stream)))
                .await
                .map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            if let Err(e) = driver.await {
                tracing::debug!(error = %e, "a connection between nodes ended");
            }
        });
        Ok(connection)
    }

    fn forget(&self, node: &NodeId, address: SocketAddr) {
        self.connections
            .lock()
            .expect("no holder panics")
            .remove(&(node.clone(), address));
    }
}
