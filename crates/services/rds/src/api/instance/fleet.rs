//! The instances of a region with what their descriptions refer to, read once for a request.

use quorate_base::Arn;
use quorate_control::{CatalogError, Record, Stored, key_of};

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::subnet_group;
use crate::model::{Instance, SubnetGroup};

/// All instances and subnet groups of a region.
pub(crate) struct Fleet {
    pub(crate) instances: Vec<Stored<Instance>>,
    subnet_groups: Vec<Stored<SubnetGroup>>,
}

impl Fleet {
    pub(crate) async fn read(context: &Context<'_>) -> Result<Fleet, RdsError> {
        Ok(Fleet {
            instances: context.list().await?,
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
        self.instances
            .iter()
            .find(|instance| instance.id == id)
            .ok_or_else(|| RdsError::InstanceNotFound(name.to_owned()))
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

    /// Whether an identifier is in use, or promised to an instance that is being renamed.
    pub(crate) fn is_taken(&self, id: &str) -> bool {
        self.instances.iter().any(|instance| {
            instance.id == id || instance.record.pending.new_id.as_deref() == Some(id)
        })
    }

    /// The subnet group with this name; the default group when it is gone.
    pub(crate) fn subnet_group(&self, context: &Context<'_>, name: &str) -> SubnetGroup {
        let stored = self.subnet_groups.iter().find(|group| group.id == name);
        stored.map_or_else(
            || subnet_group::default_group(context),
            |group| group.record.clone(),
        )
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
    let of_arn = name.parse::<Arn>().ok().and_then(|arn| {
        let here = arn.service == "rds" && arn.region == context.region.name;
        arn.resource
            .strip_prefix("db:")
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
