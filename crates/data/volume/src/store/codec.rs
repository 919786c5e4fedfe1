//! The bytes of log files.
//!
//! ```text
//! file   magic 8 · version 4 · next segment number 4 · position 8 · crc 4 · zeros up to 64
//! batch  magic 4 · bytes of the body 4 · position 8 · crc of these 4 · body: frames
//! frame  bytes of the payload 4 · segment number 4 · kind 1 · zeros 3 · crc of the payload 4 · crc of these 4 · payload
//! ```
//!
//! Integers are little-endian. A position counts the bytes of batches over all files. The header's own checksum is what
//! lets a reader step over a frame whose payload is damaged, and know whose it was.

use bytes::{Buf, BufMut, Bytes};

use crate::protocol::{
    Change, GroupIndex, Lsn, PageId, Record, RecordHeader, SegmentId, Span, VolumeEpoch, VolumeId,
};

use super::entry::Damage;

pub(super) const FILE_VERSION: u32 = 1;
pub(super) const FILE_HEADER_BYTES: usize = 64;
pub(super) const BATCH_HEADER_BYTES: usize = 20;
pub(super) const FRAME_HEADER_BYTES: usize = 20;
pub(super) const BATCH_MAGIC: [u8; 4] = *b"QvB1";
const FILE_MAGIC: [u8; 8] = *b"QvolLog\n";

/// What a log file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) version: u32,
    /// Segment numbers from here on were not handed out when the file was begun.
    pub(super) next_number: u32,
    pub(super) start: u64,
}

