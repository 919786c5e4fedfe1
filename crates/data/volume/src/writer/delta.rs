//! What changed between two images of a page: records carry that, and no whole pages where it can be helped.

use bytes::Bytes;

use crate::protocol::{Change, Span};

/// Bytes that are compared at once.
const WORD: usize = 8;
/// Words that did not change and are sent all the same between two that did: a span of its own costs as much.
const JOINED_WORDS: usize = 2;

/// The change from `before` to `after`, both whole pages; none when they are the same.
pub(super) fn between(before: &[u8], after: &Bytes) -> Option<Change> {
    assert_eq!(before.len(), after.len(), "pages are of one size");
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let words = before.chunks(WORD).zip(after.chunks(WORD));
    for (index, _) in words.enumerate().filter(|(_, (a, b))| a != b) {
        match spans.last_mut() {
            Some((_, end)) if index <= *end + JOINED_WORDS => *end = index + 1,
            _ => spans.push((index, index + 1)),
        }
    }
    if spans.is_empty() {
        return None;
    }
    let spans: Vec<Span> = spans
        .into_iter()
        .map(|(from, end)| {
            let (from, end) = (from * WORD, (end * WORD).min(after.len()));
            Span {
                offset: u32::try_from(from).expect("pages are small"),
                bytes: after.slice(from..end),
            }
        })
        .collect();
    let delta = Change::Spans(spans);
    let image = image(after);
    Some(if image.payload_bytes() <= delta.payload_bytes() {
        image
    } else {
        delta
    })
}

/// The whole page, without the zeros at its end.
pub(super) fn image(page: &Bytes) -> Change {
    let end = page
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |i| i + 1);
    if end == 0 {
        Change::Discard
    } else {
        Change::Image(page.slice(..end))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_change_makes_the_page_after_of_the_page_before(
            before in prop::collection::vec(0u8..3, 64),
            edits in prop::collection::vec((0usize..64, 0u8..3), 0..8),
        ) {
            let mut after = before.clone();
            for (at, byte) in edits {
                after[at] = byte;
            }
            let after = Bytes::from(after);
            let mut page = BytesMut::from(&before[..]);
            match between(&before, &after) {
                Some(change) => prop_assert!(change.apply(&mut page)),
                None => prop_assert_eq!(&before[..], &after[..]),
            }
            prop_assert_eq!(&page[..], &after[..]);
        }
    }

    #[test]
    fn a_few_bytes_cost_a_few_bytes() {
        let before = vec![7; 8192];
        let mut after = before.clone();
        after[4000] = 1;
        after[8191] = 2;
        let change = between(&before, &Bytes::from(after)).unwrap();
        assert_eq!(change.payload_bytes(), 2 * WORD);
    }
}
