//! What hosts report that they can run, and what a request for a version means by it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_base::{NodeId, ZoneName};
use quorate_control::Stored;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::AURORA_POSTGRESQL;
use crate::catalogue::{family_of, major_of, version_key};
use crate::model::Host;

/// The engine of instances of their own.
pub(crate) const POSTGRES: &str = "postgres";

/// Every engine that is offered; all run the program of [`POSTGRES`].
pub(crate) const ENGINES: [&str; 2] = [POSTGRES, AURORA_POSTGRESQL];

/// What hosts report that they can run.
pub(crate) struct Engines {
    /// The zones in which each version can run.
    versions: BTreeMap<Vec<u64>, (String, BTreeSet<ZoneName>)>,
    zones_reported: BTreeSet<ZoneName>,
}

impl Engines {
    pub(crate) async fn read(context: &Context<'_>) -> Result<Engines, RdsError> {
        let hosts: Vec<Stored<Host>> = context.list().await?;
        let mut engines = Engines {
            versions: BTreeMap::new(),
            zones_reported: BTreeSet::new(),
        };
        for host in hosts {
            let Ok(node) = host.id.parse::<NodeId>() else {
                continue;
            };
            engines.zones_reported.insert(node.zone());
            let found = host.record.engines.into_iter();
            for engine in found.filter(|engine| engine.engine == POSTGRES) {
                let entry = engines
                    .versions
                    .entry(version_key(&engine.version))
                    .or_insert_with(|| (engine.version, BTreeSet::new()));
                entry.1.insert(node.zone());
            }
        }
        Ok(engines)
    }

    /// Versions, newest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &str> {
        self.versions
            .values()
            .rev()
            .map(|(version, _)| version.as_str())
    }

    /// Families of parameter groups, each with its newest version: by engine, newest first.
    pub(crate) fn families(&self) -> Vec<(String, &str)> {
        ENGINES
            .iter()
            .flat_map(|engine| self.families_of(engine))
            .collect()
    }

    /// Families of an engine's parameter groups, newest first, each with its newest version.
    pub(crate) fn families_of(&self, engine: &str) -> Vec<(String, &str)> {
        let mut families: Vec<(String, &str)> = Vec::new();
        for version in self.versions() {
            let family = family_of(engine, version);
            if families.iter().all(|(known, _)| *known != family) {
                families.push((family, version));
            }
        }
        families
    }

    /// The version that a request means: the newest of all, the newest of a major version, or just that one.
    pub(crate) fn resolve(
        &self,
        context: &Context<'_>,
        engine: &str,
        asked: Option<&str>,
    ) -> Result<String, RdsError> {
        if self.zones_reported.is_empty() {
            return Err(RdsError::RegionStarting(context.region.name.clone()));
        }
        if self.versions.is_empty() {
            return Err(RdsError::InsufficientCapacity(format!(
                "No host of region {} has PostgreSQL. Install it (apt-get install postgresql) and start the zones again.",
                context.region.name
            )));
        }
        let means = |version: &&str| asked.is_none_or(|asked| matches_version(version, asked));
        self.versions()
            .find(means)
            .map(str::to_owned)
            .ok_or_else(|| {
                RdsError::InvalidCombination(format!(
                    "Cannot find version {} for {engine}",
                    asked.unwrap_or_default()
                ))
            })
    }

    /// Checks that the version can run where it is wanted. A region whose zones have not all reported yet
    /// is given the benefit of the doubt: the instance is then placed when they have.
    pub(crate) fn check_capacity(
        &self,
        context: &Context<'_>,
        version: &str,
        zone: Option<&ZoneName>,
        multi_az: bool,
    ) -> Result<(), RdsError> {
        let zones_all = &context.region.zones;
        if !zones_all.iter().all(|z| self.zones_reported.contains(z)) {
            return Ok(());
        }
        let none = BTreeSet::new();
        let able = self
            .versions
            .get(&version_key(version))
            .map_or(&none, |(_, zones)| zones);
        if let Some(zone) = zone.filter(|zone| !able.contains(zone)) {
            return Err(RdsError::InsufficientCapacity(format!(
                "No host of zone {zone} has PostgreSQL {version}. Install it there, or choose another zone or version."
            )));
        }
        if able.is_empty() || (multi_az && able.len() < 2) {
            return Err(RdsError::InsufficientCapacity(format!(
                "Hosts of {} zone(s) have PostgreSQL {version}; a Multi-AZ instance needs two, any other one.",
                able.len()
            )));
        }
        Ok(())
    }
}

/// Whether a version is the one asked for, in full or by its major version.
pub(super) fn matches_version(version: &str, asked: &str) -> bool {
    version == asked || major_of(version) == asked
}
