//! Fills a volume with the pages of another one, and with what its log did to them since.
//!
//! The volume holds nothing whole before [`PageSink::finish`] has returned: whoever keeps its records says so only then.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::pages::{Content, PageWrite, Pages, PagesError, Point};
use crate::protocol::{Change, Lsn, PageId, Record};
use crate::view::View;
use crate::writer::Volume;

/// Pages that are written as one unit.
const PAGES_AT_ONCE: usize = 64;

/// Pages on their way into a volume. All calls block.
pub struct PageSink {
    volume: Arc<Volume>,
    waiting: Vec<PageWrite>,
    reached: Lsn,
}

impl PageSink {
    /// Discards what an earlier attempt has left, as `present`, a view of the volume from after its opening, has it.
    ///
    /// # Errors
    /// When the volume cannot be read or written.
    pub fn new(volume: Arc<Volume>, present: &View) -> Result<PageSink, PagesError> {
        let mut sink = PageSink {
            volume,
            waiting: Vec::new(),
            reached: Lsn(0),
        };
        for group in present.groups() {
            let mut from = PageId(0);
            loop {
                let listed = present.list(group, from)?;
                for (first, count) in listed.runs {
                    for page in first.0..first.0 + count {
                        sink.write(PageId(page), Content::Discard)?;
                    }
                }
                match listed.next {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        sink.flush()?;
        Ok(sink)
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_bytes(&self) -> usize {
        self.volume.page_bytes()
    }

    /// Adds a whole page.
    ///
    /// # Errors
    /// When the volume cannot be written.
    pub fn put(&mut self, page: PageId, bytes: Bytes) -> Result<(), PagesError> {
        assert_eq!(bytes.len(), self.volume.page_bytes(), "pages of one size");
        let content = Content::Bytes {
            offset: 0,
            data: bytes,
        };
        self.write(page, content)
    }

    /// Does what a record of a log did to its page.
    ///
    /// # Errors
    /// When the volume cannot be read or written.
    pub fn apply(&mut self, record: Record) -> Result<(), PagesError> {
        match record.change {
            Change::Mark => Ok(()),
            Change::Discard => self.write(record.page, Content::Discard),
            Change::Image(bytes) => {
                let mut page = BytesMut::from(&bytes[..]);
                page.resize(self.volume.page_bytes(), 0);
                self.put(record.page, page.freeze())
            }
            Change::Spans(spans) => spans.into_iter().try_for_each(|span| {
                let content = Content::Bytes {
                    offset: span.offset as usize,
                    data: span.bytes,
                };
                self.write(record.page, content)
            }),
        }
    }

    fn write(&mut self, page: PageId, content: Content) -> Result<(), PagesError> {
        self.waiting.push(PageWrite { page, content });
        if self.waiting.len() >= PAGES_AT_ONCE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PagesError> {
        let writes = std::mem::take(&mut self.waiting);
        if !writes.is_empty() {
            self.reached = self.volume.write(writes, Point::Consistent)?;
        }
        Ok(())
    }

    /// Waits until all of it survives whatever the volume survives.
    ///
    /// # Errors
    /// When that cannot be had.
    pub fn finish(mut self) -> Result<(), PagesError> {
        self.flush()?;
        self.volume.sync(self.reached)
    }
}
