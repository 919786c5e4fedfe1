//! One copy as a running node has it: the segment as it is, and a store of records and pages in memory.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use quorate_volume::protocol::{
    Lsn, PageId, Pull, Record, RecordHeader, Sealed, Segment, SegmentState, Speaker, Stored,
};

use crate::disk::{Content, Entry};
use crate::message::{Followers, Page, Read};
use crate::rules::Rules;

/// Bytes of a page.
pub(crate) const PAGE_BYTES: usize = 16;

/// Pages, each with its last record.
pub(crate) type Pages = BTreeMap<PageId, (Lsn, Bytes)>;

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) segment: Segment,
    pub(crate) base: Lsn,
    pages: Pages,
    pub(crate) records: BTreeMap<Lsn, Record>,
    pub(crate) read_point: Lsn,
    /// What the store last wrote.
    written: SegmentState,
}

impl Live {
    pub(crate) fn start(content: Content) -> Live {
        let headers = content.records.values().map(|record| record.header);
        Live {
            segment: Segment::found(content.state.clone(), content.base, headers),
            base: content.base,
            pages: content.pages,
            records: content.records,
            read_point: Lsn(0),
            written: content.state,
        }
    }

    /// Does what the segment wants stored, and says what is to be synced.
    pub(crate) fn store(
        &mut self,
        stored: &Stored,
        incoming: &[Record],
        rules: Rules,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        let discard = if rules.keeps_void_records {
            Vec::new()
        } else {
            stored.discard.clone()
        };
        for (at, epoch) in &discard {
            self.records
                .retain(|lsn, record| *lsn <= *at || record.header.epoch >= *epoch);
        }
        if stored.state && !rules.forgets_state {
            self.written = self.segment.state().clone();
            entries.push(Entry::State {
                state: self.written.clone(),
                discard,
            });
        }
        for record in stored.records.iter().filter_map(|i| incoming.get(*i)) {
            self.records.insert(record.header.lsn, record.clone());
            entries.push(Entry::Record(record.clone()));
        }
        entries
    }

    /// Makes pages of what nobody reads as it was any more.
    pub(crate) fn coalesce(&mut self, rules: Rules) -> Option<Entry> {
        let base = self.segment.coalescible(self.read_point);
        if base <= self.base {
            return None;
        }
        let changed: Vec<PageId> = self.records.range(..=base).map(|(_, r)| r.page).collect();
        for page in changed {
            let (last, bytes) = self.build(page, base);
            self.pages.insert(page, (last, bytes));
        }
        Some(self.rest_on(base, rules))
    }

    fn rest_on(&mut self, base: Lsn, rules: Rules) -> Entry {
        self.segment.rebase(base);
        self.base = base;
        self.records = self.records.split_off(&base.next());
        if !rules.pages_without_state {
            self.written = self.segment.state().clone();
        }
        Entry::Pages {
            state: self.written.clone(),
            base,
            pages: self.pages.clone(),
        }
    }

    /// What the segment would say if it were sealed, without a promise.
    pub(crate) fn tell(&self) -> Option<Sealed> {
        let state = self.segment.state();
        let speaker = Speaker {
            epoch: state.promised,
            membership: state.membership,
        };
        let told = self.segment.clone().seal(speaker);
        told.ok().map(|(sealed, _)| sealed)
    }

    pub(crate) fn followers(&self, pull: Pull, records_max: usize) -> Followers {
        let above = pull.scl.max(self.base).next();
        let records = self.records.range(above..).take(records_max);
        Followers {
            history: self.segment.history_for(pull),
            records: records.map(|(_, record)| record.clone()).collect(),
            complete: self.segment.complete(),
            pages: (pull.scl < self.base).then(|| (self.base, self.pages.clone())),
        }
    }

    pub(crate) fn pulled(&mut self, followers: Followers, rules: Rules) -> Vec<Entry> {
        let headers: Vec<RecordHeader> = followers.records.iter().map(|r| r.header).collect();
        let stored = self.segment.pulled(
            followers.history.as_ref(),
            headers.iter(),
            followers.complete,
        );
        let mut entries = self.store(&stored, &followers.records, rules);
        if let Some((base, pages)) = followers.pages
            && base > self.segment.scl()
        {
            self.pages = pages;
            entries.push(self.rest_on(base, rules));
        }
        entries
    }

    pub(crate) fn read(&self, read: &Read, rules: Rules) -> Page {
        let of_view = RecordHeader {
            lsn: read.at,
            previous: Lsn(0),
            epoch: read.epoch,
            consistency_point: true,
        };
        if !rules.shows_overruled && self.segment.state().history.is_void(&of_view) {
            return Page::Overruled;
        }
        if !self.segment.reaches(read.need) {
            return Page::Behind;
        }
        let at = if rules.reads_above_tail {
            read.at
        } else {
            read.need
        };
        if self.pages.get(&read.page).is_some_and(|(lsn, _)| *lsn > at) {
            return Page::TooOld;
        }
        Page::Value(self.build(read.page, at).1)
    }

    /// A page as of `at`, and its last record.
    pub(crate) fn build(&self, page: PageId, at: Lsn) -> (Lsn, Bytes) {
        let (mut last, mut bytes) = match self.pages.get(&page) {
            Some((lsn, bytes)) => (*lsn, BytesMut::from(bytes.as_ref())),
            None => (Lsn(0), BytesMut::zeroed(PAGE_BYTES)),
        };
        let above = self.base.next();
        if above <= at {
            for (lsn, record) in self.records.range(above..=at) {
                if record.page == page {
                    assert!(record.change.apply(&mut bytes), "changes lie within pages");
                    last = *lsn;
                }
            }
        }
        (last, bytes.freeze())
    }
}
