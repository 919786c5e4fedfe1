//! What nodes have: the cache engines found on the host.

use std::fmt;

use serde::{Deserialize, Serialize};

use quorate_control::Record;

/// A cache engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// `redis-server` that is Redis.
    Redis,
    /// `valkey-server`.
    Valkey,
    /// `memcached`.
    Memcached,
}

impl Engine {
    /// AWS's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Redis => "redis",
            Engine::Valkey => "valkey",
            Engine::Memcached => "memcached",
        }
    }

    /// The engine of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Engine> {
        let all = [Engine::Redis, Engine::Valkey, Engine::Memcached];
        all.into_iter().find(|engine| engine.as_str() == name)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one node offers. Id in the catalog: the node's id. Written by its agent at each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Engines found on the host, newest version first.
    pub engines: Vec<EngineVersion>,
    /// Whether the host has a program that can be a Sentinel (`redis-sentinel` or `valkey-sentinel`).
    #[serde(default)]
    pub sentinel: bool,
}

/// An engine that a host can run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EngineVersion {
    /// The engine.
    pub engine: Engine,
    /// As in `7.0.15`.
    pub version: String,
}

impl Record for Host {
    const TABLE: &'static str = "elasticache/host";
    const VERSION: u32 = 1;
}
