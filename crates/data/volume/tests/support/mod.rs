//! Nodes of three zones in one process, each with a folder of its own.

// Each file of tests uses some of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_base::{NodeId, RegionName};
use quorate_region::transport::{Caller, Router, RpcServer};
use quorate_region::{CertificateAuthority, Identity, NodeInfo, RegionMap};
use quorate_volume::protocol::{GroupIndex, Membership, PageId, SegmentId, VolumeEpoch, VolumeId};
use quorate_volume::redo::RedoSource;
use quorate_volume::store::Options;
use quorate_volume::{
    Birth, Content, Fork, GroupLayout, Layout, OpenError, OpenOptions, PageWrite, Pages,
    PagesError, Place, Point, SegmentHost, SegmentStatus, View, Volume,
};
use tokio::runtime::Runtime;

const PAGES_PER_GROUP: u64 = 4_096;
const PAGE_BYTES: u32 = 8_192;
/// Nothing here takes that long.
const DEADLINE: Duration = Duration::from_secs(60);

struct Node {
    folder: tempfile::TempDir,
    identity: Identity,
    address: SocketAddr,
    running: Option<Running>,
}

/// A node's own runtime: when it goes, so do its connections and whatever it was about to answer.
struct Running {
    host: Option<Arc<SegmentHost>>,
    runtime: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.host = None;
        let runtime = self.runtime.take().unwrap();
        // A runtime may not be waited for on another one's thread.
        let ended = std::thread::spawn(move || runtime.shutdown_timeout(DEADLINE));
        ended.join().unwrap();
    }
}

/// Three nodes, one for each zone.
pub(crate) struct Region {
    nodes: BTreeMap<NodeId, Node>,
    caller: Arc<Caller>,
    options: Options,
    made: BTreeSet<SegmentId>,
    pub(crate) layout: Layout,
}

/// Has a node make its segments and serve them, as a catalog would that remembers what was made.
async fn arrange(
    host: &SegmentHost,
    layout: &Layout,
    mut made: BTreeSet<SegmentId>,
) -> BTreeSet<SegmentId> {
    for _ in 0..2 {
        let birth = |group, copy| match made.contains(&id(layout, group, copy)) {
            true => Birth::Made,
            false => Birth::Empty,
        };
        let new = host.arrange(layout, birth).await.unwrap();
        made.extend(new);
    }
    made
}

fn id(layout: &Layout, group: GroupIndex, copy: u32) -> SegmentId {
    SegmentId {
        volume: layout.volume.clone(),
        group,
        copy,
    }
}

pub(crate) fn bytes(page: u64, offset: usize, data: &[u8]) -> PageWrite {
    PageWrite {
        page: PageId(page),
        content: Content::Bytes {
            offset,
            data: Bytes::copy_from_slice(data),
        },
    }
}

pub(crate) fn put(volume: &Volume, page: u64, text: &[u8]) {
    let lsn = volume.write(vec![bytes(page, 0, text)], Point::Consistent);
    volume.sync(lsn.unwrap()).unwrap();
}

pub(crate) fn starts_with(pages: &impl Pages, page: u64, text: &[u8]) -> bool {
    pages.read(PageId(page)).unwrap().starts_with(text)
}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

impl Region {
    pub(crate) async fn start() -> Region {
        let region: RegionName = "us-east-1".parse().unwrap();
        let ids: Vec<NodeId> = ['a', 'b', 'c'].map(|zone| region.zone(zone).node(1)).into();
        let address = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let infos: Vec<NodeInfo> = ids
            .iter()
            .map(|id| NodeInfo {
                id: id.clone(),
                address: address(),
                voter: true,
            })
            .collect();
        let map = RegionMap {
            region: region.clone(),
            nodes: infos.clone(),
        };
        let ca = CertificateAuthority::create(&region).unwrap();
        let mut nodes = BTreeMap::new();
        for info in &infos {
            let node = Node {
                folder: tempfile::tempdir().unwrap(),
                identity: Identity::for_node(&ca, &map, &info.id).unwrap(),
                address: info.address,
                running: None,
            };
            nodes.insert(info.id.clone(), node);
        }
        let caller = Caller::new(&nodes[&ids[0]].identity).unwrap();
        let mut region = Region {
            layout: Layout {
                volume: VolumeId(String::from("cluster-TEST")),
                page_bytes: PAGE_BYTES,
                pages_per_group: PAGES_PER_GROUP,
                groups: BTreeMap::new(),
            },
            nodes,
            caller: Arc::new(caller),
            options: Options::default(),
            made: BTreeSet::new(),
        };
        region.add_group();
        for id in ids {
            region.run(&id).await;
        }
        region
    }

    fn id(&self, zone: char) -> NodeId {
        let mut ids = self.nodes.keys();
        ids.find(|id| id.zone().as_str().ends_with(zone))
            .unwrap()
            .clone()
    }

