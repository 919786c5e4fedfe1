//! What RDS offers: instance classes, parameter defaults and formulas, and who owns which parameter.
//!
//! Pure tables and functions over them. Must not know records other than parameter groups, nor any I/O.

mod classes;
mod defaults;
mod effective;
mod engine;
mod enum_words;
mod formula;
mod mariadb;
mod owned_parameters;
mod versions;

pub use classes::{InstanceClass, all_classes, find_class};
pub use defaults::{ParameterDefault, find_default, parameter_defaults};
pub use effective::{
    EffectiveError, FORCE_SSL, LOGICAL_REPLICATION, effective_parameters, force_ssl,
};
pub use engine::{
    AURORA_MYSQL, AURORA_POSTGRESQL, ApiEngine, Program, family_of, major_of, matches_version,
    program_version,
};
pub use enum_words::enum_words;
pub use formula::{FormulaError, evaluate, is_formula};
pub use mariadb::mariadb_parameters;
pub use owned_parameters::is_owned;
pub use versions::version_key;
