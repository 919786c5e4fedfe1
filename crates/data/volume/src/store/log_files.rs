//! The files of the log: which there are, and reading from them.
//!
//! A file is named after the position that it starts at, and ends where the next one starts. It is there whole or not at
//! all: it is made under another name, synced, then renamed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::codec::{FILE_HEADER_BYTES, FILE_VERSION, FileHeader};

const SUFFIX: &str = ".log";
const UNFINISHED: &str = ".tmp";

/// No log gets that long.
const POSITION_MAX: u64 = 1 << 62;

type ByStart = BTreeMap<u64, Arc<File>>;

pub(super) struct LogFiles {
    folder: PathBuf,
    files: RwLock<ByStart>,
}

impl LogFiles {
    /// Opens the folder, which is made when it is not there.
    pub(super) fn open(folder: &Path) -> io::Result<LogFiles> {
        fs::create_dir_all(folder)?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(UNFINISHED) {
                fs::remove_file(&path)?;
            }
            let start = name
                .strip_suffix(SUFFIX)
                .map(|hex| u64::from_str_radix(hex, 16));
            if let Some(Ok(start)) = start
                && start < POSITION_MAX
            {
                let file = File::options().read(true).write(true).open(&path)?;
                files.insert(start, Arc::new(file));
            }
        }
        Ok(LogFiles {
            folder: folder.to_owned(),
            files: RwLock::new(files),
        })
    }

    fn read_files(&self) -> RwLockReadGuard<'_, ByStart> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_files(&self) -> RwLockWriteGuard<'_, ByStart> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, start: u64) -> PathBuf {
        self.folder.join(format!("{start:016x}{SUFFIX}"))
    }

    /// Where each file starts, oldest first.
    pub(super) fn starts(&self) -> Vec<u64> {
        self.read_files().keys().copied().collect()
    }

    /// Where the log starts.
    pub(super) fn start(&self) -> u64 {
        self.read_files().keys().next().copied().unwrap_or(0)
    }

    /// The whole file that starts there.
    pub(super) fn contents(&self, start: u64) -> io::Result<Bytes> {
        Ok(Bytes::from(fs::read(self.path(start))?))
    }

    /// Makes a file with these batches and makes it the newest one. One of that start is replaced.
    pub(super) fn create(
        &self,
        start: u64,
        next_number: u32,
        batches: &[u8],
    ) -> io::Result<Arc<File>> {
        let header = FileHeader {
            version: FILE_VERSION,
            next_number,
            start,
        };
        let unfinished = self.folder.join(format!("{start:016x}{UNFINISHED}"));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&unfinished)?;
        file.write_all_at(&header.encode(), 0)?;
        file.write_all_at(batches, FILE_HEADER_BYTES as u64)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.path(start))?;
        self.sync_folder()?;
        let file = Arc::new(file);
        self.write_files().insert(start, Arc::clone(&file));
        Ok(file)
    }

    /// Removes the file that starts there.
    pub(super) fn remove(&self, start: u64) -> io::Result<()> {
        fs::remove_file(self.path(start))?;
        self.sync_folder()?;
        self.write_files().remove(&start);
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// What is written at `position`; none when its file was removed.
    pub(super) fn read(&self, position: u64, len: u32) -> io::Result<Option<Bytes>> {
        let found = {
            let files = self.read_files();
            let found = files.range(..=position).next_back();
            found.map(|(start, file)| (*start, Arc::clone(file)))
        };
        let Some((start, file)) = found else {
            return Ok(None);
        };
        let mut bytes = vec![0; len as usize];
        match file.read_exact_at(&mut bytes, offset(start, position)) {
            Ok(()) => Ok(Some(Bytes::from(bytes))),
            // Shorter than what was written: it fails its checksum.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(Bytes::new())),
            Err(error) => Err(error),
        }
    }
}

/// Where a position stands in the file that starts at `start`.
pub(super) fn offset(start: u64, position: u64) -> u64 {
    FILE_HEADER_BYTES as u64 + (position - start)
}
