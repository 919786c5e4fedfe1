//! `DescribeEvents`.

use quorate_base::UnixMillis;
use quorate_control::Stored;
use quorate_wire::page::PageRequest;
use quorate_wire::query::Params;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::model::{Event, EventCategory, EventSource};

const MINUTE_MS: u64 = 60_000;
const DURATION_MINUTES_DEFAULT: u64 = 60;
/// AWS keeps events for fourteen days.
const DURATION_MINUTES_MAX: u64 = 14 * 24 * 60;

/// The kinds of sources that clients may ask for; those without a model never match.
const SOURCE_TYPES: [&str; 9] = [
    "db-instance",
    "db-parameter-group",
    "db-security-group",
    "db-snapshot",
    "db-cluster",
    "db-cluster-snapshot",
    "custom-engine-version",
    "db-proxy",
    "blue-green-deployment",
];

/// `DescribeEvents`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let (from, to) = period(params, UnixMillis::now())?;
    let source_type = params.text("SourceType");
    if let Some(unknown) = source_type.filter(|asked| !SOURCE_TYPES.contains(asked)) {
        return Err(RdsError::InvalidValue(format!(
            "Invalid source type: {unknown}"
        )));
    }
    let source_id = params.text("SourceIdentifier").map(str::to_ascii_lowercase);
    if source_id.is_some() && source_type.is_none() {
        return Err(RdsError::InvalidCombination(String::from(
            "SourceType must be specified when SourceIdentifier is specified",
        )));
    }
    let categories = params
        .texts("EventCategories", "EventCategory")
        .unwrap_or_default();
    let mut events: Vec<Stored<Event>> = context.list().await?;
    events.retain(|Stored { record: event, .. }| {
        let category = |c: &EventCategory| categories.contains(&category_word(*c));
        (from..=to).contains(&event.at)
            && source_type.is_none_or(|asked| asked == source_word(event.source))
            && source_id
                .as_ref()
                .is_none_or(|asked| *asked == event.source_id)
            && (categories.is_empty() || event.categories.iter().any(category))
    });
    let page = page.cut(events, |event| event.id.clone());
    Ok(page.into_result("Events", |event| to_element(&event.record)))
}

/// The first and last instant asked for.
fn period(params: &Params<'_>, now: UnixMillis) -> Result<(UnixMillis, UnixMillis), RdsError> {
    let instant = |name: &str| {
        let read = |text: &str| {
            UnixMillis::from_iso8601(text).ok_or_else(|| {
                RdsError::InvalidValue(format!(
                    "Invalid value '{text}' for {name}: must be an ISO 8601 date and time in UTC"
                ))
            })
        };
        params.text(name).map(read).transpose()
    };
    let (start, end) = (instant("StartTime")?, instant("EndTime")?);
    let minutes = match params.integer("Duration")? {
        None => DURATION_MINUTES_DEFAULT,
        Some(minutes) => u64::try_from(minutes)
            .ok()
            .filter(|minutes| (1..=DURATION_MINUTES_MAX).contains(minutes))
            .ok_or_else(|| {
                RdsError::InvalidValue(format!(
                    "Invalid value {minutes} for Duration. Must be between 1 and {DURATION_MINUTES_MAX}"
                ))
            })?,
    };
    let length = minutes * MINUTE_MS;
    let (from, to) = match (start, end) {
        (Some(start), Some(end)) => (start, end),
        (Some(start), None) if params.text("Duration").is_some() => {
            (start, UnixMillis(start.0.saturating_add(length)))
        }
        (Some(start), None) => (start, now),
        (None, end) => {
            let end = end.unwrap_or(now);
            (UnixMillis(end.0.saturating_sub(length)), end)
        }
    };
    if from > to {
        return Err(RdsError::InvalidCombination(String::from(
            "StartTime must be before EndTime",
        )));
    }
    Ok((from, to))
}

fn to_element(event: &Event) -> Element {
    Element::new("Event")
        .field("SourceIdentifier", &event.source_id)
        .field("SourceType", source_word(event.source))
        .field("Message", &event.message)
        .with(Element::list("EventCategories", &event.categories, |c| {
            Element::text("EventCategory", category_word(*c))
        }))
        .field("Date", event.at)
        .field("SourceArn", &event.source_arn)
}

fn source_word(source: EventSource) -> &'static str {
    match source {
        EventSource::DbInstance => "db-instance",
        EventSource::DbParameterGroup => "db-parameter-group",
        EventSource::DbCluster => "db-cluster",
        EventSource::DbClusterSnapshot => "db-cluster-snapshot",
    }
}

fn category_word(category: EventCategory) -> &'static str {
    match category {
        EventCategory::Backup => "backup",
        EventCategory::Availability => "availability",
        EventCategory::ConfigurationChange => "configuration change",
        EventCategory::Creation => "creation",
        EventCategory::Deletion => "deletion",
        EventCategory::Failover => "failover",
        EventCategory::Failure => "failure",
        EventCategory::LowStorage => "low storage",
        EventCategory::Notification => "notification",
        EventCategory::Recovery => "recovery",
        EventCategory::ReadReplica => "read replica",
    }
}
