//! The parameters that an instance's engine should run with, and whether it does.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::catalogue::{EffectiveError, effective_parameters, force_ssl};
use crate::model::{Instance, ParameterGroup};

/// What an engine is given, apart from what its member dictates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedParameters {
    /// Settings by name.
    pub(crate) settings: BTreeMap<String, String>,
    /// Whether connections without TLS are refused.
    pub(crate) force_ssl: bool,
}

impl WantedParameters {
    /// What the instance's class, version and group ask for.
    pub(crate) fn of(
        instance: &Instance,
        group: Option<&ParameterGroup>,
    ) -> Result<WantedParameters, EffectiveError> {
        let settings = &instance.settings;
        WantedParameters::of_class(&settings.engine_version, &settings.class, group)
    }

    /// What a class, a version and a group ask for.
    pub(crate) fn of_class(
        engine_version: &str,
        class: &str,
        group: Option<&ParameterGroup>,
    ) -> Result<WantedParameters, EffectiveError> {
        Ok(WantedParameters {
            settings: effective_parameters(engine_version, class, group)?,
            force_ssl: force_ssl(engine_version, group),
        })
    }

    /// Raises settings to what a follower must have at least: its primary may run with more than its own class asks for.
    pub(crate) fn raise_to(&mut self, floors: &BTreeMap<String, u64>) {
        raise_to(&mut self.settings, floors);
    }

    /// Tells one set from another.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, value) in &self.settings {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(value.as_bytes());
            hash.update([0]);
        }
        hash.update([u8::from(self.force_ssl)]);
        hash.finalize()[..12]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Whether some of these settings lie below what a follower needs.
pub(crate) fn falls_short(
    settings: &BTreeMap<String, String>,
    floors: &BTreeMap<String, u64>,
) -> bool {
    let mut needs = settings.clone();
    raise_to(&mut needs, floors);
    needs != *settings
}

/// Raises settings to at least these numbers.
pub(crate) fn raise_to(settings: &mut BTreeMap<String, String>, floors: &BTreeMap<String, u64>) {
    for (name, floor) in floors {
        let own = settings
            .get(name)
            .and_then(|value| value.parse::<u64>().ok());
        if own.is_none_or(|own| own < *floor) {
            settings.insert(name.clone(), floor.to_string());
        }
    }
}

/// Whether the primary's engine runs with what is asked for, nothing waiting for a restart. A group that cannot
/// be worked out never is.
pub(crate) fn parameters_in_force(instance: &Instance, group: Option<&ParameterGroup>) -> bool {
    let applied = &instance.parameters_applied;
    WantedParameters::of(instance, group)
        .is_ok_and(|wanted| !applied.pending_reboot && applied.digest == wanted.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_followers_settings_are_raised_and_never_lowered() {
        let settings = [("max_connections", "50"), ("max_worker_processes", "16")];
        let mut wanted = WantedParameters {
            settings: settings.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            force_ssl: true,
        };
        let floors = [("max_connections", 112), ("max_worker_processes", 8)];
        wanted.raise_to(&floors.map(|(n, v)| (n.to_owned(), v)).into());
        assert_eq!(wanted.settings["max_connections"], "112");
        assert_eq!(wanted.settings["max_worker_processes"], "16");
    }
}
