//! The node's end of a guard.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal as Unix;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::args::GuardArgs;
use super::commands::Command;
use super::{EXIT_KILLED, EXIT_LEASE_LAPSED, EXIT_LOCKED, EXIT_NODE_GONE, EXIT_NOT_STARTED};
use crate::account::EngineAccount;
use crate::clock::Deadline;

/// How a node starts a guard: the program, and the arguments that make it one.
#[derive(Debug, Clone)]
pub struct GuardProgram {
    program: PathBuf,
    args: Vec<OsString>,
}

impl GuardProgram {
    /// `program args… [guard's own arguments]`, as in `quorate guard`. The guard starts as the
    /// node's user, so the engine account need not be able to reach the program.
    pub fn new(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = OsString>,
    ) -> GuardProgram {
        GuardProgram {
            program: program.into(),
            args: args.into_iter().collect(),
        }
    }

    /// This very program with the argument `guard`, also when its file has been replaced meanwhile.
    #[must_use]
    pub fn own() -> GuardProgram {
        GuardProgram::new("/proc/self/exe", [OsString::from("guard")])
    }
}

/// A signal that a guard hands on to its engine's first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGHUP: read the configuration again.
    Hangup,
    /// SIGINT: stop, rolling transactions back.
    Interrupt,
    /// SIGQUIT: stop at once; the next start recovers.
    Quit,
    /// SIGTERM: stop in order.
    Terminate,
    /// SIGUSR1: look at the files that give orders.
    User1,
}

impl Signal {
    /// Every signal.
    const ALL: [Signal; 5] = [
        Signal::Hangup,
        Signal::Interrupt,
        Signal::Quit,
        Signal::Terminate,
        Signal::User1,
    ];

    /// The name on the pipe.
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Hangup => "HUP",
            Signal::Interrupt => "INT",
            Signal::Quit => "QUIT",
            Signal::Terminate => "TERM",
            Signal::User1 => "USR1",
        }
    }

    /// The signal of that name.
    pub(super) fn from_name(name: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.name() == name)
    }

    /// The system's signal.
    pub(super) fn unix(self) -> Unix {
        match self {
            Signal::Hangup => Unix::SIGHUP,
            Signal::Interrupt => Unix::SIGINT,
            Signal::Quit => Unix::SIGQUIT,
            Signal::Terminate => Unix::SIGTERM,
            Signal::User1 => Unix::SIGUSR1,
        }
    }
}

/// A command to be run below a guard.
#[derive(Debug)]
pub(crate) struct GuardedCommand<'a> {
    pub(crate) guard: &'a GuardProgram,
    pub(crate) account: &'a EngineAccount,
    pub(crate) command: Vec<OsString>,
    pub(crate) workdir: PathBuf,
    pub(crate) lock: Option<PathBuf>,
    pub(crate) cgroup: Option<PathBuf>,
    pub(crate) lease: Option<Deadline>,
    /// Where the output of the command goes.
    pub(crate) output: File,
}

impl GuardedCommand<'_> {
    /// Starts the guard and its command. Must be called within a tokio runtime.
    pub(crate) async fn spawn(self) -> io::Result<Guarded> {
        let args = GuardArgs {
            account: self
                .account
                .switches()
                .then(|| (self.account.uid(), self.account.gid())),
            lock: self.lock,
            cgroup: self.cgroup,
            workdir: Some(self.workdir),
            lease_ns: self.lease.map(Deadline::boottime_ns),
            command: self.command,
        };
        let (theirs, ours) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut command = tokio::process::Command::new(&self.guard.program);
        command
            .args(&self.guard.args)
            .args(args.to_args())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .env("HOME", "/nonexistent")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::from(self.output));
        let mut child = command.spawn()?;
        drop(command);
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).await?;
        }
        let engine_pid = line
            .trim()
            .strip_prefix("pid ")
            .and_then(|pid| pid.parse().ok());
        Ok(Guarded {
            child,
            pipe: GuardPipe(ours),
            engine_pid,
        })
    }
}

