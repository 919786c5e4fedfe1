//! The name of an object: a short path that is safe as a file's and as an S3 key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ArchiveError;
use crate::bounds::{NAME_BYTES_MAX, SEGMENT_BYTES_MAX};

/// A checked name: segments of letters, digits, `.`, `-` and `_`, joined by `/`, as in
/// `elasticache/us-east-1/nightly/0001.rdb`.
///
/// A segment has 1 to 128 bytes, is neither `.` nor `..`, and does not end in `.meta` or `.data`, the archive's own
/// suffixes. A name has [`NAME_BYTES_MAX`] bytes at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);

impl ObjectName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectName {
    type Err = ArchiveError;

    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        match decide_refusal(text) {
            None => Ok(ObjectName(text.to_owned())),
            Some(why) => Err(ArchiveError::BadName {
                name: text.to_owned(),
                why,
            }),
        }
    }
}

impl TryFrom<String> for ObjectName {
    type Error = ArchiveError;

    fn try_from(text: String) -> Result<Self, ArchiveError> {
        text.parse()
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> String {
        name.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name, if it is none.
fn decide_refusal(text: &str) -> Option<&'static str> {
    if text.len() > NAME_BYTES_MAX {
        return Some("it is longer than 512 bytes");
    }
    text.split('/').find_map(|segment| {
        let bad = |b: u8| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if segment.is_empty() {
            Some("a segment is empty")
        } else if segment == "." || segment == ".." {
            Some("a segment is `.` or `..`")
        } else if segment.len() > SEGMENT_BYTES_MAX {
            Some("a segment is longer than 128 bytes")
        } else if segment.bytes().any(bad) {
            Some("it may hold letters, digits, `.`, `-`, `_` and `/` only")
        } else if segment.ends_with(".meta") || segment.ends_with(".data") {
            Some("a segment ends in `.meta` or `.data`, which are the archive's own")
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_safe_segments_are_taken() {
        for text in [
            "a",
            "elasticache/us-east-1/n_1/0001.rdb",
            "...",
            "meta/data",
        ] {
            assert_eq!(text.parse::<ObjectName>().unwrap().as_str(), text);
        }
        assert!("s".repeat(128).parse::<ObjectName>().is_ok());
    }

    #[test]
    fn bad_names_are_refused() {
        let long_segment = "s".repeat(129);
        let long_name = vec!["s".repeat(102); 5].join("/") + "x/y";
        for text in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "a/../b",
            "..",
            "a b",
            "a\\b",
            "a#1",
            "a%2e",
            "é",
            "a\0",
            "a.meta",
            "a.data/b",
            &long_segment,
            &long_name,
        ] {
            let error = text.parse::<ObjectName>().unwrap_err();
            assert!(
                matches!(error, ArchiveError::BadName { .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_name_read_by_serde_is_checked() {
        assert!(serde_json::from_str::<ObjectName>("\"a/b\"").is_ok());
        assert!(serde_json::from_str::<ObjectName>("\"../b\"").is_err());
    }
}
