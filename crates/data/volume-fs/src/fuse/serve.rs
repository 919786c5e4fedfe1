//! The kernel's requests, translated. Nothing is decided here but what the kernel may cache.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::options::MountOptions;
use super::translate::{absent, attr, errno, ino, kind, owner, time};
use super::waiting::Waiting;
use crate::error::FsError;
use crate::filesystem::{AllocateHow, FileSystem, RenameHow, Seek, SetAttributes};
use crate::inode::Attributes;

/// How much one request may carry.
pub(super) const REQUEST_BYTES_MAX: u32 = 1 << 20;
const BACKGROUND_MAX: u16 = 64;
const NAME_BYTES_MAX: u32 = 255;
const GENERATION: Generation = Generation(0);

/// `fallocate` modes, `lseek` kinds and open flags as Linux numbers them.
const FALLOC_KEEP_SIZE: i32 = 1;
const FALLOC_PUNCH_HOLE: i32 = 2;
const FALLOC_ZERO_RANGE: i32 = 16;
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

pub(super) struct Server {
    fs: Arc<FileSystem>,
    cached_for: Duration,
    waiting: Waiting,
}

impl Server {
    pub(super) fn new(fs: Arc<FileSystem>, options: &MountOptions) -> Server {
        Server {
            fs,
            cached_for: options.cached_for,
            waiting: Waiting::new(options.threads),
        }
    }

    fn sync(&self, request: &Request, number: INodeNo, data_only: bool, reply: ReplyEmpty) {
        self.moved_on(request);
        let fs = self.fs.clone();
        let sync = move || empty(reply, fs.sync(ino(number), data_only));
        self.waiting.run(sync);
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.fs.is_read_only()
    }

    /// The thread's earlier `write()` is over, whatever has arrived of it.
    fn moved_on(&self, request: &Request) {
        self.fs.thread_moved_on(request.pid());
    }

    fn entry(&self, reply: ReplyEntry, made: Result<Attributes, FsError>) {
        match made {
            Ok(attributes) => reply.entry(&self.cached_for, &attr(&attributes), GENERATION),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn attributes(&self, reply: ReplyAttr, found: Result<Attributes, FsError>) {
        match found {
            Ok(attributes) => reply.attr(&self.cached_for, &attr(&attributes)),
            Err(error) => reply.error(errno(&error)),
        }
    }
}

fn empty(reply: ReplyEmpty, done: Result<(), FsError>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(&error)),
    }
}

