//! Whether a file system can be mounted on this machine.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use nix::unistd::geteuid;

pub(super) const DEVICE: &str = "/dev/fuse";
/// Bit of `CAP_SYS_ADMIN` among the effective capabilities.
const SYS_ADMIN: u32 = 21;

/// Why nothing can be mounted here, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// There is no device.
    #[error(
        "/dev/fuse is missing: load the kernel module `fuse`; start a container with `--device /dev/fuse --cap-add SYS_ADMIN`"
    )]
    NoDevice,
    /// The device may not be opened.
    #[error(
        "/dev/fuse may not be opened ({0}): start a container with `--device /dev/fuse --cap-add SYS_ADMIN`"
    )]
    DeviceForbidden(String),
    /// Root, but not allowed to mount.
    #[error(
        "this container may not mount: start it with `--cap-add SYS_ADMIN` (and `--device /dev/fuse`)"
    )]
    MayNotMount,
    /// Not root, and the program that mounts for others is missing.
    #[error("not root, and `fusermount3` is missing: install the package `fuse3`")]
    NoFusermount,
}

/// Says whether file systems can be mounted here.
///
/// # Errors
/// Why not, with the remedy in words.
pub fn supported() -> Result<(), WhyNot> {
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(WhyNot::NoDevice),
        Err(error) => return Err(WhyNot::DeviceForbidden(error.to_string())),
    }
    if geteuid().is_root() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        return match may_mount(&status) {
            Some(false) => Err(WhyNot::MayNotMount),
            // Without /proc only trying tells.
            Some(true) | None => Ok(()),
        };
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let has = |folder: &Path| folder.join("fusermount3").exists();
    if std::env::split_paths(&paths).any(|folder| has(&folder)) {
        Ok(())
    } else {
        Err(WhyNot::NoFusermount)
    }
}

/// Whether the capabilities in `/proc/self/status` are enough.
fn may_mount(status: &str) -> Option<bool> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let capabilities = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(capabilities >> SYS_ADMIN & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read() {
        assert_eq!(
            may_mount("Name:\tx\nCapEff:\t000001ffffffffff\n"),
            Some(true)
        );
        assert_eq!(may_mount("CapEff:\t00000000a80425fb\n"), Some(false));
        assert_eq!(may_mount(""), None);
    }
}
