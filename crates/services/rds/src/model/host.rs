//! What nodes have: engines found on the host, and the parameters that those engines know.

use serde::{Deserialize, Serialize};

use quorate_control::Record;

/// What one node offers. Id in the catalog: the node's id. Written by its agent at each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Engines found on the host, newest version first.
    pub engines: Vec<EngineVersion>,
    /// Why no Aurora volume can be mounted there, with the remedy; none where it can.
    #[serde(default)]
    pub volumes_refused: Option<String>,
}

/// An engine that a host can run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EngineVersion {
    /// The program: `postgres` or `mariadb`.
    pub engine: String,
    /// The program's version, as in `15.18`.
    pub version: String,
}

/// The parameters that an engine version knows: of PostgreSQL as it tells them itself (`postgres --describe-config`).
/// Id in the catalog: `ENGINE-VERSION`, as in `postgres-15.18`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineParameters {
    /// In the order of their names.
    pub parameters: Vec<ParameterSpec>,
}

/// One parameter that an engine knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterSpec {
    /// As in `work_mem`.
    pub name: String,
    /// When the engine takes a change in.
    pub context: ParameterContext,
    /// `bool`, `integer`, `real`, `string` or `enum`.
    pub data_type: String,
    /// Smallest and largest value of a number, in the parameter's own unit.
    pub range: Option<(String, String)>,
    /// The words of an enum, where the engine tells them.
    pub allowed: Vec<String>,
    /// The engine's own default.
    pub default: String,
    /// What it does, in a sentence.
    pub description: String,
}

/// When the engine takes a change in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterContext {
    /// Fixed when the engine was built or its data made: not modifiable.
    Internal,
    /// At the next start (`static`).
    Start,
    /// With a reload (`dynamic`).
    Reload,
}

impl Host {
    /// Whether the host has this version of a program.
    #[must_use]
    pub fn runs(&self, program: &str, version: &str) -> bool {
        let mut engines = self.engines.iter();
        engines.any(|engine| engine.engine == program && engine.version == version)
    }
}

impl Record for Host {
    const TABLE: &'static str = "rds/host";
    const VERSION: u32 = 1;
}

impl Record for EngineParameters {
    const TABLE: &'static str = "rds/engine-parameters";
    const VERSION: u32 = 1;
}
