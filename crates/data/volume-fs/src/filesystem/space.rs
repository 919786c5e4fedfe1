//! `fallocate` in its kinds, and `lseek` to data and holes.

use super::FileSystem;
use crate::error::FsError;
use crate::inode::Ino;
use crate::mapping::FREED_MAX;
use crate::state::State;
use crate::unit::Unit;

/// What `fallocate` is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocateHow {
    /// Give pages to the range; the file grows to its end.
    Grow,
    /// Give pages to the range; the file keeps its length.
    KeepSize,
    /// Take the range's pages away; it reads as zeros.
    PunchHole,
    /// Have the range read as zeros, with pages. The file grows to its end when `grow` is set.
    ZeroRange {
        /// Whether the file grows.
        grow: bool,
    },
}

/// What is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// A block with a page.
    Data,
    /// A block without one; the file's end counts as one.
    Hole,
}

impl FileSystem {
    /// Gives pages to a range of a file, or takes them away.
    ///
    /// # Errors
    /// When there is no such file, or no room; nothing is changed then.
    pub fn allocate(
        &self,
        ino: Ino,
        offset: u64,
        len: u64,
        how: AllocateHow,
    ) -> Result<(), FsError> {
        let end = offset.checked_add(len).filter(|_| len > 0);
        let end = end.ok_or(FsError::Invalid)?;
        if end > super::data::SIZE_MAX {
            return Err(FsError::TooLarge);
        }
        self.shared.change(|state, unit, now| {
            state.holds.end(ino.0);
            if !state.inode(ino.0)?.is_file() {
                return Err(FsError::Invalid);
            }
            let page_bytes = state.page_bytes;
            let (first, last) = (offset / page_bytes, end.div_ceil(page_bytes));
            let grows = match how {
                AllocateHow::Grow => true,
                AllocateHow::ZeroRange { grow } => grow,
                AllocateHow::KeepSize | AllocateHow::PunchHole => false,
            };
            match how {
                AllocateHow::Grow | AllocateHow::KeepSize => {
                    state.map_holes(unit, ino.0, first, last)?;
                }
                AllocateHow::PunchHole => state.clear(unit, ino.0, offset, end, false)?,
                AllocateHow::ZeroRange { .. } => {
                    state.map_holes(unit, ino.0, first, last)?;
                    state.clear(unit, ino.0, offset, end, true)?;
                }
            }
            let row = &mut state.inode_mut(ino.0)?.attributes;
            if grows {
                row.size = row.size.max(end);
            }
            row.mtime = now;
            row.ctime = now;
            state.store_inode(unit, ino.0);
            Ok(())
        })
    }

    /// The first place from `offset` on that has data, or none.
    ///
    /// # Errors
    /// When the file ends before, or has no more data.
    pub fn seek(&self, ino: Ino, offset: u64, what: Seek) -> Result<u64, FsError> {
        let state = self.shared.lock();
        let inode = state.inode(ino.0)?;
        let size = inode.attributes.size;
        if offset >= size {
            return Err(FsError::NothingBehind);
        }
        let block = offset / state.page_bytes;
        let found = match what {
            Seek::Hole => Some(inode.extents.next_hole(block)),
            Seek::Data => inode.extents.next_mapped(block),
        };
        let at = found.map(|block| offset.max(block.saturating_mul(state.page_bytes)));
        match (at, what) {
            (Some(at), _) if at < size => Ok(at),
            (_, Seek::Hole) => Ok(size),
            (_, Seek::Data) => Err(FsError::NothingBehind),
        }
    }
}

impl State {
    /// Has a range read as zeros: its ends by zeros, whole pages by taking them away or, when they are to stay, discarding them.
    fn clear(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        from: u64,
        to: u64,
        keep: bool,
    ) -> Result<(), FsError> {
        let page_bytes = self.page_bytes;
        let (whole, whole_end) = (from.div_ceil(page_bytes), to / page_bytes);
        if whole > whole_end {
            return self.zero(unit, ino, from, to);
        }
        self.zero(unit, ino, from, whole * page_bytes)?;
        self.zero(unit, ino, whole_end * page_bytes, to)?;
        if whole == whole_end {
            return Ok(());
        }
        let extents = &self.inode(ino)?.extents;
        if !keep {
            return self.unmap(unit, ino, whole, whole_end);
        }
        if extents.mapped(whole, whole_end) > FREED_MAX {
            self.unmap(unit, ino, whole, whole_end)?;
            return self.map_holes(unit, ino, whole, whole_end).map(|_| ());
        }
        for (first, extent) in extents.overlapping(whole, whole_end) {
            for block in first.max(whole)..(first + extent.len).min(whole_end) {
                unit.discard(extent.page + (block - first));
            }
        }
        unit.touch(ino);
        Ok(())
    }
}
