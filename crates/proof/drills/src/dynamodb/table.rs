//! What the drill asks of a table.

use quorate_base::ZoneName;
use quorate_oracle::WriteId;

use crate::region::Boxed;

/// How fresh a read is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// `ConsistentRead`.
    Strong,
    /// Without it.
    Eventual,
}

/// What the API answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It was written.
    Done,
    /// What is there: the answer to a read, or to a conditional write whose condition does not hold.
    Found(Option<u64>),
    /// Surely not done.
    Failed(String),
    /// A 500, or no answer in time: a write may have been done.
    Unknown(String),
}

/// A table of the drill's own: items under a string key, with one number each.
pub trait DrillTable: Send + Sync {
    /// Makes the table and waits until it is active.
    fn create(&self) -> Boxed<'_, anyhow::Result<()>>;

    /// The zone of the node that leads the table's first partition at this moment.
    fn leader_zone(&self) -> Boxed<'_, anyhow::Result<ZoneName>>;

    /// Writes the value under the key, whatever is there. `client` names the connection.
    fn put<'a>(&'a self, client: u32, key: &'a str, value: u64) -> Boxed<'a, Reply>;

    /// Writes the value if `expected` is there; none for no item.
    fn compare_and_set<'a>(
        &'a self,
        client: u32,
        key: &'a str,
        expected: Option<u64>,
        value: u64,
    ) -> Boxed<'a, Reply>;

    /// Reads the value under the key.
    fn read<'a>(&'a self, client: u32, key: &'a str, freshness: Freshness) -> Boxed<'a, Reply>;

    /// Adds an item to the ledger, under a key of its own that is not there yet.
    fn append(&self, client: u32, id: WriteId) -> Boxed<'_, Reply>;

    /// All of the ledger, by a strong scan.
    fn ledger(&self) -> Boxed<'_, anyhow::Result<Vec<WriteId>>>;

    /// Removes the table.
    fn remove(&self) -> Boxed<'_, anyhow::Result<()>>;
}
