//! One page of a query or scan, put together from the pages of partitions.

use std::time::Duration;

use tokio::time::Instant;

use quorate_dynamo_lang::key_codec::hash_position;
use quorate_dynamo_lang::{Condition, Item, KeyCondition, KeySchema};
use quorate_dynamo_store::{IndexRef, Page, QueryPlan, ScanPlan, Wanted};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::capacity::Units;
use crate::api::items::selection::Selection;
use crate::api::items::source::{Rows, Source};
use crate::messages::{Answer, Freshness, Op};
use crate::model::HashRange;
use crate::routing::{Position, RouteError};

/// What one page reads at most.
pub(crate) const PAGE_BYTES_MAX: u64 = 1 << 20;
/// Longest wait for a partition that splits.
const MOVE_WAIT: Duration = Duration::from_secs(8);
/// Pause before a partition that has moved is looked for again.
const MOVE_PAUSE: Duration = Duration::from_millis(10);

/// What a query or scan reads, whatever its keys.
pub(crate) struct Pages<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) name: &'a str,
    pub(crate) source: &'a Source<'a>,
    pub(crate) filter: Option<Condition>,
    pub(crate) selection: Selection,
    pub(crate) freshness: Freshness,
    pub(crate) limit: Option<u32>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    pub(crate) items: Vec<Item>,
    pub(crate) count: u64,
    pub(crate) scanned: u64,
    /// The size of what was read.
    pub(crate) bytes: u64,
    /// Units for items that were fetched from the table for rows of a local index.
    pub(crate) fetched_units: u64,
    pub(crate) last: Option<Item>,
}

impl Searched {
    /// What it cost in all, from one limit: only local indexes fetch items from the table.
    pub(crate) fn units(&self, strong: bool) -> Units {
        let fetched = Units::whole(self.fetched_units);
        let fetched = if strong { fetched } else { fetched.halved() };
        Units::read(self.bytes, strong).plus(fetched)
    }

    fn add(&mut self, page: Page) {
        self.items.extend(page.items);
        self.count += u64::from(page.count);
        self.scanned += u64::from(page.scanned_count);
        self.bytes += page.bytes;
        self.fetched_units += page.fetched_units;
        self.last = page.last;
    }
}

impl Pages<'_> {
    /// A page of one hash key's rows.
    pub(crate) async fn query(
        &self,
        condition: KeyCondition,
        forward: bool,
        start: Option<Item>,
    ) -> Result<Searched, ApiError> {
        let hash: Item = condition.hash.iter().cloned().collect();
        let position = position_of(&self.source.keys, &hash)?;
        let plan = QueryPlan {
            index: self.index(),
            condition,
            forward,
            start,
            wanted: self.wanted(self.limit, PAGE_BYTES_MAX),
        };
        let op = Op::Query {
            plan,
            freshness: self.freshness,
        };
        let mut searched = Searched::default();
        searched.add(page(self.ask(position, op).await?)?);
        Ok(searched)
    }

    /// A page of the rows at these positions, in the order of positions.
    pub(crate) async fn scan(
        &self,
        segment: HashRange,
        start: Option<Item>,
    ) -> Result<Searched, ApiError> {
        let mut searched = Searched::default();
        let mut start = start;
        let mut from = match &start {
            Some(start) => position_of(&self.source.keys, start)?,
            None => segment.first,
        };
        let deadline = Instant::now() + MOVE_WAIT;
        loop {
            let to = self.end_of_partition(from)?.min(segment.last);
            let read = u32::try_from(searched.scanned).unwrap_or(u32::MAX);
            let limit = self.limit.map(|limit| limit.saturating_sub(read));
            let room = PAGE_BYTES_MAX.saturating_sub(searched.bytes).max(1);
            let plan = ScanPlan {
                index: self.index(),
                range: quorate_dynamo_store::HashRange {
                    first: from,
                    last: to,
                },
                start: start.clone(),
                wanted: self.wanted(limit, room),
            };
            let op = Op::Scan {
                plan,
                freshness: self.freshness,
            };
            match self.ask(from, op).await {
                Ok(answer) => searched.add(page(answer)?),
                // It has split: less of the positions is there.
                Err(RouteError::Moved) if Instant::now() < deadline => {
                    tokio::time::sleep(MOVE_PAUSE).await;
                    continue;
                }
                Err(e) => return Err(e.into()),
            }
            if searched.last.is_some() || to >= segment.last {
                return Ok(searched);
            }
            start = None;
            from = to + 1;
        }
    }

    /// The last position of the partition that has this one.
    fn end_of_partition(&self, position: u64) -> Result<u64, ApiError> {
        let table = self.context.region.calls.table(self.name)?;
        let table = table.ok_or_else(ApiError::no_table)?;
        let route = table.at(self.source.partitions_of(), position);
        Ok(route.ok_or_else(ApiError::no_table)?.range.last)
    }

    async fn ask(&self, position: u64, op: Op) -> Result<Answer, RouteError> {
        let to = Position {
            table: self.name.to_owned(),
            index: self.source.partitions_of(),
            position,
        };
        let calls = &self.context.region.calls;
        calls.read(&to.into(), self.freshness, op).await
    }

    fn index(&self) -> IndexRef {
        match self.source.rows {
            Rows::Local { number, .. } => IndexRef::Local(number.0),
            Rows::Table | Rows::Global { .. } => IndexRef::Table,
        }
    }

    fn wanted(&self, limit: Option<u32>, bytes_max: u64) -> Wanted {
        Wanted {
            limit,
            bytes_max: Some(bytes_max),
            filter: self.filter.clone(),
            projection: self.selection.paths.clone(),
            count_only: self.selection.counts_only,
            whole_items: self.selection.fetches,
        }
    }
}

fn page(answer: Answer) -> Result<Page, ApiError> {
    match answer {
        Answer::Page(page) => Ok(page),
        _ => Err(ApiError::internal(
            "The partition answered another question",
        )),
    }
}

fn position_of(keys: &KeySchema, item: &Item) -> Result<u64, ApiError> {
    let hash = KeySchema {
        hash: keys.hash.clone(),
        range: Vec::new(),
    };
    let encoded = hash.encode(item).ok_or_else(|| {
        ApiError::validation(
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        )
    })?;
    Ok(hash_position(&encoded.hash))
}
