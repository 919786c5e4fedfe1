//! The Multi-AZ drill: clients write, the primary's zone is lost, and every acknowledged commit must be there.

mod story;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use quorate_base::{UnixMillis, ZoneName};
use quorate_oracle::WriteId;
use quorate_oracle::ledger::check_ledger;
use tokio::time::Instant;

use crate::fault::{Fault, FaultTarget};
use crate::postgres::PostgresLedger;
use crate::region::{DrillInstance, DrillRegion, InstanceState};
use crate::verdict::{DrillVerdict, Moments};
use crate::workload::{Ledger, Workload, WorkloadConfig};
use story::Story;

/// Time between two looks at the instance.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Time between two attempts to read the rows back.
const READ_AGAIN: Duration = Duration::from_millis(500);
/// How long reading the rows back is tried.
const READ_WITHIN: Duration = Duration::from_secs(120);

/// What is done, and how long each part may take. The limits end a drill that hangs; they are no verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiAzDrill {
    /// The fault.
    pub fault: Fault,
    /// The clients.
    pub workload: WorkloadConfig,
    /// How long clients write undisturbed before the fault, and again at the end.
    pub undisturbed: Duration,
    /// How long the zone stays away after writes came back.
    pub away: Duration,
    /// Longest time until the instance is available with a standby in sync, at the start and after the fault.
    pub steady_within: Duration,
    /// Longest time from the fault to an acknowledged write.
    pub resume_within: Duration,
    /// Whether the drill ends by waiting for a standby in sync. If not, only writes must come back.
    pub await_standby: bool,
}

impl Default for MultiAzDrill {
    fn default() -> MultiAzDrill {
        MultiAzDrill {
            fault: Fault::KillZone,
            workload: WorkloadConfig::default(),
            undisturbed: Duration::from_secs(3),
            away: Duration::from_secs(3),
            steady_within: Duration::from_secs(300),
            resume_within: Duration::from_secs(120),
            await_standby: true,
        }
    }
}

/// Runs the drill in a live region. `tell` is given each line of the timeline as it happens.
///
/// # Errors
/// When the drill could not be run: no instance, no steady state, a fault that could not be injected, rows that
/// could not be read back. Writes that do not come back within the limit are no error but a broken verdict.
pub async fn run_multi_az(
    region: &dyn DrillRegion,
    faults: &dyn FaultTarget,
    drill: &MultiAzDrill,
    tell: &(dyn Fn(u64, &str) + Send + Sync),
) -> anyhow::Result<DrillVerdict> {
    let instance = region
        .instance()
        .await
        .context("get an instance for the drill")?;
    let result = async {
        await_steady(region, &instance.id, drill.steady_within, None)
            .await
            .context("before the fault")?;
        let ledger = PostgresLedger::prepare(instance.target.clone()).await?;
        drill_on(region, faults, &instance, Arc::new(ledger), drill, tell).await
    }
    .await;
    if let Err(error) = region.clean_up(&instance.id).await {
        tracing::warn!(instance = %instance.id, %error, "the drill's instance could not be removed");
    }
    result
}

