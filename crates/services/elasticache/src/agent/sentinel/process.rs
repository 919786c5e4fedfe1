//! A Sentinel's process: its folder, its passwords, where it listens.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use quorate_control::{CatalogError, Txn};
use quorate_engines::EngineError;
use quorate_engines::redis::{RedisPaths, RedisTls};
use quorate_engines::sentinel::{RunningSentinel, SentinelConfig, SentinelServer};

use crate::agent::driver::StepError;
use crate::agent::marker::Marker;
use crate::agent::sentinel::keeper::Keeper;
use crate::model::{Cache, Sentinel, SentinelPasswords};

const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The record of the passwords that all Sentinels share.
const PASSWORDS: &str = "region";

impl Keeper {
    /// Starts the Sentinel on its folder, and tells the catalog where it listens.
    pub(super) async fn start(&self) -> Result<RunningSentinel, StepError> {
        let host = &self.host;
        let program = host.sentinel();
        let program = program.ok_or_else(|| {
            StepError::Host(String::from(
                "no Sentinel on this host: install the package `redis-server`",
            ))
        })?;
        let passwords = self.passwords().await?;
        let root = host.config.folder.join(match self.tls {
            RedisTls::Off => "sentinel",
            RedisTls::Only => "sentinel-tls",
        });
        let paths = RedisPaths::new(&root, &host.account)?;
        paths.prepare(&host.account)?;
        if self.tls == RedisTls::Only {
            paths.write_tls(&host.account, &host.certificates()?)?;
        }
        let port = match Marker::read(&root)? {
            Some(marker) => marker.port,
            None => {
                let port = host.free_port(false)?;
                Marker::new(0, port).write(&root)?;
                port
            }
        };
        let listen = SocketAddr::new(host.config.engine_ip, port);
        let caches = host.catalog.view().list::<Cache>()?;
        let shards = caches
            .iter()
            .flat_map(|c| c.record.topology.shards.values());
        let config = SentinelConfig {
            identity: host.config.node.to_string(),
            listen,
            tls: self.tls,
            inner_password: passwords.inner,
            client_password: passwords.client.clone(),
            epoch: shards.map(|shard| shard.elected).max().unwrap_or(0),
        };
        let started = SentinelServer::new(program, paths)
            .start(config, START_TIMEOUT)
            .await;
        if let Err(EngineError::PortInUse { .. }) = &started {
            Marker::new(0, host.free_port(false)?).write(&root)?;
        }
        let started = started?;
        self.tell(listen, passwords.client).await?;
        Ok(started)
    }

    async fn tell(&self, listen: SocketAddr, client_password: String) -> Result<(), CatalogError> {
        let catalog = &self.host.catalog;
        let id = self.host.config.node.as_str();
        loop {
            let read = catalog.read::<Sentinel>(id).await?;
            let mut record = read.as_ref().map_or_else(
                || Sentinel {
                    plain: None,
                    tls: None,
                    client_password: client_password.clone(),
                },
                |read| read.record.clone(),
            );
            match self.tls {
                RedisTls::Off => record.plain = Some(listen),
                RedisTls::Only => record.tls = Some(listen),
            }
            let txn = match &read {
                Some(read) => Txn::new().replace(read, &record),
                None => Txn::new().insert(id, &record),
            };
            match catalog.commit(txn).await {
                // The node's other Sentinel wrote first.
                Err(CatalogError::Conflict { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
    }

    /// The passwords that all Sentinels share; made by whoever comes first.
    async fn passwords(&self) -> Result<SentinelPasswords, CatalogError> {
        let catalog = &self.host.catalog;
        if let Some(known) = catalog.read::<SentinelPasswords>(PASSWORDS).await? {
            return Ok(known.record);
        }
        let random = || hex::encode(rand::rng().random::<[u8; 24]>());
        let made = SentinelPasswords {
            inner: random(),
            client: random(),
        };
        match catalog.commit(Txn::new().insert(PASSWORDS, &made)).await {
            Ok(_) => Ok(made),
            Err(CatalogError::Conflict { key }) => catalog
                .read::<SentinelPasswords>(PASSWORDS)
                .await?
                .map(|known| known.record)
                .ok_or(CatalogError::Conflict { key }),
            Err(e) => Err(e),
        }
    }
}
