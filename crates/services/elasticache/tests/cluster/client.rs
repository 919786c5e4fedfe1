//! A client that follows what a cluster's engines tell it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quorate_elasticache::model::Shard;
use quorate_engines::redis::{AGENT_ACCOUNT, RedisClient};

const PATIENCE: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct ClusterClient {
    seeds: Vec<SocketAddr>,
    ca_pem: Option<String>,
    password: String,
    clients: BTreeMap<SocketAddr, RedisClient>,
    /// Where each key was found last.
    places: BTreeMap<String, SocketAddr>,
    /// What engines answered that is neither MOVED nor ASK, by its first word.
    pub other_errors: BTreeMap<String, u32>,
}

impl ClusterClient {
    pub(crate) fn new(
        seeds: Vec<SocketAddr>,
        ca_pem: Option<String>,
        password: String,
    ) -> ClusterClient {
        ClusterClient {
            seeds,
            ca_pem,
            password,
            clients: BTreeMap::new(),
            places: BTreeMap::new(),
            other_errors: BTreeMap::new(),
        }
    }

    /// Sets a key; how long it took until that was acknowledged.
    pub(crate) async fn set(&mut self, key: &str, value: &str) -> Duration {
        let since = Instant::now();
        let said = self.run(key, &["SET", key, value]).await;
        assert_eq!(said.as_deref(), Some("OK"));
        since.elapsed()
    }

    pub(crate) async fn get(&mut self, key: &str) -> Option<String> {
        self.run(key, &["GET", key]).await
    }

    /// Sets a key, and waits until a replica has it.
    pub(crate) async fn set_and_wait(&mut self, key: &str, value: &str) {
        self.set(key, value).await;
        let at = self.places[key];
        let copies: u64 = self.clients[&at].ask(&["WAIT", "1", "2500"]).await.unwrap();
        assert_eq!(copies, 1);
    }

    /// A key of a shard.
    pub(crate) async fn key_of(&mut self, number: u16, shard: &Shard) -> String {
        let primary = shard.primary_member().unwrap().address.unwrap();
        for at in 0..1_000 {
            let key = format!("shard-{number}-{at}");
            self.set(&key, "").await;
            if self.places[&key] == primary {
                return key;
            }
        }
        panic!("no key is of shard {number}");
    }

    async fn run(&mut self, key: &str, words: &[&str]) -> Option<String> {
        let since = Instant::now();
        let mut tries = 0_usize;
        let mut at = self.places.get(key).copied().unwrap_or(self.seeds[0]);
        let mut asking = false;
        loop {
            let failed = match self.ask(at, asking, words).await {
                Ok(said) => {
                    if !asking {
                        self.places.insert(key.to_owned(), at);
                    }
                    return said;
                }
                Err(failed) => failed,
            };
            assert!(since.elapsed() < PATIENCE, "{words:?} at {at}: {failed}");
            (at, asking) = match redirection(&failed) {
                Some(to) => to,
                None => {
                    let word = failed.split(['-', ':']).next().unwrap_or_default();
                    *self.other_errors.entry(word.trim().to_owned()).or_default() += 1;
                    tokio::time::sleep(PAUSE).await;
                    tries += 1;
                    (self.seeds[tries % self.seeds.len()], false)
                }
            };
        }
    }

    async fn ask(
        &mut self,
        at: SocketAddr,
        asking: bool,
        words: &[&str],
    ) -> Result<Option<String>, String> {
        let client = self.clients.entry(at).or_insert_with(|| {
            RedisClient::remote(at, self.ca_pem.as_deref(), AGENT_ACCOUNT, &self.password).unwrap()
        });
        let told = async {
            if asking {
                let _: String = client.ask(&["ASKING"]).await?;
            }
            client.ask(words).await
        };
        told.await.map_err(|e: quorate_engines::EngineError| {
            let mut said = e.to_string();
            let mut source = std::error::Error::source(&e);
            while let Some(cause) = source {
                said = format!("{said}: {cause}");
                source = cause.source();
            }
            said
        })
    }
}

/// Where an error sends a client, and whether only for this once.
fn redirection(failed: &str) -> Option<(SocketAddr, bool)> {
    let mut words = failed.split([' ', ':']).peekable();
    let asking = words.find_map(|word| match word.trim_matches(['"', '-']) {
        "MOVED" | "Moved" => Some(false),
        "ASK" | "Ask" => Some(true),
        _ => None,
    })?;
    let places = failed
        .split_whitespace()
        .map(|word| word.trim_matches(['"', ',', '.']));
    let at = places.filter_map(|word| word.parse().ok()).next()?;
    Some((at, asking))
}
