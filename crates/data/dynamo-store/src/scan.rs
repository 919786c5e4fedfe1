//! Scans: all rows of a range of hash positions.

use fjall::Readable;
use quorate_dynamo_lang::Item;
use serde::{Deserialize, Serialize};

use crate::error::ReadError;
use crate::layout;
use crate::page::{self, IndexRef, Page, Reader, Wanted};
use crate::partition::Partition;
use crate::spec::HashRange;

/// A scan of one page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScanPlan {
    /// Which rows.
    pub index: IndexRef,
    /// Of which positions; the part that this partition has of them is read.
    pub range: HashRange,
    /// Behind this row: the `last` of the page before. A row of a lower position than the range is no hindrance.
    pub start: Option<Item>,
    /// What of them.
    pub wanted: Wanted,
}

impl Partition {
    /// One page of a scan, in the order of hash positions. The rows that follow this partition's are not known here:
    /// without a `last`, the caller goes on with the partition of the next positions.
    ///
    /// # Errors
    /// When the start key does not fit the schema, or the store failed.
    pub fn scan(&self, plan: &ScanPlan) -> Result<Page, ReadError> {
        let inner = &self.inner;
        let state = inner.serving()?;
        let spec = state.spec();
        let range = HashRange {
            first: plan.range.first.max(spec.range.first),
            last: plan.range.last.min(spec.range.last),
        };
        let space = page::space_of(spec, plan.index)?;
        let (mut from, to) = layout::positions(spec.table, space, range);
        if let Some(start) = &plan.start {
            let mut behind = page::start_row(spec, plan.index, start)?;
            behind.push(0);
            from = from.max(behind);
        }
        if range.first > range.last || from >= to {
            return Ok(Page::default());
        }
        let moment = inner.shared.db.snapshot();
        let reader = Reader {
            inner,
            state: &state,
            moment: &moment,
            index: plan.index,
            wanted: &plan.wanted,
        };
        reader.page(moment.range(&inner.shared.rows, from..to))
    }
}
