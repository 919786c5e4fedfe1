//! Pages: what of a row of rows is read, counted, filtered and answered.

use fjall::{Guard, Readable, Slice, Snapshot};
use quorate_dynamo_lang::{Condition, Item, KeySchema, Projection, ValidationError, key_codec};
use serde::{Deserialize, Serialize};

use crate::derive;
use crate::error::{ReadError, StoreError};
use crate::layout::{self, Space};
use crate::partition::{Inner, State};
use crate::record::{self, Record};
use crate::spec::{PartitionKind, PartitionSpec};

/// Bytes of a read unit.
const UNIT_BYTES: u64 = 4_096;

/// Which rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexRef {
    /// The partition's own: a table's items, or a global index's rows.
    Table,
    /// Those of a local index.
    Local(u16),
}

/// What is wanted of the rows that are read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// The most rows to read, before the filter.
    pub limit: Option<u32>,
    /// Bytes after which no further row is read; a page's limit if none is given.
    pub bytes_max: Option<u64>,
    /// Which of them to answer.
    pub filter: Option<Condition>,
    /// Which parts of those.
    pub projection: Option<Projection>,
    /// Only how many, no items.
    pub count_only: bool,
    /// For a local index: read the whole items from the table.
    pub whole_items: bool,
}

/// Part of a query's or a scan's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The items, unless only the count is wanted.
    pub items: Vec<Item>,
    /// How many passed the filter.
    pub count: u32,
    /// How many were read.
    pub scanned_count: u32,
    /// The size of what was read, for capacity.
    pub bytes: u64,
    /// Read units (of 4 KB, strongly consistent) for whole items that were read from the table besides.
    pub fetched_units: u64,
    /// The key of the last row that was read; nothing when there are no more rows.
    pub last: Option<Item>,
}

/// The rows' space in the keyspace.
pub(crate) fn space_of(spec: &PartitionSpec, index: IndexRef) -> Result<Space, ValidationError> {
    match index {
        IndexRef::Table => Ok(Space::Items),
        IndexRef::Local(id) if spec.local_index(id).is_some() => Ok(Space::Local(id)),
        IndexRef::Local(_) => Err(ValidationError::new(
            "The table does not have the specified index",
        )),
    }
}

/// The keys whose values, in this order, make up a row's key.
fn schemas(spec: &PartitionSpec, index: IndexRef) -> Vec<KeySchema> {
    let mut schemas = match index {
        IndexRef::Table => vec![spec.schema.clone()],
        IndexRef::Local(id) => {
            let local = spec.local_index(id).map(|local| local.range.clone());
            let indexed = KeySchema {
                hash: spec.schema.hash.clone(),
                range: local.into_iter().collect(),
            };
            let table = KeySchema {
                hash: Vec::new(),
                range: spec.schema.range.clone(),
            };
            vec![indexed, table]
        }
    };
    if let PartitionKind::IndexOf { base } = &spec.kind {
        schemas.push(base.clone());
    }
    schemas
}

/// Reads the attributes of a row's key, which starts with its position.
pub(crate) fn decode_key(
    spec: &PartitionSpec,
    index: IndexRef,
    key: &[u8],
) -> Result<Item, StoreError> {
    let mut rest = key.get(8..).ok_or(StoreError::Damaged("row key"))?;
    let mut item = Item::new();
    for schema in schemas(spec, index) {
        for (name, kind) in schema.attributes() {
            let value = key_codec::decode(kind, &mut rest);
            let value = value.map_err(|_| StoreError::Damaged("row key"))?;
            item.insert(name.to_owned(), value);
        }
    }
    Ok(item)
}

/// The row that an exclusive start key names.
pub(crate) fn start_row(
    spec: &PartitionSpec,
    index: IndexRef,
    start: &Item,
) -> Result<Vec<u8>, ValidationError> {
    let invalid = || ValidationError::new("The provided starting key is invalid");
    let mut names = spec.key_attributes();
    let key = spec.item_key(start).ok_or_else(invalid)?;
    let key = match index {
        IndexRef::Table => key.0,
        IndexRef::Local(id) => {
            let local = spec.local_index(id).ok_or_else(invalid)?;
            if !names.contains(&local.range.0.as_str()) {
                names.push(&local.range.0);
            }
            let parts = spec.schema.encode(start).ok_or_else(invalid)?;
            derive::local_key(local, key.position(), &parts, start).ok_or_else(invalid)?
        }
    };
    if start.len() != names.len() {
        return Err(invalid());
    }
    Ok(layout::row(spec.table, space_of(spec, index)?, &key))
}

/// Reads rows into a page.
pub(crate) struct Reader<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) state: &'a State,
    pub(crate) moment: &'a Snapshot,
    pub(crate) index: IndexRef,
    pub(crate) wanted: &'a Wanted,
}

impl Reader<'_> {
    pub(crate) fn page(&self, rows: impl Iterator<Item = Guard>) -> Result<Page, ReadError> {
        let mut page = Page::default();
        let page_bytes_max = self.inner.shared.limits.page_bytes_max;
        let bytes_max = self
            .wanted
            .bytes_max
            .unwrap_or(page_bytes_max)
            .min(page_bytes_max);
        for row in rows {
            let row = row.into_inner().map_err(StoreError::from);
            let (key, value) = self.inner.sound(row)?;
            let record = self.inner.sound(record::decode_record(&value))?;
            page.bytes += u64::from(record.bytes);
            page.scanned_count += 1;
            self.take(record, &mut page)?;
            // As AWS does, the row that fills the page is still part of it.
            if page.bytes >= bytes_max || self.wanted.limit == Some(page.scanned_count) {
                page.last = Some(self.key_of(&key)?);
                return Ok(page);
            }
        }
        Ok(page)
    }

    fn take(&self, record: Record, page: &mut Page) -> Result<(), StoreError> {
        let mut item = record.item;
        if self.wanted.whole_items && self.index != IndexRef::Table {
            item = self.whole(&item, page)?;
        }
        if let Some(filter) = &self.wanted.filter
            && !filter.eval(Some(&item))
        {
            return Ok(());
        }
        page.count += 1;
        if !self.wanted.count_only {
            page.items.push(match &self.wanted.projection {
                Some(projection) => projection.project(&item),
                None => item,
            });
        }
        Ok(())
    }

    fn whole(&self, row: &Item, page: &mut Page) -> Result<Item, StoreError> {
        let spec = self.state.spec();
        let key = spec.item_key(row);
        let key = self
            .inner
            .sound(key.ok_or(StoreError::Damaged("index row")))?;
        let row = layout::row(spec.table, Space::Items, &key.0);
        let found = self
            .inner
            .found(self.moment.get(&self.inner.shared.rows, row))?;
        let found = self
            .inner
            .sound(found.ok_or(StoreError::Damaged("index row")))?;
        let record = self.inner.sound(record::decode_record(&found))?;
        page.fetched_units += u64::from(record.bytes).div_ceil(UNIT_BYTES);
        Ok(record.item)
    }

    fn key_of(&self, row: &Slice) -> Result<Item, ReadError> {
        let spec = self.state.spec();
        let start = layout::space(spec.table, space_of(spec, self.index)?).len();
        let key = decode_key(spec, self.index, row.get(start..).unwrap_or_default());
        Ok(self.inner.sound(key)?)
    }
}
