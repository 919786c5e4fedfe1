//! Questions and orders to a server, over its Unix socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue,
    IntoConnectionInfo, RedisConnectionInfo, RedisError, ServerErrorKind,
};
use tokio::sync::Mutex;

use super::info::ServerInfo;
use crate::error::EngineError;

/// How long a server may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// A connection to a server, made when it is needed and again when it broke.
pub struct RedisClient {
    client: Client,
    kept: Mutex<Option<MultiplexedConnection>>,
}

impl std::fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisClient")
    }
}

impl RedisClient {
    /// A client of the server at `socket`, under `account`. Connects later.
    ///
    /// # Errors
    /// [`EngineError::Redis`] when the address cannot be one.
    pub fn new(socket: PathBuf, account: &str, password: &str) -> Result<RedisClient, EngineError> {
        let login = RedisConnectionInfo::default()
            .set_username(account)
            .set_password(password)
            .set_skip_set_lib_name();
        let client = ConnectionAddr::Unix(socket)
            .into_connection_info()
            .map(|info| info.set_redis_settings(login))
            .and_then(Client::open)
            .map_err(EngineError::redis("open a client"))?;
        Ok(RedisClient {
            client,
            kept: Mutex::new(None),
        })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut kept = self.kept.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WAIT))
            .set_response_timeout(Some(ANSWER_WAIT));
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let made = made.await?;
        *kept = Some(made.clone());
        Ok(made)
    }

    async fn try_ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        if let Err(e) = &answer
            && (e.is_io_error() || e.is_unrecoverable_error())
        {
            *self.kept.lock().await = None;
        }
        answer
    }

    /// Sends one command and reads its answer.
    ///
    /// # Errors
    /// [`EngineError::Redis`]: its outcome is unknown when the connection broke.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, EngineError> {
        let doing = words.first().copied().unwrap_or_default().to_owned();
        let asked = self.try_ask(&command(words)).await;
        asked.map_err(EngineError::redis(doing))
    }

    /// Listens to these channels, on a connection of its own.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub(crate) async fn subscribe(&self, channels: &[&str]) -> Result<PubSub, EngineError> {
        let listen = async {
            let mut connection = self.client.get_async_pubsub().await?;
            connection.subscribe(channels).await?;
            Ok(connection)
        };
        let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(ANSWER_WAIT, listen)
            .await
            .unwrap_or_else(|_| Err(late()))
            .map_err(EngineError::redis("SUBSCRIBE"))
    }

    /// Whether the server answers and has loaded its data; what it says otherwise.
    pub(crate) async fn is_ready(&self) -> Result<(), Unready> {
        match self.try_ask::<String>(&command(&["PING"])).await {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading) => {
                Err(Unready::Loading)
            }
            // A replica that may not serve old data still answers.
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::MasterDown) => Ok(()),
            Err(e) if e.kind() == ErrorKind::AuthenticationFailed => Err(Unready::Refused(e)),
            Err(e) => Err(Unready::Silent(e)),
        }
    }

    /// The server's state.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn info(&self) -> Result<ServerInfo, EngineError> {
        let command = command(&["INFO"]);
        // Sentinel has a server cut its clients when roles change: the kept connection may be one that was.
        let text: Result<String, RedisError> = match self.try_ask(&command).await {
            Err(e) if e.is_io_error() || e.is_unrecoverable_error() => self.try_ask(&command).await,
            answer => answer,
        };
        let text = text.map_err(EngineError::redis("INFO"))?;
        Ok(ServerInfo::parse(&text))
    }

    /// Has the server follow `primary`, or lead.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn replicate(&self, primary: Option<SocketAddr>) -> Result<(), EngineError> {
        match primary {
            Some(at) => {
                let (ip, port) = (at.ip().to_string(), at.port().to_string());
                self.ask(&["REPLICAOF", &ip, &port]).await
            }
            None => self.ask(&["REPLICAOF", "NO", "ONE"]).await,
        }
    }

    /// Has a primary hand over to one of its replicas once that has everything; writes wait meanwhile. Returns when it
    /// has begun: INFO says how it ends.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn hand_over(&self, to: SocketAddr, within: Duration) -> Result<(), EngineError> {
        let (ip, port) = (to.ip().to_string(), to.port().to_string());
        let within_ms = within.as_millis().to_string();
        self.ask(&["FAILOVER", "TO", &ip, &port, "TIMEOUT", &within_ms])
            .await
    }

    /// Has the server read its ACL file.
    ///
    /// # Errors
    /// [`EngineError::Redis`]; the older accounts then stand.
    pub async fn load_acl(&self) -> Result<(), EngineError> {
        self.ask(&["ACL", "LOAD"]).await
    }

    /// Changes a setting of the running server.
    ///
    /// # Errors
    /// [`EngineError::Redis`] when it refuses; some settings wait for a restart.
    pub async fn set_config(&self, name: &str, value: &str) -> Result<(), EngineError> {
        self.ask(&["CONFIG", "SET", name, value]).await
    }

    /// Begins a background save; INFO says how it ends.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn background_save(&self) -> Result<(), EngineError> {
        let _: String = self.ask(&["BGSAVE", "SCHEDULE"]).await?;
        Ok(())
    }
}

/// Why a server is not ready.
#[derive(Debug)]
pub(crate) enum Unready {
    /// It loads its data.
    Loading,
    /// It does not know the account, or not its password.
    Refused(RedisError),
    /// It does not answer.
    Silent(RedisError),
}

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}
