//! Clients: puts, conditional puts, counters, items that are written once, strong reads; what they were told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quorate_dynamo_lang::json::read_item;
use quorate_dynamo_lang::{AttributeValue, Condition, ConditionKind, Item, Placeholders, Update};
use quorate_dynamo_store::{HashRange, WriteOp};
use quorate_oracle::linearizability::{Action, Answer, Operation};
use quorate_region::transport::CallError;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::catalog::{Catalog, spec};
use crate::site::{Ask, Said};
use crate::stage::Stage;

const REGISTERS: u32 = 4;
const COUNTERS: u32 = 2;
/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(3_500);
/// How long an operation is tried that was surely not done.
const TRY_FOR_US: u64 = 3_000_000;

/// What became of one write of a kind that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    NotDone,
    Unknown,
}

/// What all clients were told.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) operations: Vec<Operation>,
    /// Items that are written once.
    pub(crate) uniques: BTreeMap<String, Fate>,
    /// Additions that were acknowledged, and those that nobody knows of.
    pub(crate) added: BTreeMap<String, (u64, u64)>,
    /// What counters showed at the end.
    pub(crate) shown: BTreeMap<String, u64>,
    /// Whether an item of those that are written once was there at the end.
    pub(crate) found: BTreeMap<String, bool>,
    pub(crate) acknowledged: u64,
    last_seen: BTreeMap<String, Option<u64>>,
    pub(crate) stops: bool,
    pub(crate) at_work: u32,
}

/// A client's view of the world. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) stage: Stage,
    pub(crate) catalog: Arc<Mutex<Catalog>>,
    pub(crate) history: Arc<Mutex<History>>,
    hints: Arc<Mutex<BTreeMap<u64, usize>>>,
}

/// The answer to a request that was tried as often as it was surely not done.
pub(crate) enum Tried {
    Said(Said),
    NotDone,
    Unknown,
}

