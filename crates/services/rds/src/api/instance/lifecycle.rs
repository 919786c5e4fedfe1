//! `RebootDBInstance`, `StopDBInstance`, `StartDBInstance`, `PromoteReadReplica`: orders, each a status and an
//! intent that the controller carries out.

use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::instance::fleet::Fleet;
use crate::api::instance::{check, shape, window};
use crate::model::{Desired, Instance, Order, Status};

/// The retention of a promoted replica that asks for none.
const RETENTION_DAYS_PROMOTED: u32 = 1;

/// `RebootDBInstance`.
pub(crate) async fn reboot(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let failover = context.params.boolean("ForceFailover")?.unwrap_or(false);
    change(context, |_, stored| {
        let mut instance = stored.record.clone();
        let able = matches!(
            instance.status,
            Status::Available | Status::StorageFull | Status::IncompatibleParameters
        );
        if !able {
            return Err(RdsError::InvalidInstanceState(String::from(
                "Instance cannot currently reboot due to an in-progress management operation.",
            )));
        }
        if failover && !instance.settings.multi_az {
            return Err(RdsError::InvalidCombination(format!(
                "ForceFailover cannot be specified for {}: the DB instance is not Multi-AZ.",
                stored.id
            )));
        }
        instance.order = Some(if failover {
            Order::RebootWithFailover
        } else {
            Order::Reboot
        });
        instance.status = Status::Rebooting;
        Ok(instance)
    })
    .await
}

/// `StopDBInstance`.
pub(crate) async fn stop(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    if context.params.text("DBSnapshotIdentifier").is_some() {
        return Err(RdsError::InvalidCombination(String::from(
            "Snapshots are not offered yet: stop the instance without DBSnapshotIdentifier.",
        )));
    }
    change(context, |fleet, stored| {
        let mut instance = stored.record.clone();
        require_available(stored)?;
        if instance.source.is_some() {
            return Err(RdsError::InvalidInstanceState(String::from(
                "Cannot stop or start a read replica instance",
            )));
        }
        if fleet.replicas_of(&stored.id).next().is_some() {
            return Err(RdsError::InvalidInstanceState(String::from(
                "Cannot stop or start an instance with read replicas",
            )));
        }
        instance.desired = Desired::Stopped;
        instance.status = Status::Stopping;
        Ok(instance)
    })
    .await
}

/// `StartDBInstance`.
pub(crate) async fn start(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    change(context, |_, stored| {
        let mut instance = stored.record.clone();
        if instance.status != Status::Stopped {
            return Err(RdsError::InvalidInstanceState(format!(
                "Instance {} is not in stopped state.",
                stored.id
            )));
        }
        instance.desired = Desired::Running;
        instance.status = Status::Starting;
        Ok(instance)
    })
    .await
}

/// `PromoteReadReplica`.
pub(crate) async fn promote(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let retention = check::retention_days(params)?.unwrap_or(RETENTION_DAYS_PROMOTED);
    change(context, |_, stored| {
        let mut instance = stored.record.clone();
        if instance.source.is_none() {
            return Err(RdsError::InvalidInstanceState(String::from(
                "DB Instance is not a read replica.",
            )));
        }
        require_available(stored)?;
        let settings = &mut instance.settings;
        if let Some(backup) = params.text("PreferredBackupWindow") {
            (settings.backup_window, _) = window::checked(backup, &settings.maintenance_window)?;
        }
        settings.backup_retention_days = retention;
        instance.order = Some(Order::Promote);
        instance.status = Status::Modifying;
        Ok(instance)
    })
    .await
}

/// Refuses instances with something under way.
pub(super) fn require_available(stored: &Stored<Instance>) -> Result<(), RdsError> {
    if stored.record.status == Status::Available {
        return Ok(());
    }
    Err(RdsError::InvalidInstanceState(format!(
        "Instance {} is not in available state.",
        stored.id
    )))
}

/// Reads the instance that the request names, writes what `decide` makes of it, and describes it.
pub(super) async fn change(
    context: &Context<'_>,
    decide: impl Fn(&Fleet, &Stored<Instance>) -> Result<Instance, RdsError> + Sync,
) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required("DBInstanceIdentifier")?;
    retry(|| async {
        let fleet = Fleet::read(context).await?;
        let stored = fleet.find(context, name)?.clone();
        let instance = decide(&fleet, &stored)?;
        let txn = Txn::new().replace(&stored, &instance);
        context.catalog().commit(txn).await?;
        let fleet = fleet.with(&stored.id, instance.clone());
        Ok(vec![shape::db_instance(
            context, &fleet, &stored.id, &instance,
        )])
    })
    .await
}
