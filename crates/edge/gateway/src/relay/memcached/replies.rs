//! What a node answers: lines, and after some of them blocks of data. Pure.

use std::collections::VecDeque;

use quorate_control::ClusterConfiguration;

use super::requests::{Asked, number, words};

/// The longest line of an answer that has to be known; what is longer passes as it is.
const LINE_BYTES_MAX: usize = 512;

/// Reads a node's bytes as they come.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// What there is of the line, held back while it may be one that is replaced.
    line: Vec<u8>,
    /// The line is longer than any that matters: it passes.
    passing: bool,
    /// Bytes left of a block of data.
    data: u64,
    opaque: bool,
}

impl Replies {
    /// Takes bytes; puts what the client is sent into `out`. The answers to what was `asked` are taken out of it in turn.
    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        asked: &mut VecDeque<Asked>,
        cluster: Option<&ClusterConfiguration>,
    ) {
        // The binary protocol's magic of a response, and TLS's handshake.
        let starts = self.line.is_empty() && self.data == 0 && !self.passing;
        if starts
            && bytes
                .first()
                .is_some_and(|first| matches!(first, 0x81 | 0x16))
        {
            self.opaque = true;
        }
        if self.opaque {
            out.extend_from_slice(bytes);
            return;
        }
        while !bytes.is_empty() {
            if self.data > 0 {
                let left = usize::try_from(self.data).unwrap_or(usize::MAX);
                let taken = left.min(bytes.len());
                out.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                self.data -= taken as u64;
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(bytes.len(), |end| end + 1);
            let piece = &bytes[..taken];
            bytes = &bytes[taken..];
            if self.passing {
                out.extend_from_slice(piece);
            } else {
                self.line.extend_from_slice(piece);
            }
            if end.is_some() {
                self.end_of_line(out, asked, cluster);
            } else if self.line.len() > LINE_BYTES_MAX {
                out.append(&mut self.line);
                self.passing = true;
            }
        }
    }

    fn end_of_line(
        &mut self,
        out: &mut Vec<u8>,
        asked: &mut VecDeque<Asked>,
        cluster: Option<&ClusterConfiguration>,
    ) {
        self.passing = false;
        let line = std::mem::take(&mut self.line);
        let words: Vec<&[u8]> = words(&line).collect();
        let size = match words[..] {
            [b"VALUE", _, _, size, ..] | [b"VA", size, ..] => number(size),
            _ => None,
        };
        self.data = size.map_or(0, |size| size + 2);
        if words != [b"MN"] {
            out.extend_from_slice(&line);
            return;
        }
        match asked.pop_front() {
            Some(Asked::Config) => tell(out, "CONFIG cluster", cluster),
            Some(Asked::Key) => tell(out, "VALUE AmazonElastiCache:cluster", cluster),
            Some(Asked::NoOp) | None => out.extend_from_slice(&line),
        }
    }
}

/// The answer about the nodes: the version, a line break, `host|address|port` of each with spaces between, a line break.
fn tell(out: &mut Vec<u8>, head: &str, cluster: Option<&ClusterConfiguration>) {
    if let Some(cluster) = cluster {
        let node = |at: &std::net::SocketAddr| format!("{0}|{0}|{1}", at.ip(), at.port());
        let nodes: Vec<String> = cluster.nodes.iter().map(node).collect();
        let body = format!("{}\n{}\n", cluster.version, nodes.join(" "));
        let answer = format!("{head} 0 {}\r\n{body}\r\n", body.len());
        out.extend_from_slice(answer.as_bytes());
    }
    out.extend_from_slice(b"END\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_about_the_cluster_stand_where_the_no_ops_were() {
        let cluster = ClusterConfiguration {
            version: 12,
            nodes: vec![
                "127.0.0.1:7001".parse().unwrap(),
                "127.0.0.1:7002".parse().unwrap(),
            ],
        };
        let input =
            b"VALUE a 0 6\r\nMN\r\nxy\r\nEND\r\nMN\r\nSTORED\r\nMN\r\nMN\r\nVA 4 t0\r\nMN\r\n\r\n";
        let body = "12\n127.0.0.1|127.0.0.1|7001 127.0.0.1|127.0.0.1|7002\n";
        let expected = format!(
            "VALUE a 0 6\r\nMN\r\nxy\r\nEND\r\nCONFIG cluster 0 {0}\r\n{body}\r\nEND\r\nSTORED\r\n\
             VALUE AmazonElastiCache:cluster 0 {0}\r\n{body}\r\nEND\r\nMN\r\nVA 4 t0\r\nMN\r\n\r\n",
            body.len()
        );
        for piece in [1, 2, 5, input.len()] {
            let mut asked = VecDeque::from([Asked::Config, Asked::Key, Asked::NoOp]);
            let (mut replies, mut out) = (Replies::default(), Vec::new());
            for bytes in input.chunks(piece) {
                replies.take(bytes, &mut out, &mut asked, Some(&cluster));
            }
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn without_a_cluster_there_is_nothing_to_tell() {
        let (mut replies, mut out) = (Replies::default(), Vec::new());
        replies.take(
            b"MN\r\n",
            &mut out,
            &mut VecDeque::from([Asked::Config]),
            None,
        );
        assert_eq!(out, b"END\r\n");
    }
}
