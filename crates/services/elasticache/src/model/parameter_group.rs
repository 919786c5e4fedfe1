//! Cache parameter groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_control::Record;

use crate::model::Tag;

/// A cache parameter group. Id in the catalog: its name in lower case. The groups `default.*` are not stored: they have
/// no settings of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterGroup {
    /// As in `redis7`.
    pub family: String,
    /// Free text.
    pub description: String,
    /// What was set, by parameter name.
    pub settings: BTreeMap<String, String>,
    /// Tags.
    pub tags: Vec<Tag>,
}

impl Record for ParameterGroup {
    const TABLE: &'static str = "elasticache/parameter-group";
    const VERSION: u32 = 1;
}
