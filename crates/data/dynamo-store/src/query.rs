//! Queries: the rows of one hash key, in the order of their range keys.

use std::ops::Range;

use fjall::Readable;
use quorate_dynamo_lang::key_codec::{encode_into, encode_prefix, hash_position};
use quorate_dynamo_lang::{
    AttributeValue, Item, KeyCondition, ScalarType, SortCondition, ValidationError,
};
use serde::{Deserialize, Serialize};

use crate::error::ReadError;
use crate::layout;
use crate::page::{self, IndexRef, Page, Reader, Wanted};
use crate::partition::Partition;
use crate::spec::{PartitionSpec, position_of};

/// A query of one page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryPlan {
    /// Which rows.
    pub index: IndexRef,
    /// Those of one hash key, and of which range keys.
    pub condition: KeyCondition,
    /// In rising order.
    pub forward: bool,
    /// Behind this row: the `last` of the page before.
    pub start: Option<Item>,
    /// What of them.
    pub wanted: Wanted,
}

impl Partition {
    /// One page of a query.
    ///
    /// # Errors
    /// When the plan does not fit the schema, the hash key belongs elsewhere, or the store failed.
    pub fn query(&self, plan: &QueryPlan) -> Result<Page, ReadError> {
        let inner = &self.inner;
        let state = inner.serving()?;
        let spec = state.spec();
        let mut rows = rows_of(spec, plan)?;
        if let Some(start) = &plan.start {
            let start = page::start_row(spec, plan.index, start)?;
            if !rows.contains(&start) {
                return Err(ValidationError::new(
                    "The provided starting key is outside query boundaries based on provided conditions",
                )
                .into());
            }
            if plan.forward {
                rows.start = start;
                rows.start.push(0);
            } else {
                rows.end = start;
            }
        }
        if rows.start >= rows.end {
            return Ok(Page::default());
        }
        let moment = inner.shared.db.snapshot();
        let reader = Reader {
            inner,
            state: &state,
            moment: &moment,
            index: plan.index,
            wanted: &plan.wanted,
        };
        let found = moment.range(&inner.shared.rows, rows);
        if plan.forward {
            reader.page(found)
        } else {
            reader.page(found.rev())
        }
    }
}

impl Partition {
    /// The hash position that a query asks for; nothing when the plan does not fit.
    #[must_use]
    pub fn position_of_query(&self, plan: &QueryPlan) -> Option<u64> {
        let state = self.inner.state();
        let spec = state.spec();
        let rows = rows_of(spec, plan).ok()?;
        let space = page::space_of(spec, plan.index).ok()?;
        position_of(rows.start.get(layout::space(spec.table, space).len()..)?)
    }
}

/// Where the rows stand that fulfil the key condition.
fn rows_of(spec: &PartitionSpec, plan: &QueryPlan) -> Result<Range<Vec<u8>>, ReadError> {
    let space = page::space_of(spec, plan.index)?;
    let condition = &plan.condition;
    let mut hash = Vec::new();
    if condition.hash.len() != spec.schema.hash.len() {
        return Err(mismatch().into());
    }
    for ((_, kind), (_, value)) in spec.schema.hash.iter().zip(&condition.hash) {
        encode_checked(*kind, value, &mut hash)?;
    }
    let position = hash_position(&hash);
    if !spec.range.contains(position) {
        return Err(ReadError::WrongPartition);
    }
    let mut prefix = layout::row(spec.table, space, &position.to_be_bytes());
    prefix.extend_from_slice(&hash);
    let ranges = match plan.index {
        IndexRef::Table => spec.schema.range.as_slice(),
        IndexRef::Local(id) => spec
            .local_index(id)
            .map_or(&[][..], |index| std::slice::from_ref(&index.range)),
    };
    let mut kinds = ranges.iter().map(|(_, kind)| *kind);
    for (_, value) in &condition.range_equals {
        let kind = kinds.next().ok_or_else(mismatch)?;
        encode_checked(kind, value, &mut prefix)?;
    }
    match &condition.range {
        None => Ok(prefix.clone()..layout::after(&prefix)),
        Some((_, sort)) => {
            let kind = kinds.next().ok_or_else(mismatch)?;
            Ok(sorted(prefix, kind, sort)?)
        }
    }
}

fn sorted(
    prefix: Vec<u8>,
    kind: ScalarType,
    sort: &SortCondition,
) -> Result<Range<Vec<u8>>, ValidationError> {
    let at = |value: &AttributeValue| {
        let mut row = prefix.clone();
        encode_checked(kind, value, &mut row).map(|()| row)
    };
    let behind = |value: &AttributeValue| at(value).map(|row| layout::after(&row));
    let end = layout::after(&prefix);
    Ok(match sort {
        SortCondition::Eq(value) => at(value)?..behind(value)?,
        SortCondition::Lt(value) => prefix.clone()..at(value)?,
        SortCondition::Le(value) => prefix.clone()..behind(value)?,
        SortCondition::Gt(value) => behind(value)?..end,
        SortCondition::Ge(value) => at(value)?..end,
        SortCondition::Between(low, high) => at(low)?..behind(high)?,
        SortCondition::BeginsWith(value) => {
            let start = match value {
                AttributeValue::S(text) if kind == ScalarType::S => text.as_bytes(),
                AttributeValue::B(bytes) if kind == ScalarType::B => bytes,
                _ => return Err(mismatch()),
            };
            let row = [prefix.as_slice(), &encode_prefix(start)].concat();
            let behind = layout::after(&row);
            row..behind
        }
    })
}

fn encode_checked(
    kind: ScalarType,
    value: &AttributeValue,
    out: &mut Vec<u8>,
) -> Result<(), ValidationError> {
    if !kind.matches(value) {
        return Err(mismatch());
    }
    encode_into(value, out);
    Ok(())
}

fn mismatch() -> ValidationError {
    ValidationError::new(
        "One or more parameter values were invalid: Condition parameter type does not match schema type",
    )
}
