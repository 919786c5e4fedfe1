//! The AWS API's door: HTTP/1.1 in, checked signatures, one `Service` each.
//!
//! ```text
//! accept ─► read head ─► local page?        (GET /, /health, /metrics: unsigned)
//!           (bounded)    read body (bounded) ─► check signature ─► Service ─► answer
//! ```
//!
//! Invariants
//! - No service sees a request whose signature has not been checked.
//! - Every buffer and wait has a bound in `FrontDoorConfig`.

mod answer;
mod body;
mod config;
mod exchange;
mod finished;
mod keys;
mod pages;
mod server;
mod sts;

#[cfg(test)]
mod tests;

pub use config::FrontDoorConfig;
pub use keys::{AccessKey, AccessKeys};
pub use pages::MetricsPage;
pub use server::FrontDoor;
