//! The format of a file of pages.
//!
//! ```text
//! "QRTPAGES" [version 4] [bytes of a page 4]
//! [page 8] [length 4] [bytes]          for each page, ascending; zeros at a page's end are left out
//! [2^64-1] [0] [pages 8] [xxh3 8]      the end: how many there are, and the sum over all before it
//! ```
//!
//! Numbers are little-endian. A page that is not there is all zeros.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::Xxh3;

use crate::protocol::PageId;

const MAGIC: &[u8; 8] = b"QRTPAGES";
const VERSION: u32 = 1;
/// Stands where a page would, at the end.
const END: u64 = u64::MAX;
/// Largest page that any volume has.
const PAGE_BYTES_MAX: u32 = 64 << 10;

/// Why a file of pages cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The file cannot be read or written.
    #[error("a file of pages: {0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("a file of pages is damaged: {0}")]
    Damaged(&'static str),
    /// A later version wrote it.
    #[error("a file of pages has version {0}, which is not known")]
    Version(u32),
}

/// Writes a file of pages.
pub struct PartWriter<W> {
    out: W,
    sum: Xxh3,
    pages: u64,
    bytes: u64,
}

impl<W: Write> PartWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W, page_bytes: u32) -> Result<PartWriter<W>, PartError> {
        let mut part = PartWriter {
            out,
            sum: Xxh3::new(),
            pages: 0,
            bytes: 0,
        };
        part.add(MAGIC)?;
        part.add(&VERSION.to_le_bytes())?;
        part.add(&page_bytes.to_le_bytes())?;
        Ok(part)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), PartError> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(self.out.write_all(bytes)?)
    }

    /// Adds a page; a page of zeros adds nothing. Pages come in ascending order.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&mut self, page: PageId, bytes: &[u8]) -> Result<(), PartError> {
        let end = bytes.iter().rposition(|byte| *byte != 0);
        let Some(end) = end else {
            return Ok(());
        };
        let content = &bytes[..=end];
        let length = u32::try_from(content.len()).expect("pages are small");
        self.add(&page.0.to_le_bytes())?;
        self.add(&length.to_le_bytes())?;
        self.add(content)?;
        self.pages += 1;
        Ok(())
    }

    /// Pages so far.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the file, and gives it back for whoever syncs it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<W, PartError> {
        self.add(&END.to_le_bytes())?;
        self.add(&0_u32.to_le_bytes())?;
        self.add(&self.pages.to_le_bytes())?;
        let sum = self.sum.digest();
        self.out.write_all(&sum.to_le_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads a file of pages.
pub struct PartReader<R> {
    from: R,
    sum: Xxh3,
    page_bytes: u32,
    pages: u64,
    last: Option<u64>,
}

impl<R: Read> PartReader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When it is no file of pages, or one of a later version.
    pub fn new(from: R) -> Result<PartReader<R>, PartError> {
        let mut part = PartReader {
            from,
            sum: Xxh3::new(),
            page_bytes: 0,
            pages: 0,
            last: None,
        };
        if part.take::<8>()? != *MAGIC {
            return Err(PartError::Damaged("it does not begin as one"));
        }
        let version = u32::from_le_bytes(part.take()?);
        if version != VERSION {
            return Err(PartError::Version(version));
        }
        part.page_bytes = u32::from_le_bytes(part.take()?);
        if part.page_bytes > PAGE_BYTES_MAX {
            return Err(PartError::Damaged("its pages are too large"));
        }
        Ok(part)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PartError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), PartError> {
        match self.from.read_exact(bytes) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(PartError::Damaged("its end is missing"));
            }
            read => read?,
        }
        self.sum.update(bytes);
        Ok(())
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_bytes(&self) -> u32 {
        self.page_bytes
    }

    /// The next page, whole; none at the end. Only then is the whole known to be sound.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what was written.
    pub fn next_page(&mut self) -> Result<Option<(PageId, Bytes)>, PartError> {
        let page = u64::from_le_bytes(self.take()?);
        let length = u32::from_le_bytes(self.take()?);
        if page == END {
            self.check_end(length)?;
            return Ok(None);
        }
        if length > self.page_bytes || self.last.is_some_and(|last| last >= page) {
            return Err(PartError::Damaged("a page is out of place"));
        }
        let mut bytes = BytesMut::zeroed(self.page_bytes as usize);
        self.fill(&mut bytes[..length as usize])?;
        self.last = Some(page);
        self.pages += 1;
        Ok(Some((PageId(page), bytes.freeze())))
    }

    fn check_end(&mut self, length: u32) -> Result<(), PartError> {
        let pages = u64::from_le_bytes(self.take()?);
        let sum = self.sum.digest();
        if length != 0 || pages != self.pages || u64::from_le_bytes(self.take()?) != sum {
            return Err(PartError::Damaged("its checksum does not fit"));
        }
        if self.from.read(&mut [0])? != 0 {
            return Err(PartError::Damaged("something follows its end"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut part = PartWriter::new(Vec::new(), 8).unwrap();
        part.put(PageId(3), &[1, 2, 0, 0, 0, 0, 0, 0]).unwrap();
        part.put(PageId(4), &[0; 8]).unwrap();
        part.put(PageId(700), &[9; 8]).unwrap();
        assert_eq!(part.pages(), 2);
        part.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(u64, Bytes)>, PartError> {
        let mut part = PartReader::new(bytes)?;
        let mut pages = Vec::new();
        while let Some((page, bytes)) = part.next_page()? {
            pages.push((page.0, bytes));
        }
        Ok(pages)
    }

    #[test]
    fn pages_are_read_as_they_were_written_without_those_that_are_zeros() {
        let pages = read(&written()).unwrap();
        let wanted: [(u64, &[u8]); 2] = [(3, &[1, 2, 0, 0, 0, 0, 0, 0]), (700, &[9; 8])];
        assert_eq!(pages, wanted.map(|(page, b)| (page, Bytes::from_static(b))));
    }

    /// What is in archives must stay readable.
    #[test]
    fn version_1_is_written_and_read() {
        let mut part = PartWriter::new(Vec::new(), 8).unwrap();
        part.put(PageId(1), &[7, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        let bytes = part.finish().unwrap();
        let mut wanted = b"QRTPAGES\x01\0\0\0\x08\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x07".to_vec();
        wanted.extend([0xff; 8]);
        wanted.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[..wanted.len()], wanted);
        let sum = u64::from_le_bytes(bytes[wanted.len()..].try_into().unwrap());
        assert_eq!(sum, xxhash_rust::xxh3::xxh3_64(&wanted));
        assert_eq!(read(&bytes).unwrap().len(), 1);
    }

    #[test]
    fn a_changed_cut_or_lengthened_file_is_found() {
        let sound = written();
        for at in 0..sound.len() {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "byte {at}");
            assert!(read(&sound[..at]).is_err(), "cut at {at}");
        }
        assert!(read(&[&sound[..], &[0]].concat()).is_err());
    }
}
