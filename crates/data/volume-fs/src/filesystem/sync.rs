//! `fsync`, `fdatasync`, `sync`.

use quorate_volume::protocol::Lsn;

use super::FileSystem;
use crate::error::FsError;
use crate::inode::Ino;

impl FileSystem {
    /// Waits until a file or folder survives as it is. With `data_only` its times may be older.
    ///
    /// # Errors
    /// When that cannot be had any more: nothing can be written from then on.
    pub fn sync(&self, ino: Ino, data_only: bool) -> Result<(), FsError> {
        if self.shared.read_only {
            return Ok(());
        }
        let lsn = {
            let mut state = self.shared.lock_to_write()?;
            state.holds.end(ino.0);
            self.shared.apply(&mut state, |state, unit, _| {
                state.inode(ino.0)?;
                if !data_only {
                    state.store_inode(unit, ino.0);
                }
                Ok(())
            })?;
            state.inode(ino.0)?.last
        };
        self.wait_for(lsn)
    }

    /// Waits until everything survives as it is.
    ///
    /// # Errors
    /// As [`FileSystem::sync`].
    pub fn sync_all(&self) -> Result<(), FsError> {
        if self.shared.read_only {
            return Ok(());
        }
        let lsn = {
            let mut state = self.shared.lock_to_write()?;
            let changed = |inode: &crate::inode::Inode| inode.attributes.encode() != inode.stored;
            let inodes = state.inodes.values().filter(|inode| changed(inode));
            let dirty: Vec<u64> = inodes.map(|inode| inode.attributes.ino).collect();
            self.shared.apply(&mut state, |state, unit, _| {
                for ino in dirty {
                    state.store_inode(unit, ino);
                }
                Ok(())
            })?;
            state.last
        };
        self.wait_for(lsn)
    }

    fn wait_for(&self, lsn: Lsn) -> Result<(), FsError> {
        if lsn == Lsn(0) {
            // Not changed since the mount: a mount shows only what survives.
            return Ok(());
        }
        self.shared.pages.sync(lsn).map_err(|error| {
            self.shared.fail(&mut self.shared.lock(), &error);
            error.into()
        })
    }
}
