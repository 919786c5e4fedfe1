//! What the checks found.

use std::fmt;

/// One finding: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) message: String,
}

/// All findings of a run. Errors fail it, warnings do not.
#[derive(Debug, Default)]
pub(crate) struct Report {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Report {
    pub(crate) fn error(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.errors.push(Finding {
            place: place.into(),
            message: message.into(),
        });
    }

    pub(crate) fn warn(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Finding {
            place: place.into(),
            message: message.into(),
        });
    }

    pub(crate) fn errors(&self) -> &[Finding] {
        &self.errors
    }

    pub(crate) fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { place, message } in &self.warnings {
            writeln!(out, "warning: {place}: {message}")?;
        }
        for Finding { place, message } in &self.errors {
            writeln!(out, "error: {place}: {message}")?;
        }
        Ok(())
    }
}
