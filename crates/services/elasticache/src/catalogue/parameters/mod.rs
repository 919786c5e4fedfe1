//! Parameters of cache parameter groups: what there is, what it may be, who owns it.

mod memcached;
mod redis;
mod value;

use crate::catalogue::families::{engine_of_family, version_key};
use crate::model::Engine;

/// One parameter of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// As in `maxmemory-policy`.
    pub name: &'static str,
    /// What holds where no group says otherwise.
    pub default: &'static str,
    /// What values it takes.
    pub kind: ParameterKind,
    /// Whether users may set it.
    pub modifiable: bool,
    /// When a change takes effect.
    pub change: ChangeType,
    /// The first version of the engine that has it.
    pub since: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// `yes` or `no`.
    YesNo,
    /// `0` or `1`.
    Bit,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// Zero, or a whole number within bounds.
    ZeroOr(i64, i64),
    /// A number above one with a fraction.
    Factor,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any of these letters, each at most once.
    Letters(&'static str),
    /// Text that only the product writes.
    Owned,
}

/// `ChangeType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeType {
    /// Engines take it while they run.
    Immediate,
    /// Engines take it when they start.
    RequiresReboot,
}

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
