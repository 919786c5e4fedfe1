//! Everything that an ElastiCache call can be refused for, and AWS's code and status for each.
//!
//! Codes and status are those of the error traits in AWS's service model; sentences are AWS's where AWS has one.

use http::StatusCode;
use quorate_base::RegionName;
use quorate_control::CatalogError;
use quorate_wire::page::PageError;
use quorate_wire::query::QueryError;

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A replication group.
    ReplicationGroup,
    /// A cache cluster.
    CacheCluster,
    /// A cache parameter group.
    ParameterGroup,
    /// A cache subnet group.
    SubnetGroup,
    /// A snapshot.
    Snapshot,
    /// A user.
    User,
    /// A user group.
    UserGroup,
}

/// Why a call was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElastiCacheError {
    /// The request names no action.
    #[error("The request must contain the parameter Action")]
    MissingAction,
    /// The action does not exist, or is not offered.
    #[error("Could not find operation {0} for version 2015-02-02")]
    UnknownAction(String),
    /// No region of this name is served here.
    #[error(
        "Credential should be scoped to a valid region: {asked} is not served here, {served} is."
    )]
    RegionNotServed {
        /// The credential scope's region.
        asked: RegionName,
        /// The regions that are served.
        served: String,
    },
    /// The parameters cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A parameter's value is not allowed.
    #[error("{0}")]
    InvalidValue(String),
    /// Parameters do not go together, or not with the resource.
    #[error("{0}")]
    InvalidCombination(String),
    /// There is no such resource.
    #[error("{}", not_found(*.0, .1))]
    NotFound(Kind, String),
    /// The name is taken.
    #[error("{}", already_exists(*.0, .1))]
    AlreadyExists(Kind, String),
    /// The resource's state does not allow the action.
    #[error("{1}")]
    InvalidState(Kind, String),
    /// The group has no shard of that number.
    #[error("Node group {0} not found.")]
    NodeGroupNotFound(String),
    /// Nothing would change.
    #[error("{0}")]
    NoOperation(String),
    /// The group cannot fail over for a test.
    #[error("{0}")]
    TestFailoverNotAvailable(String),
    /// The engine has no snapshots.
    #[error("Snapshots are not supported for cache clusters of engine memcached.")]
    SnapshotNotSupported,
    /// No host, or no port, is left.
    #[error("{0}")]
    InsufficientCapacity(String),
    /// More nodes than a cluster may have.
    #[error("{0}")]
    NodeQuota(String),
    /// More shards than a group may have.
    #[error("{0}")]
    ShardQuota(String),
    /// A subnet is no subnet.
    #[error("Invalid subnet: {0}")]
    InvalidSubnet(String),
    /// A subnet group that caches are in.
    #[error("{0}")]
    SubnetGroupInUse(String),
    /// No user of the group has the name `default`.
    #[error("User group needs to contain a user with the user name default.")]
    DefaultUserRequired,
    /// Two users of a group have one name, or a group cannot lose its default user.
    #[error("{0}")]
    DuplicateUserName(String),
    /// A user that groups need.
    #[error("{0}")]
    DefaultUserAssociated(String),
    /// The name is no ARN of a resource here.
    #[error("Invalid ARN: {0}")]
    InvalidArn(String),
    /// A resource has no such tag.
    #[error("Tag with key {0} not found on the resource.")]
    TagNotFound(String),
    /// Too many tags.
    #[error("A resource has at most 50 tags.")]
    TagQuota,
    /// No node of the region has reported what it can run yet.
    #[error("No node of region {0} has reported its engines yet; try again in a moment.")]
    RegionStarting(RegionName),
    /// The catalog did not do what it was asked.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl From<PageError> for ElastiCacheError {
    fn from(error: PageError) -> ElastiCacheError {
        match error {
            PageError::Query(error) => ElastiCacheError::Query(error),
            other => ElastiCacheError::InvalidValue(other.to_string()),
        }
    }
}

fn not_found(kind: Kind, id: &str) -> String {
    match kind {
        Kind::ReplicationGroup => format!("ReplicationGroup {id} not found."),
        Kind::CacheCluster => format!("CacheCluster not found: {id}"),
        Kind::ParameterGroup => format!("CacheParameterGroup not found: {id}"),
        Kind::SubnetGroup => format!("Cache Subnet Group {id} does not exist."),
        Kind::Snapshot => format!("Snapshot {id} not found."),
        Kind::User => format!("User {id} not found."),
        Kind::UserGroup => format!("User Group {id} not found."),
    }
}

fn already_exists(kind: Kind, id: &str) -> String {
    match kind {
        Kind::ReplicationGroup => format!("Replication group {id} already exists."),
        Kind::CacheCluster => format!("Cache cluster {id} already exists."),
        Kind::ParameterGroup => format!("CacheParameterGroup {id} already exists."),
        Kind::SubnetGroup => format!("Cache subnet group {id} already exists."),
        Kind::Snapshot => format!("Snapshot with specified name {id} already exists."),
        Kind::User => format!("User {id} already exists."),
        Kind::UserGroup => format!("User Group {id} already exists."),
    }
}

