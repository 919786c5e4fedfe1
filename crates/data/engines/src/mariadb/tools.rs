//! Makes an empty data folder.

use std::ffi::OsString;
use std::fs;

use super::paths::MariadbPaths;
use super::server::MariadbHost;
use crate::error::EngineError;
use crate::guard::{GuardExit, GuardedCommand};
use crate::logtail::{LogTail, NO_SPACE};
use crate::strays;

const TOOL: &str = "mariadb-install-db";

/// Makes an empty database, straight in the data folder, which is somebody else's mount and cannot be renamed. What is in
/// it before is removed; when this fails, what is there is of no use.
///
/// # Errors
/// [`EngineError::Tool`], [`EngineError::NoSpace`], [`EngineError::Io`], [`EngineError::AlreadyServed`].
pub async fn install_in_place(host: &MariadbHost, paths: &MariadbPaths) -> Result<(), EngineError> {
    let data = paths.data();
    strays::wait_unlocked(paths.folder(), &data).await?;
    empty(&data)?;
    paths.empty_tmp(&host.account)?;
    let log = paths.root().join("log").join(format!("{TOOL}.log"));
    let (output, tail) = LogTail::open(&log, &host.account)?;
    let option = |name: &str, value: &std::path::Path| {
        let mut option = OsString::from(format!("--{name}="));
        option.push(value);
        option
    };
    let mut command: Vec<OsString> = vec![host.install.installer.clone().into()];
    command.push("--no-defaults".into());
    command.push(option("datadir", &data));
    command.push(option("tmpdir", &paths.tmp()));
    command.extend(
        [
            "--auth-root-authentication-method=socket",
            "--skip-name-resolve",
            "--skip-test-db",
            "--innodb-checksum-algorithm=full_crc32",
            "--innodb-page-size=16384",
        ]
        .map(OsString::from),
    );
    let guarded = GuardedCommand {
        guard: &host.guard,
        account: &host.account,
        command,
        workdir: paths.root().to_path_buf(),
        lock: Some(paths.folder().lock()),
        cgroup: None,
        lease: None,
        output,
    };
    let started = EngineError::io(format!("start the guard of {TOOL}"));
    let exit = guarded.spawn().await.map_err(started)?.wait().await;
    match exit {
        GuardExit::Ended(0) if paths.holds_data() => Ok(()),
        GuardExit::Locked => Err(EngineError::AlreadyServed { data }),
        exit => {
            let detail = tail.read();
            Err(if detail.contains(NO_SPACE) {
                EngineError::NoSpace { data, detail }
            } else {
                EngineError::Tool {
                    tool: TOOL,
                    exit: exit.to_string(),
                    detail,
                }
            })
        }
    }
}

fn empty(folder: &std::path::Path) -> Result<(), EngineError> {
    let failed = || EngineError::io(format!("empty {}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed())?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(failed())?;
        } else {
            fs::remove_file(&path).map_err(failed())?;
        }
    }
    Ok(())
}
