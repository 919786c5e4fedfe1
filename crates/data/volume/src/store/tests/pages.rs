//! Coalescing, versions of pages, and reads at an LSN.

use super::super::{Extent, Following, StoreError};
use super::fixture::*;
use crate::protocol::{Change, Lsn, PageId};

fn too_old(fixture: &Fixture, page: u64, at: u64) -> bool {
    let read = fixture
        .store()
        .read_page(&segment(0), PageId(page), Lsn(at));
    matches!(read, Err(StoreError::TooOld { .. }))
}

#[test]
fn pages_are_read_at_each_lsn_that_is_kept() {
    let mut fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 0, image("1")),
        record(0, 2, 0, bytes_at(1, "2")),
        record(0, 3, 5, image("3")),
        record(0, 4, 0, bytes_at(2, "4")),
        record(0, 5, 0, Change::Discard),
        record(0, 6, 0, bytes_at(0, "6")),
    ]);
    assert_eq!(fixture.coalesce(0, 5, 2), 5);
    for _ in 0..2 {
        assert!(too_old(&fixture, 0, 1));
        for (at, wanted) in [(2, "12"), (3, "12"), (4, "124"), (5, ""), (6, "6")] {
            assert_eq!(fixture.read(0, 0, at), page(wanted), "at {at}");
        }
        assert_eq!(fixture.read(0, 5, 2), page(""));
        assert_eq!(fixture.read(0, 5, 3), page("3"));
        let found = fixture.reopen();
        assert_eq!(found[0].coalesced_to, Lsn(5));
        assert_eq!(found[0].oldest, Lsn(2));
        assert_eq!(found[0].headers.len(), 1);
    }
    // Nothing is left to coalesce, but the readers have moved on.
    assert_eq!(fixture.coalesce(0, 5, 5), 5);
    assert!(too_old(&fixture, 0, 4));
    assert_eq!(fixture.read(0, 0, 5), page(""));
    let usage = fixture.store().usage(&segment(0)).unwrap();
    assert_eq!(usage.page_bytes, 1, "page 5 alone");
}

#[test]
fn discarded_pages_give_their_room_back() {
    let fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 0, image("a long page")),
        record(0, 2, 1, image("another one")),
    ]);
    fixture.coalesce(0, 2, 2);
    let usage = fixture.store().usage(&segment(0)).unwrap();
    assert_eq!(usage.page_bytes, 22);
    fixture.append(vec![
        record(0, 3, 0, Change::Discard),
        record(0, 4, 1, Change::Discard),
    ]);
    fixture.coalesce(0, 4, 3);
    assert_eq!(fixture.read(0, 0, 3), page(""));
    assert_eq!(fixture.read(0, 1, 3), page("another one"));
    fixture.coalesce(0, 4, 4);
    let usage = fixture.store().usage(&segment(0)).unwrap();
    assert_eq!(usage.page_bytes, 0);
    let all = fixture.store().pages(&segment(0), PageId(0), 9).unwrap();
    assert_eq!(all, (vec![], None));
    let stored = fixture.store().inner.pages.versions(1, PageId(0)).count();
    assert_eq!(stored, 0, "no row is left");
}

#[test]
fn far_pages_take_no_room_between_them() {
    let mut fixture = Fixture::new();
    let far = (1 << 44) - 1;
    fixture.append(vec![
        create(0),
        record(0, 1, far, image("far")),
        record(0, 2, 0, image("near")),
        record(0, 3, u64::MAX, image("last")),
    ]);
    fixture.coalesce(0, 3, 3);
    fixture.reopen();
    assert_eq!(fixture.read(0, far, 3), page("far"));
    assert_eq!(fixture.read(0, far - 1, 3), page(""));
    let (all, next) = fixture
        .store()
        .pages(&segment(0), PageId(0), usize::MAX)
        .unwrap();
    let pages: Vec<u64> = all.iter().map(|(page, _, _)| page.0).collect();
    assert_eq!((pages, next), (vec![0, far, u64::MAX], None));
}

#[test]
fn coalesced_records_are_given_while_the_log_has_them() {
    let mut fixture = Fixture::new();
    fixture.append(vec![create(0)]);
    for lsn in 1..=5 {
        fixture.append(vec![record(0, lsn, 0, bytes_at(0, "x"))]);
    }
    assert_eq!(fixture.coalesce(0, 4, 4), 4);
    let extent = Extent {
        oldest: Lsn(4),
        records_above: Lsn(0),
        coalesced_to: Lsn(4),
        last: Lsn(5),
    };
    for _ in 0..2 {
        assert_eq!(fixture.store().extent(&segment(0)).unwrap(), extent);
        let Following::Records(all) = fixture.records(0, 0) else {
            panic!("the log has them");
        };
        assert_eq!(all.len(), 5);
        fixture.reopen();
    }
}

