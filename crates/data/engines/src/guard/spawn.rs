//! Starts the engine below the guard: the only unsafe code of this crate.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use super::args::GuardArgs;

/// Starts the engine: it dies with the guard, and is in the control group from its first
/// instruction. Its output goes where the guard's errors go.
pub(super) fn spawn_engine(args: &GuardArgs, group: Option<OwnedFd>) -> io::Result<Pid> {
    let (program, rest) = args
        .command
        .split_first()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let guard = nix::unistd::getpid();
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(io::stderr());
    if let Some(dir) = &args.workdir {
        command.current_dir(dir);
    }
    let prepare = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The guard may have died before the line above: then nobody would send the signal.
        if nix::unistd::getppid() != guard {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        if let Some(group) = &group {
            nix::unistd::write(group, b"0")?;
        }
        // The guard blocks signals; a blocked signal stays blocked across exec.
        SigSet::empty().thread_set_mask()?;
        Ok(())
    };
    // SAFETY: between fork and exec `prepare` makes only the system calls prctl, getppid, write and
    // rt_sigprocmask on values that it owns; it allocates nothing and takes no lock. The guard has
    // one thread, so even that would find no lock held.
    unsafe {
        command.pre_exec(prepare);
    }
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok(Pid::from_raw(pid))
}
