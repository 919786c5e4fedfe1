//! The access key for S3: from the environment, or from a file. It is never logged and never shown.

use std::fmt;
use std::path::Path;

use crate::{ArchiveError, S3Config};

/// An access key.
#[derive(PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

impl Credentials {
    /// Reads the file that the configuration names, or else the environment.
    ///
    /// # Errors
    /// [`ArchiveError::Refused`] when there is no key, [`ArchiveError::Io`] when the file cannot be read.
    pub(crate) fn load(config: &S3Config) -> Result<Credentials, ArchiveError> {
        match &config.credentials_file {
            Some(path) => Credentials::load_file(path),
            None => Credentials::pick(|name| std::env::var(name).ok()).ok_or_else(|| {
                refused(String::from(
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and no credentials_file is named",
                ))
            }),
        }
    }

    fn load_file(path: &Path) -> Result<Credentials, ArchiveError> {
        let text = std::fs::read_to_string(path)
            .map_err(ArchiveError::io(format!("reading {}", path.display())))?;
        let values = default_section(&text);
        Credentials::pick(|name| {
            let found = values
                .iter()
                .rev()
                .find(|(key, _)| name.eq_ignore_ascii_case(key));
            found.map(|(_, value)| (*value).to_owned())
        })
        .ok_or_else(|| {
            refused(format!(
                "{} has no aws_access_key_id and aws_secret_access_key in its section [default]",
                path.display()
            ))
        })
    }

    fn pick(value: impl Fn(&str) -> Option<String>) -> Option<Credentials> {
        let value = |name: &str| value(name).filter(|text| !text.is_empty());
        Some(Credentials {
            access_key_id: value("AWS_ACCESS_KEY_ID")?,
            secret_access_key: value("AWS_SECRET_ACCESS_KEY")?,
            session_token: value("AWS_SESSION_TOKEN"),
        })
    }
}

fn refused(detail: String) -> ArchiveError {
    ArchiveError::Refused {
        doing: String::from("reading the credentials for S3"),
        detail,
    }
}

/// The settings of `[default]`, in order; what stands before the first section counts as well.
fn default_section(text: &str) -> Vec<(&str, &str)> {
    let mut is_default = true;
    let mut values = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_default = section.trim_end_matches(']').trim() == "default";
        } else if is_default
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            values.push((key.trim(), value.trim()));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Credentials, ArchiveError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Credentials::load_file(file.path())
    }

    #[test]
    fn the_default_section_is_read() {
        let credentials = load(
            "# mine\n[other]\naws_access_key_id = X\n[default]\naws_access_key_id=AK\n\
             aws_secret_access_key = s=1\n[last]\naws_secret_access_key = Y\n",
        )
        .unwrap();
        assert_eq!(credentials.access_key_id, "AK");
        assert_eq!(credentials.secret_access_key, "s=1");
        assert_eq!(credentials.session_token, None);
    }

    #[test]
    fn half_a_key_is_refused_and_no_value_is_shown() {
        let error = load("[default]\naws_secret_access_key = hunter2\n").unwrap_err();
        assert!(matches!(error, ArchiveError::Refused { .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        let whole = load("aws_access_key_id=AKID\naws_secret_access_key=hunter2").unwrap();
        let shown = format!("{whole:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("AKID"),
            "{shown}"
        );
    }
}
