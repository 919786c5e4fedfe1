//! The bytes on a connection: frames of questions and answers, of many calls in any order. Pure.
//!
//! ```text
//!  length: u32 LE | call: u64 LE | kind: u8 | body          length counts what follows it
//!                                  ask:     method's length: u8 | method | question
//!                                  answer:  answer
//!                                  refusal: why, in UTF-8
//!                                  given up: nothing
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::MESSAGE_BYTES_MAX;

/// The call's number and the frame's kind.
const HEAD_BYTES: usize = 9;
/// Room for a method's name beside the largest question.
const LENGTH_MAX: usize = HEAD_BYTES + 256 + MESSAGE_BYTES_MAX;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A question, by who calls.
    Ask,
    /// The answer.
    Answer,
    /// That it will not be done.
    Refusal,
    /// By who calls: the answer is not waited for any more. By who answers: there will be none.
    GivenUp,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Ask, Kind::Answer, Kind::Refusal, Kind::GivenUp]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }

    fn byte(self) -> u8 {
        match self {
            Kind::Ask => 0,
            Kind::Answer => 1,
            Kind::Refusal => 2,
            Kind::GivenUp => 3,
        }
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The caller's number of the call.
    pub(super) call: u64,
    pub(super) kind: Kind,
    pub(super) body: Bytes,
}

/// Bytes that are no frame: the connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of {0} bytes")]
    Length(usize),
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a question without a method")]
    Method,
}

/// Adds a frame whose body are these parts.
pub(super) fn put(out: &mut BytesMut, call: u64, kind: Kind, parts: &[&[u8]]) {
    let body: usize = parts.iter().map(|part| part.len()).sum();
    let length = HEAD_BYTES + body;
    assert!(
        length <= LENGTH_MAX,
        "messages are bounded by who makes them"
    );
    out.reserve(size_of::<u32>() + length);
    out.put_u32_le(u32::try_from(length).expect("the bound fits"));
    out.put_u64_le(call);
    out.put_u8(kind.byte());
    for part in parts {
        out.put_slice(part);
    }
}

/// Takes the next frame out of what has arrived; none when it is not whole yet.
pub(super) fn take(incoming: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(length) = incoming.first_chunk() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if !(HEAD_BYTES..=LENGTH_MAX).contains(&length) {
        return Err(FrameError::Length(length));
    }
    let whole = size_of::<u32>() + length;
    if incoming.len() < whole {
        incoming.reserve(whole - incoming.len());
        return Ok(None);
    }
    let mut frame = incoming.split_to(whole).freeze();
    frame.advance(size_of::<u32>());
    let call = frame.get_u64_le();
    let kind = frame.get_u8();
    let kind = Kind::from_byte(kind).ok_or(FrameError::Kind(kind))?;
    Ok(Some(Frame {
        call,
        kind,
        body: frame,
    }))
}

/// A method's name as the parts of a question's frame.
pub(super) fn method_head(method: &'static str) -> ([u8; 1], &'static [u8]) {
    let length = u8::try_from(method.len()).expect("method names are short");
    ([length], method.as_bytes())
}

/// A question's method and what is asked.
pub(super) fn split_question(mut body: Bytes) -> Result<(Bytes, Bytes), FrameError> {
    let length = body.try_get_u8().map_err(|_| FrameError::Method)?;
    if body.len() < usize::from(length) {
        return Err(FrameError::Method);
    }
    let method = body.split_to(usize::from(length));
    Ok((method, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_arrive() {
        let mut sent = BytesMut::new();
        let (length, method) = method_head("double");
        put(&mut sent, 7, Kind::Ask, &[&length, method, b"what"]);
        put(&mut sent, u64::MAX, Kind::Answer, &[&[9; 5_000]]);
        put(&mut sent, 0, Kind::GivenUp, &[]);
        for piece in [1, 3, 1_000, sent.len()] {
            let (mut arrived, mut frames) = (BytesMut::new(), Vec::new());
            for bytes in sent.chunks(piece) {
                arrived.extend_from_slice(bytes);
                while let Some(frame) = take(&mut arrived).unwrap() {
                    frames.push(frame);
                }
            }
            assert!(arrived.is_empty());
            let [ask, answer, end] = &frames[..] else {
                panic!("{frames:?}");
            };
            assert_eq!((ask.call, ask.kind), (7, Kind::Ask));
            let (method, question) = split_question(ask.body.clone()).unwrap();
            assert_eq!((&method[..], &question[..]), (&b"double"[..], &b"what"[..]));
            assert_eq!((answer.call, answer.body.len()), (u64::MAX, 5_000));
            assert_eq!((end.kind, end.body.len()), (Kind::GivenUp, 0));
        }
    }

    #[test]
    fn rubbish_is_refused_before_room_is_made_for_it() {
        let of = |bytes: &[u8]| take(&mut BytesMut::from(bytes));
        assert_eq!(of(&[1, 2, 3]), Ok(None));
        assert_eq!(
            of(&u32::MAX.to_le_bytes()),
            Err(FrameError::Length(u32::MAX as usize))
        );
        assert_eq!(of(&[8, 0, 0, 0]), Err(FrameError::Length(8)));
        let mut unknown = vec![9, 0, 0, 0];
        unknown.extend_from_slice(&[0; 8]);
        unknown.push(77);
        assert_eq!(of(&unknown), Err(FrameError::Kind(77)));
        let short = Bytes::from_static(&[5, b'a']);
        assert_eq!(split_question(short), Err(FrameError::Method));
        assert_eq!(split_question(Bytes::new()), Err(FrameError::Method));
    }
}
