//! Pages of a view, copied into files and into other volumes, while the writer goes on.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use quorate_volume::image::{PageSink, PageSource, PartReader, PartWriter};
use quorate_volume::protocol::PageId;
use quorate_volume::{Content, PageWrite, Pages, Point, View, Volume};

use support::{Region, blocking, bytes};

const PAGES: u64 = 700;

/// One round of writes: every page says which round it was written in, some are discarded, some come anew.
fn write_round(volume: &Volume, round: u64) {
    for page in (0..PAGES).step_by(7) {
        let mut unit = vec![bytes(page, 64, &round.to_le_bytes())];
        unit.push(bytes(page + 1, 0, format!("{round} {page}").as_bytes()));
        if (page / 7 + round).is_multiple_of(3) {
            unit.push(PageWrite {
                page: PageId(page + 2),
                content: Content::Discard,
            });
        } else {
            unit.push(bytes(page + 2, 100, b"here"));
        }
        volume.write(unit, Point::Consistent).unwrap();
    }
}

/// What a view has, page by page, read one by one.
fn all_of(pages: &impl Pages) -> BTreeMap<u64, Bytes> {
    let read = |page| (page, pages.read(PageId(page)).unwrap());
    let all = (0..PAGES + 10).map(read);
    all.filter(|(_, bytes)| bytes.iter().any(|b| *b != 0))
        .collect()
}

fn to_part(view: &Arc<View>) -> Vec<u8> {
    let page_bytes = u32::try_from(view.page_bytes()).unwrap();
    let mut part = PartWriter::new(Vec::new(), page_bytes).unwrap();
    let mut source = PageSource::new(view.clone()).unwrap();
    while let Some(pages) = source.next_pages().unwrap() {
        for (page, bytes) in pages {
            part.put(page, &bytes).unwrap();
        }
    }
    assert_eq!(source.pages_read(), source.pages());
    part.finish().unwrap()
}

fn from_part(part: &[u8], volume: &Arc<Volume>, present: &View) {
    let mut sink = PageSink::new(volume.clone(), present).unwrap();
    let mut reader = PartReader::new(part).unwrap();
    while let Some((page, bytes)) = reader.next_page().unwrap() {
        sink.put(page, bytes).unwrap();
    }
    sink.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_copied_page_by_page_while_the_writer_goes_on() {
    let region = Region::start().await;
    let volume = Arc::new(region.open(1).await.unwrap());
    let writer = volume.clone();
    let writer = blocking(move || {
        write_round(&writer, 1);
        let last = writer.write(Vec::new(), Point::Consistent).unwrap();
        writer.sync(last).unwrap();
        writer
    })
    .await;
    let ended = Arc::new(AtomicBool::new(false));
    let stop = ended.clone();
    let load = tokio::task::spawn_blocking(move || {
        let mut round = 2;
        while !stop.load(Ordering::Relaxed) {
            write_round(&writer, round);
            round += 1;
        }
    });
    let view = Arc::new(region.view_of(&region.layout, 7).await.unwrap());
    let copied = view.clone();
    let part = blocking(move || to_part(&copied)).await;

    // What an attempt that did not end has left in the volume must not stay.
    let other = region.other_volume().await;
    let left = region.open_other(&other, 1).await;
    blocking(move || {
        let unit = vec![bytes(2, 0, b"left"), bytes(PAGES + 5, 0, b"left")];
        let last = left.write(unit, Point::Consistent).unwrap();
        left.sync(last).unwrap();
    })
    .await;
    let filled = Arc::new(region.open_other(&other, 2).await);
    let present = region.view_of(&other, 8).await.unwrap();
    blocking(move || from_part(&part, &filled, &present)).await;
    ended.store(true, Ordering::Relaxed);
    load.await.unwrap();

    let restored = region.open_other(&other, 3).await;
    blocking(move || {
        let (wanted, found) = (all_of(&*view), all_of(&restored));
        assert!(wanted.len() > 200, "{} pages", wanted.len());
        assert_eq!(
            wanted.keys().collect::<Vec<_>>(),
            found.keys().collect::<Vec<_>>()
        );
        assert!(wanted == found, "pages differ");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_has_all_that_was_acknowledged_before() {
    let region = Region::start().await;
    let volume = Arc::new(region.open(1).await.unwrap());
    for round in 1..=20_u64 {
        let writer = volume.clone();
        blocking(move || {
            let unit = vec![bytes(5, 0, &round.to_le_bytes())];
            let lsn = writer.write(unit, Point::Consistent).unwrap();
            writer.sync(lsn).unwrap();
        })
        .await;
        let view = region.view_of(&region.layout, round).await.unwrap();
        blocking(move || {
            let read = view.read(PageId(5)).unwrap();
            assert_eq!(read[..8], round.to_le_bytes());
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_several_groups_are_listed_with_a_zone_gone() {
    let mut region = Region::start().await;
    region.grow().await;
    let volume = Arc::new(region.open(1).await.unwrap());
    let beyond = region.layout.pages_per_group + 3;
    let writer = volume.clone();
    blocking(move || {
        let unit = vec![bytes(9, 0, b"first"), bytes(beyond, 0, b"second")];
        let lsn = writer.write(unit, Point::Consistent).unwrap();
        writer.sync(lsn).unwrap();
    })
    .await;
    region.kill('c');
    let view = Arc::new(region.view_of(&region.layout, 1).await.unwrap());
    blocking(move || {
        let mut source = PageSource::new(view).unwrap();
        let pages = source.next_pages().unwrap().unwrap();
        let found: Vec<u64> = pages.iter().map(|(page, _)| page.0).collect();
        assert_eq!(found, [9, beyond]);
        assert_eq!(source.next_pages().unwrap(), None);
    })
    .await;
}
