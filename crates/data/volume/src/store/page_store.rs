//! Pages on disk: rows of one fjall database.
//!
//! ```text
//! 00 [segment 4]                                   what is stored of the segment
//! 01 [segment 4] [page 8] [inverted LSN 8]         a version of a page: the newest one comes first
//! 02 [segment 4] [LSN 8] [page 8] [version 8]      the version goes when no reader stands below the LSN
//! 03 [segment 4]                                   where the segment's pages lie, see `layers`; else under its own number
//! 04 [layer 4]                                     the number is a layer of segments that share pages, or was
//! ```
//!
//! Under 01 and 02 a number is a segment's own or a layer's. A value starts with a format byte and the xxh3 of key and content. A page's zeros at the end are left out; a page without
//! a row is all zeros. All is in one keyspace, since the database flushes each keyspace by itself. Nothing is synced until
//! [`PageStore::persist`]: the log is kept up to there.

use std::collections::HashSet;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, OwnedWriteBatch, PersistMode,
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::protocol::{Lsn, PageId, SegmentId};

use super::error::StoreError;
use super::kept::Kept;
use super::layers::Layers;

const META: u8 = 0;
const VERSION: u8 = 1;
const SUPERSEDED: u8 = 2;
const LAYERS: u8 = 3;
const LAYER: u8 = 4;
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 9;

/// Rows that are removed with one batch, at most.
const REMOVED_ROWS_MAX: usize = 4_096;

/// What is stored of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) id: SegmentId,
    pub(super) page_bytes: u32,
    pub(super) coalesced_to: Lsn,
    pub(super) oldest: Lsn,
    pub(super) stored_bytes: u64,
}

/// A version of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) page: PageId,
    pub(super) lsn: Lsn,
    /// Without zeros at the end; none when the checksum does not fit.
    pub(super) bytes: Option<Bytes>,
    /// What the row holds, sound or not.
    pub(super) len: u64,
}

impl Version {
    /// The bytes, or that they are damaged.
    pub(super) fn sound(self, segment: &SegmentId) -> Result<(Lsn, Bytes), StoreError> {
        let bytes = self.bytes.ok_or_else(|| StoreError::BadPage {
            segment: segment.clone(),
            page: self.page,
            version: self.lsn,
        })?;
        Ok((self.lsn, bytes))
    }
}

/// Where a row stands that says of a version by which one it is superseded.
#[derive(Clone, Copy)]
pub(super) struct SupersededKey([u8; 29]);

impl SupersededKey {
    /// Before all of a layer.
    pub(super) fn first(number: u32) -> SupersededKey {
        SupersededKey(superseded_key(number, Lsn(0), PageId(0), Lsn(0)))
    }

    fn number(self) -> u32 {
        u32::from_be_bytes([self.0[1], self.0[2], self.0[3], self.0[4]])
    }
}

/// What a look at superseded versions has removed.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) rows: usize,
    pub(super) bytes: u64,
    /// Where to go on; none at the end.
    pub(super) next: Option<SupersededKey>,
}

pub(super) type Batch = OwnedWriteBatch;

pub(super) struct PageStore {
    db: Database,
    rows: Keyspace,
}

impl PageStore {
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<PageStore, StoreError> {
        let db = Database::builder(folder)
            .manual_journal_persist(true)
            .cache_size(cache_bytes)
            .open()?;
        let options = || {
            KeyspaceCreateOptions::default()
                .with_kv_separation(Some(KvSeparationOptions::default()))
        };
        let rows = db.keyspace("pages", options)?;
        Ok(PageStore { db, rows })
    }

    pub(super) fn batch(&self) -> Batch {
        self.db.batch()
    }

    /// Makes durable what was committed.
    pub(super) fn persist(&self) -> Result<(), StoreError> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    /// All segments of which something is stored, by number; none where the row is damaged.
    pub(super) fn metas(&self) -> Result<Vec<(u32, Option<Meta>)>, StoreError> {
        let mut metas = Vec::new();
        for row in self.rows.prefix([META]) {
            let (key, value) = row.into_inner()?;
            let number = key.get(1..5).and_then(|bytes| bytes.try_into().ok());
            let content = open_value(&key, &value)?;
            let meta = content.and_then(|bytes| postcard::from_bytes(bytes).ok());
            if let Some(number) = number.map(u32::from_be_bytes) {
                metas.push((number, meta));
            }
        }
        Ok(metas)
    }