impl ElastiCacheError {
    /// The HTTP status and AWS's code.
    #[must_use]
    pub fn wire(&self) -> (StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            ElastiCacheError::MissingAction => (BAD, "MissingAction"),
            ElastiCacheError::UnknownAction(_) => (BAD, "InvalidAction"),
            ElastiCacheError::RegionNotServed { .. } => {
                (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
            }
            ElastiCacheError::Query(error) => (BAD, error.code()),
            ElastiCacheError::InvalidValue(_) => (BAD, "InvalidParameterValue"),
            ElastiCacheError::InvalidCombination(_) => (BAD, "InvalidParameterCombination"),
            ElastiCacheError::NotFound(kind, _) => not_found_code(*kind),
            ElastiCacheError::AlreadyExists(kind, _) => (BAD, already_exists_code(*kind)),
            ElastiCacheError::InvalidState(kind, _) => (BAD, invalid_state_code(*kind)),
            ElastiCacheError::NodeGroupNotFound(_) => {
                (StatusCode::NOT_FOUND, "NodeGroupNotFoundFault")
            }
            ElastiCacheError::NoOperation(_) => (BAD, "NoOperationFault"),
            ElastiCacheError::TestFailoverNotAvailable(_) => (BAD, "TestFailoverNotAvailableFault"),
            ElastiCacheError::SnapshotNotSupported => (BAD, "SnapshotFeatureNotSupportedFault"),
            ElastiCacheError::InsufficientCapacity(_) => (BAD, "InsufficientCacheClusterCapacity"),
            ElastiCacheError::NodeQuota(_) => (BAD, "NodeQuotaForClusterExceeded"),
            ElastiCacheError::ShardQuota(_) => (BAD, "NodeGroupsPerReplicationGroupQuotaExceeded"),
            ElastiCacheError::InvalidSubnet(_) => (BAD, "InvalidSubnet"),
            ElastiCacheError::SubnetGroupInUse(_) => (BAD, "CacheSubnetGroupInUse"),
            ElastiCacheError::DefaultUserRequired => (BAD, "DefaultUserRequired"),
            ElastiCacheError::DuplicateUserName(_) => (BAD, "DuplicateUserName"),
            ElastiCacheError::DefaultUserAssociated(_) => (BAD, "DefaultUserAssociatedToUserGroup"),
            ElastiCacheError::InvalidArn(_) => (BAD, "InvalidARN"),
            ElastiCacheError::TagNotFound(_) => (StatusCode::NOT_FOUND, "TagNotFound"),
            ElastiCacheError::TagQuota => (BAD, "TagQuotaPerResourceExceeded"),
            ElastiCacheError::RegionStarting(_)
            | ElastiCacheError::Catalog(
                CatalogError::Unavailable(_) | CatalogError::Conflict { .. },
            ) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            ElastiCacheError::Catalog(CatalogError::Unreadable { .. }) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure")
            }
        }
    }
}

fn not_found_code(kind: Kind) -> (StatusCode, &'static str) {
    let code = match kind {
        Kind::ReplicationGroup => "ReplicationGroupNotFoundFault",
        Kind::CacheCluster => "CacheClusterNotFound",
        Kind::ParameterGroup => "CacheParameterGroupNotFound",
        Kind::SubnetGroup => "CacheSubnetGroupNotFoundFault",
        Kind::Snapshot => "SnapshotNotFoundFault",
        Kind::User => "UserNotFound",
        Kind::UserGroup => "UserGroupNotFound",
    };
    match kind {
        Kind::SubnetGroup => (StatusCode::BAD_REQUEST, code),
        _ => (StatusCode::NOT_FOUND, code),
    }
}

fn already_exists_code(kind: Kind) -> &'static str {
    match kind {
        Kind::ReplicationGroup => "ReplicationGroupAlreadyExists",
        Kind::CacheCluster => "CacheClusterAlreadyExists",
        Kind::ParameterGroup => "CacheParameterGroupAlreadyExists",
        Kind::SubnetGroup => "CacheSubnetGroupAlreadyExists",
        Kind::Snapshot => "SnapshotAlreadyExistsFault",
        Kind::User => "UserAlreadyExists",
        Kind::UserGroup => "UserGroupAlreadyExists",
    }
}

fn invalid_state_code(kind: Kind) -> &'static str {
    match kind {
        Kind::ReplicationGroup => "InvalidReplicationGroupState",
        Kind::CacheCluster => "InvalidCacheClusterState",
        Kind::ParameterGroup => "InvalidCacheParameterGroupState",
        Kind::SubnetGroup => "CacheSubnetGroupInUse",
        Kind::Snapshot => "InvalidSnapshotState",
        Kind::User => "InvalidUserState",
        Kind::UserGroup => "InvalidUserGroupState",
    }
}
