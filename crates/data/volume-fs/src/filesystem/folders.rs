//! Listings of folders.

use super::FileSystem;
use crate::error::FsError;
use crate::inode::{Attributes, Ino};

/// A name in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: Vec<u8>,
    /// What it stands for.
    pub attributes: Attributes,
    /// A listing goes on after this.
    pub cookie: u64,
}

impl FileSystem {
    /// Calls `each` with the entries after `cookie` (0 at first), `.` and `..` before all, until it says that it has enough. With `look_up` it
    /// counts what it was called with as looked up, save `.`, `..` and the one that was too much.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn list(
        &self,
        ino: Ino,
        cookie: u64,
        look_up: bool,
        mut each: impl FnMut(&[u8], u64, &Attributes) -> bool,
    ) -> Result<(), FsError> {
        let mut state = self.shared.lock();
        let inode = state.inode(ino.0)?;
        let folder = inode.folder.as_ref().ok_or(FsError::NotFolder)?;
        let parent = match folder.parent {
            0 => ino.0,
            parent => parent,
        };
        for (at, name, ino) in [(1, &b"."[..], ino.0), (2, b"..", parent)] {
            // A folder that was removed while it is open has no parent left.
            let Some(inode) = state.inodes.get(&ino) else {
                continue;
            };
            if at > cookie && each(name, at, &inode.attributes(state.page_bytes)) {
                return Ok(());
            }
        }
        let mut looked_up = Vec::new();
        for (at, name) in folder.order.range(cookie.max(2) + 1..) {
            let ino = folder.entries[name].ino;
            if each(name, *at, &state.inode(ino)?.attributes(state.page_bytes)) {
                break;
            }
            looked_up.push(ino);
        }
        if look_up {
            for ino in looked_up {
                state.inode_mut(ino)?.lookups += 1;
            }
        }
        Ok(())
    }

    /// All entries of a folder, without `.` and `..`.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn entries(&self, ino: Ino) -> Result<Vec<Listed>, FsError> {
        let mut entries = Vec::new();
        self.list(ino, 2, false, |name, cookie, attributes| {
            entries.push(Listed {
                name: name.to_vec(),
                attributes: *attributes,
                cookie,
            });
            false
        })?;
        Ok(entries)
    }
}
