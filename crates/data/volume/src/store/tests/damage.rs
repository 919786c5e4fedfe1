//! Torn ends, and bits that flip in the log.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::super::log_files::LogFiles;
use super::super::open::read_log;
use super::super::{Damage, Options, SegmentStore, StoreError};
use super::fixture::*;
use crate::protocol::{Lsn, PageId};

/// Where `wanted` stands in the newest log file.
fn place(file: &[u8], wanted: &str) -> usize {
    let mut windows = file.windows(wanted.len());
    windows
        .position(|bytes| bytes == wanted.as_bytes())
        .unwrap()
}

/// Three batches; each ends with a record of segment 1.
fn three_batches() -> Fixture {
    let mut fixture = Fixture::with(Options {
        log_file_bytes: 4_096,
        ..Options::default()
    });
    fixture.append(vec![create(0), create(1), record(1, 1, 0, image("r1-1"))]);
    fixture.append(vec![
        state(0, "state-1"),
        record(0, 1, 0, image("r0-1")),
        discard(0, 7, 1),
        record(0, 2, 1, image("r0-2")),
        record(1, 2, 0, image("r1-2")),
    ]);
    fixture.append(vec![
        record(0, 3, 2, image("r0-3")),
        record(1, 3, 0, image("r1-3")),
    ]);
    fixture.close();
    fixture
}

#[test]
fn the_last_batch_may_be_cut_at_any_byte() {
    let fixture = three_batches();
    let file = log_files(fixture.folder.path()).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    let from = place(&whole, "r1-2") + 4;
    let third = [place(&whole, "r0-3") + 4, place(&whole, "r1-3") + 4];
    for cut in from..=third[1] {
        let mut torn = whole[..cut].to_vec();
        // The rest is not there, or zeros as they were.
        if cut % 2 == 0 {
            torn.resize(whole.len(), 0);
        }
        let wanted = third.map(|end| 2 + u64::from(cut >= end));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file.file_name().unwrap()), &torn).unwrap();
        for _ in 0..2 {
            let (lasts, damaged) = lasts_of(folder.path());
            assert_eq!((&lasts[..], damaged), (&wanted[..], false), "cut at {cut}");
        }
        if cut % 8 == 0 || third.contains(&cut) {
            goes_on_where_it_was_cut(&fixture, &torn, wanted);
        }
    }
}

/// The last record of each segment in the log, and whether anything is damaged.
fn lasts_of(log: &Path) -> (Vec<u64>, bool) {
    let (_, replayed, damaged) = read_log(&LogFiles::open(log).unwrap()).unwrap();
    let segments = replayed.segments.values();
    (
        segments.map(|segment| segment.index.last().0).collect(),
        damaged,
    )
}

fn goes_on_where_it_was_cut(fixture: &Fixture, torn: &[u8], wanted: [u64; 2]) {
    let after = tempfile::tempdir().unwrap();
    copy_folder(fixture.folder.path(), after.path());
    fs::write(&log_files(after.path())[0], torn).unwrap();
    for _ in 0..2 {
        let (store, found) = open(after.path(), &fixture.options);
        let last = |copy: usize| found[copy].headers.last().unwrap().lsn.0;
        assert_eq!([last(0), last(1)], wanted);
        let lsn = wanted[1] + 1;
        let position = store.append(vec![record(1, lsn, 0, image("on"))]).unwrap();
        store.synced_blocking(position).unwrap();
        drop(store);
        let (store, found) = open(after.path(), &fixture.options);
        assert_eq!(found[1].headers.last().unwrap().lsn, Lsn(lsn));
        let position = store.append(vec![discard(1, lsn - 1, 9)]).unwrap();
        store.synced_blocking(position).unwrap();
    }
}

/// A segment's LSNs, state and damage.
type Told = (Vec<u64>, Option<Bytes>, Option<Damage>);

/// Flips a bit, opens three times, and says what was told each time.
fn after_a_flip(fixture: &Fixture, at: usize) -> Vec<Vec<Told>> {
    let after = tempfile::tempdir().unwrap();
    copy_folder(fixture.folder.path(), after.path());
    let file = log_files(after.path()).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[at] ^= 4;
    fs::write(&file, bytes).unwrap();
    let tell = || {
        let (_, found) = open(after.path(), &fixture.options);
        let told = found.into_iter().map(|found| {
            let lsns = found.headers.iter().map(|header| header.lsn.0).collect();
            (lsns, found.state, found.damage)
        });
        told.collect()
    };
    vec![tell(), tell(), tell()]
}

