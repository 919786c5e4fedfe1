//! The configuration file: one struct, checked before anything starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use quorate_archive::ArchiveConfig;
use quorate_base::AccountId;
use quorate_control::LeaseConfig;

/// All settings. Every one has a default; the file names those that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The account that owns all resources: twelve digits.
    pub(crate) account_id: AccountId,
    /// Where the API listens.
    pub(crate) api: SocketAddr,
    /// The address that database endpoints listen on and that `Endpoint.Address` shows.
    pub(crate) endpoint_address: IpAddr,
    /// First and last port given to an endpoint when the one asked for is taken.
    pub(crate) endpoint_ports: (u16, u16),
    /// Further names under which clients reach endpoints; they stand in the certificates.
    pub(crate) endpoint_names: Vec<String>,
    /// The account that engines run as when Quorate is started as root; made when it is missing.
    pub(crate) engine_account: String,
    /// Folders with PostgreSQL's programs, besides Debian's and PATH.
    pub(crate) postgres_bin_dirs: Vec<PathBuf>,
    /// Folders with the programs of Redis, Valkey and Memcached, besides Debian's and PATH.
    pub(crate) cache_bin_dirs: Vec<PathBuf>,
    /// How long a node may act on one renewal of its lease.
    pub(crate) lease_ms: u64,
    /// What the catalog's leader waits beyond that, for clocks of different rates.
    pub(crate) margin_ms: u64,
    /// How long a standby may not answer before the primary goes on alone.
    pub(crate) standby_loss_ms: u64,
    /// How long a standby's zone may stay away before another zone gets the standby.
    pub(crate) standby_replace_after_ms: u64,
    /// How long a client's connection waits for a database that fails over.
    pub(crate) endpoint_wait_ms: u64,
    /// Bytes of items from which a DynamoDB partition is split in two.
    pub(crate) dynamodb_split_bytes: u64,
    /// Read units a second from which a DynamoDB partition is split, when that lasts for some seconds.
    pub(crate) dynamodb_split_heat_reads: u64,
    /// The same in write units; shares of both limits add up.
    pub(crate) dynamodb_split_heat_writes: u64,
    /// How long a node may stay away before its replicas of DynamoDB partitions go elsewhere.
    pub(crate) dynamodb_replace_after_ms: u64,
    /// How long a node may stay away before its members of caches go elsewhere.
    pub(crate) cache_replace_after_ms: u64,
    /// How long a node may stay away before its segments of Aurora's volumes, and its readers, go elsewhere.
    pub(crate) aurora_replace_after_ms: u64,
    /// How long the log of an Aurora volume may wait before it goes to the archive, for restores to any moment; 0: it is
    /// not archived, and no automated snapshots are taken.
    pub(crate) aurora_backup_every_ms: u64,
    /// Bytes by which an Aurora volume grows: its protection groups. Volumes that exist keep theirs.
    pub(crate) aurora_group_bytes: u64,
    /// Bytes of pages that the mount of an Aurora instance keeps in memory, besides the kernel: a writer's those that it
    /// used last, a reader's those that it read ahead.
    pub(crate) aurora_cache_bytes: usize,
    /// Bytes of its own pages with which a reader of Aurora's begins again over a newer view of the volume.
    pub(crate) aurora_overlay_bytes: u64,
    /// Where snapshots and backups are kept: `folder = "/srv/quorate"`, or a table `[archive.s3]`. Without one it is the
    /// folder `archive` in the data folder of `quorate up`; nodes that run without `quorate up` have none, and snapshots
    /// fail there. Every node of a region must reach the same archive, and may write there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) archive: Option<ArchiveConfig>,
}

impl Default for Config {
    fn default() -> Config {
        let lease = LeaseConfig::default();
        Config {
            account_id: AccountId::default(),
            api: SocketAddr::from((Ipv4Addr::LOCALHOST, 4566)),
            endpoint_address: IpAddr::from(Ipv4Addr::LOCALHOST),
            endpoint_ports: (15_432, 16_431),
            endpoint_names: Vec::new(),
            engine_account: String::from(quorate_engines::DEFAULT_ACCOUNT),
            postgres_bin_dirs: Vec::new(),
            cache_bin_dirs: Vec::new(),
            lease_ms: lease.lease_ms,
            margin_ms: lease.margin_ms,
            standby_loss_ms: 1_500,
            standby_replace_after_ms: 60_000,
            endpoint_wait_ms: 30_000,
            dynamodb_split_bytes: 1 << 30,
            dynamodb_split_heat_reads: 48_000,
            dynamodb_split_heat_writes: 16_000,
            dynamodb_replace_after_ms: 300_000,
            cache_replace_after_ms: 60_000,
            aurora_replace_after_ms: 300_000,
            aurora_backup_every_ms: 60_000,
            aurora_group_bytes: 10 << 30,
            aurora_cache_bytes: 256 << 20,
            aurora_overlay_bytes: 4 << 30,
            archive: None,
        }
    }
}

