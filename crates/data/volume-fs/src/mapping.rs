//! Pages for files, and back: the changes of a file's extents, in memory and in rows.

use quorate_volume::protocol::Lsn;

use crate::allocate::Run;
use crate::error::FsError;
use crate::extents::Extent;
use crate::inode::ORPHAN_MODE;
use crate::records::{ExtentRow, InodeRow};
use crate::rows::{RowId, Tag, frame};
use crate::state::{SPARE_PAGES, State};
use crate::unit::Unit;

/// How many pages one unit frees at most.
pub(crate) const FREED_MAX: u64 = 512;
/// Pages that are kept ready for a growing file, at most.
const AHEAD_MAX: u64 = 64;
const AHEAD_SHARE: u64 = 8;
const EXTENT_BYTES: usize = 28;
const LEN_MAX: u64 = u32::MAX as u64;

fn framed(ino: u64, block: u64, page: u64, len: u64) -> Vec<u8> {
    frame(Tag::Extent, &record(ino, block, page, len).encode())
}

fn record(ino: u64, block: u64, page: u64, len: u64) -> ExtentRow {
    ExtentRow {
        ino,
        block,
        page,
        pages: u32::try_from(len).expect("extents are kept short enough"),
    }
}

impl State {
    /// Gives pages to all blocks of `from..to` that have none; says which ones, in their order.
    pub(crate) fn map_holes(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        from: u64,
        to: u64,
    ) -> Result<Vec<Run>, FsError> {
        let holes = to - from - self.inode(ino)?.extents.mapped(from, to);
        if holes == 0 {
            return Ok(Vec::new());
        }
        if self.available() < holes + SPARE_PAGES {
            return Err(FsError::NoSpace);
        }
        let mut fresh = Vec::new();
        let mut block = from;
        while block < to {
            let extents = &self.inode(ino)?.extents;
            if let Some((_, left)) = extents.find(block) {
                block += left;
                continue;
            }
            let gap = extents.next_mapped(block).map_or(to, |next| next.min(to)) - block;
            let run = self.take_for(ino, block, gap)?;
            self.map_run(unit, ino, block, run)?;
            fresh.push(Run {
                start: block,
                len: run.len,
            });
            block += run.len;
        }
        Ok(fresh)
    }

    /// Takes up to `want` pages for the blocks from `block` on: next to those of the blocks before, where that can be had.
    fn take_for(&mut self, ino: u64, block: u64, want: u64) -> Result<Run, FsError> {
        let extents = &self.inode(ino)?.extents;
        let before = block.checked_sub(1).and_then(|before| extents.find(before));
        let goal = before.map(|(page, _)| page + 1);
        let grows = block >= extents.end();
        let ahead = if grows {
            (extents.pages() / AHEAD_SHARE).min(AHEAD_MAX)
        } else {
            0
        };
        if grows && let Some(run) = self.ready.get_mut(&ino) {
            let taken = Run {
                start: run.start,
                len: want.min(run.len),
            };
            run.start += taken.len;
            run.len -= taken.len;
            self.ready_pages -= taken.len;
            if run.len == 0 {
                self.ready.remove(&ino);
            }
            return Ok(taken);
        }
        let near = goal.and_then(|goal| self.space.take_at(goal, want + ahead));
        let run = match near {
            Some(run) => run,
            None => self.take_pages(want + ahead)?,
        };
        let len = run.len.min(want);
        if run.len > len {
            self.unready(ino);
            let rest = Run {
                start: run.start + len,
                len: run.len - len,
            };
            self.ready_pages += rest.len;
            self.ready.insert(ino, rest);
        }
        Ok(Run {
            start: run.start,
            len,
        })
    }

    /// Maps blocks that have no pages to these ones.
    fn map_run(&mut self, unit: &mut Unit, ino: u64, block: u64, run: Run) -> Result<(), FsError> {
        let extents = &mut self.inode_mut(ino)?.extents;
        if let Some((first, mut extent)) = extents.at_or_before(block)
            && first + extent.len == block
            && extent.page + extent.len == run.start
            && extent.len + run.len <= LEN_MAX
        {
            let old = framed(ino, first, extent.page, extent.len);
            extent.len += run.len;
            extents.set(first, extent);
            unit.row_changed(
                extent.row,
                &old,
                &framed(ino, first, extent.page, extent.len),
            );
            return Ok(());
        }
        self.add_extent(unit, ino, block, run)
    }

