//! Names: looking up, making, linking, renaming, removing.

use bytes::Bytes;

use super::FileSystem;
use crate::error::FsError;
use crate::inode::{Attributes, Ino, LINK_MODE, ROOT, file_mode, folder_mode, is_folder};
use crate::records::InodeRow;
use crate::state::State;
use crate::unit::Unit;

const NAME_BYTES_MAX: usize = 255;
/// A link's target lies in one page, the smallest of which has 4,096 bytes.
const TARGET_BYTES_MAX: usize = 4095;
const SET_GROUP: u32 = 0o2000;

/// Whose something is that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What a renaming does when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameHow {
    /// Replaces what was there.
    Replace,
    /// Fails.
    NoReplace,
    /// Exchanges the two.
    Exchange,
}

impl FileSystem {
    /// Finds a name, and counts the inode as looked up until it is forgotten.
    ///
    /// # Errors
    /// When there is no such name or folder.
    pub fn look_up(&self, parent: Ino, name: &[u8]) -> Result<Attributes, FsError> {
        if name.len() > NAME_BYTES_MAX {
            return Err(FsError::NameTooLong);
        }
        let mut state = self.shared.lock();
        let entry = state.entry(parent.0, name)?.ok_or(FsError::NotFound)?;
        state.looked_up(entry.ino)
    }

    /// Takes note that the kernel knows the inode no longer: `times` look-ups are void.
    pub fn forget(&self, ino: Ino, times: u64) {
        let reap = {
            let mut state = self.shared.lock();
            let Ok(inode) = state.inode_mut(ino.0) else {
                return;
            };
            inode.lookups = inode.lookups.saturating_sub(times);
            if inode.lookups == 0 {
                state.unready(ino.0);
                state.unlinked(ino.0);
            }
            !state.dying.is_empty()
        };
        if reap {
            self.shared.reap();
        }
    }

    /// Makes a file, a pipe, a socket, a device; with a folder's mode, a folder. It counts as looked up.
    ///
    /// # Errors
    /// When the name is taken or there is no room.
    pub fn make(
        &self,
        parent: Ino,
        name: &[u8],
        mode: u32,
        rdev: u32,
        owner: Owner,
    ) -> Result<Attributes, FsError> {
        self.shared.change(|state, unit, now| {
            let ino = state.make(unit, (parent.0, name), file_mode(mode), owner, now)?;
            state.inode_mut(ino)?.attributes.rdev = rdev;
            state.store_inode(unit, ino);
            state.looked_up(ino)
        })
    }

    /// Makes a folder. It counts as looked up.
    ///
    /// # Errors
    /// As [`FileSystem::make`].
    pub fn make_folder(
        &self,
        parent: Ino,
        name: &[u8],
        mode: u32,
        owner: Owner,
    ) -> Result<Attributes, FsError> {
        self.make(parent, name, folder_mode(mode), 0, owner)
    }

    /// Makes a symbolic link. It counts as looked up.
    ///
    /// # Errors
    /// As [`FileSystem::make`].
    pub fn make_link(
        &self,
        parent: Ino,
        name: &[u8],
        target: &[u8],
        owner: Owner,
    ) -> Result<Attributes, FsError> {
        if target.len() > TARGET_BYTES_MAX {
            return Err(FsError::NameTooLong);
        }
        if target.is_empty() {
            return Err(FsError::NotFound);
        }
        self.shared.change(|state, unit, now| {
            let ino = state.make(unit, (parent.0, name), LINK_MODE, owner, now)?;
            state.write_data(unit, ino, 0, &Bytes::copy_from_slice(target), now)?;
            state.looked_up(ino)
        })
    }

    /// A symbolic link's target.
    ///
    /// # Errors
    /// When it is none, or its page cannot be had.
    pub fn read_link(&self, ino: Ino) -> Result<Vec<u8>, FsError> {
        if !self.shared.lock().inode(ino.0)?.is_link() {
            return Err(FsError::Invalid);
        }
        self.read(ino, 0, TARGET_BYTES_MAX)
    }