impl Config {
    /// Reads the file, or takes the defaults when there is none to read.
    pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Config> {
        let config = match path {
            None => Config::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the configuration {}", path.display()))?;
                toml::from_str(&text)
                    .with_context(|| format!("{} is no configuration", path.display()))?
            }
        };
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> anyhow::Result<()> {
        self.lease().validate().map_err(anyhow::Error::msg)?;
        let (first, last) = self.endpoint_ports;
        ensure!(
            first > 0 && first <= last,
            "endpoint_ports: {first} to {last} is no range"
        );
        ensure!(
            self.standby_loss_ms >= 200,
            "standby_loss_ms: below 200 every pause is a loss"
        );
        ensure!(
            self.dynamodb_split_bytes >= 1 << 16,
            "dynamodb_split_bytes: below 65536 a partition splits with each item"
        );
        ensure!(
            self.dynamodb_split_heat_reads >= 10 && self.dynamodb_split_heat_writes >= 10,
            "dynamodb_split_heat_reads, dynamodb_split_heat_writes: below 10 a partition splits with each request"
        );
        ensure!(
            self.dynamodb_replace_after_ms >= 1_000,
            "dynamodb_replace_after_ms: below 1000 every restart of a node is taken for its loss"
        );
        ensure!(
            self.cache_replace_after_ms >= 1_000,
            "cache_replace_after_ms: below 1000 every restart of a node is taken for its loss"
        );
        ensure!(
            self.aurora_replace_after_ms >= 1_000,
            "aurora_replace_after_ms: below 1000 every restart of a node is taken for its loss"
        );
        ensure!(
            self.aurora_backup_every_ms == 0 || self.aurora_backup_every_ms >= 500,
            "aurora_backup_every_ms: below 500 the archive fills with small files"
        );
        ensure!(
            self.aurora_group_bytes >= 1 << 20,
            "aurora_group_bytes: below 1048576 a volume grows with each file"
        );
        ensure!(
            self.aurora_overlay_bytes >= 32 << 20,
            "aurora_overlay_bytes: below 33554432 readers begin again all the time"
        );
        ensure!(
            !self.engine_account.is_empty(),
            "engine_account: must name an account"
        );
        if let Some(archive) = &self.archive {
            archive.validate()?;
        }
        Ok(())
    }

    pub(crate) fn lease(&self) -> LeaseConfig {
        LeaseConfig {
            lease_ms: self.lease_ms,
            margin_ms: self.margin_ms,
        }
    }

    pub(crate) fn standby_loss(&self) -> Duration {
        Duration::from_millis(self.standby_loss_ms)
    }

    /// All names and addresses that an endpoint's certificate must hold.
    pub(crate) fn certificate_names(&self) -> Vec<String> {
        let mut names = vec![self.endpoint_address.to_string()];
        names.extend(self.endpoint_names.iter().cloned());
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_can_be_written_as_a_file() {
        let config = Config::default();
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(toml::from_str::<Config>("lease_msec = 5").is_err());
    }

    #[test]
    fn an_archive_is_a_folder_or_a_bucket() {
        let bucket = "[archive.s3]\nbucket = 'backups'\nendpoint = 'http://10.0.0.1:9000'\n";
        for (text, is_valid) in [
            ("[archive]\nfolder = '/srv/quorate'\n", true),
            ("[archive]\nfolder = 'quorate'\n", false),
            (&format!("{bucket}allow_http = true\n"), true),
            (bucket, false),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            assert_eq!(config.validate().is_ok(), is_valid, "{text}");
            let written = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<Config>(&written).unwrap(), config);
        }
        for text in ["[archive]\n", "[archive.s3]\nbucket = 'b'\nsecret = 'x'\n"] {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_cannot_work_are_refused() {
        for text in [
            "lease_ms = 10",
            "endpoint_ports = [9, 2]",
            "standby_loss_ms = 1",
            "dynamodb_split_bytes = 1",
            "dynamodb_replace_after_ms = 1",
            "aurora_backup_every_ms = 1",
            "aurora_overlay_bytes = 1",
            "dynamodb_split_heat_reads = 9",
            "dynamodb_split_heat_writes = 9",
        ] {
            let config: Config = toml::from_str(text).unwrap();
            assert!(config.validate().is_err(), "{text}");
        }
    }
}
