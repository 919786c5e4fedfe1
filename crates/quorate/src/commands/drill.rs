//! `drill`: break a live region and give a verdict.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde::Serialize;

use quorate_drills::{
    DrillVerdict, DynamoDbDrill, DynamoDbVerdict, EXIT_NOT_RUN, MultiAzDrill, WorkloadConfig,
    run_dynamodb, run_multi_az,
};

use crate::cli::{DrillArgs, DrillCommand, DynamoDbDrillArgs, MultiAzArgs};
use crate::config::Config;
use crate::drill::{LiveRegion, LiveTable, OwnRegion, ZoneFaults};
use crate::layout::Layout;
use crate::table::{print_json, say};

/// Runs a drill. Its exit status: 0 when every promise was kept, 1 when one was not, 2 when it could not be run.
pub(crate) async fn drill(args: DrillArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        DrillCommand::MultiAz(args) => {
            let verdict = if args.own {
                let own = OwnRegion::start().await?;
                let verdict = multi_az(&own.layout()?, &args).await;
                own.remove().await?;
                verdict
            } else {
                multi_az(&args.data.layout()?, &args).await
            };
            show(verdict, DrillVerdict::exit_status, args.json)
        }
        DrillCommand::DynamoDb(args) => {
            let verdict = if args.own {
                let own = OwnRegion::start().await?;
                let verdict = dynamodb(&own.layout()?, &args).await;
                own.remove().await?;
                verdict
            } else {
                dynamodb(&args.data.layout()?, &args).await
            };
            show(verdict, DynamoDbVerdict::exit_status, args.json)
        }
    }
}

/// Prints a verdict; its exit status.
fn show<V: Serialize + Display>(
    verdict: anyhow::Result<V>,
    status: fn(&V) -> u8,
    json: bool,
) -> anyhow::Result<ExitCode> {
    match verdict {
        Ok(verdict) => {
            if json {
                print_json(&verdict)?;
            } else {
                say(&verdict.to_string());
            }
            Ok(ExitCode::from(status(&verdict)))
        }
        Err(e) => {
            tracing::error!("the drill could not be run: {e:#}");
            Ok(ExitCode::from(EXIT_NOT_RUN))
        }
    }
}

/// Tells the lines of a timeline as they come, unless what is printed is to be JSON.
fn teller(json: bool) -> impl Fn(u64, &str) + Send + Sync {
    move |ms, line| {
        if !json {
            say(&format!("{:>4}.{:03} s  {line}", ms / 1_000, ms % 1_000));
        }
    }
}

async fn multi_az(layout: &Layout, args: &MultiAzArgs) -> anyhow::Result<DrillVerdict> {
    let region = LiveRegion::open(layout, &Config::load(args.config.as_deref())?)?;
    let faults = ZoneFaults {
        layout: layout.clone(),
    };
    let drill = MultiAzDrill {
        fault: args.fault,
        workload: WorkloadConfig {
            clients: args.clients,
            ..WorkloadConfig::default()
        },
        undisturbed: Duration::from_secs(args.seconds),
        away: Duration::from_secs(args.seconds),
        ..MultiAzDrill::default()
    };
    run_multi_az(&region, &faults, &drill, &teller(args.json)).await
}

async fn dynamodb(layout: &Layout, args: &DynamoDbDrillArgs) -> anyhow::Result<DynamoDbVerdict> {
    let table = Arc::new(LiveTable::open(layout)?);
    let faults = ZoneFaults {
        layout: layout.clone(),
    };
    let drill = DynamoDbDrill {
        fault: args.fault.0,
        clients: args.clients,
        each: Duration::from_secs(args.seconds),
        seed: args
            .seed
            .unwrap_or_else(|| rand::rng().random::<u32>().into()),
        broken_reads: args.broken_reads,
    };
    run_dynamodb(table, &faults, &drill, &teller(args.json)).await
}
