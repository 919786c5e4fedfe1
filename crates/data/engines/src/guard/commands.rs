//! What the node tells the guard while the engine runs: one command a line.
//!
//! `lease NS` (absolute `CLOCK_BOOTTIME`), `lease none`, `signal NAME`, `kill`.

use super::client::Signal;

/// The longest line; a longer one is dropped.
const LINE_BYTES_MAX: usize = 256;

/// One line from the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// The engine may run until this `CLOCK_BOOTTIME`, or without end.
    Lease(Option<u64>),
    /// Send this to the engine's first process.
    Signal(Signal),
    /// Kill everything at once.
    Kill,
}

impl Command {
    /// The line, with its end.
    pub(super) fn to_line(self) -> String {
        match self {
            Command::Lease(Some(ns)) => format!("lease {ns}\n"),
            Command::Lease(None) => String::from("lease none\n"),
            Command::Signal(signal) => format!("signal {}\n", signal.name()),
            Command::Kill => String::from("kill\n"),
        }
    }

    fn parse(line: &[u8]) -> Option<Command> {
        let line = std::str::from_utf8(line).ok()?;
        match line.split_once(' ') {
            Some(("lease", "none")) => Some(Command::Lease(None)),
            Some(("lease", ns)) => Some(Command::Lease(Some(ns.parse().ok()?))),
            Some(("signal", name)) => Some(Command::Signal(Signal::from_name(name)?)),
            None if line == "kill" => Some(Command::Kill),
            _ => None,
        }
    }
}

/// Cuts the bytes of the pipe into commands.
#[derive(Debug, Default)]
pub(super) struct CommandReader {
    pending: Vec<u8>,
}

impl CommandReader {
    /// Takes the next bytes; returns the commands that they complete. Lines that are none are
    /// dropped.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Command> {
        let mut commands = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                commands.extend(Command::parse(&self.pending));
                self.pending.clear();
            } else if self.pending.len() < LINE_BYTES_MAX {
                self.pending.push(*byte);
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_being_cut_anywhere() {
        let sent = [
            Command::Lease(Some(u64::MAX)),
            Command::Lease(None),
            Command::Signal(Signal::Interrupt),
            Command::Kill,
        ];
        let text: String = sent.iter().map(|c| c.to_line()).collect();
        for cut in 0..text.len() {
            let mut reader = CommandReader::default();
            let mut read = reader.take(&text.as_bytes()[..cut]);
            read.extend(reader.take(&text.as_bytes()[cut..]));
            assert_eq!(read, sent);
        }
    }

    #[test]
    fn nonsense_is_dropped() {
        let mut reader = CommandReader::default();
        assert_eq!(
            reader.take(b"lease soon\nsignal KILLALL\n\xff\nkill now\n\n"),
            []
        );
        assert_eq!(reader.take(&[b'x'; 10_000]), []);
        assert_eq!(reader.take(b"\nkill\n"), [Command::Kill]);
    }
}
