//! A document path: an attribute and the way into it.

use serde::{Deserialize, Serialize};

/// One step into a map or a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PathStep {
    /// The member of a map with this name.
    Field(String),
    /// The element of a list at this index, counted from 0.
    Index(usize),
}

/// Where in an item something is: `attribute`, then steps inwards. Placeholders are already replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Path {
    /// The top-level attribute.
    pub attribute: String,
    /// The steps into it.
    pub steps: Vec<PathStep>,
}

impl Path {
    /// The path of a top-level attribute.
    #[must_use]
    pub fn top(attribute: impl Into<String>) -> Path {
        Path {
            attribute: attribute.into(),
            steps: Vec::new(),
        }
    }
}