impl Filesystem for Server {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wanted in [
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_ASYNC_DIO,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_CACHE_SYMLINKS,
            // Nobody but this mount changes a file: cached pages stay, whatever its times are.
            InitFlags::FUSE_EXPLICIT_INVAL_DATA,
        ] {
            // An older kernel does without.
            let _ = config.add_capabilities(wanted);
        }
        let refused = |limit| io::Error::other(format!("the kernel's limit is {limit}"));
        config.set_max_write(REQUEST_BYTES_MAX).map_err(refused)?;
        if let Err(limit) = config.set_max_readahead(REQUEST_BYTES_MAX) {
            config.set_max_readahead(limit).map_err(refused)?;
        }
        let refused = |limit| io::Error::other(format!("the kernel's limit is {limit}"));
        config.set_max_background(BACKGROUND_MAX).map_err(refused)?;
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.moved_on(request);
        match self.fs.look_up(ino(parent), name.as_bytes()) {
            Err(FsError::NotFound) => reply.entry(&self.cached_for, &absent(), GENERATION),
            found => self.entry(reply, found),
        }
    }

    fn forget(&self, _: &Request, number: INodeNo, times: u64) {
        self.fs.forget(ino(number), times);
    }

    fn getattr(&self, request: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.moved_on(request);
        self.attributes(reply, self.fs.attributes(ino(number)));
    }

    fn setattr(
        &self,
        request: &Request,
        number: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        self.moved_on(request);
        let set = SetAttributes {
            mode,
            uid,
            gid,
            size,
            atime: atime.map(time),
            mtime: mtime.map(time),
        };
        self.attributes(reply, self.fs.set_attributes(ino(number), set));
    }

    fn readlink(&self, request: &Request, number: INodeNo, reply: ReplyData) {
        self.moved_on(request);
        match self.fs.read_link(ino(number)) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        self.moved_on(request);
        let (parent, name) = (ino(parent), name.as_bytes());
        self.entry(
            reply,
            self.fs.make(parent, name, mode, rdev, owner(request)),
        );
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        self.moved_on(request);
        let (parent, name) = (ino(parent), name.as_bytes());
        self.entry(
            reply,
            self.fs.make_folder(parent, name, mode, owner(request)),
        );
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.moved_on(request);
        empty(reply, self.fs.unlink(ino(parent), name.as_bytes()));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.moved_on(request);
        empty(reply, self.fs.remove_folder(ino(parent), name.as_bytes()));
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        self.moved_on(request);
        let (parent, name) = (ino(parent), name.as_bytes());
        let target = target.as_os_str().as_bytes();
        self.entry(
            reply,
            self.fs.make_link(parent, name, target, owner(request)),
        );
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        self.moved_on(request);
        let how = match flags {
            flags if flags.is_empty() => RenameHow::Replace,
            RenameFlags::RENAME_NOREPLACE => RenameHow::NoReplace,
            RenameFlags::RENAME_EXCHANGE => RenameHow::Exchange,
            _ => return reply.error(Errno::EINVAL),
        };
        let from = (ino(parent), name.as_bytes());
        let to = (ino(new_parent), new_name.as_bytes());
        empty(reply, self.fs.rename(from, to, how));
    }

    fn link(
        &self,
        request: &Request,
        number: INodeNo,
        parent: INodeNo,
        name: &OsStr,
        reply: ReplyEntry,
    ) {
        self.moved_on(request);
        self.entry(
            reply,
            self.fs.link(ino(number), ino(parent), name.as_bytes()),
        );
    }

    /// Nothing is kept for an open file: the kernel need not ask again. What is unlinked and open is known by its look-ups.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        self.moved_on(request);
        let (parent, name) = (ino(parent), name.as_bytes());
        let made = self.fs.make(parent, name, mode, 0, owner(request));
        match made {
            Ok(attributes) => {
                let (ttl, attr) = (&self.cached_for, attr(&attributes));
                let cached = FopenFlags::FOPEN_KEEP_CACHE;
                reply.created(ttl, &attr, GENERATION, FileHandle(0), cached);
            }
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let fs = self.fs.clone();
        let read = move || match fs.read(ino(number), offset, size as usize) {
            Ok(data) => reply.data(&data),
            Err(error) => reply.error(errno(&error)),
        };
        self.waiting.run(read);
    }

    fn write(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        // What comes from mapped memory is no `write()`.
        let mapped = write_flags.contains(WriteFlags::FUSE_WRITE_CACHE);
        let thread = (!mapped).then(|| request.pid());
        let data = Bytes::copy_from_slice(data);
        let fs = self.fs.clone();
        let write = move || match fs.write(ino(number), offset, &data, thread) {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("within a request")),
            Err(error) => reply.error(errno(&error)),
        };
        if self.fs.has_open_holds() {
            self.waiting.run(write);
        } else {
            write();
        }
    }

    fn flush(&self, request: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.moved_on(request);
        reply.ok();
    }

    fn fsync(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.sync(request, number, datasync, reply);
    }

    fn fsyncdir(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.sync(request, number, datasync, reply);
    }

    fn readdir(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        self.moved_on(request);
        let listed = self.fs.list(ino(number), offset, false, |name, at, found| {
            let name = OsStr::from_bytes(name);
            reply.add(INodeNo(found.ino.0), at, kind(found.mode), name)
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn readdirplus(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        self.moved_on(request);
        let listed = self.fs.list(ino(number), offset, true, |name, at, found| {
            let (name, ttl) = (OsStr::from_bytes(name), &self.cached_for);
            reply.add(
                INodeNo(found.ino.0),
                at,
                name,
                ttl,
                &attr(found),
                GENERATION,
            )
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let statistics = self.fs.statistics();
        let page_bytes = u32::try_from(statistics.page_bytes).expect("pages are small");
        let free = statistics.pages_max - statistics.pages_used;
        let (blocks, inodes) = (statistics.pages_max, statistics.inodes);
        reply.statfs(
            blocks,
            free,
            free,
            inodes.saturating_add(free),
            free,
            page_bytes,
            NAME_BYTES_MAX,
            page_bytes,
        );
    }

    // The kernel remembers that there are none, and asks no more before each write.
    fn setxattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: &[u8],
        _: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _: &Request, _: INodeNo, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fallocate(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        self.moved_on(request);
        let keep = mode & FALLOC_KEEP_SIZE != 0;
        let how = match mode & !FALLOC_KEEP_SIZE {
            0 if keep => AllocateHow::KeepSize,
            0 => AllocateHow::Grow,
            FALLOC_PUNCH_HOLE if keep => AllocateHow::PunchHole,
            FALLOC_ZERO_RANGE => AllocateHow::ZeroRange { grow: !keep },
            _ => return reply.error(Errno::EOPNOTSUPP),
        };
        empty(reply, self.fs.allocate(ino(number), offset, length, how));
    }

    fn lseek(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        self.moved_on(request);
        let what = match whence {
            SEEK_DATA => Seek::Data,
            SEEK_HOLE => Seek::Hole,
            _ => return reply.error(Errno::EINVAL),
        };
        let Ok(offset) = u64::try_from(offset) else {
            return reply.error(Errno::ENXIO);
        };
        match self.fs.seek(ino(number), offset, what) {
            Ok(at) => reply.offset(at.cast_signed()),
            Err(error) => reply.error(errno(&error)),
        }
    }
}
