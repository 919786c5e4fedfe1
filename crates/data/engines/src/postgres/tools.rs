//! The tools that make, copy and rewind a data folder.
//!
//! Each runs below a guard that holds the member's lock: it dies with the node, and when its future
//! is dropped. None of them is given a password.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::ADMIN_ROLE;
use super::config::PostgresConfig;
use super::conninfo::Upstream;
use super::controldata::ControlData;
use super::paths::{DataState, MemberPaths};
use super::server::PostgresHost;
use crate::durable;
use crate::error::EngineError;
use crate::guard::{GuardExit, GuardedCommand};
use crate::logtail::{LogTail, NO_SPACE};
use crate::strays;

/// Locales for the data, the wished-for first. Both sort by byte, so that members on hosts with
/// different C libraries agree on the order in their indexes.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];
/// How long reading a control file may take.
const CONTROLDATA_WAIT: Duration = Duration::from_secs(30);

/// How a rewind came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RewindOutcome {
    /// The folder can follow the source.
    Rewound,
    /// It could before: its history is the source's.
    NotNeeded,
    /// It cannot be rewound, and may be damaged: copy it afresh.
    Impossible(String),
}

/// The tools, for one member's folder.
#[derive(Debug, Clone)]
pub struct PostgresTools {
    host: PostgresHost,
    paths: MemberPaths,
}

struct Ran {
    exit: GuardExit,
    said: String,
}

impl PostgresTools {
    /// The tools for the folder at `paths`, which was made ready by [`MemberPaths::prepare`].
    #[must_use]
    pub fn new(host: PostgresHost, paths: MemberPaths) -> PostgresTools {
        PostgresTools { host, paths }
    }

    /// Makes an empty database with checksums, in UTF-8; whole or not at all.
    ///
    /// # Errors
    /// [`EngineError::DataUnusable`] when there is one, [`EngineError::Tool`],
    /// [`EngineError::NoSpace`].
    pub async fn initdb(&self) -> Result<(), EngineError> {
        let copying = self.paths.copying();
        self.initdb_at(&copying, || self.make_way()).await?;
        self.take_over()
    }

    /// Makes an empty database as [`PostgresTools::initdb`] does, straight in the data folder, which is somebody else's
    /// mount and cannot be renamed. When this fails, what is there is of no use.
    ///
    /// # Errors
    /// [`EngineError::Tool`], [`EngineError::NoSpace`], [`EngineError::Io`].
    pub async fn initdb_in_place(&self) -> Result<(), EngineError> {
        let data = self.paths.data();
        self.initdb_at(&data, || {
            let failed = || EngineError::io(format!("empty {}", data.display()));
            for entry in fs::read_dir(&data).map_err(failed())?.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    fs::remove_dir_all(&path).map_err(failed())?;
                } else {
                    fs::remove_file(&path).map_err(failed())?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Runs `initdb` for the first locale that the system has; `make_way` empties the place before each try.
    async fn initdb_at(
        &self,
        folder: &Path,
        make_way: impl Fn() -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let mut last = None;
        for locale in LOCALES {
            make_way()?;
            let mut args: Vec<OsString> = [
                "--data-checksums",
                "--encoding=UTF8",
                "--auth-local=peer",
                "--auth-host=reject",
                "--no-instructions",
            ]
            .map(OsString::from)
            .into();
            args.push(format!("--locale={locale}").into());
            args.push(format!("--username={ADMIN_ROLE}").into());
            args.push("--pgdata".into());
            args.push(folder.into());
            let ran = self.run("initdb", args).await?;
            if ran.exit == GuardExit::Ended(0) {
                return Ok(());
            }
            let wrong_locale = ran.said.contains("invalid locale");
            last = Some(self.failure("initdb", ran));
            if !wrong_locale {
                break;
            }
        }
        Err(last.expect("there is a locale to try"))
    }

    /// Copies the upstream's data through its slot (which must exist), with the log that the copy
    /// needs; whole or not at all.
    ///
    /// # Errors
    /// [`EngineError::DataUnusable`] when there is data, [`EngineError::Tool`],
    /// [`EngineError::NoSpace`].
    pub async fn base_backup(&self, upstream: &Upstream) -> Result<(), EngineError> {
        self.make_way()?;
        let mut args: Vec<OsString> = [
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-password",
            "--no-manifest",
        ]
        .map(OsString::from)
        .into();
        args.push("--pgdata".into());
        args.push(self.paths.copying().into());
        args.push("--dbname".into());
        args.push(upstream.conninfo().into());
        if let Some(slot) = &upstream.slot {
            args.push(format!("--slot={slot}").into());
        }
        let ran = self.run("pg_basebackup", args).await?;
        if ran.exit != GuardExit::Ended(0) {
            return Err(self.failure("pg_basebackup", ran));
        }
        self.take_over()
    }

    /// Bytes that the copy under way has written so far; for display.
    #[must_use]
    pub fn copied_bytes(&self) -> u64 {
        let mut waiting = vec![self.paths.copying()];
        let mut bytes = 0;
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(found) if found.is_dir() => waiting.push(entry.path()),
                    Ok(found) => bytes += found.len(),
                    Err(_) => {}
                }
            }
        }
        bytes
    }

