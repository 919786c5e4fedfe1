//! Signals to whole families of processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use quorate_rds::aurora::mount::MOUNT_COMMAND;

/// How long killed processes may take to disappear.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// An engine under a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineProcess {
    /// Its first process.
    pub(crate) pid: i32,
    /// Its data folder.
    pub(crate) data: PathBuf,
}

/// A process and all below it, parents first, as they are at this moment.
pub(crate) fn family(root: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(parent) = parent_of(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.get(pid).into_iter().flatten());
        at += 1;
    }
    found
}

/// Sends a signal to a process and all below it, again until nobody new appears.
pub(crate) fn signal_family(root: i32, signal: Signal) {
    let mut told = std::collections::BTreeSet::new();
    loop {
        let fresh: Vec<i32> = family(root)
            .into_iter()
            .filter(|pid| told.insert(*pid))
            .collect();
        if fresh.is_empty() {
            return;
        }
        for pid in fresh {
            send(pid, signal);
        }
    }
}

/// Kills a process and all below it, and waits until they are gone.
pub(crate) fn kill_family(root: i32) -> bool {
    let members = family(root);
    for pid in &members {
        send(*pid, Signal::SIGKILL);
    }
    let deadline = Instant::now() + KILL_TIMEOUT;
    while members.iter().any(|pid| runs(*pid)) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The PostgreSQL and MariaDB servers below a node: their first process, and where their data lies.
pub(crate) fn engines_below(node: i32) -> Vec<EngineProcess> {
    family(node)
        .into_iter()
        .filter_map(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let args: Vec<_> = line
                .split(|b| *b == 0)
                .map(String::from_utf8_lossy)
                .collect();
            let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
            Some(EngineProcess {
                pid,
                data: data_of(&args)?,
            })
        })
        .collect()
}

/// Where the data of the server lies that has this command line, as `quorate-engines` starts servers.
fn data_of(args: &[&str]) -> Option<PathBuf> {
    let (program, args) = args.split_first()?;
    if program.ends_with("/postgres") {
        let mut args = args.iter().skip_while(|arg| **arg != "-D");
        return args.nth(1).map(PathBuf::from);
    }
    let config = args.first()?.strip_prefix("--defaults-file=")?;
    program
        .ends_with("/mariadbd")
        .then(|| Path::new(config).with_file_name("data"))
}

/// The processes below a node that serve volumes as files.
pub(crate) fn mounts_below(node: i32) -> Vec<i32> {
    let serves = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).nth(1) == Some(MOUNT_COMMAND.as_bytes())
    };
    family(node).into_iter().filter(serves).collect()
}

/// Whether a process runs: there, and not a zombie.
pub(crate) fn runs(pid: i32) -> bool {
    state_of(pid).is_some_and(|state| state != 'Z')
}

/// Whether a process is stopped by a signal.
pub(crate) fn is_stopped(pid: i32) -> bool {
    state_of(pid) == Some('T')
}

fn send(pid: i32, signal: Signal) {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(e) => tracing::warn!(pid, %signal, error = %e, "a signal could not be sent"),
    }
}

fn parent_of(pid: i32) -> Option<i32> {
    stat_field(pid, 1)?.parse().ok()
}

fn state_of(pid: i32) -> Option<char> {
    stat_field(pid, 0)?.chars().next()
}

/// A field of `/proc/PID/stat`, counted from the one after the program's name (proc(5)).
fn stat_field(pid: i32, at: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(at).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_from_their_guards_and_their_children() {
        let postgres = [
            "/usr/lib/postgresql/15/bin/postgres",
            "-D",
            "/srv/m/data",
            "",
        ];
        assert_eq!(data_of(&postgres), Some(PathBuf::from("/srv/m/data")));
        let mariadb = ["/usr/sbin/mariadbd", "--defaults-file=/srv/m/my.cnf", ""];
        assert_eq!(data_of(&mariadb), Some(PathBuf::from("/srv/m/data")));
        for other in [
            &["postgres: checkpointer", ""][..],
            &["/proc/self/exe", "guard", "--", "/usr/sbin/mariadbd", ""],
            &[""],
        ] {
            assert_eq!(data_of(other), None, "{other:?}");
        }
    }
}
