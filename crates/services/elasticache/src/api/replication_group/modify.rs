//! `ModifyReplicationGroup`.

use quorate_control::Stored;
use quorate_wire::xml::Element;

use crate::api::cache::{Caches, change_settings, change_waiting, finish, hold_parameter_group};
use crate::api::context::{Context, retry};
use crate::api::engines::Engines;
use crate::api::error::ElastiCacheError;
use crate::api::replication_group::create::check_failover;
use crate::api::replication_group::{auth, lifecycle, shape};
use crate::api::user;
use crate::model::{Auth, Cache, Order};

/// `ModifyReplicationGroup`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let name = params.required("ReplicationGroupId")?;
    let stored = retry(|| async {
        let caches = Caches::read(context).await?;
        let stored = caches.group(name)?;
        lifecycle::require_available(stored)?;
        let mut cache = stored.record.clone();
        if let Some(description) = params.text("ReplicationGroupDescription") {
            description.clone_into(&mut cache.settings.description);
        }
        refuse_fixed(context, &cache)?;
        change_settings(context, &mut cache)?;
        auth::change(context, &mut cache.settings).await?;
        change_failover(context, &mut cache).await?;
        make_primary(context, &caches, stored, &mut cache)?;
        let group = change_waiting(context, &mut cache).await?;
        finish(context, &mut cache)?;
        let mut txn = hold_parameter_group(group.as_ref());
        if let Auth::Users(groups) = &cache.settings.auth {
            for group in groups {
                let group = user::find_group(context, group).await?;
                txn = txn.replace(&group, &group.record);
            }
        }
        lifecycle::commit(context, txn, stored, cache).await
    })
    .await?;
    Ok(vec![shape::to_element(context, &stored)])
}

/// Settings that are chosen once.
fn refuse_fixed(context: &Context<'_>, cache: &Cache) -> Result<(), ElastiCacheError> {
    let params = &context.params;
    let refused = |why: &str| Err(ElastiCacheError::InvalidCombination(why.to_owned()));
    let encrypted = params.boolean("TransitEncryptionEnabled")?;
    if encrypted.is_some_and(|asked| asked != cache.settings.transit_encryption) {
        return refused(
            "TransitEncryptionEnabled cannot be changed here: make another group from a snapshot.",
        );
    }
    if params
        .text("TransitEncryptionMode")
        .is_some_and(|mode| mode != "required")
    {
        return refused("TransitEncryptionMode can be required alone here.");
    }
    let mode = if cache.settings.cluster_mode {
        "enabled"
    } else {
        "disabled"
    };
    if params
        .text("ClusterMode")
        .is_some_and(|asked| asked != mode)
    {
        return refused("ClusterMode cannot be changed here: make another group.");
    }
    let logs = params.structures(
        "LogDeliveryConfigurations",
        "LogDeliveryConfigurationRequest",
    );
    if !logs.is_empty() {
        return refused("LogDeliveryConfigurations is not offered here: leave it out.");
    }
    Ok(())
}

async fn change_failover(context: &Context<'_>, cache: &mut Cache) -> Result<(), ElastiCacheError> {
    let params = &context.params;
    let asked = params.boolean("AutomaticFailoverEnabled")?;
    let multi_az = params.boolean("MultiAZEnabled")?;
    if asked.is_none() && multi_az.is_none() {
        return Ok(());
    }
    let mut wanted = cache.settings.clone();
    wanted.automatic_failover = asked
        .or(cache.pending.automatic_failover)
        .unwrap_or(wanted.automatic_failover);
    wanted.multi_az = multi_az.unwrap_or(wanted.multi_az);
    if wanted.cluster_mode && !wanted.automatic_failover {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "Automatic failover cannot be disabled with cluster mode.",
        )));
    }
    check_failover(&wanted)?;
    if wanted.automatic_failover && !wanted.cluster_mode {
        Engines::read(context).await?.check_sentinels(context)?;
    }
    let now = cache.settings.automatic_failover;
    cache.pending.automatic_failover = Some(wanted.automatic_failover).filter(|w| *w != now);
    cache.settings.multi_az = wanted.multi_az;
    Ok(())
}

/// `PrimaryClusterId`: a member of the group that is to lead.
fn make_primary(
    context: &Context<'_>,
    caches: &Caches,
    stored: &Stored<Cache>,
    cache: &mut Cache,
) -> Result<(), ElastiCacheError> {
    let Some(name) = context.params.text("PrimaryClusterId") else {
        return Ok(());
    };
    let cluster = caches.cluster(name)?;
    let member = cluster.member.filter(|_| cluster.stored.id == stored.id);
    let Some((shard, member)) = member else {
        return Err(ElastiCacheError::InvalidValue(format!(
            "Cache cluster {name} is no member of replication group {}.",
            stored.id
        )));
    };
    let primary = cache.topology.shards.get(&shard).and_then(|s| s.primary);
    if primary != Some(member) {
        cache.orders.push(Order::MakePrimary(shard, member));
    }
    Ok(())
}
