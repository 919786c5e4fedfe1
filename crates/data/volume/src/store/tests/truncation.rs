//! The log stays short, whatever happens in between.

use super::super::{Entry, Following};
use super::fixture::*;
use crate::protocol::Lsn;

/// Segments 1 and 2 say something once; segment 0 goes on and on, coalescing all but its last record.
fn idle_and_busy(fixture: &Fixture, rounds: std::ops::Range<u64>) {
    for lsn in rounds {
        fixture.append(vec![record(0, lsn, lsn % 7, bytes_at(0, "busy"))]);
        if lsn > 1 {
            fixture.coalesce(0, lsn - 1, lsn - 1);
        }
    }
}

fn begin(fixture: &Fixture) {
    fixture.append(vec![
        create(1),
        create(2),
        create(0),
        state(1, "idle"),
        record(1, 1, 0, image("one")),
        record(1, 2, 0, bytes_at(0, "O")),
        record(1, 3, 0, image("void")),
        discard(1, 2, 9),
        record(2, 5, 3, image("five")),
    ]);
}

fn check_idle(fixture: &Fixture) {
    assert_eq!(fixture.lsns(1, 0), [1, 2]);
    assert_eq!(fixture.lsns(2, 0), [5]);
    assert_eq!(fixture.read(1, 0, 9), page("One"));
    assert_eq!(fixture.read(2, 3, 9), page("five"));
}

#[test]
fn idle_segments_do_not_hold_the_log() {
    let mut fixture = Fixture::small();
    begin(&fixture);
    for rounds in [1..100, 100..200] {
        idle_and_busy(&fixture, rounds);
        // The bound, a file that was begun, and what was carried last.
        let bytes = fixture.store().log_bytes();
        assert!(bytes < 1_500 + 2 * 500 + 1_000, "{bytes}");
        check_idle(&fixture);
        let found = fixture.reopen();
        assert_eq!(found[1].state.as_deref(), Some(&b"idle"[..]));
        check_idle(&fixture);
    }
    assert_eq!(fixture.read(0, 3, 199), page("busy"));
    let Following::Gone { above } = fixture.records(0, 0) else {
        panic!("the log does not reach back");
    };
    let Following::Records(rest) = fixture.records(0, above.0) else {
        panic!("it said so");
    };
    assert_eq!(rest.first().unwrap().header.previous, above);
    assert_eq!(rest.last().unwrap().header.lsn, Lsn(199));
}

#[test]
fn states_alone_do_not_make_the_log_grow() {
    let mut fixture = Fixture::small();
    begin(&fixture);
    for _ in 0..100 {
        fixture.append(vec![state(1, "idle"), state(2, "a longer state than that")]);
        fixture.store().truncate_log().unwrap();
    }
    let bytes = fixture.store().log_bytes();
    assert!(bytes < 3_500, "{bytes}");
    check_idle(&fixture);
    fixture.reopen();
    check_idle(&fixture);
}

#[test]
fn records_that_wait_are_not_carried_round_and_round() {
    let fixture = Fixture::small();
    fixture.append(vec![create(0)]);
    for lsn in 1..=100 {
        fixture.append(vec![record(0, lsn, lsn, bytes_at(0, "waits"))]);
    }
    let before = fixture.store().log_bytes();
    fixture.store().truncate_log().unwrap();
    assert_eq!(fixture.store().log_bytes(), before);
}

#[test]
fn a_truncation_may_end_at_any_step() {
    let mut stopped = 0;
    // Each file takes six steps: five is prime to that.
    for step in (1..=8).chain((9..60).step_by(5)) {
        let mut fixture = Fixture::small();
        begin(&fixture);
        let entries = (1..=60).map(|lsn| record(0, lsn, lsn % 7, bytes_at(0, "busy")));
        for entry in entries {
            fixture.append(vec![entry]);
        }
        fixture.options.faults.stop_truncation_at(step);
        let ended = fixture
            .store()
            .coalesce(&segment(0), Lsn(59), &keep_from(59));
        stopped += u32::from(ended.is_err());
        for _ in 0..2 {
            let found = fixture.reopen();
            assert_eq!(found.len(), 3, "step {step}");
            assert_eq!(found[1].state.as_deref(), Some(&b"idle"[..]));
            assert!(found.iter().all(|found| found.damage.is_none()));
            check_idle(&fixture);
            for number in 0..7 {
                assert_eq!(fixture.read(0, number, 60), page("busy"));
            }
            assert_eq!(fixture.coalesce(0, 60, 60), 60);
        }
    }
    assert!((8..18).contains(&stopped), "{stopped} steps were reached");
}