    fn add_group(&mut self) {
        let ids: Vec<&NodeId> = self.nodes.keys().collect();
        let places = (0..6).map(|copy| {
            let id = ids[copy as usize / 2];
            let place = Place {
                node: id.clone(),
                address: self.nodes[id].address,
            };
            (copy, place)
        });
        let group = GroupLayout {
            membership: Membership::first(),
            places: places.collect(),
        };
        let index = u32::try_from(self.layout.groups.len()).unwrap();
        self.layout.groups.insert(GroupIndex(index), group);
    }

    async fn run(&mut self, id: &NodeId) {
        let (layout, options) = (self.layout.clone(), self.options.clone());
        let node = self.nodes.get_mut(id).unwrap();
        let caller = Arc::new(Caller::new(&node.identity).unwrap());
        let folder = node.folder.path().to_path_buf();
        let own = id.clone();
        let opening = move || SegmentHost::open(&folder, own, caller, options).unwrap();
        let host = blocking(opening).await;
        self.made = arrange(&host, &layout, std::mem::take(&mut self.made)).await;
        let node = self.nodes.get_mut(id).unwrap();
        let mut router = Router::default();
        host.route(&mut router);
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let (identity, address) = (node.identity.clone(), node.address);
        let binding = async move { RpcServer::bind(address, &identity).await.unwrap() };
        let server = runtime.spawn(binding).await.unwrap();
        runtime.spawn(server.serve(router));
        runtime.spawn(host.clone().run_gossip());
        runtime.spawn(host.clone().run_upkeep());
        node.running = Some(Running {
            host: Some(host),
            runtime: Some(runtime),
        });
    }

    /// The node of that zone answers nothing any more.
    pub(crate) fn kill(&mut self, zone: char) {
        let id = self.id(zone);
        self.nodes.get_mut(&id).unwrap().running = None;
    }

    pub(crate) async fn revive(&mut self, zone: char) {
        let id = self.id(zone);
        self.run(&id).await;
    }

    pub(crate) async fn open(&self, epoch: u64) -> Result<Volume, OpenError> {
        let options = OpenOptions {
            own: self.id('a'),
            epoch: VolumeEpoch(epoch),
            cache_bytes: 16 * PAGE_BYTES as usize,
        };
        let opening = Volume::open(self.caller.clone(), self.layout.clone(), &options, drop);
        tokio::time::timeout(DEADLINE, opening).await.unwrap()
    }

    /// Another volume on the same nodes, with as many groups.
    pub(crate) async fn other_volume(&self) -> Layout {
        let layout = Layout {
            volume: VolumeId(String::from("cluster-OTHER")),
            ..self.layout.clone()
        };
        for node in self.nodes.values() {
            let host = node.running.as_ref().and_then(|r| r.host.as_ref());
            arrange(host.unwrap(), &layout, BTreeSet::new()).await;
        }
        layout
    }

    pub(crate) async fn open_other(&self, layout: &Layout, epoch: u64) -> Volume {
        let options = OpenOptions {
            own: self.id('a'),
            epoch: VolumeEpoch(epoch),
            cache_bytes: 16 * PAGE_BYTES as usize,
        };
        let opening = Volume::open(self.caller.clone(), layout.clone(), &options, drop);
        let opened = tokio::time::timeout(DEADLINE, opening).await.unwrap();
        opened.unwrap()
    }

    /// A volume that begins as the other one is seen by a view, and shares its pages. Every node that runs makes its segments,
    /// those that were made before (`made`) serve; with `or_empty` they may begin with nothing.
    pub(crate) async fn fork(
        &self,
        (view, id_of_view): (&View, u64),
        of: &Layout,
        made: &mut BTreeSet<SegmentId>,
        or_empty: bool,
    ) -> Layout {
        let layout = Layout {
            volume: VolumeId(String::from("cluster-FORK")),
            ..of.clone()
        };
        let complete = view.complete();
        for node in self.nodes.values() {
            let Some(host) = node.running.as_ref().and_then(|r| r.host.as_ref()) else {
                continue;
            };
            let of_node = |copies: &BTreeSet<SegmentId>| {
                let here = layout.groups.iter().flat_map(|(group, places)| {
                    let here = places
                        .places
                        .iter()
                        .filter(|(_, p)| p.address == node.address);
                    here.map(|(copy, _)| id(&layout, *group, *copy))
                });
                here.filter(|segment| !copies.contains(segment)).count()
            };
            let began = tokio::time::Instant::now();
            while of_node(made) > 0 {
                assert!(began.elapsed() < DEADLINE);
                let birth = |group, copy| match made.contains(&id(&layout, group, copy)) {
                    true => Birth::Made,
                    false => Birth::Fork(Fork {
                        source: id(of, group, copy),
                        complete: complete[&group],
                        view: id_of_view,
                        or_empty,
                    }),
                };
                let new = host.arrange(&layout, birth).await.unwrap();
                made.extend(new);
            }
            let served = host.arrange(&layout, |_, _| Birth::Made).await;
            assert_eq!(served.unwrap(), []);
        }
        layout
    }

