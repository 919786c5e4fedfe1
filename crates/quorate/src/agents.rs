//! The agents of one node, put together from its configuration and identity.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use quorate_archive::Archive;
use quorate_control::{Catalog, Lease};
use quorate_engines::mariadb::find_mariadb;
use quorate_engines::{EngineAccount, EngineError, find_memcached, find_postgres, find_redis};
use quorate_rds::events::ResourceOwner;
use quorate_region::EngineIssuer;
use quorate_volume::SegmentHost;

use crate::config::Config;
use crate::node::Own;

/// The agent that runs PostgreSQL; what it found of engines serves clusters, too.
pub(crate) fn rds_agent(
    folder: &Path,
    config: &Config,
    own: &Own,
    owner: &ResourceOwner,
    catalog: &Catalog,
    lease: &Lease,
) -> anyhow::Result<Arc<quorate_rds::agent::AgentHost>> {
    let agent = quorate_rds::agent::AgentConfig {
        node: own.info.id.clone(),
        owner: owner.clone(),
        engine_ip: own.info.address.ip(),
        endpoint_names: config.certificate_names(),
        folder: folder.join("members"),
        standby_loss: config.standby_loss(),
    };
    let installs = quorate_rds::agent::Installs {
        postgres: found(find_postgres(&config.postgres_bin_dirs), "no PostgreSQL")?,
        mariadb: found(find_mariadb(&[]), "no MariaDB")?,
    };
    Ok(Arc::new(quorate_rds::agent::AgentHost::new(
        agent,
        catalog.clone(),
        lease.clone(),
        issuer(own)?,
        engine_account(folder, config)?,
        installs,
    )))
}

/// The agent that keeps segments of volumes, mounts volumes and runs engines over them.
pub(crate) fn aurora_agent(
    folder: &Path,
    config: &Config,
    rds: &Arc<quorate_rds::agent::AgentHost>,
    segments: &Arc<SegmentHost>,
    own: &Own,
    archive: Option<Archive>,
) -> Arc<quorate_rds::aurora::agent::AuroraHost> {
    let agent = quorate_rds::aurora::agent::AuroraConfig {
        folder: folder.join("clusters"),
        transfers: folder.join("cluster-transfers"),
        backup_every: Duration::from_millis(config.aurora_backup_every_ms),
        identity: folder.join("identity"),
        cache_bytes: config.aurora_cache_bytes,
        overlay_bytes_max: config.aurora_overlay_bytes,
    };
    let (rds, segments, caller) = (rds.clone(), segments.clone(), own.caller.clone());
    let host = quorate_rds::aurora::agent::AuroraHost::new(agent, rds, segments, caller, archive);
    Arc::new(host)
}

/// The agent that runs Redis, Valkey and Memcached, and in the first node of a zone its Sentinels.
pub(crate) fn cache_agent(
    folder: &Path,
    config: &Config,
    own: &Own,
    catalog: &Catalog,
    lease: &Lease,
    archive: Option<Archive>,
) -> anyhow::Result<Arc<quorate_elasticache::agent::AgentHost>> {
    let agent = quorate_elasticache::agent::AgentConfig {
        node: own.info.id.clone(),
        engine_ip: own.info.address.ip(),
        endpoint_address: config.endpoint_address,
        endpoint_names: config.certificate_names(),
        folder: folder.join("caches"),
        sentinels: own.info.voter,
    };
    let folders = &config.cache_bin_dirs;
    let installs = quorate_elasticache::agent::Installs {
        redis: found(find_redis(folders), "no Redis or Valkey")?,
        memcached: found(find_memcached(folders), "no Memcached")?,
    };
    let host = quorate_elasticache::agent::AgentHost::new(
        agent,
        catalog.clone(),
        lease.clone(),
        issuer(own)?,
        engine_account(folder, config)?,
        installs,
    );
    Ok(Arc::new(host.with_archive(archive)))
}

/// The archive for snapshots. A node whose archive cannot be used runs all the same, as its databases need none; snapshots
/// then fail, and say so.
pub(crate) fn open_archive(config: &Config) -> Option<Archive> {
    let Some(archive) = &config.archive else {
        tracing::warn!("no archive is configured: this node can take and restore no snapshots");
        return None;
    };
    match Archive::open(archive) {
        Ok(archive) => Some(archive),
        Err(e) => {
            tracing::error!(error = %e, "this node can take and restore no snapshots");
            None
        }
    }
}

fn engine_account(folder: &Path, config: &Config) -> anyhow::Result<EngineAccount> {
    let account = EngineAccount::resolve(Some(&config.engine_account))?;
    account.can_reach(folder)?;
    Ok(account)
}

fn issuer(own: &Own) -> anyhow::Result<EngineIssuer> {
    own.identity
        .engine_issuer()
        .context("a node's identity signs its engines' certificates")
}

/// The engines that were found; where there are none the node runs all the same, and says so.
fn found<T>(found: Result<Vec<T>, EngineError>, without: &str) -> anyhow::Result<Vec<T>> {
    match found {
        Ok(installs) => Ok(installs),
        Err(e @ (EngineError::NotInstalled { .. } | EngineError::ServerMissing { .. })) => {
            tracing::warn!(error = %e, "this node can run {without}");
            Ok(Vec::new())
        }
        Err(e) => Err(e.into()),
    }
}
