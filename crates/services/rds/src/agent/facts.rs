//! One look at a member: what the catalog asks, what is on disk, what runs.

use quorate_base::Epoch;
use quorate_control::{Catalog, CatalogError, Endpoint, Stored, Txn};
use quorate_engines::EngineError;
use quorate_engines::postgres::{DataState, MemberMarker, MemberRole};

use crate::agent::driver::StepError;
use crate::agent::host::AgentHost;
use crate::agent::member::Member;
use crate::decide::member::{CopyFacts, EngineFacts, Lineage, MemberFacts, UpstreamFacts};
use crate::events::instance_event;
use crate::model::{EventCategory, Instance, ParameterGroup, Role};
use crate::parameters::WantedParameters;

/// How often a change is tried again when another writer came first.
const CHANGE_ATTEMPTS_MAX: u32 = 16;

/// What the catalog says of a member's instance at one moment.
pub(crate) struct Look {
    stored: Stored<Instance>,
    pub(crate) group: Option<ParameterGroup>,
    pub(crate) source: Option<Instance>,
    /// Resource ids of the instances that follow this one.
    pub(crate) replicas: Vec<String>,
}

impl Look {
    /// Reads the local view; none when no instance has this resource id.
    pub(crate) fn at(catalog: &Catalog, resource_id: &str) -> Result<Option<Look>, CatalogError> {
        let view = catalog.view();
        let instances = view.list::<Instance>()?;
        let Some(stored) = instances
            .iter()
            .find(|i| i.record.resource_id == resource_id)
            .cloned()
        else {
            return Ok(None);
        };
        let replicas = instances
            .iter()
            .filter(|i| i.record.source.as_ref() == Some(&stored.id))
            .map(|i| i.record.resource_id.clone())
            .collect();
        let source = stored.record.source.as_ref().and_then(|source| {
            instances
                .iter()
                .find(|i| i.id == *source)
                .map(|i| i.record.clone())
        });
        let group = view.read::<ParameterGroup>(&stored.record.settings.parameter_group)?;
        Ok(Some(Look {
            stored,
            group: group.map(|g| g.record),
            source,
            replicas,
        }))
    }

    pub(crate) fn id(&self) -> &str {
        &self.stored.id
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.stored.record
    }

    pub(crate) fn wanted(&self) -> Result<WantedParameters, StepError> {
        WantedParameters::of(self.instance(), self.group.as_ref())
            .map_err(|e| StepError::Configuration(e.to_string()))
    }

    /// Whom this member should follow, when that primary can be followed.
    pub(crate) fn upstream(&self, role: Role) -> Option<UpstreamFacts> {
        let followed = match role {
            Role::Standby => self.instance(),
            Role::Primary => self.source.as_ref()?,
        };
        let topology = &followed.topology;
        let address = topology
            .primary_member()?
            .address
            .filter(|_| topology.is_followable())?;
        Some(UpstreamFacts {
            address,
            lineage: lineage(followed),
        })
    }

    /// Changes the instance's record, the endpoint with it where the target follows from the record, and tells an
    /// event when something changed. Reads anew and tries again when another writer came first.
    pub(crate) async fn change(
        &self,
        host: &AgentHost,
        told: Option<(&str, EventCategory)>,
        change: impl Fn(&mut Instance),
    ) -> Result<(), StepError> {
        self.write(host, told, false, change).await
    }

    /// Writes the record as it is: every conditional write that was decided earlier, by an earlier life of this node
    /// too, fails from here on.
    pub(crate) async fn claim(&self, host: &AgentHost) -> Result<(), StepError> {
        self.write(host, None, true, |_| {}).await
    }

