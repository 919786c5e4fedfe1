//! The answering side of one connection: which calls are under way.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

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
}

/// Answers the calls of one connection, each in a task of its own. When it is dropped they end.
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
        // The task takes itself out of the list under the same lock, so after it was put in.
        let mut running = self.calls.running();
        if running.len() >= CALLS_MAX {
            drop(running);
            let why = "too many calls of one process are under way";
            self.calls.say(call, Kind::Refusal, why.as_bytes());
            return Ok(());
        }
        let Some(handling) = self
            .router
            .handle(&method, self.requester.clone(), question)
        else {
            drop(running);
            let why = format!("no method {}", String::from_utf8_lossy(&method));
            self.calls.say(call, Kind::Refusal, why.as_bytes());
            return Ok(());
        };
        let answering = tokio::spawn(answer(self.calls.clone(), call, handling));
        running.insert(call, answering.abort_handle());
        Ok(())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.calls.outbox.end();
        for (_, running) in self.calls.running().drain() {
            running.abort();
        }
    }
}

async fn answer(calls: Arc<Calls>, call: u64, handling: Handling) {
    let mut given_up = GivenUp {
        calls: &calls,
        call,
        said: false,
    };
    let answer = handling.await.and_then(|answer| {
        let fits = answer.len() <= MESSAGE_BYTES_MAX;
        let too_large = || format!("the answer is larger than {MESSAGE_BYTES_MAX} bytes");
        fits.then_some(answer).ok_or_else(too_large)
    });
    match answer {
        Ok(answer) => calls.say(call, Kind::Answer, &answer),
        Err(why) => calls.say(call, Kind::Refusal, why.as_bytes()),
    }
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
