//! Volumes that begin as another one and share its pages: what each writes afterwards, what is left when nodes or the other
//! volume go.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use quorate_volume::protocol::PageId;
use quorate_volume::{Content, PageWrite, Pages, Point, Volume};

use support::{Region, blocking};

const PAGES: u64 = 40;

async fn put(volume: &Arc<Volume>, pages: impl Iterator<Item = u64>, text: &'static str) {
    let units = pages.map(|page| {
        let content = Content::Bytes {
            offset: 8,
            data: Bytes::from_static(text.as_bytes()),
        };
        let page = PageId(page);
        vec![PageWrite { page, content }]
    });
    let units: Vec<_> = units.collect();
    let volume = volume.clone();
    blocking(move || {
        let written = units
            .into_iter()
            .map(|unit| volume.write(unit, Point::Consistent).unwrap());
        let last = written.last().unwrap();
        volume.sync(last).unwrap();
    })
    .await;
}

async fn texts(pages: Arc<impl Pages + 'static>) -> BTreeMap<u64, String> {
    blocking(move || {
        let text = |page| {
            let bytes = pages.read(PageId(page)).unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            (page, text.trim_matches('\0').to_owned())
        };
        (0..PAGES).map(text).collect()
    })
    .await
}

/// A region with a volume: "old" on all pages and in pages, with a view of that, "log" on every second one and in the log
/// alone.
async fn written() -> (Region, Arc<Volume>, Arc<quorate_volume::View>) {
    let region = Region::start().await;
    let volume = Arc::new(region.open(1).await.unwrap());
    put(&volume, 0..PAGES, "old").await;
    let reader = Arc::new(region.view_of(&region.layout, 1).await.unwrap());
    region.coalesce().await;
    put(&volume, (0..PAGES).step_by(2), "log").await;
    (region, volume, reader)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_has_what_was_acknowledged_and_goes_its_own_way() {
    let (region, volume, reader) = written().await;
    let view = region.view_of(&region.layout, 2).await.unwrap();
    view.keep_records().await;
    put(&volume, [0, 1].into_iter(), "late").await;
    region.coalesce().await;
    let mut made = BTreeSet::new();
    let layout = region
        .fork((&view, 2), &region.layout, &mut made, false)
        .await;
    assert_eq!(made.len(), 6);
    assert_eq!(region.page_bytes('a', &layout), 0, "it shares them all");
    assert!(region.page_bytes('a', &region.layout) > 0);

    let mut expected: BTreeMap<u64, String> = (0..PAGES)
        .map(|page| (page, String::from(["log", "old"][page as usize % 2])))
        .collect();
    // The epoch of whoever wrote there before is behind it.
    let fork = Arc::new(region.open_other(&layout, 2).await);
    assert_eq!(texts(fork.clone()).await, expected);
    put(&fork, [4, 5].into_iter(), "own").await;
    put(&volume, [5, 6].into_iter(), "its").await;
    drop((view, fork));
    region.coalesce().await;
    for page in [4, 5] {
        expected.insert(page, String::from("own"));
    }
    let again = Arc::new(region.open_other(&layout, 3).await);
    assert_eq!(texts(again).await, expected);
    let source = texts(volume.clone()).await;
    assert_eq!(
        [0, 1, 4, 5, 6, 7].map(|page| source[&page].as_str()),
        ["late", "late", "log", "its", "its", "old"]
    );
    // Whoever read before all that reads the same still.
    let seen = texts(reader).await;
    assert!(seen.values().all(|text| text == "old"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_outlives_its_source_and_every_restart() {
    let (mut region, volume, reader) = written().await;
    let view = region.view_of(&region.layout, 2).await.unwrap();
    let mut made = BTreeSet::new();
    let layout = region
        .fork((&view, 2), &region.layout, &mut made, false)
        .await;
    let expected = texts(volume.clone()).await;
    drop((view, volume, reader));
    region.forget(&region.layout.volume);
    for zone in ['a', 'b', 'c'] {
        region.kill(zone);
        region.revive(zone).await;
    }
    for epoch in [2, 3] {
        let fork = Arc::new(region.open_other(&layout, epoch).await);
        assert_eq!(texts(fork).await, expected);
        region.coalesce().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_takes_its_segments_from_the_others() {
    let (mut region, volume, reader) = written().await;
    let view = region.view_of(&region.layout, 2).await.unwrap();
    region.kill('c');
    let mut made = BTreeSet::new();
    let layout = region
        .fork((&view, 2), &region.layout, &mut made, false)
        .await;
    assert_eq!(made.len(), 4);
    let expected = texts(volume.clone()).await;
    drop(reader);
    // The source's segments there go on, as nobody holds them: what they have is too new.
    region.revive('c').await;
    put(&volume, 0..PAGES, "new").await;
    region.wait_for(|status| !status.lacks_records, 'c').await;
    region.coalesce().await;
    region
        .fork((&view, 2), &region.layout, &mut made, true)
        .await;
    assert_eq!(made.len(), 6);
    // Four of six are those of zone a, and the new ones once they are filled.
    region.kill('b');
    let fork = Arc::new(region.open_other(&layout, 2).await);
    assert_eq!(texts(fork).await, expected);
}
