//! Single values: their rules, and AWS's sentences for values that break them.

use quorate_base::ZoneName;
use quorate_wire::query::Params;
use sha2::{Digest, Sha256};

use crate::api::context::Context;
use crate::api::error::ElastiCacheError;
use crate::catalogue::{NodeType, find_node_type};
use crate::model::TokenHash;

/// The snapshot window of caches that ask for none.
pub(crate) const SNAPSHOT_WINDOW: &str = "04:00-05:00";
/// The maintenance window of caches that ask for none.
pub(crate) const MAINTENANCE_WINDOW: &str = "sun:05:00-sun:06:00";

const IDENTIFIER_CHARS_MAX: usize = 40;
const NAME_CHARS_MAX: usize = 255;
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=128;
const RETENTION_DAYS_MAX: i64 = 35;
const PORTS: std::ops::RangeInclusive<i64> = 1_024..=65_535;
const WINDOW_MINUTES_MIN: u32 = 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u32 = 24 * 60;

/// Checks the identifier of a cache and gives its lower-case form, under which it is kept.
pub(crate) fn cache_id(parameter: &str, text: &str) -> Result<String, ElastiCacheError> {
    identifier(parameter, text, IDENTIFIER_CHARS_MAX)
}

/// Checks the name of a parameter group, a snapshot, a user or a user group.
pub(crate) fn name(parameter: &str, text: &str) -> Result<String, ElastiCacheError> {
    identifier(parameter, text, NAME_CHARS_MAX)
}

fn identifier(parameter: &str, text: &str, chars_max: usize) -> Result<String, ElastiCacheError> {
    let valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= chars_max
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--");
    if valid {
        return Ok(text.to_ascii_lowercase());
    }
    Err(ElastiCacheError::InvalidValue(format!(
        "The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain only \
         ASCII letters, digits, and hyphens; must not end with a hyphen or contain two consecutive hyphens; and are at \
         most {chars_max} characters long."
    )))
}

/// The node type with this name.
pub(crate) fn node_type(name: &str) -> Result<&'static NodeType, ElastiCacheError> {
    find_node_type(name)
        .ok_or_else(|| ElastiCacheError::InvalidValue(format!("Invalid Cache Node Type: {name}.")))
}

/// Refuses an AUTH token or a password that AWS refuses.
pub(crate) fn secret(parameter: &str, text: &str) -> Result<TokenHash, ElastiCacheError> {
    let printable = |c: char| c.is_ascii_graphic() && !"/\"@".contains(c);
    if SECRET_CHARS.contains(&text.chars().count()) && text.chars().all(printable) {
        return Ok(TokenHash(hex::encode(Sha256::digest(text))));
    }
    Err(ElastiCacheError::InvalidValue(format!(
        "Invalid {parameter} provided. It must be {} to {} printable ASCII characters other than '/', '\"', '@' and space.",
        SECRET_CHARS.start(),
        SECRET_CHARS.end()
    )))
}

/// A whole number within bounds.
pub(crate) fn number(
    params: &Params<'_>,
    name: &str,
    bounds: std::ops::RangeInclusive<i64>,
) -> Result<Option<u16>, ElastiCacheError> {
    let Some(value) = params.integer(name)? else {
        return Ok(None);
    };
    let fits = u16::try_from(value)
        .ok()
        .filter(|_| bounds.contains(&value));
    fits.map(Some).ok_or_else(|| {
        ElastiCacheError::InvalidValue(format!(
            "Invalid value {value} for {name}. Must be between {} and {}.",
            bounds.start(),
            bounds.end()
        ))
    })
}

/// `Port`.
pub(crate) fn port(params: &Params<'_>) -> Result<Option<u16>, ElastiCacheError> {
    number(params, "Port", PORTS)
}

/// `SnapshotRetentionLimit`.
pub(crate) fn retention_days(params: &Params<'_>) -> Result<Option<u32>, ElastiCacheError> {
    let days = number(params, "SnapshotRetentionLimit", 0..=RETENTION_DAYS_MAX)?;
    Ok(days.map(u32::from))
}

