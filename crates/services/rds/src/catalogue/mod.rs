//! What RDS offers: instance classes, parameter defaults and formulas, and who owns which parameter.
//!
//! Pure tables and functions over them. Must not know records other than parameter groups, nor any I/O.

mod classes;
mod defaults;
mod effective;
mod enum_words;
mod formula;
mod owned_parameters;
mod versions;

pub use classes::{InstanceClass, all_classes, find_class};
pub use defaults::{ParameterDefault, find_default, parameter_defaults};
pub use effective::{
    EffectiveError, FORCE_SSL, LOGICAL_REPLICATION, effective_parameters, force_ssl,
};
pub use enum_words::enum_words;
pub use formula::{FormulaError, evaluate, is_formula};
pub use owned_parameters::is_owned;
pub use versions::{family_of, major_of, version_key};
