//! `DeleteDBInstance` of a member.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::api::member::create::require_running;
use crate::aurora::api::member::read::change;
use crate::aurora::model::MemberDesired;
use crate::model::Status;

/// `DeleteDBInstance` of a member. The writer hands over first while there is somebody; the last member's data stays in
/// the cluster's volume.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    if context.params.text("FinalDBSnapshotIdentifier").is_some() {
        return Err(RdsError::InvalidCombination(String::from(
            "FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance",
        )));
    }
    change(context, |_, found| {
        if found.member.desired == MemberDesired::Deleted {
            return Err(RdsError::InvalidInstanceState(format!(
                "Instance {} is already being deleted.",
                found.id
            )));
        }
        require_running(found.cluster)?;
        let mut cluster = found.cluster.record.clone();
        if let Some(member) = cluster.members.get_mut(found.id) {
            member.desired = MemberDesired::Deleted;
            member.status = Status::Deleting;
            member.order = None;
        }
        Ok(cluster)
    })
    .await
}