    /// The segments of a zone's node that are another one's pages and nothing else: how many bytes of pages they have.
    pub(crate) fn page_bytes(&self, zone: char, layout: &Layout) -> u64 {
        let node = &self.nodes[&self.id(zone)];
        let host = node.running.as_ref().unwrap().host.as_ref().unwrap();
        let segments = host.segments(&layout.volume);
        let bytes = segments
            .iter()
            .map(|id| host.status(id).unwrap().page_bytes);
        bytes.sum()
    }

    /// Every node removes a volume.
    pub(crate) fn forget(&self, volume: &VolumeId) {
        for node in self.nodes.values() {
            let host = node.running.as_ref().and_then(|r| r.host.as_ref());
            host.unwrap().forget(volume).unwrap();
        }
    }

    /// A view with all that was acknowledged.
    pub(crate) async fn view_of(&self, layout: &Layout, id: u64) -> Result<View, PagesError> {
        let (caller, layout) = (self.caller.clone(), layout.clone());
        View::open_acknowledged(caller, layout, self.id('b'), id, DEADLINE).await
    }

    /// Whoever reads the volume's log.
    pub(crate) fn redo(&self, id: u64) -> RedoSource {
        let (caller, layout) = (self.caller.clone(), self.layout.clone());
        RedoSource::new(caller, layout, self.id('b'), id)
    }

    /// A view of what segments have, whoever told them that it is complete.
    pub(crate) async fn surviving(&self, id: u64) -> Result<View, PagesError> {
        let (caller, layout) = (self.caller.clone(), self.layout.clone());
        View::open_surviving(caller, layout, self.id('b'), id, Duration::from_secs(2)).await
    }

    pub(crate) async fn view(&self, id: u64) -> Result<View, PagesError> {
        View::open(self.caller.clone(), self.layout.clone(), self.id('b'), id).await
    }

    /// Waits until every segment of the zone's node is like that.
    pub(crate) async fn wait_for(&self, is: impl Fn(&SegmentStatus) -> bool, zone: char) {
        let node = &self.nodes[&self.id(zone)];
        let host = node.running.as_ref().unwrap().host.as_ref().unwrap();
        let all = async {
            loop {
                let segments = host.segments(&self.layout.volume);
                let mut statuses = segments.iter().map(|segment| host.status(segment).unwrap());
                if statuses.all(|status| is(&status)) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, all).await.unwrap();
    }

    /// From their next start on nodes keep no log beyond what they need.
    pub(crate) fn keep_little_log(&mut self) {
        self.options.log_bytes_kept = 0;
        self.options.log_file_bytes = 4 << 10;
    }

    /// The node of that zone loses everything that it has on disk.
    pub(crate) fn lose(&mut self, zone: char) {
        let id = self.id(zone);
        let node = self.nodes.get_mut(&id).unwrap();
        node.running = None;
        node.folder = tempfile::tempdir().unwrap();
    }

    /// Flips a bit of the first place in the files of a zone's node that holds this text. The node must not run.
    pub(crate) fn damage(&self, zone: char, text: &[u8]) {
        let node = &self.nodes[&self.id(zone)];
        assert!(node.running.is_none());
        let mut folders = vec![node.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let mut bytes = std::fs::read(&path).unwrap();
                let found = bytes.windows(text.len()).position(|window| window == text);
                if let Some(at) = found {
                    bytes[at] ^= 1;
                    std::fs::write(path, bytes).unwrap();
                    return;
                }
            }
        }
        panic!("no file holds the text");
    }

    /// The segments that the zone's node was found to have lost.
    pub(crate) fn lost(&self, zone: char) -> Vec<SegmentId> {
        let node = &self.nodes[&self.id(zone)];
        let host = node.running.as_ref().unwrap().host.as_ref().unwrap();
        host.lost(&self.layout.volume)
    }

    /// Has every node turn its records into pages.
    pub(crate) async fn coalesce(&self) {
        for node in self.nodes.values() {
            if let Some(host) = node.running.as_ref().and_then(|r| r.host.as_ref()) {
                host.coalesce_now().await;
            }
        }
    }

    async fn arrange(&mut self) {
        for node in self.nodes.values() {
            if let Some(host) = node.running.as_ref().and_then(|r| r.host.as_ref()) {
                self.made = arrange(host, &self.layout, std::mem::take(&mut self.made)).await;
            }
        }
    }

    pub(crate) async fn grow(&mut self) {
        self.add_group();
        self.arrange().await;
    }

    /// Puts a new copy beside one of group 0, on the same node.
    pub(crate) async fn replace(&mut self, suspect: u32, new: u32) {
        let group = self.layout.groups.get_mut(&GroupIndex(0)).unwrap();
        group.membership = group.membership.doubled(suspect, new).unwrap();
        let place = group.places[&suspect].clone();
        group.places.insert(new, place);
        self.arrange().await;
    }

    /// Ends the replacement: the new copy stays.
    pub(crate) async fn settle(&mut self) {
        let group = self.layout.groups.get_mut(&GroupIndex(0)).unwrap();
        group.membership = group.membership.settled(true).unwrap();
        let copies = group.membership.copies();
        group.places.retain(|copy, _| copies.contains(copy));
        self.arrange().await;
    }
}
