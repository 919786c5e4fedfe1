//! The answering side.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

use quorate_base::{NodeId, RegionName};

use super::MESSAGE_BYTES_MAX;
use super::tls::server_config;
use crate::identity::{Identity, IdentityError, node_name, peer_name};

/// Longest wait for a caller's handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Who asks: a process of the region, proven by its certificate.
#[derive(Clone)]
pub struct Requester {
    certificate: CertificateDer<'static>,
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
        let Ok(certificate) = EndEntityCert::try_from(&self.certificate) else {
            return false;
        };
        let Ok(name) = ServerName::try_from(name) else {
            return false;
        };
        certificate.verify_is_valid_for_subject_name(&name).is_ok()
    }
}

type Handling = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
type Handler = Box<dyn Fn(Requester, Bytes) -> Handling + Send + Sync>;

/// The methods that a node answers.
#[derive(Default)]
pub struct Router {
    handlers: HashMap<&'static str, Handler>,
}

impl Router {
    /// Adds a method. An `Err` answer reaches the caller as `CallError::Refused`.
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
    let handshake = async {
        stream.set_nodelay(true)?;
        tls.accept(stream).await
    };
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
        certificate: c.into_owned(),
    });
    let Some(requester) = requester.filter(|requester| requester.is_of(region)) else {
        return tracing::warn!(
            ?peer,
            "refused a certificate that is no process's of this region"
        );
    };
    let service = service_fn(move |request| answer(router.clone(), requester.clone(), request));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(e) = connection.await {
        tracing::debug!(?peer, error = %e, "a connection between nodes ended");
    }
}

async fn answer(
    router: Arc<Router>,
    requester: Requester,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let result = async {
        let handler = router
            .handlers
            .get(head.uri.path().trim_start_matches('/'))
            .ok_or_else(|| format!("no method {}", head.uri.path()))?;
        let body = Limited::new(body, MESSAGE_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| format!("the question did not arrive whole: {e}"))?;
        handler(requester, body.to_bytes()).await
    };
    let (status, body) = match result.await {
        Ok(body) => (StatusCode::OK, Bytes::from(body)),
        Err(why) => (StatusCode::CONFLICT, Bytes::from(why)),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}
