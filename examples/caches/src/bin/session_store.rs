//! A session store: sessions are written with an expiry on the primary endpoint, and stay through a failover.
//!
//! ```text
//! session_store HOST:PORT SESSIONS
//! ```
//!
//! The client knows nothing of Sentinels: the endpoint is all that it is given. A session counts as stored once `WAIT` says
//! that a replica has it, so that the loss of the primary does not log anybody out.

use std::time::Duration;

use anyhow::{Context, ensure};
use fred::prelude::{
    Builder, Client, ClientLike, Config, Expiration, KeysInterface, ReconnectPolicy, ServerConfig,
};
use fred::types::CustomCommand;

const LIFETIME_S: i64 = 1_800;
/// How long a replica may take to have a session, ms.
const REPLICA_WAIT_MS: i64 = 2_000;
/// How often a session is stored again when the primary changes meanwhile, and the pause before it.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().context("name the endpoint: HOST:PORT")?;
    let sessions: u32 = arguments.next().context("how many sessions?")?.parse()?;
    let store = Store::open(&endpoint).await?;
    for number in 0..sessions {
        store
            .log_in(&format!("token-{number}"), &format!("user {number}"))
            .await?;
    }
    for number in 0..sessions {
        let user = store.user_of(&format!("token-{number}")).await?;
        ensure!(
            user.as_deref() == Some(&*format!("user {number}")),
            "session {number} is lost: {user:?}"
        );
    }
    ensure!(
        store.user_of("token-of-nobody").await?.is_none(),
        "a session that nobody made"
    );
    println!("{sessions} sessions are there");
    Ok(())
}

struct Store {
    client: Client,
}

impl Store {
    async fn open(endpoint: &str) -> anyhow::Result<Store> {
        let (host, port) = endpoint
            .rsplit_once(':')
            .context("an endpoint is HOST:PORT")?;
        let config = Config {
            server: ServerConfig::new_centralized(host, port.parse()?),
            ..Config::default()
        };
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = Duration::from_secs(5);
                connection.internal_command_timeout = Duration::from_secs(5);
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = Duration::from_secs(5);
            })
            .set_policy(ReconnectPolicy::new_constant(0, 100))
            .build()?;
        client.init().await?;
        Ok(Store { client })
    }

    /// Stores a session until a replica has it.
    async fn log_in(&self, token: &str, user: &str) -> anyhow::Result<()> {
        for _ in 0..ATTEMPTS {
            match self.try_log_in(token, user).await {
                Ok(replicas) if replicas > 0 => return Ok(()),
                Ok(_) => eprintln!("no replica has {token} yet"),
                Err(e) => eprintln!("{token} is stored again: {e}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::bail!("{token} could not be stored")
    }

    async fn try_log_in(&self, token: &str, user: &str) -> Result<i64, fred::error::Error> {
        let lifetime = Some(Expiration::EX(LIFETIME_S));
        let () = self
            .client
            .set(key(token), user, lifetime, None, false)
            .await?;
        let wait = CustomCommand::new_static("WAIT", None, true);
        self.client.custom(wait, vec![1, REPLICA_WAIT_MS]).await
    }

    async fn user_of(&self, token: &str) -> anyhow::Result<Option<String>> {
        Ok(self.client.get(key(token)).await?)
    }
}

fn key(token: &str) -> String {
    format!("session:{token}")
}
