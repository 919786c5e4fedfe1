//! The drill on a table in memory: a right one, and wrong ones.

use std::collections::BTreeMap;
use std::sync::Mutex;

use quorate_base::ZoneName;

use super::*;
use crate::region::Boxed;

/// A table of one copy. `lag` writes of each key are not seen by eventual reads; every `drops`th append is lost.
#[derive(Default)]
struct MemoryTable {
    keys: Mutex<BTreeMap<String, Vec<u64>>>,
    rows: Mutex<Vec<WriteId>>,
    lag: usize,
    drops: Option<u64>,
}

fn ready<'a, T: Send + 'a>(value: T) -> Boxed<'a, T> {
    Box::pin(std::future::ready(value))
}

impl DrillTable for MemoryTable {
    fn create(&self) -> Boxed<'_, anyhow::Result<()>> {
        ready(Ok(()))
    }

    fn leader_zone(&self) -> Boxed<'_, anyhow::Result<ZoneName>> {
        ready(Ok("us-east-1a".parse().unwrap()))
    }

    fn put<'a>(&'a self, _client: u32, key: &'a str, value: u64) -> Boxed<'a, Reply> {
        let mut keys = self.keys.lock().unwrap();
        keys.entry(key.to_owned()).or_default().push(value);
        ready(Reply::Done)
    }

    fn compare_and_set<'a>(
        &'a self,
        _client: u32,
        key: &'a str,
        expected: Option<u64>,
        value: u64,
    ) -> Boxed<'a, Reply> {
        let mut keys = self.keys.lock().unwrap();
        let values = keys.entry(key.to_owned()).or_default();
        let there = values.last().copied();
        if there == expected {
            values.push(value);
            return ready(Reply::Done);
        }
        ready(Reply::Found(there))
    }

    fn read<'a>(&'a self, _client: u32, key: &'a str, freshness: Freshness) -> Boxed<'a, Reply> {
        let keys = self.keys.lock().unwrap();
        let values = keys.get(key).map_or(&[][..], Vec::as_slice);
        let lag = if freshness == Freshness::Eventual {
            self.lag
        } else {
            0
        };
        let at = values.len().checked_sub(1 + lag);
        ready(Reply::Found(at.map(|at| values[at])))
    }

    fn append(&self, _client: u32, id: WriteId) -> Boxed<'_, Reply> {
        let lost = self
            .drops
            .is_some_and(|every| id.number().is_multiple_of(every));
        if !lost {
            self.rows.lock().unwrap().push(id);
        }
        ready(Reply::Done)
    }

    fn ledger(&self) -> Boxed<'_, anyhow::Result<Vec<WriteId>>> {
        ready(Ok(self.rows.lock().unwrap().clone()))
    }

    fn remove(&self) -> Boxed<'_, anyhow::Result<()>> {
        ready(Ok(()))
    }
}

struct NoFaults;

impl FaultTarget for NoFaults {
    fn inject<'a>(
        &'a self,
        _: Fault,
        _: &'a ZoneName,
        _: &'a str,
    ) -> Boxed<'a, anyhow::Result<()>> {
        ready(Ok(()))
    }

    fn heal<'a>(&'a self, _: Fault, _: &'a ZoneName, _: &'a str) -> Boxed<'a, anyhow::Result<()>> {
        ready(Ok(()))
    }
}

async fn run(table: MemoryTable, broken_reads: bool) -> DynamoDbVerdict {
    let drill = DynamoDbDrill {
        seed: 7,
        broken_reads,
        ..DynamoDbDrill::default()
    };
    let table = Arc::new(table);
    run_dynamodb(table, &NoFaults, &drill, &|_, _| {})
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_right_table_keeps_all_promises() {
    let table = MemoryTable {
        lag: 2,
        ..MemoryTable::default()
    };
    let verdict = run(table, false).await;
    assert_eq!(verdict.exit_status(), EXIT_KEPT, "{verdict}");
    assert!(verdict.acknowledged > 1_000 && verdict.eventual_reads > 100);
    assert!(
        verdict.eventual_stale > 0,
        "eventual reads lag, and it shows"
    );
    assert!(verdict.to_string().contains("KEPT"));
}

#[tokio::test(start_paused = true)]
async fn strong_reads_that_are_eventual_are_caught() {
    let table = MemoryTable {
        lag: 1,
        ..MemoryTable::default()
    };
    let verdict = run(table, true).await;
    assert!(!verdict.linearizable);
    assert_eq!(verdict.exit_status(), EXIT_BROKEN);
    assert!(verdict.to_string().contains("BROKEN"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_item_is_caught() {
    let table = MemoryTable {
        drops: Some(100),
        ..MemoryTable::default()
    };
    let verdict = run(table, false).await;
    assert!(verdict.lost > 0 && verdict.linearizable);
    assert_eq!(verdict.exit_status(), EXIT_BROKEN);
}

use crate::verdict::{EXIT_BROKEN, EXIT_KEPT};
