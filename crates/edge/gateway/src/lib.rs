//! The stateless edge: API front door and endpoint relays.
//!
//! Owns how requests come in, whose they are, and how database connections reach whoever serves.
//! Must not know a service's rules: requests go through the one `Service` trait, connections
//! follow the catalog's endpoint table.

pub mod front_door;
pub mod relay;
