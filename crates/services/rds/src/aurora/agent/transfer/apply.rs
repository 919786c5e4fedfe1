//! Applies archived log to a volume that is filled, up to a moment.
//!
//! Invariant: each file follows the one before, from the base on. One that is missing, damaged, or of another place ends the
//! restore: an older state than the one that was asked for never passes for it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use quorate_base::UnixMillis;
use quorate_volume::image::PageSink;
use quorate_volume::protocol::{Lsn, VolumeId};
use quorate_volume::redo::{RedoEntry, RedoReader};

use crate::aurora::agent::transfer::error::TransferError;
use crate::aurora::model::{LogRun, RestoreSource};

/// The log that a restore needs.
pub(super) struct LogToApply<'a> {
    volume: VolumeId,
    to: UnixMillis,
    runs: &'a [LogRun],
    pub(super) groups: u32,
}

impl<'a> LogToApply<'a> {
    pub(super) fn of(source: &'a RestoreSource) -> Option<LogToApply<'a>> {
        let RestoreSource::Time {
            resource_id,
            to,
            runs,
            groups,
            ..
        } = source
        else {
            return None;
        };
        Some(LogToApply {
            volume: VolumeId(resource_id.clone()),
            to: *to,
            runs,
            groups: *groups,
        })
    }

    /// How many files there are at most.
    pub(super) fn files(&self) -> u64 {
        self.runs.iter().map(|run| run.files).sum()
    }

    /// The names of the files, in order, and their numbers.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, u64)> {
        let of_run = |run: &'a LogRun| (0..run.files).map(|number| (run.file(number), number));
        self.runs.iter().flat_map(of_run)
    }
}

/// How far the log is applied.
pub(super) struct Applying {
    volume: VolumeId,
    page_bytes: u32,
    to: UnixMillis,
    /// What the base has.
    base: Lsn,
    /// Up to where files were read.
    read: Option<Lsn>,
    /// Where the log ends.
    end: Lsn,
    /// Whether a later moment was met.
    is_over: bool,
}

impl Applying {
    pub(super) fn new(log: &LogToApply<'_>, base: Lsn, page_bytes: u32) -> Applying {
        Applying {
            volume: log.volume.clone(),
            page_bytes,
            to: log.to,
            base,
            read: log.runs.first().map(|run| run.after),
            end: log.runs.last().map_or(base, |run| run.end),
            is_over: false,
        }
    }

    /// Whether the moment is reached.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Applies the next file, of this number, as far as it is wanted. Blocks.
    pub(super) fn apply(
        mut self,
        mut sink: PageSink,
        file: &Path,
        number: u64,
    ) -> Result<(PageSink, Applying), TransferError> {
        let wanted = self.look(file, number)?;
        let mut log = RedoReader::new(BufReader::new(File::open(file)?))?;
        while let Some(entry) = log.next_entry()? {
            let RedoEntry::Record(record) = entry else {
                continue;
            };
            let lsn = record.header.lsn;
            if lsn > self.base && Some(lsn) <= wanted {
                sink.apply(record)?;
            }
        }
        Ok((sink, self))
    }

    /// Reads a file to its end, and says up to where it is wanted.
    fn look(&mut self, file: &Path, number: u64) -> Result<Option<Lsn>, TransferError> {
        let mut log = RedoReader::new(BufReader::new(File::open(file)?))?;
        let header = log.header();
        let wrong = |what: &str| {
            Err(TransferError::Log(format!(
                "a file has {what} than the one that is wanted"
            )))
        };
        if header.volume != self.volume || header.number != number {
            return wrong("another place");
        }
        if header.page_bytes != self.page_bytes {
            return wrong("other pages");
        }
        if self.read != Some(header.after) {
            return wrong("another beginning");
        }
        let mut wanted = None;
        while let Some(entry) = log.next_entry()? {
            let RedoEntry::Moment(moment) = entry else {
                continue;
            };
            self.read = Some(moment.lsn);
            if moment.at > self.to {
                self.is_over = true;
            } else if !self.is_over {
                wanted = Some(moment.lsn);
            }
        }
        Ok(wanted)
    }

