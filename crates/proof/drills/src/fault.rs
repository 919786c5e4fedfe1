//! The faults that a drill injects, and who carries them out.

use std::fmt;

use quorate_base::ZoneName;
use serde::{Deserialize, Serialize};

use crate::region::Boxed;

/// What is done to the zone of the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Every process of the zone is killed at once, as by `kill -9`.
    KillZone,
    /// The node that holds the primary is killed; its engines die with it.
    KillNode,
    /// The instance's engine in the zone is killed.
    KillEngine,
    /// Every process of the zone is stopped (SIGSTOP), and goes on when the fault is healed.
    PauseZone,
    /// The node process that holds the primary is stopped; its engines run on until their guards end them.
    PauseNode,
}

impl Fault {
    /// All faults, in the order in which the command line names them.
    pub const ALL: [Fault; 5] = [
        Fault::KillZone,
        Fault::KillNode,
        Fault::KillEngine,
        Fault::PauseZone,
        Fault::PauseNode,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::KillZone => "kill-zone",
            Fault::KillNode => "kill-node",
            Fault::KillEngine => "kill-engine",
            Fault::PauseZone => "pause-zone",
            Fault::PauseNode => "pause-node",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        Fault::ALL
            .into_iter()
            .find(|fault| fault.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "`{text}` is no fault: one of {}",
                    Fault::ALL.map(Fault::as_str).join(", ")
                )
            })
    }
}

/// Carries faults out in a live region.
pub trait FaultTarget: Send + Sync {
    /// Injects the fault in a zone; returns once it is there. `instance` tells which engine, and which node of
    /// the zone, where the fault concerns one of several.
    fn inject<'a>(
        &'a self,
        fault: Fault,
        zone: &'a ZoneName,
        instance: &'a str,
    ) -> Boxed<'a, anyhow::Result<()>>;

    /// Takes the fault back: starts what was killed, lets go on what was stopped. Not called for
    /// [`Fault::KillEngine`], which the region heals itself.
    fn heal<'a>(
        &'a self,
        fault: Fault,
        zone: &'a ZoneName,
        instance: &'a str,
    ) -> Boxed<'a, anyhow::Result<()>>;
}