    pub(super) fn put_meta(&self, batch: &mut Batch, number: u32, meta: &Meta) {
        let key = numbered_key(META, number);
        let content = postcard::to_stdvec(meta).expect("a row of numbers and names encodes");
        let value = seal_value(&key, &content);
        batch.insert(&self.rows, key, value);
    }

    /// The newest version of a page at or below `at`.
    pub(super) fn newest(
        &self,
        number: u32,
        page: PageId,
        at: Lsn,
    ) -> Result<Option<Version>, StoreError> {
        let from = version_key(number, page, at);
        let to = version_key(number, page, Lsn(0));
        match self.rows.range(from..=to).next().map(read_version) {
            // The database's own checksum does not fit.
            Some(Err(StoreError::Pages(fjall::Error::Storage(
                fjall::LsmError::ChecksumMismatch { .. },
            )))) => Ok(Some(Version {
                page,
                lsn: at,
                bytes: None,
                len: 0,
            })),
            found => found.transpose(),
        }
    }

    /// All versions of pages from `from` on, by page, newest first.
    pub(super) fn versions(
        &self,
        number: u32,
        from: PageId,
    ) -> impl Iterator<Item = Result<Version, StoreError>> {
        let from = version_key(number, from, Lsn(u64::MAX));
        let to = version_key(number, PageId(u64::MAX), Lsn(0));
        self.rows.range(from..=to).map(read_version)
    }

    /// The pages from `from` on that have a version, each of them once for each. Their contents are not read.
    pub(super) fn pages_stored(
        &self,
        number: u32,
        from: PageId,
    ) -> impl Iterator<Item = Result<PageId, StoreError>> {
        let from = version_key(number, from, Lsn(u64::MAX));
        let to = version_key(number, PageId(u64::MAX), Lsn(0));
        let rows = self.rows.range(from..=to);
        rows.map(|row| Ok(PageId(number_at(&row.key()?, 5))))
    }

    /// Adds a version. `bytes` has no zeros at its end.
    pub(super) fn put(&self, batch: &mut Batch, number: u32, page: PageId, lsn: Lsn, bytes: &[u8]) {
        let key = version_key(number, page, lsn);
        let value = seal_value(&key, bytes);
        batch.insert(&self.rows, key, value);
    }

    pub(super) fn remove(&self, batch: &mut Batch, number: u32, page: PageId, lsn: Lsn) {
        batch.remove(&self.rows, version_key(number, page, lsn));
    }

    /// Notes that the version goes once nobody reads below `by`.
    pub(super) fn supersede(
        &self,
        batch: &mut Batch,
        number: u32,
        by: Lsn,
        page: PageId,
        version: Lsn,
        len: u64,
    ) {
        let key = superseded_key(number, by, page, version);
        let value = seal_value(&key, &len.to_le_bytes());
        batch.insert(&self.rows, key, value);
    }

    /// Looks at up to `rows_max` versions from `from` on that are superseded by one at or below `kept.oldest`, and removes those
    /// that nobody sees.
    pub(super) fn remove_superseded(
        &self,
        batch: &mut Batch,
        from: SupersededKey,
        kept: &Kept,
        rows_max: usize,
    ) -> Result<Removed, StoreError> {
        let number = from.number();
        let to = superseded_key(number, kept.oldest, PageId(u64::MAX), Lsn(u64::MAX));
        let mut removed = Removed::default();
        let mut seen = HashSet::new();
        for (rows, row) in self.rows.range(from.0..=to).enumerate() {
            let key = row.key()?;
            if rows == rows_max {
                let next = key
                    .as_ref()
                    .try_into()
                    .expect("keys of one kind have one length");
                removed.next = Some(SupersededKey(next));
                break;
            }
            let by = Lsn(number_at(&key, 5));
            let (page, version) = (PageId(number_at(&key, 13)), Lsn(number_at(&key, 21)));
            // One that supersedes itself hides what is left of the page.
            let is_seen = match by == version {
                true => self.is_hiding(number, page, version, &seen)?,
                false => kept.needs(version, by),
            };
            if is_seen {
                continue;
            }
            let version_key = version_key(number, page, version);
            if seen.insert(version_key)
                && let Some(len) = self.rows.size_of(version_key)?
            {
                removed.bytes += u64::from(len).saturating_sub(HEADER_BYTES as u64);
                batch.remove(&self.rows, version_key);
            }
            batch.remove(&self.rows, key);
            removed.rows += 1;
        }
        Ok(removed)
    }

