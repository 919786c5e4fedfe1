//! The parameters that a member's engine should run with: the cluster's group under the member's own.

use std::collections::BTreeMap;

use crate::aurora::model::{Cluster, ClusterMember, ClusterParameterGroup};
use crate::catalogue::EffectiveError;
use crate::model::ParameterGroup;
use crate::parameters::WantedParameters;

/// What an engine is given, apart from what its member dictates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberParameters {
    /// Settings by name, formulas worked out.
    pub settings: BTreeMap<String, String>,
    /// Whether connections without TLS are refused.
    pub force_ssl: bool,
    /// Tells one set from another: what `ParametersApplied::digest` holds.
    pub digest: String,
}

/// What a member's class and both groups ask for. A parameter that both groups set has the member's value.
///
/// # Errors
/// As [`crate::catalogue::effective_parameters`].
pub fn member_parameters(
    cluster: &Cluster,
    member: &ClusterMember,
    cluster_group: Option<&ClusterParameterGroup>,
    member_group: Option<&ParameterGroup>,
) -> Result<MemberParameters, EffectiveError> {
    let mut settings = cluster_group.map_or_else(BTreeMap::new, |group| group.settings.clone());
    settings.extend(member_group.iter().flat_map(|group| group.settings.clone()));
    let merged = ParameterGroup {
        family: String::new(),
        description: String::new(),
        settings,
        tags: Vec::new(),
    };
    let version = &cluster.settings.engine_version;
    let wanted = WantedParameters::of_class(version, &member.class, Some(&merged))?;
    let digest = wanted.digest();
    Ok(MemberParameters {
        settings: wanted.settings,
        force_ssl: wanted.force_ssl,
        digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::fixture;
    use crate::model::{ApplyMethod, ParameterSetting};

    fn settings(of: &[(&str, &str)]) -> BTreeMap<String, ParameterSetting> {
        let setting = |value: &str| ParameterSetting {
            value: value.to_owned(),
            apply_method: ApplyMethod::PendingReboot,
        };
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), setting(value)))
            .collect()
    }

    #[test]
    fn a_members_own_group_goes_before_the_clusters() {
        let cluster = fixture::cluster(1);
        let of_cluster = ClusterParameterGroup {
            family: "aurora-postgresql15".into(),
            description: "d".into(),
            settings: settings(&[("work_mem", "1000"), ("max_connections", "70")]),
            tags: Vec::new(),
        };
        let of_member = ParameterGroup {
            family: "aurora-postgresql15".into(),
            description: "d".into(),
            settings: settings(&[("work_mem", "2000")]),
            tags: Vec::new(),
        };
        let member = &cluster.members["m1"];
        let both = member_parameters(&cluster, member, Some(&of_cluster), Some(&of_member));
        let both = both.unwrap();
        assert_eq!(both.settings["work_mem"], "2000");
        assert_eq!(both.settings["max_connections"], "70");
        let neither = member_parameters(&cluster, member, None, None).unwrap();
        assert_ne!(neither.digest, both.digest);
    }
}
