//! The parameters of a family: what the engine tells of them, and what RDS adds.

use std::collections::BTreeMap;

use crate::api::context::Context;
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::catalogue::{
    FORCE_SSL, LOGICAL_REPLICATION, Program, enum_words, is_owned, program_version,
};
use crate::model::{EngineParameters, ParameterContext, ParameterSpec};

/// The words of boolean parameters, as RDS shows them.
const BOOLEAN_ALLOWED: &str = "0,1";

/// The libraries that may be loaded into every backend: those of PostgreSQL's own contrib packages and the
/// extensions that RDS allows. Any other name would keep the engine from starting.
const PRELOAD_LIBRARIES: [&str; 8] = [
    "auto_explain",
    "pg_cron",
    "pg_hint_plan",
    "pg_partman_bgw",
    "pg_prewarm",
    "pg_stat_statements",
    "pgaudit",
    "plprofiler",
];
const PRELOAD_PARAMETERS: [&str; 2] = ["shared_preload_libraries", "session_preload_libraries"];

/// The parameters of a family, by their names in lower case.
pub(crate) struct FamilySpecs {
    /// The newest version of the family, whose parameters these are.
    pub(super) version: String,
    pub(super) specs: BTreeMap<String, ParameterSpec>,
}

impl FamilySpecs {
    /// Reads the parameters that hosts report for the newest version of a family.
    pub(crate) async fn read(context: &Context<'_>, family: &str) -> Result<FamilySpecs, RdsError> {
        let engines = Engines::read(context).await?;
        let families = engines.families();
        let version = families
            .iter()
            .find(|(known, _)| known == family)
            .map(|(_, version)| (*version).to_owned())
            .ok_or_else(|| {
                RdsError::InsufficientCapacity(format!(
                    "No host of region {} can run {family}, so its parameters are not known.",
                    context.region.name
                ))
            })?;
        let program = Program::of_version(&version);
        let id = format!("{}-{}", program.name(), program_version(&version));
        let stored = context
            .read::<EngineParameters>(&id)
            .await?
            .ok_or_else(|| RdsError::RegionStarting(context.region.name.clone()))?;
        let added = (program == Program::Postgres).then(rds_specs);
        let specs = stored.record.parameters.into_iter();
        let specs = specs.chain(added.into_iter().flatten());
        let specs = specs.map(|spec| (spec.name.to_ascii_lowercase(), spec));
        Ok(FamilySpecs {
            version,
            specs: specs.collect(),
        })
    }
}

/// Whether users may set the parameter.
pub(super) fn is_modifiable(spec: &ParameterSpec) -> bool {
    spec.context != ParameterContext::Internal && !is_owned(&spec.name.to_ascii_lowercase())
}

/// `static` or `dynamic`.
pub(super) fn apply_type(spec: &ParameterSpec) -> &'static str {
    match spec.context {
        ParameterContext::Internal | ParameterContext::Start => "static",
        ParameterContext::Reload => "dynamic",
    }
}

/// AWS's word for the type.
pub(super) fn data_type(spec: &ParameterSpec) -> &'static str {
    match spec.data_type.as_str() {
        "bool" => "boolean",
        "integer" => "integer",
        "real" => "float",
        _ if is_list(spec) => "list",
        _ => "string",
    }
}

/// The words that the parameter takes, where it takes only some.
pub(super) fn words(spec: &ParameterSpec) -> Vec<&str> {
    if is_preload(spec) {
        PRELOAD_LIBRARIES.to_vec()
    } else if spec.data_type == "enum" && spec.allowed.is_empty() {
        enum_words(&spec.name).unwrap_or_default().to_vec()
    } else {
        spec.allowed.iter().map(String::as_str).collect()
    }
}

/// `AllowedValues`.
pub(super) fn allowed_values(spec: &ParameterSpec) -> Option<String> {
    if spec.data_type == "bool" {
        return Some(BOOLEAN_ALLOWED.to_owned());
    }
    if let Some((min, max)) = &spec.range {
        return Some(format!("{min}-{max}"));
    }
    let words = words(spec);
    (!words.is_empty()).then(|| words.join(","))
}

/// Whether the parameter takes several words, with commas between them.
pub(super) fn is_list(spec: &ParameterSpec) -> bool {
    is_preload(spec) || spec.data_type == "words"
}

/// Whether the parameter is a list of libraries.
fn is_preload(spec: &ParameterSpec) -> bool {
    PRELOAD_PARAMETERS.contains(&spec.name.as_str())
}

/// The parameters that RDS adds to the engine's own.
fn rds_specs() -> [ParameterSpec; 2] {
    let boolean = |name: &str, context, default: &str, description: &str| ParameterSpec {
        name: name.to_owned(),
        context,
        data_type: String::from("bool"),
        range: None,
        allowed: Vec::new(),
        default: default.to_owned(),
        description: description.to_owned(),
    };
    let told = "Refuses connections that do not use TLS.";
    let force_ssl = boolean(FORCE_SSL, ParameterContext::Reload, "1", told);
    let told = "Has the log carry what logical decoding needs.";
    let logical = boolean(LOGICAL_REPLICATION, ParameterContext::Start, "0", told);
    [force_ssl, logical]
}
