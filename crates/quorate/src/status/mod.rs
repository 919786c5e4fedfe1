//! What a region looks like at the moment: nodes, and one row for each member of each resource.

mod caches;
mod region;

pub(crate) use region::{NodeStatus, RegionStatus, ResourceStatus, SentinelStatus, region_status};
