//! SELECT: by keys, by partitions, or over everything.

use quorate_dynamo_lang::partiql::{KeyPlan, NamedItem, Naming, Select, named_item, plan_keys};
use quorate_dynamo_lang::{
    AttributeValue, Condition, Item, KeyCondition, KeySchema, Path, Projection, SortCondition,
};

use crate::api::context::Context;
use crate::api::error::ApiError;
use crate::api::items::capacity::{Consumed, Units};
use crate::api::items::get::fetch;
use crate::api::items::pages::{PAGE_BYTES_MAX, Pages, Searched};
use crate::api::items::search::cost;
use crate::api::items::selection::{Selection, holds, select_of};
use crate::api::items::source::{Rows, Source};
use crate::api::items::{admission, get, start_key, target};
use crate::api::partiql::order::{Order, arrange};
use crate::api::partiql::token::Place;
use crate::api::partiql::write::key_type_mismatch;
use crate::messages::Freshness;
use crate::model::{HashRange, TableRecord};

/// What a request says beside the statement.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) consistent: Option<bool>,
    /// How many items are read at most.
    pub(super) limit: Option<u32>,
    /// Where the page before ended.
    pub(super) from: Place,
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// Where the next one begins.
    pub(super) next: Option<Place>,
    pub(super) consumed: Consumed,
    read: u64,
    bytes: u64,
}

impl Found {
    fn is_full(&self, limit: Option<u32>) -> bool {
        self.bytes >= PAGE_BYTES_MAX || limit.is_some_and(|limit| self.read >= u64::from(limit))
    }

    fn room(&self, limit: Option<u32>) -> Option<u32> {
        let read = u32::try_from(self.read).unwrap_or(u32::MAX);
        limit.map(|limit| limit.saturating_sub(read))
    }
}

/// A page of what a SELECT finds.
pub(super) async fn run(
    context: &Context<'_>,
    select: &Select,
    options: Options,
) -> Result<Found, ApiError> {
    let table = target::table(context, &select.table)?;
    let source = source(&table.table.record, select.index.as_deref())?;
    let freshness = freshness(&source, options.consistent)?;
    let mut plan = plan(&select.condition, &source.keys)?;
    let order = arrange(select, &source.keys, &mut plan)?;
    check_values(&plan, &source.keys)?;
    refuse_unprojected(&plan, &source)?;
    let reading = Reading {
        context,
        select,
        selection: select_of(None, &source, paths(select))?,
        source: &source,
        freshness,
        order,
        limit: options.limit,
    };
    let strong = freshness == Freshness::Strong;
    let admitted = admission::read(context, &table, source.partitions_of(), strong).await?;
    let found = reading.carry_out(plan, options.from).await?;
    admitted.settle_read(context, found.consumed.total());
    Ok(found)
}

/// The item that a SELECT of a batch or a transaction is about; it may ask for the key and nothing else.
///
/// # Errors
/// When lists name too many items; `unnamed` when the clause is not a key.
pub(super) fn one_item(
    select: &Select,
    keys: &KeySchema,
    unnamed: &str,
) -> Result<NamedItem, ApiError> {
    plan(&select.condition, keys)?;
    let names = keys.attributes().map(|(name, _)| name);
    named_item(&select.condition, names, Naming::OneValue)
        .filter(|named| named.rest.is_empty() && select.order_by.is_empty())
        .ok_or_else(|| ApiError::validation(unnamed))
}

fn plan(condition: &Condition, keys: &KeySchema) -> Result<KeyPlan, ApiError> {
    let names = |of: &[(String, _)]| of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    Ok(plan_keys(
        condition,
        &names(&keys.hash),
        &names(&keys.range),
    )?)
}

