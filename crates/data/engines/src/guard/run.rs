//! The guard's life: prepare, start the engine, watch, kill, say why.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal as Unix, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::{Gid, Pid, Uid, setgroups, setresgid, setresuid, setsid};

use super::args::GuardArgs;
use super::commands::{Command, CommandReader};
use super::spawn::spawn_engine;
use super::tree::{self, Ended};
use super::{EXIT_KILLED, EXIT_LEASE_LAPSED, EXIT_LOCKED, EXIT_NODE_GONE, EXIT_NOT_STARTED};
use crate::clock::Deadline;

/// Runs the guard: `args` are those after the word `guard` on the command line. Returns when
/// nothing that it started is left, with the engine's own exit status (128 and the signal's number
/// when a signal ended it), or one of the `EXIT_` constants.
///
/// Must be called before the process starts a second thread: signals are blocked for this thread
/// only, and the engine's parent-death signal follows it.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match GuardArgs::parse(args) {
        Ok(args) => args,
        Err(why) => return refuse(&why),
    };
    match Guard::start(&args) {
        Ok(guard) => ExitCode::from(guard.watch()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => ExitCode::from(EXIT_LOCKED),
        Err(error) => refuse(&error.to_string()),
    }
}

fn refuse(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "quorate guard: {why}");
    ExitCode::from(EXIT_NOT_STARTED)
}

/// A guard whose engine runs.
struct Guard {
    engine: Pid,
    signals: SignalFd,
    timer: TimerFd,
    lease: Option<Deadline>,
    cgroup_kill: Option<OwnedFd>,
    reader: CommandReader,
    _lock: Option<File>,
}

/// What made the guard stop watching.
enum Verdict {
    LeaseLapsed,
    NodeGone,
    Killed,
    Ended(Ended),
}

impl Guard {
    fn start(args: &GuardArgs) -> io::Result<Guard> {
        // Blocked, not ignored: Ctrl-C in the terminal reaches the node, which stops its engines in
        // order.
        let mut blocked = SigSet::empty();
        for signal in [
            Unix::SIGTERM,
            Unix::SIGINT,
            Unix::SIGHUP,
            Unix::SIGQUIT,
            Unix::SIGUSR1,
            Unix::SIGUSR2,
            Unix::SIGPIPE,
            Unix::SIGTSTP,
            Unix::SIGCHLD,
        ] {
            blocked.add(signal);
        }
        blocked.thread_block()?;
        let mut children = SigSet::empty();
        children.add(Unix::SIGCHLD);
        let signals =
            SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        // Fails only for the leader of a process group, which then is one already.
        let _ = setsid();
        let _ = prctl::set_name(c"quorate-guard");
        prctl::set_child_subreaper(true)?;

        let lock = args.lock.as_deref().map(take_lock).transpose()?;
        // Opened before the account changes: the right to write is checked at opening.
        let group = args
            .cgroup
            .as_deref()
            .and_then(|dir| open_for_write(&dir.join("cgroup.procs")));
        let cgroup_kill = args
            .cgroup
            .as_deref()
            .and_then(|dir| open_for_write(&dir.join("cgroup.kill")));
        if let Some((uid, gid)) = args.account {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            setgroups(&[gid])?;
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)?;
        }
        let timer = TimerFd::new(
            ClockId::CLOCK_BOOTTIME,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        )?;
        let mut guard = Guard {
            engine: spawn_engine(args, group)?,
            signals,
            timer,
            lease: None,
            cgroup_kill,
            reader: CommandReader::default(),
            _lock: lock,
        };
        guard.set_lease(args.lease_ns);
        let mut out = io::stdout();
        let _ = writeln!(out, "pid {}", guard.engine).and_then(|()| out.flush());
        Ok(guard)
    }

    /// Watches until the engine ends or must end, leaves nothing below, and returns the exit
    /// status.
    fn watch(mut self) -> u8 {
        let verdict = loop {
            if let Some(verdict) = self.wait_once() {
                break verdict;
            }
        };
        tree::kill_all(self.engine, self.cgroup_kill.as_ref());
        match verdict {
            Verdict::LeaseLapsed => EXIT_LEASE_LAPSED,
            Verdict::NodeGone => EXIT_NODE_GONE,
            Verdict::Killed => EXIT_KILLED,
            Verdict::Ended(Ended::Status(code)) => u8::try_from(code).unwrap_or(u8::MAX),
            Verdict::Ended(Ended::Signal(signal)) => 128 + u8::try_from(signal as i32).unwrap_or(0),
        }
    }

    /// Waits for one event. The pipe comes before the timer: a renewal that was written in time
    /// counts, also when a busy machine lets the guard read it late.
    fn wait_once(&mut self) -> Option<Verdict> {
        let stdin = io::stdin();
        let mut events = [
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.timer.as_fd(), PollFlags::POLLIN),
        ];
        let _ = poll(&mut events, PollTimeout::NONE);
        let ready = |event: &PollFd<'_>| event.any().unwrap_or(true);
        let (pipe, children) = (ready(&events[0]), ready(&events[1]));
        if pipe {
            let mut bytes = [0_u8; 1024];
            match nix::unistd::read(stdin.as_fd(), &mut bytes) {
                Ok(0) => return Some(Verdict::NodeGone),
                Ok(count) => {
                    for command in self.reader.take(&bytes[..count]) {
                        match command {
                            Command::Lease(ns) => self.set_lease(ns),
                            Command::Signal(signal) => {
                                let _ = kill(self.engine, signal.unix());
                            }
                            Command::Kill => return Some(Verdict::Killed),
                        }
                    }
                }
                Err(nix::Error::EINTR | nix::Error::EAGAIN) => {}
                Err(_) => return Some(Verdict::NodeGone),
            }
        }
        if children {
            while let Ok(Some(_)) = self.signals.read_signal() {}
            if let (Some(ended), _) = tree::reap(self.engine) {
                return Some(Verdict::Ended(ended));
            }
        }
        self.lease
            .is_some_and(Deadline::has_passed)
            .then_some(Verdict::LeaseLapsed)
    }

    fn set_lease(&mut self, lease_ns: Option<u64>) {
        self.lease = lease_ns.map(Deadline::at_boottime_ns);
        let _ = match lease_ns {
            // Zero would disarm the timer; the deadline itself is looked at after every event.
            Some(ns) => {
                let ns = i64::try_from(ns.max(1)).unwrap_or(i64::MAX);
                let at = TimeSpec::new(ns / 1_000_000_000, ns % 1_000_000_000);
                self.timer.set(
                    Expiration::OneShot(at),
                    TimerSetTimeFlags::TFD_TIMER_ABSTIME,
                )
            }
            None => self.timer.unset(),
        };
    }
}

fn take_lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| io::Error::other(format!("open {}: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::from(io::ErrorKind::WouldBlock)),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn open_for_write(path: &Path) -> Option<OwnedFd> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .ok()
        .map(OwnedFd::from)
}
