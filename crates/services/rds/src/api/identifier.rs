//! Names that users give: their rules, and AWS's sentences for names that break them.

use rand::Rng;

use crate::api::error::RdsError;

const RESOURCE_ID_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const RESOURCE_ID_LENGTH: usize = 26;
const INSTANCE_ID_CHARS_MAX: usize = 63;
const GROUP_NAME_CHARS_MAX: usize = 255;

/// Checks a DB instance identifier and gives its lower-case form, under which it is kept.
pub(crate) fn instance_id(parameter: &str, text: &str) -> Result<String, RdsError> {
    identifier(parameter, text, INSTANCE_ID_CHARS_MAX)
}

/// Checks a DB cluster identifier and gives its lower-case form, under which it is kept.
pub(crate) fn cluster_id(parameter: &str, text: &str) -> Result<String, RdsError> {
    identifier(parameter, text, INSTANCE_ID_CHARS_MAX)
}

/// A resource id that nothing had before, as in `db-ABCDEFGHIJKLMNOPQRSTUVWXYZ`.
pub(crate) fn resource_id(kind: &str) -> String {
    let mut random = rand::rng();
    let letters = (0..RESOURCE_ID_LENGTH).map(|_| {
        char::from(RESOURCE_ID_LETTERS[random.random_range(0..RESOURCE_ID_LETTERS.len())])
    });
    format!("{kind}-{}", letters.collect::<String>())
}

/// Checks a DB parameter group's name and gives its lower-case form.
pub(crate) fn parameter_group_name(parameter: &str, text: &str) -> Result<String, RdsError> {
    identifier(parameter, text, GROUP_NAME_CHARS_MAX)
}

/// Checks a DB subnet group's name, whose characters are more: periods, underscores and spaces, too.
pub(crate) fn subnet_group_name(text: &str) -> Result<String, RdsError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if text.is_empty() || text.len() > GROUP_NAME_CHARS_MAX || !text.chars().all(allowed) {
        return Err(RdsError::InvalidValue(String::from(
            "The parameter DBSubnetGroupName must be provided and must not be blank. It must contain no more than 255 \
             letters, numbers, periods, underscores, spaces, or hyphens.",
        )));
    }
    Ok(text.to_ascii_lowercase())
}

fn identifier(parameter: &str, text: &str, chars_max: usize) -> Result<String, RdsError> {
    if text.len() > chars_max {
        return Err(RdsError::InvalidValue(format!(
            "The parameter {parameter} is not a valid identifier because it is longer than {chars_max} characters."
        )));
    }
    let valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--");
    if !valid {
        return Err(RdsError::InvalidValue(format!(
            "The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain \
             only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_kept_in_lower_case() {
        assert_eq!(instance_id("P", "Orders-1").unwrap(), "orders-1");
        assert_eq!(subnet_group_name("My group.1").unwrap(), "my group.1");
    }

    #[test]
    fn identifiers_that_break_the_rules_are_refused() {
        let long = "a".repeat(64);
        for text in [
            "",
            "1a",
            "-a",
            "a-",
            "a--b",
            "a_b",
            "a.b",
            "é",
            long.as_str(),
        ] {
            assert!(instance_id("P", text).is_err(), "{text}");
        }
        assert!(parameter_group_name("P", "default.postgres15").is_err());
        assert!(subnet_group_name("a/b").is_err());
    }
}
