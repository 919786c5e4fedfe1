//! Snapshots that are being loaded into machines, kept on disk until that is done.
//!
//! ```text
//! file received ─► kept: bytes synced, then its mark ─► loaded by the machine ─► the log begins behind it ─► gone
//! ```
//!
//! Loading takes a machine's old state away before the new one is whole. The group counts on what this replica has
//! acknowledged, so it may not begin again with nothing: after a crash anywhere on the way it loads the same bytes again.
//!
//! Invariant: a mark's file is there only while the bytes that it belongs to are, whole and synced.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::host::applied::Mark;
use crate::host::machine::DurableMachine;
use crate::host::snapshot_file::SnapshotFile;
use crate::host::types::GroupId;

const BYTES: &str = "snapshot";
const MARK: &str = "mark";
const UNFINISHED: &str = "unfinished";

/// The kept snapshots of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeptSnapshots {
    folder: PathBuf,
}

impl KeptSnapshots {
    /// Opens `folder`, or makes it.
    pub(crate) fn open(folder: &Path) -> io::Result<KeptSnapshots> {
        std::fs::create_dir_all(folder)?;
        let kept = KeptSnapshots {
            folder: folder.to_owned(),
        };
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let whole = path.extension().is_some_and(|e| e != UNFINISHED)
                && path.with_extension(MARK).exists();
            if !whole {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(kept)
    }

    fn path(&self, group: GroupId, kind: &str) -> PathBuf {
        self.folder.join(format!("{:016x}.{kind}", group.0))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Keeps the snapshot. Blocks.
    pub(crate) fn keep(
        &self,
        group: GroupId,
        snapshot: SnapshotFile,
        mark: &[u8],
    ) -> io::Result<()> {
        self.drop_kept(group)?;
        snapshot.open()?.sync_all()?;
        snapshot.move_to(&self.path(group, BYTES))?;
        let unfinished = self.path(group, UNFINISHED);
        let mut file = File::create(&unfinished)?;
        file.write_all(mark)?;
        file.sync_all()?;
        self.sync_folder()?;
        std::fs::rename(&unfinished, self.path(group, MARK))?;
        self.sync_folder()
    }

    /// Has the machine load what is kept of the group, unless it has that already. Blocks.
    ///
    /// # Errors
    /// When the bytes are damaged or the machine fails. What is kept stays.
    pub(crate) fn load(&self, group: GroupId, machine: &dyn DurableMachine) -> io::Result<()> {
        let Some(bytes) = self.mark(group)? else {
            return Ok(());
        };
        let mark = Mark::from_bytes(&bytes).map_err(io::Error::other)?;
        if let Some(present) = machine.mark()? {
            let present = Mark::from_bytes(&present).map_err(io::Error::other)?;
            if present.last >= mark.last {
                return Ok(());
            }
        }
        let file = File::open(self.path(group, BYTES))?;
        let mut from = io::BufReader::with_capacity(1 << 18, file);
        machine.read_snapshot(&mut from, &bytes)?;
        if machine.mark()?.as_deref() == Some(&bytes[..]) {
            return Ok(());
        }
        Err(io::Error::other("a snapshot was loaded without its mark"))
    }

    fn mark(&self, group: GroupId) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(group, MARK)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Gives up what is kept of the group. Blocks.
    pub(crate) fn drop_kept(&self, group: GroupId) -> io::Result<()> {
        // The mark first: bytes without one are removed by the next start.
        for kind in [MARK, BYTES] {
            match std::fs::remove_file(self.path(group, kind)) {
                Ok(()) => self.sync_folder()?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn received(folder: &Path) -> SnapshotFile {
        let (snapshot, mut file) = SnapshotFile::create(&folder.join("in")).unwrap();
        file.write_all(b"bytes").unwrap();
        snapshot
    }

    #[test]
    fn what_is_kept_is_whole_or_gone_after_a_start() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("kept");
        let kept = KeptSnapshots::open(&folder).unwrap();
        let group = GroupId(7);
        kept.keep(group, received(home.path()), b"mark").unwrap();
        assert_eq!(names(home.path()), ["kept"]);
        let both = ["0000000000000007.mark", "0000000000000007.snapshot"];
        KeptSnapshots::open(&folder).unwrap();
        assert_eq!(names(&folder), both);
        assert_eq!(kept.mark(group).unwrap().unwrap(), b"mark");

        // Again, in place of the first.
        kept.keep(group, received(home.path()), b"later").unwrap();
        assert_eq!(names(&folder), both);
        assert_eq!(kept.mark(group).unwrap().unwrap(), b"later");

        std::fs::rename(
            folder.join(both[0]),
            folder.join("0000000000000007.unfinished"),
        )
        .unwrap();
        KeptSnapshots::open(&folder).unwrap();
        assert!(names(&folder).is_empty(), "bytes without a mark");

        kept.keep(group, received(home.path()), b"mark").unwrap();
        kept.drop_kept(group).unwrap();
        kept.drop_kept(group).unwrap();
        assert!(names(&folder).is_empty());
    }
}