    /// Takes back what this folder wrote after its history left the source's. The server must be
    /// stopped; one that crashed is recovered first. `config` is the one that the server will start
    /// with. The source must have written a checkpoint since its promotion: before that its control
    /// file still tells of the older timeline, and the tool would find nothing to do.
    ///
    /// # Errors
    /// [`EngineError::Tool`] when the source could not be reached: the folder is as it was.
    /// [`EngineError::DataUnusable`] when there is nothing to rewind, [`EngineError::NoSpace`].
    pub async fn rewind(
        &self,
        source: &Upstream,
        config: &PostgresConfig,
    ) -> Result<RewindOutcome, EngineError> {
        let paths = &self.paths;
        if paths.data_state() != DataState::Whole {
            return Err(EngineError::DataUnusable {
                data: paths.data(),
                why: format!("nothing to rewind ({:?})", paths.data_state()),
            });
        }
        paths.clear(&self.host.account).await?;
        // Crash recovery, which the tool may have to run first, refuses to begin as a follower.
        config.write(paths, &self.host.account, None, Some(false))?;
        let marked = || EngineError::io(format!("mark {}", paths.rewinding().display()));
        durable::write_whole(&paths.rewinding(), b"", 0o600, &self.host.account)
            .map_err(marked())?;
        let mut args: Vec<OsString> = vec!["--target-pgdata".into(), paths.data().into()];
        args.push("--source-server".into());
        args.push(source.conninfo().into());
        let ran = self.run("pg_rewind", args).await?;
        let unmark = || durable::remove(&paths.rewinding()).map_err(marked());
        if ran.exit == GuardExit::Ended(0) {
            unmark()?;
            return Ok(if ran.said.contains("no rewind required") {
                RewindOutcome::NotNeeded
            } else {
                RewindOutcome::Rewound
            });
        }
        if ran.said.contains("connection to server") && !ran.said.contains("servers diverged") {
            // It connects before it writes.
            unmark()?;
            return Err(self.failure("pg_rewind", ran));
        }
        match self.failure("pg_rewind", ran) {
            EngineError::Tool { detail, .. } => Ok(RewindOutcome::Impossible(detail)),
            other => Err(other),
        }
    }

    /// Has the server's program load a library and nothing else. There must be data, on which no
    /// server may run: it is only looked at.
    ///
    /// # Errors
    /// [`EngineError::Tool`] with the reason why it cannot be loaded.
    pub(super) async fn try_library(&self, library: &Path) -> Result<(), EngineError> {
        let preload = super::commit_guard::preloaded(library, None);
        // A setting that is computed at the start is told when the libraries have been loaded.
        let args: Vec<OsString> = vec![
            "-D".into(),
            self.paths.data().into(),
            "-C".into(),
            "shared_memory_size".into(),
            "-c".into(),
            "config_file=/dev/null".into(),
            "-c".into(),
            format!("shared_preload_libraries={preload}").into(),
        ];
        let ran = self.run_as("postgres", "trial", args).await?;
        if ran.exit == GuardExit::Ended(0) {
            Ok(())
        } else {
            Err(self.failure("postgres", ran))
        }
    }

