//! Reads all metadata of a volume, and makes an empty file system.

use std::collections::{BTreeMap, HashMap};

use quorate_volume::protocol::{Lsn, PageId};
use quorate_volume::{Pages, Point};

use crate::allocate::{Allocator, Run};
use crate::error::FsError;
use crate::extents::Extent;
use crate::hold::Holds;
use crate::inode::{Inode, ROOT, folder_mode};
use crate::records::{EntryRow, ExtentRow, InodeRow};
use crate::rows::{RowId, Rows, Tag};
use crate::state::State;
use crate::superblock;
use crate::unit::Unit;

/// Pages that are read at once.
const BATCH_PAGES: usize = 256;

fn empty(pages: &dyn Pages, runs: Vec<Run>) -> State {
    State {
        page_bytes: pages.page_bytes() as u64,
        inodes: HashMap::new(),
        rows: Rows::new(pages.page_bytes()),
        runs,
        space: Allocator::new(Vec::new(), pages.pages_max()).expect("nothing is used twice"),
        ready: BTreeMap::new(),
        ready_pages: 0,
        next_ino: ROOT,
        next_cookie: 3,
        dying: Vec::new(),
        holds: Holds::default(),
        point_owed: false,
        last: Lsn(0),
        failed: None,
    }
}

/// Makes an empty file system and syncs it.
///
/// # Errors
/// When the pages cannot be written.
pub(crate) fn format(pages: &dyn Pages, now: i64) -> Result<(), FsError> {
    let mut state = empty(pages, Vec::new());
    let superblock = Run { start: 0, len: 1 };
    state.space = Allocator::new(vec![superblock], pages.pages_max())?;
    let mut unit = Unit::default();
    superblock::write_head(&mut unit, pages.page_bytes());
    let root = InodeRow {
        ino: ROOT,
        mode: folder_mode(0o755),
        uid: 0,
        gid: 0,
        rdev: 0,
        size: 0,
        mtime: now,
        ctime: now,
        atime: now,
    };
    state.add_inode(&mut unit, root)?;
    let lsn = pages.write(unit.finish().0, Point::Consistent)?;
    pages.sync(lsn)?;
    Ok(())
}

/// Reads the file system; none when the volume was never formatted.
///
/// # Errors
/// When pages cannot be read or do not make sense.
pub(crate) fn load(pages: &dyn Pages) -> Result<Option<State>, FsError> {
    let Some(runs) = superblock::read(&pages.read(PageId(0))?)? else {
        return Ok(None);
    };
    let max = pages.pages_max();
    if runs.iter().any(|run| run.start >= max || run.len > max) {
        return Err(FsError::Corrupt("metadata beyond the end".to_owned()));
    }
    let mut found = Found::default();
    let mut state = empty(pages, runs);
    let ids: Vec<PageId> = state
        .runs
        .iter()
        .flat_map(|run| run.start..run.end())
        .map(PageId)
        .collect();
    for batch in ids.chunks(BATCH_PAGES) {
        for (id, bytes) in batch.iter().zip(pages.read_many(batch)?) {
            state.rows.load_page(id.0, &bytes, |row, tag, payload| {
                found.take(row, tag, payload)
            })?;
        }
    }
    found.into_state(&mut state, max)?;
    Ok(Some(state))
}

/// The rows, in no order.
#[derive(Default)]
struct Found {
    inodes: Vec<(RowId, InodeRow)>,
    extents: Vec<(RowId, ExtentRow)>,
    entries: Vec<(RowId, u64, u64, Box<[u8]>)>,
}

impl Found {
    fn take(&mut self, row: RowId, tag: Tag, payload: &[u8]) -> Result<(), FsError> {
        match tag {
            Tag::Inode => self.inodes.push((row, InodeRow::decode(payload)?)),
            Tag::Extent => self.extents.push((row, ExtentRow::decode(payload)?)),
            Tag::Entry => {
                let entry = EntryRow::decode(payload)?;
                self.entries
                    .push((row, entry.parent, entry.ino, entry.name.into()));
            }
        }
        Ok(())
    }

    fn into_state(mut self, state: &mut State, max: u64) -> Result<(), FsError> {
        let corrupt = |why: String| FsError::Corrupt(why);
        for (row, attributes) in self.inodes {
            state.next_ino = state.next_ino.max(attributes.ino + 1);
            let inode = Inode::new(attributes, row);
            if state.inodes.insert(attributes.ino, inode).is_some() {
                return Err(corrupt(format!("inode {} twice", attributes.ino)));
            }
        }
        let mut used = vec![Run { start: 0, len: 1 }];
        used.extend(state.runs.iter().copied());
        for (row, record) in self.extents {
            let run = Run {
                start: record.page,
                len: u64::from(record.pages),
            };
            used.push(run);
            let inode = state.inodes.get_mut(&record.ino);
            let inode = inode.ok_or_else(|| corrupt(format!("no inode {}", record.ino)))?;
            let end = record.block.saturating_add(run.len);
            if run.len == 0 || inode.extents.mapped(record.block, end) > 0 {
                return Err(corrupt(format!("inode {} has a block twice", record.ino)));
            }
            let extent = Extent {
                page: run.start,
                len: run.len,
                row,
            };
            inode.extents.set(record.block, extent);
        }
        state.space = Allocator::new(used, max)?;
        self.entries.sort_unstable();
        for (row, parent, ino, name) in self.entries {
            state
                .link_entry(parent, &name, ino, row)
                .map_err(|error| corrupt(format!("entry of {ino} in {parent}: {error}")))?;
        }
        let root = state
            .inodes
            .get(&ROOT)
            .and_then(|root| root.folder.as_ref());
        if root.is_none() {
            return Err(corrupt("there is no root folder".to_owned()));
        }
        Ok(())
    }
}
