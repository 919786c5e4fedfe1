//! Filling a segment from another one's pages, scrubbing, mending.

use bytes::Bytes;

use super::super::{Entry, Following, StoreError};
use super::fixture::*;
use crate::protocol::{Lsn, PageId};

fn copy(fixture: &Fixture, from: u32, to: u32, base: u64) {
    let store = fixture.store();
    store.clear_pages(&segment(to)).unwrap();
    let mut next = Some(PageId(0));
    while let Some(from_page) = next {
        let (pages, rest) = store.pages(&segment(from), from_page, 1).unwrap();
        for (page, lsn, bytes) in pages {
            store.put_page(&segment(to), page, lsn, &bytes).unwrap();
        }
        next = rest;
    }
    store.set_base(&segment(to), Lsn(base)).unwrap();
    let Following::Records(rest) = fixture.records(from, base) else {
        panic!("they are not coalesced");
    };
    let entries = rest.into_iter().map(|record| Entry::Record {
        segment: segment(to),
        record,
    });
    fixture.append(entries.collect());
}

#[test]
fn a_segment_is_filled_from_pages_and_records() {
    let mut fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 0, image("one")),
        record(0, 2, 8, image("two")),
        record(0, 3, 4, image("three")),
        record(0, 4, 0, bytes_at(0, "O")),
        create(1),
        state(1, "kept"),
        record(1, 1, 3, image("of a life before")),
    ]);
    fixture.coalesce(1, 1, 1);
    fixture.coalesce(0, 3, 3);
    for _ in 0..2 {
        copy(&fixture, 0, 1, 3);
        let old = fixture.store().read_page(&segment(1), PageId(0), Lsn(2));
        assert!(matches!(old, Err(StoreError::TooOld { .. })));
        let found = fixture.reopen();
        assert_eq!(found[1].coalesced_to, Lsn(3));
        assert_eq!(found[1].state.as_deref(), Some(&b"kept"[..]));
        assert_eq!(found[1].headers.len(), 1);
        for (number, wanted) in [(0, "One"), (3, ""), (4, "three"), (8, "two")] {
            assert_eq!(fixture.read(1, number, 4), page(wanted));
        }
        assert_eq!(fixture.records(1, 2), Following::Gone { above: Lsn(3) });
    }
}

#[test]
fn a_damaged_page_is_told_and_mended() {
    let fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 0, image("zero")),
        record(0, 2, 1, image("one")),
        record(0, 3, 1, bytes_at(0, "O")),
        record(0, 4, 2, image("two")),
    ]);
    fixture.coalesce(0, 2, 2);
    let store = fixture.store();
    assert_eq!(
        store.scrub(&segment(0), PageId(0), 9).unwrap(),
        (vec![], None)
    );
    store.inner.pages.damage(1, PageId(1), Lsn(2));
    let (damaged, next) = store.scrub(&segment(0), PageId(0), 1).unwrap();
    assert_eq!((damaged, next), (vec![], Some(PageId(1))));
    let (damaged, next) = store.scrub(&segment(0), PageId(1), 9).unwrap();
    assert_eq!((damaged, next), (vec![(PageId(1), Lsn(2))], None));
    for damaged in [
        store.read_page(&segment(0), PageId(1), Lsn(4)).map(|_| ()),
        store
            .coalesce(&segment(0), Lsn(4), &keep_from(4))
            .map(|_| ()),
        store.pages(&segment(0), PageId(0), usize::MAX).map(|_| ()),
    ] {
        let Err(StoreError::BadPage { page, version, .. }) = damaged else {
            panic!("{damaged:?}");
        };
        assert_eq!((page, version), (PageId(1), Lsn(2)));
    }
    assert_eq!(fixture.read(0, 0, 4), page("zero"));
    store
        .put_page(&segment(0), PageId(1), Lsn(2), b"one")
        .unwrap();
    assert_eq!(fixture.read(0, 1, 4), page("One"));
    assert_eq!(fixture.coalesce(0, 4, 4), 4);
    assert_eq!(fixture.read(0, 1, 4), page("One"));
}

#[test]
fn a_page_is_mended_with_a_later_version() {
    let fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 1, image("one")),
        record(0, 2, 1, bytes_at(0, "O")),
        record(0, 3, 1, bytes_at(1, "N")),
        record(0, 4, 1, bytes_at(2, "E")),
    ]);
    fixture.coalesce(0, 1, 1);
    let store = fixture.store();
    store.inner.pages.damage(1, PageId(1), Lsn(1));
    store
        .put_page(&segment(0), PageId(1), Lsn(3), &page("ONe"))
        .unwrap();
    assert_eq!(fixture.read(0, 1, 3), page("ONe"));
    let old = store.read_page(&segment(0), PageId(1), Lsn(2));
    assert!(matches!(old, Err(StoreError::TooOld { .. })));
    assert_eq!(fixture.coalesce(0, 2, 2), 2);
    assert_eq!(fixture.read(0, 1, 3), page("ONe"));
    assert_eq!(fixture.coalesce(0, 4, 4), 4);
    assert_eq!(fixture.read(0, 1, 4), page("ONE"));
    let usage = store.usage(&segment(0)).unwrap();
    assert_eq!(usage.page_bytes, 3);
}

#[test]
fn a_filling_that_did_not_end_is_not_read() {
    let mut fixture = Fixture::new();
    fixture.append(vec![create(0), record(0, 1, 1, image("one"))]);
    fixture.coalesce(0, 1, 1);
    let store = fixture.store();
    store.clear_pages(&segment(0)).unwrap();
    store
        .put_page(&segment(0), PageId(1), Lsn(7), b"seven")
        .unwrap();
    let early = store.read_page(&segment(0), PageId(1), Lsn(6));
    assert!(matches!(early, Err(StoreError::TooOld { .. })));
    let long = Bytes::from(vec![1; PAGE_BYTES as usize + 1]);
    store
        .put_page(&segment(0), PageId(1), Lsn(7), &long)
        .unwrap_err();
    store.set_base(&segment(0), Lsn(9)).unwrap();
    store.set_base(&segment(0), Lsn(8)).unwrap_err();
    assert_eq!(fixture.reopen()[0].coalesced_to, Lsn(9));
    assert_eq!(fixture.read(0, 1, 9), page("seven"));
}
