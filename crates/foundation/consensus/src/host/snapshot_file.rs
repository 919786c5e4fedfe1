//! A snapshot on its way in: a file that is gone when nobody needs it any more.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A snapshot's bytes. Openraft also handles snapshots that stand for "the machine is flushed up to here": they have
/// no file.
#[derive(Debug, Default)]
pub(crate) struct SnapshotFile {
    path: Option<PathBuf>,
}

impl SnapshotFile {
    /// An empty file of this name, and the way to write it.
    pub(crate) fn create(path: &Path) -> io::Result<(SnapshotFile, File)> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(path)?;
        let path = Some(path.to_owned());
        Ok((SnapshotFile { path }, file))
    }

    /// The file's bytes from the start.
    pub(crate) fn open(&self) -> io::Result<File> {
        match &self.path {
            Some(path) => File::open(path),
            None => Err(io::Error::other("the snapshot has no bytes")),
        }
    }

    /// Gives the file another name, under which it stays.
    pub(crate) fn move_to(mut self, path: &Path) -> io::Result<()> {
        let from = self.path.take();
        let from = from.ok_or_else(|| io::Error::other("the snapshot has no bytes"))?;
        std::fs::rename(from, path)
    }
}

impl Drop for SnapshotFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(e) = std::fs::remove_file(path)
            && e.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(error = %e, path = %path.display(), "a snapshot's file stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_is_given_up_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.snapshot");
        let (snapshot, _writing) = SnapshotFile::create(&path).unwrap();
        assert!(snapshot.open().is_ok());
        drop(snapshot);
        assert!(!path.exists());
    }
}
