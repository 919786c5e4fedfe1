//! A leaderboard: scores are added on the primary endpoint, the table is read from the reader endpoint.
//!
//! ```text
//! leaderboard PRIMARY:PORT READER:PORT GAMES
//! ```
//!
//! The reader endpoint leads to replicas, which may be a moment behind: the table is waited for, not taken for granted.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use redis::AsyncCommands;
use redis::aio::ConnectionManager;

const BOARD: &str = "leaderboard:week";
const PLAYERS: u32 = 10;
const TOP: isize = 3;
const REPLICA_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let primary = arguments
        .next()
        .context("name the primary endpoint: HOST:PORT")?;
    let reader = arguments
        .next()
        .context("name the reader endpoint: HOST:PORT")?;
    let games: u32 = arguments.next().context("how many games?")?.parse()?;
    let mut primary = connect(&primary).await?;
    let mut reader = connect(&reader).await?;

    let () = primary.del(BOARD).await?;
    for game in 0..games {
        let player = game % PLAYERS;
        let () = primary
            .zincr(BOARD, format!("player {player}"), player + 1)
            .await?;
    }
    let expected: Vec<(String, f64)> = primary.zrevrange_withscores(BOARD, 0, TOP - 1).await?;
    ensure!(
        expected
            .first()
            .is_some_and(|(first, _)| *first == format!("player {}", PLAYERS - 1)),
        "{expected:?}"
    );

    let since = Instant::now();
    loop {
        let table: Vec<(String, f64)> = reader.zrevrange_withscores(BOARD, 0, TOP - 1).await?;
        if table == expected {
            break;
        }
        ensure!(
            since.elapsed() < REPLICA_MAX,
            "the replica stays behind: {table:?}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    for (place, (player, score)) in expected.iter().enumerate() {
        println!("{}. {player}: {score}", place + 1);
    }
    Ok(())
}

async fn connect(endpoint: &str) -> anyhow::Result<ConnectionManager> {
    let client = redis::Client::open(format!("redis://{endpoint}/"))?;
    Ok(ConnectionManager::new(client).await?)
}
