//! Listens, holds the bounds on connections, and stops in order.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use quorate_wire::service::Service;
use quorate_wire::sigv4::Verifier;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::front_door::answer;
use crate::front_door::config::FrontDoorConfig;
use crate::front_door::exchange::Hall;
use crate::front_door::keys::AccessKeys;
use crate::front_door::pages::MetricsPage;
use crate::front_door::sts::Sts;

/// Pause after the kernel had no descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long an answer may lie unread by its client.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The API's listener, bound and not yet served.
pub struct FrontDoor {
    listener: TcpListener,
    hall: Hall,
}

impl FrontDoor {
    /// Binds the listener. `sts` is built in; a service of that name among `services` replaces it.
    ///
    /// # Errors
    /// `InvalidInput` when the settings contradict each other; whatever `bind` says.
    pub async fn bind(
        config: FrontDoorConfig,
        services: impl IntoIterator<Item = Arc<dyn Service>>,
        keys: Arc<dyn AccessKeys>,
    ) -> io::Result<FrontDoor> {
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        config.validate().map_err(invalid)?;
        let listener = TcpListener::bind(config.listen).await?;
        let builtin: Arc<dyn Service> = Arc::new(Sts);
        let mut by_name = BTreeMap::from([(builtin.signing_name(), builtin)]);
        by_name.extend(services.into_iter().map(|s| (s.signing_name(), s)));
        let bodies = Arc::new(Semaphore::new(config.bodies_bytes_max as usize));
        let hall = Hall {
            config,
            services: by_name,
            keys,
            metrics: None,
            verifier: Verifier::default(),
            bodies,
        };
        Ok(FrontDoor { listener, hall })
    }

    /// Answers `/metrics` from this page.
    #[must_use]
    pub fn with_metrics(mut self, page: Arc<dyn MetricsPage>) -> FrontDoor {
        self.hall.metrics = Some(page);
        self
    }

    /// Where it listens, with the port that the kernel chose when the settings say 0.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`; requests under way are then answered, within a bound.
    pub async fn run(self, shutdown: CancellationToken) {
        let FrontDoor { listener, hall } = self;
        let hall = Arc::new(hall);
        let places = Arc::new(Semaphore::new(hall.config.connections_max));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept(&listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let (hall, shutdown) = (Arc::clone(&hall), shutdown.clone());
                    connections.spawn(async move {
                        serve(hall, stream, peer, shutdown).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the front door could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        connections.close();
        if tokio::time::timeout(hall.config.shutdown_timeout(), connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                left = connections.len(),
                "front door stopped with requests under way"
            );
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned();
    let place = place.await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Serves the requests of one connection.
async fn serve(hall: Arc<Hall>, stream: TcpStream, peer: SocketAddr, shutdown: CancellationToken) {
    let socket = SockRef::from(&stream);
    let tuned = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_user_timeout(Some(UNREAD_TIMEOUT)));
    if let Err(error) = tuned {
        tracing::debug!(%peer, %error, "a socket option was refused");
    }
    let began = Arc::new(AtomicBool::new(false));
    let (answering, beginning) = (Arc::clone(&hall), Arc::clone(&began));
    let service = service_fn(move |request| {
        let hall = Arc::clone(&answering);
        beginning.store(true, Ordering::Relaxed);
        // Boxed so that the connection can be moved, which taking its socket back needs.
        Box::pin(async move {
            let response = hall.answer(peer, request).await;
            Ok::<_, Infallible>(response.map(Full::<Bytes>::new))
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hall.config.header_timeout())
        .max_headers(hall.config.headers_max)
        .max_buf_size(hall.config.header_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            if !began.load(Ordering::Relaxed) {
                return;
            }
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let Err(error) = ended else {
        return;
    };
    tracing::debug!(%peer, %error, "connection ended");
    let parts = connection.into_parts();
    if error.is_timeout() && !parts.read_buf.is_empty() {
        refuse_slow_headers(parts.io.into_inner()).await;
    }
}

/// The HTTP library only closes when headers do not come in time; a client whose headers have begun is
/// told why. A kept connection that idles is closed without a word.
async fn refuse_slow_headers(mut stream: TcpStream) {
    let body = answer::generic_error("-", &answer::too_slow("headers")).into_body();
    let head = format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: text/xml\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut whole = head.into_bytes();
    whole.extend_from_slice(&body);
    // Fits the socket's buffer; a client that is gone need not hear it.
    let _ = stream.try_write(&whole);
    let _ = stream.shutdown().await;
}
