//! Laying out a region: addresses, certificate authority, identities.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use rand::Rng;

use quorate_base::{NodeId, RegionName};
use quorate_region::{CertificateAuthority, Identity, NodeInfo, RegionMap, write_secret};

use crate::layout::{Credentials, Layout};

/// The zones of a region that `up` lays out.
const ZONES: [char; 3] = ['a', 'b', 'c'];
/// Nodes listen on ports of this range, below the ports that systems give to outgoing connections.
const NODE_PORTS: std::ops::Range<u16> = 17_000..20_000;
const PORT_TRIES: u32 = 200;

/// Makes a region's folder with its CA and the identities of its nodes and of one gateway, if it is not there.
pub(crate) fn ensure_region(
    layout: &Layout,
    region: &RegionName,
    ordinal: u8,
    nodes_per_zone: u32,
) -> anyhow::Result<RegionMap> {
    if layout.region_map(region).exists() {
        return load_map(layout, region);
    }
    let mut nodes = Vec::new();
    for (zone_index, letter) in ZONES.into_iter().enumerate() {
        for number in 1..=nodes_per_zone {
            let ip = zone_address(ordinal, zone_index, number)?;
            let id = region.zone(letter).node(number);
            nodes.push(NodeInfo {
                id,
                address: free_address(ip)?,
                voter: number == 1,
            });
        }
    }
    let map = RegionMap {
        region: region.clone(),
        nodes,
    };
    create_region(layout, &map)?;
    for node in &map.nodes {
        let identity = Identity::for_node(&load_ca(layout, region)?, &map, &node.id)?;
        identity.save(&layout.node(&node.id).join("identity"))?;
    }
    Ok(map)
}

/// Makes a region's folder: map, CA, gateway identity. The map is written last: it says that the rest is there.
pub(crate) fn create_region(layout: &Layout, map: &RegionMap) -> anyhow::Result<()> {
    ensure!(
        map.voters().count() == 3,
        "a region has three zones, with one voter each"
    );
    let folder = layout.region(&map.region);
    make_open_folder(&folder)?;
    let ca = CertificateAuthority::create(&map.region)?;
    write_secret(&layout.ca(&map.region), &serde_json::to_vec(&ca)?)?;
    let gateway = Identity::for_gateway(&ca, map, "gateway-1")?;
    gateway.save(&layout.gateway_identity(&map.region))?;
    let path = layout.region_map(&map.region);
    std::fs::write(&path, serde_json::to_vec_pretty(map)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the layout of a region that is there.
pub(crate) fn load_map(layout: &Layout, region: &RegionName) -> anyhow::Result<RegionMap> {
    let path = layout.region_map(region);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("there is no region {region} in {}", layout.root().display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Reads a region's CA, which only the host that made the region has.
pub(crate) fn load_ca(
    layout: &Layout,
    region: &RegionName,
) -> anyhow::Result<CertificateAuthority> {
    let path = layout.ca(region);
    let text = std::fs::read(&path).with_context(|| {
        format!(
            "the CA of {region} is not in {}: use the folder that the region was made in",
            layout.root().display()
        )
    })?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// The first access key: the one that is there, or a new one.
pub(crate) fn ensure_credentials(layout: &Layout) -> anyhow::Result<Credentials> {
    if let Ok(credentials) = layout.credentials() {
        return Ok(credentials);
    }
    let credentials = crate::access_keys::generate();
    layout.save_credentials(&credentials)?;
    Ok(credentials)
}

/// Makes a folder that other accounts may pass through, though not list: engines run as another account.
pub(crate) fn make_open_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// 127.0.1.1, 127.0.2.1, 127.0.3.1 for the first region; the second octet tells further regions apart, the
/// last one the nodes of a zone.
fn zone_address(ordinal: u8, zone_index: usize, number: u32) -> anyhow::Result<IpAddr> {
    let zone = u8::try_from(zone_index + 1)?;
    let Ok(number) = u8::try_from(number) else {
        bail!("a zone has at most 250 nodes")
    };
    Ok(IpAddr::from(Ipv4Addr::new(127, ordinal, zone, number)))
}

fn free_address(ip: IpAddr) -> anyhow::Result<SocketAddr> {
    let mut random = rand::rng();
    (0..PORT_TRIES)
        .map(|_| SocketAddr::new(ip, random.random_range(NODE_PORTS)))
        .find(|address| TcpListener::bind(address).is_ok())
        .with_context(|| format!("no port is free on {ip}"))
}

/// Reads `zone=address` pairs, as `quorate region create --node` takes them.
pub(crate) fn parse_node(region: &RegionName, text: &str) -> anyhow::Result<NodeInfo> {
    let (name, address) = text.split_once('=').with_context(|| {
        format!("`{text}` is not NODE=ADDRESS, as in us-east-1a-1=10.0.1.1:7401")
    })?;
    let id: NodeId = name.parse()?;
    ensure!(
        id.zone().region() == *region,
        "{id} is not a node of {region}"
    );
    let address = address
        .parse()
        .with_context(|| format!("`{address}` is not IP:PORT"))?;
    Ok(NodeInfo {
        voter: id.number() == 1,
        id,
        address,
    })
}
