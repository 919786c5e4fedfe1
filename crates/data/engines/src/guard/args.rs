//! The guard's command line, which is written and read by this crate alone.
//!
//! `guard [--account UID:GID] [--lock FILE] [--cgroup DIR] [--workdir DIR] [--lease NS]`
//! `-- PROGRAM ARG…`

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What the guard is told when it is started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct GuardArgs {
    /// User and group to become before the engine starts.
    pub(super) account: Option<(u32, u32)>,
    /// The file to hold an exclusive lock on.
    pub(super) lock: Option<PathBuf>,
    /// The control group that the engine goes into.
    pub(super) cgroup: Option<PathBuf>,
    /// The engine's working folder.
    pub(super) workdir: Option<PathBuf>,
    /// The first lease deadline, as a `CLOCK_BOOTTIME` in nanoseconds.
    pub(super) lease_ns: Option<u64>,
    /// The engine's program and arguments.
    pub(super) command: Vec<OsString>,
}

impl GuardArgs {
    /// Reads the command line after the word `guard`.
    pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<GuardArgs, String> {
        let mut parsed = GuardArgs::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                parsed.command = args.by_ref().collect();
                break;
            }
            let name = arg.to_str().unwrap_or("?").to_owned();
            let value = args.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--account" => parsed.account = Some(parse_account(&value)?),
                "--lock" => parsed.lock = Some(PathBuf::from(value)),
                "--cgroup" => parsed.cgroup = Some(PathBuf::from(value)),
                "--workdir" => parsed.workdir = Some(PathBuf::from(value)),
                "--lease" => parsed.lease_ns = Some(number(&value)?),
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if parsed.command.is_empty() {
            return Err(String::from("no command to guard"));
        }
        Ok(parsed)
    }

    /// The command line that [`GuardArgs::parse`] reads.
    pub(super) fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: Option<OsString>| {
            if let Some(value) = value {
                args.push(name.into());
                args.push(value);
            }
        };
        option(
            "--account",
            self.account.map(|(u, g)| format!("{u}:{g}").into()),
        );
        option("--lock", self.lock.clone().map(Into::into));
        option("--cgroup", self.cgroup.clone().map(Into::into));
        option("--workdir", self.workdir.clone().map(Into::into));
        option("--lease", self.lease_ns.map(|ns| ns.to_string().into()));
        args.push("--".into());
        args.extend(self.command.iter().cloned());
        args
    }
}

fn parse_account(value: &OsStr) -> Result<(u32, u32), String> {
    value
        .to_str()
        .and_then(|text| text.split_once(':'))
        .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)))
        .ok_or_else(|| String::from("--account wants UID:GID"))
}

fn number(value: &OsStr) -> Result<u64, String> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| String::from("--lease wants nanoseconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_reads_what_the_node_writes() {
        let args = GuardArgs {
            account: Some((107, 113)),
            lock: Some(PathBuf::from("/d/lock")),
            cgroup: None,
            workdir: Some(PathBuf::from("/d")),
            lease_ns: Some(7),
            command: vec!["/bin/sh".into(), "-c".into(), "--".into()],
        };
        assert_eq!(GuardArgs::parse(args.to_args()), Ok(args));
    }

    #[test]
    fn a_guard_without_a_command_is_refused() {
        assert!(GuardArgs::parse([OsString::from("--")]).is_err());
        assert!(GuardArgs::parse([OsString::from("--mars"), OsString::from("1")]).is_err());
        assert!(GuardArgs::parse([OsString::from("--account"), OsString::from("root")]).is_err());
    }
}