#[test]
fn a_power_cut_takes_pages_that_were_not_synced_and_the_log_brings_them_again() {
    let fixture = Fixture::new();
    fixture.append(vec![create(0)]);
    for lsn in 1..=20 {
        fixture.append(vec![record(0, lsn, lsn % 3, bytes_at(0, "abc"))]);
    }
    // What the database wrote since it was opened is in its memory.
    fixture.coalesce(0, 20, 20);
    let after = tempfile::tempdir().unwrap();
    copy_folder(fixture.folder.path(), after.path());
    let (store, found) = open(after.path(), &fixture.options);
    assert_eq!(found[0].coalesced_to, Lsn(0), "it was not synced");
    assert_eq!(found[0].headers.len(), 20);
    store
        .coalesce(&segment(0), Lsn(20), &keep_from(20))
        .unwrap();
    let read = store.read_page(&segment(0), crate::protocol::PageId(1), Lsn(20));
    assert_eq!(read.unwrap(), page("abc"));
}

#[test]
fn readers_and_writers_go_on_while_the_log_is_truncated() {
    let mut fixture = Fixture::small();
    begin(&fixture);
    let read = |at: u64| {
        let store = fixture.store();
        match store.read_page(&segment(0), crate::protocol::PageId(at % 7), Lsn(at)) {
            Ok(read) => assert_eq!(read, page("busy"), "at {at}"),
            Err(super::super::StoreError::TooOld { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let written = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            idle_and_busy(&fixture, 1..300);
        });
        scope.spawn(|| {
            for lsn in 1..300 {
                let entry: Vec<Entry> = vec![record(2, 5 + lsn, 3, image("five"))];
                fixture.append(entry);
                written.store(lsn, std::sync::atomic::Ordering::SeqCst);
            }
        });
        scope.spawn(|| {
            while written.load(std::sync::atomic::Ordering::SeqCst) < 299 {
                let last = fixture.lsns(0, 0).last().copied().unwrap_or(0);
                if last >= 7 {
                    read(last);
                    read(last - 3);
                }
                assert_eq!(fixture.read(2, 3, 5), page("five"));
                fixture
                    .store()
                    .records(&segment(0), Lsn(last.saturating_sub(5)), 900)
                    .unwrap();
                assert_eq!(fixture.read(1, 0, 9), page("One"));
            }
        });
    });
    assert_eq!(fixture.lsns(2, 0).len(), 300);
    fixture.reopen();
    assert_eq!(fixture.lsns(2, 0).len(), 300);
}

#[test]
fn many_starts_do_not_leave_many_files() {
    let mut fixture = Fixture::new();
    begin(&fixture);
    for lsn in 1..=80 {
        fixture.append(vec![record(0, lsn, 0, bytes_at(0, "x"))]);
        fixture.reopen();
    }
    assert!(log_files(fixture.folder.path()).len() > 64);
    fixture.store().truncate_log().unwrap();
    assert!(log_files(fixture.folder.path()).len() <= 64);
    fixture.reopen();
    check_idle(&fixture);
    assert_eq!(fixture.lsns(0, 0).len(), 80);
}

#[test]
fn no_file_goes_before_what_was_carried_is_on_disk() {
    let mut fixture = Fixture::small();
    fixture.append(vec![create(0), create(1), state(1, "idle")]);
    for _ in 0..40 {
        fixture.append(vec![state(0, "a state that says as much as this")]);
    }
    let files = log_files(fixture.folder.path()).len();
    fixture.options.faults.fail_syncs();
    fixture.store().truncate_log().unwrap_err();
    assert_eq!(log_files(fixture.folder.path()).len(), files);
    let found = fixture.reopen();
    assert_eq!(found[1].state.as_deref(), Some(&b"idle"[..]));
    fixture.store().truncate_log().unwrap();
    assert!(log_files(fixture.folder.path()).len() < files);
    let found = fixture.reopen();
    assert_eq!(found[1].state.as_deref(), Some(&b"idle"[..]));
}
