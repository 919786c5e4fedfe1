//! The DynamoDB drill: clients read and write a few keys and append to a ledger through the API, the zone of the leader
//! is lost, and afterwards every answer that they had must fit into one order, and every acknowledged item be there.

mod clients;
mod report;
mod table;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use quorate_oracle::WriteId;

use crate::fault::{Fault, FaultTarget};
use crate::verdict::Tell;

pub use report::DynamoDbVerdict;
pub use table::{DrillTable, Freshness, Reply};

use clients::Clients;
use report::Moments;

/// Time between two attempts to read the ledger back.
const READ_AGAIN: Duration = Duration::from_millis(500);
/// How long reading the ledger back is tried.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// What is done, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamoDbDrill {
    /// The fault; none for a drill of load alone.
    pub fault: Option<Fault>,
    /// How many clients there are; 1 to 256.
    pub clients: u32,
    /// How long clients work undisturbed before the fault and after it, and how long the fault lasts.
    pub each: Duration,
    /// What the clients draw their operations from.
    pub seed: u64,
    /// Sends strong reads as eventual ones: proof that the drill can find what it looks for.
    pub broken_reads: bool,
}

impl Default for DynamoDbDrill {
    fn default() -> DynamoDbDrill {
        DynamoDbDrill {
            fault: Some(Fault::KillZone),
            clients: 8,
            each: Duration::from_secs(5),
            seed: 0,
            broken_reads: false,
        }
    }
}

/// Runs the drill on a table that is made for it. `tell` is given each line of the timeline as it happens.
///
/// # Errors
/// When the drill could not be run: no table, no leader, a fault that could not be injected, a ledger that could not be
/// read back.
pub async fn run_dynamodb(
    table: Arc<dyn DrillTable>,
    faults: &dyn FaultTarget,
    drill: &DynamoDbDrill,
    tell: &Tell,
) -> anyhow::Result<DynamoDbVerdict> {
    table.create().await.context("make the drill's table")?;
    let result = drill_on(&table, faults, drill, tell).await;
    if let Err(error) = table.remove().await {
        tracing::warn!(%error, "the drill's table could not be removed");
    }
    result
}

async fn drill_on(
    table: &Arc<dyn DrillTable>,
    faults: &dyn FaultTarget,
    drill: &DynamoDbDrill,
    tell: &Tell,
) -> anyhow::Result<DynamoDbVerdict> {
    let clients = Clients::start(table, drill);
    let mut timeline = Vec::new();
    let mut note = |clients: &Clients, line: String| {
        let at_ms = clients.now_us() / 1_000;
        tell(at_ms, &line);
        timeline.push((at_ms, line));
    };
    note(
        &clients,
        format!("{} clients, seed {}", drill.clients, drill.seed),
    );
    tokio::time::sleep(drill.each).await;
    let begun_us = clients.now_us();
    let mut injected_us = begun_us;
    if let Some(fault) = drill.fault {
        let zone = table.leader_zone().await.context("find the leader")?;
        faults
            .inject(fault, &zone, "")
            .await
            .context("inject the fault")?;
        injected_us = clients.now_us();
        note(&clients, format!("{fault} in {zone}, which leads"));
        tokio::time::sleep(drill.each).await;
        faults
            .heal(fault, &zone, "")
            .await
            .context("take the fault back")?;
        note(&clients, format!("{zone} is let back"));
    }
    tokio::time::sleep(drill.each).await;
    let end_us = clients.now_us();
    note(&clients, String::from("the clients stop"));
    let history = clients.stop().await;
    let rows = read_back(table.as_ref()).await?;
    let moments = Moments {
        begun_us,
        injected_us,
        end_us,
    };
    Ok(DynamoDbVerdict::new(
        drill, &history, &rows, moments, timeline,
    ))
}

async fn read_back(table: &dyn DrillTable) -> anyhow::Result<Vec<WriteId>> {
    let deadline = tokio::time::Instant::now() + READ_WITHIN;
    loop {
        match table.ledger().await {
            Ok(rows) => return Ok(rows),
            Err(e) if tokio::time::Instant::now() >= deadline => {
                return Err(e.context("read the ledger back"));
            }
            Err(_) => tokio::time::sleep(READ_AGAIN).await,
        }
    }
}

#[cfg(test)]
mod tests;