/// A running guard. Dropping it closes the pipe, which kills what the guard guards.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    /// The way to tell the guard something.
    pub(crate) pipe: GuardPipe,
    /// The engine's first process; `None` when it was not started, which the exit tells more about.
    pub(crate) engine_pid: Option<u32>,
}

impl Guarded {
    /// Takes the guard apart: its exit, and the pipe that keeps it alive.
    pub(crate) fn split(self) -> (GuardWait, GuardPipe) {
        (GuardWait(self.child), self.pipe)
    }

    /// Waits until nothing of the guard's tree is left. Dropping the future kills the tree.
    pub(crate) async fn wait(self) -> GuardExit {
        let (mut wait, pipe) = self.split();
        let exit = wait.wait().await;
        drop(pipe);
        exit
    }
}

/// The right to learn a guard's exit.
#[derive(Debug)]
pub(crate) struct GuardWait(Child);

impl GuardWait {
    /// Waits until nothing of the guard's tree is left.
    pub(crate) async fn wait(&mut self) -> GuardExit {
        match self.0.wait().await {
            Ok(status) => match status.code() {
                Some(code) => GuardExit::from_code(u8::try_from(code).unwrap_or(u8::MAX)),
                None => GuardExit::GuardLost,
            },
            Err(_) => GuardExit::GuardLost,
        }
    }
}

/// The node's end of the pipe to a guard.
#[derive(Debug)]
pub(crate) struct GuardPipe(OwnedFd);

impl GuardPipe {
    /// Moves the deadline. Never blocks: false when the guard is gone or does not read.
    pub(crate) fn set_lease(&self, lease: Option<Deadline>) -> bool {
        self.send(Command::Lease(lease.map(Deadline::boottime_ns)))
    }

    /// Sends a signal to the engine's first process. Never blocks.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.send(Command::Signal(signal))
    }

    /// Kills the whole tree. Never blocks.
    pub(crate) fn kill(&self) -> bool {
        self.send(Command::Kill)
    }

    /// A line is shorter than `PIPE_BUF`, so it is written whole or not at all.
    fn send(&self, command: Command) -> bool {
        nix::unistd::write(&self.0, command.to_line().as_bytes()).is_ok()
    }
}

/// Why a guard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuardExit {
    /// The command ended by itself with this status.
    Ended(u8),
    /// The command was ended by this signal, not sent through the guard.
    Signaled(u8),
    /// The lease deadline passed.
    LeaseLapsed,
    /// The pipe was closed.
    NodeGone,
    /// The command could not be started; the output says why.
    NotStarted,
    /// Another guard holds the lock.
    Locked,
    /// The node asked for it.
    Killed,
    /// The guard itself was killed; processes may be left.
    GuardLost,
}

impl GuardExit {
    fn from_code(code: u8) -> GuardExit {
        match code {
            EXIT_LEASE_LAPSED => GuardExit::LeaseLapsed,
            EXIT_NODE_GONE => GuardExit::NodeGone,
            EXIT_NOT_STARTED => GuardExit::NotStarted,
            EXIT_LOCKED => GuardExit::Locked,
            EXIT_KILLED => GuardExit::Killed,
            129..=192 => GuardExit::Signaled(code - 128),
            code => GuardExit::Ended(code),
        }
    }
}

impl std::fmt::Display for GuardExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GuardExit::Ended(code) => write!(f, "exit status {code}"),
            GuardExit::Signaled(number) => write!(f, "signal {number}"),
            GuardExit::LeaseLapsed => f.write_str("its lease lapsed"),
            GuardExit::NodeGone => f.write_str("its node went away"),
            GuardExit::NotStarted => f.write_str("it could not be started"),
            GuardExit::Locked => f.write_str("its folder is locked by another process"),
            GuardExit::Killed => f.write_str("killed on request"),
            GuardExit::GuardLost => f.write_str("its guard was killed"),
        }
    }
}
