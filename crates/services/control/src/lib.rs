//! Catalog, watches, leases and the reconcile loop.
//!
//! Owns what is true of the region and who may say so. Must not know what any record means:
//! services own their record types and put them here as bytes.

mod catalog;
mod config;
mod endpoint;
mod error;
mod leader;
mod lease;
mod machine;
mod memory;
mod messages;
mod mirror;
mod node_record;
mod record;
mod remote;
mod replica;
mod sessions;
mod store;
mod txn;
mod view;

pub use catalog::{Backend, Boxed, Catalog};
pub use config::LeaseConfig;
pub use endpoint::{ClusterConfiguration, Endpoint, EndpointPorts, EndpointProtocol};
pub use error::CatalogError;
pub use lease::Lease;
pub use messages::{Observations, Session, Sessions};
pub use mirror::Mirror;
pub use node_record::NodeRecord;
pub use record::{Record, Stored, key_of};
pub use remote::Remote;
pub use replica::Replica;
pub use sessions::SessionTable;
pub use store::{Change, Entry, Outcome, Store};
pub use txn::Txn;
pub use view::View;
