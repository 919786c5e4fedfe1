//! What every modification of a cache may say: which settings change with the answer, and which wait.
//!
//! Settings that restart no engine take effect with the answer; agents see them. The others go to `pending`, and the
//! controller carries them out, at once or in the maintenance window.

use quorate_control::{Stored, Txn};

use crate::api::cache::request::require_family;
use crate::api::context::Context;
use crate::api::engines::{self, Engines};
use crate::api::error::ElastiCacheError;
use crate::api::{check, parameter_group};
use crate::catalogue::{default_group, family_of, version_key};
use crate::model::{Cache, Engine, ParameterGroup, Status};

/// Applies the settings of the request that take effect with the answer.
pub(crate) fn change_settings(
    context: &Context<'_>,
    cache: &mut Cache,
) -> Result<(), ElastiCacheError> {
    let params = &context.params;
    let settings = &mut cache.settings;
    let snapshot = params.text("SnapshotWindow");
    let maintenance = params.text("PreferredMaintenanceWindow");
    if snapshot.is_some() || maintenance.is_some() {
        (settings.snapshot_window, settings.maintenance_window) = check::windows(
            snapshot.unwrap_or(&settings.snapshot_window),
            maintenance.unwrap_or(&settings.maintenance_window),
        )?;
    }
    if let Some(days) = check::retention_days(params)? {
        if settings.engine == Engine::Memcached && days > 0 {
            return Err(ElastiCacheError::SnapshotNotSupported);
        }
        settings.snapshot_retention_days = days;
    }
    if let Some(groups) = context.texts("SecurityGroupIds", "SecurityGroupId") {
        settings.security_groups = groups;
    }
    if let Some(upgrade) = params.boolean("AutoMinorVersionUpgrade")? {
        settings.auto_minor_version_upgrade = upgrade;
    }
    if let Some(topic) = params.text("NotificationTopicArn") {
        settings.notification_topic_arn = Some(topic.to_owned());
    }
    Ok(())
}

/// Lets a new node type and a new engine version wait; a version of another family takes a parameter group of that.
/// Gives the parameter group that the cache then has, where it has to be held.
pub(crate) async fn change_waiting(
    context: &Context<'_>,
    cache: &mut Cache,
) -> Result<Option<Stored<ParameterGroup>>, ElastiCacheError> {
    let params = &context.params;
    let engine = cache.settings.engine;
    if let Some(asked) = params.text("Engine")
        && engines::engine(asked)? != engine
    {
        return Err(ElastiCacheError::InvalidCombination(format!(
            "A cache of engine {engine} cannot become one of engine {asked} here: make another from a snapshot."
        )));
    }
    if let Some(name) = params.text("CacheNodeType") {
        let name = check::node_type(name)?.name.to_owned();
        cache.pending.node_type = Some(name).filter(|name| *name != cache.settings.node_type);
    }
    let mut version = cache.settings.engine_version.clone();
    if let Some(asked) = params.text("EngineVersion") {
        let wanted = Engines::read(context)
            .await?
            .resolve(context, engine, Some(asked))?;
        if version_key(&wanted) < version_key(&version) {
            return Err(ElastiCacheError::InvalidCombination(format!(
                "Cannot downgrade {engine} from version {version} to {wanted}."
            )));
        }
        cache.pending.engine_version = Some(wanted.clone()).filter(|wanted| *wanted != version);
        version = wanted;
    }
    change_parameter_group(context, cache, &version).await
}

async fn change_parameter_group(
    context: &Context<'_>,
    cache: &mut Cache,
    version: &str,
) -> Result<Option<Stored<ParameterGroup>>, ElastiCacheError> {
    let engine = cache.settings.engine;
    let family = family_of(engine, version).unwrap_or_default();
    let asked = context.params.text("CacheParameterGroupName");
    let current = &cache.settings.parameter_group;
    let wanted = match asked {
        Some(name) => name.to_owned(),
        None if current.starts_with("default.") => {
            default_group(&family, cache.settings.cluster_mode)
        }
        None => current.clone(),
    };
    let group = parameter_group::find(context, &wanted).await?;
    require_family(&group, &family, engine, version)?;
    cache.settings.parameter_group = group.name;
    Ok(group.stored)
}

/// Begins a transaction that holds the parameter group: whoever deletes it at the same moment reads again.
pub(crate) fn hold_parameter_group(group: Option<&Stored<ParameterGroup>>) -> Txn {
    match group {
        Some(group) => Txn::new().replace(group, &group.record),
        None => Txn::new(),
    }
}

/// Says whether what waits is carried out at once, and shows it in the status.
pub(crate) fn finish(context: &Context<'_>, cache: &mut Cache) -> Result<(), ElastiCacheError> {
    let now = context.flag("ApplyImmediately")?;
    cache.pending.apply_now = !cache.pending.is_empty() && (cache.pending.apply_now || now);
    if cache.pending.apply_now || !cache.orders.is_empty() {
        cache.status = Status::Modifying;
    }
    Ok(())
}
