//! What follows from an item: its rows in indexes, and when it expires. Pure.

use quorate_dynamo_lang::key_codec::encode_into;
use quorate_dynamo_lang::{AttributeValue, EncodedKey, Item, KeySchema, value_bytes};

use crate::spec::{GlobalIndex, IndexProjection, LocalIndex, PartitionSpec, row_key};

/// The part of items that an index holds.
pub(crate) struct View<'a> {
    projection: &'a IndexProjection,
    keys: Vec<&'a str>,
}

impl<'a> View<'a> {
    pub(crate) fn local(spec: &'a PartitionSpec, index: &'a LocalIndex) -> View<'a> {
        let table = spec.schema.attributes().map(|(name, _)| name);
        View {
            projection: &index.projection,
            keys: table.chain([index.range.0.as_str()]).collect(),
        }
    }

    pub(crate) fn global(spec: &'a PartitionSpec, index: &'a GlobalIndex) -> View<'a> {
        let names = |schema: &'a KeySchema| schema.attributes().map(|(name, _)| name);
        View {
            projection: &index.projection,
            keys: names(&spec.schema).chain(names(&index.schema)).collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        match self.projection {
            IndexProjection::All => true,
            IndexProjection::KeysOnly => self.keys.contains(&name),
            IndexProjection::Include(names) => {
                self.keys.contains(&name) || names.iter().any(|n| n == name)
            }
        }
    }

    fn parts<'i>(
        &'i self,
        item: &'i Item,
    ) -> impl Iterator<Item = (&'i String, &'i AttributeValue)> {
        item.iter().filter(|(name, _)| self.has(name))
    }

    pub(crate) fn bytes(&self, item: &Item) -> usize {
        self.parts(item)
            .map(|(name, value)| name.len() + value_bytes(value))
            .sum()
    }

    pub(crate) fn same(&self, a: &Item, b: &Item) -> bool {
        self.parts(a).eq(self.parts(b))
    }

    pub(crate) fn project(&self, item: &Item) -> Item {
        self.parts(item)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// `[position][hash][index range][range]`; nothing when the item is not in the index.
pub(crate) fn local_key(
    index: &LocalIndex,
    position: u64,
    key: &EncodedKey,
    item: &Item,
) -> Option<Vec<u8>> {
    let (name, kind) = &index.range;
    let value = item.get(name).filter(|value| kind.matches(value))?;
    let mut out = Vec::with_capacity(8 + key.hash.len() + key.range.len() + 24);
    out.extend_from_slice(&position.to_be_bytes());
    out.extend_from_slice(&key.hash);
    encode_into(value, &mut out);
    out.extend_from_slice(&key.range);
    Some(out)
}

/// The key of the item's row in a global index; nothing when the item is not in it. Items older than the index may have
/// empty or over-long values there: AWS leaves those out.
pub(crate) fn global_key(
    spec: &PartitionSpec,
    index: &GlobalIndex,
    item: &Item,
) -> Option<Vec<u8>> {
    index.schema.check_indexed(&index.name, item).ok()?;
    row_key(&index.schema, Some(&spec.schema), item).map(|key| key.0)
}

/// When the item expires, in seconds since 1970; nothing when it has no such number.
pub(crate) fn expiry(spec: &PartitionSpec, item: &Item) -> Option<u64> {
    let AttributeValue::N(number) = item.get(spec.ttl_attribute.as_ref()?)? else {
        return None;
    };
    let exponent = u32::from(number.exponent().unsigned_abs());
    let scale = 10_i128.checked_pow(exponent)?;
    let seconds = if number.exponent() < 0 {
        number.digits() / scale
    } else {
        number.digits().checked_mul(scale)?
    };
    u64::try_from(seconds).ok()
}
