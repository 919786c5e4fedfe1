//! What hosts report that they can run, and what a request for a version means by it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_base::{NodeId, ZoneName};
use quorate_control::Stored;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::catalogue::{
    ApiEngine, Program, family_of, matches_version, program_version, version_key,
};
use crate::model::Host;

/// The engine of instances of their own.
pub(crate) const POSTGRES: &str = "postgres";

/// What hosts report that they can run.
pub(crate) struct Engines {
    /// The zones in which each version of a program can run, by the version as engines have it.
    versions: BTreeMap<(Program, Vec<u64>), (String, BTreeSet<ZoneName>)>,
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
            for engine in found {
                let mut programs = [Program::Postgres, Program::Mariadb].into_iter();
                let Some(program) = programs.find(|program| program.name() == engine.engine) else {
                    continue;
                };
                let entry = engines
                    .versions
                    .entry((program, version_key(&engine.version)))
                    .or_insert_with(|| (program.engine_version(&engine.version), BTreeSet::new()));
                entry.1.insert(node.zone());
            }
        }
        Ok(engines)
    }

    /// An engine's versions, newest first.
    pub(crate) fn versions(&self, engine: ApiEngine) -> impl Iterator<Item = &str> {
        let all = self.versions.iter().rev();
        all.filter(move |((program, _), _)| *program == engine.program())
            .map(|(_, (version, _))| version.as_str())
    }

    /// Families of parameter groups, each with its newest version: by engine, newest first.
    pub(crate) fn families(&self) -> Vec<(String, &str)> {
        let engines = ApiEngine::ALL.into_iter();
        engines
            .flat_map(|engine| self.families_of(engine))
            .collect()
    }

    /// Those of clusters.
    pub(crate) fn cluster_families(&self) -> Vec<(String, &str)> {
        let engines = ApiEngine::ALL.into_iter();
        let clusters = engines.filter(|engine| engine.is_clusters());
        clusters
            .flat_map(|engine| self.families_of(engine))
            .collect()
    }

    /// Families of an engine's parameter groups, newest first, each with its newest version.
    fn families_of(&self, engine: ApiEngine) -> Vec<(String, &str)> {
        let mut families: Vec<(String, &str)> = Vec::new();
        for version in self.versions(engine) {
            let family = family_of(engine.name(), version);
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
        engine: ApiEngine,
        asked: Option<&str>,
    ) -> Result<String, RdsError> {
        if self.zones_reported.is_empty() {
            return Err(RdsError::RegionStarting(context.region.name.clone()));
        }
        if self.versions(engine).next().is_none() {
            let program = engine.program();
            return Err(RdsError::InsufficientCapacity(format!(
                "No host of region {} has {}. Install it (apt-get install {}) and start the zones again.",
                context.region.name,
                program.title(),
                program.package()
            )));
        }
        let means = |version: &&str| asked.is_none_or(|asked| matches_version(version, asked));
        self.versions(engine)
            .find(means)
            .map(str::to_owned)
            .ok_or_else(|| {
                RdsError::InvalidCombination(format!(
                    "Cannot find version {} for {}",
                    asked.unwrap_or_default(),
                    engine.name()
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
            .get(&(
                Program::of_version(version),
                version_key(program_version(version)),
            ))
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
