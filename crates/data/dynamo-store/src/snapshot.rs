//! A partition as a stream of bytes: written at one moment, read in place of what is there.
//!
//! ```text
//! "QDPS"  version 1   frames   0 (4 bytes)   XXH3 of all before (8 bytes)
//! frame:  length (4)  bytes
//! the first frame: what the partition is, and its head; the others: rows, each key and value behind its length (4)
//! ```
//!
//! Invariant: from the first row that is removed to the last that is written the head on disk says that the partition is
//! being loaded. A reading that does not end leaves a partition without a state, which asks for another snapshot.

use std::io::{self, Read, Write};
use std::sync::Arc;

use fjall::{PersistMode, Readable, Snapshot};
use xxhash_rust::xxh3::Xxh3Default;

use crate::bytes::Bytes;
use crate::error::StoreError;
use crate::layout::{self, Space};
use crate::partition::{Described, Head, Inner, Partition, State, Status};
use crate::range_rows;
use crate::record;
use crate::spec::{PartitionSpec, position_of};

const MAGIC: [u8; 4] = *b"QDPS";
const VERSION: u8 = 1;
/// Bytes after which a frame is written.
const FRAME_BYTES: usize = 256 * 1_024;
/// The longest frame that is read: one row may come on top, and an item has at most 400 KB.
const FRAME_BYTES_MAX: usize = 16 * 1_024 * 1_024;

impl Partition {
    /// Writes the partition as it is at one moment and gives the mark of that moment. Blocks; writes go on meanwhile.
    ///
    /// # Errors
    /// When the store or the writer fails.
    pub fn write_snapshot(&self, to: &mut dyn Write) -> io::Result<Vec<u8>> {
        let inner = &self.inner;
        let (state, moment) = {
            let _one = inner.applying();
            (inner.serving()?, inner.shared.db.snapshot())
        };
        let mut out = Sink {
            to,
            sum: Xxh3Default::new(),
            frame: Vec::with_capacity(FRAME_BYTES),
        };
        out.write(&MAGIC)?;
        out.write(&[VERSION])?;
        out.frame = record::encode(&(&*state.described, &state.head));
        out.end_frame()?;
        write_rows(inner, &state, &moment, &mut out)?;
        out.end_frame()?;
        out.write(&0_u32.to_be_bytes())?;
        let sum = out.sum.digest();
        out.to.write_all(&sum.to_be_bytes())?;
        Ok(state.head.mark.clone().unwrap_or_default().0)
    }

    /// Takes the snapshot's state in place of this one, and notes `mark`. Blocks, and holds up `apply`. Synced.
    ///
    /// # Errors
    /// When it is damaged, or the store or the reader fails: the partition has no state then until another snapshot
    /// is read.
    pub fn read_snapshot(&self, from: &mut dyn Read, mark: &[u8]) -> io::Result<()> {
        let inner = &self.inner;
        let _one = inner.applying();
        inner.check_poison()?;
        let mut source = Source {
            from,
            sum: Xxh3Default::new(),
        };
        let (described, mut head) = source.begin()?;
        inner.check_place(&described.spec)?;
        let old = inner.state();
        inner.note(&described, &Head::empty(Status::Loading), true)?;
        for spec in [old.spec(), &described.spec] {
            range_rows::remove_range(&inner.shared, spec, spec.range)?;
        }
        range_rows::remove_own(&inner.shared, inner.id)?;
        while let Some(frame) = source.frame()? {
            inner.load_rows(&described.spec, &frame)?;
        }
        source.end()?;
        head.status = Status::Serving;
        head.mark = Some(Bytes(mark.to_vec()));
        Ok(inner.note(&described, &head, true)?)
    }
}

fn write_rows(
    inner: &Inner,
    state: &State,
    moment: &Snapshot,
    out: &mut Sink<'_>,
) -> Result<(), StoreError> {
    for prefix in range_rows::own_prefixes(inner.id) {
        for row in moment.prefix(&inner.shared.rows, prefix) {
            let (key, value) = row.into_inner()?;
            out.row(&key, &value)?;
        }
    }
    let spec = state.spec();
    range_rows::for_each(&inner.shared, moment, spec, spec.range, |key, value| {
        out.row(key, value)
    })
}

/// Writes frames and sums all bytes.
struct Sink<'a> {
    to: &'a mut dyn Write,
    sum: Xxh3Default,
    frame: Vec<u8>,
}

