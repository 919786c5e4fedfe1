//! What RDS keeps in the catalog: intent and what was observed of it.
//!
//! Owns the record types and their versions. Must not know how they are reached or carried out.

mod event;
mod host;
mod instance;
mod parameter_group;
mod report;
mod settings;
mod status;
mod subnet_group;
mod topology;
mod verifier;

pub use event::{Event, EventCategory, EventSource};
pub use host::{EngineParameters, EngineVersion, Host, ParameterContext, ParameterSpec};
pub use instance::{Desired, Instance, Order, ParametersApplied, PendingChanges};
pub use parameter_group::{ApplyMethod, ParameterGroup, ParameterSetting};
pub use report::{EngineState, MemberReport};
pub use settings::{Settings, Tag};
pub use status::Status;
pub use subnet_group::SubnetGroup;
pub use topology::{Failover, Member, MemberState, Role, Topology};
pub use verifier::PasswordVerifier;