impl FileHeader {
    pub(super) fn encode(self) -> [u8; FILE_HEADER_BYTES] {
        let mut out = Vec::with_capacity(FILE_HEADER_BYTES);
        out.put_slice(&FILE_MAGIC);
        out.put_u32_le(self.version);
        out.put_u32_le(self.next_number);
        out.put_u64_le(self.start);
        out.put_u32_le(crc32fast::hash(&out));
        out.resize(FILE_HEADER_BYTES, 0);
        out.try_into().expect("it was made that long")
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<FileHeader> {
        let mut rest = bytes.get(..28)?;
        let sound = crc32fast::hash(&rest[..24]) == (&rest[24..]).get_u32_le();
        (sound && rest[..8] == FILE_MAGIC).then(|| {
            rest.advance(8);
            FileHeader {
                version: rest.get_u32_le(),
                next_number: rest.get_u32_le(),
                start: rest.get_u64_le(),
            }
        })
    }
}

/// Fills in the header of a batch that starts at `position`; its first bytes are left free for it.
pub(super) fn seal_batch(batch: &mut [u8], position: u64) {
    let body = u32::try_from(batch.len() - BATCH_HEADER_BYTES).expect("the queue is bounded");
    let mut head = &mut batch[..BATCH_HEADER_BYTES - 4];
    head.put_slice(&BATCH_MAGIC);
    head.put_u32_le(body);
    head.put_u64_le(position);
    let crc = crc32fast::hash(&batch[..BATCH_HEADER_BYTES - 4]);
    batch[BATCH_HEADER_BYTES - 4..BATCH_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// Bytes of the body of the batch that stands at `position`, when its header is sound.
pub(super) fn open_batch(bytes: &[u8], position: u64) -> Option<usize> {
    let mut head = bytes.get(..BATCH_HEADER_BYTES)?;
    let crc = crc32fast::hash(&head[..BATCH_HEADER_BYTES - 4]);
    if head[..4] != BATCH_MAGIC {
        return None;
    }
    head.advance(4);
    let body = head.get_u32_le() as usize;
    (head.get_u64_le() == position && head.get_u32_le() == crc).then_some(body)
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Create = 1,
    State = 2,
    Record = 3,
    Discard = 4,
    Drop = 5,
    /// Damage that was found at a start.
    Damage = 6,
    /// What the log has of the segment begins at a position; anything before is to be passed over.
    Restart = 7,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        [
            Kind::Create,
            Kind::State,
            Kind::Record,
            Kind::Discard,
            Kind::Drop,
            Kind::Damage,
            Kind::Restart,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// Adds a frame; its bytes, header included.
pub(super) fn push_frame(
    out: &mut Vec<u8>,
    number: u32,
    kind: Kind,
    payload: impl FnOnce(&mut Vec<u8>),
) -> u32 {
    let from = out.len();
    out.resize(from + FRAME_HEADER_BYTES, 0);
    payload(out);
    let (head, body) = out[from..].split_at_mut(FRAME_HEADER_BYTES);
    let mut to = &mut head[..];
    to.put_u32_le(u32::try_from(body.len()).expect("the queue is bounded"));
    to.put_u32_le(number);
    to.put_slice(&[kind as u8, 0, 0, 0]);
    to.put_u32_le(crc32fast::hash(body));
    let crc = crc32fast::hash(&head[..16]);
    head[16..].copy_from_slice(&crc.to_le_bytes());
    u32::try_from(out.len() - from).expect("the queue is bounded")
}

/// A frame as it was read.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// Bytes with the header.
    pub(super) len: usize,
    /// None when the checksum does not fit.
    pub(super) payload: Option<Bytes>,
}

/// The frame that `bytes` begins with; none when its header is damaged or it is cut off.
pub(super) fn open_frame(bytes: &Bytes) -> Option<Frame> {
    let mut head = bytes.get(..FRAME_HEADER_BYTES)?;
    let sound = crc32fast::hash(&head[..16]) == (&head[16..]).get_u32_le();
    let payload_bytes = head.get_u32_le() as usize;
    let number = head.get_u32_le();
    let kind = Kind::of(head[0])?;
    head.advance(4);
    let crc = head.get_u32_le();
    let len = FRAME_HEADER_BYTES + payload_bytes;
    if !sound || bytes.len() < len {
        return None;
    }
    let payload = bytes.slice(FRAME_HEADER_BYTES..len);
    let payload = (crc32fast::hash(&payload) == crc).then_some(payload);
    Some(Frame {
        number,
        kind,
        len,
        payload,
    })
}

const MARK: u8 = 0;
const SPANS: u8 = 1;
const IMAGE: u8 = 2;
const DISCARD: u8 = 3;

pub(crate) fn put_record(out: &mut Vec<u8>, record: &Record) {
    out.put_u64_le(record.header.lsn.0);
    out.put_u64_le(record.header.previous.0);
    out.put_u64_le(record.header.epoch.0);
    out.put_u8(u8::from(record.header.consistency_point));
    out.put_u64_le(record.page.0);
    match &record.change {
        Change::Mark => out.put_u8(MARK),
        Change::Discard => out.put_u8(DISCARD),
        Change::Image(bytes) => {
            out.put_u8(IMAGE);
            out.put_slice(bytes);
        }
        Change::Spans(spans) => {
            out.put_u8(SPANS);
            for span in spans {
                out.put_u32_le(span.offset);
                let len = u32::try_from(span.bytes.len()).expect("a span lies within a page");
                out.put_u32_le(len);
                out.put_slice(&span.bytes);
            }
        }
    }
}

/// Where a record stands and which page it changes.
pub(super) fn get_place(bytes: &mut impl Buf) -> Option<(RecordHeader, PageId)> {
    if bytes.remaining() < 33 {
        return None;
    }
    let header = RecordHeader {
        lsn: Lsn(bytes.get_u64_le()),
        previous: Lsn(bytes.get_u64_le()),
        epoch: VolumeEpoch(bytes.get_u64_le()),
        consistency_point: bytes.get_u8() != 0,
    };
    Some((header, PageId(bytes.get_u64_le())))
}

pub(crate) fn get_record(mut bytes: Bytes) -> Option<Record> {
    let (header, page) = get_place(&mut bytes)?;
    let change = match bytes.try_get_u8().ok()? {
        MARK => Change::Mark,
        DISCARD => Change::Discard,
        IMAGE => Change::Image(bytes),
        SPANS => Change::Spans(get_spans(bytes)?),
        _ => return None,
    };
    Some(Record {
        header,
        page,
        change,
    })
}

fn get_spans(mut bytes: Bytes) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    while bytes.has_remaining() {
        let offset = bytes.try_get_u32_le().ok()?;
        let len = bytes.try_get_u32_le().ok()? as usize;
        if bytes.len() < len {
            return None;
        }
        let bytes = bytes.split_to(len);
        spans.push(Span { offset, bytes });
    }
    Some(spans)
}

pub(super) fn put_create(out: &mut Vec<u8>, segment: &SegmentId, page_bytes: u32) {
    out.put_u32_le(page_bytes);
    out.put_u32_le(segment.group.0);
    out.put_u32_le(segment.copy);
    out.put_slice(segment.volume.0.as_bytes());
}

pub(super) fn get_create(mut bytes: Bytes) -> Option<(SegmentId, u32)> {
    let page_bytes = bytes.try_get_u32_le().ok()?;
    let group = GroupIndex(bytes.try_get_u32_le().ok()?);
    let copy = bytes.try_get_u32_le().ok()?;
    let volume = VolumeId(String::from_utf8(bytes.to_vec()).ok()?);
    let segment = SegmentId {
        volume,
        group,
        copy,
    };
    Some((segment, page_bytes))
}

pub(super) fn put_discard(out: &mut Vec<u8>, above: Lsn, below_epoch: VolumeEpoch) {
    out.put_u64_le(above.0);
    out.put_u64_le(below_epoch.0);
}

pub(super) fn get_discard(mut bytes: Bytes) -> Option<(Lsn, VolumeEpoch)> {
    let above = Lsn(bytes.try_get_u64_le().ok()?);
    Some((above, VolumeEpoch(bytes.try_get_u64_le().ok()?)))
}

pub(super) fn put_damage(out: &mut Vec<u8>, damage: &Damage) {
    out.put_u64_le(damage.sound_to.0);
    out.put_u8(u8::from(damage.discards_lost));
    out.put_u8(u8::from(damage.state_lost));
}

pub(super) fn get_damage(mut bytes: Bytes) -> Option<Damage> {
    Some(Damage {
        sound_to: Lsn(bytes.try_get_u64_le().ok()?),
        discards_lost: bytes.try_get_u8().ok()? != 0,
        state_lost: bytes.try_get_u8().ok()? != 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..50).prop_map(Bytes::from);
        let span = (any::<u32>(), bytes()).prop_map(|(offset, bytes)| Span { offset, bytes });
        let change = prop_oneof![
            Just(Change::Mark),
            Just(Change::Discard),
            bytes().prop_map(Change::Image),
            proptest::collection::vec(span, 0..4).prop_map(Change::Spans),
        ];
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
        (numbers, any::<bool>(), change).prop_map(
            |((lsn, previous, epoch, page), consistency_point, change)| Record {
                header: RecordHeader {
                    lsn: Lsn(lsn),
                    previous: Lsn(previous),
                    epoch: VolumeEpoch(epoch),
                    consistency_point,
                },
                page: PageId(page),
                change,
            },
        )
    }

    proptest! {
        #[test]
        fn a_record_comes_back_from_its_frame(record in record(), number: u32) {
            let mut out = Vec::new();
            let len = push_frame(&mut out, number, Kind::Record, |out| put_record(out, &record));
            prop_assert_eq!(len as usize, out.len());
            let frame = open_frame(&Bytes::from(out)).unwrap();
            prop_assert_eq!((frame.number, frame.kind), (number, Kind::Record));
            prop_assert_eq!(get_record(frame.payload.unwrap()), Some(record));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            let _ = FileHeader::decode(&bytes);
            let _ = open_batch(&bytes, 0);
            let _ = open_frame(&bytes);
            let _ = get_record(bytes.clone());
            let _ = get_create(bytes.clone());
            let _ = get_discard(bytes.clone());
            let _ = get_damage(bytes);
        }
    }

    #[test]
    fn other_things_come_back_too() {
        let header = FileHeader {
            version: FILE_VERSION,
            next_number: 7,
            start: 1 << 40,
        };
        assert_eq!(FileHeader::decode(&header.encode()), Some(header));
        let segment = SegmentId {
            volume: VolumeId(String::from("vol-é")),
            group: GroupIndex(3),
            copy: 9,
        };
        let mut out = Vec::new();
        put_create(&mut out, &segment, 16_384);
        assert_eq!(get_create(Bytes::from(out)), Some((segment, 16_384)));
        let damage = Damage {
            sound_to: Lsn(5),
            discards_lost: true,
            state_lost: false,
        };
        let mut out = Vec::new();
        put_damage(&mut out, &damage);
        assert_eq!(get_damage(Bytes::from(out)), Some(damage));
    }

    #[test]
    fn a_batch_is_read_at_its_own_position_only() {
        let mut batch = vec![0; BATCH_HEADER_BYTES + 5];
        seal_batch(&mut batch, 77);
        assert_eq!(open_batch(&batch, 77), Some(5));
        assert_eq!(open_batch(&batch, 78), None);
    }
}