/// The words differ from those of a query.
fn source<'a>(record: &'a TableRecord, index: Option<&str>) -> Result<Source<'a>, ApiError> {
    let known = |name: &str| {
        record.local_indexes.iter().any(|i| i.name == name)
            || record.global_indexes.iter().any(|i| i.name == name)
    };
    if index.is_some_and(|name| !known(name)) {
        return Err(ApiError::validation(
            "The table does not have the specified index",
        ));
    }
    Source::find(record, index)
}

fn freshness(source: &Source<'_>, consistent: Option<bool>) -> Result<Freshness, ApiError> {
    let freshness = get::freshness(consistent);
    if freshness == Freshness::Strong && matches!(source.rows, Rows::Global { .. }) {
        return Err(ApiError::validation(
            "Strongly consistent read is not supported on Global Secondary Indexes",
        ));
    }
    Ok(freshness)
}

/// The attributes that columns are taken from. A column is cut out here: its place in a list is that in the whole list.
fn paths(select: &Select) -> Option<Projection> {
    let columns = select.columns.as_ref()?;
    let mut names: Vec<&str> = Vec::new();
    for column in columns {
        let name = column.path.attribute.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(Projection::of(names.into_iter().map(Path::top).collect()))
}

/// Whether all values that stand for key attributes are of their types.
fn check_values(plan: &KeyPlan, keys: &KeySchema) -> Result<(), ApiError> {
    let check = |name: &str, value: &AttributeValue| {
        let kind = keys.attributes().find(|(n, _)| *n == name);
        if kind.is_none_or(|(_, kind)| kind.matches(value)) {
            return Ok(());
        }
        Err(key_type_mismatch(name))
    };
    match plan {
        KeyPlan::Scan => Ok(()),
        KeyPlan::Items { keys, .. } => keys
            .iter()
            .flatten()
            .try_for_each(|(name, value)| check(name, value)),
        KeyPlan::Partitions { queries, .. } => queries.iter().try_for_each(|query| {
            let single = query.hash.iter().chain(&query.range_equals);
            single
                .into_iter()
                .try_for_each(|(name, value)| check(name, value))?;
            let Some((name, sort)) = &query.range else {
                return Ok(());
            };
            sort.values().try_for_each(|value| check(name, value))
        }),
    }
}

/// A read by the index's hash key may ask only for what the index holds; a scan finds nothing there.
fn refuse_unprojected(plan: &KeyPlan, source: &Source<'_>) -> Result<(), ApiError> {
    let (KeyPlan::Items { rest, .. } | KeyPlan::Partitions { rest, .. }) = plan else {
        return Ok(());
    };
    let (Rows::Local {
        name, projection, ..
    }
    | Rows::Global {
        name, projection, ..
    }) = source.rows
    else {
        return Ok(());
    };
    let mut missing: Vec<&str> = Vec::new();
    for path in rest.attributes() {
        let attribute = path.attribute.as_str();
        if !holds(source, projection, attribute) && !missing.contains(&attribute) {
            missing.push(attribute);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Secondary index {name} does not project one or more filter attributes: [{}]",
        missing.join(", ")
    )))
}

/// The rows of an index that have this full key.
fn exactly(key: &Item, keys: &KeySchema) -> KeyCondition {
    let pick = |names: &[(String, _)]| -> Vec<(String, AttributeValue)> {
        let value = |(name, _): &(String, _)| Some((name.clone(), key.get(name)?.clone()));
        names.iter().filter_map(value).collect()
    };
    let mut range_equals = pick(&keys.range);
    let range = range_equals.pop();
    KeyCondition {
        hash: pick(&keys.hash),
        range_equals,
        range: range.map(|(name, value)| (name, SortCondition::Eq(value))),
    }
}

/// A SELECT under way.
struct Reading<'a> {
    context: &'a Context<'a>,
    select: &'a Select,
    source: &'a Source<'a>,
    selection: Selection,
    freshness: Freshness,
    order: Order,
    limit: Option<u32>,
}