/// One of the region's zones.
pub(crate) fn zone(context: &Context<'_>, text: &str) -> Result<ZoneName, ElastiCacheError> {
    let zones = &context.region.zones;
    let found = zones.iter().find(|zone| zone.as_str() == text);
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = zones.iter().map(ZoneName::as_str).collect();
        ElastiCacheError::InvalidValue(format!(
            "{text} is not a valid availability zone. Choose one of {}.",
            names.join(", ")
        ))
    })
}

/// `SnapshotWindow` and `PreferredMaintenanceWindow`, in lower case: their form, and that they do not overlap.
pub(crate) fn windows(
    snapshot: &str,
    maintenance: &str,
) -> Result<(String, String), ElastiCacheError> {
    let (snapshot, maintenance) = (
        snapshot.to_ascii_lowercase(),
        maintenance.to_ascii_lowercase(),
    );
    let invalid = |name: &str, value: &str, form: &str| {
        ElastiCacheError::InvalidValue(format!(
            "Invalid value '{value}' for {name}: it must be {form} in UTC and at least {WINDOW_MINUTES_MIN} minutes long."
        ))
    };
    let daily = range(&snapshot, time, DAY_MINUTES)
        .ok_or_else(|| invalid("SnapshotWindow", &snapshot, "hh24:mi-hh24:mi"))?;
    let weekly = range(&maintenance, day_and_time, 7 * DAY_MINUTES).ok_or_else(|| {
        let form = "ddd:hh24:mi-ddd:hh24:mi";
        invalid("PreferredMaintenanceWindow", &maintenance, form)
    })?;
    let week = 7 * DAY_MINUTES;
    let overlap = (0..7).any(|day| {
        let start = daily.0 + day * DAY_MINUTES;
        (weekly.0 + week - start) % week < daily.1 || (start + week - weekly.0) % week < weekly.1
    });
    if overlap {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "The snapshot window and maintenance window must not overlap.",
        )));
    }
    Ok((snapshot, maintenance))
}

/// Start and length of a window in minutes, on a clock that goes round at `around`.
fn range(text: &str, read: impl Fn(&str) -> Option<u32>, around: u32) -> Option<(u32, u32)> {
    let (start, end) = text.split_once('-')?;
    let (start, end) = (read(start)?, read(end)?);
    let length = (end + around - start) % around;
    (length >= WINDOW_MINUTES_MIN).then_some((start, length))
}

fn day_and_time(text: &str) -> Option<u32> {
    let (day, rest) = text.split_once(':')?;
    let day = DAYS.iter().position(|known| *known == day)?;
    Some(u32::try_from(day).ok()? * DAY_MINUTES + time(rest)?)
}

fn time(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str, below: u32| {
        let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        let value: u32 = digits.parse().ok()?;
        (two && value < below).then_some(value)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_follow_the_rules() {
        assert_eq!(cache_id("P", "Orders-1").unwrap(), "orders-1");
        let long = "a".repeat(41);
        for text in ["", "1a", "-a", "a-", "a--b", "a_b", "é", long.as_str()] {
            assert!(cache_id("P", text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_are_kept_as_digests_alone() {
        let hash = secret("AuthToken", "0123456789abcdef").unwrap();
        assert_eq!(hash.0.len(), 64);
        let long = "x".repeat(129);
        for text in [
            "short",
            "0123456789abcde/",
            "0123456789abcde@",
            "0123456789 abcdef",
            &long,
        ] {
            assert!(secret("AuthToken", text).is_err(), "{text}");
        }
    }

    #[test]
    fn windows_are_an_hour_and_apart() {
        assert!(windows(SNAPSHOT_WINDOW, MAINTENANCE_WINDOW).is_ok());
        for (snapshot, maintenance) in [
            ("04:00-04:30", MAINTENANCE_WINDOW),
            ("05:30-06:30", MAINTENANCE_WINDOW),
            (SNAPSHOT_WINDOW, "sun:05:00"),
            ("23:30-00:30", "mon:00:10-mon:01:10"),
        ] {
            assert!(windows(snapshot, maintenance).is_err(), "{snapshot}");
        }
    }
}
