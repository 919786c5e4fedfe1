//! DB parameter groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_control::Record;

use crate::model::Tag;

/// A DB parameter group. Id in the catalog: its name in lower case. The groups `default.*` are not stored: they
/// have no settings of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterGroup {
    /// As in `postgres15`.
    pub family: String,
    /// Free text.
    pub description: String,
    /// What was set, by parameter name.
    pub settings: BTreeMap<String, ParameterSetting>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// One parameter that a user set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterSetting {
    /// The value as given, formulas such as `{DBInstanceClassMemory/32768}` included.
    pub value: String,
    /// When it takes effect.
    pub apply_method: ApplyMethod,
}

/// When a changed parameter takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyMethod {
    /// At once; dynamic parameters only.
    Immediate,
    /// At the next reboot.
    PendingReboot,
}

impl Record for ParameterGroup {
    const TABLE: &'static str = "rds/parameter-group";
    const VERSION: u32 = 1;
}
