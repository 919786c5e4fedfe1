//! All metadata in memory, and the small changes that operations are made of. Each change is written to a [`Unit`] too.
//!
//! Invariant: what is in memory is what a mount of the volume would read, save times that are written later, and pages that are kept
//! ready for files that grow.

use std::collections::{BTreeMap, HashMap};

use quorate_volume::PagesError;
use quorate_volume::protocol::Lsn;

use crate::allocate::{Allocator, Run};
use crate::error::FsError;
use crate::hold::Holds;
use crate::inode::{Entry, Inode};
use crate::records::{EntryRow, INODE_BYTES, InodeRow};
use crate::rows::{RowId, Rows, Tag, frame, slots_of};
use crate::superblock;
use crate::unit::{Name, Unit};

/// How many pages the metadata heap grows by at least and at most.
const GROWTH_MIN: u64 = 8;
const GROWTH_MAX: u64 = 1024;
/// Pages that data may not take: room for the rows of operations that free pages.
pub(crate) const SPARE_PAGES: u64 = 16;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) page_bytes: u64,
    pub(crate) inodes: HashMap<u64, Inode>,
    pub(crate) rows: Rows,
    /// Where the metadata pages lie.
    pub(crate) runs: Vec<Run>,
    pub(crate) space: Allocator,
    /// Pages kept for files that grow: taken here, free on the volume.
    pub(crate) ready: BTreeMap<u64, Run>,
    pub(crate) ready_pages: u64,
    pub(crate) next_ino: u64,
    pub(crate) next_cookie: u64,
    /// Inodes without a name that nobody has open: their pages are to be freed.
    pub(crate) dying: Vec<u64>,
    pub(crate) holds: Holds,
    /// Whether something was written since the last consistency point.
    pub(crate) point_owed: bool,
    pub(crate) last: Lsn,
    /// Why nothing can be written any more.
    pub(crate) failed: Option<PagesError>,
}

impl State {
    pub(crate) fn inode(&self, ino: u64) -> Result<&Inode, FsError> {
        self.inodes.get(&ino).ok_or(FsError::NotFound)
    }

    pub(crate) fn inode_mut(&mut self, ino: u64) -> Result<&mut Inode, FsError> {
        self.inodes.get_mut(&ino).ok_or(FsError::NotFound)
    }

    /// Pages that files may take.
    pub(crate) fn available(&self) -> u64 {
        self.space.available() + self.ready_pages
    }

    pub(crate) fn used(&self) -> u64 {
        self.space.used() - self.ready_pages
    }

    /// Gives the pages back that are kept for a file.
    pub(crate) fn unready(&mut self, ino: u64) {
        if let Some(run) = self.ready.remove(&ino) {
            self.ready_pages -= run.len;
            self.space.give(run);
        }
    }

    /// Takes up to `want` pages in a row, giving up those that are kept ready when there are no others.
    pub(crate) fn take_pages(&mut self, want: u64) -> Result<Run, FsError> {
        if let Some(run) = self.space.take(want) {
            return Ok(run);
        }
        for ino in self.ready.keys().copied().collect::<Vec<_>>() {
            self.unready(ino);
        }
        self.space.take(want).ok_or(FsError::NoSpace)
    }

    pub(crate) fn new_row(
        &mut self,
        unit: &mut Unit,
        tag: Tag,
        payload: &[u8],
    ) -> Result<RowId, FsError> {
        let slots = slots_of(payload.len());
        let row = match self.rows.take(slots) {
            Some(row) => row,
            None => {
                self.grow_rows(unit)?;
                let fresh = self.rows.take(slots);
                fresh.expect("a row fits into a fresh page")
            }
        };
        unit.row_new(row, frame(tag, payload));
        Ok(row)
    }

    pub(crate) fn free_row(&mut self, unit: &mut Unit, row: RowId, payload_bytes: usize) {
        self.rows.give(row, slots_of(payload_bytes));
        unit.row_freed(row, slots_of(payload_bytes));
    }

    fn grow_rows(&mut self, unit: &mut Unit) -> Result<(), FsError> {
        let run = self.take_pages(self.rows.pages().clamp(GROWTH_MIN, GROWTH_MAX))?;
        match self.runs.last_mut() {
            Some(last) if last.end() == run.start => last.len += run.len,
            _ => self.runs.push(run),
        }
        let page_bytes = usize::try_from(self.page_bytes).expect("pages are small");
        if self.runs.len() > superblock::runs_max(page_bytes) {
            self.runs.pop();
            self.space.give(run);
            return Err(FsError::NoSpace);
        }
        let index = self.runs.len() - 1;
        superblock::write_run(unit, index, self.runs[index]);
        for page in run.start..run.end() {
            self.rows.add_page(page);
        }
        Ok(())
    }

    /// Makes an inode without a name.
    pub(crate) fn add_inode(
        &mut self,
        unit: &mut Unit,
        mut attributes: InodeRow,
    ) -> Result<u64, FsError> {
        attributes.ino = self.next_ino;
        let row = self.new_row(unit, Tag::Inode, &attributes.encode())?;
        self.next_ino += 1;
        let inode = Inode::new(attributes, row);
        self.inodes.insert(attributes.ino, inode);
        unit.touch(attributes.ino);
        Ok(attributes.ino)
    }