#[test]
fn what_is_coalesced_is_passed_over() {
    let mut fixture = Fixture::new();
    fixture.append(vec![create(0), record(0, 1, 0, image("1"))]);
    fixture.coalesce(0, 1, 1);
    fixture.append(vec![record(0, 1, 0, image("again"))]);
    fixture.reopen();
    assert_eq!(fixture.read(0, 0, 1), page("1"));
}

#[test]
fn many_records_go_into_pages_in_several_batches() {
    let mut fixture = Fixture::small();
    fixture.append(vec![create(0)]);
    let entries = (1..=3_000).map(|lsn| record(0, lsn, lsn % 3, bytes_at(0, "ab")));
    fixture.append(entries.collect());
    assert_eq!(fixture.coalesce(0, 2_999, 2_999), 2_999);
    let found = fixture.reopen();
    assert_eq!(found[0].coalesced_to, Lsn(2_999));
    assert_eq!(found[0].headers.len(), 1);
    assert_eq!(fixture.read(0, 2, 3_000), page("ab"));
}

#[test]
fn a_discarded_page_stays_empty_when_coalescing_ends_half_way() {
    let fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 0, image("first")),
        record(0, 2, 0, image("second")),
        record(0, 3, 9, image("damaged")),
    ]);
    fixture.coalesce(0, 3, 1);
    let store = fixture.store();
    store.inner.pages.damage(1, PageId(9), Lsn(3));
    let mut entries = vec![record(0, 4, 0, Change::Discard)];
    entries.extend((5..3_000).map(|lsn| record(0, lsn, 0, Change::Mark)));
    entries.push(record(0, 3_000, 9, bytes_at(0, "x")));
    fixture.append(entries);
    let ended = store.coalesce(&segment(0), Lsn(3_000), &keep_from(3_000));
    assert!(matches!(ended, Err(StoreError::BadPage { .. })));
    assert!(store.extent(&segment(0)).unwrap().coalesced_to > Lsn(4));
    assert_eq!(fixture.read(0, 0, 3_000), page(""));
}

fn listed(fixture: &Fixture, from: u64, at: u64, pages_max: usize) -> (Vec<u64>, Option<u64>) {
    let store = fixture.store();
    let listed = store.list_pages(&segment(0), PageId(from), Lsn(at), pages_max);
    let (pages, next) = listed.unwrap();
    let pages = pages.into_iter().map(|page| page.0).collect();
    (pages, next.map(|page| page.0))
}

#[test]
fn pages_are_listed_whether_they_are_coalesced_or_not() {
    let mut fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 7, image("1")),
        record(0, 2, 3, image("2")),
        record(0, 3, 7, bytes_at(1, "3")),
        record(0, 4, 900, image("4")),
        record(0, 5, 3, Change::Discard),
        record(0, 6, 5, image("6")),
    ]);
    assert_eq!(listed(&fixture, 0, 4, 9), (vec![3, 7, 900], None));
    assert_eq!(listed(&fixture, 0, 1, 9), (vec![7], None));
    fixture.coalesce(0, 3, 2);
    for _ in 0..2 {
        assert_eq!(listed(&fixture, 0, 4, 9), (vec![3, 7, 900], None));
        assert_eq!(listed(&fixture, 4, 4, 9), (vec![7, 900], None));
        assert_eq!(listed(&fixture, 0, 4, 1), (vec![3], Some(7)));
        assert_eq!(listed(&fixture, 0, 6, 2), (vec![3, 5], Some(7)));
        assert_eq!(listed(&fixture, 7, 6, 2), (vec![7, 900], None));
        fixture.reopen();
    }
    fixture.coalesce(0, 6, 2);
    let (pages, _) = listed(&fixture, 0, 4, 9);
    assert!(
        [3, 7, 900].iter().all(|page| pages.contains(page)),
        "page 3 was not yet discarded"
    );
    fixture.coalesce(0, 6, 6);
    assert_eq!(listed(&fixture, 0, 6, 9), (vec![5, 7, 900], None));
    let store = fixture.store();
    let old = store.list_pages(&segment(0), PageId(0), Lsn(4), 9);
    assert!(matches!(old, Err(StoreError::TooOld { .. })));
}