#[test]
fn a_damaged_record_cuts_its_own_segment() {
    let fixture = three_batches();
    let file = fs::read(log_files(fixture.folder.path()).pop().unwrap()).unwrap();
    for told in after_a_flip(&fixture, place(&file, "r0-2")) {
        let damage = Damage {
            sound_to: Lsn(1),
            discards_lost: false,
            state_lost: false,
        };
        let state = Some(Bytes::from("state-1"));
        assert_eq!(told[0], (vec![1], state, Some(damage)));
        assert_eq!(told[1], (vec![1, 2, 3], None, None));
    }
}

#[test]
fn a_damaged_state_is_told() {
    let fixture = three_batches();
    let file = fs::read(log_files(fixture.folder.path()).pop().unwrap()).unwrap();
    for told in after_a_flip(&fixture, place(&file, "state-1")) {
        let damage = Damage {
            sound_to: Lsn(0),
            discards_lost: true,
            state_lost: true,
        };
        assert_eq!(told[0], (vec![], None, Some(damage)));
        assert_eq!(told[1], (vec![1, 2, 3], None, None));
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let fixture = three_batches();
    let file = log_files(fixture.folder.path()).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    let third = place(&whole, "r1-2") + 4;
    // What lies before the last batch was confirmed. Zeros after the header's checksum mean nothing.
    for at in (0..28).chain(64..third) {
        let bit = at % 8;
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        fs::write(folder.path().join(file.file_name().unwrap()), bytes).unwrap();
        let (_, damaged) = lasts_of(folder.path());
        assert!(damaged, "bit {bit} of byte {at}");
    }
}

#[test]
fn after_a_flipped_bit_what_is_left_is_true_and_stays() {
    let fixture = three_batches();
    let file = fs::read(log_files(fixture.folder.path()).pop().unwrap()).unwrap();
    let third = place(&file, "r1-2") + 4;
    for at in (0..28).chain(64..third).step_by(17) {
        let told = after_a_flip(&fixture, at);
        assert_eq!(told[0], told[1], "flip at {at}");
        assert_eq!(told[0], told[2], "flip at {at}");
        let whole = told[0].len() == 2 && told[0].iter().all(|(lsns, ..)| *lsns == [1, 2, 3]);
        let is_told = told[0].iter().any(|(.., damage)| damage.is_some());
        assert!(!whole || is_told, "flip at {at}: {:?}", told[0]);
        for (lsns, ..) in &told[0] {
            assert!([1, 2, 3].starts_with(lsns), "flip at {at}: {:?}", told[0]);
        }
    }
}

#[test]
fn what_is_told_ends_with_a_state() {
    let mut fixture = three_batches();
    let file = log_files(fixture.folder.path()).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let at = place(&bytes, "r0-1");
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    let found = fixture.reopen();
    assert_eq!(found[0].damage.unwrap().sound_to, Lsn(0));
    // A peer gives the lost records; the state says that they are there.
    fixture.append(vec![
        record(0, 1, 0, image("r0-1")),
        record(0, 2, 1, image("r0-2")),
    ]);
    assert!(fixture.reopen()[0].damage.is_some());
    assert_eq!(fixture.lsns(0, 0), [1, 2]);
    fixture.append(vec![state(0, "mended")]);
    for _ in 0..2 {
        let found = fixture.reopen();
        assert_eq!(found[0].damage, None);
        assert_eq!(found[0].headers.len(), 2);
        assert_eq!(fixture.read(0, 0, 9), page("r0-1"));
    }
}

#[test]
fn a_missing_file_in_the_middle_is_damage() {
    let mut fixture = Fixture::small();
    fixture.append(vec![create(0)]);
    for lsn in 1..=60 {
        fixture.append(vec![record(0, lsn, 0, bytes_at(0, "abc"))]);
    }
    fixture.close();
    let files = log_files(fixture.folder.path());
    fs::remove_file(&files[2]).unwrap();
    let found = fixture.reopen();
    let damage = found[0].damage.unwrap();
    assert!(damage.state_lost && damage.discards_lost);
    assert!(damage.sound_to > Lsn(0) && damage.sound_to < Lsn(60));
    let lsns: Vec<u64> = (1..=damage.sound_to.0).collect();
    assert_eq!(fixture.lsns(0, 0), lsns);
}

#[test]
fn a_damaged_row_about_a_segment_loses_its_pages_and_is_told() {
    let mut fixture = Fixture::new();
    fixture.append(vec![create(0), state(0, "s"), record(0, 1, 0, image("1"))]);
    fixture.coalesce(0, 1, 1);
    fixture.append(vec![record(0, 2, 0, bytes_at(1, "2"))]);
    fixture.store().inner.pages.damage_meta(1);
    for _ in 0..3 {
        let found = fixture.reopen();
        assert!(found[0].damage.is_some());
        assert_eq!(found[0].coalesced_to, Lsn(0));
        assert_eq!(found[0].headers, []);
        assert_eq!(found[0].state.as_deref(), Some(&b"s"[..]));
    }
}

#[test]
fn a_file_of_a_later_build_is_refused() {
    let fixture = three_batches();
    let file = log_files(fixture.folder.path()).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    let opened = SegmentStore::open(fixture.folder.path(), fixture.options.clone());
    assert!(matches!(
        opened,
        Err(StoreError::Version { version: 9, .. })
    ));
}

#[test]
fn a_record_that_is_damaged_while_the_store_runs_is_told_and_mended() {
    let mut fixture = Fixture::small();
    fixture.append(vec![create(0), record(0, 1, 0, image("damaged"))]);
    fixture.append(vec![record(0, 2, 1, image("sound"))]);
    let file = log_files(fixture.folder.path()).pop().unwrap();
    let at = place(&fs::read(&file).unwrap(), "damaged");
    let open = fs::File::options().write(true).open(&file).unwrap();
    open.write_all_at(b"D", at as u64).unwrap();
    let store = fixture.store();
    for damaged in [
        store.read_page(&segment(0), PageId(0), Lsn(2)).map(|_| ()),
        store.records(&segment(0), Lsn(0), 9).map(|_| ()),
        store
            .coalesce(&segment(0), Lsn(2), &keep_from(2))
            .map(|_| ()),
    ] {
        let Err(StoreError::BadRecord { lsn, .. }) = damaged else {
            panic!("{damaged:?}");
        };
        assert_eq!(lsn, Lsn(1));
    }
    assert_eq!(fixture.read(0, 1, 2), page("sound"));
    fixture.append(vec![record(0, 1, 0, image("damaged"))]);
    assert_eq!(fixture.read(0, 0, 2), page("damaged"));
    assert_eq!(fixture.coalesce(0, 2, 2), 2);
    fixture.reopen();
    assert_eq!(fixture.read(0, 0, 2), page("damaged"));
}

#[test]
fn healing_may_end_at_any_step() {
    let mut fixture = Fixture::with(Options {
        log_file_bytes: 400,
        ..Options::default()
    });
    fixture.append(vec![create(0), create(1), state(1, "kept")]);
    for lsn in 1..=20 {
        fixture.append(vec![
            record(0, lsn, 0, image("zero")),
            record(1, lsn, 0, image("one!")),
        ]);
    }
    fixture.close();
    let file = &log_files(fixture.folder.path())[2];
    let mut bytes = fs::read(file).unwrap();
    let at = place(&bytes, "zero");
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
    let mut stopped = 0;
    for step in (1..=6).chain((7..40).step_by(4)) {
        let after = tempfile::tempdir().unwrap();
        copy_folder(fixture.folder.path(), after.path());
        let options = Options {
            faults: Arc::default(),
            ..fixture.options.clone()
        };
        options.faults.stop_truncation_at(step);
        let first = SegmentStore::open(after.path(), options);
        stopped += u32::from(first.is_err());
        drop(first);
        for _ in 0..2 {
            let (_, found) = open(after.path(), &fixture.options);
            let damage = found[0].damage.unwrap();
            assert!((1..20).contains(&damage.sound_to.0), "step {step}");
            assert_eq!(found[0].headers.len() as u64, damage.sound_to.0);
            assert_eq!(found[1].damage, None);
            assert_eq!(found[1].headers.len(), 20);
            assert_eq!(found[1].state.as_deref(), Some(&b"kept"[..]));
        }
    }
    assert!((5..15).contains(&stopped), "{stopped} steps were reached");
}
