//! Backup and maintenance windows: `04:00-04:30` and `sun:05:00-sun:05:30`, in UTC.

use crate::api::error::RdsError;

/// The backup window of instances that ask for none.
pub(crate) const BACKUP_DEFAULT: &str = "04:00-04:30";
/// The maintenance window of instances that ask for none.
pub(crate) const MAINTENANCE_DEFAULT: &str = "sun:05:00-sun:05:30";

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u32 = 24 * 60;
const WEEK_MINUTES: u32 = 7 * DAY_MINUTES;
const LENGTH_MINUTES_MIN: u32 = 30;

/// Checks both windows: their form, their length, and that they do not overlap. Gives them in lower case.
pub(crate) fn checked(backup: &str, maintenance: &str) -> Result<(String, String), RdsError> {
    let (backup, maintenance) = (
        backup.to_ascii_lowercase(),
        maintenance.to_ascii_lowercase(),
    );
    let invalid = |name: &str, value: &str, form: &str| {
        RdsError::InvalidValue(format!(
            "Invalid value '{value}' for {name}: it must be {form} in UTC and at least {LENGTH_MINUTES_MIN} minutes long."
        ))
    };
    let daily = range(&backup, time, DAY_MINUTES)
        .ok_or_else(|| invalid("PreferredBackupWindow", &backup, "hh24:mi-hh24:mi"))?;
    let weekly = range(&maintenance, day_and_time, WEEK_MINUTES).ok_or_else(|| {
        invalid(
            "PreferredMaintenanceWindow",
            &maintenance,
            "ddd:hh24:mi-ddd:hh24:mi",
        )
    })?;
    let overlap = (0..7).any(|day| {
        let (start, length) = (daily.0 + day * DAY_MINUTES, daily.1);
        let gap_after = (weekly.0 + WEEK_MINUTES - start) % WEEK_MINUTES;
        let gap_before = (start + WEEK_MINUTES - weekly.0) % WEEK_MINUTES;
        gap_after < length || gap_before < weekly.1
    });
    if overlap {
        return Err(RdsError::InvalidValue(String::from(
            "The backup window and maintenance window must not overlap.",
        )));
    }
    Ok((backup, maintenance))
}

/// Start and length of a window in minutes, on a clock that goes round at `around`.
fn range(text: &str, read: impl Fn(&str) -> Option<u32>, around: u32) -> Option<(u32, u32)> {
    let (start, end) = text.split_once('-')?;
    let (start, end) = (read(start)?, read(end)?);
    let length = (end + around - start) % around;
    (length >= LENGTH_MINUTES_MIN).then_some((start, length))
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
    fn windows_of_the_right_form_are_taken() {
        assert!(checked(BACKUP_DEFAULT, MAINTENANCE_DEFAULT).is_ok());
        let (_, maintenance) = checked("23:45-00:15", "Sun:23:00-Sun:23:30").unwrap();
        assert_eq!(maintenance, "sun:23:00-sun:23:30");
    }

    #[test]
    fn short_malformed_and_overlapping_windows_are_refused() {
        for (backup, maintenance) in [
            ("04:00-04:20", MAINTENANCE_DEFAULT),
            ("4:00-05:00", MAINTENANCE_DEFAULT),
            ("24:00-25:00", MAINTENANCE_DEFAULT),
            (BACKUP_DEFAULT, "sun:05:00"),
            (BACKUP_DEFAULT, "foo:05:00-foo:06:00"),
            ("05:15-05:45", MAINTENANCE_DEFAULT),
            ("04:30-05:01", MAINTENANCE_DEFAULT),
            ("23:45-00:15", "mon:00:10-mon:01:00"),
        ] {
            assert!(
                checked(backup, maintenance).is_err(),
                "{backup} {maintenance}"
            );
        }
    }
}
