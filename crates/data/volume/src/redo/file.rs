//! The format of a file of the log.
//!
//! ```text
//! "QRTREDOL" [version 4] [bytes of a page 4] [pages of a group 8] [number 8] [after 8] [bytes 4] [volume]
//! [1] [bytes 4] [record]             each record, in the order of the log
//! [2] [LSN 8] [milliseconds 8]       a moment: what stands before was complete then
//! [0] [records 8] [end 8] [xxh3 8]   the end: how many records, the last moment's LSN, the sum over all before it
//! ```
//!
//! Numbers are little-endian. The last entry is a moment: a file says of each of its records when it was complete.

use std::io::{self, Read, Write};

use bytes::Bytes;
use quorate_base::UnixMillis;
use xxhash_rust::xxh3::Xxh3;

use crate::calls::Moment;
use crate::protocol::{Lsn, Record, VolumeId};
use crate::store::{get_record, put_record};

const MAGIC: &[u8; 8] = b"QRTREDOL";
const VERSION: u32 = 1;
const END: u8 = 0;
const RECORD: u8 = 1;
const MOMENT: u8 = 2;
/// Longest record: spans of the largest page, each of one byte, take nine bytes for each second one.
const RECORD_BYTES_MAX: u32 = 1 << 20;
/// Longest name of a volume.
const VOLUME_BYTES_MAX: u32 = 1 << 10;

/// Why a file of the log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RedoError {
    /// The file cannot be read or written.
    #[error("a file of the log: {0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("a file of the log is damaged: {0}")]
    Damaged(&'static str),
    /// A later version wrote it.
    #[error("a file of the log has version {0}, which is not known")]
    Version(u32),
}

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedoHeader {
    /// Whose log it is.
    pub volume: VolumeId,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Pages of a protection group.
    pub pages_per_group: u64,
    /// Its number among the files that were written one after the other.
    pub number: u64,
    /// The file has what follows this LSN.
    pub after: Lsn,
}

/// One thing in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedoEntry {
    /// The next record of the log.
    Record(Record),
    /// When what stands before was complete.
    Moment(Moment),
}

/// Writes a file of the log.
pub struct RedoWriter<W> {
    out: W,
    sum: Xxh3,
    bytes: u64,
    records: u64,
    last: Lsn,
    moment: Option<Moment>,
}

