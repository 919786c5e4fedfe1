//! One look at a member: what the catalog says of its cluster at one moment.

use quorate_base::{Epoch, UnixMillis};
use quorate_control::{Catalog, CatalogError, Stored};

use crate::agent::driver::StepError;
use crate::aurora::agent::host::AuroraHost;
use crate::aurora::model::{Cluster, ClusterMember, ClusterParameterGroup};
use crate::aurora::parameters::{MemberParameters, member_parameters};
use crate::aurora::records::{self, At};
use crate::model::ParameterGroup;

/// How often a change is tried again when another writer came first.
const CHANGE_ATTEMPTS_MAX: u32 = 16;

/// What the catalog says of a member's cluster.
pub(super) struct Look {
    stored: Stored<Cluster>,
    name: String,
    cluster_group: Option<ClusterParameterGroup>,
    member_group: Option<ParameterGroup>,
}

impl Look {
    /// Reads the local view; none when no cluster has a member with this resource id.
    pub(super) fn at(catalog: &Catalog, resource_id: &str) -> Result<Option<Look>, CatalogError> {
        let view = catalog.view();
        for stored in view.list::<Cluster>()? {
            let mut members = stored.record.members.iter();
            let Some((name, member)) = members.find(|(_, m)| m.resource_id == resource_id) else {
                continue;
            };
            let settings = &stored.record.settings;
            let cluster_group = view.read::<ClusterParameterGroup>(&settings.parameter_group)?;
            let member_group = view.read::<ParameterGroup>(&member.parameter_group)?;
            return Ok(Some(Look {
                name: name.clone(),
                cluster_group: cluster_group.map(|group| group.record),
                member_group: member_group.map(|group| group.record),
                stored,
            }));
        }
        Ok(None)
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.stored.record
    }

    /// The member's DB instance identifier.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn member(&self) -> &ClusterMember {
        &self.stored.record.members[&self.name]
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.stored.record.epoch
    }

    pub(super) fn writes(&self) -> bool {
        self.stored.record.is_writer(&self.name)
    }

    pub(super) fn parameters(&self) -> Result<MemberParameters, StepError> {
        let cluster_group = self.cluster_group.as_ref();
        let member_group = self.member_group.as_ref();
        member_parameters(self.cluster(), self.member(), cluster_group, member_group)
            .map_err(|e| StepError::Configuration(e.to_string()))
    }

    /// Changes the cluster's record, with the endpoints that follow from it; nothing where `change` gives none. Reads anew
    /// and tries again when another writer came first.
    pub(super) async fn change(
        &self,
        host: &AuroraHost,
        change: impl Fn(&Cluster, &At<'_>) -> Option<Cluster>,
    ) -> Result<(), StepError> {
        let catalog = &host.base.catalog;
        for _ in 0..CHANGE_ATTEMPTS_MAX {
            let read = catalog.read::<Cluster>(&self.stored.id).await?;
            let same = |r: &Stored<Cluster>| r.record.resource_id == self.cluster().resource_id;
            let Some(read) = read.filter(same) else {
                return Ok(());
            };
            let at = At {
                member: &self.name,
                node: &host.base.config.node,
                epoch: self.epoch(),
                now: UnixMillis::now(),
            };
            let Some(record) = change(&read.record, &at).filter(|record| *record != read.record)
            else {
                return Ok(());
            };
            match catalog.commit(records::change(&read, &record)).await {
                Err(CatalogError::Conflict { .. }) => {}
                other => return Ok(other.map(|_| ())?),
            }
        }
        Err(StepError::Catalog(CatalogError::Conflict {
            key: self.stored.id.clone(),
        }))
    }
}
