//! Client-side sharding over a Memcached cluster, with consistent hashing.
//!
//! ```text
//! sharded_cache CONFIGURATION:PORT fill KEYS       sets so many keys
//! sharded_cache CONFIGURATION:PORT count KEYS      prints how many of them are there
//! ```
//!
//! The nodes are read from the configuration endpoint (`config get cluster`). Each stands at many points of a ring; a key
//! belongs to the next point. When a node is lost, the keys of others stay where they are: its own are missing, until it
//! is back or leaves the configuration.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use memcache::Client;

/// Points of each node: so many make shares even to some percent.
const POINTS: u32 = 160;
const TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments
        .next()
        .context("name the configuration endpoint: HOST:PORT")?;
    let what = arguments.next().context("fill or count?")?;
    let keys: u32 = arguments.next().context("how many keys?")?.parse()?;
    let cache = ShardedCache::discover(&endpoint)?;
    let names = (0..keys).map(|number| format!("page:{number}"));
    match what.as_str() {
        "fill" => {
            for name in names {
                cache.set(&name, &name)?;
            }
            println!("{keys} keys on {} nodes", cache.nodes.len());
        }
        "count" => {
            let found = names.filter(|name| cache.get(name).as_deref() == Some(name.as_str()));
            println!("{} of {keys}", found.count());
        }
        other => anyhow::bail!("{other}: fill or count"),
    }
    Ok(())
}

/// A ring of nodes.
struct ShardedCache {
    /// The node of each point.
    ring: BTreeMap<u64, usize>,
    /// A client of each node; none where the node cannot be reached.
    nodes: Vec<Option<Client>>,
}

impl ShardedCache {
    /// Reads the nodes from the configuration endpoint.
    fn discover(endpoint: &str) -> anyhow::Result<ShardedCache> {
        let mut ring = BTreeMap::new();
        let mut nodes = Vec::new();
        for node in read_configuration(endpoint)? {
            for point in 0..POINTS {
                ring.insert(hash(format!("{node}#{point}").as_bytes()), nodes.len());
            }
            nodes.push(connect(&node));
        }
        ensure!(!nodes.is_empty(), "the cluster has no nodes");
        Ok(ShardedCache { ring, nodes })
    }

    fn node_of(&self, key: &str) -> Option<&Client> {
        let after = self.ring.range(hash(key.as_bytes())..).next();
        let (_, node) = after.or_else(|| self.ring.iter().next())?;
        self.nodes[*node].as_ref()
    }

    fn set(&self, key: &str, value: &str) -> anyhow::Result<()> {
        let node = self
            .node_of(key)
            .context("the key's node cannot be reached")?;
        Ok(node.set(key, value, 0)?)
    }

    /// A miss where the key's node does not answer: a cache may forget.
    fn get(&self, key: &str) -> Option<String> {
        self.node_of(key)?.get(key).ok().flatten()
    }
}

fn connect(node: &str) -> Option<Client> {
    let client =
        memcache::connect(format!("memcache://{node}?timeout=2&connect_timeout=2")).ok()?;
    client.version().is_ok().then_some(client)
}

/// The nodes that auto discovery tells: after the version, a line of `NAME|ADDRESS|PORT`, parted by spaces.
fn read_configuration(endpoint: &str) -> anyhow::Result<Vec<String>> {
    let mut stream = TcpStream::connect(endpoint)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"config get cluster\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    let mut next = || {
        lines
            .next()
            .context("the answer is cut off")?
            .map_err(anyhow::Error::from)
    };
    let head = next()?;
    ensure!(
        head.starts_with("CONFIG cluster "),
        "no configuration endpoint: {head}"
    );
    let _version = next()?;
    let nodes = next()?;
    let address = |node: &str| {
        let mut parts = node.split('|');
        let (_name, address, port) = (parts.next()?, parts.next()?, parts.next()?);
        Some(format!("{address}:{port}"))
    };
    nodes
        .split_whitespace()
        .map(|node| address(node).context("a node has no address"))
        .collect()
}

/// FNV-1a with a last mix, so that points which differ in a digit lie far apart.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}
