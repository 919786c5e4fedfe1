//! Pages of long answers: `MaxRecords` and `Marker`.
//!
//! A marker is the key of the last item shown, in a form that says nothing: pages stay right when items
//! come and go between two calls.

use crate::query::{Params, QueryError};
use crate::xml::Element;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const RECORDS_MIN: i64 = 20;
const RECORDS_MAX: i64 = 100;
const MARKER_CHARS_MAX: usize = 1_024;

/// Why a page cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// `MaxRecords` is no number.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// `MaxRecords` is out of range.
    #[error("Invalid value {asked} for MaxRecords. Must be between {RECORDS_MIN} and {max}")]
    RecordsMax {
        /// What was asked for.
        asked: i64,
        /// The most that the action gives.
        max: i64,
    },
    /// `Marker` is none of ours.
    #[error("The request has an invalid Marker.")]
    Marker,
}

/// Which page was asked for.
pub struct PageRequest {
    records_max: usize,
    after: Option<String>,
}

/// One page.
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    marker: Option<String>,
}

impl PageRequest {
    /// Reads `MaxRecords` (20 to 100) and `Marker`.
    ///
    /// # Errors
    /// As `PageError`.
    pub fn read(params: &Params<'_>) -> Result<PageRequest, PageError> {
        PageRequest::read_within(params, RECORDS_MAX)
    }

    /// As `read`, for actions whose pages may be larger than usual.
    ///
    /// # Errors
    /// As `PageError`.
    pub fn read_within(params: &Params<'_>, max: i64) -> Result<PageRequest, PageError> {
        let asked = params.integer("MaxRecords")?.unwrap_or(RECORDS_MAX);
        if !(RECORDS_MIN..=max).contains(&asked) {
            return Err(PageError::RecordsMax { asked, max });
        }
        Ok(PageRequest {
            records_max: usize::try_from(asked).expect("checked to be positive and small"),
            after: params.text("Marker").map(read_marker).transpose()?,
        })
    }

    /// Cuts the page out of all items. `key` gives each item's key; pages go in the order of the keys.
    #[must_use]
    pub fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        items.sort_by_key(|item| key(item));
        if let Some(after) = &self.after {
            items.retain(|item| key(item) > *after);
        }
        let more = items.len() > self.records_max;
        items.truncate(self.records_max);
        let marker = items.last().filter(|_| more).map(&key);
        Page {
            marker: marker.map(|key| URL_SAFE_NO_PAD.encode(key)),
            items,
        }
    }
}

impl<T> Page<T> {
    /// The page as a list element, with the marker of the next page where there is one.
    #[must_use]
    pub fn into_result(self, list: &'static str, make: impl FnMut(T) -> Element) -> Vec<Element> {
        let marker = self.marker.map(|marker| Element::text("Marker", marker));
        let mut result = vec![Element::list(list, self.items, make)];
        result.extend(marker);
        result
    }
}

fn read_marker(text: &str) -> Result<String, PageError> {
    let invalid = || PageError::Marker;
    if text.len() > MARKER_CHARS_MAX {
        return Err(invalid());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use crate::query::Form;

    use super::*;

    fn request(text: &str) -> Result<PageRequest, PageError> {
        PageRequest::read(&Form::parse(text.as_bytes()).unwrap().root())
    }

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let all: Vec<u32> = (0..45).collect();
        let key = |n: &u32| format!("{n:04}");
        let (mut seen, mut next) = (Vec::new(), String::from("MaxRecords=20"));
        for _ in 0..3 {
            let page = request(&next).unwrap().cut(all.clone(), key);
            next = format!("MaxRecords=20&Marker={}", page.marker.unwrap_or_default());
            seen.extend(page.items);
        }
        assert_eq!(seen, all);
        assert!(next.ends_with("Marker="));
    }

    #[test]
    fn page_sizes_and_markers_are_checked() {
        for text in [
            "MaxRecords=19",
            "MaxRecords=101",
            "MaxRecords=x",
            "Marker=%25",
            "Marker=_w",
        ] {
            assert!(request(text).is_err(), "{text}");
        }
    }
}
