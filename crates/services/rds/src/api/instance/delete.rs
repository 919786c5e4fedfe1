//! `DeleteDBInstance`.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::instance::lifecycle::change;
use crate::model::{Desired, Status};

/// `DeleteDBInstance`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let skip_snapshot = params.boolean("SkipFinalSnapshot")?.unwrap_or(false);
    let snapshot = params.text("FinalDBSnapshotIdentifier");
    change(context, |_, stored| {
        let mut instance = stored.record.clone();
        if instance.desired == Desired::Deleted {
            return Err(RdsError::InvalidInstanceState(format!(
                "Instance {} is already being deleted.",
                stored.id
            )));
        }
        check_snapshot(instance.source.is_some(), skip_snapshot, snapshot)?;
        if instance.settings.deletion_protection {
            return Err(RdsError::InvalidCombination(String::from(
                "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            )));
        }
        instance.desired = Desired::Deleted;
        instance.status = Status::Deleting;
        instance.order = None;
        Ok(instance)
    })
    .await
}

fn check_snapshot(replica: bool, skip: bool, snapshot: Option<&str>) -> Result<(), RdsError> {
    let refused = |why: &str| Err(RdsError::InvalidCombination(why.to_owned()));
    match snapshot {
        Some(_) if skip => refused(
            "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified.",
        ),
        Some(_) if replica => refused(
            "FinalDBSnapshotIdentifier can not be specified when deleting a replica instance",
        ),
        Some(_) => refused(
            "Snapshots are not offered yet, so a final one cannot be made. To delete the instance without one, pass \
             SkipFinalSnapshot and leave FinalDBSnapshotIdentifier out.",
        ),
        None if skip || replica => Ok(()),
        None => {
            refused("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        }
    }
}
