//! `stat`, `chmod`, `chown`, `utimens`, `truncate`.

use std::time::SystemTime;

use super::FileSystem;
use crate::error::FsError;
use crate::inode::{Attributes, Ino, to_nanos};
use crate::state::State;
use crate::unit::{Unit, zeros};

/// What is to be changed; what is absent stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct SetAttributes {
    /// Permissions; a type in it is not looked at.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length in bytes.
    pub size: Option<u64>,
    /// Last read.
    pub atime: Option<SystemTime>,
    /// Last change of the contents.
    pub mtime: Option<SystemTime>,
}

impl FileSystem {
    /// What is known of a file.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn attributes(&self, ino: Ino) -> Result<Attributes, FsError> {
        let state = self.shared.lock();
        Ok(state.inode(ino.0)?.attributes(state.page_bytes))
    }

    /// Changes what is known of a file, its length too. All of it or nothing.
    ///
    /// # Errors
    /// When there is no such file, or no room.
    pub fn set_attributes(&self, ino: Ino, set: SetAttributes) -> Result<Attributes, FsError> {
        self.shared.change(|state, unit, now| {
            state.holds.end(ino.0);
            if let Some(size) = set.size {
                state.set_size(unit, ino.0, size, now)?;
            }
            let inode = state.inode_mut(ino.0)?;
            let row = &mut inode.attributes;
            if let Some(mode) = set.mode {
                row.mode = row.mode & !0o7777 | mode & 0o7777;
            }
            row.uid = set.uid.unwrap_or(row.uid);
            row.gid = set.gid.unwrap_or(row.gid);
            if let Some(atime) = set.atime {
                row.atime = to_nanos(atime);
            }
            if let Some(mtime) = set.mtime {
                row.mtime = to_nanos(mtime);
            }
            row.ctime = now;
            state.store_inode(unit, ino.0);
            Ok(state.inode(ino.0)?.attributes(state.page_bytes))
        })
    }
}

impl State {
    /// Changes a file's length; its row is not written yet.
    pub(super) fn set_size(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        size: u64,
        now: i64,
    ) -> Result<(), FsError> {
        let inode = self.inode(ino)?;
        if !inode.is_file() {
            return Err(match inode.folder {
                Some(_) => FsError::IsFolder,
                None => FsError::Invalid,
            });
        }
        let old = inode.attributes.size;
        if size > super::data::SIZE_MAX {
            return Err(FsError::TooLarge);
        }
        if size < old {
            self.zero(
                unit,
                ino,
                size,
                old.min(size.next_multiple_of(self.page_bytes)),
            )?;
        }
        // Pages behind the end, which `fallocate` may have made, go too.
        self.unmap(unit, ino, size.div_ceil(self.page_bytes), u64::MAX)?;
        let row = &mut self.inode_mut(ino)?.attributes;
        row.size = size;
        row.mtime = now;
        Ok(())
    }

    /// Writes zeros from `from` to `to`, which lie in one page, when that page is there.
    pub(super) fn zero(
        &mut self,
        unit: &mut Unit,
        ino: u64,
        from: u64,
        to: u64,
    ) -> Result<(), FsError> {
        if from >= to {
            return Ok(());
        }
        let (block, inside) = (from / self.page_bytes, from % self.page_bytes);
        if let Some((page, _)) = self.inode(ino)?.extents.find(block) {
            let len = usize::try_from(to - from).expect("pages are small");
            let inside = usize::try_from(inside).expect("pages are small");
            unit.bytes(page, inside, zeros(len));
            unit.touch(ino);
        }
        Ok(())
    }
}
