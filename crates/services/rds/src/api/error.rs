//! Everything that an RDS call can be refused for, and AWS's code and status for each.
//!
//! Codes and status are those of the error traits in AWS's service model; sentences are AWS's where AWS has one.

use http::StatusCode;
use quorate_base::RegionName;
use quorate_control::CatalogError;
use quorate_wire::page::PageError;
use quorate_wire::query::QueryError;

/// Why a call was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RdsError {
    /// The request names no action.
    #[error("The request must contain the parameter Action")]
    MissingAction,
    /// The action does not exist, or is not offered.
    #[error("Could not find operation {0} for version 2014-10-31")]
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
    /// No such instance.
    #[error("DBInstance {0} not found.")]
    InstanceNotFound(String),
    /// The identifier is taken.
    #[error("DB instance already exists")]
    InstanceAlreadyExists,
    /// The instance's state does not allow the action.
    #[error("{0}")]
    InvalidInstanceState(String),
    /// No host, or no port, is left for the instance.
    #[error("{0}")]
    InsufficientCapacity(String),
    /// A bound on the number of instances.
    #[error("{0}")]
    InstanceQuotaExceeded(String),
    /// The storage type does not exist.
    #[error("Invalid storage type: {0}")]
    StorageTypeNotSupported(String),
    /// The certificate authority does not exist.
    #[error("CA certificate {0} not found.")]
    CertificateNotFound(String),
    /// The option group does not exist.
    #[error("Specified OptionGroupName: {0} not found.")]
    OptionGroupNotFound(String),
    /// The zone is not one of the region's, or not in the subnet group.
    #[error("{0}")]
    InvalidNetworkState(String),
    /// No such parameter group.
    #[error("DBParameterGroup not found: {0}")]
    ParameterGroupNotFound(String),
    /// The parameter group's name is taken.
    #[error("Parameter group {0} already exists")]
    ParameterGroupAlreadyExists(String),
    /// The parameter group's state does not allow the action.
    #[error("{0}")]
    InvalidParameterGroupState(String),
    /// No such subnet group.
    #[error("DB subnet group '{0}' does not exist.")]
    SubnetGroupNotFound(String),
    /// The subnet group's name is taken.
    #[error("The DB subnet group '{0}' already exists.")]
    SubnetGroupAlreadyExists(String),
    /// The subnet group is in use, or is the default.
    #[error("{0}")]
    InvalidSubnetGroupState(String),
    /// The subnets stand for fewer than two zones.
    #[error(
        "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: {0}. Add subnets to cover at least 2 AZs."
    )]
    SubnetGroupCoversTooFewZones(String),
    /// A subnet is no subnet.
    #[error("Invalid subnet: {0}")]
    InvalidSubnet(String),
    /// No node of the region has reported what it can run yet.
    #[error("No node of region {0} has reported its engines yet; try again in a moment.")]
    RegionStarting(RegionName),
    /// No such cluster.
    #[error("DBCluster {0} not found.")]
    ClusterNotFound(String),
    /// The identifier is taken.
    #[error("DB Cluster already exists")]
    ClusterAlreadyExists,
    /// The cluster's state does not allow the action.
    #[error("{0}")]
    InvalidClusterState(String),
    /// No such cluster parameter group, as answered where a cluster names it.
    #[error("DBClusterParameterGroup not found: {0}")]
    ClusterParameterGroupNotFound(String),
    /// No such cluster parameter group, as answered where the group itself is asked for.
    #[error("DBClusterParameterGroup not found: {0}")]
    ClusterGroupNotFound(String),
    /// No such custom endpoint.
    #[error("DBClusterEndpoint {0} not found.")]
    ClusterEndpointNotFound(String),
    /// The endpoint's identifier is taken.
    #[error("DB Cluster Endpoint {0} already exists")]
    ClusterEndpointAlreadyExists(String),
    /// A bound on the number of custom endpoints.
    #[error("{0}")]
    ClusterEndpointQuotaExceeded(String),
    /// No such global cluster: there are none.
    #[error("Global cluster {0} not found")]
    GlobalClusterNotFound(String),
    /// No such snapshot of a cluster.
    #[error("DBClusterSnapshot not found: {0}")]
    ClusterSnapshotNotFound(String),
    /// The snapshot's identifier is taken.
    #[error(
        "Cannot create the cluster snapshot because a snapshot with the identifier {0} already exists."
    )]
    ClusterSnapshotAlreadyExists(String),
    /// The snapshot's state does not allow the action.
    #[error("{0}")]
    InvalidClusterSnapshotState(String),
    /// A bound on the number of accounts that a snapshot is shared with.
    #[error("{0}")]
    SharedSnapshotQuotaExceeded(String),
    /// There is no way to what is to be restored.
    #[error("{0}")]
    InvalidRestore(String),
    /// No volume can be placed or mounted.
    #[error("{0}")]
    InsufficientStorageCapacity(String),
    /// AWS has the action, this installation does not.
    #[error("{0}")]
    NotOffered(String),
    /// The catalog did not do what it was asked.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl From<PageError> for RdsError {
    fn from(error: PageError) -> RdsError {
        match error {
            PageError::Query(error) => RdsError::Query(error),
            other => RdsError::InvalidValue(other.to_string()),
        }
    }
}

