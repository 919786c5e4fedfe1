//! Reading and writing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quorate_volume::protocol::PageId;

use super::FileSystem;
use crate::allocate::Run;
use crate::error::FsError;
use crate::hold::{HOLD_MS_MAX, Holds};
use crate::inode::Ino;
use crate::state::State;
use crate::unit::{Unit, zeros};

/// How long a file may be, in bytes.
pub(super) const SIZE_MAX: u64 = 1 << 62;

impl FileSystem {
    /// Reads up to `len` bytes; fewer at the file's end.
    ///
    /// # Errors
    /// When there is no such file, or its pages cannot be had.
    pub fn read(&self, ino: Ino, offset: u64, len: usize) -> Result<Vec<u8>, FsError> {
        loop {
            let plan = self.shared.lock().plan_read(ino.0, offset, len)?;
            let mut data = vec![0; plan.len];
            if plan.ids.is_empty() {
                return Ok(data);
            }
            let pages = match plan.ids[..] {
                [only] => vec![self.shared.pages.read(only)?],
                _ => self.shared.pages.read_many(&plan.ids)?,
            };
            for ((at, inside, len), page) in plan.pieces.iter().zip(&pages) {
                data[*at..at + len].copy_from_slice(&page[*inside..inside + len]);
            }
            // Pages that the file has lost meanwhile may be another file's.
            let state = self.shared.lock();
            if state.inode(ino.0)?.pages_lost == plan.pages_lost {
                return Ok(data);
            }
        }
    }

    /// Writes. With `thread`, the bytes may be a part of what that thread writes: see [`crate::hold`].
    ///
    /// # Errors
    /// When there is no such file or no room; nothing is written then.
    pub fn write(
        &self,
        ino: Ino,
        offset: u64,
        data: &Bytes,
        thread: Option<u32>,
    ) -> Result<(), FsError> {
        if data.is_empty() {
            return Ok(());
        }
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|end| *end <= SIZE_MAX)
            .ok_or(FsError::TooLarge)?;
        let shared = &self.shared;
        let mut state = shared.lock_to_write()?;
        let page_bytes = state.page_bytes;
        if let Some(thread) = thread
            && !state.holds.none_open()
        {
            if !state.holds.continues(ino.0, offset, thread) {
                state.holds.end_of_thread(thread);
                state.holds.end(ino.0);
            }
            if Holds::would_open(offset, end, page_bytes) {
                // Without this, a new hold could follow each one, and no point would ever be set.
                shared.mark_if_owed(&mut state);
            }
            while Holds::would_open(offset, end, page_bytes)
                && !state.holds.continues(ino.0, offset, thread)
                && state.holds.too_old(Instant::now())
            {
                let limit = Duration::from_millis(HOLD_MS_MAX);
                let waited = shared.holds_ended.wait_timeout(state, limit);
                state = waited.expect("no operation panics half done").0;
            }
            if let Some(error) = &state.failed {
                return Err(FsError::Pages(error.clone()));
            }
        } else if Holds::would_open(offset, end, page_bytes) && state.point_owed {
            shared.mark_if_owed(&mut state);
        }
        shared.apply(&mut state, |state, unit, now| {
            state.write_data(unit, ino.0, offset, data, now)?;
            if let Some(thread) = thread {
                let range = (offset, end);
                let (holds, now) = (&mut state.holds, Instant::now());
                holds.written(ino.0, range, thread, page_bytes, now);
            }
            Ok(())
        })
    }
}

struct ReadPlan {
    len: usize,
    ids: Vec<PageId>,
    /// For each page: where its bytes go, where they begin in it, how many they are.
    pieces: Vec<(usize, usize, usize)>,
    pages_lost: u64,
}

impl State {
    fn plan_read(&self, ino: u64, offset: u64, len: usize) -> Result<ReadPlan, FsError> {
        let inode = self.inode(ino)?;
        if inode.folder.is_some() {
            return Err(FsError::IsFolder);
        }
        let left = inode.attributes.size.saturating_sub(offset);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(len);
        let mut plan = ReadPlan {
            len,
            ids: Vec::new(),
            pieces: Vec::new(),
            pages_lost: inode.pages_lost,
        };
        let end = offset + len as u64;
        let mut at = offset;
        while at < end {
            let block = at / self.page_bytes;
            let Some((first, left)) = inode.extents.find(block) else {
                match inode.extents.next_mapped(block) {
                    Some(next) => at = next * self.page_bytes,
                    None => break,
                }
                continue;
            };
            for page in first..first + left {
                if at >= end {
                    break;
                }
                let inside = at % self.page_bytes;
                let piece = (self.page_bytes - inside).min(end - at);
                let small = |n: u64| usize::try_from(n).expect("within the read");
                plan.ids.push(PageId(page));
                plan.pieces
                    .push((small(at - offset), small(inside), small(piece)));
                at += piece;
            }
        }
        Ok(plan)
    }

    pub(super) fn write_data(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        offset: u64,
        data: &Bytes,
        now: i64,
    ) -> Result<(), FsError> {
        let page_bytes = self.page_bytes;
        let end = offset + data.len() as u64;
        let inode = self.inode(ino)?;
        if inode.folder.is_some() {
            return Err(FsError::IsFolder);
        }
        let (first, last) = (offset / page_bytes, (end - 1) / page_bytes);
        let fresh = self.map_holes(unit, ino, first, last + 1)?;
        let is_fresh = |block| {
            fresh
                .iter()
                .any(|run: &Run| (run.start..run.end()).contains(&block))
        };
        let extents = &self.inode(ino)?.extents;
        let mut block = first;
        while block <= last {
            let (page, left) = extents.find(block).expect("all blocks have pages");
            for step in 0..left.min(last + 1 - block) {
                let (from, to) = ((block + step) * page_bytes, (block + step + 1) * page_bytes);
                let (from, to) = (from.max(offset), to.min(end));
                let small = |n: u64| usize::try_from(n).expect("within the write");
                let piece = data.slice(small(from - offset)..small(to - offset));
                // A page that was free reads as zeros.
                match (piece == zeros(piece.len()), is_fresh(block + step)) {
                    (true, true) => {}
                    (true, false) if to - from == page_bytes => unit.discard(page + step),
                    _ => unit.bytes(page + step, small(from % page_bytes), piece),
                }
            }
            block += left;
        }
        let inode = self.inode_mut(ino)?;
        // Times alone are written with the next change of the size, or a sync.
        inode.attributes.mtime = now;
        inode.attributes.ctime = now;
        if end > inode.attributes.size {
            inode.attributes.size = end;
            self.store_inode(unit, ino);
        }
        unit.touch(ino);
        Ok(())
    }
}
