//! What the catalog has of clusters' automated backups, for whoever shows them or restores from them.

use quorate_base::UnixMillis;
use quorate_control::Stored;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::decide::backup::{
    Base, Restorable, RestorePlan, Unrestorable, bases_of, decide_restore, restorable,
};
use crate::aurora::model::{Cluster, ClusterBackup, ClusterSnapshot, RestoreSource};

/// Backups and snapshots of all clusters.
pub(super) struct Backups {
    backups: Vec<Stored<ClusterBackup>>,
    snapshots: Vec<Stored<ClusterSnapshot>>,
}

impl Backups {
    pub(super) async fn read(context: &Context<'_>) -> Result<Backups, RdsError> {
        Ok(Backups {
            backups: context.list().await?,
            snapshots: context.list().await?,
        })
    }

    pub(super) fn of(&self, cluster: &Cluster) -> Option<&Stored<ClusterBackup>> {
        let mut backups = self.backups.iter();
        backups.find(|backup| backup.id == cluster.resource_id)
    }

    fn bases(&self, cluster: &Cluster) -> Vec<Base> {
        let snapshots = self.snapshots.iter();
        let snapshots = snapshots.map(|snapshot| (snapshot.id.as_str(), &snapshot.record));
        bases_of(snapshots, &cluster.resource_id)
    }

    /// The stretches of time to which a cluster can be restored, oldest first.
    pub(super) fn restorable(&self, cluster: &Cluster, now: UnixMillis) -> Vec<Restorable> {
        let Some(backup) = self.of(cluster) else {
            return Vec::new();
        };
        let bases = self.bases(cluster);
        let days = cluster.settings.backup_retention_days;
        restorable(&backup.record, &bases, days, now)
    }

    /// What a restore of a cluster to a moment is made of, and the snapshot that is its base.
    pub(super) fn source(
        &self,
        cluster: &Stored<Cluster>,
        to: UnixMillis,
    ) -> Result<(RestoreSource, &Stored<ClusterSnapshot>), RdsError> {
        let record = &cluster.record;
        let plan = match self.of(record) {
            None => Err(Unrestorable::Nothing),
            Some(backup) => {
                let bases = self.bases(record);
                let days = record.settings.backup_retention_days;
                decide_restore(&backup.record, &bases, days, to, UnixMillis::now())
            }
        };
        let RestorePlan { base, runs, groups } = plan.map_err(|why| refused(&cluster.id, why))?;
        let mut snapshots = self.snapshots.iter();
        let snapshot = snapshots.find(|snapshot| snapshot.id == base);
        let snapshot = snapshot.expect("bases are made of these snapshots");
        let image = snapshot.record.image.clone();
        let source = RestoreSource::Time {
            id: cluster.id.clone(),
            resource_id: record.resource_id.clone(),
            to,
            base,
            image: image.expect("a base has an image"),
            runs,
            groups,
        };
        Ok((source, snapshot))
    }
}

fn refused(cluster: &str, why: Unrestorable) -> RdsError {
    match why {
        Unrestorable::Nothing => RdsError::InvalidRestore(format!(
            "DB cluster {cluster} has no automated backup to restore from yet."
        )),
        Unrestorable::TooEarly(earliest) => RdsError::InvalidValue(format!(
            "The specified DB cluster cannot be restored to a time earlier than {earliest}."
        )),
        Unrestorable::TooLate(latest) => RdsError::InvalidValue(format!(
            "The specified DB cluster cannot be restored to a time later than {latest}."
        )),
        Unrestorable::Gap(before, after) => RdsError::InvalidValue(format!(
            "The specified DB cluster cannot be restored to a time between {before} and {after}: its log could not be \
             archived then."
        )),
    }
}
