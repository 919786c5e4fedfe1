//! What is known of a file, a folder, a link while the volume is mounted.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_volume::protocol::Lsn;

use crate::extents::Extents;
use crate::records::{INODE_BYTES, InodeRow};
use crate::rows::RowId;
use crate::unit::Name;

/// The root folder's number.
pub(crate) const ROOT: u64 = 1;

const TYPE: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// A file's number: the same as long as the file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

impl Ino {
    /// The root folder.
    pub const ROOT: Ino = Ino(ROOT);
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Its number.
    pub ino: Ino,
    /// Type and permissions, as in `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Owner's group.
    pub gid: u32,
    /// Device number of a special file.
    pub rdev: u32,
    /// How many names it has.
    pub links: u32,
    /// Bytes.
    pub size: u64,
    /// Pages that it takes.
    pub pages: u64,
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Last read, as far as somebody set it.
    pub atime: SystemTime,
    /// Last change of the contents.
    pub mtime: SystemTime,
    /// Last change of anything.
    pub ctime: SystemTime,
}

#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) attributes: InodeRow,
    /// Where its row lies, and what is written there.
    pub(crate) row: RowId,
    pub(crate) stored: [u8; INODE_BYTES],
    pub(crate) extents: Extents,
    /// Of a folder alone.
    pub(crate) folder: Option<Folder>,
    /// Entries that name it.
    pub(crate) links: u32,
    /// How often it was handed to the kernel, which has not forgotten it.
    pub(crate) lookups: u64,
    /// Where the log stood after the last unit that changed it.
    pub(crate) last: Lsn,
    /// Counts the times when it lost pages.
    pub(crate) pages_lost: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) parent: u64,
    pub(crate) entries: BTreeMap<Name, Entry>,
    /// Names in the order of their cookies: a listing goes on after a cookie, whatever became of the names before.
    pub(crate) order: BTreeMap<u64, Name>,
    /// How many of the entries are folders.
    pub(crate) folders: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) ino: u64,
    pub(crate) row: RowId,
    pub(crate) cookie: u64,
}

impl Inode {
    pub(crate) fn new(attributes: InodeRow, row: RowId) -> Inode {
        Inode {
            attributes,
            row,
            stored: attributes.encode(),
            extents: Extents::default(),
            folder: is_folder(attributes.mode).then(Folder::default),
            links: 0,
            lookups: 0,
            last: Lsn(0),
            pages_lost: 0,
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        self.attributes.mode & TYPE == FILE
    }

    pub(crate) fn is_link(&self) -> bool {
        self.attributes.mode & TYPE == LINK
    }

    pub(crate) fn attributes(&self, page_bytes: u64) -> Attributes {
        let row = &self.attributes;
        Attributes {
            ino: Ino(row.ino),
            mode: row.mode,
            uid: row.uid,
            gid: row.gid,
            rdev: row.rdev,
            links: match &self.folder {
                Some(folder) => 2 + folder.folders,
                None => self.links,
            },
            size: row.size,
            pages: self.extents.pages(),
            page_bytes,
            atime: from_nanos(row.atime),
            mtime: from_nanos(row.mtime),
            ctime: from_nanos(row.ctime),
        }
    }
}

pub(crate) fn is_folder(mode: u32) -> bool {
    mode & TYPE == FOLDER
}

/// The mode of something made, with the type that it has when none is said.
pub(crate) fn file_mode(mode: u32) -> u32 {
    if mode & TYPE == 0 { mode | FILE } else { mode }
}

pub(crate) fn folder_mode(mode: u32) -> u32 {
    mode & !TYPE | FOLDER
}

pub(crate) const LINK_MODE: u32 = LINK | 0o777;
pub(crate) const ORPHAN_MODE: u32 = FILE;

pub(crate) fn to_nanos(time: SystemTime) -> i64 {
    let clamp = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => clamp(after),
        Err(before) => -clamp(before.duration()),
    }
}

fn from_nanos(nanos: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}
