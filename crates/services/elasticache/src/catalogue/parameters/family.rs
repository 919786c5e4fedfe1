//! The parameters of a family.

use crate::catalogue::families::{engine_of_family, version_key};
use crate::catalogue::parameters::{Parameter, memcached, redis};
use crate::model::Engine;

/// The parameters of a family, in the order of their names. Empty for a family of no known engine.
#[must_use]
pub fn parameters_of(family: &str) -> Vec<&'static Parameter> {
    let Some(engine) = engine_of_family(family) else {
        return Vec::new();
    };
    let table = match engine {
        Engine::Redis | Engine::Valkey => redis::PARAMETERS,
        Engine::Memcached => memcached::PARAMETERS,
    };
    let newest = family
        .trim_start_matches(engine.as_str())
        .replace(".x", ".99");
    let newest = version_key(&format!("{newest}.99"));
    let mut found: Vec<&Parameter> = table
        .iter()
        .filter(|parameter| version_key(parameter.since) <= newest)
        .collect();
    found.sort_by_key(|parameter| parameter.name);
    found
}

/// The parameter of that name in a family.
#[must_use]
pub fn find_parameter(family: &str, name: &str) -> Option<&'static Parameter> {
    let mut all = parameters_of(family).into_iter();
    all.find(|parameter| parameter.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_that_may_be_set() {
        for family in ["redis6.x", "redis7", "valkey8", "memcached1.6"] {
            let parameters = parameters_of(family);
            assert!(parameters.len() > 15, "{family}");
            for parameter in parameters.iter().filter(|p| p.modifiable) {
                assert_eq!(parameter.check(parameter.default), Ok(()), "{parameter:?}");
            }
            assert!(parameters.windows(2).all(|two| two[0].name < two[1].name));
        }
        assert!(parameters_of("oracle9").is_empty());
    }

    #[test]
    fn younger_parameters_are_not_in_older_families() {
        assert!(find_parameter("redis6.x", "hash-max-listpack-entries").is_none());
        assert!(find_parameter("redis7", "hash-max-listpack-entries").is_some());
        assert!(find_parameter("redis6.x", "maxmemory-policy").is_some());
    }
}
