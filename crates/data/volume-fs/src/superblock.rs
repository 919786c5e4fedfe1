//! Page 0: what the volume holds, and where its metadata pages lie.
//!
//! ```text
//!  0  magic (8)   8  version (4)   12  bytes of a page (4)   16  checksum of the bytes before (8)
//! 64  runs of metadata pages: first page (8), how many (8); zeros end the list
//! ```

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::allocate::Run;
use crate::error::FsError;
use crate::unit::Unit;

const MAGIC: &[u8; 8] = b"QUORATEF";
const VERSION: u32 = 1;
const RUNS_AT: usize = 64;
const RUN_BYTES: usize = 16;

/// How many runs of metadata pages the superblock has room for.
pub(crate) fn runs_max(page_bytes: usize) -> usize {
    (page_bytes - RUNS_AT) / RUN_BYTES
}

fn head(page_bytes: usize) -> [u8; 24] {
    let mut head = [0; 24];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let page_bytes = u32::try_from(page_bytes).expect("a page has at most 65,536 bytes");
    head[12..16].copy_from_slice(&page_bytes.to_le_bytes());
    let sum = xxh3_64(&head[..16]);
    head[16..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// Writes the head of an empty superblock.
pub(crate) fn write_head(unit: &mut Unit, page_bytes: usize) {
    unit.bytes(0, 0, Bytes::copy_from_slice(&head(page_bytes)));
}

/// Writes one run of metadata pages.
pub(crate) fn write_run(unit: &mut Unit, index: usize, run: Run) {
    let mut bytes = [0; RUN_BYTES];
    bytes[..8].copy_from_slice(&run.start.to_le_bytes());
    bytes[8..].copy_from_slice(&run.len.to_le_bytes());
    unit.bytes(
        0,
        RUNS_AT + index * RUN_BYTES,
        Bytes::copy_from_slice(&bytes),
    );
}

/// Reads page 0: the runs of metadata pages, none at all when the volume was never formatted.
///
/// # Errors
/// When there is something else, or a file system of another version or page size.
pub(crate) fn read(page: &[u8]) -> Result<Option<Vec<Run>>, FsError> {
    if page.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let corrupt = |why: &str| Err(FsError::Corrupt(why.to_owned()));
    if &page[..8] != MAGIC {
        return corrupt("page 0 is no superblock");
    }
    let number = |at: usize| {
        let bytes = page[at..at + 8].try_into().expect("eight bytes were taken");
        u64::from_le_bytes(bytes)
    };
    if number(16) != xxh3_64(&page[..16]) {
        return corrupt("the superblock's checksum is wrong");
    }
    if page[8..12] != VERSION.to_le_bytes() {
        return corrupt("the file system has a version that this program does not know");
    }
    if page[..24] != head(page.len()) {
        return corrupt("the file system was made for another page size");
    }
    let runs = (0..runs_max(page.len()))
        .map(|index| RUNS_AT + index * RUN_BYTES)
        .map(|at| Run {
            start: number(at),
            len: number(at + 8),
        })
        .take_while(|run| run.len > 0)
        .collect();
    Ok(Some(runs))
}