    /// Whether older versions of a page are there, but for some.
    fn is_hiding(
        &self,
        number: u32,
        page: PageId,
        version: Lsn,
        but: &HashSet<[u8; 21]>,
    ) -> Result<bool, StoreError> {
        let older = version_key(number, page, Lsn(version.0.saturating_sub(1)));
        for row in self.rows.range(older..=version_key(number, page, Lsn(0))) {
            if !but.contains(row.key()?.as_ref()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where a segment's pages lie; none when the row is damaged.
    pub(super) fn layers_of(&self, number: u32) -> Result<Option<Layers>, StoreError> {
        let key = numbered_key(LAYERS, number);
        let Some(value) = self.rows.get(&key)? else {
            return Ok(Some(Layers::own(number)));
        };
        let content = open_value(&key, &value)?;
        Ok(content.and_then(|bytes| postcard::from_bytes(bytes).ok()))
    }

    /// Stores where a segment's pages lie from here on; all of it becomes layers.
    pub(super) fn put_layers(&self, batch: &mut Batch, number: u32, layers: &Layers) {
        let key = numbered_key(LAYERS, number);
        let content = postcard::to_stdvec(layers).expect("a row of numbers encodes");
        batch.insert(&self.rows, key.clone(), seal_value(&key, &content));
        for layer in layers.all() {
            let key = numbered_key(LAYER, layer);
            batch.insert(&self.rows, key.clone(), seal_value(&key, &[]));
        }
    }

    /// All layers, also those that nobody needs.
    pub(super) fn layers(&self) -> Result<Vec<u32>, StoreError> {
        let keys = self.rows.prefix([LAYER]).map(|row| row.key());
        let number = |key: fjall::Slice| {
            let bytes = key.get(1..5).and_then(|bytes| bytes.try_into().ok());
            u32::from_be_bytes(bytes.expect("keys of one kind have one length"))
        };
        Ok(keys
            .map(|key| Ok(number(key?)))
            .collect::<Result<_, fjall::Error>>()?)
    }

    /// Whether a number is a layer's.
    pub(super) fn is_layer(&self, number: u32) -> Result<bool, StoreError> {
        Ok(self.rows.contains_key(numbered_key(LAYER, number))?)
    }

    pub(super) fn remove_meta(&self, batch: &mut Batch, number: u32) {
        batch.remove(&self.rows, numbered_key(META, number));
    }

    /// Removes what is stored of a segment, and the pages under its own number unless that became a layer. What lies in layers
    /// stays, and so does the number's row there.
    pub(super) fn remove_segment(&self, number: u32) -> Result<(), StoreError> {
        if !self.is_layer(number)? {
            self.remove_pages(number)?;
        }
        let mut batch = self.batch();
        self.remove_meta(&mut batch, number);
        batch.remove(&self.rows, numbered_key(LAYERS, number));
        Ok(batch.commit()?)
    }

    /// Removes a layer, that it is one last.
    pub(super) fn remove_layer(&self, layer: u32) -> Result<(), StoreError> {
        self.remove_pages(layer)?;
        Ok(self.rows.remove(numbered_key(LAYER, layer))?)
    }

    fn remove_pages(&self, number: u32) -> Result<(), StoreError> {
        for kind in [VERSION, SUPERSEDED] {
            let prefix = numbered_key(kind, number);
            loop {
                let mut batch = self.batch();
                for row in self.rows.prefix(&prefix).take(REMOVED_ROWS_MAX) {
                    batch.remove(&self.rows, row.key()?);
                }
                if batch.is_empty() {
                    break;
                }
                batch.commit()?;
            }
        }
        Ok(())
    }

    /// Flips a bit of a stored version, beneath its checksum.
    #[cfg(test)]
    pub(super) fn damage(&self, number: u32, page: PageId, lsn: Lsn) {
        self.damage_row(&version_key(number, page, lsn));
    }

    /// Flips a bit of what is stored of a segment.
    #[cfg(test)]
    pub(super) fn damage_meta(&self, number: u32) {
        self.damage_row(&numbered_key(META, number));
    }

    /// Flips a bit of what is stored of where a segment's pages lie.
    #[cfg(test)]
    pub(super) fn damage_layers(&self, number: u32) {
        self.damage_row(&numbered_key(LAYERS, number));
    }

    #[cfg(test)]
    fn damage_row(&self, key: &[u8]) {
        let mut value = self.rows.get(key).unwrap().unwrap().to_vec();
        *value.last_mut().unwrap() ^= 1;
        self.rows.insert(key, value).unwrap();
    }
}

fn numbered_key(kind: u8, number: u32) -> Vec<u8> {
    [&[kind][..], &number.to_be_bytes()].concat()
}

fn version_key(number: u32, page: PageId, lsn: Lsn) -> [u8; 21] {
    let mut key = [VERSION; 21];
    key[1..5].copy_from_slice(&number.to_be_bytes());
    key[5..13].copy_from_slice(&page.0.to_be_bytes());
    key[13..].copy_from_slice(&(!lsn.0).to_be_bytes());
    key
}

fn superseded_key(number: u32, by: Lsn, page: PageId, version: Lsn) -> [u8; 29] {
    let mut key = [SUPERSEDED; 29];
    key[1..5].copy_from_slice(&number.to_be_bytes());
    key[5..13].copy_from_slice(&by.0.to_be_bytes());
    key[13..21].copy_from_slice(&page.0.to_be_bytes());
    key[21..].copy_from_slice(&version.0.to_be_bytes());
    key
}

fn number_at(key: &[u8], at: usize) -> u64 {
    let bytes = key.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_be_bytes(bytes.expect("keys of one kind have one length"))
}

fn read_version(row: fjall::Guard) -> Result<Version, StoreError> {
    let (key, value) = row.into_inner()?;
    Ok(Version {
        page: PageId(number_at(&key, 5)),
        lsn: Lsn(!number_at(&key, 13)),
        bytes: open_value(&key, &value)?.map(Bytes::copy_from_slice),
        len: value.len().saturating_sub(HEADER_BYTES) as u64,
    })
}

fn checksum(key: &[u8], content: &[u8]) -> [u8; 8] {
    let mut hash = Xxh3::new();
    hash.update(key);
    hash.update(content);
    hash.digest().to_le_bytes()
}

fn seal_value(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER_BYTES + content.len());
    value.push(FORMAT);
    value.extend_from_slice(&checksum(key, content));
    value.extend_from_slice(content);
    value
}

/// The content; none when it is damaged.
fn open_value<'a>(key: &[u8], value: &'a [u8]) -> Result<Option<&'a [u8]>, StoreError> {
    let Some((header, content)) = value.split_at_checked(HEADER_BYTES) else {
        return Ok(None);
    };
    if header[1..] != checksum(key, content) {
        return Ok(None);
    }
    match header[0] {
        FORMAT => Ok(Some(content)),
        version => Err(StoreError::Version {
            what: "a row of the page store",
            version: u32::from(version),
        }),
    }
}

/// The page without the zeros at its end.
pub(super) fn without_zeros(page: &[u8]) -> &[u8] {
    let len = page
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    &page[..len]
}

/// A whole page that starts with these bytes.
pub(super) fn with_zeros(bytes: &[u8], page_bytes: u32) -> BytesMut {
    let mut page = BytesMut::zeroed(page_bytes as usize);
    let len = bytes.len().min(page.len());
    page[..len].copy_from_slice(&bytes[..len]);
    page
}
