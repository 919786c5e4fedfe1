//! The parameters of MariaDB, as hosts report those of an engine.

use quorate_engines::mariadb::{MariadbParameter, ParameterKind, parameters};

use crate::model::{EngineParameters, ParameterContext, ParameterSpec};

/// What users may set.
#[must_use]
pub fn mariadb_parameters() -> EngineParameters {
    EngineParameters {
        parameters: parameters().iter().map(spec).collect(),
    }
}

fn spec(parameter: &MariadbParameter) -> ParameterSpec {
    let range = |min: u64, max: u64| Some((min.to_string(), max.to_string()));
    let (data_type, range, allowed): (_, _, &[&str]) = match parameter.kind {
        ParameterKind::Bool => ("bool", None, &[]),
        ParameterKind::Integer(min, max) => ("integer", range(min, max), &[]),
        ParameterKind::Real(min, max) => ("real", range(min, max), &[]),
        ParameterKind::Word(words) => ("enum", None, words),
        ParameterKind::Words(words) => ("words", None, words),
    };
    ParameterSpec {
        name: parameter.name.to_owned(),
        context: if parameter.dynamic {
            ParameterContext::Reload
        } else {
            ParameterContext::Start
        },
        data_type: data_type.to_owned(),
        range,
        allowed: allowed.iter().map(|word| (*word).to_owned()).collect(),
        default: String::new(),
        description: parameter.description.to_owned(),
    }
}
