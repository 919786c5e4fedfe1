//! A volume over real nodes: three zones, six segments, calls over TLS, disks in folders.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use quorate_volume::protocol::{GroupIndex, PageId, VolumeEpoch};
use quorate_volume::{OpenError, Pages, PagesError, Point};

use support::{Region, blocking, bytes, put, starts_with};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_synced_is_read_by_the_next_writer_with_a_zone_gone() {
    let mut region = Region::start().await;
    let first = region.open(1).await.unwrap();
    blocking(move || {
        put(&first, 3, b"kept");
        put(&first, 1_000, b"too");
    })
    .await;
    region.kill('a');
    let second = region.open(2).await.unwrap();
    blocking(move || {
        assert!(starts_with(&second, 3, b"kept"));
        assert!(starts_with(&second, 1_000, b"too"));
        put(&second, 3, b"more");
        assert!(starts_with(&second, 3, b"more"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_writer_is_refused_by_the_segments() {
    let region = Region::start().await;
    let first = region.open(1).await.unwrap();
    let second = region.open(2).await.unwrap();
    blocking(move || {
        let lsn = first.write(vec![bytes(0, 0, b"late")], Point::Consistent);
        if let Ok(lsn) = lsn {
            assert_eq!(first.sync(lsn), Err(PagesError::Fenced));
        }
        let later = first.write(vec![bytes(0, 0, b"later")], Point::Consistent);
        assert_eq!(later, Err(PagesError::Fenced));
        assert!(starts_with(&second, 0, &[0; 8]));
        put(&second, 0, b"mine");
    })
    .await;
    let stale = region.open(1).await.err();
    assert_eq!(stale, Some(OpenError::Fenced(VolumeEpoch(2))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_returns_fills_its_gap_from_its_peers() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    region.kill('c');
    let volume = blocking(move || {
        for page in 0..200 {
            put(&volume, page, format!("page {page}").as_bytes());
        }
        volume
    })
    .await;
    let last = volume.status().vdl;
    drop(volume);
    region.revive('c').await;
    let next = region.open(2).await.unwrap();
    region.wait_for(|status| status.scl >= last, 'c').await;
    blocking(move || {
        for page in 0..200 {
            assert!(starts_with(&next, page, format!("page {page}").as_bytes()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_killed_and_revived_have_what_was_synced() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    blocking(move || {
        for round in 0..50_u64 {
            let unit = vec![
                bytes(round % 7, 16, &round.to_le_bytes()),
                bytes(900, 0, b"both"),
            ];
            let lsn = volume.write(unit, Point::Consistent).unwrap();
            volume.sync(lsn).unwrap();
        }
        // Half of a unit that recovery must not end with.
        let half = vec![bytes(901, 0, b"half")];
        volume.write(half, Point::Inside).unwrap();
    })
    .await;
    for zone in ['a', 'b', 'c'] {
        region.kill(zone);
    }
    for zone in ['a', 'b', 'c'] {
        region.revive(zone).await;
    }
    let volume = region.open(2).await.unwrap();
    blocking(move || {
        for page in 0..7_u64 {
            let last = (0..50).filter(|round| round % 7 == page).max().unwrap();
            let read = volume.read(PageId(page)).unwrap();
            assert_eq!(read[16..24], last.to_le_bytes());
        }
        assert!(starts_with(&volume, 900, b"both"));
        assert!(starts_with(&volume, 901, &[0; 4]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_log_agree_when_all_nodes_come_back_after_coalescing() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let volume = blocking(move || {
        for page in 0..40 {
            put(&volume, page, format!("first {page}").as_bytes());
        }
        volume
    })
    .await;
    let vdl = volume.status().vdl;
    for zone in ['a', 'b', 'c'] {
        let knows = |status: &quorate_volume::SegmentStatus| status.complete.vdl >= vdl;
        region.wait_for(knows, zone).await;
    }
    region.coalesce().await;
    region.wait_for(|status| status.coalesced >= vdl, 'c').await;
    blocking(move || {
        for page in 30..60 {
            put(&volume, page, format!("later {page}").as_bytes());
        }
    })
    .await;
    for zone in ['a', 'b', 'c'] {
        region.kill(zone);
    }
    for zone in ['a', 'b', 'c'] {
        region.revive(zone).await;
    }
    let volume = region.open(2).await.unwrap();
    blocking(move || {
        for page in 0..30 {
            assert!(starts_with(
                &volume,
                page,
                format!("first {page}").as_bytes()
            ));
        }
        for page in 30..60 {
            assert!(starts_with(
                &volume,
                page,
                format!("later {page}").as_bytes()
            ));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_lost_is_replaced_by_one_that_takes_pages_from_its_peers() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let volume = blocking(move || {
        for page in 0..40 {
            put(&volume, page, format!("page {page}").as_bytes());
        }
        volume
    })
    .await;
    let vdl = volume.status().vdl;
    for zone in ['a', 'b', 'c'] {
        let knows = |status: &quorate_volume::SegmentStatus| status.complete.vdl >= vdl;
        region.wait_for(knows, zone).await;
    }
    region.coalesce().await;
    for zone in ['a', 'b', 'c'] {
        region.kill(zone);
    }
    region.keep_little_log();
    for zone in ['a', 'b', 'c'] {
        region.revive(zone).await;
    }
    region.coalesce().await;
    drop(volume);
    region.lose('c');
    region.revive('c').await;
    // What was lost is not made again under its number: nobody knows any more what it promised.
    assert_eq!(region.lost('c').len(), 2);
    let next = region.open(2).await.unwrap();
    for (lost, new) in [(4, 6), (5, 7)] {
        region.replace(lost, new).await;
        next.set_layout(region.layout.clone());
        while !next.status().groups[0].filled {
            tokio::task::yield_now().await;
        }
        region.settle().await;
        next.set_layout(region.layout.clone());
    }
    assert!(region.lost('c').is_empty());
    region.wait_for(|status| status.scl >= vdl, 'c').await;
    drop(next);
    region.kill('a');
    let last = region.open(3).await.unwrap();
    blocking(move || {
        for page in 0..40 {
            assert!(starts_with(&last, page, format!("page {page}").as_bytes()));
        }
    })
    .await;
}

/// The writer's memory is smaller than what is read ahead: pages come and go all the time.
#[tokio::test(flavor = "multi_thread")]
async fn the_volume_grows_by_a_group_when_it_is_written_further() {
    let mut region = Region::start().await;
    let volume = Arc::new(region.open(1).await.unwrap());
    let beyond = region.layout.pages_per_group + 5;
    let writer = volume.clone();
    let writing = blocking(move || put(&writer, beyond, b"further"));
    let mut wanted = volume.wanted_groups();
    let growing = async {
        wanted.wait_for(|wanted| *wanted >= 2).await.unwrap();
        region.grow().await;
        volume.set_layout(region.layout.clone());
    };
    tokio::join!(writing, growing);
    let mut groups = volume.status().groups.into_iter();
    assert!(groups.any(|group| group.group == GroupIndex(1)));
    drop(volume);
    let next = region.open(2).await.unwrap();
    blocking(move || assert!(starts_with(&next, beyond, b"further"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_damaged_log_is_filled_and_counts_again() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let volume = blocking(move || {
        for page in 0..40 {
            put(&volume, page, format!("page {page:04}").as_bytes());
        }
        volume
    })
    .await;
    let vdl = volume.status().vdl;
    region.wait_for(|status| status.scl >= vdl, 'c').await;
    drop(volume);
    region.kill('c');
    region.damage('c', b"page 0020");
    region.revive('c').await;
    let next = region.open(2).await.unwrap();
    let next = blocking(move || {
        put(&next, 50, b"after the damage");
        next
    })
    .await;
    let vdl = next.status().vdl;
    let is_whole = |status: &quorate_volume::SegmentStatus| {
        status.scl >= vdl && status.complete.vdl >= vdl && status.trouble.is_none()
    };
    region.wait_for(is_whole, 'c').await;
    drop(next);
    region.kill('a');
    // Zone b alone is no quorum: the damaged copy counts, and has everything.
    let last = region.open(3).await.unwrap();
    blocking(move || {
        for page in 0..40 {
            assert!(starts_with(
                &last,
                page,
                format!("page {page:04}").as_bytes()
            ));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_written_at_the_far_end_of_128_tib() {
    const PAGES: u64 = (128 << 40) / 8_192;
    let mut region = Region::start().await;
    region.layout.pages_per_group = PAGES / 2;
    region.grow().await;
    let volume = region.open(1).await.unwrap();
    blocking(move || {
        assert_eq!(volume.pages_max(), PAGES);
        put(&volume, 0, b"near");
        put(&volume, PAGES - 1, b"far");
        let beyond = volume.write(vec![bytes(PAGES, 0, b"no")], Point::Consistent);
        assert_eq!(beyond, Err(PagesError::BeyondEnd(PageId(PAGES))));
    })
    .await;
    let next = region.open(2).await.unwrap();
    blocking(move || {
        assert!(starts_with(&next, 0, b"near"));
        assert!(starts_with(&next, PAGES - 1, b"far"));
        assert!(starts_with(&next, PAGES / 2, &[0; 8]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_segment_is_replaced_while_writes_go_on() {
    let mut region = Region::start().await;
    let volume = region.open(1).await.unwrap();
    let volume = blocking(move || {
        for page in 0..50 {
            put(&volume, page, b"early");
        }
        volume
    })
    .await;
    region.replace(5, 6).await;
    volume.set_layout(region.layout.clone());
    let volume = blocking(move || {
        put(&volume, 60, b"meanwhile");
        volume
    })
    .await;
    while !volume.status().groups[0].filled {
        tokio::task::yield_now().await;
    }
    region.settle().await;
    volume.set_layout(region.layout.clone());
    let copies = region.layout.groups[&GroupIndex(0)].membership.copies();
    assert_eq!(copies, [0, 1, 2, 3, 4, 6].into());
    blocking(move || {
        put(&volume, 61, b"afterwards");
        assert!(starts_with(&volume, 0, b"early"));
    })
    .await;
}
