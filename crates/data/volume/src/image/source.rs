//! Which pages a view has, and their bytes.

use std::sync::Arc;

use bytes::Bytes;

use crate::pages::{Pages, PagesError};
use crate::protocol::PageId;
use crate::view::View;

/// Pages that are read at once.
const PAGES_AT_ONCE: u64 = 256;

/// The pages of a view, one run after the other. All calls block.
pub struct PageSource {
    view: Arc<View>,
    /// What is still to be read, the next one last.
    runs: Vec<(PageId, u64)>,
    pages: u64,
    pages_read: u64,
}

impl PageSource {
    /// Finds out which pages there are.
    ///
    /// # Errors
    /// When the segments of some group do not answer.
    pub fn new(view: Arc<View>) -> Result<PageSource, PagesError> {
        let mut runs = Vec::new();
        for group in view.groups() {
            let mut from = PageId(0);
            loop {
                let listed = view.list(group, from)?;
                runs.extend(listed.runs);
                match listed.next {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        let pages = runs.iter().map(|(_, count)| count).sum();
        runs.reverse();
        Ok(PageSource {
            view,
            runs,
            pages,
            pages_read: 0,
        })
    }

    /// How many pages were found at the beginning; some may turn out to be zeros.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// How many of them have been read.
    #[must_use]
    pub fn pages_read(&self) -> u64 {
        self.pages_read
    }

    /// The next pages, ascending, whole, those of zeros left out; none at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn next_pages(&mut self) -> Result<Option<Vec<(PageId, Bytes)>>, PagesError> {
        let mut wanted = Vec::new();
        while let Some((first, count)) = self.runs.pop() {
            let free = PAGES_AT_ONCE - wanted.len() as u64;
            let taken = count.min(free);
            wanted.extend((first.0..first.0 + taken).map(PageId));
            if taken < count {
                self.runs.push((PageId(first.0 + taken), count - taken));
            }
            if taken == free {
                break;
            }
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        let read = self.view.read_many(&wanted)?;
        self.pages_read += wanted.len() as u64;
        let pages = wanted.into_iter().zip(read);
        let pages = pages.filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0));
        Ok(Some(pages.collect()))
    }
}
