//! Parameters of cache parameter groups: what there is, what it may be, who owns it.

mod family;
mod memcached;
mod parameter;
mod redis;
mod value;

pub use family::{find_parameter, parameters_of};
pub use parameter::{ChangeType, Parameter, ParameterKind};