    /// Refuses log that ended before the moment was reached and is not all that there should be.
    pub(super) fn check(&self) -> Result<(), TransferError> {
        let read = self.read.unwrap_or(self.end);
        if self.is_over || read == self.end {
            return Ok(());
        }
        Err(TransferError::Log(format!(
            "it ends at LSN {read}, not at {}",
            self.end
        )))
    }
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::{Change, PageId, Record, RecordHeader, VolumeEpoch};
    use quorate_volume::redo::{Moment, RedoHeader, RedoWriter};

    use super::*;

    const VOLUME: &str = "cluster-TEST";

    fn source(to: u64, ends: &[u64]) -> RestoreSource {
        let run = |(number, end): (usize, &u64)| LogRun {
            folder: format!("run{number}"),
            after: Lsn(if number == 0 { 10 } else { ends[number - 1] }),
            end: Lsn(*end),
            files: 1,
        };
        RestoreSource::Time {
            id: "c".into(),
            resource_id: VOLUME.into(),
            to: UnixMillis(to),
            base: "b".into(),
            image: crate::aurora::model::SnapshotImage {
                folder: String::new(),
                manifest: String::new(),
                page_bytes: 8_192,
                pages_per_group: 64,
                size_bytes: 0,
                lsn: Some(Lsn(12)),
                complete_at: None,
            },
            runs: ends.iter().enumerate().map(run).collect(),
            groups: 1,
        }
    }

    /// A file with a record and a moment for each LSN, at ten times its number.
    fn file(volume: &str, after: u64, end: u64) -> tempfile::NamedTempFile {
        let header = RedoHeader {
            volume: VolumeId(volume.into()),
            page_bytes: 8_192,
            pages_per_group: 64,
            number: 0,
            after: Lsn(after),
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = RedoWriter::new(file, &header).unwrap();
        for lsn in after + 1..=end {
            let header = RecordHeader {
                lsn: Lsn(lsn),
                previous: Lsn(lsn - 1),
                epoch: VolumeEpoch(1),
                consistency_point: true,
            };
            let record = Record {
                header,
                page: PageId(0),
                change: Change::Mark,
            };
            writer.put(&RedoEntry::Record(record)).unwrap();
            let moment = Moment {
                lsn: Lsn(lsn),
                at: UnixMillis(lsn * 10),
            };
            writer.put(&RedoEntry::Moment(moment)).unwrap();
        }
        writer.finish().unwrap()
    }

    fn applying(to: u64, ends: &[u64]) -> Applying {
        let source = source(to, ends);
        Applying::new(&LogToApply::of(&source).unwrap(), Lsn(12), 8_192)
    }

    #[test]
    fn log_is_wanted_up_to_the_last_moment_that_is_not_later() {
        let mut log = applying(184, &[15, 20]);
        let wanted = log.look(file(VOLUME, 10, 15).path(), 0).unwrap();
        assert_eq!((wanted, log.is_over()), (Some(Lsn(15)), false));
        assert!(log.check().is_err(), "the second file was not read");
        let wanted = log.look(file(VOLUME, 15, 20).path(), 0).unwrap();
        assert_eq!((wanted, log.is_over()), (Some(Lsn(18)), true));
        log.check().unwrap();
        let mut idle = applying(999, &[15]);
        idle.look(file(VOLUME, 10, 15).path(), 0).unwrap();
        idle.check().unwrap();
        let mut early = applying(5, &[15]);
        let wanted = early.look(file(VOLUME, 10, 15).path(), 0).unwrap();
        assert_eq!((wanted, early.is_over()), (None, true));
    }

    #[test]
    fn a_file_of_another_place_is_refused() {
        for (volume, after, number) in [(VOLUME, 11, 0), ("cluster-OTHER", 10, 0), (VOLUME, 10, 1)]
        {
            let mut log = applying(184, &[15]);
            let found = log.look(file(volume, after, 15).path(), number);
            let error = found.unwrap_err().to_string();
            assert!(error.contains("than the one that is wanted"), "{error}");
        }
    }
}
