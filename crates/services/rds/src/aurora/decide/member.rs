//! What an agent does next about a member that is placed on its node.
//!
//! Invariants
//! - An engine that writes runs only over a mount of the record's epoch.
//! - A volume is opened once at an epoch: when mount or engine end, the agent gives up and the controller decides.

use quorate_base::Epoch;

use crate::model::Desired;

/// One look at a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// Whether the cluster's engines should run.
    pub desired: Desired,
    /// Whether the member is to go.
    pub deleted: bool,
    /// Whether the member writes.
    pub writes: bool,
    /// The cluster's epoch.
    pub epoch: Epoch,
    /// Whether the volume holds an engine's files.
    pub created: bool,
    /// Whether the writer accepts connections, for readers.
    pub writer_serves: bool,
    /// Whether the volume takes no writes: readers then go by it as it is.
    pub unwritable: bool,
    /// The mount.
    pub mount: MountFacts,
    /// The engine.
    pub engine: EngineFacts,
    /// Whether an engine has ended by itself over this mount.
    pub crashed: bool,
    /// The epoch at which mount or engine ended for good.
    pub gave_up: Option<Epoch>,
    /// Whether a restart was ordered.
    pub reboot: bool,
}

/// How a member's mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountFacts {
    /// There is none.
    None,
    /// The volume is being opened.
    Opening {
        /// At this epoch by a writer, else for reading.
        at: Option<Epoch>,
    },
    /// The files are there.
    Mounted {
        /// At this epoch by a writer, else for reading.
        at: Option<Epoch>,
    },
    /// The process has ended by itself.
    Ended,
}

