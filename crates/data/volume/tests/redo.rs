//! A volume's log, read beside its writers, fills another volume up to any point of it.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_base::UnixMillis;
use quorate_volume::image::PageSink;
use quorate_volume::protocol::{Lsn, PageId};
use quorate_volume::redo::{Complete, ReadError, RedoEntry, RedoSource};
use quorate_volume::{Content, PageWrite, Pages, Point, Volume};

use support::{Region, blocking};

const DEADLINE: Duration = Duration::from_secs(60);

fn at(page: u64, offset: usize, data: &[u8]) -> PageWrite {
    PageWrite {
        page: PageId(page),
        content: Content::Bytes {
            offset,
            data: Bytes::copy_from_slice(data),
        },
    }
}

fn put(volume: &Volume, unit: Vec<PageWrite>) -> Lsn {
    let lsn = volume.write(unit, Point::Consistent).unwrap();
    volume.sync(lsn).unwrap();
    lsn
}

/// Waits until segments know so much to be complete.
async fn complete(redo: &RedoSource, lsn: Lsn) -> Complete {
    let known = async {
        loop {
            if let Ok(complete) = redo.complete().await
                && complete.vdl >= lsn
            {
                return complete;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, known).await.unwrap()
}

async fn read(redo: &RedoSource, after: Lsn, to: Lsn) -> Vec<RedoEntry> {
    let complete = complete(redo, to).await;
    let mut reading = redo.read(&complete, after, UnixMillis::now()).await;
    let mut all = Vec::new();
    loop {
        let entries = reading.next_entries().await.unwrap();
        if entries.is_empty() {
            assert_eq!(reading.at(), complete.vdl);
            return all;
        }
        all.extend(entries);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_two_writers_and_two_groups_fills_another_volume() {
    let mut region = Region::start().await;
    region.grow().await;
    let beyond = region.layout.pages_per_group;
    let first = region.open(1).await.unwrap();
    let first = blocking(move || {
        for round in 0..30_u64 {
            let text = format!("round {round}");
            put(
                &first,
                vec![
                    at(round % 5, 8, text.as_bytes()),
                    at(beyond + round, 0, b"far"),
                ],
            );
        }
        put(&first, vec![at(900, 0, &[7; 8_192])]);
        // Half of a unit: the next writer cuts it off.
        first
            .write(vec![at(901, 0, b"half")], Point::Inside)
            .unwrap();
        first
    })
    .await;
    let second = region.open(2).await.unwrap();
    drop(first);
    let last = blocking(move || {
        let discard = PageWrite {
            page: PageId(900),
            content: Content::Discard,
        };
        put(&second, vec![discard, at(3, 100, b"second")]);
        (put(&second, vec![at(beyond, 4, b"end")]), second)
    })
    .await;
    let entries = read(&region.redo(5), Lsn(0), last.0).await;
    let Some(RedoEntry::Moment(end)) = entries.last() else {
        panic!("a moment is the end of what was read");
    };
    assert_eq!(end.lsn, last.0);

    let other = region.other_volume().await;
    let filled = Arc::new(region.open_other(&other, 1).await);
    let present = region.view_of(&other, 8).await.unwrap();
    let sunk = filled.clone();
    blocking(move || {
        let mut sink = PageSink::new(sunk, &present).unwrap();
        for entry in entries {
            if let RedoEntry::Record(record) = entry {
                sink.apply(record).unwrap();
            }
        }
        sink.finish().unwrap();
        let second = last.1;
        for page in (0..1_000).chain(beyond..beyond + 40) {
            let page = PageId(page);
            assert!(
                filled.read(page).unwrap() == second.read(page).unwrap(),
                "page {page}"
            );
        }
        assert!(
            filled
                .read(PageId(901))
                .unwrap()
                .iter()
                .all(|byte| *byte == 0)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_goes_on_where_it_ended_with_a_zone_gone() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let (volume, middle) = blocking(move || {
        let middle = put(&volume, vec![at(1, 0, b"one")]);
        (volume, middle)
    })
    .await;
    let count = |entries: &[RedoEntry]| {
        let records = entries.iter().filter(|e| matches!(e, RedoEntry::Record(_)));
        records.count()
    };
    let redo = region.redo(5);
    assert_eq!(count(&read(&redo, Lsn(0), middle).await), 1);
    assert_eq!(count(&read(&redo, middle, middle).await), 0);
    region.kill('b');
    let last = blocking(move || {
        put(&volume, vec![at(2, 0, b"two")]);
        (put(&volume, vec![at(3, 0, b"three")]), volume)
    })
    .await;
    assert_eq!(count(&read(&redo, middle, last.0).await), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_is_in_pages_alone_is_gone_and_what_is_held_is_not() {
    let mut region = Region::start().await;
    region.keep_little_log();
    for zone in ['a', 'b', 'c'] {
        region.kill(zone);
        region.revive(zone).await;
    }
    let volume = region.open(1).await.unwrap();
    let fill = |volume: Volume, letter: u8| {
        blocking(move || {
            let mut last = Lsn(0);
            for page in 0..100 {
                last = put(&volume, vec![at(page, 0, &[letter; 500])]);
            }
            (volume, last)
        })
    };
    let (volume, middle) = fill(volume, b'a').await;
    let redo = region.redo(5);
    complete(&redo, middle).await;
    redo.hold(middle).await;
    let (volume, last) = fill(volume, b'b').await;
    complete(&redo, last).await;
    region.coalesce().await;
    let held = read(&redo, middle, last).await;
    assert!(held.len() > 100, "{}", held.len());
    redo.let_go().await;
    region.coalesce().await;
    let (volume, last) = fill(volume, b'c').await;
    complete(&redo, last).await;
    region.coalesce().await;
    let complete = complete(&redo, last).await;
    let mut reading = redo.read(&complete, middle, UnixMillis::now()).await;
    let refused = reading.next_entries().await.unwrap_err();
    assert!(matches!(refused, ReadError::Gone(_)), "{refused}");
    drop(volume);
}
