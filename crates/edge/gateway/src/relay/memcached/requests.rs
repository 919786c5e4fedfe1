//! What a client sends: lines, and after some of them blocks of data. Pure.

/// A longer line is none of ours: everything passes unread from there on.
const LINE_BYTES_MAX: usize = 64 << 10;
/// The meta no-op, which memcached answers with `MN`.
pub(super) const NO_OP: &[u8] = b"mn\r\n";

/// A question whose answer is looked for among the replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The client's own no-op.
    NoOp,
    /// `config get cluster`
    Config,
    /// `get AmazonElastiCache:cluster`, as clients of memcached before 1.4.14 ask.
    Key,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// In a line; what there is of it is held back.
    Line(Vec<u8>),
    /// In a block of data: so many bytes are left.
    Data(u64),
    /// Nothing is read any more.
    Opaque,
}

/// Reads a client's bytes as they come.
#[derive(Debug)]
pub(super) struct Requests {
    state: State,
    first: bool,
}

impl Requests {
    pub(super) fn new() -> Requests {
        Requests {
            state: State::Line(Vec::new()),
            first: true,
        }
    }

    /// Takes bytes; puts into `out` what the node is sent, and into `asked` what it will answer with `MN`.
    pub(super) fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, asked: &mut Vec<Asked>) {
        if self.first && !bytes.is_empty() {
            self.first = false;
            // The binary protocol's magic and TLS's handshake.
            if matches!(bytes[0], 0x80 | 0x16) {
                self.state = State::Opaque;
            }
        }
        while !bytes.is_empty() {
            match &mut self.state {
                State::Opaque => {
                    out.extend_from_slice(bytes);
                    return;
                }
                State::Data(left) => {
                    let taken = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    out.extend_from_slice(&bytes[..taken]);
                    bytes = &bytes[taken..];
                    *left -= taken as u64;
                    if *left == 0 {
                        self.state = State::Line(Vec::new());
                    }
                }
                State::Line(line) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let taken = end.map_or(bytes.len(), |end| end + 1);
                    line.extend_from_slice(&bytes[..taken]);
                    bytes = &bytes[taken..];
                    if line.len() > LINE_BYTES_MAX {
                        out.append(line);
                        self.state = State::Opaque;
                    } else if end.is_some() {
                        let line = std::mem::take(line);
                        self.state = end_of_line(&line, out, asked);
                    }
                }
            }
        }
    }
}

/// Passes a whole line on, or what stands for it.
fn end_of_line(line: &[u8], out: &mut Vec<u8>, asked: &mut Vec<Asked>) -> State {
    let words: Vec<&[u8]> = words(line).collect();
    let question = match words[..] {
        [b"config", b"get", b"cluster"] => Some(Asked::Config),
        [b"get" | b"gets", b"AmazonElastiCache:cluster"] => Some(Asked::Key),
        [b"mn", ..] => Some(Asked::NoOp),
        _ => None,
    };
    match question {
        Some(Asked::NoOp) | None => out.extend_from_slice(line),
        Some(_) => out.extend_from_slice(NO_OP),
    }
    asked.extend(question);
    match data_bytes(&words) {
        // The block ends with a line break of its own.
        Some(bytes) => State::Data(bytes + 2),
        None => State::Line(Vec::new()),
    }
}

/// The size of the block that follows this line, if one does.
fn data_bytes(words: &[&[u8]]) -> Option<u64> {
    let at = match *words.first()? {
        b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" => 4,
        b"ms" => 2,
        _ => return None,
    };
    number(words.get(at)?)
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let space = |byte: &u8| byte.is_ascii_whitespace();
    line.split(space).filter(|word| !word.is_empty())
}

/// A size. Nobody keeps blocks of more than a gibibyte: that is no size.
pub(super) fn number(word: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(word).ok()?;
    text.parse().ok().filter(|size| *size <= 1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(input: &[u8], piece: usize) -> (Vec<u8>, Vec<Asked>) {
        let (mut out, mut asked) = (Vec::new(), Vec::new());
        let mut requests = Requests::new();
        for bytes in input.chunks(piece) {
            requests.take(bytes, &mut out, &mut asked);
        }
        (out, asked)
    }

    #[test]
    fn questions_about_the_cluster_become_no_ops_and_all_else_passes() {
        let input = b"get a\r\nconfig get cluster\r\nset k 0 0 21\r\nconfig get cluster\r\nx\r\n\
                      get AmazonElastiCache:cluster\r\nmn\r\nms k 4 T0\r\nmn\r\n\r\nquit\r\n";
        let expected = b"get a\r\nmn\r\nset k 0 0 21\r\nconfig get cluster\r\nx\r\nmn\r\nmn\r\nms k 4 T0\r\nmn\r\n\r\nquit\r\n";
        for piece in [1, 2, 7, input.len()] {
            let (out, asked) = sent(input, piece);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                String::from_utf8(expected.to_vec()).unwrap()
            );
            assert_eq!(asked, [Asked::Config, Asked::Key, Asked::NoOp]);
        }
    }

    #[test]
    fn what_is_no_text_passes_unread() {
        for first in [0x80, 0x16] {
            let mut input = vec![first];
            input.extend_from_slice(b"\nconfig get cluster\r\n");
            assert_eq!(sent(&input, 3), (input, Vec::new()));
        }
        let mut long = vec![b'a'; LINE_BYTES_MAX + 1];
        long.extend_from_slice(b"\nconfig get cluster\r\n");
        let (out, asked) = sent(&long, 1_000);
        assert!(out == long && asked.is_empty());
    }
}
