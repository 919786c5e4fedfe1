//! All members of a request that do not satisfy AWS's model, told in one `ValidationException`.

use std::fmt::Display;

use crate::api::constraints::place::Place;
use crate::api::error::ApiError;

/// AWS tells of ten at most.
const TOLD_MAX: usize = 10;

/// Collects what does not satisfy the model.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    found: Vec<String>,
}

impl Violations {
    /// None yet.
    pub(crate) fn new() -> Violations {
        Violations::default()
    }

    /// The member must be there.
    pub(crate) fn required<T: ?Sized>(&mut self, at: &Place<'_>, value: Option<&T>) {
        if value.is_none() {
            self.add("null", at, "Member must not be null");
        }
    }

    /// The text must have a length from `min` to `max`, in characters.
    pub(crate) fn length(&mut self, at: &Place<'_>, text: &str, min: usize, max: usize) {
        let length = text.chars().count();
        self.size(at, length, min, max, || text.to_owned());
    }

    /// The collection must have a size from `min` to `max`; `shown` writes it.
    pub(crate) fn size(
        &mut self,
        at: &Place<'_>,
        size: usize,
        min: usize,
        max: usize,
        shown: impl FnOnce() -> String,
    ) {
        let constraint = if size < min {
            format!("Member must have length greater than or equal to {min}")
        } else if size > max {
            format!("Member must have length less than or equal to {max}")
        } else {
            return;
        };
        self.add(format_args!("'{}'", shown()), at, constraint);
    }

    /// The text must be a name: letters, digits, `_`, `.` and `-`, at least one of them.
    pub(crate) fn name(&mut self, at: &Place<'_>, text: &str) {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if text.is_empty() || !text.bytes().all(fits) {
            self.add(
                format_args!("'{text}'"),
                at,
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
            );
        }
    }

    /// The text must be one of these, which are in the order in which AWS tells them.
    pub(crate) fn one_of(&mut self, at: &Place<'_>, text: &str, set: &[&str]) {
        if !set.contains(&text) {
            let set = set.join(", ");
            self.add(
                format_args!("'{text}'"),
                at,
                format_args!("Member must satisfy enum value set: [{set}]"),
            );
        }
    }

    /// The number must not be below `min`.
    pub(crate) fn at_least(&mut self, at: &Place<'_>, value: i64, min: i64) {
        if value < min {
            self.add(
                format_args!("'{value}'"),
                at,
                format_args!("Member must have value greater than or equal to {min}"),
            );
        }
    }

    /// The number must not be above `max`.
    pub(crate) fn at_most(&mut self, at: &Place<'_>, value: i64, max: i64) {
        if value > max {
            self.add(
                format_args!("'{value}'"),
                at,
                format_args!("Member must have value less than or equal to {max}"),
            );
        }
    }

    /// Adds one in AWS's words; `value` is `null` or in quotes.
    pub(crate) fn add(&mut self, value: impl Display, at: &Place<'_>, constraint: impl Display) {
        if self.found.len() < TOLD_MAX {
            self.found.push(format!(
                "Value {value} at '{at}' failed to satisfy constraint: {constraint}"
            ));
        }
    }

    /// Nothing was found.
    ///
    /// # Errors
    /// `ValidationException` with all that was found.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.found.len() {
            0 => Ok(()),
            count => {
                let errors = if count == 1 { "error" } else { "errors" };
                let found = self.found.join("; ");
                Err(ApiError::validation(format!(
                    "{count} validation {errors} detected: {found}"
                )))
            }
        }
    }
}
