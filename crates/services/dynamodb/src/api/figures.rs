//! How much tables hold, as far as it is known.

use crate::model::{IndexNumber, TableNumber};

/// What the API asks about the items that it does not see.
pub trait TableFigures: Send + Sync {
    /// Items and bytes of a table (`IndexNumber::TABLE`) or of one of its indexes, by the last reports of its
    /// partitions. AWS's `ItemCount` and `TableSizeBytes` are hours old; these may be some seconds old.
    fn figures(&self, table: TableNumber, index: IndexNumber) -> (u64, u64);
}

/// Where nothing reports: everything is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFigures;

impl TableFigures for NoFigures {
    fn figures(&self, _table: TableNumber, _index: IndexNumber) -> (u64, u64) {
        (0, 0)
    }
}