/// What a member's engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineFacts {
    /// No process.
    Down,
    /// Takes writes.
    Writes,
    /// Follows the writer.
    Reads,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberStep {
    /// End the engine, then the mount.
    StopAll,
    /// The same, as ordered: the engine may write its last checkpoint.
    StopInOrder,
    /// Say that it is stopped.
    NoteStopped,
    /// Remove everything of the member, and say so.
    LetGo,
    /// End what is left, and tell the controller that this epoch is over here.
    GiveUp,
    /// Open the volume at the record's epoch.
    MountWriter,
    /// Open a view of the volume.
    MountReader,
    /// Make an engine's files.
    Initialize,
    /// Start an engine that writes.
    StartWriter,
    /// Start an engine that follows the writer.
    StartReader,
    /// Restart the engine.
    Restart,
    /// Look after the engine.
    Supervise,
    /// Something else has to happen first.
    Wait(&'static str),
}

/// Decides what is next.
#[must_use]
pub fn decide_member(facts: &MemberFacts) -> MemberStep {
    if facts.deleted || facts.desired == Desired::Deleted {
        return MemberStep::LetGo;
    }
    let is_idle = facts.engine == EngineFacts::Down && facts.mount == MountFacts::None;
    if facts.desired == Desired::Stopped {
        return if is_idle {
            MemberStep::NoteStopped
        } else {
            MemberStep::StopInOrder
        };
    }
    let wanted = facts.writes.then_some(facts.epoch);
    match facts.mount {
        MountFacts::Opening { at } | MountFacts::Mounted { at } if at != wanted => {
            MemberStep::StopAll
        }
        MountFacts::Ended if facts.writes => MemberStep::GiveUp,
        MountFacts::Ended => MemberStep::StopAll,
        MountFacts::Opening { .. } => MemberStep::Wait("the volume is being opened"),
        MountFacts::None if facts.writes => mount_writer(facts),
        MountFacts::None => mount_reader(facts),
        MountFacts::Mounted { .. } if facts.crashed => {
            if facts.writes {
                MemberStep::GiveUp
            } else {
                MemberStep::StopAll
            }
        }
        MountFacts::Mounted { .. } => engine(facts),
    }
}

fn mount_writer(facts: &MemberFacts) -> MemberStep {
    if facts.gave_up == Some(facts.epoch) {
        MemberStep::Wait("mount or engine ended at this epoch")
    } else {
        MemberStep::MountWriter
    }
}

fn mount_reader(facts: &MemberFacts) -> MemberStep {
    if facts.created && may_read(facts) {
        MemberStep::MountReader
    } else {
        MemberStep::Wait("the writer does not serve yet")
    }
}

/// A reader begins beside a writer that serves. Where none can, as the volume takes no writes, it does not wait for one.
fn may_read(facts: &MemberFacts) -> bool {
    facts.writer_serves || facts.unwritable
}

fn engine(facts: &MemberFacts) -> MemberStep {
    match facts.engine {
        EngineFacts::Down if facts.writes && !facts.created => MemberStep::Initialize,
        EngineFacts::Down if facts.writes => MemberStep::StartWriter,
        EngineFacts::Down if may_read(facts) => MemberStep::StartReader,
        EngineFacts::Down => MemberStep::Wait("the writer does not serve yet"),
        EngineFacts::Writes | EngineFacts::Reads if facts.reboot => MemberStep::Restart,
        EngineFacts::Writes | EngineFacts::Reads => MemberStep::Supervise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> MemberFacts {
        MemberFacts {
            desired: Desired::Running,
            deleted: false,
            writes: true,
            epoch: Epoch(3),
            created: true,
            writer_serves: false,
            unwritable: false,
            mount: MountFacts::None,
            engine: EngineFacts::Down,
            crashed: false,
            gave_up: None,
            reboot: false,
        }
    }

    fn mounted(at: Option<u64>) -> MountFacts {
        MountFacts::Mounted { at: at.map(Epoch) }
    }

    #[test]
    fn a_writer_mounts_at_the_records_epoch_and_starts_its_engine() {
        let facts = writer();
        assert_eq!(decide_member(&facts), MemberStep::MountWriter);
        let facts = MemberFacts {
            mount: mounted(Some(3)),
            ..facts
        };
        assert_eq!(decide_member(&facts), MemberStep::StartWriter);
        let empty = MemberFacts {
            created: false,
            ..facts.clone()
        };
        assert_eq!(decide_member(&empty), MemberStep::Initialize);
        let runs = MemberFacts {
            engine: EngineFacts::Writes,
            ..facts
        };
        assert_eq!(decide_member(&runs), MemberStep::Supervise);
    }

    #[test]
    fn a_writer_of_an_older_epoch_stops_and_a_reader_becomes_the_writer_by_another_mount() {
        for at in [Some(2), None] {
            let facts = MemberFacts {
                mount: mounted(at),
                engine: EngineFacts::Writes,
                ..writer()
            };
            assert_eq!(decide_member(&facts), MemberStep::StopAll);
        }
        let replaced = MemberFacts {
            writes: false,
            mount: mounted(Some(3)),
            engine: EngineFacts::Writes,
            ..writer()
        };
        assert_eq!(decide_member(&replaced), MemberStep::StopAll);
    }

    #[test]
    fn a_writer_that_lost_mount_or_engine_gives_its_epoch_up() {
        let ended = MemberFacts {
            mount: MountFacts::Ended,
            ..writer()
        };
        assert_eq!(decide_member(&ended), MemberStep::GiveUp);
        let crashed = MemberFacts {
            mount: mounted(Some(3)),
            crashed: true,
            ..writer()
        };
        assert_eq!(decide_member(&crashed), MemberStep::GiveUp);
        let gave_up = MemberFacts {
            gave_up: Some(Epoch(3)),
            ..writer()
        };
        assert!(matches!(decide_member(&gave_up), MemberStep::Wait(_)));
        let next = MemberFacts {
            epoch: Epoch(4),
            ..gave_up
        };
        assert_eq!(decide_member(&next), MemberStep::MountWriter);
    }

    #[test]
    fn a_reader_waits_for_the_writer_and_is_made_anew_when_it_ends() {
        let facts = MemberFacts {
            writes: false,
            ..writer()
        };
        assert!(matches!(decide_member(&facts), MemberStep::Wait(_)));
        let facts = MemberFacts {
            writer_serves: true,
            ..facts
        };
        assert_eq!(decide_member(&facts), MemberStep::MountReader);
        let facts = MemberFacts {
            mount: mounted(None),
            ..facts
        };
        assert_eq!(decide_member(&facts), MemberStep::StartReader);
        let crashed = MemberFacts {
            crashed: true,
            ..facts.clone()
        };
        assert_eq!(decide_member(&crashed), MemberStep::StopAll);
        let reads = MemberFacts {
            engine: EngineFacts::Reads,
            writer_serves: false,
            ..facts
        };
        assert_eq!(decide_member(&reads), MemberStep::Supervise);
    }

    #[test]
    fn a_reader_of_a_volume_that_takes_no_writes_waits_for_nobody() {
        let facts = MemberFacts {
            writes: false,
            unwritable: true,
            ..writer()
        };
        assert_eq!(decide_member(&facts), MemberStep::MountReader);
        let mounted = MemberFacts {
            mount: mounted(None),
            ..facts.clone()
        };
        assert_eq!(decide_member(&mounted), MemberStep::StartReader);
        let empty = MemberFacts {
            created: false,
            ..facts
        };
        assert!(matches!(decide_member(&empty), MemberStep::Wait(_)));
    }

    #[test]
    fn stopped_and_deleted_members_end() {
        let running = MemberFacts {
            mount: mounted(Some(3)),
            engine: EngineFacts::Writes,
            ..writer()
        };
        let stop = MemberFacts {
            desired: Desired::Stopped,
            ..running.clone()
        };
        assert_eq!(decide_member(&stop), MemberStep::StopInOrder);
        let stopped = MemberFacts {
            desired: Desired::Stopped,
            ..writer()
        };
        assert_eq!(decide_member(&stopped), MemberStep::NoteStopped);
        let gone = MemberFacts {
            deleted: true,
            ..running
        };
        assert_eq!(decide_member(&gone), MemberStep::LetGo);
    }
}
