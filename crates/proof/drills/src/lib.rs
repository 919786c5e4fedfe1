//! Break a live region under load and give a verdict.
//!
//! Owns the workload, the order of a drill and its verdict. Must not know how a region is built or how a zone is
//! killed: whoever runs a drill brings a [`DrillRegion`] and a [`FaultTarget`].

mod dynamodb;
mod fault;
mod multi_az;
mod postgres;
mod region;
mod verdict;
mod workload;

pub use dynamodb::{DrillTable, DynamoDbDrill, DynamoDbVerdict, Freshness, Reply, run_dynamodb};
pub use fault::{Fault, FaultTarget};
pub use multi_az::{MultiAzDrill, run_multi_az};
pub use postgres::{PostgresLedger, PostgresTarget};
pub use region::{Boxed, DrillEvent, DrillInstance, DrillRegion, InstanceState};
pub use verdict::{DrillVerdict, EXIT_BROKEN, EXIT_KEPT, EXIT_NOT_RUN};
pub use workload::{Ledger, Session, Workload, WorkloadConfig, WriteEnd};
