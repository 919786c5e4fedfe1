//! What is written in rows: inodes, extents and entries of folders. All numbers are little-endian.

use crate::error::FsError;

/// Bytes of an inode's row.
pub(crate) const INODE_BYTES: usize = 56;

/// An inode's row. How many links it has is not in it: the entries that name it are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InodeRow {
    pub(crate) ino: u64,
    /// Type and permissions, as in `st_mode`.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) rdev: u32,
    pub(crate) size: u64,
    /// Nanoseconds since 1970, as the other times.
    pub(crate) mtime: i64,
    pub(crate) ctime: i64,
    pub(crate) atime: i64,
}

impl InodeRow {
    pub(crate) fn encode(&self) -> [u8; INODE_BYTES] {
        let mut bytes = [0; INODE_BYTES];
        bytes[..8].copy_from_slice(&self.ino.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.mode.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.uid.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.gid.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.rdev.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.atime.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.size.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.mtime.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.ctime.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<InodeRow, FsError> {
        let mut fields = Fields(bytes);
        Ok(InodeRow {
            ino: fields.u64()?,
            mode: fields.u32()?,
            uid: fields.u32()?,
            gid: fields.u32()?,
            rdev: fields.u32()?,
            atime: fields.u64()?.cast_signed(),
            size: fields.u64()?,
            mtime: fields.u64()?.cast_signed(),
            ctime: fields.u64()?.cast_signed(),
        })
    }
}

/// Blocks of a file and the pages in which they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExtentRow {
    pub(crate) ino: u64,
    pub(crate) block: u64,
    pub(crate) page: u64,
    pub(crate) pages: u32,
}

impl ExtentRow {
    pub(crate) fn encode(&self) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&self.ino.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.block.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.page.to_le_bytes());
        bytes[24..].copy_from_slice(&self.pages.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<ExtentRow, FsError> {
        let mut fields = Fields(bytes);
        Ok(ExtentRow {
            ino: fields.u64()?,
            block: fields.u64()?,
            page: fields.u64()?,
            pages: fields.u32()?,
        })
    }
}

/// A name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryRow<'a> {
    pub(crate) parent: u64,
    pub(crate) ino: u64,
    /// 1 to 255 bytes.
    pub(crate) name: &'a [u8],
}

impl<'a> EntryRow<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17 + self.name.len());
        bytes.extend_from_slice(&self.parent.to_le_bytes());
        bytes.extend_from_slice(&self.ino.to_le_bytes());
        bytes.push(u8::try_from(self.name.len()).expect("names have at most 255 bytes"));
        bytes.extend_from_slice(self.name);
        bytes
    }

    pub(crate) fn payload_bytes(name: &[u8]) -> usize {
        17 + name.len()
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<EntryRow<'a>, FsError> {
        let mut fields = Fields(bytes);
        let (parent, ino) = (fields.u64()?, fields.u64()?);
        let len = usize::from(fields.take(1)?[0]);
        Ok(EntryRow {
            parent,
            ino,
            name: fields.take(len)?,
        })
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], FsError> {
        let short = || FsError::Corrupt("a row is too short".to_owned());
        let (head, rest) = self.0.split_at_checked(len).ok_or_else(short)?;
        self.0 = rest;
        Ok(head)
    }

    fn u64(&mut self) -> Result<u64, FsError> {
        let bytes = self.take(8)?.try_into().expect("eight bytes were taken");
        Ok(u64::from_le_bytes(bytes))
    }

    fn u32(&mut self) -> Result<u32, FsError> {
        let bytes = self.take(4)?.try_into().expect("four bytes were taken");
        Ok(u32::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_their_encoding() {
        let inode = InodeRow {
            ino: 5,
            mode: 0o100_600,
            uid: 1,
            gid: 2,
            rdev: 3,
            size: 1 << 40,
            mtime: -7,
            ctime: 8,
            atime: 9,
        };
        assert_eq!(InodeRow::decode(&inode.encode()), Ok(inode));
        let extent = ExtentRow {
            ino: 5,
            block: 6,
            page: 7,
            pages: 8,
        };
        assert_eq!(ExtentRow::decode(&extent.encode()), Ok(extent));
        let entry = EntryRow {
            parent: 1,
            ino: 5,
            name: b"16384_fsm",
        };
        assert_eq!(EntryRow::decode(&entry.encode()), Ok(entry));
        assert!(EntryRow::decode(&entry.encode()[..20]).is_err());
    }
}
