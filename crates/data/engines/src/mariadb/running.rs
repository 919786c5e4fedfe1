//! A running server: watched, asked, told to change.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mysql_async::Row;
use tokio::sync::Mutex;

use super::admin::{AdminConnection, literal};
use super::catalogue;
use super::config::MariadbConfig;
use super::paths::MariadbPaths;
use crate::account::EngineAccount;
use crate::error::EngineError;
use crate::guard::Signal;
use crate::process::{EngineProcess, ExitKind, millis};

/// The pause between two looks at a server grows from the first to the second.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(5);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(50);

const CHARACTER_SET: &str = "character_set_server";
const COLLATION: &str = "collation_server";

/// A started server. Dropping it kills what it runs.
#[derive(Debug)]
pub struct RunningMariadb {
    process: EngineProcess,
    paths: MariadbPaths,
    account: EngineAccount,
    config: Mutex<MariadbConfig>,
    /// The parameters that it was started with, which those that are not dynamic keep.
    started_with: BTreeMap<String, String>,
    admin: AdminConnection,
}

impl RunningMariadb {
    pub(super) fn adopt(
        process: EngineProcess,
        paths: MariadbPaths,
        account: EngineAccount,
        config: MariadbConfig,
        admin_password: &str,
    ) -> RunningMariadb {
        RunningMariadb {
            admin: AdminConnection::new(&paths.socket(), admin_password),
            started_with: config.parameters.clone(),
            config: Mutex::new(config),
            process,
            paths,
            account,
        }
    }

    /// The member's folder.
    #[must_use]
    pub fn paths(&self) -> &MariadbPaths {
        &self.paths
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// What the server was last given.
    pub async fn config(&self) -> MariadbConfig {
        self.config.lock().await.clone()
    }

    /// How the server ended; `None` while it runs.
    #[must_use]
    pub fn exit(&self) -> Option<ExitKind> {
        self.process.exit()
    }

    /// Waits for the server's end.
    pub async fn exited(&self) -> ExitKind {
        self.process.exited().await
    }

    /// Waits until the server has recovered and lets the administrator in.
    ///
    /// # Errors
    /// [`EngineError::ExitedEarly`], [`EngineError::NoSpace`], [`EngineError::PortInUse`] when it ended;
    /// [`EngineError::NotReady`] after `within` (it still runs then); [`EngineError::Mysql`] when it refuses the
    /// administrator.
    pub async fn wait_ready(&self, within: Duration) -> Result<(), EngineError> {
        let since = Instant::now();
        let mut pause = LOOK_PAUSE_MIN;
        loop {
            if let Some(kind) = self.exit() {
                return Err(self.process.explain_end(&kind));
            }
            let left = within.saturating_sub(since.elapsed());
            match tokio::time::timeout(left, self.admin.connect()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error @ mysql_async::Error::Server(_))) => {
                    return Err(EngineError::mysql("connect as the administrator")(error));
                }
                // It does not listen yet, or hangs up as it ends.
                Ok(Err(_)) => {}
                Err(_) => {
                    return Err(EngineError::NotReady {
                        waited_ms: millis(since.elapsed()),
                        phase: String::from("it does not answer yet"),
                        log_tail: self.process.last_words(),
                    });
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
        }
    }

    /// Stops the server in order and waits for its end.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] when it has not ended `within`: kill it, or wait on.
    pub async fn stop(&self, within: Duration) -> Result<ExitKind, EngineError> {
        self.process.stop(Signal::Terminate, within).await
    }

    /// Kills the server and waits until it is gone.
    pub async fn kill(&self) -> ExitKind {
        self.process.kill().await
    }

    /// Gives the server other parameters: the dynamic ones at once, the others with its next start.
    ///
    /// # Errors
    /// [`EngineError::Parameter`], [`EngineError::Io`]; [`EngineError::Mysql`] when the server refuses a value: those
    /// before it in their order are in force then.
    pub async fn set_parameters(
        &self,
        parameters: BTreeMap<String, String>,
    ) -> Result<(), EngineError> {
        let mut held = self.config.lock().await;
        let wanted = MariadbConfig {
            parameters,
            ..held.clone()
        };
        let text = wanted.render(&self.paths)?;
        for parameter in catalogue::parameters() {
            let name = parameter.name;
            let value = wanted.parameters.get(name);
            // With another character set comes its own collation, unless one is asked for.
            let again = name == COLLATION
                && wanted.parameters.get(CHARACTER_SET) != held.parameters.get(CHARACTER_SET);
            let same = value == held.parameters.get(name);
            let fits = name != COLLATION || wanted.collation_fits();
            if !parameter.dynamic || (same && !again) || !fits || (again && value.is_none()) {
                continue;
            }
            let value = match value {
                Some(value) => sql_value(parameter, value)?,
                None => String::from("DEFAULT"),
            };
            let sql = format!("SET GLOBAL {} = {value}", catalogue::variable_name(name));
            self.run("set a parameter", &sql).await?;
        }
        self.paths
            .write(&self.paths.config(), &text, &self.account)?;
        *held = wanted;
        Ok(())
    }

    /// Whether parameters wait for the next start.
    pub async fn pending_restart(&self) -> bool {
        let held = self.config.lock().await;
        let mut fixed = catalogue::parameters()
            .iter()
            .filter(|known| !known.dynamic);
        fixed.any(|known| held.parameters.get(known.name) != self.started_with.get(known.name))
    }

    /// The rows of one statement of the administrator.
    pub(super) async fn ask(&self, doing: &str, sql: &str) -> Result<Vec<Row>, EngineError> {
        self.admin.ask(doing, sql).await
    }

    /// One statement of the administrator.
    pub(super) async fn run(&self, doing: &str, sql: &str) -> Result<(), EngineError> {
        self.ask(doing, sql).await.map(drop)
    }
}

fn sql_value(parameter: &catalogue::MariadbParameter, value: &str) -> Result<String, EngineError> {
    use catalogue::ParameterKind::{Integer, Real};
    let value = catalogue::option_value(parameter.name, value);
    let numeric = value.parse::<f64>().is_ok_and(f64::is_finite);
    match parameter.kind {
        Integer(..) | Real(..) if numeric => Ok(value.to_owned()),
        _ if numeric && value.len() == 1 => Ok(value.to_owned()),
        _ => literal(value),
    }
}
