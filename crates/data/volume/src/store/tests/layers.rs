//! Segments that share pages: forks, what each writes afterwards, what is left when one goes.

use super::super::{Entry, StoreError};
use super::fixture::*;
use crate::protocol::{Change, Lsn, PageId};

fn drop_of(copy: u32) -> Entry {
    let segment = segment(copy);
    Entry::Drop { segment }
}

/// A segment with three pages, the first one of two records, and a copy of it.
fn forked(fixture: &Fixture) {
    fixture.append(vec![
        create(0),
        record(0, 1, 0, image("one")),
        record(0, 2, 1, image("two")),
        record(0, 3, 2, image("three")),
        record(0, 4, 0, bytes_at(0, "O")),
        create(1),
    ]);
    fixture.coalesce(0, 4, 4);
    fork(fixture, 0, 1, 4);
}

fn fork(fixture: &Fixture, from: u32, to: u32, base: u64) {
    let store = fixture.store();
    store.fork(&segment(from), &segment(to), Lsn(base)).unwrap();
}

fn fold(fixture: &Fixture, copy: u32) {
    let mut next = Some(PageId(0));
    while let Some(from) = next {
        next = fixture.store().fold(&segment(copy), from, 1).unwrap();
    }
}

fn layers(fixture: &Fixture) -> usize {
    fixture.store().inner.pages.layers().unwrap().len()
}

fn depth(fixture: &Fixture, copy: u32) -> usize {
    let segment = fixture.store().segment(&segment(copy)).unwrap();
    segment.layers().below.len()
}

fn pages(fixture: &Fixture, copy: u32) -> Vec<String> {
    let all = fixture
        .store()
        .pages(&segment(copy), PageId(0), usize::MAX)
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let entry = |(page, _, bytes): &(PageId, Lsn, bytes::Bytes)| {
        format!("{} {}", page.0, text(bytes).trim_end_matches('\0'))
    };
    all.0.iter().map(entry).collect()
}

#[test]
fn a_copy_has_the_pages_and_each_goes_its_own_way() {
    let mut fixture = Fixture::new();
    forked(&fixture);
    assert_eq!(
        fixture.store().usage(&segment(1)).unwrap().page_bytes,
        0,
        "it takes no room"
    );
    fixture.append(vec![
        record(0, 5, 1, image("TWO")),
        record(1, 5, 0, bytes_at(1, "NE!")),
        record(1, 6, 2, Change::Discard),
        record(1, 7, 9, image("new")),
    ]);
    for round in 0..3 {
        assert_eq!(fixture.read(0, 0, 5), page("One"));
        assert_eq!(fixture.read(0, 1, 5), page("TWO"));
        assert_eq!(fixture.read(0, 2, 5), page("three"));
        assert_eq!(fixture.read(1, 0, 7), page("ONE!"));
        assert_eq!(fixture.read(1, 1, 7), page("two"));
        assert_eq!(fixture.read(1, 2, 7), page(""), "zeros hide what is below");
        assert_eq!(fixture.read(1, 9, 7), page("new"));
        let listed = fixture
            .store()
            .list_pages(&segment(1), PageId(0), Lsn(7), 3);
        assert_eq!(
            listed.unwrap(),
            ([0, 1, 2].map(PageId).to_vec(), Some(PageId(9)))
        );
        match round {
            0 => {
                fixture.coalesce(0, 5, 5);
                fixture.coalesce(1, 7, 7);
            }
            _ => {
                let found = fixture.reopen();
                assert_eq!(found[1].coalesced_to, Lsn(7));
            }
        }
    }
    assert_eq!(pages(&fixture, 0), ["0 One", "1 TWO", "2 three"]);
    assert_eq!(pages(&fixture, 1), ["0 ONE!", "1 two", "9 new"]);
}

#[test]
fn what_two_share_stays_until_both_are_gone() {
    let mut fixture = Fixture::new();
    forked(&fixture);
    // Of the shared layer, and of either one's own.
    assert_eq!(layers(&fixture), 3);
    fixture.append(vec![record(1, 5, 1, image("mine")), drop_of(0)]);
    fixture.store().truncate_log().unwrap();
    fixture.reopen();
    assert_eq!(layers(&fixture), 2);
    fixture.coalesce(1, 5, 5);
    assert_eq!(pages(&fixture, 1), ["0 One", "1 mine", "2 three"]);
    fixture.append(vec![drop_of(1)]);
    fixture.store().truncate_log().unwrap();
    assert_eq!(layers(&fixture), 0);
    assert_eq!(
        fixture.store().inner.pages.versions(1, PageId(0)).count(),
        0
    );
}

