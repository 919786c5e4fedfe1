//! DB cluster parameter groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_control::Record;

use crate::model::{ParameterSetting, Tag};

/// A DB cluster parameter group. Id in the catalog: its name in lower case. The groups `default.*` are not stored: they
/// have no settings of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterParameterGroup {
    /// As in `aurora-postgresql15`.
    pub family: String,
    /// Free text.
    pub description: String,
    /// What was set, by parameter name. A member's DB parameter group goes before it.
    pub settings: BTreeMap<String, ParameterSetting>,
    /// Tags.
    pub tags: Vec<Tag>,
}

impl Record for ClusterParameterGroup {
    const TABLE: &'static str = "rds/cluster-parameter-group";
    const VERSION: u32 = 1;
}
