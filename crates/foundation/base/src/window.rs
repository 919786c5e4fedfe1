//! Weekly windows for maintenance, `ddd:hh:mm-ddd:hh:mm`, and daily ones for backups, `hh:mm-hh:mm`; both in UTC.

use crate::UnixMillis;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTE_MS: u64 = 60_000;
const MINUTES_A_DAY: u64 = 24 * 60;
const MINUTES_A_WEEK: u64 = 7 * MINUTES_A_DAY;
/// 1 January 1970 was a Thursday.
const EPOCH_DAY: u64 = 3;

/// Whether an instant lies in the window; never, when the text is no window.
#[must_use]
pub fn is_within_window(window: &str, at: UnixMillis) -> bool {
    let Some((from, to)) = window.split_once('-') else {
        return false;
    };
    let (Some(from), Some(to)) = (minute_of_week(from), minute_of_week(to)) else {
        return false;
    };
    let now = (at.0 / MINUTE_MS + EPOCH_DAY * MINUTES_A_DAY) % MINUTES_A_WEEK;
    if from <= to {
        (from..to).contains(&now)
    } else {
        now >= from || now < to
    }
}

fn minute_of_week(text: &str) -> Option<u64> {
    let mut parts = text.split(':');
    let name = parts.next()?.to_lowercase();
    let day = DAYS.iter().position(|day| *day == name)?;
    let (hour, minute): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(u64::try_from(day).ok()? * MINUTES_A_DAY + hour * 60 + minute)
}

/// When the daily window that an instant lies in began; none when it lies in none, or the text is no window.
#[must_use]
pub fn daily_window_began(window: &str, at: UnixMillis) -> Option<UnixMillis> {
    let (from, to) = window.split_once('-')?;
    let (from, to) = (minute_of_day(from)?, minute_of_day(to)?);
    let minutes = at.0 / MINUTE_MS;
    let since = |from: u64, to: u64| (to + MINUTES_A_DAY - from) % MINUTES_A_DAY;
    let into = since(from, minutes % MINUTES_A_DAY);
    (into < since(from, to)).then(|| UnixMillis((minutes - into) * MINUTE_MS))
}

fn minute_of_day(text: &str) -> Option<u64> {
    let (hour, minute) = text.split_once(':')?;
    let minute = hour.parse::<u64>().ok()? * 60 + minute.parse::<u64>().ok()?;
    Some(minute % MINUTES_A_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMillis {
        UnixMillis::from_iso8601(text).unwrap()
    }

    #[test]
    fn an_instant_is_in_its_window() {
        // 22 November 2026 is a Sunday.
        let window = "sun:05:00-sun:05:30";
        assert!(is_within_window(window, at("2026-11-22T05:00:00Z")));
        assert!(is_within_window(window, at("2026-11-22T05:29:59Z")));
        assert!(!is_within_window(window, at("2026-11-22T05:30:00Z")));
        assert!(!is_within_window(window, at("2026-11-23T05:10:00Z")));
    }

    #[test]
    fn a_window_may_span_the_end_of_the_week() {
        let window = "Sun:23:45-Mon:00:15";
        assert!(is_within_window(window, at("2026-11-22T23:50:00Z")));
        assert!(is_within_window(window, at("2026-11-23T00:10:00Z")));
        assert!(!is_within_window(window, at("2026-11-23T00:20:00Z")));
    }

    #[test]
    fn what_is_no_window_holds_nothing() {
        for text in ["", "always", "sun-mon", "sun:5-mon"] {
            assert!(
                !is_within_window(text, at("2026-11-22T05:00:00Z")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_daily_window_may_span_midnight() {
        let began = |text| daily_window_began("23:45-00:15", at(text));
        let begin = Some(at("2026-11-22T23:45:00Z"));
        assert_eq!(began("2026-11-22T23:44:59Z"), None);
        assert_eq!(began("2026-11-22T23:45:10Z"), begin);
        assert_eq!(began("2026-11-23T00:14:59Z"), begin);
        assert_eq!(began("2026-11-23T00:15:00Z"), None);
        assert_eq!(daily_window_began("any", at("2026-11-23T00:00:00Z")), None);
    }
}
