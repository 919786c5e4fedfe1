//! The kernel's words for ours, and back.

use std::time::SystemTime;

use fuser::{Errno, FileAttr, FileType, INodeNo, Request, TimeOrNow};

use crate::error::FsError;
use crate::filesystem::Owner;
use crate::inode::{Attributes, Ino};

pub(super) fn owner(request: &Request) -> Owner {
    Owner {
        uid: request.uid(),
        gid: request.gid(),
    }
}

pub(super) fn errno(error: &FsError) -> Errno {
    match error {
        FsError::NotFound => Errno::ENOENT,
        FsError::Exists => Errno::EEXIST,
        FsError::NotFolder => Errno::ENOTDIR,
        FsError::IsFolder => Errno::EISDIR,
        FsError::NotEmpty => Errno::ENOTEMPTY,
        FsError::NameTooLong => Errno::ENAMETOOLONG,
        FsError::Invalid => Errno::EINVAL,
        FsError::NotPermitted => Errno::EPERM,
        FsError::TooLarge => Errno::EFBIG,
        FsError::NothingBehind => Errno::ENXIO,
        FsError::NoSpace => Errno::ENOSPC,
        FsError::ReadOnly => Errno::EROFS,
        FsError::Pages(_) | FsError::Corrupt(_) => Errno::EIO,
    }
}

pub(super) fn kind(mode: u32) -> FileType {
    match mode & 0o170_000 {
        0o040_000 => FileType::Directory,
        0o120_000 => FileType::Symlink,
        0o010_000 => FileType::NamedPipe,
        0o140_000 => FileType::Socket,
        0o020_000 => FileType::CharDevice,
        0o060_000 => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

pub(super) fn attr(attributes: &Attributes) -> FileAttr {
    FileAttr {
        ino: INodeNo(attributes.ino.0),
        size: attributes.size,
        blocks: attributes.pages * attributes.page_bytes / 512,
        atime: attributes.atime,
        mtime: attributes.mtime,
        ctime: attributes.ctime,
        crtime: attributes.ctime,
        kind: kind(attributes.mode),
        perm: u16::try_from(attributes.mode & 0o7777).expect("twelve bits"),
        nlink: attributes.links,
        uid: attributes.uid,
        gid: attributes.gid,
        rdev: attributes.rdev,
        blksize: u32::try_from(attributes.page_bytes).expect("pages are small"),
        flags: 0,
    }
}

/// What the kernel takes for "there is no such name", and may remember.
pub(super) fn absent() -> FileAttr {
    let never = SystemTime::UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: never,
        mtime: never,
        ctime: never,
        crtime: never,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}

pub(super) fn time(given: TimeOrNow) -> SystemTime {
    match given {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => SystemTime::now(),
    }
}

pub(super) fn ino(number: INodeNo) -> Ino {
    Ino(number.0)
}
