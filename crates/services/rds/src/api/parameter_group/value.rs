//! Whether a parameter takes a value.

use crate::api::error::RdsError;
use crate::api::parameter_group::spec;
use crate::catalogue::{evaluate, find_class, is_formula};
use crate::model::ParameterSpec;

/// The class that formulas are tried with.
const SAMPLE_CLASS: &str = "db.t3.micro";
const VALUE_CHARS_MAX: usize = 4_096;

/// Checks a value against a parameter's type, range and words. Numbers are in the parameter's own unit, as in
/// RDS; numbers alone may be formulas.
pub(super) fn check(spec: &ParameterSpec, value: &str) -> Result<(), RdsError> {
    let numeric = matches!(spec.data_type.as_str(), "integer" | "real");
    let fits = if numeric && is_formula(value) {
        let class = find_class(SAMPLE_CLASS).expect("the sample class is in the catalogue");
        evaluate(value, &class).map_err(|why| RdsError::InvalidValue(why.to_string()))?;
        true
    } else {
        match spec.data_type.as_str() {
            "bool" => matches!(
                value.to_ascii_lowercase().as_str(),
                "0" | "1" | "on" | "off" | "true" | "false"
            ),
            "integer" => value.parse::<i64>().is_ok() && in_range(spec, value),
            "real" => in_range(spec, value),
            _ => is_text(spec, value),
        }
    };
    if fits {
        return Ok(());
    }
    let allowed = spec::allowed_values(spec);
    Err(RdsError::InvalidValue(format!(
        "Invalid parameter value: {value} for: {} allowed values are: {}",
        spec.name.to_ascii_lowercase(),
        allowed.as_deref().unwrap_or("plain text on one line")
    )))
}

fn in_range(spec: &ParameterSpec, value: &str) -> bool {
    let Some(value) = value.parse::<f64>().ok().filter(|value| value.is_finite()) else {
        return false;
    };
    let Some((min, max)) = &spec.range else {
        return true;
    };
    let bound = |text: &str, open: f64| text.parse::<f64>().unwrap_or(open);
    (bound(min, f64::MIN)..=bound(max, f64::MAX)).contains(&value)
}

fn is_text(spec: &ParameterSpec, value: &str) -> bool {
    let words = spec::words(spec);
    let known = |word: &str| {
        words
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(word))
    };
    if spec::is_list(spec) {
        return value.is_empty() || value.split(',').all(|library| known(library.trim()));
    }
    let plain = value.len() <= VALUE_CHARS_MAX && !value.chars().any(char::is_control);
    if spec.data_type == "enum" && words.is_empty() {
        return plain
            && value
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c));
    }
    plain && (words.is_empty() || known(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ParameterContext;

    fn spec(name: &str, data_type: &str, range: Option<(&str, &str)>) -> ParameterSpec {
        ParameterSpec {
            name: name.into(),
            context: ParameterContext::Reload,
            data_type: data_type.into(),
            range: range.map(|(min, max)| (min.into(), max.into())),
            allowed: Vec::new(),
            default: String::new(),
            description: String::new(),
        }
    }

    #[test]
    fn values_are_held_against_type_and_range() {
        let memory = spec("work_mem", "integer", Some(("64", "2147483647")));
        let cost = spec("random_page_cost", "real", Some(("0", "1.79769e+308")));
        let statement = spec("log_statement", "enum", None);
        let libraries = spec("shared_preload_libraries", "string", None);
        let modes = ParameterSpec {
            allowed: vec!["ANSI".into(), "TRADITIONAL".into()],
            ..spec("sql_mode", "words", None)
        };
        for (spec, value, fits) in [
            (&memory, "64", true),
            (&memory, "63", false),
            (&memory, "64MB", false),
            (&memory, "{DBInstanceClassMemory/65536}", true),
            (&memory, "{Memory}", false),
            (&cost, "1.1", true),
            (&cost, "-1", false),
            (&cost, "NaN", false),
            (&statement, "ddl", true),
            (&statement, "some", false),
            (&libraries, "pg_stat_statements, auto_explain", true),
            (&libraries, "/tmp/evil.so", false),
            (&modes, "ANSI,traditional", true),
            (&modes, "ANSI'", false),
            (&spec("search_path", "string", None), "a\nb", false),
            (&spec("enable_seqscan", "bool", None), "off", true),
            (&spec("enable_seqscan", "bool", None), "maybe", false),
        ] {
            assert_eq!(check(spec, value).is_ok(), fits, "{} = {value}", spec.name);
        }
    }

    #[test]
    fn the_refusal_names_what_is_allowed() {
        let memory = spec("work_mem", "integer", Some(("64", "2147483647")));
        assert_eq!(
            check(&memory, "1").unwrap_err().to_string(),
            "Invalid parameter value: 1 for: work_mem allowed values are: 64-2147483647"
        );
    }
}
