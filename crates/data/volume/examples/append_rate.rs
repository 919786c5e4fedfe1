//! How many appends a second a store takes: `cargo run --release --example append_rate FOLDER`.
//!
//! Tasks append one record each and wait for it, as commits do.

use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use quorate_volume::protocol::{
    Change, GroupIndex, Lsn, PageId, Record, RecordHeader, SegmentId, Span, VolumeEpoch, VolumeId,
};
use quorate_volume::store::{Entry, Options, SegmentStore};

const SECONDS: u64 = 3;
const RECORD_BYTES: usize = 500;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("a folder is wanted")?;
    let (store, _) = SegmentStore::open(&folder, Options::default())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    for (run, tasks) in [1_u32, 8, 64].into_iter().enumerate() {
        let copies = (0..tasks).map(|task| segment(u32::try_from(run).unwrap_or(0), task));
        let creates = copies.clone().map(|segment| Entry::Create {
            segment,
            page_bytes: 16_384,
        });
        store.append(creates.collect())?;
        let begin = Instant::now();
        let running: Vec<_> = copies
            .map(|segment| runtime.spawn(append_and_wait(store.clone(), segment, begin)))
            .collect();
        let mut appends = 0;
        for task in running {
            appends += runtime.block_on(task)??;
        }
        println!("{tasks} tasks: {} appends a second", appends / SECONDS);
    }
    Ok(())
}

async fn append_and_wait(
    store: SegmentStore,
    segment: SegmentId,
    begin: Instant,
) -> Result<u64, quorate_volume::store::StoreError> {
    let bytes = Bytes::from(vec![7; RECORD_BYTES]);
    let mut lsn = 0;
    while begin.elapsed().as_secs() < SECONDS {
        lsn += 1;
        let header = RecordHeader {
            lsn: Lsn(lsn),
            previous: Lsn(lsn - 1),
            epoch: VolumeEpoch(1),
            consistency_point: true,
        };
        let record = Record {
            header,
            page: PageId(lsn % 1_000),
            change: Change::Spans(vec![Span {
                offset: 0,
                bytes: bytes.clone(),
            }]),
        };
        let segment = segment.clone();
        let position = store.append(vec![Entry::Record { segment, record }])?;
        store.synced(position).await?;
    }
    Ok(lsn)
}

fn segment(group: u32, copy: u32) -> SegmentId {
    SegmentId {
        volume: VolumeId(String::from("measured")),
        group: GroupIndex(group),
        copy,
    }
}