    /// As `change`; where `insist` says so, the record is written even when nothing changed.
    pub(crate) async fn write(
        &self,
        host: &AgentHost,
        told: Option<(&str, EventCategory)>,
        insist: bool,
        change: impl Fn(&mut Instance),
    ) -> Result<(), StepError> {
        for _ in 0..CHANGE_ATTEMPTS_MAX {
            let read = host.catalog.read::<Instance>(self.id()).await?;
            let same = |r: &Stored<Instance>| r.record.resource_id == self.instance().resource_id;
            let Some(read) = read.filter(same) else {
                return Ok(());
            };
            let mut record = read.record.clone();
            change(&mut record);
            let same = record == read.record;
            if same && !insist {
                return Ok(());
            }
            let mut txn = Txn::new().replace(&read, &record);
            if let Some(endpoint) = endpoint_of(host, self.id(), &record)? {
                txn = txn.put(&format!("rds:{}", self.id()), &endpoint);
            }
            if let Some((message, category)) = told.filter(|_| !same) {
                let now = quorate_base::UnixMillis::now();
                let (id, event) =
                    instance_event(now, &host.config.owner, self.id(), message, category);
                txn = txn.put(&id, &event);
            }
            match host.catalog.commit(txn).await {
                Err(CatalogError::Conflict { .. }) => {}
                other => return Ok(other.map(|_| ())?),
            }
        }
        Err(StepError::Catalog(CatalogError::Conflict {
            key: self.id().to_owned(),
        }))
    }
}

/// The endpoint that a record asks for, when it is not the one that the catalog has.
fn endpoint_of(
    host: &AgentHost,
    id: &str,
    record: &Instance,
) -> Result<Option<Endpoint>, CatalogError> {
    let Some(present) = host.catalog.view().read::<Endpoint>(&format!("rds:{id}"))? else {
        return Ok(None);
    };
    let topology = &record.topology;
    let address = topology.primary_member().and_then(|member| member.address);
    let target = address.filter(|_| topology.is_serving());
    let wanted = Endpoint {
        targets: target.into_iter().collect(),
        epoch: topology.epoch,
        ..present.record.clone()
    };
    Ok((wanted != present.record).then_some(wanted))
}

/// An instance's own lineage.
pub(crate) fn lineage(instance: &Instance) -> Lineage {
    Lineage {
        resource_id: instance.resource_id.clone(),
        epoch: instance.topology.epoch,
    }
}

impl Member {
    /// What the next step is decided on; none when this node holds no member of the instance.
    pub(crate) fn facts(&self, look: &Look) -> Result<Option<MemberFacts>, EngineError> {
        let instance = look.instance();
        let topology = &instance.topology;
        let Some(role) = topology.role_of(&self.host.config.node) else {
            return Ok(None);
        };
        let leads = role == Role::Primary && instance.source.is_none();
        let incarnation = topology.members[&self.host.config.node].incarnation;
        Ok(Some(MemberFacts {
            desired: instance.desired,
            leads,
            own: lineage(instance),
            ever_served: topology.serving.is_some(),
            primary_down: topology.primary_down,
            in_sync: topology.in_sync,
            upstream: look.upstream(role).filter(|_| !leads),
            copy: self.copy(incarnation)?,
            engine: match &self.engine {
                None => EngineFacts::Down,
                Some(engine) if engine.leads => EngineFacts::Leads,
                Some(_) => EngineFacts::Follows,
            },
            crashed: self.crashed,
            lease_held: self.host.lease.is_held(),
        }))
    }

    fn copy(&self, incarnation: u32) -> Result<CopyFacts, EngineError> {
        if self.paths.data_state() != DataState::Whole {
            return Ok(CopyFacts::None);
        }
        let Some(marker) = MemberMarker::read(&self.paths)? else {
            return Ok(CopyFacts::None);
        };
        if marker.incarnation != incarnation.to_string() {
            return Ok(CopyFacts::Outdated);
        }
        let lineage = Lineage {
            resource_id: marker.resource,
            epoch: marker.epoch,
        };
        Ok(match marker.role {
            MemberRole::Primary => CopyFacts::Led(lineage),
            MemberRole::Standby | MemberRole::Replica => CopyFacts::Followed(lineage),
        })
    }

    /// Notes on disk whose history the copy continues, and as what.
    pub(crate) fn mark(
        &self,
        look: &Look,
        lineage: &Lineage,
        role: MemberRole,
    ) -> Result<(), EngineError> {
        let members = &look.instance().topology.members;
        let incarnation = members
            .get(&self.host.config.node)
            .map_or(0, |m| m.incarnation);
        let marker = MemberMarker {
            resource: lineage.resource_id.clone(),
            incarnation: incarnation.to_string(),
            epoch: Epoch(lineage.epoch.0),
            role,
        };
        marker.write(&self.paths, &self.host.account)
    }
}