impl Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.to.write_all(bytes)
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        for part in [key, value] {
            let length = u32::try_from(part.len()).map_err(|_| StoreError::Damaged("row"))?;
            self.frame.extend_from_slice(&length.to_be_bytes());
            self.frame.extend_from_slice(part);
        }
        if self.frame.len() >= FRAME_BYTES {
            self.end_frame()?;
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.frame);
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        self.write(&length.to_be_bytes())?;
        self.write(&frame)?;
        self.frame = frame;
        self.frame.clear();
        Ok(())
    }
}

/// Reads frames and sums all bytes.
struct Source<'a> {
    from: &'a mut dyn Read,
    sum: Xxh3Default,
}

impl Source<'_> {
    fn read(&mut self, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes)?;
        self.sum.update(&bytes);
        Ok(bytes)
    }

    fn begin(&mut self) -> Result<(Described, Head), StoreError> {
        if self.read(5)? != [MAGIC.as_slice(), &[VERSION]].concat() {
            return Err(StoreError::Damaged("snapshot's beginning"));
        }
        let first = self.frame()?;
        record::decode(&first.unwrap_or_default(), "snapshot's first frame")
    }

    fn frame(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let length = self.read(4)?;
        let length = length.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match length.map(|length| length as usize) {
            Some(0) => Ok(None),
            Some(length) if length <= FRAME_BYTES_MAX => self.read(length).map(Some),
            _ => Err(StoreError::Damaged("snapshot's frame")),
        }
    }

    fn end(&mut self) -> Result<(), StoreError> {
        let expected = self.sum.digest();
        let mut sum = [0; 8];
        self.from.read_exact(&mut sum)?;
        if u64::from_be_bytes(sum) == expected {
            Ok(())
        } else {
            Err(StoreError::Damaged("snapshot's checksum"))
        }
    }
}

/// Cuts a part behind its length from the front.
fn part<'a>(frame: &mut &'a [u8]) -> Result<&'a [u8], StoreError> {
    let damaged = StoreError::Damaged("snapshot's row");
    let Some((length, rest)) = frame.split_first_chunk() else {
        return Err(damaged);
    };
    let length = u32::from_be_bytes(*length) as usize;
    let (part, rest) = rest.split_at_checked(length).ok_or(damaged)?;
    *frame = rest;
    Ok(part)
}

impl Inner {
    /// Writes what the partition is, and lets readers see it.
    fn note(&self, described: &Described, head: &Head, synced: bool) -> Result<(), StoreError> {
        let mode = synced.then_some(PersistMode::SyncAll);
        let mut batch = self.shared.db.batch().durability(mode);
        let rows = &self.shared.rows;
        batch.insert(rows, layout::spec_row(self.id), record::encode(described));
        batch.insert(rows, layout::head_row(self.id), record::encode(head));
        self.sound(batch.commit().map_err(StoreError::from))?;
        self.set_state(Arc::new(described.clone()), head.clone());
        Ok(())
    }

    /// Whether no other partition is where the snapshot's rows go.
    fn check_place(&self, spec: &PartitionSpec) -> Result<(), StoreError> {
        let Some(registry) = self.registry.upgrade() else {
            return Ok(());
        };
        let overlaps = registry.partitions().values().any(|other| {
            let other_spec = other.spec();
            other.id() != self.id
                && other_spec.table == spec.table
                && other_spec.range.overlaps(&spec.range)
        });
        if overlaps {
            return Err(StoreError::Overlap);
        }
        Ok(())
    }

    fn load_rows(&self, spec: &PartitionSpec, mut frame: &[u8]) -> Result<(), StoreError> {
        let mut batch = self.shared.db.batch();
        while !frame.is_empty() {
            let (key, value) = (part(&mut frame)?, part(&mut frame)?);
            if !self.belongs(spec, key) {
                return Err(StoreError::Damaged("snapshot's row"));
            }
            batch.insert(&self.shared.rows, key, value);
        }
        self.sound(batch.commit().map_err(StoreError::from))
    }

    /// Whether the row is one of this partition's: a damaged snapshot must not write anything else.
    fn belongs(&self, spec: &PartitionSpec, row: &[u8]) -> bool {
        if range_rows::own_prefixes(self.id)
            .iter()
            .any(|prefix| row.starts_with(prefix))
        {
            return true;
        }
        let local = spec.local_indexes.iter().map(|i| Space::Local(i.id));
        let spaces = [Space::Items, Space::Locks, Space::Collections];
        let plain = spaces.into_iter().chain(local).map(|space| (space, 0));
        plain.chain([(Space::Expiry, 8)]).any(|(space, skip)| {
            row.strip_prefix(layout::space(spec.table, space).as_slice())
                .and_then(|key| position_of(key.get(skip..)?))
                .is_some_and(|position| spec.range.contains(position))
        })
    }
}
