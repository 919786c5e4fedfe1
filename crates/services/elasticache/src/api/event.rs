//! `DescribeEvents`.

use quorate_base::UnixMillis;
use quorate_control::Stored;
use quorate_wire::page::PageRequest;
use quorate_wire::query::Params;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::ElastiCacheError;
use crate::model::{Event, EventSource};

const MINUTE_MS: u64 = 60_000;
const DURATION_MINUTES_DEFAULT: u64 = 60;
/// AWS keeps events for fourteen days.
const DURATION_MINUTES_MAX: i64 = 14 * 24 * 60;

/// The kinds of sources that clients may ask for; those without a model never match.
const SOURCE_TYPES: [&str; 9] = [
    "cache-cluster",
    "cache-parameter-group",
    "cache-security-group",
    "cache-subnet-group",
    "replication-group",
    "serverless-cache",
    "serverless-cache-snapshot",
    "user",
    "user-group",
];

/// `DescribeEvents`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let (from, to) = period(params, UnixMillis::now())?;
    let source_type = params.text("SourceType");
    if let Some(unknown) = source_type.filter(|asked| !SOURCE_TYPES.contains(asked)) {
        return Err(ElastiCacheError::InvalidValue(format!(
            "Invalid source type: {unknown}. Valid values are: {}.",
            SOURCE_TYPES.join(", ")
        )));
    }
    let source_id = params.text("SourceIdentifier").map(str::to_ascii_lowercase);
    let mut events: Vec<Stored<Event>> = context.list().await?;
    events.retain(|Stored { record: event, .. }| {
        (from..=to).contains(&event.at)
            && source_type.is_none_or(|asked| asked == word(event.source))
            && source_id
                .as_ref()
                .is_none_or(|asked| *asked == event.source_id)
    });
    let page = page.cut(events, |event| event.id.clone());
    Ok(page.into_result("Events", |Stored { record: event, .. }| {
        Element::new("Event")
            .field("SourceIdentifier", &event.source_id)
            .field("SourceType", word(event.source))
            .field("Message", &event.message)
            .field("Date", event.at)
    }))
}

/// The first and last instant asked for.
fn period(
    params: &Params<'_>,
    now: UnixMillis,
) -> Result<(UnixMillis, UnixMillis), ElastiCacheError> {
    let instant = |name: &str| {
        let read = |text: &str| {
            UnixMillis::from_iso8601(text).ok_or_else(|| {
                ElastiCacheError::InvalidValue(format!(
                    "Invalid value '{text}' for {name}: must be an ISO 8601 date and time in UTC"
                ))
            })
        };
        params.text(name).map(read).transpose()
    };
    let (start, end) = (instant("StartTime")?, instant("EndTime")?);
    let asked = params.integer("Duration")?;
    if let Some(wrong) = asked.filter(|minutes| !(1..=DURATION_MINUTES_MAX).contains(minutes)) {
        return Err(ElastiCacheError::InvalidValue(format!(
            "Invalid value {wrong} for Duration. Must be between 1 and {DURATION_MINUTES_MAX}"
        )));
    }
    let minutes = asked.and_then(|minutes| u64::try_from(minutes).ok());
    let length = minutes.unwrap_or(DURATION_MINUTES_DEFAULT) * MINUTE_MS;
    let (from, to) = match (start, end) {
        (Some(start), Some(end)) => (start, end),
        (Some(start), None) if minutes.is_some() => {
            (start, UnixMillis(start.0.saturating_add(length)))
        }
        (Some(start), None) => (start, now),
        (None, end) => {
            let end = end.unwrap_or(now);
            (UnixMillis(end.0.saturating_sub(length)), end)
        }
    };
    if from > to {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "StartTime must be before EndTime",
        )));
    }
    Ok((from, to))
}

fn word(source: EventSource) -> &'static str {
    match source {
        EventSource::CacheCluster => "cache-cluster",
        EventSource::CacheParameterGroup => "cache-parameter-group",
        EventSource::CacheSubnetGroup => "cache-subnet-group",
        EventSource::ReplicationGroup => "replication-group",
        EventSource::User => "user",
        EventSource::UserGroup => "user-group",
    }
}
