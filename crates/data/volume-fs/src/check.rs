//! Looks for damage: what memory, the rows and the free pages say must agree.

use quorate_volume::protocol::PageId;

use crate::error::FsError;
use crate::filesystem::FileSystem;
use crate::inode::{Inode, ROOT};
use crate::load;
use crate::state::State;
use crate::unit::zeros;

/// How deep a folder may lie below the root, as a guard against circles.
const DEPTH_MAX: usize = 100_000;

impl FileSystem {
    /// Compares the mounted file system with what a mount would read, and looks for pages in two places, folders out of reach, and free pages
    /// that are not zeros. Nothing else can be done meanwhile.
    ///
    /// # Errors
    /// What is wrong, or that pages cannot be read.
    pub fn check(&self) -> Result<(), FsError> {
        let mut state = self.shared.lock();
        for ino in state.ready.keys().copied().collect::<Vec<_>>() {
            state.unready(ino);
        }
        let pages = self.shared.pages.as_ref();
        let gone = || FsError::Corrupt("the superblock is gone".to_owned());
        let stored = load::load(pages)?.ok_or_else(gone)?;
        compare(&state, &stored)?;
        reach(&stored)?;
        for run in stored.space.free_runs() {
            for page in run.start..run.end() {
                let bytes = pages.read(PageId(page))?;
                if bytes != zeros(bytes.len()) {
                    return wrong(format!("free page {page} is not zeros"));
                }
            }
        }
        Ok(())
    }
}

fn wrong(what: String) -> Result<(), FsError> {
    Err(FsError::Corrupt(what))
}

fn compare(memory: &State, stored: &State) -> Result<(), FsError> {
    if memory.space != stored.space {
        return wrong(format!(
            "free pages: {:?}, stored {:?}",
            memory.space, stored.space
        ));
    }
    if memory.runs != stored.runs || memory.inodes.len() != stored.inodes.len() {
        return wrong("metadata pages or the number of inodes differ".to_owned());
    }
    for (ino, inode) in &memory.inodes {
        match stored.inodes.get(ino) {
            Some(other) if same(inode, other) => {}
            other => return wrong(format!("inode {ino}: {inode:?}, stored {other:?}")),
        }
    }
    Ok(())
}

/// Whether two are the same, save what is not stored.
fn same(inode: &Inode, stored: &Inode) -> bool {
    let entries = |inode: &Inode| {
        let folder = inode.folder.as_ref()?;
        let entries = folder.entries.iter();
        let entries = entries.map(|(name, entry)| (name.clone(), entry.ino, entry.row));
        Some((folder.folders, entries.collect::<Vec<_>>()))
    };
    let listed = inode.folder.as_ref().is_none_or(|folder| {
        let found = folder.order.iter().all(|(cookie, name)| {
            let entry = folder.entries.get(name);
            entry.is_some_and(|entry| entry.cookie == *cookie)
        });
        found && folder.order.len() == folder.entries.len()
    });
    listed
        && inode.stored == stored.stored
        && inode.attributes.size == stored.attributes.size
        && inode.row == stored.row
        && inode.extents == stored.extents
        && inode.links == stored.links
        && entries(inode) == entries(stored)
}

/// Every folder with a name lies below the root, and has one name.
fn reach(state: &State) -> Result<(), FsError> {
    for (ino, inode) in &state.inodes {
        let Some(folder) = &inode.folder else {
            continue;
        };
        if inode.links > 1 {
            return wrong(format!("folder {ino} has {} names", inode.links));
        }
        let (mut at, mut parent, mut depth) = (*ino, folder.parent, 0);
        while at != ROOT && parent != 0 {
            at = parent;
            let above = state.inode(at)?.folder.as_ref();
            parent = above.ok_or(FsError::NotFolder)?.parent;
            depth += 1;
            if depth > DEPTH_MAX {
                return wrong(format!("folder {ino} lies in a circle"));
            }
        }
        if at != ROOT && state.inode(at)?.links > 0 {
            return wrong(format!("folder {ino} is out of reach"));
        }
    }
    Ok(())
}