    fn add_extent(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        block: u64,
        run: Run,
    ) -> Result<(), FsError> {
        let payload = record(ino, block, run.start, run.len).encode();
        let row = self.new_row(unit, Tag::Extent, &payload)?;
        let extent = Extent {
            page: run.start,
            len: run.len,
            row,
        };
        self.inode_mut(ino)?.extents.set(block, extent);
        Ok(())
    }

    /// Takes the pages of `from..to` away from a file. They are free at once, or, when they are many, belong to an inode that dies.
    pub(crate) fn unmap(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        from: u64,
        to: u64,
    ) -> Result<(), FsError> {
        let pages = self.inode(ino)?.extents.mapped(from, to);
        if pages == 0 {
            return Ok(());
        }
        let heir = if pages > FREED_MAX {
            let heir = self.add_inode(unit, orphan())?;
            self.dying.push(heir);
            Some(heir)
        } else {
            None
        };
        let overlapping: Vec<_> = self.inode(ino)?.extents.overlapping(from, to).collect();
        for (first, extent) in overlapping {
            self.unmap_extent(unit, ino, (first, extent), (from, to), heir)?;
        }
        let inode = self.inode_mut(ino)?;
        inode.pages_lost += 1;
        if to >= inode.extents.end() {
            self.unready(ino);
        }
        unit.touch(ino);
        Ok(())
    }

    /// Cuts `from..to` out of one extent.
    fn unmap_extent(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        (first, extent): (u64, Extent),
        (from, to): (u64, u64),
        heir: Option<u64>,
    ) -> Result<(), FsError> {
        let end = first + extent.len;
        let (cut, cut_end) = (from.max(first), to.min(end));
        let lost = Run {
            start: extent.page + (cut - first),
            len: cut_end - cut,
        };
        let rest = Run {
            start: lost.end(),
            len: end - cut_end,
        };
        let old = framed(ino, first, extent.page, extent.len);
        self.inode_mut(ino)?.extents.remove(first);
        let mut row = Some(extent.row);
        if cut > first {
            let kept = Run {
                start: extent.page,
                len: cut - first,
            };
            self.keep_part(unit, ino, first, kept, row.take(), &old)?;
        }
        if rest.len > 0 {
            self.keep_part(unit, ino, cut_end, rest, row.take(), &old)?;
        }
        match heir {
            Some(heir) => self.keep_part(unit, heir, cut, lost, row.take(), &old)?,
            None => self.free_pages(unit, lost),
        }
        if let Some(row) = row {
            self.free_row(unit, row, EXTENT_BYTES);
        }
        Ok(())
    }

    /// A part of a cut extent: in the old extent's row while that is not taken, else in one of its own.
    fn keep_part(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        block: u64,
        run: Run,
        row: Option<RowId>,
        old: &[u8],
    ) -> Result<(), FsError> {
        let Some(row) = row else {
            return self.add_extent(unit, ino, block, run);
        };
        unit.row_changed(row, old, &framed(ino, block, run.start, run.len));
        let extent = Extent {
            page: run.start,
            len: run.len,
            row,
        };
        self.inode_mut(ino)?.extents.set(block, extent);
        Ok(())
    }

    fn free_pages(&mut self, unit: &mut Unit, run: Run) {
        for page in run.start..run.end() {
            unit.discard(page);
        }
        self.space.give(run);
    }

    /// Frees some pages of a dying inode, at last itself. True when it is gone.
    pub(crate) fn free_some(&mut self, unit: &mut Unit, ino: u64) -> Result<bool, FsError> {
        let Some(inode) = self.inodes.get_mut(&ino) else {
            return Ok(true);
        };
        inode.pages_lost += 1;
        let mut room = FREED_MAX;
        while room > 0 {
            let Some((first, extent)) = self.inode(ino)?.extents.iter().next_back() else {
                break;
            };
            let cut = room.min(extent.len);
            let end = first + extent.len;
            self.unmap_extent(unit, ino, (first, extent), (end - cut, end), None)?;
            room -= cut;
        }
        let gone = self.inode(ino)?.extents.pages() == 0;
        if gone {
            self.remove_inode(unit, ino);
        }
        Ok(gone)
    }

    /// Takes note of how far the log reached with a unit.
    pub(crate) fn logged(&mut self, touched: &[u64], lsn: Lsn) {
        self.last = lsn;
        for ino in touched {
            if let Some(inode) = self.inodes.get_mut(ino) {
                inode.last = lsn;
            }
        }
    }
}

fn orphan() -> InodeRow {
    InodeRow {
        ino: 0,
        mode: ORPHAN_MODE,
        uid: 0,
        gid: 0,
        rdev: 0,
        size: 0,
        mtime: 0,
        ctime: 0,
        atime: 0,
    }
}
