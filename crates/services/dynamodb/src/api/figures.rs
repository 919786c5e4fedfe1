//! How much tables hold, as far as it is known.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::messages::{Answer, Op};
use crate::model::{IndexNumber, PartitionNumber, TableNumber};
use crate::routing::{Destination, PartitionCalls};

/// For so long figures are shown again before partitions are asked anew.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Longest wait for the partitions of one table; what has not answered keeps its last figures.
const ASK_TIMEOUT: Duration = Duration::from_millis(250);
/// Tables whose figures are kept; beyond, the stale ones are forgotten.
const TABLES_MAX: usize = 1_000;

/// What the API asks about the items that it does not see.
pub trait TableFigures: Send + Sync {
    /// Brings the figures of the table of that name forward, as far as its partitions answer soon. AWS's `ItemCount` and
    /// `TableSizeBytes` are hours old; these are a second old.
    fn refresh<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// Items and bytes of a table (`IndexNumber::TABLE`) or of one of its global indexes, by the last answers of its
    /// partitions.
    fn figures(&self, table: TableNumber, index: IndexNumber) -> (u64, u64);
}

/// Where nothing reports: everything is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFigures;

impl TableFigures for NoFigures {
    fn refresh<'a>(&'a self, _name: &'a str) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn figures(&self, _table: TableNumber, _index: IndexNumber) -> (u64, u64) {
        (0, 0)
    }
}

/// Figures that the partitions themselves give, when they are asked for.
pub struct PartitionFigures {
    calls: Arc<PartitionCalls>,
    tables: Mutex<HashMap<TableNumber, Held>>,
}

/// What one partition holds.
#[derive(Debug, Clone, Copy)]
struct Counted {
    index: IndexNumber,
    items: u64,
    bytes: u64,
}

/// The last answers of a table's partitions.
#[derive(Debug)]
struct Held {
    asked_at: Instant,
    partitions: HashMap<PartitionNumber, Counted>,
}

impl PartitionFigures {
    /// Figures of the region that is called so.
    #[must_use]
    pub fn new(calls: Arc<PartitionCalls>) -> PartitionFigures {
        PartitionFigures {
            calls,
            tables: Mutex::default(),
        }
    }

    /// Whether to ask now; then nobody else does for a while.
    fn is_due(&self, table: TableNumber) -> bool {
        let now = Instant::now();
        let mut tables = self.tables.lock().expect("no holder panics");
        if tables.len() >= TABLES_MAX {
            tables.retain(|_, held| now - held.asked_at < FRESH_FOR);
        }
        match tables.get_mut(&table) {
            Some(held) if now - held.asked_at < FRESH_FOR => false,
            Some(held) => {
                held.asked_at = now;
                true
            }
            None => {
                let held = Held {
                    asked_at: now,
                    partitions: HashMap::new(),
                };
                tables.insert(table, held);
                true
            }
        }
    }

    async fn ask(&self, name: &str) {
        let Ok(Some(route)) = self.calls.table(name) else {
            return;
        };
        let record = &route.table.record;
        if !self.is_due(record.number) {
            return;
        }
        let global = record.global_indexes.iter().map(|index| index.number);
        let mut under_way = JoinSet::new();
        let mut current = Vec::new();
        for index in global.chain([IndexNumber::TABLE]) {
            for partition in route.all(index) {
                current.push(partition.number);
                let (calls, number) = (self.calls.clone(), partition.number);
                under_way.spawn(async move {
                    let to = Destination::Partition(number);
                    (number, index, calls.repeat(&to, Op::Measure).await)
                });
            }
        }
        let deadline = tokio::time::Instant::now() + ASK_TIMEOUT;
        while let Ok(Some(joined)) = tokio::time::timeout_at(deadline, under_way.join_next()).await
        {
            if let Ok((number, index, Ok(Answer::Measured(measured)))) = joined {
                let counted = Counted {
                    index,
                    items: measured.items,
                    bytes: measured.bytes,
                };
                self.note(record.number, number, counted);
            }
        }
        let mut tables = self.tables.lock().expect("no holder panics");
        if let Some(held) = tables.get_mut(&record.number) {
            held.partitions.retain(|number, _| current.contains(number));
        }
    }

    fn note(&self, table: TableNumber, partition: PartitionNumber, counted: Counted) {
        let mut tables = self.tables.lock().expect("no holder panics");
        if let Some(held) = tables.get_mut(&table) {
            held.partitions.insert(partition, counted);
        }
    }
}

impl TableFigures for PartitionFigures {
    fn refresh<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.ask(name))
    }

    fn figures(&self, table: TableNumber, index: IndexNumber) -> (u64, u64) {
        let tables = self.tables.lock().expect("no holder panics");
        let held = tables.get(&table);
        let counted = held.into_iter().flat_map(|held| held.partitions.values());
        counted
            .filter(|counted| counted.index == index)
            .fold((0, 0), |(items, bytes), counted| {
                (items + counted.items, bytes + counted.bytes)
            })
    }
}
