//! One segment as its node holds it: the protocol's core, and how far its log is handed to the store.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::calls::SegmentError;
use crate::host::times::Times;
use crate::protocol::{Record, Segment, SegmentId, SegmentState, Stored};
use crate::store::{Entry, FoundSegment, Position, SegmentStore, StoreError};

/// First byte of a stored state: its version.
const STATE_VERSION: u8 = 1;
/// How long a segment coalesces no further after a peer has copied some of its pages.
const PINNED_FOR: Duration = Duration::from_secs(30);

/// One segment.
pub(super) struct Cell {
    pub(super) id: SegmentId,
    state: Mutex<CellState>,
}

/// What changes of a segment.
pub(super) struct CellState {
    pub(super) core: Segment,
    /// How far the store was handed something that an answer may tell of.
    pub(super) handed: Position,
    /// Until when a peer copies pages.
    pub(super) pinned_until: Option<Instant>,
    /// Pages copied so far, while the segment is filled from a peer.
    pub(super) filling: Option<u64>,
    /// Whether records are being pulled.
    pub(super) pulling: bool,
    /// The peer that is asked next.
    pub(super) next_peer: usize,
    /// Why the segment takes and serves nothing.
    pub(super) trouble: Option<String>,
    /// When VDLs were told.
    pub(super) times: Times,
    /// Whether it has lost records that it had confirmed. It does not count in a recovery until a writer has filled it: two
    /// such copies among the four that seal could hide what the two others never had.
    damaged: bool,
}

/// What is stored of a segment beside its records.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    state: SegmentState,
    damaged: bool,
}

impl Cell {
    /// What is stored of a segment that begins as this.
    pub(super) fn first_state(core: &Segment) -> Bytes {
        write_kept(&Kept {
            state: core.state().clone(),
            damaged: false,
        })
    }

    /// A segment that was found on disk.
    pub(super) fn found(found: &FoundSegment) -> Arc<Cell> {
        let state = found.state.as_ref().map(|bytes| read_state(bytes));
        let lost = found
            .damage
            .is_some_and(|damage| damage.state_lost || damage.discards_lost);
        let trouble = match &state {
            _ if lost => Some(String::from(
                "its log is damaged where it had promised something: it takes part in nothing until it is replaced",
            )),
            Some(Err(e)) => Some(format!("its state cannot be read: {e}")),
            _ => None,
        };
        let kept = state.and_then(Result::ok).unwrap_or_default();
        let headers = found.headers.iter().copied();
        let core = Segment::found(kept.state, found.coalesced_to, headers);
        let damaged = kept.damaged || found.damage.is_some();
        let id = found.segment.clone();
        Cell::with(id, core, Position::default(), trouble, damaged)
    }

    fn with(
        id: SegmentId,
        core: Segment,
        handed: Position,
        trouble: Option<String>,
        damaged: bool,
    ) -> Arc<Cell> {
        let state = CellState {
            core,
            handed,
            pinned_until: None,
            filling: None,
            pulling: false,
            next_peer: 0,
            trouble,
            times: Times::default(),
            damaged,
        };
        Arc::new(Cell {
            id,
            state: Mutex::new(state),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, CellState> {
        self.state.lock().expect("no holder panics")
    }

    /// Hands over to the store what the core decided; `records` are those of the message.
    pub(super) fn hand_over(
        &self,
        state: &mut CellState,
        store: &SegmentStore,
        stored: &Stored,
        records: &[Record],
    ) -> Result<(), SegmentError> {
        let mut entries = Vec::with_capacity(stored.records.len() + 1);
        if stored.state {
            entries.push(Entry::State {
                segment: self.id.clone(),
                bytes: write_state(state),
            });
        }
        for (above, below_epoch) in &stored.discard {
            entries.push(Entry::Discard {
                segment: self.id.clone(),
                above: *above,
                below_epoch: *below_epoch,
            });
        }
        for index in &stored.records {
            entries.push(Entry::Record {
                segment: self.id.clone(),
                record: records[*index].clone(),
            });
        }
        if entries.is_empty() {
            return Ok(());
        }
        match store.append(entries) {
            Ok(position) => {
                state.handed = position;
                Ok(())
            }
            Err(e) => {
                // The core has counted what the store did not take: it may never say so.
                state.trouble = Some(format!("its log took nothing more: {e}"));
                Err(disk(&e))
            }
        }
    }
}

impl CellState {
    /// The core, unless the segment takes part in nothing.
    pub(super) fn sound(&mut self) -> Result<&mut Segment, SegmentError> {
        match &self.trouble {
            Some(trouble) => Err(SegmentError::Disk(trouble.clone())),
            None => Ok(&mut self.core),
        }
    }

    /// The core, for a recovery that counts it.
    pub(super) fn undamaged(&mut self) -> Result<&mut Segment, SegmentError> {
        if self.damaged {
            let why = "records that it had confirmed are lost: it counts again once a writer has filled it";
            return Err(SegmentError::Disk(String::from(why)));
        }
        self.sound()
    }

    /// A writer has just told how far the log is complete: a damaged segment that reaches that far is whole again. True when
    /// that is to be stored.
    pub(super) fn is_whole_again(&mut self) -> bool {
        let is_filled = self.core.scl() >= self.core.complete().tail;
        self.damaged && is_filled && {
            self.damaged = false;
            true
        }
    }

    pub(super) fn pin(&mut self) {
        self.pinned_until = Some(Instant::now() + PINNED_FOR);
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.pinned_until
            .is_some_and(|until| until > Instant::now())
    }
}

pub(super) fn disk(e: &StoreError) -> SegmentError {
    match e {
        StoreError::TooOld { .. } => SegmentError::TooOld,
        StoreError::UnknownSegment(_) => SegmentError::Elsewhere,
        other => SegmentError::Disk(other.to_string()),
    }
}

fn write_state(state: &CellState) -> Bytes {
    write_kept(&Kept {
        state: state.core.state().clone(),
        damaged: state.damaged,
    })
}

fn write_kept(kept: &Kept) -> Bytes {
    let bytes = postcard::to_extend(kept, vec![STATE_VERSION]);
    Bytes::from(bytes.expect("states are plain data"))
}

fn read_state(bytes: &[u8]) -> Result<Kept, String> {
    match bytes.split_first() {
        Some((&STATE_VERSION, state)) => postcard::from_bytes(state).map_err(|e| e.to_string()),
        Some((version, _)) => Err(format!("version {version} is not known")),
        None => Err(String::from("it is empty")),
    }
}
