//! What a server of a cluster tells of it by CLUSTER NODES.
//!
//! Source of the format: the page of CLUSTER NODES in Redis's documentation. A line that cannot be read makes the whole
//! answer one that cannot be: a node that is overlooked would be one whose slots seem to be nobody's.

use std::net::SocketAddr;

use crate::error::EngineError;

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

/// The name that a server of a cluster gives itself, for as long as it has its folder: forty hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterNodeId(String);

impl ClusterNodeId {
    /// The id of this text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<ClusterNodeId> {
        let digits = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (text.len() == 40 && digits).then(|| ClusterNodeId(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One node, as one server of the cluster sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// Its name.
    pub id: ClusterNodeId,
    /// Where clients reach it; none when that is not known any more.
    pub address: Option<SocketAddr>,
    /// Whether it is the server that was asked.
    pub myself: bool,
    /// Whether it leads: with or without slots.
    pub leads: bool,
    /// Whether it is still being met: its name and role are not known.
    pub handshake: bool,
    /// Whether the server that was asked holds it for gone (`fail?`).
    pub suspected: bool,
    /// Whether most primaries hold it for gone (`fail`).
    pub failed: bool,
    /// Of a replica: whom it follows.
    pub follows: Option<ClusterNodeId>,
    /// The epoch at which it came to its slots; its primary's, of a replica.
    pub config_epoch: u64,
    /// Whether the bus to it is up.
    pub linked: bool,
    /// Its slots: first and last of each range, both included.
    pub slots: Vec<(u16, u16)>,
    /// Slots that are on their way to another node. Only the server that was asked tells of its own.
    pub migrating: Vec<(u16, ClusterNodeId)>,
    /// Slots that are on their way here.
    pub importing: Vec<(u16, ClusterNodeId)>,
}

impl ClusterNode {
    /// Reads the answer of CLUSTER NODES.
    ///
    /// # Errors
    /// [`EngineError::Unexpected`] with the first line that cannot be read.
    pub fn parse_all(text: &str) -> Result<Vec<ClusterNode>, EngineError> {
        let lines = text.lines().filter(|line| !line.is_empty());
        let nodes = lines.map(|line| {
            ClusterNode::parse(line).ok_or_else(|| EngineError::Unexpected {
                doing: String::from("CLUSTER NODES"),
                answer: line.escape_default().to_string(),
            })
        });
        nodes.collect()
    }

    fn parse(line: &str) -> Option<ClusterNode> {
        let mut words = line.split(' ');
        let id = ClusterNodeId::parse(words.next()?)?;
        let address = parse_address(words.next()?)?;
        let flags: Vec<&str> = words.next()?.split(',').collect();
        let has = |flag: &str| flags.contains(&flag);
        let follows = match words.next()? {
            "-" => None,
            primary => Some(ClusterNodeId::parse(primary)?),
        };
        let (_ping, _pong) = (words.next()?, words.next()?);
        let config_epoch = words.next()?.parse().ok()?;
        let linked = match words.next()? {
            "connected" => true,
            "disconnected" => false,
            _ => return None,
        };
        let mut node = ClusterNode {
            id,
            address: address.filter(|_| !has("noaddr")),
            myself: has("myself"),
            leads: has("master"),
            handshake: has("handshake"),
            suspected: has("fail?"),
            failed: has("fail"),
            follows,
            config_epoch,
            linked,
            slots: Vec::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
        };
        for word in words {
            node.add_slots(word)?;
        }
        Some(node)
    }

    fn add_slots(&mut self, word: &str) -> Option<()> {
        if let Some(open) = word.strip_prefix('[') {
            let open = open.strip_suffix(']')?;
            if let Some((slot, to)) = open.split_once("->-") {
                let moved = (parse_slot(slot)?, ClusterNodeId::parse(to)?);
                self.migrating.push(moved);
            } else {
                let (slot, from) = open.split_once("-<-")?;
                let moved = (parse_slot(slot)?, ClusterNodeId::parse(from)?);
                self.importing.push(moved);
            }
            return Some(());
        }
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (first, last) = (parse_slot(first)?, parse_slot(last)?);
        (first <= last).then(|| self.slots.push((first, last)))
    }

    /// Whether it has this slot.
    #[must_use]
    pub fn has_slot(&self, slot: u16) -> bool {
        let mut ranges = self.slots.iter();
        ranges.any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

/// `ip:port@bus`, with more after a comma; the ip is empty where it is not known.
fn parse_address(word: &str) -> Option<Option<SocketAddr>> {
    let (address, bus) = word.split_once('@')?;
    let bus = bus.split_once(',').map_or(bus, |(bus, _)| bus);
    bus.parse::<u16>().ok()?;
    let (ip, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    if ip.is_empty() {
        return Some(None);
    }
    let ip = ip.trim_start_matches('[').trim_end_matches(']');
    Some(Some(SocketAddr::new(ip.parse().ok()?, port)))
}

fn parse_slot(text: &str) -> Option<u16> {
    text.parse().ok().filter(|slot| *slot < SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "07c37dfeb235213a872192d90877d0cd55635b91";
    const B: &str = "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca";

    #[test]
    fn primaries_replicas_and_open_slots_are_read() {
        let text = format!(
            "{A} 127.0.1.1:20001@10001,host myself,master - 0 0 7 connected 0-5460 5462 [77->-{B}] [93-<-{B}]\n\
             {B} 127.0.2.1:20002@10002 slave,fail? {A} 0 1426238317239 4 disconnected\n\
             {B} :0@0 master,noaddr,fail - 0 0 0 disconnected\n"
        );
        let nodes = ClusterNode::parse_all(&text).unwrap();
        let (a, b) = (
            ClusterNodeId::parse(A).unwrap(),
            ClusterNodeId::parse(B).unwrap(),
        );
        let own = &nodes[0];
        assert!(own.myself && own.leads && own.linked && own.follows.is_none());
        assert_eq!(own.address, Some("127.0.1.1:20001".parse().unwrap()));
        assert_eq!(own.slots, [(0, 5460), (5462, 5462)]);
        assert!(own.has_slot(5462) && !own.has_slot(5461));
        assert_eq!(own.migrating, [(77, b.clone())]);
        assert_eq!(own.importing, [(93, b)]);
        let replica = &nodes[1];
        assert!(!replica.leads && replica.suspected && !replica.failed && !replica.linked);
        assert_eq!((&replica.follows, replica.config_epoch), (&Some(a), 4));
        assert!(nodes[2].failed && nodes[2].address.is_none());
    }

    #[test]
    fn an_answer_that_is_cut_or_garbage_is_an_error() {
        let whole = format!("{A} 127.0.1.1:20001@10001 master - 0 0 7 connected 0-5460");
        assert!(ClusterNode::parse_all(&whole).is_ok());
        for cut in 1..whole.rfind(" 0-").unwrap() {
            assert!(ClusterNode::parse_all(&whole[..cut]).is_err(), "{cut}");
        }
        for garbage in [
            "\0",
            "\0\0 \0 \0",
            "x",
            &whole.replace("20001@10001", "20001"),
            &whole.replace(" 7 ", " -7 "),
            &whole.replace("0-5460", "5460-0"),
            &whole.replace("0-5460", "0-16384"),
            &whole.replace("0-5460", "[5->-\0]"),
            &whole.replace(A, &A.to_uppercase()),
            &whole.replace("connected", "maybe"),
        ] {
            assert!(ClusterNode::parse_all(garbage).is_err(), "{garbage:?}");
        }
    }
}
