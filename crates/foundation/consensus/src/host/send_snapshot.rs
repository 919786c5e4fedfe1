//! A machine's whole state on its way to a replica that the log does not reach any more.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::host::applied::Mark;
use crate::host::blocking;
use crate::host::config::{
    SNAPSHOT_LOAD_TIMEOUT, SNAPSHOT_PIECE_BYTES, SNAPSHOT_PIECE_TIMEOUT, SNAPSHOTS_SENT_MAX,
};
use crate::host::machine::DurableMachine;
use crate::host::messages::{INSTALL, Install, PIECE, Piece};
use crate::host::post::Hub;
use crate::host::snapshot_file::SnapshotFile;
use crate::host::types::{GroupId, Vote};
use crate::types::Voter;

/// Sends snapshots of a host's groups, a few at a time.
pub(crate) struct SnapshotSender {
    hub: Weak<Hub>,
    folder: PathBuf,
    places: Semaphore,
}

impl SnapshotSender {
    /// A sender that keeps snapshots in `folder` while they are sent.
    pub(crate) fn new(hub: &Arc<Hub>, folder: PathBuf) -> SnapshotSender {
        SnapshotSender {
            hub: Arc::downgrade(hub),
            folder,
            places: Semaphore::new(SNAPSHOTS_SENT_MAX),
        }
    }

    /// Has `peer` load the group's state; returns the peer's vote then.
    pub(crate) async fn send(
        &self,
        group: GroupId,
        peer: &Voter,
        vote: Vote,
    ) -> Result<Vote, String> {
        let _place = self.places.acquire().await.map_err(|e| e.to_string())?;
        let hub = self.hub.upgrade().ok_or("the host stops")?;
        let cell = hub.registry.get(group).ok_or("the group is stopped")?;
        // What the peer will have must stay within the log's reach.
        let _kept = cell.keep_log();
        let transfer = rand::random();
        let path = self.folder.join(format!("out-{}-{transfer:016x}", group.0));
        let machine = cell.machine.clone();
        let written = blocking::run(move || write_out(machine.as_ref(), path)).await;
        let (file, mark) = written
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())?;
        let length = send_pieces(&hub, group, peer, transfer, &file).await?;
        let install = Install {
            from: hub.pulse.from,
            group,
            transfer,
            length,
            vote,
            meta: mark.meta(),
        };
        tracing::info!(%group, %peer, length, "sent a snapshot");
        hub.way
            .call(peer, INSTALL, &install, SNAPSHOT_LOAD_TIMEOUT)
            .await
            .map_err(|e| e.to_string())
    }
}

fn write_out(machine: &dyn DurableMachine, path: PathBuf) -> io::Result<(SnapshotFile, Mark)> {
    let (file, writing) = SnapshotFile::create(&path)?;
    let mut out = io::BufWriter::with_capacity(1 << 18, writing);
    let mark = machine.write_snapshot(&mut out)?;
    out.flush()?;
    let mark = Mark::from_bytes(&mark).map_err(io::Error::other)?;
    Ok((file, mark))
}

async fn send_pieces(
    hub: &Hub,
    group: GroupId,
    peer: &Voter,
    transfer: u64,
    file: &SnapshotFile,
) -> Result<u64, String> {
    let mut reading = file.open().map_err(|e| e.to_string())?;
    let mut offset = 0;
    loop {
        if !hub.talks_to(peer.id()) {
            return Err(String::from("the link is cut"));
        }
        let read = blocking::run(move || read_piece(reading)).await;
        let (file, bytes) = read
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())?;
        reading = file;
        let length = bytes.len() as u64;
        if length == 0 && offset > 0 {
            return Ok(offset);
        }
        let piece = Piece {
            from: hub.pulse.from,
            group,
            transfer,
            offset,
            bytes,
        };
        let sent = hub
            .way
            .call::<_, ()>(peer, PIECE, &piece, SNAPSHOT_PIECE_TIMEOUT);
        sent.await.map_err(|e| e.to_string())?;
        if length == 0 {
            return Ok(0);
        }
        offset += length;
    }
}

fn read_piece(mut file: File) -> io::Result<(File, Bytes)> {
    let mut bytes = Vec::with_capacity(SNAPSHOT_PIECE_BYTES);
    Read::by_ref(&mut file)
        .take(SNAPSHOT_PIECE_BYTES as u64)
        .read_to_end(&mut bytes)?;
    Ok((file, bytes.into()))
}
