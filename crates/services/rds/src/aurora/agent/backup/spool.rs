//! Files of log on their way to the archive, on this node's disk.

use std::collections::VecDeque;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_base::UnixMillis;
use quorate_volume::protocol::Lsn;
use quorate_volume::redo::{Moment, RedoEntry, RedoHeader, RedoWriter};
use tempfile::NamedTempFile;
use tokio::time::Instant;

use crate::aurora::agent::transfer::TransferError;

/// Bytes of a file from which it ends with the next moment.
const FILE_BYTES: u64 = 16 << 20;
/// Files of a folder: log is removed by folders.
const FOLDER_FILES_MAX: u64 = 512;
/// Bytes of log that wait for the archive at most.
const WAITING_BYTES_MAX: u64 = 1 << 30;

/// A file that is whole.
pub(super) struct Waiting {
    pub(super) file: NamedTempFile,
    pub(super) folder: u32,
    pub(super) number: u64,
    pub(super) after: Lsn,
    pub(super) end: Moment,
    bytes: u64,
}

struct Open {
    writer: RedoWriter<BufWriter<NamedTempFile>>,
    number: u64,
    after: Lsn,
    since: Instant,
}

/// The files, in the order of the log.
pub(super) struct Spool {
    place: PathBuf,
    /// What the next file says of itself.
    header: RedoHeader,
    /// Its folder, counted from 0.
    folder: u32,
    open: Option<Open>,
    pub(super) waiting: VecDeque<Waiting>,
    /// The last moment: clocks do not go back within an attempt.
    last: UnixMillis,
}

impl Spool {
    /// Whose files go on after the header's LSN, with its number.
    pub(super) fn new(place: &Path, header: RedoHeader) -> Spool {
        Spool {
            place: place.to_owned(),
            header,
            folder: 0,
            open: None,
            waiting: VecDeque::new(),
            last: UnixMillis(0),
        }
    }

    /// Whether all that came is in the archive.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.waiting.is_empty()
    }

    /// Adds what comes next in the log: some megabytes, to a file that nobody syncs. Blocks.
    pub(super) fn put(&mut self, entries: Vec<RedoEntry>) -> Result<(), TransferError> {
        for mut entry in entries {
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let file = BufWriter::new(NamedTempFile::new_in(&self.place)?);
                    self.open.insert(Open {
                        writer: RedoWriter::new(file, &self.header)?,
                        number: self.header.number,
                        after: self.header.after,
                        since: Instant::now(),
                    })
                }
            };
            if let RedoEntry::Moment(moment) = &mut entry {
                self.last = self.last.max(moment.at);
                moment.at = self.last;
            }
            open.writer.put(&entry)?;
            if open.writer.bytes() >= FILE_BYTES {
                self.end_file()?;
            }
        }
        Ok(())
    }

    /// Ends the open file when it is that old. Blocks.
    pub(super) fn end_when_older(&mut self, than: Duration) -> Result<(), TransferError> {
        match &self.open {
            Some(open) if open.since.elapsed() >= than => self.end_file(),
            _ => Ok(()),
        }
    }

    /// Ends the open file, if a moment stands at its end.
    fn end_file(&mut self) -> Result<(), TransferError> {
        let is_whole = |open: &mut Open| open.writer.end().is_some();
        let Some(open) = self.open.take_if(is_whole) else {
            return Ok(());
        };
        let (end, bytes) = (open.writer.end(), open.writer.bytes());
        let end = end.expect("it was looked at just before");
        let file = open.writer.finish()?.into_inner();
        self.waiting.push_back(Waiting {
            file: file.map_err(|e| TransferError::Io(e.into_error()))?,
            folder: self.folder,
            number: open.number,
            after: open.after,
            end,
            bytes,
        });
        self.header.after = end.lsn;
        self.header.number += 1;
        if self.header.number == FOLDER_FILES_MAX {
            self.header.number = 0;
            self.folder += 1;
        }
        Ok(())
    }

    /// Refuses when more waits than may.
    pub(super) fn check_bound(&self) -> Result<(), TransferError> {
        let open = self.open.as_ref().map_or(0, |open| open.writer.bytes());
        let waiting: u64 = self.waiting.iter().map(|file| file.bytes).sum();
        if open + waiting > WAITING_BYTES_MAX {
            return Err(TransferError::Behind((open + waiting) >> 20));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::VolumeId;

    use super::*;

    fn spool(place: &Path) -> Spool {
        let header = RedoHeader {
            volume: VolumeId("cluster-TEST".into()),
            page_bytes: 8_192,
            pages_per_group: 64,
            number: 3,
            after: Lsn(10),
        };
        Spool::new(place, header)
    }

    fn moment(at: u64) -> RedoEntry {
        RedoEntry::Moment(Moment {
            lsn: Lsn(10),
            at: UnixMillis(at),
        })
    }

    #[test]
    fn files_end_at_moments_are_numbered_and_clocks_do_not_go_back() {
        let place = tempfile::tempdir().unwrap();
        let mut spool = spool(place.path());
        spool.put(vec![moment(5)]).unwrap();
        assert!(!spool.is_empty() && spool.waiting.is_empty());
        spool.end_when_older(Duration::from_secs(3_600)).unwrap();
        assert!(spool.waiting.is_empty(), "it is not old");
        spool.end_when_older(Duration::ZERO).unwrap();
        spool.put(vec![moment(4)]).unwrap();
        spool.end_when_older(Duration::ZERO).unwrap();
        let files = spool
            .waiting
            .iter()
            .map(|file| (file.number, file.end.at.0));
        assert_eq!(files.collect::<Vec<_>>(), [(3, 5), (4, 5)]);
        spool.check_bound().unwrap();
    }

    #[test]
    fn a_folder_has_so_many_files_and_the_next_one_begins_anew() {
        let place = tempfile::tempdir().unwrap();
        let mut spool = spool(place.path());
        spool.header.number = FOLDER_FILES_MAX - 1;
        for _ in 0..2 {
            spool.put(vec![moment(5)]).unwrap();
            spool.end_when_older(Duration::ZERO).unwrap();
        }
        let files = spool.waiting.iter().map(|file| (file.folder, file.number));
        let wanted = [(0, FOLDER_FILES_MAX - 1), (1, 0)];
        assert_eq!(files.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn more_than_the_bound_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let mut spool = spool(place.path());
        spool.put(vec![moment(5)]).unwrap();
        spool.end_when_older(Duration::ZERO).unwrap();
        spool.waiting[0].bytes = WAITING_BYTES_MAX + 1;
        let refused = spool.check_bound().unwrap_err();
        assert!(refused.to_string().contains("1024 MiB"), "{refused}");
    }
}
