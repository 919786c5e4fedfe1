//! `ModifyDBInstance` and `RebootDBInstance` of a member.

use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::instance::create::parameter_group_for;
use crate::api::instance::{Fleet, check, offered as instance_offered, window};
use crate::api::{identifier, instance::fleet};
use crate::aurora::api::member::create::{promotion_tier, require_running};
use crate::aurora::api::member::offered::{self, Asking};
use crate::aurora::api::member::read::{Found, change, change_once};
use crate::aurora::model::{Cluster, ClusterMember, MemberName, MemberOrder};
use crate::catalogue::matches_version;
use crate::model::{Instance, ParameterGroup, Status};

/// What a request asks that can be checked by itself.
struct Asked {
    apply_now: bool,
    class: Option<String>,
    new_id: Option<String>,
    parameter_group: Option<(String, Option<Stored<ParameterGroup>>)>,
    promotion_tier: Option<u8>,
    maintenance_window: Option<String>,
    auto_minor_version_upgrade: Option<bool>,
    copy_tags_to_snapshot: Option<bool>,
    publicly_accessible: Option<bool>,
}

/// `ModifyDBInstance` of a member.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    retry(|| async {
        let (engine, version) = version(context).await?;
        let asked = asked(context, &engine, &version).await?;
        change_once(context, |fleet, found| {
            require_available(found)?;
            let record = planned(&asked, fleet, found)?;
            Ok((record, conditions(&asked, found)))
        })
        .await
    })
    .await
}

/// The conditions under which what the request refers to stays as it was read.
fn conditions(asked: &Asked, found: &Found<'_>) -> Txn {
    let mut txn = Txn::new();
    if let Some((_, Some(group))) = &asked.parameter_group {
        txn = txn.replace(group, &group.record);
    }
    if let Some(new_id) = asked.new_id.as_ref().filter(|id| *id != found.id) {
        txn = txn
            .require_absent::<Instance>(new_id)
            .require_absent::<MemberName>(new_id);
    }
    txn
}

/// `RebootDBInstance` of a member: its engine restarts where it is.
pub(crate) async fn reboot(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    if context.params.boolean("ForceFailover")? == Some(true) {
        return Err(RdsError::InvalidCombination(String::from(
            "ForceFailover cannot be specified for DB instances of a DB cluster: use FailoverDBCluster.",
        )));
    }
    change(context, |_, found| {
        if found.member.status != Status::Available {
            return Err(RdsError::InvalidInstanceState(String::from(
                "Instance cannot currently reboot due to an in-progress management operation.",
            )));
        }
        require_running(found.cluster)?;
        let mut cluster = found.cluster.record.clone();
        if let Some(member) = cluster.members.get_mut(found.id) {
            member.order = Some(MemberOrder::Reboot);
            member.status = Status::Rebooting;
        }
        Ok(cluster)
    })
    .await
}

fn require_available(found: &Found<'_>) -> Result<(), RdsError> {
    require_running(found.cluster)?;
    if matches!(
        found.member.status,
        Status::Available | Status::Failed | Status::IncompatibleParameters
    ) {
        return Ok(());
    }
    Err(RdsError::InvalidInstanceState(String::from(
        "Database instance is not in available state.",
    )))
}

/// Engine and version of the member's cluster.
async fn version(context: &Context<'_>) -> Result<(String, String), RdsError> {
    let name = context.params.required("DBInstanceIdentifier")?;
    let id = fleet::id_of(context, name);
    let fleet = Fleet::read(context).await?;
    let mut members = fleet.members();
    members
        .find(|(_, member, _)| *member == id)
        .map(|(cluster, _, _)| &cluster.record.settings)
        .map(|settings| (settings.engine.clone(), settings.engine_version.clone()))
        .ok_or_else(|| RdsError::InstanceNotFound(name.to_owned()))
}

async fn asked(context: &Context<'_>, engine: &str, version: &str) -> Result<Asked, RdsError> {
    let params = &context.params;
    offered::check(context, Asking::Change)?;
    instance_offered::check(context, engine, version)?;
    if let Some(asked) = params.text("EngineVersion")
        && !matches_version(version, asked)
    {
        return Err(RdsError::InvalidCombination(String::from(
            "The specified DB Instance is a member of a cluster. Modify engine version for the DB Cluster using the \
             ModifyDbCluster API",
        )));
    }
    let class = params
        .text("DBInstanceClass")
        .map(check::class)
        .transpose()?;
    let parameter_group = match params.text("DBParameterGroupName") {
        Some(name) => {
            let group = parameter_group_for(context, name, engine, version).await?;
            Some((group.name, group.stored))
        }
        None => None,
    };
    let new_id = params
        .text("NewDBInstanceIdentifier")
        .map(|text| identifier::instance_id("NewDBInstanceIdentifier", text))
        .transpose()?;
    Ok(Asked {
        apply_now: params.boolean("ApplyImmediately")?.unwrap_or(false),
        class: class.map(|class| class.name),
        new_id,
        parameter_group,
        promotion_tier: promotion_tier(params)?,
        maintenance_window: params.text("PreferredMaintenanceWindow").map(str::to_owned),
        auto_minor_version_upgrade: params.boolean("AutoMinorVersionUpgrade")?,
        copy_tags_to_snapshot: params.boolean("CopyTagsToSnapshot")?,
        publicly_accessible: params.boolean("PubliclyAccessible")?,
    })
}

/// The cluster with what takes effect at once in its member, and the rest waiting.
fn planned(asked: &Asked, fleet: &Fleet, found: &Found<'_>) -> Result<Cluster, RdsError> {
    let mut member = found.member.clone();
    let (_, maintenance_window) = window::checked(
        &found.cluster.record.settings.backup_window,
        asked
            .maintenance_window
            .as_deref()
            .unwrap_or(&member.maintenance_window),
    )?;
    member.maintenance_window = maintenance_window;
    if let Some((group, _)) = &asked.parameter_group {
        member.parameter_group.clone_from(group);
    }
    set(&mut member.promotion_tier, asked.promotion_tier);
    set(
        &mut member.auto_minor_version_upgrade,
        asked.auto_minor_version_upgrade,
    );
    set(
        &mut member.copy_tags_to_snapshot,
        asked.copy_tags_to_snapshot,
    );
    set(&mut member.publicly_accessible, asked.publicly_accessible);
    wait(asked, fleet, found, &mut member)?;
    let mut cluster = found.cluster.record.clone();
    cluster.members.insert(found.id.to_owned(), member);
    Ok(cluster)
}

/// Puts what cannot take effect at once into the pending changes. Asking for what is takes a waiting change back.
fn wait(
    asked: &Asked,
    fleet: &Fleet,
    found: &Found<'_>,
    member: &mut ClusterMember,
) -> Result<(), RdsError> {
    let current = member.class.clone();
    let pending = &mut member.pending;
    if let Some(class) = &asked.class {
        pending.class = Some(class.clone()).filter(|class| *class != current);
    }
    if let Some(new_id) = &asked.new_id {
        let promised = pending.new_id.as_ref() == Some(new_id);
        if new_id != found.id && !promised && fleet.is_taken(new_id) {
            return Err(RdsError::InstanceAlreadyExists);
        }
        pending.new_id = Some(new_id.clone()).filter(|id| id != found.id);
    }
    pending.apply_now = !pending.is_empty() && (pending.apply_now || asked.apply_now);
    if pending.apply_now && pending.new_id.is_some() {
        member.status = Status::Renaming;
    }
    Ok(())
}

fn set<T>(to: &mut T, by: Option<T>) {
    if let Some(by) = by {
        *to = by;
    }
}
