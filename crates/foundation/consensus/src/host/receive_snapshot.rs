//! Snapshots on their way in, piece by piece, one for each group at a time.
//!
//! Invariant: a file is there only while its transfer is: a later one, silence, the group's end or a start of the
//! host removes it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::host::blocking;
use crate::host::clock::Moment;
use crate::host::config::SNAPSHOT_IDLE_MAX;
use crate::host::messages::Piece;
use crate::host::snapshot_file::SnapshotFile;
use crate::host::types::GroupId;

struct Transfer {
    id: u64,
    snapshot: SnapshotFile,
    file: File,
    length: u64,
    touched: Moment,
}

/// The transfers of a host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Incoming {
    folder: PathBuf,
    transfers: Arc<Mutex<HashMap<GroupId, Transfer>>>,
}

impl Incoming {
    /// Starts with an empty `folder`: what is in it was left by transfers that ended with the host.
    pub(crate) fn open(folder: &Path) -> io::Result<Incoming> {
        match std::fs::remove_dir_all(folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => std::fs::create_dir_all(folder)?,
        }
        Ok(Incoming {
            folder: folder.to_owned(),
            transfers: Arc::default(),
        })
    }

    /// Takes a piece. The first one of a transfer ends the group's earlier one.
    pub(crate) async fn take(&self, piece: Piece) -> Result<(), String> {
        let incoming = self.clone();
        let taken = blocking::run(move || incoming.take_now(&piece)).await;
        taken.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }

    fn take_now(&self, piece: &Piece) -> io::Result<()> {
        let mut transfer = self.taken_out(piece)?;
        if transfer.length != piece.offset {
            return Err(io::Error::other("a piece is missing"));
        }
        let bytes: &Bytes = &piece.bytes;
        transfer.file.write_all(bytes)?;
        transfer.length += bytes.len() as u64;
        transfer.touched = Moment::now();
        self.lock().insert(piece.group, transfer);
        Ok(())
    }

    /// The piece's transfer, out of the table while it is written to: an error then drops it and its file.
    fn taken_out(&self, piece: &Piece) -> io::Result<Transfer> {
        let earlier = self.lock().remove(&piece.group);
        if piece.offset > 0 {
            return earlier
                .filter(|transfer| transfer.id == piece.transfer)
                .ok_or_else(|| io::Error::other("no such transfer"));
        }
        drop(earlier);
        let name = format!("in-{}-{:016x}", piece.group.0, piece.transfer);
        let (snapshot, file) = SnapshotFile::create(&self.folder.join(name))?;
        Ok(Transfer {
            id: piece.transfer,
            snapshot,
            file,
            length: 0,
            touched: Moment::now(),
        })
    }

    /// The whole snapshot of a transfer.
    pub(crate) fn finish(
        &self,
        group: GroupId,
        id: u64,
        length: u64,
    ) -> Result<SnapshotFile, String> {
        let transfer = self.lock().remove(&group);
        match transfer {
            Some(transfer) if transfer.id == id && transfer.length == length => {
                Ok(transfer.snapshot)
            }
            _ => Err(String::from("the transfer is not complete here")),
        }
    }

    /// Ends the group's transfer.
    pub(crate) fn forget(&self, group: GroupId) {
        self.lock().remove(&group);
    }

    /// Ends transfers that their senders gave up.
    pub(crate) fn sweep(&self, now: Moment) {
        self.lock()
            .retain(|_, transfer| now.since(transfer.touched) < SNAPSHOT_IDLE_MAX);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<GroupId, Transfer>> {
        self.transfers.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(transfer: u64, offset: u64, bytes: &'static [u8]) -> Piece {
        Piece {
            from: 1,
            group: GroupId(7),
            transfer,
            offset,
            bytes: Bytes::from_static(bytes),
        }
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn an_interrupted_transfer_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("snapshots");
        let incoming = Incoming::open(&folder).unwrap();
        incoming.take_now(&piece(1, 0, b"half")).unwrap();
        incoming.take_now(&piece(2, 0, b"wh")).unwrap();
        assert_eq!(files(&folder), 1, "a second transfer ends the first");
        assert!(incoming.take_now(&piece(1, 4, b"late")).is_err());
        assert_eq!(files(&folder), 0);

        incoming.take_now(&piece(3, 0, b"wh")).unwrap();
        assert!(incoming.take_now(&piece(3, 3, b"gap")).is_err());
        assert_eq!(files(&folder), 0);

        incoming.take_now(&piece(4, 0, b"idle")).unwrap();
        incoming.sweep(Moment::now());
        assert_eq!(files(&folder), 1);
        incoming.sweep(Moment::now() + SNAPSHOT_IDLE_MAX);
        assert_eq!(files(&folder), 0);

        std::fs::write(folder.join("in-7-left"), b"by a crash").unwrap();
        Incoming::open(&folder).unwrap();
        assert_eq!(files(&folder), 0);
    }

    #[test]
    fn a_whole_transfer_is_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("snapshots");
        let incoming = Incoming::open(&folder).unwrap();
        incoming.take_now(&piece(1, 0, b"wh")).unwrap();
        incoming.take_now(&piece(1, 2, b"ole")).unwrap();
        let snapshot = incoming.finish(GroupId(7), 1, 5).unwrap();
        let text = io::read_to_string(snapshot.open().unwrap()).unwrap();
        assert_eq!(text, "whole");
        drop(snapshot);
        assert_eq!(files(&folder), 0);
    }
}
