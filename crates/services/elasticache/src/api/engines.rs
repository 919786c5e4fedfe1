//! What hosts report that they can run, what a request for a version means by it, and `DescribeCacheEngineVersions`.

use std::collections::{BTreeMap, BTreeSet};

use quorate_base::{NodeId, ZoneName};
use quorate_control::Stored;
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::ElastiCacheError;
use crate::catalogue::{default_group, family_of, version_key};
use crate::model::{Engine, Host};

/// Sentinels agree by a majority of three, or by both of two.
const SENTINEL_ZONES_MIN: usize = 2;

/// An engine with the numbers of its version, to order by.
type VersionKey = (Engine, Vec<u64>);

/// What hosts report that they can run.
pub(crate) struct Engines {
    /// The zones in which each version of each engine can run.
    versions: BTreeMap<VersionKey, (String, BTreeSet<ZoneName>)>,
    zones_reported: BTreeSet<ZoneName>,
    sentinel_zones: BTreeSet<ZoneName>,
}

impl Engines {
    pub(crate) async fn read(context: &Context<'_>) -> Result<Engines, ElastiCacheError> {
        let hosts: Vec<Stored<Host>> = context.list().await?;
        let mut engines = Engines {
            versions: BTreeMap::new(),
            zones_reported: BTreeSet::new(),
            sentinel_zones: BTreeSet::new(),
        };
        for host in hosts {
            let Ok(node) = host.id.parse::<NodeId>() else {
                continue;
            };
            engines.zones_reported.insert(node.zone());
            if host.record.sentinel {
                engines.sentinel_zones.insert(node.zone());
            }
            for found in host.record.engines {
                let key = (found.engine, version_key(&found.version));
                let entry = engines.versions.entry(key);
                let entry = entry.or_insert_with(|| (found.version, BTreeSet::new()));
                entry.1.insert(node.zone());
            }
        }
        Ok(engines)
    }

    /// Versions of an engine, newest first.
    fn versions(&self, engine: Engine) -> impl Iterator<Item = &str> {
        let all = self.versions.iter().rev();
        all.filter(move |((of, _), _)| *of == engine)
            .map(|(_, (version, _))| version.as_str())
    }

    /// Families of parameter groups that hosts can run.
    pub(crate) fn families(&self) -> BTreeSet<String> {
        let of = |((engine, _), (version, _)): (&VersionKey, &(String, BTreeSet<ZoneName>))| {
            family_of(*engine, version)
        };
        self.versions.iter().filter_map(of).collect()
    }

    /// The groups `default.FAMILY` and `default.FAMILY.cluster.on`, each with its family.
    pub(crate) fn default_groups(&self) -> Vec<(String, String)> {
        let of = |family: String| {
            let plain = (default_group(&family, false), family.clone());
            let cluster = (default_group(&family, true), family.clone());
            let both = !family.starts_with(Engine::Memcached.as_str());
            [Some(plain), both.then_some(cluster)]
        };
        self.families().into_iter().flat_map(of).flatten().collect()
    }

    /// The version that a request means: the newest of all, or the newest of those that it begins.
    pub(crate) fn resolve(
        &self,
        context: &Context<'_>,
        engine: Engine,
        asked: Option<&str>,
    ) -> Result<String, ElastiCacheError> {
        if self.zones_reported.is_empty() {
            let region = context.region.name.clone();
            return Err(ElastiCacheError::RegionStarting(region));
        }
        let offered: Vec<&str> = self.versions(engine).collect();
        if offered.is_empty() {
            return Err(ElastiCacheError::InsufficientCapacity(format!(
                "No host of region {} has {engine}. Install the package {} and start the zones again.",
                context.region.name,
                package(engine)
            )));
        }
        let means = |version: &&&str| asked.is_none_or(|asked| matches_version(version, asked));
        let found = offered.iter().find(means);
        found.map(|version| (*version).to_owned()).ok_or_else(|| {
            ElastiCacheError::InvalidCombination(format!(
                "Cannot find version {} for {engine}. Hosts of this region have: {}.",
                asked.unwrap_or_default(),
                offered.join(", ")
            ))
        })
    }

