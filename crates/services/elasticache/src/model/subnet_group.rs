//! Cache subnet groups: kept because clients ask for them; a region here has one network.

use serde::{Deserialize, Serialize};

use quorate_base::ZoneName;
use quorate_control::Record;

use crate::model::Tag;

/// A cache subnet group. Id in the catalog: its name in lower case. The group `default` is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetGroup {
    /// Free text.
    pub description: String,
    /// Subnets as given, each with the zone that it stands for.
    pub subnets: Vec<(String, ZoneName)>,
    /// Tags.
    pub tags: Vec<Tag>,
}

impl Record for SubnetGroup {
    const TABLE: &'static str = "elasticache/subnet-group";
    const VERSION: u32 = 1;
}
