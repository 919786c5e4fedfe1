//! The instances of a region with what their descriptions refer to, read once for a request.

use quorate_base::Arn;
use quorate_control::{CatalogError, Record, Stored, key_of};

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::subnet_group;
use crate::aurora::model::{Cluster, ClusterMember};
use crate::model::{Instance, SubnetGroup};

/// All instances, clusters and subnet groups of a region.
pub(crate) struct Fleet {
    pub(crate) instances: Vec<Stored<Instance>>,
    pub(crate) clusters: Vec<Stored<Cluster>>,
    subnet_groups: Vec<Stored<SubnetGroup>>,
}

impl Fleet {
    pub(crate) async fn read(context: &Context<'_>) -> Result<Fleet, RdsError> {
        Ok(Fleet {
            instances: context.list().await?,
            clusters: context.list().await?,
            subnet_groups: context.catalog().view().list()?,
        })
    }

    /// The instance with this identifier, or with this ARN.
    pub(crate) fn find(
        &self,
        context: &Context<'_>,
        name: &str,
    ) -> Result<&Stored<Instance>, RdsError> {
        let id = id_of(context, name);
        let mut instances = self.instances.iter();
        instances.find(|instance| instance.id == id).ok_or_else(|| {
            if self.members().any(|(_, member, _)| member == id) {
                RdsError::InvalidInstanceState(format!(
                    "DB instance {id} is a member of a DB cluster: this action is for DB instances of their own."
                ))
            } else {
                RdsError::InstanceNotFound(name.to_owned())
            }
        })
    }

    /// The identifiers of an instance's replicas.
    pub(crate) fn replicas_of<'f>(&'f self, id: &'f str) -> impl Iterator<Item = &'f str> {
        self.instances
            .iter()
            .filter(move |instance| instance.record.source.as_deref() == Some(id))
            .map(|instance| instance.id.as_str())
    }

    /// How many sources stand above an instance: 0 for one that is no replica.
    pub(crate) fn depth_of(&self, id: &str) -> usize {
        let (mut depth, mut at) = (0, id);
        while let Some(source) = self
            .instances
            .iter()
            .find(|instance| instance.id == at)
            .and_then(|instance| instance.record.source.as_deref())
        {
            depth += 1;
            at = source;
            if depth >= self.instances.len() {
                break;
            }
        }
        depth
    }

    /// Whether an identifier is in use, or promised to an instance that is being renamed. Members of clusters are
    /// instances, too.
    pub(crate) fn is_taken(&self, id: &str) -> bool {
        self.instances.iter().any(|instance| {
            instance.id == id || instance.record.pending.new_id.as_deref() == Some(id)
        }) || self
            .members()
            .any(|(_, member, record)| member == id || record.pending.new_id.as_deref() == Some(id))
    }

    /// Every member of a cluster: the cluster, the DB instance identifier, the member.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&Stored<Cluster>, &str, &ClusterMember)> {
        self.clusters.iter().flat_map(|cluster| {
            let members = cluster.record.members.iter();
            members.map(move |(id, member)| (cluster, id.as_str(), member))
        })
    }

    /// The DB parameter groups that something uses.
    pub(crate) fn parameter_groups(&self) -> impl Iterator<Item = &str> {
        let instances = self.instances.iter();
        instances
            .map(|instance| instance.record.settings.parameter_group.as_str())
            .chain(
                self.members()
                    .map(|(_, _, member)| member.parameter_group.as_str()),
            )
    }

    /// An instance or a cluster in a subnet group.
    pub(crate) fn user_of_subnet_group(&self, group: &str) -> Option<&str> {
        let instances = self.instances.iter();
        let mut of_instances = instances.filter(|i| i.record.settings.subnet_group == group);
        let clusters = self.clusters.iter();
        let mut of_clusters = clusters.filter(|c| c.record.settings.subnet_group == group);
        of_instances
            .next()
            .map(|instance| instance.id.as_str())
            .or_else(|| of_clusters.next().map(|cluster| cluster.id.as_str()))
    }

    /// The subnet group with this name; the default group when it is gone.
    pub(crate) fn subnet_group(&self, context: &Context<'_>, name: &str) -> SubnetGroup {
        let stored = self.subnet_groups.iter().find(|group| group.id == name);
        stored.map_or_else(
            || subnet_group::default_group(context),
            |group| group.record.clone(),
        )
    }

    /// The fleet with one cluster in the state that has just been written.
    pub(crate) fn with_cluster(mut self, id: &str, record: Cluster) -> Fleet {
        match self.clusters.iter_mut().find(|cluster| cluster.id == id) {
            Some(cluster) => cluster.record = record,
            None => self.clusters.push(Stored {
                id: id.to_owned(),
                revision: quorate_base::Revision::default(),
                record,
            }),
        }
        self
    }

    /// The fleet with one instance in the state that has just been written.
    pub(crate) fn with(mut self, id: &str, record: Instance) -> Fleet {
        match self.instances.iter_mut().find(|instance| instance.id == id) {
            Some(instance) => instance.record = record,
            None => self.instances.push(Stored {
                id: id.to_owned(),
                revision: quorate_base::Revision::default(),
                record,
            }),
        }
        self
    }
}

/// The identifier that a request means: a name in any case, or the ARN of an instance of this region.
pub(crate) fn id_of(context: &Context<'_>, name: &str) -> String {
    id_of_kind(context, "db:", name)
}

/// The identifier that a request means: a name in any case, or the ARN of a resource of this region whose kind is
/// `prefix`, as in `cluster:`.
pub(crate) fn id_of_kind(context: &Context<'_>, prefix: &str, name: &str) -> String {
    let of_arn = name.parse::<Arn>().ok().and_then(|arn| {
        let here = arn.service == "rds" && arn.region == context.region.name;
        arn.resource
            .strip_prefix(prefix)
            .filter(|_| here)
            .map(str::to_owned)
    });
    of_arn
        .unwrap_or_else(|| name.to_owned())
        .to_ascii_lowercase()
}

/// Says that another writer came first, so that the attempt is made again.
pub(crate) fn conflict<R: Record>(id: &str) -> RdsError {
    RdsError::Catalog(CatalogError::Conflict {
        key: key_of::<R>(id),
    })
}
