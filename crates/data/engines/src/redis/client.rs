//! Questions and orders to a server: over its Unix socket, or over TCP to a server of another node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue,
    IntoConnectionInfo, RedisConnectionInfo, RedisError, ServerErrorKind,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use super::info::ServerInfo;
use crate::error::EngineError;

/// How long a server may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// A connection to a server, made when it is needed and again when it broke.
pub struct RedisClient {
    way: Way,
    kept: Mutex<Option<MultiplexedConnection>>,
}

enum Way {
    Plain(Box<Client>),
    Tls(Box<TlsWay>),
}

/// A server that talks TLS alone, and only to who trusts the region.
struct TlsWay {
    at: SocketAddr,
    login: RedisConnectionInfo,
    connector: TlsConnector,
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
        RedisClient::plain(ConnectionAddr::Unix(socket), account, password)
    }

    /// A client of the server that listens there, on this node or on another. Connects later. `ca_pem`: the region's root,
    /// where the server talks TLS.
    ///
    /// # Errors
    /// [`EngineError::Redis`] when the address cannot be one; [`EngineError::Unexpected`] when the root cannot be read.
    pub fn remote(
        at: SocketAddr,
        ca_pem: Option<&str>,
        account: &str,
        password: &str,
    ) -> Result<RedisClient, EngineError> {
        let Some(ca_pem) = ca_pem else {
            let address = ConnectionAddr::Tcp(at.ip().to_string(), at.port());
            return RedisClient::plain(address, account, password);
        };
        let way = TlsWay {
            at,
            login: login(account, password),
            connector: connector(ca_pem).map_err(|e| EngineError::Unexpected {
                doing: String::from("read the region's root certificate"),
                answer: e.to_string(),
            })?,
        };
        Ok(RedisClient::by(Way::Tls(Box::new(way))))
    }

    fn plain(
        address: ConnectionAddr,
        account: &str,
        password: &str,
    ) -> Result<RedisClient, EngineError> {
        let client = address
            .into_connection_info()
            .map(|info| info.set_redis_settings(login(account, password)))
            .and_then(Client::open)
            .map_err(EngineError::redis("open a client"))?;
        Ok(RedisClient::by(Way::Plain(Box::new(client))))
    }

    fn by(way: Way) -> RedisClient {
        RedisClient {
            way,
            kept: Mutex::new(None),
        }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut kept = self.kept.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WAIT))
            .set_response_timeout(Some(ANSWER_WAIT));
        let made = match &self.way {
            Way::Plain(client) => {
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?
            }
            Way::Tls(way) => tokio::time::timeout(ANSWER_WAIT, way.connect(config))
                .await
                .unwrap_or_else(|_| Err(late()))?,
        };
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

    /// Sends one command whose answer may take longer than others'.
    ///
    /// # Errors
    /// As [`RedisClient::ask`].
    pub(crate) async fn ask_within(
        &self,
        command: &Cmd,
        doing: &str,
        within: Duration,
    ) -> Result<(), EngineError> {
        let asked = async {
            let mut connection = self.connection().await?;
            connection.set_response_timeout(within);
            command.query_async(&mut connection).await
        };
        let answer: Result<(), RedisError> = asked.await;
        if let Err(e) = &answer
            && (e.is_io_error() || e.is_unrecoverable_error())
        {
            *self.kept.lock().await = None;
        }
        answer.map_err(EngineError::redis(doing))
    }

    /// Listens to these channels, on a connection of its own.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub(crate) async fn subscribe(&self, channels: &[&str]) -> Result<PubSub, EngineError> {
        let Way::Plain(client) = &self.way else {
            return Err(EngineError::Unexpected {
                doing: String::from("SUBSCRIBE"),
                answer: String::from("only a server's own socket is listened to"),
            });
        };
        let listen = async {
            let mut connection = client.get_async_pubsub().await?;
            connection.subscribe(channels).await?;
            Ok(connection)
        };
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

impl TlsWay {
    async fn connect(
        &self,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        let stream = TcpStream::connect(self.at).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(self.at.ip());
        let stream = self.connector.connect(name, stream).await?;
        let made = MultiplexedConnection::new_with_config(&self.login, Box::pin(stream), config);
        let (connection, driver) = made.await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}

fn login(account: &str, password: &str) -> RedisConnectionInfo {
    RedisConnectionInfo::default()
        .set_username(account)
        .set_password(password)
        .set_skip_set_lib_name()
}

fn connector(ca_pem: &str) -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|e| rustls::Error::General(e.to_string()))?;
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn late() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
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
