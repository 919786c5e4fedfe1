//! The promises of the protocol, one check a file.

mod acknowledged;
mod copy;
mod line;
mod pages;

use quorate_volume::protocol::{Lsn, VolumeEpoch};

pub(crate) use acknowledged::acknowledged_is_kept;
pub(crate) use copy::copy_is_sound;
pub(crate) use line::{line_is_kept, log_is_whole};
pub(crate) use pages::page_is_right;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// A recovery cut off what a writer of an older epoch acknowledged, before or afterwards.
    Lost {
        /// The writer that had acknowledged.
        writer: VolumeEpoch,
        /// Up to where.
        acknowledged: Lsn,
        /// The recovery.
        recovery: VolumeEpoch,
        /// Where it cut.
        cut: Lsn,
    },
    /// A view does not show what was acknowledged before it was opened.
    ViewBehind {
        /// What was acknowledged.
        acknowledged: Lsn,
        /// Where the view stands.
        view: Lsn,
    },
    /// A recovery does not go on from the one before.
    Line(String),
    /// The volume after a recovery is not a prefix of its log, up to a consistency point.
    NotAPrefix(String),
    /// A page is not what its records make of it.
    WrongPage(String),
    /// A copy broke one of its invariants.
    Copy(String),
    /// VDL fell.
    Fell {
        /// The writer.
        writer: VolumeEpoch,
        /// From where.
        from: Lsn,
        /// To where.
        to: Lsn,
    },
    /// An LSN was given out twice.
    Repeated(Lsn),
    /// What a writer had called complete was cut off.
    Overruled(String),
    /// The volume did not come back after the faults had ended.
    Stuck(String),
    /// A core found an invariant of its own broken.
    Panicked(String),
}
