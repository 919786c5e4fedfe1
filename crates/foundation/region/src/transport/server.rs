//! The answering side.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

use quorate_base::{NodeId, RegionName};

use super::answering::Answering;
use super::duplex;
use super::tls::server_config;
use crate::identity::{Identity, IdentityError, node_name, peer_name};

/// Longest wait for a caller's handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Who asks: a process of the region, proven by its certificate.
#[derive(Clone)]
pub struct Requester {
    certificate: Arc<CertificateDer<'static>>,
}

impl Requester {
    /// Whether the caller is this node.
    #[must_use]
    pub fn is_node(&self, node: &NodeId) -> bool {
        self.has_name(&node_name(node))
    }

    fn is_of(&self, region: &RegionName) -> bool {
        self.has_name(&peer_name(region))
    }

    fn has_name(&self, name: &str) -> bool {
        let Ok(certificate) = EndEntityCert::try_from(&*self.certificate) else {
            return false;
        };
        let Ok(name) = ServerName::try_from(name) else {
            return false;
        };
        certificate.verify_is_valid_for_subject_name(&name).is_ok()
    }
}

/// The making of an answer.
pub(super) type Handling = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
type Handler = Box<dyn Fn(Requester, Bytes) -> Handling + Send + Sync>;

/// The methods that a node answers.
#[derive(Default)]
pub struct Router {
    handlers: HashMap<&'static str, Handler>,
}

impl Router {
    /// Adds a method. An `Err` answer reaches the caller as `CallError::Refused`. What `handle` does before it first
    /// waits holds up the connection's other calls: long work yields first.
    pub fn on<Q, A, F, Fut>(&mut self, method: &'static str, handle: F)
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize,
        F: Fn(Requester, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, String>> + Send + 'static,
    {
        let handler: Handler = Box::new(move |requester, body| {
            let question = postcard::from_bytes::<Q>(&body);
            let answer = question.map(|question| handle(requester, question));
            Box::pin(async move {
                let answer = answer
                    .map_err(|e| format!("unreadable question: {e}"))?
                    .await?;
                Ok(postcard::to_stdvec(&answer).expect("answers are plain data"))
            })
        });
        let earlier = self.handlers.insert(method, handler);
        assert!(earlier.is_none(), "method {method} is routed twice");
    }

    /// Begins the answer to a question; none when there is no such method.
    pub(super) fn handle(
        &self,
        method: &[u8],
        requester: Requester,
        question: Bytes,
    ) -> Option<Handling> {
        let handler = self.handlers.get(std::str::from_utf8(method).ok()?)?;
        Some(handler(requester, question))
    }
}

/// Listens for calls of the region's other processes.
pub struct RpcServer {
    listener: TcpListener,
    tls: TlsAcceptor,
    region: RegionName,
}

impl RpcServer {
    /// Listens on `address` as `identity`.
    ///
    /// # Errors
    /// When the address is taken or the identity's certificates cannot be used.
    pub async fn bind(
        address: SocketAddr,
        identity: &Identity,
    ) -> Result<RpcServer, IdentityError> {
        let tls = TlsAcceptor::from(server_config(identity)?);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|e| IdentityError::Tls(format!("cannot listen on {address}: {e}")))?;
        Ok(RpcServer {
            listener,
            tls,
            region: identity.map.region.clone(),
        })
    }

    /// Answers calls until the future is dropped.
    pub async fn serve(self, router: Router) {
        let router = Arc::new(router);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (tls, router, region) =
                        (self.tls.clone(), router.clone(), self.region.clone());
                    tokio::spawn(
                        async move { serve_connection(stream, &tls, router, &region).await },
                    );
                }
                Err(e) => {
                    // Out of descriptors, most likely: what is open may end and free some.
                    tracing::warn!(error = %e, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    tls: &TlsAcceptor,
    router: Arc<Router>,
    region: &RegionName,
) {
    let peer = stream.peer_addr().ok();
    let handshake = async { tls.accept(duplex::prepare(stream)?).await };
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => stream,
        // Also every caller that ends before its connection is made.
        Ok(Err(e)) => return tracing::info!(?peer, error = %e, "refused a connection"),
        Err(_) => return tracing::warn!(?peer, "a handshake took too long"),
    };
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first().cloned());
    let requester = certificate.map(|c| Requester {
        certificate: Arc::new(c.into_owned()),
    });
    let Some(requester) = requester.filter(|requester| requester.is_of(region)) else {
        return tracing::warn!(
            ?peer,
            "refused a certificate that is no process's of this region"
        );
    };
    let answering = Answering::new(router, requester);
    let ended = duplex::run(stream, answering.outbox(), |frame| answering.receive(frame)).await;
    if let Err(e) = ended {
        tracing::debug!(?peer, error = %e, "a connection between nodes ended");
    }
}