impl Reading<'_> {
    async fn carry_out(&self, plan: KeyPlan, from: Place) -> Result<Found, ApiError> {
        match plan {
            KeyPlan::Items { keys, rest } if self.source.rows == Rows::Table => {
                self.items(keys, &rest, from).await
            }
            KeyPlan::Items { keys, rest } => {
                let queries = keys
                    .iter()
                    .map(|key| exactly(key, &self.source.keys))
                    .collect();
                self.queries(queries, rest, from).await
            }
            KeyPlan::Partitions { queries, rest } => self.queries(queries, rest, from).await,
            KeyPlan::Scan => self.scan(from).await,
        }
    }

    /// The items of these keys.
    async fn items(
        &self,
        keys: Vec<Item>,
        rest: &Condition,
        from: Place,
    ) -> Result<Found, ApiError> {
        let schema = &self.source.base;
        let mut found = Found::default();
        let count = keys.len();
        for (number, key) in keys.into_iter().enumerate().skip(from.done) {
            schema.check_key(&key)?;
            let to = target::of_key(&self.select.table, schema, &key)?;
            let (item, bytes) = fetch(self.context, to, key, None, self.freshness).await?;
            let units = Units::read(bytes, self.freshness == Freshness::Strong);
            found.consumed.add(&Consumed::of_table(units));
            found.read += 1;
            found.bytes += bytes;
            let wanted = item.filter(|item| rest.eval(Some(item)));
            found
                .items
                .extend(wanted.map(|item| self.select.project(&item)));
            if number + 1 < count && found.is_full(self.limit) {
                found.next = Some(Place {
                    done: number + 1,
                    last: None,
                });
                break;
            }
        }
        Ok(found)
    }

    /// What these queries find, one after the other.
    async fn queries(
        &self,
        queries: Vec<KeyCondition>,
        rest: Condition,
        from: Place,
    ) -> Result<Found, ApiError> {
        let mut found = Found::default();
        let mut start = from.last;
        let count = queries.len();
        for (number, query) in queries.into_iter().enumerate().skip(from.done) {
            self.source.check_condition(&query)?;
            start_key::check(self.source, start.as_ref())?;
            start_key::check_within(self.source, &query, start.as_ref())?;
            let pages = self.pages(rest.clone(), found.room(self.limit));
            let searched = pages.query(query, self.order.forward, start.take()).await?;
            let last = searched.last.clone();
            self.take(&mut found, searched);
            let place = match last {
                Some(last) => Place {
                    done: number,
                    last: Some(last),
                },
                None => Place {
                    done: number + 1,
                    last: None,
                },
            };
            let more = place.last.is_some() || place.done < count;
            if more && (place.last.is_some() || found.is_full(self.limit)) {
                found.next = Some(place);
                break;
            }
        }
        Ok(found)
    }

    /// What a scan finds.
    async fn scan(&self, from: Place) -> Result<Found, ApiError> {
        start_key::check(self.source, from.last.as_ref())?;
        let pages = self.pages(self.select.condition.clone(), self.limit);
        let searched = pages.scan(HashRange::ALL, from.last).await?;
        let next = searched.last.clone().map(|last| Place {
            done: 0,
            last: Some(last),
        });
        let mut found = Found {
            next,
            ..Found::default()
        };
        self.take(&mut found, searched);
        Ok(found)
    }

    fn pages(&self, filter: Condition, limit: Option<u32>) -> Pages<'_> {
        Pages {
            context: self.context,
            name: &self.select.table,
            source: self.source,
            filter: Some(filter).filter(|filter| !filter.is_empty()),
            selection: self.selection.clone(),
            freshness: self.freshness,
            limit,
        }
    }

    fn take(&self, found: &mut Found, searched: Searched) {
        let consumed = cost(self.source, self.freshness, &searched);
        found.consumed.add(&consumed);
        found.read += searched.scanned;
        found.bytes += searched.bytes;
        let items = searched.items.iter().map(|item| self.select.project(item));
        found.items.extend(items);
    }
}