impl RdsError {
    /// The HTTP status and AWS's code.
    #[must_use]
    pub fn wire(&self) -> (StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const ABSENT: StatusCode = StatusCode::NOT_FOUND;
        match self {
            RdsError::MissingAction => (BAD, "MissingAction"),
            RdsError::UnknownAction(_) => (BAD, "InvalidAction"),
            RdsError::RegionNotServed { .. } => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            RdsError::Query(error) => (BAD, error.code()),
            RdsError::InvalidValue(_) => (BAD, "InvalidParameterValue"),
            RdsError::InvalidCombination(_) => (BAD, "InvalidParameterCombination"),
            RdsError::InstanceNotFound(_) => (ABSENT, "DBInstanceNotFound"),
            RdsError::InstanceAlreadyExists => (BAD, "DBInstanceAlreadyExists"),
            RdsError::InvalidInstanceState(_) => (BAD, "InvalidDBInstanceState"),
            RdsError::InsufficientCapacity(_) => (BAD, "InsufficientDBInstanceCapacity"),
            RdsError::InstanceQuotaExceeded(_) => (BAD, "InstanceQuotaExceeded"),
            RdsError::StorageTypeNotSupported(_) => (BAD, "StorageTypeNotSupported"),
            RdsError::CertificateNotFound(_) => (ABSENT, "CertificateNotFound"),
            RdsError::OptionGroupNotFound(_) => (ABSENT, "OptionGroupNotFoundFault"),
            RdsError::InvalidNetworkState(_) => (BAD, "InvalidVPCNetworkStateFault"),
            RdsError::ParameterGroupNotFound(_) => (ABSENT, "DBParameterGroupNotFound"),
            RdsError::ParameterGroupAlreadyExists(_) => (BAD, "DBParameterGroupAlreadyExists"),
            RdsError::InvalidParameterGroupState(_) => (BAD, "InvalidDBParameterGroupState"),
            RdsError::SubnetGroupNotFound(_) => (ABSENT, "DBSubnetGroupNotFoundFault"),
            RdsError::SubnetGroupAlreadyExists(_) => (BAD, "DBSubnetGroupAlreadyExists"),
            RdsError::InvalidSubnetGroupState(_) => (BAD, "InvalidDBSubnetGroupStateFault"),
            RdsError::SubnetGroupCoversTooFewZones(_) => {
                (BAD, "DBSubnetGroupDoesNotCoverEnoughAZs")
            }
            RdsError::InvalidSubnet(_) => (BAD, "InvalidSubnet"),
            RdsError::ClusterNotFound(_) => (ABSENT, "DBClusterNotFoundFault"),
            RdsError::ClusterAlreadyExists => (BAD, "DBClusterAlreadyExistsFault"),
            RdsError::InvalidClusterState(_) => (BAD, "InvalidDBClusterStateFault"),
            RdsError::ClusterParameterGroupNotFound(_) => {
                (ABSENT, "DBClusterParameterGroupNotFound")
            }
            RdsError::ClusterGroupNotFound(_) => (ABSENT, "DBParameterGroupNotFound"),
            RdsError::ClusterEndpointNotFound(_) => (BAD, "DBClusterEndpointNotFoundFault"),
            RdsError::ClusterEndpointAlreadyExists(_) => {
                (BAD, "DBClusterEndpointAlreadyExistsFault")
            }
            RdsError::ClusterEndpointQuotaExceeded(_) => {
                (StatusCode::FORBIDDEN, "DBClusterEndpointQuotaExceededFault")
            }
            RdsError::InsufficientStorageCapacity(_) => (BAD, "InsufficientStorageClusterCapacity"),
            RdsError::GlobalClusterNotFound(_) => (ABSENT, "GlobalClusterNotFoundFault"),
            RdsError::ClusterSnapshotNotFound(_) => (ABSENT, "DBClusterSnapshotNotFoundFault"),
            RdsError::ClusterSnapshotAlreadyExists(_) => {
                (BAD, "DBClusterSnapshotAlreadyExistsFault")
            }
            RdsError::InvalidClusterSnapshotState(_) => (BAD, "InvalidDBClusterSnapshotStateFault"),
            RdsError::SharedSnapshotQuotaExceeded(_) => (BAD, "SharedSnapshotQuotaExceeded"),
            RdsError::InvalidRestore(_) => (BAD, "InvalidRestoreFault"),
            RdsError::NotOffered(_) => (BAD, "InvalidAction"),
            RdsError::RegionStarting(_)
            | RdsError::Catalog(CatalogError::Unavailable(_) | CatalogError::Conflict { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
            }
            RdsError::Catalog(CatalogError::Unreadable { .. }) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure")
            }
        }
    }
}
