//! One engine's control group, where the machine lets us make one.
//!
//! A group is the surest way to kill a whole tree (`cgroup.kill`) and the only way to bound its CPU
//! and memory. Where cgroup v2 cannot be written, engines run without: the guard finds the tree by
//! itself, limits are not kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The most CPU and memory that an engine may take; enforced where cgroup v2 controllers are
/// available.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Processors, as in 2.0.
    pub cpu: Option<f64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
}

/// The period that `cpu.max` is told in.
const CPU_PERIOD_US: u64 = 100_000;

static UNAVAILABLE: Once = Once::new();

/// Makes (or finds) the group called `name` below this process's own, kills what an earlier engine
/// left in it, and sets the limits as far as they can be. `None` when there are no writable groups.
pub(crate) fn prepare(name: &str, limits: &Limits) -> Option<PathBuf> {
    match try_prepare(name, limits) {
        Ok(leaf) => Some(leaf),
        Err(error) => {
            UNAVAILABLE.call_once(|| {
                tracing::info!(%error, "engines run without control groups: no CPU and memory limits");
            });
            None
        }
    }
}

/// Removes a group whose processes are gone; one that still has some stays for the next start.
pub(crate) fn remove(leaf: &Path) {
    let _ = fs::remove_dir(leaf);
}

fn try_prepare(name: &str, limits: &Limits) -> io::Result<PathBuf> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "no cgroup v2 hierarchy");
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let root = mount_point(&mounts).ok_or_else(missing)?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .ok_or_else(missing)?;
    let parent = root.join(own);
    let leaf = parent.join(name);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::write(leaf.join("cgroup.kill"), "1")?;
    if let Err(error) = apply(&parent, &leaf, limits) {
        UNAVAILABLE.call_once(|| {
            tracing::info!(%error, "engines run without CPU and memory limits");
        });
    }
    Ok(leaf)
}

fn apply(parent: &Path, leaf: &Path, limits: &Limits) -> io::Result<()> {
    if limits.cpu.is_none() && limits.memory_bytes.is_none() {
        return Ok(());
    }
    if !leaf.join("memory.max").exists() {
        fs::write(parent.join("cgroup.subtree_control"), "+cpu +memory")?;
    }
    if let Some(cpu) = limits.cpu {
        fs::write(leaf.join("cpu.max"), cpu_max(cpu))?;
    }
    if let Some(bytes) = limits.memory_bytes {
        fs::write(leaf.join("memory.max"), bytes.to_string())?;
    }
    Ok(())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]
fn cpu_max(cpu: f64) -> String {
    let quota_us = (cpu.max(0.01) * CPU_PERIOD_US as f64) as u64;
    format!("{quota_us} {CPU_PERIOD_US}")
}

fn mount_point(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, place, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_hierarchy_is_found_beside_the_first() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(
            mount_point(mounts),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
        assert_eq!(mount_point("tmpfs /tmp tmpfs rw 0 0\n"), None);
    }

    #[test]
    fn processors_become_a_quota_of_the_period() {
        assert_eq!(cpu_max(2.0), "200000 100000");
        assert_eq!(cpu_max(0.0), "1000 100000");
    }
}
