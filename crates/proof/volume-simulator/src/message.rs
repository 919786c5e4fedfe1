//! What goes over the network.

use bytes::Bytes;
use quorate_volume::protocol::{
    Adopt, Append, Complete, GroupIndex, History, Lsn, PageId, Pull, Record, Refusal, Sealed,
    Speaker, VolumeEpoch,
};

use crate::live::Pages;

/// Nodes, hosts and readers, counted through.
pub(crate) type Endpoint = usize;

/// One copy of one protection group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) group: GroupIndex,
    pub(crate) copy: u32,
}

/// A copy's answer to a writer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    pub(crate) from: Place,
    pub(crate) speaker: Speaker,
    /// How often the node has started: a copy of a later start may have less.
    pub(crate) boot: u64,
    pub(crate) result: Result<Lsn, Refusal>,
}

/// What a copy sends a peer that asked.
#[derive(Debug, Clone)]
pub(crate) struct Followers {
    pub(crate) history: Option<History>,
    pub(crate) records: Vec<Record>,
    pub(crate) complete: Complete,
    /// Where the peer's pages stand, and the pages, when the asker lacks what they hold.
    pub(crate) pages: Option<(Lsn, Pages)>,
}

/// A view's question for a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    pub(crate) view: u64,
    pub(crate) page: PageId,
    /// The group's last record in the view.
    pub(crate) need: Lsn,
    /// The view's place in the log, and the epoch of the history that it goes by.
    pub(crate) at: Lsn,
    pub(crate) epoch: VolumeEpoch,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    Value(Bytes),
    /// The copy does not reach that far.
    Behind,
    /// What the view needs has been coalesced with what came after it.
    TooOld,
    /// A recovery has cut off what the view shows.
    Overruled,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Append {
        to: Place,
        message: Append,
        read_point: Lsn,
    },
    Adopt {
        to: Place,
        message: Adopt,
    },
    Reached(Reached),
    Seal {
        to: Place,
        speaker: Speaker,
    },
    Sealed {
        from: Place,
        speaker: Speaker,
        result: Result<Sealed, Refusal>,
    },
    Pull {
        to: Place,
        asker: Place,
        boot: u64,
        pull: Pull,
    },
    Pulled {
        to: Place,
        boot: u64,
        followers: Followers,
    },
    Look {
        to: Place,
        view: u64,
    },
    Looked {
        from: Place,
        view: u64,
        sealed: Sealed,
    },
    Read {
        to: Place,
        read: Read,
    },
    ReadPage {
        read: Read,
        page: Page,
    },
}
