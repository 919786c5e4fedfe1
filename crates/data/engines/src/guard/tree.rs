//! Finds and kills every process below the guard.
//!
//! Backends of PostgreSQL call setsid, so neither process groups nor sessions hold the tree
//! together. The guard is its subreaper: whoever loses a parent becomes the guard's own child. So
//! when the guard has no child left, nothing is left.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

/// The pause between two rounds of killing grows from the first to the second.
const ROUND_PAUSE_MIN: Duration = Duration::from_millis(1);
const ROUND_PAUSE_MAX: Duration = Duration::from_millis(50);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With this exit status.
    Status(i32),
    /// By this signal.
    Signal(Signal),
}

/// Takes the status of every child that has ended; returns that of `engine` when it is among them,
/// and whether any child is left.
pub(super) fn reap(engine: Pid) -> (Option<Ended>, bool) {
    let mut ended = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == engine => ended = Some(Ended::Status(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == engine => {
                ended = Some(Ended::Signal(signal));
            }
            Ok(WaitStatus::StillAlive) => return (ended, true),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return (ended, false),
        }
    }
}

/// Kills everything below the guard and returns when nothing is left, however long that takes: a
/// process in an uninterruptible wait dies only when its disk answers.
pub(super) fn kill_all(engine: Pid, cgroup_kill: Option<&OwnedFd>) {
    let mut pause = ROUND_PAUSE_MIN;
    loop {
        if let Some(file) = cgroup_kill {
            let _ = nix::unistd::write(file, b"1");
        }
        for pid in descendants() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let (_, left) = reap(engine);
        if !left {
            return;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(ROUND_PAUSE_MAX);
    }
}

/// Everything below this process, nearest first: a parent is killed before it can start another
/// child.
fn descendants() -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    for entry in entries.flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = pid else { continue };
        let Ok(stat) = fs::read(entry.path().join("stat")) else {
            continue;
        };
        if let Some(parent) = parent_of(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut level = vec![getpid().as_raw()];
    while !level.is_empty() {
        level = level
            .iter()
            .flat_map(|pid| children.get(pid).into_iter().flatten().copied())
            .filter(|pid| seen.insert(*pid))
            .collect();
        found.extend(level.iter().copied().map(Pid::from_raw));
    }
    found
}

/// The fourth field of `/proc/PID/stat`: the second, a name in brackets, may itself hold spaces and
/// brackets.
fn parent_of(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_brackets_does_not_mislead() {
        assert_eq!(parent_of(b"12 (post) 9 (gres) S 7 12 12 0"), Some(7));
        assert_eq!(parent_of(b"12 (x) S"), None);
        assert_eq!(parent_of(b""), None);
    }
}
