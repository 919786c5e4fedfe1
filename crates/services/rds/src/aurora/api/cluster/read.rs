//! Finding the cluster that a request means, and changing it.

use quorate_control::Stored;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::instance::fleet::id_of_kind;
use crate::aurora::api::cluster::shape;
use crate::aurora::model::Cluster;
use crate::aurora::records;

/// The identifier that a request means: a name in any case, or the ARN of a cluster of this region.
pub(crate) fn id_of(context: &Context<'_>, name: &str) -> String {
    id_of_kind(context, "cluster:", name)
}

/// The cluster with this identifier, or with this ARN.
pub(crate) async fn find(context: &Context<'_>, name: &str) -> Result<Stored<Cluster>, RdsError> {
    let stored = context.read(&id_of(context, name)).await?;
    stored.ok_or_else(|| RdsError::ClusterNotFound(name.to_owned()))
}

/// Reads the cluster that the request names, writes what `decide` makes of it, and describes it.
pub(super) async fn change(
    context: &Context<'_>,
    decide: impl Fn(&Stored<Cluster>) -> Result<Cluster, RdsError> + Sync,
) -> Result<Vec<Element>, RdsError> {
    change_shown(context, decide, |_| ()).await
}

/// As [`change`]; `shown` edits what the answer shows of what was written.
pub(super) async fn change_shown(
    context: &Context<'_>,
    decide: impl Fn(&Stored<Cluster>) -> Result<Cluster, RdsError> + Sync,
    shown: impl Fn(&mut Cluster) + Sync,
) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required("DBClusterIdentifier")?;
    retry(|| async {
        let stored = find(context, name).await?;
        let mut cluster = decide(&stored)?;
        let txn = records::change(&stored, &cluster);
        context.catalog().commit(txn).await?;
        shown(&mut cluster);
        Ok(vec![shape::db_cluster(context, &stored.id, &cluster)])
    })
    .await
}
