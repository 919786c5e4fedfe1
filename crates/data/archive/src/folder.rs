//! The local folder, where `object_store` leaves something to do: folders that survive a crash, durable removals.
//!
//! `object_store` syncs a file, and the folder that it goes into, before it says that a write is done. It does not sync
//! folders that another writer has just made, nor the folder of a file that it removes; both are done here.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::ArchiveError;

/// The root of an archive in a local folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens the folder; makes it, for its owner alone, when it is missing.
    pub(crate) fn open(root: &Path) -> Result<Folder, ArchiveError> {
        let doing = || format!("opening the archive's folder {}", root.display());
        make_whole(root).map_err(ArchiveError::io(doing()))?;
        nix::unistd::access(
            root,
            nix::unistd::AccessFlags::R_OK | nix::unistd::AccessFlags::W_OK,
        )
        .map_err(|errno| ArchiveError::io(doing())(errno.into()))?;
        let root = root.canonicalize().map_err(ArchiveError::io(doing()))?;
        Ok(Folder { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes all entries of folders durable on the way from the root to the file with this key.
    pub(crate) async fn sync_way(&self, key: &str) -> Result<(), ArchiveError> {
        let (root, file) = (self.root.clone(), self.root.join(key));
        let doing = format!("syncing the folders above {}", file.display());
        blocking(doing, move || {
            let above = file.ancestors().skip(1);
            for folder in above.take_while(|folder| folder.starts_with(&root)) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        })
        .await
    }

    /// Makes the removal of the file with this key durable, and removes its folder if that is left empty.
    pub(crate) async fn sync_removal(&self, key: &str) -> Result<(), ArchiveError> {
        let file = self.root.join(key);
        let doing = format!("syncing the removal of {}", file.display());
        blocking(doing, move || sync_folder(&file)).await
    }

    /// Removes the folder of the file with this key if nothing is left in it.
    pub(crate) async fn remove_if_empty(&self, key: &str) -> Result<(), ArchiveError> {
        let file = self.root.join(key);
        let doing = format!("removing the empty folder of {}", file.display());
        blocking(doing, move || {
            let Some(folder) = file.parent() else {
                return Ok(());
            };
            match fs::remove_dir(folder) {
                Ok(()) => sync_folder(folder),
                Err(error) if is_taken(&error) => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound
    )
}

/// Makes a folder and those above it that are missing, each durable in its own.
fn make_whole(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_whole(above)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    sync_folder(folder)
}

/// Syncs the folder that `path` is an entry of. One that another writer has removed needs no sync.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    match File::open(folder.unwrap_or(Path::new("."))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.sync_all(),
    }
}

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    doing: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ArchiveError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|failure| Err(io::Error::other(failure)))
        .map_err(ArchiveError::io(doing))
}
