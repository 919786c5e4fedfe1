//! Orders to a server of a cluster. Each can be given again: what is so already stays so.

use std::net::SocketAddr;
use std::time::Duration;

use redis::Cmd;

use super::AGENT_ACCOUNT;
use super::client::RedisClient;
use super::cluster::{ClusterNode, ClusterNodeId};
use crate::error::EngineError;

/// How long a server may take to carry keys over; it serves nobody else meanwhile.
const MIGRATE_MAX: Duration = Duration::from_secs(10);

/// How a replica is to come to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// The primary holds writes back until the replica has everything, and most primaries agree.
    Coordinated,
    /// At once, without asking anybody: for a cluster in which most primaries are gone.
    TakeOver,
}

/// What becomes of a slot at one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotOrder<'a> {
    /// It comes here from this node.
    Importing(&'a ClusterNodeId),
    /// It goes from here to this node.
    Migrating(&'a ClusterNodeId),
    /// It is this node's.
    Node(&'a ClusterNodeId),
    /// It neither comes nor goes.
    Stable,
}

impl RedisClient {
    /// The cluster as this server sees it.
    ///
    /// # Errors
    /// [`EngineError::Redis`]; [`EngineError::Unexpected`] when the answer cannot be read.
    pub async fn cluster_nodes(&self) -> Result<Vec<ClusterNode>, EngineError> {
        ClusterNode::parse_all(&self.ask::<String>(&["CLUSTER", "NODES"]).await?)
    }

    /// Gives a server that knows no other one its first epoch.
    ///
    /// # Errors
    /// [`EngineError::Redis`] when it knows others, or has an epoch.
    pub async fn set_config_epoch(&self, epoch: u64) -> Result<(), EngineError> {
        let epoch = epoch.to_string();
        self.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await
    }

    /// Begins to meet another server.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn meet(&self, at: SocketAddr, bus_port: u16) -> Result<(), EngineError> {
        let (ip, port, bus) = (
            at.ip().to_string(),
            at.port().to_string(),
            bus_port.to_string(),
        );
        self.ask(&["CLUSTER", "MEET", &ip, &port, &bus]).await
    }

    /// Forgets another server, for a minute whatever the others say of it.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn forget(&self, node: &ClusterNodeId) -> Result<(), EngineError> {
        self.ask(&["CLUSTER", "FORGET", node.as_str()]).await
    }

    /// Takes slots that nobody has.
    ///
    /// # Errors
    /// [`EngineError::Redis`] when somebody has one of them.
    pub async fn add_slots(&self, ranges: &[(u16, u16)]) -> Result<(), EngineError> {
        let words: Vec<String> = ranges
            .iter()
            .flat_map(|(first, last)| [first.to_string(), last.to_string()])
            .collect();
        let mut command = vec!["CLUSTER", "ADDSLOTSRANGE"];
        command.extend(words.iter().map(String::as_str));
        self.ask(&command).await
    }

    /// Follows another server of the cluster.
    ///
    /// # Errors
    /// [`EngineError::Redis`]: a server with slots follows nobody.
    pub async fn follow(&self, primary: &ClusterNodeId) -> Result<(), EngineError> {
        self.ask(&["CLUSTER", "REPLICATE", primary.as_str()]).await
    }

    /// Has a replica come to lead. Returns when it has begun: CLUSTER NODES says how it ends.
    ///
    /// # Errors
    /// [`EngineError::Redis`]: it leads already, or its primary cannot be reached.
    pub async fn promote(&self, how: Promotion) -> Result<(), EngineError> {
        match how {
            Promotion::Coordinated => self.ask(&["CLUSTER", "FAILOVER"]).await,
            Promotion::TakeOver => self.ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await,
        }
    }

    /// Says what becomes of a slot.
    ///
    /// # Errors
    /// [`EngineError::Redis`]: a slot comes only to who has it not, goes only from who has it, and is given away only
    /// when no key is left in it.
    pub async fn set_slot(&self, slot: u16, order: SlotOrder<'_>) -> Result<(), EngineError> {
        let slot = slot.to_string();
        let (word, node) = match order {
            SlotOrder::Importing(node) => ("IMPORTING", Some(node)),
            SlotOrder::Migrating(node) => ("MIGRATING", Some(node)),
            SlotOrder::Node(node) => ("NODE", Some(node)),
            SlotOrder::Stable => ("STABLE", None),
        };
        let mut words = vec!["CLUSTER", "SETSLOT", slot.as_str(), word];
        words.extend(node.map(ClusterNodeId::as_str));
        self.ask(&words).await
    }

    /// Some keys of a slot, at most so many.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn keys_in_slot(&self, slot: u16, count: u16) -> Result<Vec<Vec<u8>>, EngineError> {
        let (slot, count) = (slot.to_string(), count.to_string());
        self.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]).await
    }

    /// Carries keys over to another server of the same inner password: each is there before it is gone here. What the
    /// other server has of them is of an earlier try, and older.
    ///
    /// # Errors
    /// [`EngineError::Redis`]: some of them may be over, none is lost.
    pub async fn migrate(
        &self,
        keys: &[Vec<u8>],
        to: SocketAddr,
        inner_password: &str,
    ) -> Result<(), EngineError> {
        let mut command = Cmd::new();
        command
            .arg("MIGRATE")
            .arg(to.ip().to_string())
            .arg(to.port())
            .arg("")
            .arg(0)
            .arg(MIGRATE_MAX.as_millis() as u64)
            .arg("REPLACE")
            .arg("AUTH2")
            .arg(AGENT_ACCOUNT)
            .arg(inner_password)
            .arg("KEYS")
            .arg(keys);
        self.ask_within(&command, "MIGRATE", MIGRATE_MAX * 2).await
    }
}
