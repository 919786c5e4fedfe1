//! What a region looks like at the moment: nodes, and one row for each member of each resource.

mod caches;
mod clusters;
mod region;
mod volumes;

pub(crate) use clusters::ClusterStatus;
pub(crate) use region::{NodeStatus, RegionStatus, ResourceStatus, SentinelStatus, region_status};
pub(crate) use volumes::{
    ClusterVolume, GroupStatus, Health, LogStatus, SegmentStatus, region_volumes,
};
