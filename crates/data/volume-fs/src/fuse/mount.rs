//! Mounting and unmounting.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

use super::options::MountOptions;
use super::serve::{REQUEST_BYTES_MAX, Server};
use super::support::{DEVICE, WhyNot, supported};
use crate::error::FsError;
use crate::filesystem::FileSystem;

/// Numbers this process's mounts.
static MOUNTS: AtomicU64 = AtomicU64::new(0);

/// Why a file system cannot be mounted or unmounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// This machine does not let us.
    #[error(transparent)]
    Unsupported(#[from] WhyNot),
    /// Somebody uses a file or stands in a folder.
    #[error("{0} is in use")]
    Busy(PathBuf),
    /// The kernel refused.
    #[error("{0}: {1}")]
    Refused(PathBuf, io::Error),
    /// Unmounted, but what was written last is not known to survive.
    #[error("after unmounting: {0}")]
    LastSync(FsError),
}

/// A file system at its mount point. Dropping it unmounts, waiting for nobody.
pub struct Mounted {
    mountpoint: PathBuf,
    /// What `/proc/self/mountinfo` shows as its source; no other mount has the same.
    source: String,
    file_system: Arc<FileSystem>,
    session: Option<BackgroundSession>,
}

/// Mounts a file system. A dead mount at the place is removed first.
///
/// # Errors
/// When the machine does not let us, or the place is no folder.
pub fn mount(
    file_system: Arc<FileSystem>,
    mountpoint: &Path,
    options: &MountOptions,
) -> Result<Mounted, MountError> {
    supported()?;
    let refused = |error| MountError::Refused(mountpoint.to_owned(), error);
    remove_dead_mount(mountpoint).map_err(refused)?;
    let mountpoint = mountpoint.canonicalize().map_err(refused)?;
    let server = Server::new(file_system.clone(), options);
    let number = MOUNTS.fetch_add(1, Ordering::Relaxed);
    // No character that `mountinfo` would write in another way.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    let name = options.name.replace(|c| !plain(c), "-");
    let source = format!("{name}:{}.{number}", std::process::id());
    let config = config(options, &source, file_system.is_read_only());
    let session = if geteuid().is_root() {
        mount_as_root(server, &mountpoint, &source, &config)
    } else {
        fuser::spawn_mount(server, &mountpoint, &config)
    };
    let session = session.map_err(refused)?;
    read_further_ahead(&source);
    Ok(Mounted {
        source,
        mountpoint,
        file_system,
        session: Some(session),
    })
}

fn config(options: &MountOptions, source: &str, read_only: bool) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(source.to_owned()),
        MountOption::Subtype("quorate".to_owned()),
        MountOption::DefaultPermissions,
        MountOption::NoAtime,
        MountOption::NoDev,
        MountOption::NoSuid,
    ];
    if read_only {
        config.mount_options.push(MountOption::RO);
    }
    config.acl = match geteuid().is_root() {
        true => SessionACL::All,
        false => SessionACL::Owner,
    };
    config.n_threads = Some(options.threads.max(1));
    config.clone_fd = true;
    config
}

/// Mounts without fuser's help. Its own mounts are unmounted by path when they are dropped, also when something else is there by then.
fn mount_as_root(
    server: Server,
    mountpoint: &Path,
    source: &str,
    config: &Config,
) -> io::Result<BackgroundSession> {
    let device = OpenOptions::new().read(true).write(true).open(DEVICE)?;
    let read_only = server.is_read_only();
    let how = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
        device.as_raw_fd()
    );
    let mut flags = MsFlags::MS_NOATIME | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    if read_only {
        flags |= MsFlags::MS_RDONLY;
    }
    let kind = Some("fuse.quorate");
    nix::mount::mount(Some(source), mountpoint, kind, flags, Some(how.as_str()))?;
    Session::from_fd(server, device.into(), config.acl, config.clone())
        .and_then(Session::spawn)
        .inspect_err(|_| {
            // The first error is the one to tell; a mount that stays is removed by the next try.
            let _ = detach(mountpoint);
        })
}