    /// Writes what differs between an inode and its row.
    pub(crate) fn store_inode(&mut self, unit: &mut Unit, ino: u64) {
        let inode = self.inodes.get_mut(&ino).expect("the inode is known");
        let new = inode.attributes.encode();
        if new != inode.stored {
            unit.row_changed(
                inode.row,
                &frame(Tag::Inode, &inode.stored),
                &frame(Tag::Inode, &new),
            );
            inode.stored = new;
        }
        unit.touch(ino);
    }

    /// Removes an inode that has neither names nor pages.
    pub(crate) fn remove_inode(&mut self, unit: &mut Unit, ino: u64) {
        self.unready(ino);
        let inode = self.inodes.remove(&ino).expect("the inode is known");
        assert_eq!(inode.extents.pages(), 0, "pages are freed before the inode");
        self.free_row(unit, inode.row, INODE_BYTES);
    }

    pub(crate) fn entry(&self, parent: u64, name: &[u8]) -> Result<Option<Entry>, FsError> {
        let folder = self.inode(parent)?.folder.as_ref();
        let folder = folder.ok_or(FsError::NotFolder)?;
        Ok(folder.entries.get(name).copied())
    }

    pub(crate) fn add_entry(
        &mut self,
        unit: &mut Unit,
        parent: u64,
        name: &[u8],
        ino: u64,
    ) -> Result<(), FsError> {
        let record = EntryRow { parent, ino, name };
        let row = self.new_row(unit, Tag::Entry, &record.encode())?;
        self.link_entry(parent, name, ino, row)?;
        unit.touch(parent);
        unit.touch(ino);
        Ok(())
    }

    /// Puts an entry that has a row into the folder in memory.
    pub(crate) fn link_entry(
        &mut self,
        parent: u64,
        name: &[u8],
        ino: u64,
        row: RowId,
    ) -> Result<(), FsError> {
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        let inode = self.inode_mut(ino)?;
        inode.links += 1;
        let mut folders = 0;
        if let Some(folder) = &mut inode.folder {
            folder.parent = parent;
            folders = 1;
        }
        let folder = self.inode_mut(parent)?.folder.as_mut();
        let folder = folder.ok_or(FsError::NotFolder)?;
        folder.folders += folders;
        let name = Name::from(name);
        let entry = Entry { ino, row, cookie };
        folder.order.insert(cookie, name.clone());
        match folder.entries.insert(name, entry) {
            None => Ok(()),
            Some(_) => Err(FsError::Corrupt(format!("a name twice in folder {parent}"))),
        }
    }

    /// Takes a name out of its folder. What it named may have no name afterwards: see [`State::unlinked`].
    pub(crate) fn remove_entry(&mut self, unit: &mut Unit, parent: u64, name: &[u8]) -> Entry {
        let is_folder = |state: &State, ino| state.inodes[&ino].folder.is_some();
        let ino = self.inodes[&parent]
            .folder
            .as_ref()
            .expect("a folder")
            .entries[name]
            .ino;
        let folders = u32::from(is_folder(self, ino));
        let inode = self.inodes.get_mut(&parent).expect("the folder is known");
        let folder = inode.folder.as_mut().expect("a folder");
        let entry = folder.entries.remove(name).expect("the name is there");
        folder.order.remove(&entry.cookie);
        folder.folders -= folders;
        self.free_row(unit, entry.row, EntryRow::payload_bytes(name));
        self.inodes
            .get_mut(&ino)
            .expect("a name's inode is known")
            .links -= 1;
        unit.touch(parent);
        unit.touch(ino);
        entry
    }

    /// Has a name stand for another inode.
    pub(crate) fn change_entry(&mut self, unit: &mut Unit, parent: u64, name: &[u8], ino: u64) {
        let folders = |state: &State, ino| u32::from(state.inodes[&ino].folder.is_some());
        let folder = self.inodes[&parent].folder.as_ref().expect("a folder");
        let old = folder.entries[name];
        let (lost, won) = (folders(self, old.ino), folders(self, ino));
        let framed = |ino| frame(Tag::Entry, &EntryRow { parent, ino, name }.encode());
        unit.row_changed(old.row, &framed(old.ino), &framed(ino));
        let inode = self.inodes.get_mut(&parent).expect("the folder is known");
        let folder = inode.folder.as_mut().expect("a folder");
        folder.folders = folder.folders + won - lost;
        folder.entries.get_mut(name).expect("the name is there").ino = ino;
        self.inodes
            .get_mut(&old.ino)
            .expect("a name's inode is known")
            .links -= 1;
        let inode = self.inodes.get_mut(&ino).expect("the inode is known");
        inode.links += 1;
        if let Some(folder) = &mut inode.folder {
            folder.parent = parent;
        }
        unit.touch(parent);
        unit.touch(old.ino);
        unit.touch(ino);
    }

    /// Takes note that an inode has lost a name, or a user: it dies when it has none left.
    pub(crate) fn unlinked(&mut self, ino: u64) {
        let Some(inode) = self.inodes.get(&ino) else {
            return;
        };
        if inode.links == 0 && inode.lookups == 0 && ino != crate::inode::ROOT {
            self.dying.push(ino);
        }
    }
}