impl<W: Write> RedoWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W, header: &RedoHeader) -> Result<RedoWriter<W>, RedoError> {
        let mut file = RedoWriter {
            out,
            sum: Xxh3::new(),
            bytes: 0,
            records: 0,
            last: header.after,
            moment: None,
        };
        let volume = header.volume.0.as_bytes();
        let volume_bytes = u32::try_from(volume.len()).expect("names are short");
        file.add(MAGIC)?;
        file.add(&VERSION.to_le_bytes())?;
        file.add(&header.page_bytes.to_le_bytes())?;
        file.add(&header.pages_per_group.to_le_bytes())?;
        file.add(&header.number.to_le_bytes())?;
        file.add(&header.after.0.to_le_bytes())?;
        file.add(&volume_bytes.to_le_bytes())?;
        file.add(volume)?;
        Ok(file)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), RedoError> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(self.out.write_all(bytes)?)
    }

    /// Adds what comes next in the log.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&mut self, entry: &RedoEntry) -> Result<(), RedoError> {
        match entry {
            RedoEntry::Record(record) => {
                assert!(record.header.lsn > self.last, "records rise");
                let mut bytes = Vec::new();
                put_record(&mut bytes, record);
                let length = u32::try_from(bytes.len()).expect("records are small");
                self.add(&[RECORD])?;
                self.add(&length.to_le_bytes())?;
                self.add(&bytes)?;
                self.records += 1;
                self.last = record.header.lsn;
            }
            RedoEntry::Moment(moment) => {
                assert_eq!(moment.lsn, self.last, "a moment ends what is complete");
                self.add(&[MOMENT])?;
                self.add(&moment.lsn.0.to_le_bytes())?;
                self.add(&moment.at.0.to_le_bytes())?;
                self.moment = Some(*moment);
            }
        }
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The last moment, if everything before it has one: then the file may end.
    #[must_use]
    pub fn end(&self) -> Option<Moment> {
        self.moment.filter(|moment| moment.lsn == self.last)
    }

    /// Ends the file, and gives it back for whoever syncs it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<W, RedoError> {
        let end = self.end().expect("a moment stands at the end of a file");
        self.add(&[END])?;
        self.add(&self.records.to_le_bytes())?;
        self.add(&end.lsn.0.to_le_bytes())?;
        let sum = self.sum.digest();
        self.out.write_all(&sum.to_le_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads a file of the log.
pub struct RedoReader<R> {
    from: R,
    sum: Xxh3,
    header: RedoHeader,
    records: u64,
    last: Lsn,
    moment: Option<Moment>,
    ended: bool,
}

impl<R: Read> RedoReader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When it is no file of a log, or one of a later version.
    pub fn new(from: R) -> Result<RedoReader<R>, RedoError> {
        let mut file = RedoReader {
            from,
            sum: Xxh3::new(),
            header: RedoHeader {
                volume: VolumeId(String::new()),
                page_bytes: 0,
                pages_per_group: 0,
                number: 0,
                after: Lsn(0),
            },
            records: 0,
            last: Lsn(0),
            moment: None,
            ended: false,
        };
        if file.take::<8>()? != *MAGIC {
            return Err(RedoError::Damaged("it does not begin as one"));
        }
        let version = u32::from_le_bytes(file.take()?);
        if version != VERSION {
            return Err(RedoError::Version(version));
        }
        file.header.page_bytes = u32::from_le_bytes(file.take()?);
        file.header.pages_per_group = u64::from_le_bytes(file.take()?);
        file.header.number = u64::from_le_bytes(file.take()?);
        file.header.after = Lsn(u64::from_le_bytes(file.take()?));
        let volume = file.take_many(VOLUME_BYTES_MAX)?;
        let volume = String::from_utf8(volume);
        let volume = volume.map_err(|_| RedoError::Damaged("its volume has no name"))?;
        file.header.volume = VolumeId(volume);
        file.last = file.header.after;
        Ok(file)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], RedoError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn take_many(&mut self, max: u32) -> Result<Vec<u8>, RedoError> {
        let length = u32::from_le_bytes(self.take()?);
        if length > max {
            return Err(RedoError::Damaged("something in it is too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RedoError> {
        match self.from.read_exact(bytes) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Err(RedoError::Damaged("it ends too early"))
            }
            other => {
                other?;
                self.sum.update(bytes);
                Ok(())
            }
        }
    }

    /// What the file says of itself.
    #[must_use]
    pub fn header(&self) -> &RedoHeader {
        &self.header
    }

    /// The next entry; none at the end. What was read is sound only once the end was reached.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<RedoEntry>, RedoError> {
        if self.ended {
            return Ok(None);
        }
        match self.take::<1>()?[0] {
            RECORD => {
                let bytes = self.take_many(RECORD_BYTES_MAX)?;
                let record = get_record(Bytes::from(bytes));
                let record = record.ok_or(RedoError::Damaged("a record cannot be read"))?;
                if record.header.lsn <= self.last {
                    return Err(RedoError::Damaged("its records do not rise"));
                }
                self.last = record.header.lsn;
                self.records += 1;
                Ok(Some(RedoEntry::Record(record)))
            }
            MOMENT => {
                let lsn = Lsn(u64::from_le_bytes(self.take()?));
                let at = UnixMillis(u64::from_le_bytes(self.take()?));
                if lsn != self.last || self.moment.is_some_and(|before| before.at > at) {
                    return Err(RedoError::Damaged("a moment is not where it belongs"));
                }
                let moment = Moment { lsn, at };
                self.moment = Some(moment);
                Ok(Some(RedoEntry::Moment(moment)))
            }
            END => self.end().map(|()| None),
            _ => Err(RedoError::Damaged("something in it is not known")),
        }
    }

    fn end(&mut self) -> Result<(), RedoError> {
        let records = u64::from_le_bytes(self.take()?);
        let end = Lsn(u64::from_le_bytes(self.take()?));
        let sum = self.sum.digest();
        if u64::from_le_bytes(self.take()?) != sum {
            return Err(RedoError::Damaged("its sum does not fit"));
        }
        let told = self.moment.map(|moment| moment.lsn);
        if records != self.records || end != self.last || told != Some(end) {
            return Err(RedoError::Damaged("it has not what its end says"));
        }
        let mut more = [0; 1];
        if self.from.read(&mut more)? != 0 {
            return Err(RedoError::Damaged("something follows its end"));
        }
        self.ended = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Change, PageId, RecordHeader, Span, VolumeEpoch};

    fn header() -> RedoHeader {
        RedoHeader {
            volume: VolumeId(String::from("cluster-TEST")),
            page_bytes: 8_192,
            pages_per_group: 64,
            number: 7,
            after: Lsn(10),
        }
    }

    fn record(lsn: u64, change: Change) -> RedoEntry {
        RedoEntry::Record(Record {
            header: RecordHeader {
                lsn: Lsn(lsn),
                previous: Lsn(lsn - 1),
                epoch: VolumeEpoch(1),
                consistency_point: true,
            },
            page: PageId(lsn),
            change,
        })
    }

    fn moment(lsn: u64, at: u64) -> RedoEntry {
        RedoEntry::Moment(Moment {
            lsn: Lsn(lsn),
            at: UnixMillis(at),
        })
    }

    fn entries() -> Vec<RedoEntry> {
        let span = Span {
            offset: 3,
            bytes: Bytes::from_static(b"abc"),
        };
        vec![
            moment(10, 500),
            record(11, Change::Spans(vec![span])),
            record(12, Change::Image(Bytes::from_static(b"page"))),
            moment(12, 1_000),
            record(113, Change::Discard),
            record(114, Change::Mark),
            moment(114, 1_250),
        ]
    }

    fn written(entries: &[RedoEntry]) -> Vec<u8> {
        let mut file = RedoWriter::new(Vec::new(), &header()).unwrap();
        for entry in entries {
            file.put(entry).unwrap();
        }
        file.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<RedoEntry>, RedoError> {
        let mut file = RedoReader::new(bytes)?;
        assert_eq!(file.header(), &header());
        let mut entries = Vec::new();
        while let Some(entry) = file.next_entry()? {
            entries.push(entry);
        }
        assert_eq!(file.next_entry()?, None);
        Ok(entries)
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read(&written(&entries())).unwrap(), entries());
        let idle = [moment(10, 500)];
        assert_eq!(read(&written(&idle)).unwrap(), idle);
    }

    /// What is in archives must stay readable.
    #[test]
    fn version_1_is_written_and_read() {
        let mut wanted = b"QRTREDOL\x01\0\0\0\0\x20\0\0\x40\0\0\0\0\0\0\0".to_vec();
        wanted.extend(b"\x07\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x0c\0\0\0cluster-TEST");
        wanted.extend(b"\x01\x22\0\0\0\x0b\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0");
        wanted.extend(b"\x01\0\0\0\0\0\0\0\x01\x0b\0\0\0\0\0\0\0\x03");
        wanted.extend(b"\x02\x0b\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0");
        wanted.extend(b"\0\x01\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0");
        let bytes = written(&[record(11, Change::Discard), moment(11, 9)]);
        assert_eq!(bytes[..wanted.len()], wanted);
        let sum = u64::from_le_bytes(bytes[wanted.len()..].try_into().unwrap());
        assert_eq!(sum, xxhash_rust::xxh3::xxh3_64(&wanted));
    }

    #[test]
    fn a_changed_cut_or_lengthened_file_is_found() {
        let sound = written(&entries());
        let all = |bytes: &[u8]| -> Result<(), RedoError> {
            let mut file = RedoReader::new(bytes)?;
            while file.next_entry()?.is_some() {}
            Ok(())
        };
        for at in 0..sound.len() {
            for bit in 0..8 {
                let mut changed = sound.clone();
                changed[at] ^= 1 << bit;
                assert!(all(&changed).is_err(), "byte {at} bit {bit}");
            }
            assert!(all(&sound[..at]).is_err(), "cut at {at}");
        }
        assert!(all(&[&sound[..], &[0]].concat()).is_err());
    }
}
