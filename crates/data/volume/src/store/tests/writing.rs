//! Appending, waiting, finding it again, and failing disks.

use super::super::{Entry, Following, StoreError};
use super::fixture::*;
use crate::protocol::{Change, Lsn, PageId};

#[test]
fn what_was_synced_is_found_again() {
    let mut fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        create(1),
        record(0, 1, 7, bytes_at(2, "ab")),
        state(0, "first"),
        record(1, 4, 9, image("x")),
    ]);
    fixture.append(vec![record(0, 2, 7, bytes_at(3, "c")), state(0, "second")]);
    for _ in 0..3 {
        let found = fixture.reopen();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].segment, segment(0));
        assert_eq!(found[0].page_bytes, PAGE_BYTES);
        assert_eq!(found[0].state.as_deref(), Some(&b"second"[..]));
        assert_eq!(found[0].damage, None);
        assert_eq!(found[0].headers.len(), 2);
        assert_eq!(found[1].state, None);
        assert_eq!(found[1].headers[0].lsn, Lsn(4));
        assert_eq!(fixture.read(0, 7, 1), page("\0\0ab"));
        assert_eq!(fixture.read(0, 7, 2), page("\0\0ac"));
        assert_eq!(fixture.read(1, 9, 9), page("x"));
        assert_eq!(fixture.read(1, 7, 9), page(""));
    }
}

#[test]
fn a_discard_voids_lower_epochs_above_its_cut() {
    let mut fixture = Fixture::new();
    fixture.append(vec![
        create(0),
        record(0, 1, 0, image("1")),
        record(0, 2, 0, image("2")),
        record(0, 3, 0, image("3")),
        record_of_epoch(0, 9, 2, 0, image("9")),
        discard(0, 1, 2),
    ]);
    assert_eq!(fixture.lsns(0, 0), [1, 9]);
    assert_eq!(fixture.read(0, 0, 5), page("1"));
    fixture.reopen();
    assert_eq!(fixture.lsns(0, 0), [1, 9]);
    assert_eq!(fixture.read(0, 0, 5), page("1"));
    fixture.coalesce(0, 1, 1);
    let refused = fixture.store().append(vec![discard(0, 0, 2)]);
    assert!(matches!(refused, Err(StoreError::Refused(_))));
}

#[test]
fn a_dropped_segment_leaves_nothing_to_its_successor() {
    let mut fixture = Fixture::new();
    fixture.append(vec![create(0), record(0, 1, 0, image("old"))]);
    fixture.coalesce(0, 1, 1);
    fixture.append(vec![
        Entry::Drop {
            segment: segment(0),
        },
        create(0),
        record(0, 1, 1, image("new")),
    ]);
    for _ in 0..2 {
        assert_eq!(fixture.read(0, 0, 5), page(""));
        assert_eq!(fixture.read(0, 1, 5), page("new"));
        assert_eq!(fixture.reopen().len(), 1);
    }
    fixture.append(vec![Entry::Drop {
        segment: segment(0),
    }]);
    let gone = fixture.store().headers(&segment(0), Lsn(0));
    assert!(matches!(gone, Err(StoreError::UnknownSegment(_))));
    assert_eq!(fixture.reopen(), []);
}

#[test]
fn entries_that_do_not_fit_append_nothing() {
    let fixture = Fixture::new();
    fixture.append(vec![create(0)]);
    let store = fixture.store();
    let end = store.append(vec![]).unwrap();
    for bad in [
        vec![record(0, 1, 0, image("a")), record(1, 1, 0, image("a"))],
        vec![record(0, 1, 0, image("a")), create(0)],
        vec![
            record(0, 1, 0, image("a")),
            record(0, 2, 0, bytes_at(63, "ab")),
        ],
    ] {
        store.append(bad).unwrap_err();
    }
    assert_eq!(store.append(vec![]).unwrap(), end);
    assert_eq!(fixture.lsns(0, 0), Vec::<u64>::new());
}

#[test]
fn records_follow_by_lsn_up_to_a_size() {
    let fixture = Fixture::small();
    fixture.append(vec![create(0)]);
    for lsn in [3, 1, 2, 5] {
        fixture.append(vec![record(0, lsn, lsn, Change::Mark)]);
    }
    let Following::Records(all) = fixture.records(0, 1) else {
        panic!("nothing is coalesced");
    };
    let lsns: Vec<u64> = all.iter().map(|record| record.header.lsn.0).collect();
    assert_eq!(lsns, [2, 3, 5]);
    let first = fixture.store().records(&segment(0), Lsn(1), 1).unwrap();
    assert_eq!(first, Following::Records(vec![all[0].clone()]));
}

#[test]
fn a_failed_sync_stops_the_store_for_good() {
    let mut fixture = Fixture::new();
    fixture.append(vec![create(0), record(0, 1, 0, image("kept"))]);
    fixture.options.faults.fail_syncs();
    let store = fixture.store();
    let position = store.append(vec![record(0, 2, 0, image("lost"))]).unwrap();
    let failed = store.synced_blocking(position);
    assert!(matches!(failed, Err(StoreError::Stopped(_))));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert!(runtime.block_on(store.synced(position)).is_err());
    assert!(runtime.block_on(store.stopped()).contains("sync"));
    store.append(vec![state(0, "later")]).unwrap_err();
    store.read_page(&segment(0), PageId(0), Lsn(1)).unwrap_err();
    store
        .coalesce(&segment(0), Lsn(1), &keep_from(1))
        .unwrap_err();
    // What was not confirmed may be there, what was confirmed is.
    fixture.reopen();
    assert_eq!(fixture.read(0, 0, 1), page("kept"));
}

#[test]
fn a_failed_write_stops_the_store() {
    let fixture = Fixture::new();
    fixture.options.faults.fail_writes();
    let position = fixture.store().append(vec![create(0)]).unwrap();
    fixture.store().synced_blocking(position).unwrap_err();
    fixture.store().append(vec![]).unwrap_err();
}

#[test]
fn many_threads_are_written_in_their_own_order() {
    let mut fixture = Fixture::small();
    fixture.append((0..4).map(create).collect());
    std::thread::scope(|scope| {
        for copy in 0..4 {
            let store = fixture.store();
            scope.spawn(move || {
                for lsn in 1..=100 {
                    let entry = record(copy, lsn, lsn % 5, bytes_at(0, "abc"));
                    let position = store.append(vec![entry]).unwrap();
                    if lsn % 10 == 0 {
                        store.synced_blocking(position).unwrap();
                    }
                }
            });
        }
    });
    for _ in 0..2 {
        for copy in 0..4 {
            assert_eq!(fixture.lsns(copy, 0), (1..=100).collect::<Vec<u64>>());
        }
        fixture.reopen();
    }
}
