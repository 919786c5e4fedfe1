//! What can be set at the front door.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the front door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrontDoorConfig {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Connections served at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// Bytes of a request's line and headers.
    pub header_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// Bytes of one request's body.
    pub body_bytes_max: u32,
    /// Bytes of all bodies held at once; a request that finds no room waits, then gets 503.
    pub bodies_bytes_max: u32,
    /// Time for a request's line and headers to come, also the time that a kept connection may idle.
    pub header_timeout_ms: u64,
    /// Time for a request's body to come.
    pub body_timeout_ms: u64,
    /// Time for a service to answer.
    pub answer_timeout_ms: u64,
    /// Time for requests under way to end when the front door stops.
    pub shutdown_timeout_ms: u64,
}

impl Default for FrontDoorConfig {
    fn default() -> FrontDoorConfig {
        FrontDoorConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4566)),
            connections_max: 1024,
            header_bytes_max: 64 * 1024,
            headers_max: 100,
            body_bytes_max: 16 * 1024 * 1024,
            bodies_bytes_max: 256 * 1024 * 1024,
            header_timeout_ms: 30_000,
            body_timeout_ms: 30_000,
            answer_timeout_ms: 60_000,
            shutdown_timeout_ms: 5_000,
        }
    }
}

impl FrontDoorConfig {
    /// Says what is wrong with the settings.
    ///
    /// # Errors
    /// A sentence naming the field.
    pub fn validate(&self) -> Result<(), String> {
        if self.body_bytes_max > self.bodies_bytes_max {
            return Err(String::from(
                "bodies_bytes_max must be at least body_bytes_max, or the largest body never fits",
            ));
        }
        if self.header_bytes_max < 8192 {
            return Err(String::from("header_bytes_max must be at least 8192"));
        }
        if self.connections_max == 0 || self.headers_max == 0 {
            return Err(String::from(
                "connections_max and headers_max must be at least 1",
            ));
        }
        Ok(())
    }

    pub(crate) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }

    pub(crate) fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.shutdown_timeout_ms)
    }
}