fn key_item(key: &str) -> Item {
    read_item(format!(r#"{{"pk":{{"S":"{key}"}}}}"#).as_bytes()).expect("an item")
}

fn placeholders(name: &str, value: u64) -> Placeholders {
    let values = format!(r#"{{"{name}":{{"N":"{value}"}}}}"#);
    let values = read_item(values.as_bytes()).expect("values");
    Placeholders::new(None, Some(values)).expect("placeholders")
}

fn condition(expected: Option<u64>) -> Condition {
    let kind = ConditionKind::Condition;
    let parsed = match expected {
        Some(value) => Condition::parse(kind, "v = :e", &mut placeholders(":e", value)),
        None => {
            let mut none = Placeholders::new(None, None).expect("placeholders");
            Condition::parse(kind, "attribute_not_exists(pk)", &mut none)
        }
    };
    parsed.expect("a condition")
}

fn put(key: &str, value: u64, condition: Option<Condition>) -> WriteOp {
    let text = format!(r#"{{"pk":{{"S":"{key}"}},"v":{{"N":"{value}"}}}}"#);
    let item = read_item(text.as_bytes()).expect("an item");
    WriteOp::Put { item, condition }
}

fn add(key: &str) -> WriteOp {
    WriteOp::Update {
        key: key_item(key),
        update: Update::parse("ADD v :one", &mut placeholders(":one", 1)).expect("an update"),
        condition: None,
    }
}

/// The number that an item holds.
pub(crate) fn value_of(item: Option<&Item>) -> Option<u64> {
    match item?.get("v")? {
        AttributeValue::N(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

impl Outside {
    pub(crate) fn new(stage: Stage, catalog: Arc<Mutex<Catalog>>) -> Outside {
        Outside {
            stage,
            catalog,
            history: Arc::default(),
            hints: Arc::default(),
        }
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no holder panics")
    }

    pub(crate) fn hints(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.hints.lock().expect("no holder panics")
    }

    pub(crate) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().expect("no holder panics")
    }

    /// Asks once, at the node that led last or at any.
    pub(crate) async fn ask_leader(
        &self,
        number: u64,
        ask: &Ask,
        timeout: Duration,
        rng: &mut ChaCha8Rng,
    ) -> (usize, Tried) {
        let hint = self.hints().get(&number).copied();
        let voters: Vec<usize> = match self.catalog().partitions.get(&number) {
            Some(placement) => placement.placed.iter().copied().collect(),
            None => return (0, Tried::NotDone),
        };
        let any = voters[rng.random_range(0..voters.len())];
        let to = hint.filter(|n| voters.contains(n)).unwrap_or(any);
        let bytes = postcard::to_stdvec(ask).expect("questions are plain data");
        let answer = self.stage.ask_from_outside(to, bytes, timeout).await;
        let tried = match answer {
            Ok(bytes) => match postcard::from_bytes(&bytes) {
                Ok(Said::NotDone(_)) => Tried::NotDone,
                Ok(Said::Unknown(_)) | Err(_) => Tried::Unknown,
                Ok(said) => Tried::Said(said),
            },
            Err(CallError::NoAnswer { .. }) => Tried::Unknown,
            Err(_) => Tried::NotDone,
        };
        if matches!(tried, Tried::Said(_)) {
            self.hints().insert(number, to);
        } else {
            self.hints().remove(&number);
        }
        (to, tried)
    }

    async fn tried(
        &self,
        key: &str,
        ask: impl Fn(u64) -> Ask,
        again: bool,
        rng: &mut ChaCha8Rng,
    ) -> Tried {
        let position = spec(HashRange::ALL)
            .item_key(&key_item(key))
            .map_or(0, |key| key.position());
        let until_us = self.stage.now_us() + TRY_FOR_US;
        loop {
            let number = self.catalog().locate(position).map(|(number, _)| number);
            let number = number.expect("every position has a partition");
            let ask = ask(number);
            let asked = self.ask_leader(number, &ask, ANSWER_TIMEOUT, rng);
            match asked.await.1 {
                Tried::Said(said) => return Tried::Said(said),
                Tried::Unknown if !again => return Tried::Unknown,
                Tried::Unknown | Tried::NotDone => {}
            }
            if self.stage.now_us() > until_us && !again {
                return Tried::NotDone;
            }
            let pause = rng.random_range(10..80);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn write(&self, key: &str, write: &WriteOp, rng: &mut ChaCha8Rng) -> Tried {
        let ask = |number| Ask::Write(number, Box::new(write.clone()));
        self.tried(key, ask, false, rng).await
    }

    /// One client, until it is told to stop.
    pub(crate) async fn run_client(self, client: u32, seed: u64) {
        self.history().at_work += 1;
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (u64::from(client) << 32));
        let mut serial = u64::from(client) * 1_000_000;
        while !self.history().stops {
            let pause = rng.random_range(5..120);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            serial += 1;
            match rng.random_range(0..10) {
                0 => self.count(&mut rng).await,
                1 | 2 => self.write_once(client, serial, &mut rng).await,
                kind => self.use_register(client, serial, kind, &mut rng).await,
            }
        }
        self.history().at_work -= 1;
    }

    async fn count(&self, rng: &mut ChaCha8Rng) {
        let key = format!("c{}", rng.random_range(0..COUNTERS));
        let tried = self.write(&key, &add(&key), rng).await;
        let mut history = self.history();
        let (acknowledged, unknown) = history.added.entry(key).or_default();
        match tried {
            Tried::Said(Said::Written) => {
                *acknowledged += 1;
                history.acknowledged += 1;
            }
            Tried::NotDone => {}
            Tried::Said(_) | Tried::Unknown => *unknown += 1,
        }
    }

    async fn write_once(&self, client: u32, serial: u64, rng: &mut ChaCha8Rng) {
        let key = format!("u{client}-{serial}");
        let tried = self.write(&key, &put(&key, serial, None), rng).await;
        let fate = match tried {
            Tried::Said(Said::Written) => Fate::Done,
            Tried::NotDone => Fate::NotDone,
            Tried::Said(_) | Tried::Unknown => Fate::Unknown,
        };
        let mut history = self.history();
        history.acknowledged += u64::from(fate == Fate::Done);
        history.uniques.insert(key, fate);
    }

    async fn use_register(&self, client: u32, value: u64, kind: u32, rng: &mut ChaCha8Rng) {
        let key = format!("r{}", rng.random_range(0..REGISTERS));
        let start_us = self.stage.now_us();
        let expected = self.history().last_seen.get(&key).copied().flatten();
        let (action, tried) = match kind {
            3 | 4 => {
                let tried = self.write(&key, &put(&key, value, None), rng).await;
                (Action::Put(value), tried)
            }
            5 | 6 => {
                let write = put(&key, value, Some(condition(expected)));
                let tried = self.write(&key, &write, rng).await;
                (Action::CompareAndSet { expected, value }, tried)
            }
            _ => {
                let ask = |number| Ask::Get(number, key_item(&key));
                (Action::Read, self.tried(&key, ask, false, rng).await)
            }
        };
        let answer = match tried {
            Tried::Said(Said::Written) => Answer::Done,
            Tried::Said(Said::Item(item) | Said::ConditionFailed(item)) => {
                Answer::Found(value_of(item.as_ref()))
            }
            Tried::NotDone => Answer::Failed,
            Tried::Said(_) | Tried::Unknown => Answer::Unknown,
        };
        self.record(key, client, start_us, action, answer);
    }

    fn record(&self, key: String, client: u32, start_us: u64, action: Action, answer: Answer) {
        let end_us = self.stage.now_us();
        self.stage.note(format!(
            "client {client}: {key} {action:?} since {start_us}: {answer:?}"
        ));
        let mut history = self.history();
        let seen = match (action, answer) {
            (_, Answer::Found(found)) => Some(found),
            (Action::Put(value) | Action::CompareAndSet { value, .. }, Answer::Done) => {
                history.acknowledged += 1;
                Some(Some(value))
            }
            _ => None,
        };
        if let Some(seen) = seen {
            history.last_seen.insert(key.clone(), seen);
        }
        history.operations.push(Operation {
            key,
            client,
            start_us,
            end_us,
            action,
            answer,
        });
    }

    /// Reads everything once all is calm.
    pub(crate) async fn read_all(self, seed: u64) {
        self.history().at_work += 1;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let registers = (0..REGISTERS).map(|n| format!("r{n}"));
        for key in registers {
            let start_us = self.stage.now_us();
            let item = self.read(&key, &mut rng).await;
            let answer = Answer::Found(value_of(item.as_ref()));
            self.record(key, 99, start_us, Action::Read, answer);
        }
        for key in (0..COUNTERS).map(|n| format!("c{n}")) {
            let item = self.read(&key, &mut rng).await;
            let shown = value_of(item.as_ref()).unwrap_or(0);
            self.history().shown.insert(key, shown);
        }
        let uniques: Vec<String> = self.history().uniques.keys().cloned().collect();
        for key in uniques {
            let found = self.read(&key, &mut rng).await.is_some();
            self.history().found.insert(key, found);
        }
        self.history().at_work -= 1;
    }

    async fn read(&self, key: &str, rng: &mut ChaCha8Rng) -> Option<Item> {
        let ask = |number| Ask::Get(number, key_item(key));
        match self.tried(key, ask, true, rng).await {
            Tried::Said(Said::Item(item)) => item,
            _ => None,
        }
    }
}
