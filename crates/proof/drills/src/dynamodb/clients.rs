//! The drill's clients, and what they write down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate_oracle::WriteId;
use quorate_oracle::ledger::{Attempt, History, Outcome};
use quorate_oracle::linearizability::{Action, Answer, Operation};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::dynamodb::DynamoDbDrill;
use crate::dynamodb::table::{DrillTable, Freshness, Reply};

/// Keys that all clients share: few, so that they meet.
const KEYS: u64 = 4;
/// Pause of a client between two operations.
const PAUSE: Duration = Duration::from_millis(3);

/// An eventual read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventualRead {
    pub(crate) key: String,
    pub(crate) start_us: u64,
    pub(crate) end_us: u64,
    /// What was there; or the error.
    pub(crate) found: Result<Option<u64>, String>,
}

/// All that the clients did.
#[derive(Debug, Clone, Default)]
pub(crate) struct DynamoDbHistory {
    pub(crate) operations: Vec<Operation>,
    pub(crate) eventual: Vec<EventualRead>,
    pub(crate) ledger: History,
    /// How often each error came.
    pub(crate) errors: BTreeMap<String, u64>,
}

/// Clients at work.
pub(crate) struct Clients {
    begun: Instant,
    history: Arc<Mutex<DynamoDbHistory>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Clients {
    pub(crate) fn start(table: &Arc<dyn DrillTable>, drill: &DynamoDbDrill) -> Clients {
        let stop = watch::Sender::new(false);
        let history = Arc::new(Mutex::new(DynamoDbHistory::default()));
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for client in 0..drill.clients.clamp(1, 256) {
            let client = Client {
                client,
                table: table.clone(),
                history: history.clone(),
                begun,
                draws: Draws(drill.seed ^ (u64::from(client) << 32)),
                written: 0,
                seen: BTreeMap::new(),
                strong: if drill.broken_reads {
                    Freshness::Eventual
                } else {
                    Freshness::Strong
                },
            };
            tasks.spawn(client.run(stop.subscribe()));
        }
        Clients {
            begun,
            history,
            stop,
            tasks,
        }
    }

    /// Microseconds on the history's clock.
    pub(crate) fn now_us(&self) -> u64 {
        micros(self.begun)
    }

    /// Tells the clients to stop, waits for them, and returns what they wrote down.
    pub(crate) async fn stop(mut self) -> DynamoDbHistory {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a client of the drill did not end in order");
            }
        }
        std::mem::take(&mut *self.history.lock().expect("no holder panics"))
    }
}

fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Numbers drawn from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

struct Client {
    client: u32,
    table: Arc<dyn DrillTable>,
    history: Arc<Mutex<DynamoDbHistory>>,
    begun: Instant,
    draws: Draws,
    /// Values and ledger items that were tried.
    written: u64,
    /// What was last seen under each key.
    seen: BTreeMap<String, Option<u64>>,
    strong: Freshness,
}

impl Client {
    async fn run(mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let key = format!("key-{}", self.draws.below(KEYS));
            match self.draws.below(10) {
                0..2 => self.operate(key, Action::Put(0)).await,
                2..4 => {
                    let expected = self.seen.get(&key).copied().flatten();
                    let swap = Action::CompareAndSet { expected, value: 0 };
                    self.operate(key, swap).await;
                }
                4..7 => self.operate(key, Action::Read).await,
                7 => self.read_eventually(key).await,
                _ => self.append().await,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn next(&mut self) -> WriteId {
        self.written += 1;
        WriteId::of(self.client, self.written)
    }

    fn note(&self, error: Option<&String>, write_down: impl FnOnce(&mut DynamoDbHistory)) {
        let mut history = self.history.lock().expect("no holder panics");
        if let Some(error) = error {
            *history.errors.entry(error.clone()).or_default() += 1;
        }
        write_down(&mut history);
    }

    /// An operation that has a place in the order of its key. Values are put in here, so that each is written once.
    async fn operate(&mut self, key: String, action: Action) {
        let value = self.next().0;
        let start_us = micros(self.begun);
        let (table, client) = (self.table.clone(), self.client);
        let (action, reply) = match action {
            Action::Put(_) => (Action::Put(value), table.put(client, &key, value).await),
            Action::CompareAndSet { expected, .. } => (
                Action::CompareAndSet { expected, value },
                table.compare_and_set(client, &key, expected, value).await,
            ),
            Action::Read => (Action::Read, table.read(client, &key, self.strong).await),
        };
        let end_us = micros(self.begun);
        let (answer, error) = match reply {
            Reply::Done => (Answer::Done, None),
            Reply::Found(found) => {
                self.seen.insert(key.clone(), found);
                (Answer::Found(found), None)
            }
            Reply::Failed(e) => (Answer::Failed, Some(e)),
            Reply::Unknown(e) => (Answer::Unknown, Some(e)),
        };
        let operation = Operation {
            key,
            client,
            start_us,
            end_us,
            action,
            answer,
        };
        self.note(error.as_ref(), |history| history.operations.push(operation));
    }

    async fn read_eventually(&mut self, key: String) {
        let start_us = micros(self.begun);
        let reply = self
            .table
            .read(self.client, &key, Freshness::Eventual)
            .await;
        let end_us = micros(self.begun);
        let found = match reply {
            Reply::Found(found) => Ok(found),
            Reply::Done => Err(String::from("a read was answered as a write")),
            Reply::Failed(e) | Reply::Unknown(e) => Err(e),
        };
        let error = found.as_ref().err().map(|e| format!("eventual read: {e}"));
        let read = EventualRead {
            key,
            start_us,
            end_us,
            found,
        };
        self.note(error.as_ref(), |history| history.eventual.push(read));
    }

    async fn append(&mut self) {
        let id = self.next();
        let start_us = micros(self.begun);
        let reply = self.table.append(self.client, id).await;
        let end_us = micros(self.begun);
        let (outcome, error) = match reply {
            Reply::Done => (Outcome::Acknowledged, None),
            // Nobody else writes this key: the condition failed because of this very write, tried again on its way.
            Reply::Found(_) => (Outcome::Unknown, Some(String::from("appended twice"))),
            Reply::Failed(e) => (Outcome::Failed, Some(e)),
            Reply::Unknown(e) => (Outcome::Unknown, Some(e)),
        };
        let attempt = Attempt {
            id,
            start_us,
            end_us,
            outcome,
        };
        self.note(error.as_ref(), |history| {
            history.ledger.attempts.push(attempt)
        });
    }
}