#[test]
fn a_layer_that_one_is_left_with_is_folded_into_its_own() {
    let mut fixture = Fixture::new();
    forked(&fixture);
    fixture.append(vec![
        record(1, 5, 2, Change::Discard),
        record(1, 6, 1, image("mine")),
    ]);
    fixture.coalesce(1, 6, 6);
    fold(&fixture, 1);
    assert_eq!(depth(&fixture, 1), 1, "the other one has it still");
    fixture.append(vec![drop_of(0)]);
    fixture.store().truncate_log().unwrap();
    fold(&fixture, 1);
    assert_eq!((depth(&fixture, 1), layers(&fixture)), (0, 1));
    for _ in 0..2 {
        assert_eq!(pages(&fixture, 1), ["0 One", "1 mine"]);
        assert_eq!(fixture.read(1, 2, 6), page(""));
        fixture.reopen();
    }
}

#[test]
fn copies_of_copies_read_through_all_layers() {
    let mut fixture = Fixture::new();
    forked(&fixture);
    fixture.append(vec![
        record(1, 5, 1, image("of the copy")),
        record(1, 6, 2, Change::Discard),
        create(2),
    ]);
    fixture.coalesce(1, 6, 6);
    fork(&fixture, 1, 2, 6);
    fixture.append(vec![record(2, 7, 0, image("of the third"))]);
    fixture.coalesce(2, 7, 7);
    let third = ["0 of the third", "1 of the copy"];
    assert_eq!(pages(&fixture, 2), third);
    assert_eq!(pages(&fixture, 1), ["0 One", "1 of the copy"]);
    // The one in between goes; what is zeros there still hides what the first one has.
    fixture.append(vec![drop_of(1)]);
    fixture.store().truncate_log().unwrap();
    fold(&fixture, 2);
    assert_eq!(depth(&fixture, 2), 1);
    for _ in 0..2 {
        assert_eq!(pages(&fixture, 2), third);
        assert_eq!(fixture.read(2, 2, 7), page(""));
        assert_eq!(pages(&fixture, 0), ["0 One", "1 two", "2 three"]);
        fixture.reopen();
    }
}

#[test]
fn a_copy_that_is_filled_anew_leaves_the_shared_pages_alone() {
    let mut fixture = Fixture::new();
    forked(&fixture);
    for copy in [0, 1] {
        fixture.store().clear_pages(&segment(copy)).unwrap();
        assert_eq!(pages(&fixture, copy), [""; 0]);
        if copy == 0 {
            assert_eq!(pages(&fixture, 1), ["0 One", "1 two", "2 three"]);
        }
        let store = fixture.store();
        store
            .put_page(&segment(copy), PageId(3), Lsn(9), b"anew")
            .unwrap();
        store.set_base(&segment(copy), Lsn(9)).unwrap();
        fixture.reopen();
        assert_eq!(pages(&fixture, copy), ["3 anew"]);
    }
    assert_eq!(layers(&fixture), 2);
}

#[test]
fn a_shared_page_that_is_damaged_is_mended_for_each_by_itself() {
    let fixture = Fixture::new();
    forked(&fixture);
    let store = fixture.store();
    let shared = store.segment(&segment(1)).unwrap().layers().below[0];
    store.inner.pages.damage(shared, PageId(1), Lsn(2));
    for copy in [0, 1] {
        let (bad, _) = store.scrub(&segment(copy), PageId(0), 10).unwrap();
        assert_eq!(bad, [(PageId(1), Lsn(2))]);
        store
            .put_page(&segment(copy), PageId(1), Lsn(2), b"two")
            .unwrap();
        let (bad, _) = store.scrub(&segment(copy), PageId(0), 10).unwrap();
        assert_eq!(bad, []);
        assert_eq!(fixture.read(copy, 1, 4), page("two"));
        assert_eq!(store.extent(&segment(copy)).unwrap().oldest, Lsn(4));
    }
}

#[test]
fn a_segment_that_does_not_know_where_its_pages_lie_says_so() {
    let mut fixture = Fixture::new();
    forked(&fixture);
    let store = fixture.store();
    let number = store.segment(&segment(1)).unwrap().number;
    store.inner.pages.damage_layers(number);
    store.inner.pages.persist().unwrap();
    let found = fixture.reopen();
    assert!(found[0].damage.is_none());
    assert!(found[1].damage.is_some());
    assert_eq!(pages(&fixture, 1), [""; 0]);
    assert_eq!(pages(&fixture, 0), ["0 One", "1 two", "2 three"]);
}

#[test]
fn a_fork_as_of_another_record_or_into_something_is_refused() {
    let fixture = Fixture::new();
    forked(&fixture);
    fixture.append(vec![create(2), record(2, 1, 0, image("x"))]);
    let store = fixture.store();
    let refused = |from, to, base| {
        let refused = store.fork(&segment(from), &segment(to), Lsn(base));
        matches!(refused, Err(StoreError::Refused(_)))
    };
    assert!(refused(0, 2, 3));
    assert!(refused(0, 1, 4), "it is a copy already");
    fixture.coalesce(2, 1, 1);
    assert!(refused(0, 2, 4));
}
