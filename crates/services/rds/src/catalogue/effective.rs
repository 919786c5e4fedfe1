//! The settings that an instance's engine runs with, computed from its class and parameter group.

use std::collections::BTreeMap;

use crate::catalogue::{
    FormulaError, evaluate, find_class, find_default, is_owned, parameter_defaults,
};
use crate::model::ParameterGroup;

/// The parameter that says whether connections without TLS are refused. PostgreSQL does not know it: agents
/// carry it out in the engine's host-based access rules.
pub const FORCE_SSL: &str = "rds.force_ssl";

/// The parameter that has the log carry what logical decoding needs. Agents give it to the engine under other names.
pub const LOGICAL_REPLICATION: &str = "rds.logical_replication";

/// The beginning of the names of parameters that RDS has and PostgreSQL does not.
const RDS_PREFIX: &str = "rds.";

/// Why there are no effective settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EffectiveError {
    /// The class is not in the catalogue.
    #[error("the instance class `{0}` is not known")]
    UnknownClass(String),
    /// A formula of the group has no value.
    #[error("the parameter `{name}` has no value: {why}")]
    Formula {
        /// The parameter.
        name: String,
        /// What is wrong.
        why: FormulaError,
    },
}

/// The settings to give to the engine: RDS's defaults under what the group sets, formulas worked out, in the
/// parameters' own units. Holds neither what Quorate owns nor what the engine does not know (`rds.*`, but for
/// [`LOGICAL_REPLICATION`]).
///
/// # Errors
/// `UnknownClass`, or `Formula` for the first parameter without a value.
pub fn effective_parameters(
    engine_version: &str,
    class: &str,
    group: Option<&ParameterGroup>,
) -> Result<BTreeMap<String, String>, EffectiveError> {
    let class = find_class(class).ok_or_else(|| EffectiveError::UnknownClass(class.to_owned()))?;
    let defaults = parameter_defaults(engine_version).map(|d| (d.name, d.value));
    let set = group
        .into_iter()
        .flat_map(|group| &group.settings)
        .map(|(name, setting)| (name.as_str(), setting.value.as_str()));
    let mut effective = BTreeMap::new();
    for (name, value) in defaults.chain(set) {
        let is_foreign = name.starts_with(RDS_PREFIX) && name != LOGICAL_REPLICATION;
        if is_foreign || is_owned(name) {
            continue;
        }
        let value = evaluate(value, &class).map_err(|why| EffectiveError::Formula {
            name: name.to_owned(),
            why,
        })?;
        effective.insert(name.to_owned(), value);
    }
    Ok(effective)
}

/// Whether the group, or the version's default, refuses connections without TLS.
#[must_use]
pub fn force_ssl(engine_version: &str, group: Option<&ParameterGroup>) -> bool {
    let set = group
        .and_then(|group| group.settings.get(FORCE_SSL))
        .map(|setting| setting.value.as_str());
    let value = set.or_else(|| find_default(engine_version, FORCE_SSL).map(|d| d.value));
    matches!(value, Some("1" | "on" | "true"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApplyMethod, ParameterSetting};

    fn group(settings: &[(&str, &str)]) -> ParameterGroup {
        let setting = |value: &str| ParameterSetting {
            value: value.to_owned(),
            apply_method: ApplyMethod::PendingReboot,
        };
        ParameterGroup {
            family: "postgres15".into(),
            description: "d".into(),
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), setting(value)))
                .collect(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn a_group_wins_over_the_defaults() {
        let group = group(&[
            ("work_mem", "{DBInstanceClassMemory/1048576}"),
            ("max_connections", "50"),
            ("rds.force_ssl", "0"),
            ("rds.logical_replication", "1"),
            ("fsync", "off"),
        ]);
        let effective = effective_parameters("15.18", "db.t3.micro", Some(&group)).unwrap();
        assert_eq!(effective["work_mem"], "1024");
        assert_eq!(effective["max_connections"], "50");
        assert_eq!(effective["shared_buffers"], "32768");
        assert!(!effective.contains_key("rds.force_ssl"));
        assert_eq!(effective["rds.logical_replication"], "1");
        assert!(!effective.contains_key("fsync"));
        assert!(!force_ssl("15.18", Some(&group)));
        assert!(force_ssl("15.18", None));
    }

    #[test]
    fn what_cannot_be_worked_out_is_named() {
        let group = group(&[("work_mem", "{Nothing}")]);
        let error = effective_parameters("15.18", "db.t3.micro", Some(&group)).unwrap_err();
        assert!(error.to_string().contains("work_mem"), "{error}");
        assert!(effective_parameters("15.18", "db.t1.huge", None).is_err());
    }
}
