//! Maintenance windows: `ddd:hh:mm-ddd:hh:mm`, in UTC.

use crate::UnixMillis;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
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
    let now = (at.0 / 60_000 + EPOCH_DAY * MINUTES_A_DAY) % MINUTES_A_WEEK;
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
}