/// Removes what a process left behind that died with its mount.
fn remove_dead_mount(mountpoint: &Path) -> io::Result<()> {
    loop {
        // Not `stat`, which the kernel may answer from what it remembers.
        match statvfs(mountpoint) {
            Err(Errno::ENOTCONN) => detach(mountpoint)?,
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Has the kernel read ahead as much as one request may carry; it grants new mounts an eighth of that. Where `/sys` cannot be written, as in
/// many containers, things stay as they are.
fn read_further_ahead(source: &str) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let ours = |line: &&str| {
        let source_of = line
            .split_once(" - ")
            .and_then(|(_, of)| of.split(' ').nth(1));
        source_of == Some(source)
    };
    if let Some(device) = mounts
        .lines()
        .find(ours)
        .and_then(|line| line.split(' ').nth(2))
    {
        let limit = format!("/sys/class/bdi/{device}/read_ahead_kb");
        let _ = std::fs::write(limit, (REQUEST_BYTES_MAX / 1024).to_string());
    }
}

/// Whether the mount of this source is there, with none on top of it.
fn is_on_top(source: &str) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mounts.lines().rev().filter_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        Some((place.split(' ').nth(4)?, source.split(' ').nth(1)?))
    });
    let mounts: Vec<(&str, &str)> = mounts.collect();
    let ours = mounts.iter().find(|(_, of)| *of == source);
    ours.is_some_and(|ours| mounts.iter().find(|(at, _)| *at == ours.0) == Some(ours))
}

/// Takes the mount out of the tree; it is gone when its last user is.
fn detach(mountpoint: &Path) -> io::Result<()> {
    if geteuid().is_root() {
        return Ok(umount2(mountpoint, MntFlags::MNT_DETACH)?);
    }
    let mut fusermount = Command::new("fusermount3");
    let status = fusermount.arg("-uz").arg("--").arg(mountpoint).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("fusermount3 -uz: {status}"))),
    }
}

impl Mounted {
    /// Where it is mounted.
    #[must_use]
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// What is mounted.
    #[must_use]
    pub fn file_system(&self) -> &Arc<FileSystem> {
        &self.file_system
    }

    /// Unmounts and syncs. When somebody uses a file nothing happens: it can be tried again.
    ///
    /// # Errors
    /// When somebody uses a file, the kernel refuses, or the last sync fails.
    pub fn unmount(&mut self) -> Result<(), MountError> {
        if self.session.is_some() {
            let flags = MntFlags::empty();
            let place = self.mountpoint.clone();
            let gone = match geteuid().is_root() {
                true => umount2(&self.mountpoint, flags).map_err(io::Error::from),
                false => detach(&self.mountpoint),
            };
            match gone {
                Ok(()) => {}
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    // Somebody else has unmounted it.
                    Some(Errno::EINVAL | Errno::ENOENT) => {}
                    Some(Errno::EBUSY) => return Err(MountError::Busy(place)),
                    _ => return Err(MountError::Refused(place, error)),
                },
            }
            let session = self.session.take().expect("it was found");
            let ended = session.join();
            ended.map_err(|error| MountError::Refused(self.mountpoint.clone(), error))?;
        }
        self.file_system.sync_all().map_err(MountError::LastSync)
    }

    /// Takes the mount out of the tree at once. Whoever uses a file goes on until the process ends; nothing is waited for.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn detach(mut self) -> Result<(), MountError> {
        self.detach_now()
            .map_err(|error| MountError::Refused(self.mountpoint.clone(), error))
    }

    fn detach_now(&mut self) -> io::Result<()> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        // When this one has died, another mount may be there.
        let ours = is_on_top(&self.source);
        let gone = if ours {
            detach(&self.mountpoint)
        } else {
            Ok(())
        };
        drop(session);
        gone
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nobody is there to be told; a mount that stays behind is removed by the next one.
        let _ = self.detach_now();
    }
}
