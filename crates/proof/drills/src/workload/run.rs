//! Running the clients.

use std::sync::Arc;
use std::time::Duration;

use quorate_oracle::WriteId;
use quorate_oracle::ledger::History;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::workload::client::{Ledger, Session};
use crate::workload::recorder::Recorder;

/// How the clients behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkloadConfig {
    /// How many write at the same time; 1 to 10,000.
    pub clients: u32,
    /// Pause of a client between two writes.
    pub pause: Duration,
    /// First pause after a connection could not be made; doubled each time.
    pub backoff_min: Duration,
    /// Longest pause after a connection could not be made.
    pub backoff_max: Duration,
}

impl Default for WorkloadConfig {
    fn default() -> WorkloadConfig {
        WorkloadConfig {
            clients: 8,
            pause: Duration::from_millis(5),
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_millis(200),
        }
    }
}

/// Clients at work. Dropping it ends them without a history.
pub struct Workload {
    recorder: Arc<Recorder>,
    stop: watch::Sender<bool>,
    clients: JoinSet<()>,
}

impl Workload {
    /// Starts the clients.
    #[must_use]
    pub fn start(ledger: &Arc<dyn Ledger>, config: WorkloadConfig) -> Workload {
        let recorder = Arc::new(Recorder::new());
        let stop = watch::Sender::new(false);
        let mut clients = JoinSet::new();
        for client in 0..config.clients.clamp(1, 10_000) {
            let writer = Writer {
                client,
                number: 0,
                ledger: ledger.clone(),
                recorder: recorder.clone(),
                config,
                stop: stop.subscribe(),
            };
            clients.spawn(writer.run());
        }
        Workload {
            recorder,
            stop,
            clients,
        }
    }

    /// Microseconds on the history's clock.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.recorder.now_us()
    }

    /// Waits until a write that began at or after `at_us` is acknowledged; whether one was within the time.
    pub async fn acknowledged_since(&self, at_us: u64, within: Duration) -> bool {
        self.recorder.acknowledged_since(at_us, within).await
    }

    /// The history so far.
    #[must_use]
    pub fn history(&self) -> History {
        self.recorder.history()
    }

    /// Tells the clients to stop, waits until the last write has ended, and returns the history.
    pub async fn stop(mut self) -> History {
        self.stop.send_replace(true);
        while let Some(ended) = self.clients.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a client of the workload did not end in order");
            }
        }
        self.recorder.history()
    }
}

struct Writer {
    client: u32,
    number: u64,
    ledger: Arc<dyn Ledger>,
    recorder: Arc<Recorder>,
    config: WorkloadConfig,
    stop: watch::Receiver<bool>,
}

impl Writer {
    async fn run(mut self) {
        while let Some(session) = self.connect().await {
            self.write_on(session).await;
        }
    }

    /// Connects, however often that takes; none when told to stop.
    async fn connect(&mut self) -> Option<Box<dyn Session>> {
        let mut backoff = self.config.backoff_min;
        loop {
            if *self.stop.borrow() {
                return None;
            }
            match self.ledger.connect().await {
                Ok(session) => return Some(session),
                Err(error) => tracing::debug!(client = self.client, %error, "no connection"),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                _ = self.stop.changed() => {}
            }
            backoff = (backoff * 2).min(self.config.backoff_max);
        }
    }

    /// Writes until the session breaks, or told to stop.
    async fn write_on(&mut self, mut session: Box<dyn Session>) {
        while !*self.stop.borrow() {
            let id = WriteId::of(self.client, self.number);
            self.number += 1;
            let start_us = self.recorder.now_us();
            let end = session.write(id).await;
            self.recorder.note(id, start_us, end.outcome);
            if let Some(why) = &end.why {
                tracing::debug!(%id, outcome = ?end.outcome, why, "a write was not acknowledged");
            }
            if !end.session_usable {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.config.pause) => {}
                _ = self.stop.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use quorate_oracle::ledger::{Outcome, check_ledger};

    use super::*;
    use crate::region::Boxed;
    use crate::workload::client::WriteEnd;

    /// A ledger whose writes end as scripted, then are acknowledged.
    #[derive(Default)]
    struct Scripted {
        script: Arc<Mutex<VecDeque<Outcome>>>,
        rows: Arc<Mutex<Vec<WriteId>>>,
        refusals: Mutex<u32>,
    }

    struct ScriptedSession {
        script: Arc<Mutex<VecDeque<Outcome>>>,
        rows: Arc<Mutex<Vec<WriteId>>>,
    }

    impl Session for ScriptedSession {
        fn write(&mut self, id: WriteId) -> Boxed<'_, WriteEnd> {
            let end = match self.script.lock().unwrap().pop_front() {
                None | Some(Outcome::Acknowledged) => WriteEnd::acknowledged(),
                Some(Outcome::Failed) => WriteEnd::failed(String::from("refused")),
                Some(Outcome::Unknown) => WriteEnd::unknown(String::from("cut")),
            };
            if end.outcome != Outcome::Failed {
                self.rows.lock().unwrap().push(id);
            }
            Box::pin(std::future::ready(end))
        }
    }

    impl Ledger for Scripted {
        fn connect(&self) -> Boxed<'_, anyhow::Result<Box<dyn Session>>> {
            let mut refusals = self.refusals.lock().unwrap();
            let answer: anyhow::Result<Box<dyn Session>> = if *refusals > 0 {
                *refusals -= 1;
                Err(anyhow::anyhow!("nobody there"))
            } else {
                Ok(Box::new(ScriptedSession {
                    script: self.script.clone(),
                    rows: self.rows.clone(),
                }))
            };
            Box::pin(std::future::ready(answer))
        }

        fn read_back(&self) -> Boxed<'_, anyhow::Result<Vec<WriteId>>> {
            Box::pin(std::future::ready(Ok(self.rows.lock().unwrap().clone())))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clients_reconnect_and_never_use_a_write_twice() {
        let scripted = Scripted::default();
        let script = [
            Outcome::Unknown,
            Outcome::Failed,
            Outcome::Acknowledged,
            Outcome::Failed,
        ];
        scripted.script.lock().unwrap().extend(script);
        *scripted.refusals.lock().unwrap() = 5;
        let ledger: Arc<dyn Ledger> = Arc::new(scripted);
        let config = WorkloadConfig {
            clients: 3,
            ..WorkloadConfig::default()
        };
        let workload = Workload::start(&ledger, config);
        assert!(
            workload
                .acknowledged_since(500_000, Duration::from_secs(5))
                .await
        );
        let history = workload.stop().await;
        let rows = ledger.read_back().await.unwrap();
        let verdict = check_ledger(&history, &rows);
        assert!(verdict.is_kept(), "{verdict:?}");
        assert_eq!((verdict.failed, verdict.unknown_present), (2, 1));
        assert!(verdict.acknowledged > 10);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_an_acknowledgement_is_bounded() {
        let scripted = Scripted::default();
        *scripted.refusals.lock().unwrap() = u32::MAX;
        let ledger: Arc<dyn Ledger> = Arc::new(scripted);
        let workload = Workload::start(&ledger, WorkloadConfig::default());
        assert!(!workload.acknowledged_since(0, Duration::from_secs(2)).await);
        assert_eq!(workload.stop().await, History::default());
    }
}
