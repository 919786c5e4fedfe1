//! `TableName`, which is a table's name or its ARN.

use quorate_base::Arn;

use crate::api::constraints::place::Place;
use crate::api::constraints::violations::Violations;
use crate::api::context::Context;
use crate::api::error::ApiError;

/// The longest text that can be a name or an ARN.
const TEXT_LENGTH_MAX: usize = 1024;
const NAME_LENGTH_MIN: usize = 3;
const NAME_LENGTH_MAX: usize = 255;

const AT: Place<'static> = Place::of("TableName");

/// The `TableName` of an operation on tables, which AWS asks for before it looks at anything else.
///
/// # Errors
/// `ValidationException` when it is not there.
pub(crate) fn required_table_name(value: Option<&str>) -> Result<&str, ApiError> {
    value.ok_or_else(|| {
        ApiError::validation(
            "The parameter 'TableName' is required but was not present in the request",
        )
    })
}

/// What the model says about a name or an ARN; operations on items call it also for a name that is not there.
pub(crate) fn check_table_name(violations: &mut Violations, value: Option<&str>) {
    check_table_name_at(violations, &AT, value);
}

/// As `check_table_name`, for a name that is somewhere else in the request.
pub(crate) fn check_table_name_at(
    violations: &mut Violations,
    at: &Place<'_>,
    value: Option<&str>,
) {
    let Some(text) = value else {
        violations.required::<str>(at, None);
        return;
    };
    if text.is_empty() || is_arn(text) {
        violations.length(at, text, 1, TEXT_LENGTH_MAX);
        return;
    }
    violations.name(at, text);
    violations.length(at, text, NAME_LENGTH_MIN, NAME_LENGTH_MAX);
}

/// The name of the table that a checked `TableName` stands for.
///
/// # Errors
/// `ValidationException` for an ARN that is none of a table of this region; `ResourceNotFoundException` when it is of
/// another account's table.
pub(crate) fn table_of<'t>(context: &Context<'_>, text: &'t str) -> Result<&'t str, ApiError> {
    if !is_arn(text) {
        return Ok(text);
    }
    let invalid =
        |what: &str| ApiError::validation(format!("1 validation error detected: {what} '{text}'"));
    let arn: Arn = text
        .parse()
        .map_err(|_| invalid("Invalid ARN, or invalid AWS partition in"))?;
    if arn.service != "dynamodb" {
        return Err(invalid("Invalid AWS service in"));
    }
    if arn.region != context.region.name {
        return Err(invalid("Invalid AWS region in"));
    }
    if arn.account != *context.account {
        return Err(ApiError::no_table());
    }
    text.split_once(":table/")
        .map(|(_, name)| name)
        .filter(|name| is_table_name(name))
        .ok_or_else(|| invalid("Invalid resource type in"))
}

/// Whether the text is a table's name.
pub(crate) fn is_table_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (NAME_LENGTH_MIN..=NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(fits)
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
}
