//! A store in a folder of its own, and short ways to say what goes into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::{
    Change, GroupIndex, Lsn, PageId, Record, RecordHeader, SegmentId, Span, VolumeEpoch, VolumeId,
};

use super::super::{Entry, Following, FoundSegment, Keep, Options, SegmentStore};

pub(super) const PAGE_BYTES: u32 = 64;

pub(super) struct Fixture {
    pub(super) folder: tempfile::TempDir,
    pub(super) options: Options,
    store: Option<SegmentStore>,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        Fixture::with(Options::default())
    }

    /// Log files of a few entries, none of which is kept for longer than it has to be, and nothing in memory.
    pub(super) fn small() -> Fixture {
        Fixture::with(Options {
            log_file_bytes: 500,
            log_bytes_kept: 1_500,
            record_cache_bytes_max: 0,
            ..Options::default()
        })
    }

    pub(super) fn with(options: Options) -> Fixture {
        let mut fixture = Fixture {
            folder: tempfile::tempdir().unwrap(),
            options,
            store: None,
        };
        assert_eq!(fixture.reopen(), []);
        fixture
    }

    pub(super) fn store(&self) -> &SegmentStore {
        self.store.as_ref().unwrap()
    }

    pub(super) fn close(&mut self) {
        self.store = None;
    }

    pub(super) fn reopen(&mut self) -> Vec<FoundSegment> {
        self.close();
        self.options.faults = Arc::default();
        let (store, found) = open(self.folder.path(), &self.options);
        self.store = Some(store);
        found
    }

    /// Appends and waits.
    pub(super) fn append(&self, entries: Vec<Entry>) {
        let position = self.store().append(entries).unwrap();
        self.store().synced_blocking(position).unwrap();
    }

    pub(super) fn read(&self, copy: u32, page: u64, at: u64) -> Bytes {
        let store = self.store();
        store
            .read_page(&segment(copy), PageId(page), Lsn(at))
            .unwrap()
    }

    pub(super) fn coalesce(&self, copy: u32, up_to: u64, keep_from: u64) -> u64 {
        let store = self.store();
        let reached = store.coalesce(
            &segment(copy),
            Lsn(up_to),
            &super::fixture::keep_from(keep_from),
        );
        reached.unwrap().0
    }

    pub(super) fn lsns(&self, copy: u32, above: u64) -> Vec<u64> {
        let headers = self.store().headers(&segment(copy), Lsn(above)).unwrap();
        headers.iter().map(|header| header.lsn.0).collect()
    }

    pub(super) fn records(&self, copy: u32, after: u64) -> Following {
        self.store()
            .records(&segment(copy), Lsn(after), usize::MAX)
            .unwrap()
    }
}

pub(super) fn keep_from(from: u64) -> Keep {
    Keep {
        from: Lsn(from),
        points: Vec::new(),
    }
}

pub(super) fn open(folder: &Path, options: &Options) -> (SegmentStore, Vec<FoundSegment>) {
    SegmentStore::open(folder, options.clone()).unwrap()
}

pub(super) fn segment(copy: u32) -> SegmentId {
    SegmentId {
        volume: VolumeId(String::from("vol-1")),
        group: GroupIndex(0),
        copy,
    }
}

pub(super) fn create(copy: u32) -> Entry {
    Entry::Create {
        segment: segment(copy),
        page_bytes: PAGE_BYTES,
    }
}

pub(super) fn state(copy: u32, bytes: &'static str) -> Entry {
    Entry::State {
        segment: segment(copy),
        bytes: Bytes::from(bytes),
    }
}

pub(super) fn discard(copy: u32, above: u64, below_epoch: u64) -> Entry {
    Entry::Discard {
        segment: segment(copy),
        above: Lsn(above),
        below_epoch: VolumeEpoch(below_epoch),
    }
}

/// A record of epoch 1 that follows the LSN before it.
pub(super) fn record(copy: u32, lsn: u64, page: u64, change: Change) -> Entry {
    record_of_epoch(copy, lsn, 1, page, change)
}

pub(super) fn record_of_epoch(copy: u32, lsn: u64, epoch: u64, page: u64, change: Change) -> Entry {
    Entry::Record {
        segment: segment(copy),
        record: Record {
            header: RecordHeader {
                lsn: Lsn(lsn),
                previous: Lsn(lsn - 1),
                epoch: VolumeEpoch(epoch),
                consistency_point: true,
            },
            page: PageId(page),
            change,
        },
    }
}

pub(super) fn bytes_at(offset: u32, bytes: &'static str) -> Change {
    Change::Spans(vec![Span {
        offset,
        bytes: Bytes::from(bytes),
    }])
}

pub(super) fn image(bytes: &'static str) -> Change {
    Change::Image(Bytes::from(bytes))
}

/// A page that starts so and goes on with zeros.
pub(super) fn page(start: &str) -> Bytes {
    let mut page = start.as_bytes().to_vec();
    page.resize(PAGE_BYTES as usize, 0);
    Bytes::from(page)
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The log's files, oldest first.
pub(super) fn log_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("log")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
