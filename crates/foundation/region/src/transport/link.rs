//! The calling side of one connection: which calls wait for an answer.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::MESSAGE_BYTES_MAX;
use super::duplex::{self, NotSent, Outbox};
use super::frame::{Frame, Kind, method_head};

/// Why a question has no answer. Only after `Lost` it may have arrived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    #[error("the connection had ended")]
    Ended,
    #[error("too much waits to be sent")]
    Full,
    #[error("the question is larger than {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the connection broke, or the other side gave up")]
    Lost,
    #[error("{0}")]
    Refused(String),
}

/// What the other side says: its answer, or why it will not.
type Said = Result<Bytes, AskError>;

/// A connection to a node.
#[derive(Default)]
pub(super) struct Link {
    outbox: Outbox,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Said>>>,
    next_call: AtomicU64,
}

/// A link whose connection ends when this is dropped.
pub(super) struct Connected {
    pub(super) link: Arc<Link>,
    driver: AbortHandle,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// Begins to send and receive on this stream.
    pub(super) fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Connected {
        let link = Arc::new(Link::default());
        let driven = Ending(link.clone());
        let driver = tokio::spawn(async move {
            let link = &driven.0;
            let ended = duplex::run(stream, &link.outbox, |frame| link.receive(frame)).await;
            if let Err(e) = ended {
                tracing::debug!(error = %e, "a connection between nodes ended");
            }
        });
        Connected {
            link,
            driver: driver.abort_handle(),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.outbox.has_ended()
    }

    /// Asks and waits for what the other side says. Who stops waiting tells it so.
    pub(super) async fn ask(&self, method: &'static str, question: &[u8]) -> Said {
        if question.len() > MESSAGE_BYTES_MAX {
            return Err(AskError::TooLarge);
        }
        let call = self.next_call.fetch_add(1, Ordering::Relaxed);
        let (say, said) = oneshot::channel();
        self.waiting().insert(call, say);
        // Entered before it is sent: the answer could not be handed over otherwise.
        let asking = Asking { link: self, call };
        let (length, method) = method_head(method);
        let put = self
            .outbox
            .put(call, Kind::Ask, &[&length, method, question]);
        if let Err(e) = put {
            asking.forget();
            return Err(match e {
                NotSent::Ended => AskError::Ended,
                NotSent::Full => AskError::Full,
            });
        }
        said.await.unwrap_or(Err(AskError::Lost))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Said>>> {
        self.waiting.lock().expect("no holder panics")
    }

    fn receive(&self, frame: Frame) -> io::Result<()> {
        let said = match frame.kind {
            Kind::Answer => Ok(frame.body),
            Kind::Refusal => {
                let why = String::from_utf8_lossy(&frame.body).into_owned();
                Err(AskError::Refused(why))
            }
            Kind::GivenUp => Err(AskError::Lost),
            Kind::Ask => return Err(io::Error::other("a question where only answers come")),
        };
        // Who gave up waiting has taken the call out.
        if let Some(say) = self.waiting().remove(&frame.call) {
            let _ = say.send(said);
        }
        Ok(())
    }
}

/// Tells all who wait, when the connection has ended.
struct Ending(Arc<Link>);

impl Drop for Ending {
    fn drop(&mut self) {
        // In this order: a call that is entered after the second step is not sent.
        self.0.outbox.end();
        self.0.waiting().clear();
    }
}

/// A call that is waited for.
struct Asking<'a> {
    link: &'a Link,
    call: u64,
}

impl Asking<'_> {
    /// Takes the call out without a word.
    fn forget(&self) {
        self.link.waiting().remove(&self.call);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.link.waiting().remove(&self.call).is_some() {
            // A connection that has ended, or is full, needs no such word.
            let _ = self.link.outbox.put(self.call, Kind::GivenUp, &[]);
        }
    }
}
