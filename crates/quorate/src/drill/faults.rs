//! Faults, done to the processes of a running `quorate up`.

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use quorate_base::ZoneName;
use quorate_drills::{Boxed, Fault, FaultTarget};

use crate::layout::Layout;
use crate::up::{ZoneAction, ZoneRow, ask_control};

/// Does faults to the zones of the `up` that runs on a data folder.
pub(crate) struct ZoneFaults {
    pub(crate) layout: Layout,
}

impl ZoneFaults {
    async fn node(&self, zone: &ZoneName) -> anyhow::Result<(i32, ZoneRow)> {
        let rows = ask_control(&self.layout, &ZoneAction::List).await?;
        let row = rows
            .into_iter()
            .find(|row| row.zone == *zone && row.pid.is_some());
        let row = row.with_context(|| format!("no node of {zone} runs"))?;
        Ok((row.pid.context("it runs")?, row))
    }

    async fn act(&self, fault: Fault, zone: &ZoneName) -> anyhow::Result<()> {
        match fault {
            Fault::KillZone => {
                ask_control(&self.layout, &ZoneAction::Kill(zone.clone())).await?;
            }
            Fault::PauseZone => {
                ask_control(&self.layout, &ZoneAction::Pause(zone.clone())).await?;
            }
            Fault::KillNode => kill(Pid::from_raw(self.node(zone).await?.0), Signal::SIGKILL)?,
            Fault::PauseNode => kill(Pid::from_raw(self.node(zone).await?.0), Signal::SIGSTOP)?,
            Fault::KillEngine => {
                let (_, row) = self.node(zone).await?;
                for engine in row.engines {
                    kill(Pid::from_raw(engine.pid), Signal::SIGKILL)?;
                }
            }
        }
        Ok(())
    }
}

impl FaultTarget for ZoneFaults {
    fn inject<'a>(
        &'a self,
        fault: Fault,
        zone: &'a ZoneName,
        _instance: &'a str,
    ) -> Boxed<'a, anyhow::Result<()>> {
        Box::pin(self.act(fault, zone))
    }

    fn heal<'a>(
        &'a self,
        fault: Fault,
        zone: &'a ZoneName,
        _instance: &'a str,
    ) -> Boxed<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let action = match fault {
                Fault::KillZone | Fault::KillNode | Fault::KillEngine => {
                    ZoneAction::Start(zone.clone())
                }
                Fault::PauseZone | Fault::PauseNode => ZoneAction::Resume(zone.clone()),
            };
            ask_control(&self.layout, &action).await.map(|_| ())
        })
    }
}
