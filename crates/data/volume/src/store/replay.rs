//! From the log's files to what they say of each segment.
//!
//! Damage of a frame whose header is sound is damage of one segment; where no header can be read, all segments may have
//! had something. Of a damaged segment the records that follow are dropped; a state that follows counts, as it replaces
//! whatever was before it.

use std::collections::{BTreeMap, HashMap};

use bytes::{Buf, Bytes};

use crate::protocol::SegmentId;

use super::codec::{
    FILE_VERSION, FileHeader, Frame, Kind, get_create, get_damage, get_discard, get_place,
};
use super::entry::Damage;
use super::error::StoreError;
use super::log_files::LogFiles;
use super::segment::{Index, Slot};
use super::walk::{Part, frames, walk};

/// Where to begin with a segment, by its number.
pub(super) type Restarts = HashMap<u32, u64>;

/// What the log says.
#[derive(Default)]
pub(super) struct Replayed {
    pub(super) segments: BTreeMap<u32, Building>,
    pub(super) restarts: Restarts,
    pub(super) next_number: u32,
    /// Whether anything was damaged.
    pub(super) damaged: bool,
    /// Where the last hole is.
    hole: Option<u64>,
}

/// What the log says of a segment.
#[derive(Default)]
pub(super) struct Building {
    /// None while no frame was read that says it.
    pub(super) identity: Option<(SegmentId, u32)>,
    pub(super) index: Index,
    /// Damage in the log that was read.
    pub(super) found: Option<Damage>,
}

impl Building {
    pub(super) fn note(&mut self, discards_lost: bool, state_lost: bool) {
        let sound_to = self.index.last();
        let found = self.found.get_or_insert(Damage {
            sound_to,
            discards_lost: false,
            state_lost: false,
        });
        found.discards_lost |= discards_lost;
        found.state_lost |= state_lost;
    }

    /// The damage that was found and that which was told before.
    pub(super) fn damage(&self) -> Option<Damage> {
        let told = self.index.damage.map(|(damage, _)| damage);
        match (told, self.found) {
            (Some(told), Some(found)) => Some(Damage {
                sound_to: told.sound_to.min(found.sound_to),
                discards_lost: told.discards_lost || found.discards_lost,
                state_lost: told.state_lost || found.state_lost,
            }),
            (told, found) => told.or(found),
        }
    }
}

/// Reads all files; the log ends at `end`. Frames of a segment before its restart are passed over.
pub(super) fn replay(
    files: &LogFiles,
    end: u64,
    restarts: &Restarts,
) -> Result<Replayed, StoreError> {
    let mut replayed = Replayed::default();
    let starts = files.starts();
    for (i, start) in starts.iter().enumerate() {
        let contents = files.contents(*start)?;
        match header_of(&contents, *start)? {
            Some(header) => {
                replayed.next_number = replayed.next_number.max(header.next_number);
            }
            None => replayed.hole(*start, restarts),
        }
        let end = starts.get(i + 1).copied().unwrap_or(end);
        for part in walk(&contents, *start, Some(end)) {
            match part {
                Part::Hole { position } => replayed.hole(position, restarts),
                Part::Batch { position, body } => replayed.batch(position, body, restarts),
            }
        }
    }
    Ok(replayed)
}

/// The header of a file; none when it is damaged.
pub(super) fn header_of(contents: &Bytes, start: u64) -> Result<Option<FileHeader>, StoreError> {
    match FileHeader::decode(contents) {
        Some(header) if header.version != FILE_VERSION => Err(StoreError::Version {
            what: "a log file",
            version: header.version,
        }),
        header => Ok(header.filter(|header| header.start == start)),
    }
}

impl Replayed {
    fn hole(&mut self, position: u64, restarts: &Restarts) {
        self.damaged = true;
        self.hole = Some(position);
        for (number, building) in &mut self.segments {
            if restarts.get(number).is_none_or(|from| *from <= position) {
                building.note(true, true);
            }
        }
    }

    fn batch(&mut self, position: u64, body: Bytes, restarts: &Restarts) {
        for (at, frame) in frames(position, body) {
            let Some(frame) = frame else {
                self.hole(at, restarts);
                return;
            };
            self.next_number = self.next_number.max(frame.number.saturating_add(1));
            let from = restarts.get(&frame.number).copied().unwrap_or(0);
            if at >= from {
                self.frame(at, frame, from);
            }
        }
    }

    fn frame(&mut self, at: u64, frame: Frame, from: u64) {
        let hole = self.hole.is_some_and(|hole| hole >= from);
        let building = self.segments.entry(frame.number).or_insert_with(|| {
            let mut building = Building::default();
            if hole {
                // Whatever came before the first frame that can be read.
                building.note(true, true);
            }
            building
        });
        let understood = match frame.payload {
            Some(payload) => building.take(at, frame.kind, frame.len, payload),
            None => None,
        };
        match understood {
            Some(Taken::Restart(from)) => {
                self.restarts.insert(frame.number, from);
            }
            Some(Taken::Dropped) => {
                self.segments.remove(&frame.number);
            }
            Some(Taken::Kept) => {}
            None => {
                self.damaged = true;
                building.note(frame.kind != Kind::Record, frame.kind != Kind::Record);
            }
        }
    }
}

enum Taken {
    Kept,
    Dropped,
    Restart(u64),
}

impl Building {
    /// None when the payload is not understood.
    fn take(&mut self, at: u64, kind: Kind, len: usize, mut payload: Bytes) -> Option<Taken> {
        let index = &mut self.index;
        match kind {
            Kind::Create => {
                self.identity = Some(get_create(payload)?);
                index.create_at = at;
            }
            Kind::State => {
                // Not a slice of the whole file, which would stay in memory with it.
                index.state = Some(Bytes::copy_from_slice(&payload));
                index.state_at = at;
                index.damage = None;
                if let Some(found) = &mut self.found {
                    found.state_lost = false;
                }
            }
            Kind::Record => {
                let (header, page) = get_place(&mut payload)?;
                if self.found.is_none() {
                    index.insert(Slot {
                        header,
                        page,
                        position: at,
                        len: u32::try_from(len).ok()?,
                        record: None,
                    });
                }
            }
            Kind::Discard => {
                let (above, below_epoch) = get_discard(payload)?;
                index.discard(above, below_epoch);
            }
            Kind::Damage => index.damage = Some((get_damage(payload)?, at)),
            Kind::Drop => return Some(Taken::Dropped),
            Kind::Restart => return Some(Taken::Restart(payload.try_get_u64_le().ok()?)),
        }
        Some(Taken::Kept)
    }
}