    /// Gives a file one more name. It counts as looked up.
    ///
    /// # Errors
    /// When the name is taken, it is a folder, or there is no room.
    pub fn link(&self, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attributes, FsError> {
        self.shared.change(|state, unit, now| {
            let inode = state.inode(ino.0)?;
            if inode.folder.is_some() {
                return Err(FsError::NotPermitted);
            }
            if inode.links == 0 {
                return Err(FsError::NotFound);
            }
            state.check_new_name(parent.0, name)?;
            state.add_entry(unit, parent.0, name, ino.0)?;
            state.inode_mut(ino.0)?.attributes.ctime = now;
            state.store_inode(unit, ino.0);
            state.folder_changed(unit, parent.0, now);
            state.looked_up(ino.0)
        })
    }

    /// Removes a name that stands for no folder. What it stood for is freed when it was the last one and nobody has it open.
    ///
    /// # Errors
    /// When there is no such name, or it is a folder's.
    pub fn unlink(&self, parent: Ino, name: &[u8]) -> Result<(), FsError> {
        self.shared.change(|state, unit, now| {
            let entry = state.entry(parent.0, name)?.ok_or(FsError::NotFound)?;
            if state.inode(entry.ino)?.folder.is_some() {
                return Err(FsError::IsFolder);
            }
            state.remove_name(unit, parent.0, name, now)
        })
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// When there is no such folder, or it is not empty.
    pub fn remove_folder(&self, parent: Ino, name: &[u8]) -> Result<(), FsError> {
        self.shared.change(|state, unit, now| {
            let entry = state.entry(parent.0, name)?.ok_or(FsError::NotFound)?;
            let folder = state.inode(entry.ino)?.folder.as_ref();
            if !folder.ok_or(FsError::NotFolder)?.entries.is_empty() {
                return Err(FsError::NotEmpty);
            }
            state.remove_name(unit, parent.0, name, now)
        })
    }

    /// Renames.
    ///
    /// # Errors
    /// Those of `renameat2`.
    pub fn rename(
        &self,
        (parent, name): (Ino, &[u8]),
        (new_parent, new_name): (Ino, &[u8]),
        how: RenameHow,
    ) -> Result<(), FsError> {
        self.shared.change(|state, unit, now| {
            let (from, to) = ((parent.0, name), (new_parent.0, new_name));
            state.rename(unit, from, to, how, now)
        })
    }
}

impl State {
    fn looked_up(&mut self, ino: u64) -> Result<Attributes, FsError> {
        let page_bytes = self.page_bytes;
        let inode = self.inode_mut(ino)?;
        inode.lookups += 1;
        Ok(inode.attributes(page_bytes))
    }

    fn check_new_name(&self, parent: u64, name: &[u8]) -> Result<(), FsError> {
        if name.len() > NAME_BYTES_MAX {
            return Err(FsError::NameTooLong);
        }
        if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
            return Err(FsError::Invalid);
        }
        if self.entry(parent, name)?.is_some() {
            return Err(FsError::Exists);
        }
        // A folder that was removed while somebody stands in it takes nothing.
        if parent != ROOT && self.inode(parent)?.links == 0 {
            return Err(FsError::NotFound);
        }
        Ok(())
    }

    fn make(
        &mut self,
        unit: &mut Unit,
        (parent, name): (u64, &[u8]),
        mode: u32,
        owner: Owner,
        now: i64,
    ) -> Result<u64, FsError> {
        self.check_new_name(parent, name)?;
        let above = self.inode(parent)?.attributes;
        let inherits = above.mode & SET_GROUP != 0;
        let row = InodeRow {
            ino: 0,
            mode: match inherits && is_folder(mode) {
                true => mode | SET_GROUP,
                false => mode,
            },
            uid: owner.uid,
            gid: if inherits { above.gid } else { owner.gid },
            rdev: 0,
            size: 0,
            mtime: now,
            ctime: now,
            atime: now,
        };
        let ino = self.add_inode(unit, row)?;
        self.add_entry(unit, parent, name, ino)?;
        self.folder_changed(unit, parent, now);
        Ok(ino)
    }

    /// A folder's times are written with its next change of another kind, or a sync.
    fn folder_changed(&mut self, unit: &mut Unit, ino: u64, now: i64) {
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.attributes.mtime = now;
            inode.attributes.ctime = now;
            unit.touch(ino);
        }
    }

    fn remove_name(
        &mut self,
        unit: &mut Unit,
        parent: u64,
        name: &[u8],
        now: i64,
    ) -> Result<(), FsError> {
        let entry = self.remove_entry(unit, parent, name);
        self.inode_mut(entry.ino)?.attributes.ctime = now;
        self.folder_changed(unit, parent, now);
        self.unlinked(entry.ino);
        Ok(())
    }

    fn rename(
        &mut self,
        unit: &mut Unit,
        (parent, name): (u64, &[u8]),
        (new_parent, new_name): (u64, &[u8]),
        how: RenameHow,
        now: i64,
    ) -> Result<(), FsError> {
        let from = self.entry(parent, name)?.ok_or(FsError::NotFound)?;
        let to = self.entry(new_parent, new_name)?;
        let moves_folder = self.inode(from.ino)?.folder.is_some();
        if moves_folder && self.lies_in(new_parent, from.ino)? {
            return Err(FsError::Invalid);
        }
        match (to, how) {
            (Some(_), RenameHow::NoReplace) => return Err(FsError::Exists),
            (None, RenameHow::Exchange) => return Err(FsError::NotFound),
            (Some(to), _) if to.ino == from.ino => return Ok(()),
            (Some(to), RenameHow::Exchange) => {
                if self.inode(to.ino)?.folder.is_some() && self.lies_in(parent, to.ino)? {
                    return Err(FsError::Invalid);
                }
                self.change_entry(unit, new_parent, new_name, from.ino);
                self.change_entry(unit, parent, name, to.ino);
            }
            (Some(to), RenameHow::Replace) => {
                match (moves_folder, &self.inode(to.ino)?.folder) {
                    (true, None) => return Err(FsError::NotFolder),
                    (false, Some(_)) => return Err(FsError::IsFolder),
                    (true, Some(folder)) if !folder.entries.is_empty() => {
                        return Err(FsError::NotEmpty);
                    }
                    _ => {}
                }
                self.change_entry(unit, new_parent, new_name, from.ino);
                self.remove_entry(unit, parent, name);
                self.unlinked(to.ino);
            }
            (None, _) => {
                self.check_new_name(new_parent, new_name)?;
                self.add_entry(unit, new_parent, new_name, from.ino)?;
                self.remove_entry(unit, parent, name);
            }
        }
        self.inode_mut(from.ino)?.attributes.ctime = now;
        self.folder_changed(unit, parent, now);
        self.folder_changed(unit, new_parent, now);
        Ok(())
    }

    /// Whether `ino` is the folder `above` or lies somewhere in it.
    fn lies_in(&self, mut ino: u64, above: u64) -> Result<bool, FsError> {
        loop {
            if ino == above {
                return Ok(true);
            }
            if ino == ROOT || ino == 0 {
                return Ok(false);
            }
            let folder = self.inode(ino)?.folder.as_ref();
            ino = folder.ok_or(FsError::NotFolder)?.parent;
        }
    }
}
