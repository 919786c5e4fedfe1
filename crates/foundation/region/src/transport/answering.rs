//! The answering side of one connection: which calls are under way.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::task::AbortHandle;

use super::MESSAGE_BYTES_MAX;
use super::duplex::Outbox;
use super::frame::{self, Frame, Kind};
use super::server::{Handling, Requester, Router};

/// Calls of one connection that are under way at a time.
const CALLS_MAX: usize = 4_096;

/// What the calls of a connection share.
#[derive(Default)]
struct Calls {
    outbox: Outbox,
    running: Mutex<HashMap<u64, AbortHandle>>,
}

impl Calls {
    fn running(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.running.lock().expect("no holder panics")
    }

    fn say(&self, call: u64, kind: Kind, what: &[u8]) {
        // When the connection has ended, or the caller reads nothing, nobody waits for it.
        let _ = self.outbox.put(call, kind, &[what]);
    }

    fn answer(&self, call: u64, answer: Result<Vec<u8>, String>) {
        match answer {
            Ok(answer) if answer.len() > MESSAGE_BYTES_MAX => {
                let why = format!("the answer is larger than {MESSAGE_BYTES_MAX} bytes");
                self.say(call, Kind::Refusal, why.as_bytes());
            }
            Ok(answer) => self.say(call, Kind::Answer, &answer),
            Err(why) => self.say(call, Kind::Refusal, why.as_bytes()),
        }
    }
}

/// Answers the calls of one connection. What can be answered at once is; what has to wait gets a task of its own. When
/// this is dropped they end.
pub(super) struct Answering {
    router: Arc<Router>,
    requester: Requester,
    calls: Arc<Calls>,
}

impl Answering {
    pub(super) fn new(router: Arc<Router>, requester: Requester) -> Answering {
        Answering {
            router,
            requester,
            calls: Arc::default(),
        }
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.calls.outbox
    }

    /// Takes a frame of the caller.
    pub(super) fn receive(&self, frame: Frame) -> io::Result<()> {
        match frame.kind {
            Kind::Ask => self.begin(frame),
            Kind::GivenUp => {
                if let Some(running) = self.calls.running().remove(&frame.call) {
                    running.abort();
                }
                Ok(())
            }
            Kind::Answer | Kind::Refusal => {
                Err(io::Error::other("an answer where only questions come"))
            }
        }
    }

    fn begin(&self, frame: Frame) -> io::Result<()> {
        let call = frame.call;
        let (method, question) = frame::split_question(frame.body).map_err(io::Error::other)?;
        if self.calls.running().len() >= CALLS_MAX {
            let why = "too many calls of one process are under way";
            self.calls.say(call, Kind::Refusal, why.as_bytes());
            return Ok(());
        }
        let requester = self.requester.clone();
        let Some(mut handling) = self.router.handle(&method, requester, question) else {
            let why = format!("no method {}", String::from_utf8_lossy(&method));
            self.calls.say(call, Kind::Refusal, why.as_bytes());
            return Ok(());
        };
        match begin(&mut handling) {
            Ok(Poll::Ready(answer)) => self.calls.answer(call, answer),
            Ok(Poll::Pending) => {
                // The task takes itself out of the list under the same lock, so after it was put in.
                let mut running = self.calls.running();
                let waiting = tokio::spawn(wait(self.calls.clone(), call, handling));
                running.insert(call, waiting.abort_handle());
            }
            Err(_) => self.calls.say(call, Kind::GivenUp, &[]),
        }
        Ok(())
    }
}

/// Works on an answer until it has to wait for something. Nothing wakes it here: who waits for it looks again first.
fn begin(handling: &mut Handling) -> std::thread::Result<Poll<Result<Vec<u8>, String>>> {
    let mut context = Context::from_waker(Waker::noop());
    catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(&mut context)))
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.calls.outbox.end();
        for (_, running) in self.calls.running().drain() {
            running.abort();
        }
    }
}

async fn wait(calls: Arc<Calls>, call: u64, handling: Handling) {
    let mut given_up = GivenUp {
        calls: &calls,
        call,
        said: false,
    };
    let answer = handling.await;
    calls.answer(call, answer);
    given_up.said = true;
}

/// Takes a call out of the list; says that there will be no answer when its handler panicked or was ended.
struct GivenUp<'a> {
    calls: &'a Calls,
    call: u64,
    said: bool,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.calls.running().remove(&self.call);
        if !self.said {
            self.calls.say(self.call, Kind::GivenUp, &[]);
        }
    }
}
