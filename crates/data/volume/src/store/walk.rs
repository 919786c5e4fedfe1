//! From the bytes of a log file to its batches, and what is between them.

use bytes::Bytes;

use super::codec::{
    BATCH_HEADER_BYTES, BATCH_MAGIC, FILE_HEADER_BYTES, Frame, open_batch, open_frame,
};

/// A part of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A batch whose header is sound; `body` is shorter than it was when the file is.
    Batch { position: u64, body: Bytes },
    /// What begins here cannot be read, up to the next part.
    Hole { position: u64 },
}

/// The parts of the file that starts at `start`. It reaches to `end`; without one it is the newest file, and what cannot be
/// read and is followed by no batch was never synced: the next batch is written only when the one before is.
pub(super) fn walk(contents: &Bytes, start: u64, end: Option<u64>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = FILE_HEADER_BYTES;
    loop {
        let position = position_of(start, at);
        if end.is_some_and(|end| position >= end) {
            return parts;
        }
        let rest = contents.get(at..).unwrap_or_default();
        let whole = open_batch(rest, position).map(|body| BATCH_HEADER_BYTES + body);
        if let Some(whole) = whole.filter(|whole| *whole <= rest.len()) {
            let body = contents.slice(at + BATCH_HEADER_BYTES..at + whole);
            parts.push(Part::Batch { position, body });
            at += whole;
            continue;
        }
        if let Some(next) = next_batch(contents, start, at + 1) {
            parts.push(Part::Hole { position });
            at = next;
            continue;
        }
        if whole.is_some() {
            let body = contents.slice(at + BATCH_HEADER_BYTES..);
            parts.push(Part::Batch { position, body });
        }
        if end.is_some() {
            parts.push(Part::Hole { position });
        }
        return parts;
    }
}

fn position_of(start: u64, at: usize) -> u64 {
    start + (at - FILE_HEADER_BYTES) as u64
}

/// Where the next sound header of a batch is.
fn next_batch(contents: &Bytes, start: u64, from: usize) -> Option<usize> {
    let rest = contents.get(from..)?;
    let magic = rest.windows(BATCH_MAGIC.len()).enumerate();
    let mut places = magic
        .filter(|(_, bytes)| *bytes == BATCH_MAGIC)
        .map(|(at, _)| from + at);
    places.find(|at| open_batch(&contents[*at..], position_of(start, *at)).is_some())
}

/// The frames of a batch's body with their positions. The last one is none when the rest cannot be read.
pub(super) fn frames(position: u64, body: Bytes) -> impl Iterator<Item = (u64, Option<Frame>)> {
    let mut at = 0;
    let mut lost = false;
    std::iter::from_fn(move || {
        if lost || at == body.len() {
            return None;
        }
        let here = position + (BATCH_HEADER_BYTES + at) as u64;
        let frame = open_frame(&body.slice(at..));
        match &frame {
            Some(frame) => at += frame.len,
            None => lost = true,
        }
        Some((here, frame))
    })
}
