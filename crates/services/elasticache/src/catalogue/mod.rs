//! What caches can be made of: node types, families, parameters, commands.
//!
//! Owns AWS's figures and the rules of parameters. Pure: agents render an engine's configuration with the same functions
//! that the API answers from.

mod commands;
mod effective;
mod families;
mod node_types;
mod parameters;

pub use commands::is_command;
pub use effective::{Directive, effective_parameters, parameters_digest};
pub use families::{default_group, engine_of_family, family_of, version_key};
pub use node_types::{NodeType, find_node_type, node_types};
pub use parameters::{ChangeType, Parameter, ParameterKind, find_parameter, parameters_of};