/// The drill on an instance that is steady.
async fn drill_on(
    region: &dyn DrillRegion,
    faults: &dyn FaultTarget,
    instance: &DrillInstance,
    ledger: Arc<dyn Ledger>,
    drill: &MultiAzDrill,
    tell: &(dyn Fn(u64, &str) + Send + Sync),
) -> anyhow::Result<DrillVerdict> {
    let id = instance.id.as_str();
    let since = UnixMillis::now();
    let workload = Workload::start(&ledger, drill.workload);
    let mut story = Story::new(tell);
    story.note(
        &workload,
        &format!("{} clients write", drill.workload.clients),
    );
    anyhow::ensure!(
        workload.acknowledged_since(0, drill.resume_within).await,
        "no write was acknowledged before the fault"
    );
    tokio::time::sleep(drill.undisturbed).await;
    let zone = await_steady(region, id, drill.steady_within, None)
        .await?
        .primary_zone
        .context("a steady instance has a primary")?;

    let moments = inject(faults, drill, &zone, id, &workload, &mut story).await?;
    let resumed = await_writes(region, id, drill, moments, &workload, &mut story).await;
    if resumed {
        tokio::time::sleep(drill.away).await;
    }
    if drill.fault != Fault::KillEngine {
        faults
            .heal(drill.fault, &zone, id)
            .await
            .context("take the fault back")?;
        story.note(&workload, &format!("{zone} is let back"));
    }
    if drill.await_standby && resumed {
        await_steady(
            region,
            id,
            drill.steady_within,
            Some((&workload, &mut story)),
        )
        .await
        .context("after the fault")?;
        story.note(&workload, "the standby is in sync again");
    }
    tokio::time::sleep(drill.undisturbed).await;
    let moments = Moments {
        end_us: workload.now_us(),
        ..moments
    };
    story.note(&workload, "clients stop");
    let history = workload.stop().await;
    let rows = read_back(ledger.as_ref()).await?;
    let events = region.events(id, since).await.unwrap_or_default();
    story.add_events(since, events);
    let counted = check_ledger(&history, &rows);
    Ok(DrillVerdict::new(
        id,
        drill,
        &history,
        counted,
        moments,
        story.lines(),
    ))
}

async fn inject(
    faults: &dyn FaultTarget,
    drill: &MultiAzDrill,
    zone: &ZoneName,
    id: &str,
    workload: &Workload,
    story: &mut Story<'_>,
) -> anyhow::Result<Moments> {
    let begun_us = workload.now_us();
    faults
        .inject(drill.fault, zone, id)
        .await
        .context("inject the fault")?;
    let injected_us = workload.now_us();
    story.note_at(
        begun_us,
        &format!("{} in {zone}, the primary's zone", drill.fault),
    );
    Ok(Moments {
        begun_us,
        injected_us,
        end_us: injected_us,
    })
}

/// Waits until a write that began after the fault is acknowledged, and tells what the instance does meanwhile.
async fn await_writes(
    region: &dyn DrillRegion,
    id: &str,
    drill: &MultiAzDrill,
    moments: Moments,
    workload: &Workload,
    story: &mut Story<'_>,
) -> bool {
    let watch = async {
        loop {
            if let Ok(state) = region.state(id).await {
                story.note_state(workload, &state);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let resumed = tokio::select! {
        resumed = workload.acknowledged_since(moments.injected_us, drill.resume_within) => resumed,
        () = watch => false,
    };
    let said = if resumed {
        "writes are acknowledged again"
    } else {
        "no write was acknowledged in time"
    };
    story.note(workload, said);
    resumed
}

/// Waits until the instance serves with a standby in sync. A region that does not answer is asked again.
async fn await_steady(
    region: &dyn DrillRegion,
    id: &str,
    within: Duration,
    mut told: Option<(&Workload, &mut Story<'_>)>,
) -> anyhow::Result<InstanceState> {
    let deadline = Instant::now() + within;
    let mut last;
    loop {
        match region.state(id).await {
            Ok(state) => {
                if let Some((workload, story)) = &mut told {
                    story.note_state(workload, &state);
                }
                if state.is_steady() && state.status == "available" {
                    return Ok(state);
                }
                last = format!("{state:?}");
            }
            Err(error) => last = format!("{error:#}"),
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{id} was not available with a standby in sync within {within:?}: {last}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn read_back(ledger: &dyn Ledger) -> anyhow::Result<Vec<WriteId>> {
    let deadline = Instant::now() + READ_WITHIN;
    loop {
        match ledger.read_back().await {
            Ok(rows) => return Ok(rows),
            Err(error) if Instant::now() >= deadline => {
                return Err(error.context("read the rows back"));
            }
            Err(error) => tracing::debug!(%error, "the rows could not be read back"),
        }
        tokio::time::sleep(READ_AGAIN).await;
    }
}

#[cfg(test)]
mod tests;