    /// Reads the control file of a folder.
    ///
    /// # Errors
    /// [`EngineError::Tool`], [`EngineError::Unexpected`].
    pub async fn controldata(&self) -> Result<ControlData, EngineError> {
        let program = self.host.install.program("pg_controldata");
        let doing = || EngineError::io(format!("run {}", program.display()));
        let run = tokio::process::Command::new(&program)
            .arg("-D")
            .arg(self.paths.data())
            .env("LC_ALL", "C")
            .kill_on_drop(true)
            .output();
        let said = tokio::time::timeout(CONTROLDATA_WAIT, run)
            .await
            .map_err(|_| EngineError::Timeout {
                doing: String::from("read the control file"),
                waited_ms: crate::process::millis(CONTROLDATA_WAIT),
            })?
            .map_err(doing())?;
        if !said.status.success() {
            return Err(EngineError::Tool {
                tool: "pg_controldata",
                exit: said.status.to_string(),
                detail: String::from_utf8_lossy(&said.stderr).trim().to_owned(),
            });
        }
        ControlData::parse(&String::from_utf8_lossy(&said.stdout))
    }

    /// Clears the place where a new folder grows.
    fn make_way(&self) -> Result<(), EngineError> {
        if self.paths.data_state() != DataState::Missing {
            return Err(EngineError::DataUnusable {
                data: self.paths.data(),
                why: String::from("there is data in it already, which must be removed first"),
            });
        }
        durable::remove_tree(&self.paths.copying()).map_err(EngineError::io(format!(
            "remove {}",
            self.paths.copying().display()
        )))
    }

    /// A finished folder takes its name. The tools have synced what is in it.
    fn take_over(&self) -> Result<(), EngineError> {
        let (from, to) = (self.paths.copying(), self.paths.data());
        let failed = || EngineError::io(format!("rename {} to {}", from.display(), to.display()));
        durable::remove_tree(&to).map_err(failed())?;
        fs::rename(&from, &to).map_err(failed())?;
        durable::sync_parent(&to).map_err(failed())
    }

    async fn run(&self, tool: &'static str, args: Vec<OsString>) -> Result<Ran, EngineError> {
        self.run_as(tool, tool, args).await
    }

    /// Runs a tool whose output goes to the log called `log`.
    async fn run_as(
        &self,
        tool: &'static str,
        log: &str,
        args: Vec<OsString>,
    ) -> Result<Ran, EngineError> {
        strays::wait_unlocked(self.paths.folder(), &self.paths.data()).await?;
        let log = self.paths.root().join("log").join(format!("{log}.log"));
        let (output, tail) = LogTail::open(&log, &self.host.account)?;
        let mut command: Vec<OsString> = vec![self.host.install.program(tool).into()];
        command.extend(args);
        let guarded = GuardedCommand {
            guard: &self.host.guard,
            account: &self.host.account,
            command,
            workdir: self.paths.root().to_path_buf(),
            lock: Some(self.paths.lock()),
            cgroup: None,
            lease: None,
            output,
        }
        .spawn()
        .await
        .map_err(EngineError::io(format!("start the guard of {tool}")))?;
        match guarded.wait().await {
            GuardExit::Locked => Err(EngineError::AlreadyServed {
                data: self.paths.data(),
            }),
            exit => Ok(Ran {
                exit,
                said: tail.read(),
            }),
        }
    }

    fn failure(&self, tool: &'static str, ran: Ran) -> EngineError {
        if ran.said.contains(NO_SPACE) {
            return EngineError::NoSpace {
                data: self.paths.data(),
                detail: ran.said,
            };
        }
        EngineError::Tool {
            tool,
            exit: ran.exit.to_string(),
            detail: ran.said,
        }
    }
}