    /// Checks that a version can run where it is wanted. A region whose zones have not all reported yet is given the
    /// benefit of the doubt: members are then placed when they have.
    pub(crate) fn check_zones(
        &self,
        context: &Context<'_>,
        engine: Engine,
        version: &str,
        zones: &[ZoneName],
    ) -> Result<(), ElastiCacheError> {
        if !self.has_reported(context) {
            return Ok(());
        }
        let none = BTreeSet::new();
        let able = self.versions.get(&(engine, version_key(version)));
        let able = able.map_or(&none, |(_, zones)| zones);
        match zones.iter().find(|zone| !able.contains(zone)) {
            None => Ok(()),
            Some(zone) => Err(ElastiCacheError::InsufficientCapacity(format!(
                "No host of zone {zone} has {engine} {version}. Install the package {} there, or choose another zone.",
                package(engine)
            ))),
        }
    }

    /// Checks that there are Sentinels enough for automatic failover.
    pub(crate) fn check_sentinels(&self, context: &Context<'_>) -> Result<(), ElastiCacheError> {
        if !self.has_reported(context) || self.sentinel_zones.len() >= SENTINEL_ZONES_MIN {
            return Ok(());
        }
        Err(ElastiCacheError::InsufficientCapacity(format!(
            "Automatic failover needs Sentinel on hosts of {SENTINEL_ZONES_MIN} zones, and {} zone(s) of region {} have \
             it. Install the package redis-sentinel (or valkey-sentinel), or set AutomaticFailoverEnabled to false.",
            self.sentinel_zones.len(),
            context.region.name
        )))
    }

    fn has_reported(&self, context: &Context<'_>) -> bool {
        let mut zones = context.region.zones.iter();
        zones.all(|zone| self.zones_reported.contains(zone))
    }
}

/// The engine of that name.
pub(crate) fn engine(name: &str) -> Result<Engine, ElastiCacheError> {
    Engine::from_name(&name.to_ascii_lowercase()).ok_or_else(|| {
        ElastiCacheError::InvalidValue(format!(
            "Invalid value '{name}' for Engine. Valid values are: redis, valkey, memcached."
        ))
    })
}

/// `DescribeCacheEngineVersions`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let engines = Engines::read(context).await?;
    let default_only = context.flag("DefaultOnly")?;
    let mut rows: Vec<(Engine, String, String)> = Vec::new();
    for ((engine, _), (version, _)) in engines.versions.iter().rev() {
        let family = family_of(*engine, version).unwrap_or_default();
        let wanted = params
            .text("Engine")
            .is_none_or(|asked| asked.eq_ignore_ascii_case(engine.as_str()))
            && params
                .text("EngineVersion")
                .is_none_or(|asked| matches_version(version, asked))
            && params
                .text("CacheParameterGroupFamily")
                .is_none_or(|asked| asked == family);
        let newest = rows.iter().all(|(of, ..)| of != engine);
        if wanted && (newest || !default_only) {
            rows.push((*engine, version.clone(), family));
        }
    }
    let page = page.cut(rows, |(engine, version, _)| {
        let numbers = version_key(version).into_iter();
        let numbers: Vec<String> = numbers.map(|n| format!("{n:06}")).collect();
        format!("{engine}/{}", numbers.join("."))
    });
    Ok(
        page.into_result("CacheEngineVersions", |(engine, version, family)| {
            Element::new("CacheEngineVersion")
                .field("Engine", engine)
                .field("EngineVersion", &version)
                .field("CacheParameterGroupFamily", family)
                .field("CacheEngineDescription", title(engine))
                .field(
                    "CacheEngineVersionDescription",
                    format!("{engine} version {version}"),
                )
        }),
    )
}

/// Whether a version is the one asked for, in full, by its first numbers, or as in `6.x`.
fn matches_version(version: &str, asked: &str) -> bool {
    let asked = asked.strip_suffix(".x").unwrap_or(asked);
    let rest = version.strip_prefix(asked);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn title(engine: Engine) -> &'static str {
    match engine {
        Engine::Redis => "Redis",
        Engine::Valkey => "Valkey",
        Engine::Memcached => "memcached",
    }
}

/// The Debian package of an engine.
fn package(engine: Engine) -> &'static str {
    match engine {
        Engine::Redis => "redis-server",
        Engine::Valkey => "valkey-server",
        Engine::Memcached => "memcached",
    }
}
