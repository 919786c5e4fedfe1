//! Versions and families of parameter groups.

use crate::model::Engine;

/// A version's numbers, to compare versions by: `7.0.15` is above `7.0.9`.
#[must_use]
pub fn version_key(version: &str) -> Vec<u64> {
    let numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    numbers.collect()
}

/// The family of an engine's version: `redis7`, `redis6.x`, `valkey8`, `memcached1.6`. None for versions that no family is
/// known for.
#[must_use]
pub fn family_of(engine: Engine, version: &str) -> Option<String> {
    let key = version_key(version);
    let (major, minor) = (*key.first()?, key.get(1).copied().unwrap_or(0));
    match engine {
        Engine::Redis if major == 6 => Some(String::from("redis6.x")),
        Engine::Redis if major >= 7 => Some(format!("redis{major}")),
        Engine::Valkey if major >= 7 => Some(format!("valkey{major}")),
        Engine::Memcached if major >= 1 => Some(format!("memcached{major}.{minor}")),
        _ => None,
    }
}

/// The engine that a family is of.
#[must_use]
pub fn engine_of_family(family: &str) -> Option<Engine> {
    let engines = [Engine::Redis, Engine::Valkey, Engine::Memcached];
    let of = |engine: &Engine| {
        let rest = family.strip_prefix(engine.as_str());
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    engines.into_iter().find(of)
}

/// The default parameter group of a family.
#[must_use]
pub fn default_group(family: &str, cluster_mode: bool) -> String {
    let suffix = if cluster_mode { ".cluster.on" } else { "" };
    format!("default.{family}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_the_names_of_aws() {
        let cases = [
            (Engine::Redis, "7.0.15", Some("redis7")),
            (Engine::Redis, "6.2.7", Some("redis6.x")),
            (Engine::Redis, "5.0.6", None),
            (Engine::Valkey, "8.1.1", Some("valkey8")),
            (Engine::Memcached, "1.6.18", Some("memcached1.6")),
        ];
        for (engine, version, family) in cases {
            assert_eq!(family_of(engine, version).as_deref(), family, "{version}");
            if let Some(family) = family {
                assert_eq!(engine_of_family(family), Some(engine));
            }
        }
        assert_eq!(engine_of_family("redis"), None);
        assert!(version_key("7.0.15") > version_key("7.0.9"));
    }
}
