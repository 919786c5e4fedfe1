//! Reading a volume beside its writer, without one, and ahead of who asks.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use quorate_volume::protocol::PageId;
use quorate_volume::{Pages, PagesError, Point};

use support::{Region, blocking, bytes, put, starts_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_view_stays_at_its_point_while_the_writer_goes_on() {
    let region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let volume = blocking(move || {
        put(&volume, 5, b"before");
        volume
    })
    .await;
    let vdl = volume.status().vdl;
    region
        .wait_for(|status| status.complete.vdl >= vdl, 'a')
        .await;
    let view = region.view(7).await.unwrap();
    blocking(move || {
        put(&volume, 5, b"after!");
        assert!(starts_with(&view, 5, b"before"));
        assert!(starts_with(&volume, 5, b"after!"));
        let refused = view.write(vec![bytes(5, 0, b"no")], Point::Consistent);
        assert_eq!(refused, Err(PagesError::ReadOnly));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_found_where_nobody_writes_and_nobody_was_told() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let told = blocking(move || {
        for page in 0..50 {
            put(&volume, page, b"acknowledged");
        }
        volume.status().vdl
    })
    .await;
    for zone in ['a', 'b', 'c'] {
        region.kill(zone);
    }
    // Two answer for each of these zones: four, and with one zone alone two, which are too few.
    region.revive('b').await;
    let few = region.surviving(6).await.err().unwrap();
    assert!(few.to_string().contains("three segments"), "{few}");
    region.revive('c').await;
    let view = region.surviving(7).await.unwrap();
    assert!(view.at() >= told);
    blocking(move || {
        for page in 0..50 {
            assert!(starts_with(&view, page, b"acknowledged"));
        }
    })
    .await;
    // It promised nothing: whoever comes next may write.
    let next = region.open(2).await.unwrap();
    blocking(move || put(&next, 1, b"more")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_reads_ahead_stays_at_its_point() {
    let region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let volume = blocking(move || {
        for page in 0..200 {
            put(&volume, page, format!("before {page};").as_bytes());
        }
        volume
    })
    .await;
    let vdl = volume.status().vdl;
    region
        .wait_for(|status| status.complete.vdl >= vdl, 'a')
        .await;
    let view = region.view(7).await.unwrap().reading_ahead(1 << 20);
    blocking(move || {
        assert!(starts_with(&view, 70, b"before 70;"));
        for page in 0..200 {
            put(&volume, page, b"after");
        }
        for page in 0..200 {
            let before = format!("before {page};");
            assert!(starts_with(&view, page, before.as_bytes()), "{before}");
        }
        let many: Vec<PageId> = (0..200).rev().map(PageId).collect();
        for (page, bytes) in many.iter().zip(view.read_many(&many).unwrap()) {
            assert!(bytes.starts_with(format!("before {page};").as_bytes()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_read_ahead_are_never_older_than_what_was_written() {
    const PAGES: u64 = 150;
    const ROUNDS: u64 = 20;
    let region = Region::start().await;
    let volume = Arc::new(region.open(1).await.unwrap());
    let written: Arc<Vec<AtomicU64>> = Arc::new((0..PAGES).map(|_| AtomicU64::new(0)).collect());
    let is_over = Arc::new(AtomicBool::new(false));
    let readers = (1..4).map(|reader| {
        let (volume, written, is_over) = (volume.clone(), written.clone(), is_over.clone());
        blocking(move || {
            let mut at = reader;
            while !is_over.load(Ordering::Acquire) {
                at = (at * 31 + 7 * reader) % PAGES;
                let pages = [at, (at * 17 + 3) % PAGES];
                let least = pages.map(|page| written[page as usize].load(Ordering::Acquire));
                let read = volume.read_many(&pages.map(PageId)).unwrap();
                for ((page, least), bytes) in pages.iter().zip(least).zip(read) {
                    let found = u64::from_be_bytes(bytes[..8].try_into().unwrap());
                    assert!(found >= least, "page {page}: {found}, not {least}");
                    let of_page = u64::from_be_bytes(bytes[8..16].try_into().unwrap());
                    assert!(
                        found == 0 || of_page == *page,
                        "{of_page} in place of {page}"
                    );
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let writing = {
        let is_over = is_over.clone();
        blocking(move || {
            for round in 1..=ROUNDS {
                for step in 0..PAGES {
                    let page = (step * 37) % PAGES;
                    let text = [round.to_be_bytes(), page.to_be_bytes()].concat();
                    let writes = vec![bytes(page, 0, &text)];
                    let lsn = volume.write(writes, Point::Consistent).unwrap();
                    written[page as usize].store(round, Ordering::Release);
                    if step % 10 == 0 {
                        volume.sync(lsn).unwrap();
                    }
                }
            }
            is_over.store(true, Ordering::Release);
        })
    };
    let readers = async {
        for reader in readers {
            reader.await;
        }
    };
    tokio::join!(writing, readers);
}
