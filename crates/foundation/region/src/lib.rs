//! Zones, nodes, their identities and the mutually authenticated calls between them.
//!
//! Owns who is part of a region and how its processes talk. Must not know what nodes store.

mod ca;
mod engine_tls;
mod identity;
mod map;
mod secret_file;
pub mod transport;

pub use ca::{CaError, CertificateAuthority};
pub use engine_tls::{EngineIssuer, IssuedCertificate};
pub use identity::{Identity, IdentityError, JoinToken, PeerRole};
pub use map::{NodeInfo, RegionMap};
pub use secret_file::write_secret;
