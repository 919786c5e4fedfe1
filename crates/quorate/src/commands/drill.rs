//! `drill`: break a live region and give a verdict.

use std::process::ExitCode;
use std::time::Duration;

use quorate_drills::{DrillVerdict, EXIT_NOT_RUN, MultiAzDrill, WorkloadConfig, run_multi_az};

use crate::cli::{DrillArgs, DrillCommand, MultiAzArgs};
use crate::config::Config;
use crate::drill::{LiveRegion, OwnRegion, ZoneFaults};
use crate::layout::Layout;
use crate::table::{print_json, say};

/// Runs a drill. Its exit status: 0 when nothing was lost, 1 when something was, 2 when it could not be run.
pub(crate) async fn drill(args: DrillArgs) -> anyhow::Result<ExitCode> {
    let DrillCommand::MultiAz(args) = args.command;
    let verdict = if args.own {
        let own = OwnRegion::start().await?;
        let verdict = multi_az(&own.layout()?, &args).await;
        own.remove().await?;
        verdict
    } else {
        multi_az(&args.data.layout()?, &args).await
    };
    match verdict {
        Ok(verdict) => {
            if args.json {
                print_json(&verdict)?;
            } else {
                say(&verdict.to_string());
            }
            Ok(ExitCode::from(verdict.exit_status()))
        }
        Err(e) => {
            tracing::error!("the drill could not be run: {e:#}");
            Ok(ExitCode::from(EXIT_NOT_RUN))
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
    let json = args.json;
    let tell = move |ms: u64, line: &str| {
        if !json {
            say(&format!("{:>4}.{:03} s  {line}", ms / 1_000, ms % 1_000));
        }
    };
    run_multi_az(&region, &faults, &drill, &tell).await
}
