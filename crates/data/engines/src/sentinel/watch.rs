//! What a Sentinel watches, and what it says of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{DOWN_AFTER_MS, FAILOVER_TIMEOUT_MS};
use crate::error::EngineError;
use crate::redis::{RedisClient, SENTINEL_ACCOUNT};

/// What a Sentinel is to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watching {
    /// The name under which clients ask for it: letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// Its primary.
    pub primary: SocketAddr,
    /// How many Sentinels must agree that the primary is gone.
    pub quorum: u16,
    /// The password of the account `sentinel` at its servers.
    pub password: String,
}

/// What a Sentinel says of a primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedMaster {
    /// The name.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// The epoch in which it was elected; 0 for one that was never.
    pub config_epoch: u64,
    /// Whether the Sentinels are in the middle of a failover.
    pub failing_over: bool,
    /// Whether this Sentinel holds it for gone.
    pub down: bool,
    /// Sentinels that this one knows besides itself.
    pub other_sentinels: u16,
    /// Replicas that it knows.
    pub replicas: u16,
}

/// What a Sentinel says of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedReplica {
    /// Where it is.
    pub address: SocketAddr,
    /// Whether this Sentinel holds it for gone.
    pub down: bool,
    /// Whether its link to the primary is up.
    pub linked: bool,
}

impl RedisClient {
    /// Has a Sentinel watch a primary.
    ///
    /// # Errors
    /// [`EngineError::Redis`]; what was done until then is taken back.
    pub async fn watch(&self, what: &Watching) -> Result<(), EngineError> {
        let (ip, port) = (
            what.primary.ip().to_string(),
            what.primary.port().to_string(),
        );
        let quorum = what.quorum.to_string();
        let monitor = ["SENTINEL", "MONITOR", &what.name, &ip, &port, &quorum];
        self.ask::<()>(&monitor).await?;
        let (down, failover) = (DOWN_AFTER_MS.to_string(), FAILOVER_TIMEOUT_MS.to_string());
        let settings = [
            ("auth-user", SENTINEL_ACCOUNT),
            ("auth-pass", what.password.as_str()),
            ("down-after-milliseconds", &down),
            ("failover-timeout", &failover),
            ("parallel-syncs", "5"),
        ];
        let mut words = vec!["SENTINEL", "SET", &what.name];
        words.extend(settings.iter().flat_map(|(name, value)| [*name, *value]));
        let set = self.ask::<()>(&words).await;
        if set.is_err() {
            self.unwatch(&what.name).await?;
        }
        set
    }

    /// Has a Sentinel let go of a primary.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn unwatch(&self, name: &str) -> Result<(), EngineError> {
        self.ask(&["SENTINEL", "REMOVE", name]).await
    }

    /// Has the Sentinels promote a replica although the primary answers.
    ///
    /// # Errors
    /// [`EngineError::Redis`] when there is none that could be promoted, or a failover is under way.
    pub async fn order_failover(&self, name: &str) -> Result<(), EngineError> {
        self.ask(&["SENTINEL", "FAILOVER", name]).await
    }

    /// Has a Sentinel forget replicas and Sentinels that it does not see, and look again.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn forget_others(&self, name: &str) -> Result<(), EngineError> {
        self.ask::<i64>(&["SENTINEL", "RESET", name])
            .await
            .map(|_| ())
    }

    /// What a Sentinel watches.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn watched(&self) -> Result<Vec<WatchedMaster>, EngineError> {
        let said: Vec<BTreeMap<String, String>> = self.ask(&["SENTINEL", "MASTERS"]).await?;
        Ok(said.iter().filter_map(master).collect())
    }

    /// The replicas of a watched primary, as a Sentinel knows them.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn watched_replicas(&self, name: &str) -> Result<Vec<WatchedReplica>, EngineError> {
        let said: Vec<BTreeMap<String, String>> = self.ask(&["SENTINEL", "REPLICAS", name]).await?;
        Ok(said.iter().filter_map(replica).collect())
    }
}

type Fields = BTreeMap<String, String>;

fn address(fields: &Fields) -> Option<SocketAddr> {
    let ip: IpAddr = fields.get("ip")?.parse().ok()?;
    Some(SocketAddr::new(ip, fields.get("port")?.parse().ok()?))
}

fn has_flag(fields: &Fields, wanted: &str) -> bool {
    let flags = fields.get("flags").map_or("", String::as_str);
    flags.split(',').any(|flag| flag == wanted)
}

fn number<N: std::str::FromStr + Default>(fields: &Fields, name: &str) -> N {
    let value = fields.get(name).and_then(|value| value.parse().ok());
    value.unwrap_or_default()
}

fn master(fields: &Fields) -> Option<WatchedMaster> {
    Some(WatchedMaster {
        name: fields.get("name")?.clone(),
        address: address(fields)?,
        config_epoch: number(fields, "config-epoch"),
        failing_over: has_flag(fields, "failover_in_progress"),
        down: has_flag(fields, "s_down") || has_flag(fields, "o_down"),
        other_sentinels: number(fields, "num-other-sentinels"),
        replicas: number(fields, "num-slaves"),
    })
}

fn replica(fields: &Fields) -> Option<WatchedReplica> {
    Some(WatchedReplica {
        address: address(fields)?,
        down: has_flag(fields, "s_down") || has_flag(fields, "disconnected"),
        linked: fields
            .get("master-link-status")
            .is_some_and(|status| status == "ok"),
    })
}
