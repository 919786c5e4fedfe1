//! What DynamoDB keeps in the catalog: tables and where their partitions are. Items are never there.

mod ids;
mod moves;
mod partition;
mod schema;
mod table;

pub use ids::{IdCounter, IndexNumber, PartitionNumber, TableNumber};
pub use moves::{HomeId, Move, MoveStage, NodeHome, ReplicaRole};
pub use partition::{HashRange, PartitionRecord, PartitionState};
pub use table::{
    AttributeDefinition, Billing, GlobalIndex, IndexStatus, KeyElement, KeyRole, LocalIndex,
    Projection, TableClass, TableRecord, TableStatus, Throughput, TimeToLive, TtlStatus,
};
