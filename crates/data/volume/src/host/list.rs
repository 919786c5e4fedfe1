//! The answer to whoever asks which pages a segment has.

use std::sync::Arc;

use crate::calls::{ListFrom, ListedPages, PagesListed, SegmentError};
use crate::host::cell::disk;
use crate::host::segment_host::SegmentHost;
use crate::protocol::PageId;

/// Pages of one answer. They travel as runs.
const PAGES_MAX: usize = 64 << 10;

impl SegmentHost {
    pub(super) async fn list(self: Arc<Self>, from: ListFrom) -> Result<PagesListed, String> {
        Ok(self.listed(from).await)
    }

    async fn listed(&self, from: ListFrom) -> PagesListed {
        let cell = self.cell(&from.segment)?;
        {
            let mut state = cell.lock();
            let core = state.sound()?;
            if !core.reaches(from.need) {
                return Err(SegmentError::Behind(core.scl()));
            }
        }
        let store = self.store.clone();
        let listing = tokio::task::spawn_blocking(move || {
            store.list_pages(&from.segment, from.from, from.at, PAGES_MAX)
        });
        let listed = listing.await.expect("listing pages does not panic");
        let (pages, next) = listed.map_err(|e| disk(&e))?;
        let runs = runs_of(&pages);
        Ok(ListedPages { runs, next })
    }
}

/// Ascending pages as runs of such as follow each other.
fn runs_of(pages: &[PageId]) -> Vec<(PageId, u64)> {
    let mut runs: Vec<(PageId, u64)> = Vec::new();
    for page in pages {
        match runs.last_mut() {
            Some((first, count)) if first.0 + *count == page.0 => *count += 1,
            _ => runs.push((*page, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_follow_each_other_are_one_run() {
        let pages = [3, 4, 5, 9, 11, 12].map(PageId);
        let runs = [(PageId(3), 3), (PageId(9), 1), (PageId(11), 2)];
        assert_eq!(runs_of(&pages), runs);
        assert_eq!(runs_of(&[]), []);
    }
}
