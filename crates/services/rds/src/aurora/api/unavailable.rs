//! Actions on clusters that AWS has and this installation does not: empty lists where clients look for something, a
//! refusal where they ask for something.

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::filter::Filters;

/// Actions that are refused by name, with what is missing.
const REFUSED: [(&str, &str); 8] = [
    ("AddRoleToDBCluster", "Roles of DB clusters"),
    ("CreateGlobalCluster", "Global databases"),
    ("DeleteGlobalCluster", "Global databases"),
    ("ModifyGlobalCluster", "Global databases"),
    ("PromoteReadReplicaDBCluster", "Replica clusters"),
    ("RemoveFromGlobalCluster", "Global databases"),
    ("RemoveRoleFromDBCluster", "Roles of DB clusters"),
    ("RestoreDBClusterFromS3", "Restores of DB clusters from S3"),
];

/// The refusal of an action that is known and not offered.
pub(crate) fn refusal(action: &str) -> Option<RdsError> {
    let (_, what) = REFUSED.iter().find(|(name, _)| *name == action)?;
    Some(RdsError::NotOffered(format!(
        "{what} are not offered yet: {action} does nothing here."
    )))
}

/// `DescribeGlobalClusters`: there are none. Terraform asks at each read of a cluster.
pub(crate) fn describe_global_clusters(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    PageRequest::read(&context.params)?;
    Filters::read(&context.params, &["db-cluster-id", "region"])?;
    if let Some(name) = context.params.text("GlobalClusterIdentifier") {
        return Err(RdsError::GlobalClusterNotFound(name.to_owned()));
    }
    Ok(vec![Element::new("GlobalClusters")])
}
