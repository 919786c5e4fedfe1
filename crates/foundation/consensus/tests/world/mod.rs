//! Hosts in one process, over the real transport, and a machine that forgets what was not flushed.

// Each test program uses its part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate_base::RegionName;
use quorate_consensus::{
    Command, DurableMachine, Faults, GroupError, GroupId, Host, HostConfig, HostedGroup, Origin,
    Voter,
};
use quorate_region::transport::{Caller, Router, RpcServer};
use quorate_region::{CertificateAuthority, Identity, NodeInfo, RegionMap};
use tokio::runtime::Runtime;

/// Longest wait for a condition.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Longest wait of one call.
pub(crate) const CALL: Duration = Duration::from_secs(3);

#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct State {
    pub(crate) mark: Option<Vec<u8>>,
    pub(crate) values: BTreeMap<String, String>,
    /// How often each command was applied in the state's whole life.
    pub(crate) applies: BTreeMap<String, u64>,
    /// A snapshot's loading was cut short.
    pub(crate) torn: bool,
}

/// A map: commands are `key=value`, answers the earlier value. What was not flushed is gone after `crash`.
#[derive(Default)]
pub(crate) struct Map {
    state: Mutex<State>,
    flushed: Mutex<State>,
    pub(crate) flushes: AtomicU64,
    pub(crate) snapshots_read: AtomicU64,
    pub(crate) fails: AtomicBool,
    /// Loadings that are cut short from here on.
    pub(crate) loads_to_tear: AtomicU64,
}

impl Map {
    pub(crate) fn crash(&self) {
        *self.state.lock().unwrap() = self.flushed.lock().unwrap().clone();
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().unwrap().clone()
    }

    /// Has something in the state that no entry brought.
    pub(crate) fn put(&self, key: &str, value: &str) {
        let mut state = self.state.lock().unwrap();
        state.values.insert(key.to_owned(), value.to_owned());
    }

    /// Its state and mark, as another machine loads them.
    pub(crate) fn snapshot(&self) -> (Vec<u8>, Vec<u8>) {
        let mut bytes = Vec::new();
        let mark = self.write_snapshot(&mut bytes).unwrap();
        (bytes, mark)
    }

    pub(crate) fn load(&self, bytes: &[u8], mark: &[u8]) {
        self.read_snapshot(&mut &bytes[..], mark).unwrap();
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.state.lock().unwrap().values.get(key).cloned()
    }
}

impl DurableMachine for Map {
    fn mark(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.lock().unwrap().mark.clone())
    }

    fn is_whole(&self) -> bool {
        !self.state.lock().unwrap().torn
    }

    fn apply(&self, commands: &[Command<'_>], mark: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the machine was made to fail"));
        }
        let mut state = self.state.lock().unwrap();
        state.mark = Some(mark.to_vec());
        let apply = |command: &Command<'_>| {
            let command = String::from_utf8(command.bytes.to_vec()).unwrap();
            let (key, value) = command.split_once('=').unwrap();
            *state.applies.entry(command.clone()).or_default() += 1;
            let earlier = state.values.insert(key.to_owned(), value.to_owned());
            earlier.unwrap_or_default().into_bytes()
        };
        Ok(commands.iter().map(apply).collect())
    }

    fn flush(&self) -> io::Result<()> {
        *self.flushed.lock().unwrap() = self.state();
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn write_snapshot(&self, out: &mut dyn Write) -> io::Result<Vec<u8>> {
        let state = self.state();
        let bytes = postcard::to_stdvec(&(&state.values, &state.applies)).unwrap();
        out.write_all(&bytes)?;
        Ok(state.mark.unwrap())
    }

    fn read_snapshot(&self, from: &mut dyn Read, mark: &[u8]) -> io::Result<()> {
        let left = &self.loads_to_tear;
        let tears = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if tears.is_ok() {
            let torn = State {
                torn: true,
                ..State::default()
            };
            *self.flushed.lock().unwrap() = torn.clone();
            *self.state.lock().unwrap() = torn;
            return Err(io::Error::other("the loading was cut short"));
        }
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        let (values, applies) = postcard::from_bytes(&bytes).map_err(io::Error::other)?;
        let state = State {
            mark: Some(mark.to_vec()),
            values,
            applies,
            torn: false,
        };
        *self.flushed.lock().unwrap() = state.clone();
        *self.state.lock().unwrap() = state;
        self.snapshots_read.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// A host and what runs it: its connections end with its runtime, as with a process.
pub(crate) struct Running {
    pub(crate) host: Arc<Host>,
    runtime: Runtime,
}

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    ca: CertificateAuthority,
    map: RegionMap,
    pub(crate) config: HostConfig,
    pub(crate) faults: Vec<Arc<Faults>>,
    running: Vec<Option<Running>>,
}

impl World {
    /// Starts hosts in nodes of this many zones.
    pub(crate) async fn start(nodes: usize, config: HostConfig) -> World {
        let region: RegionName = "us-east-1".parse().unwrap();
        // All held at once: ports that are let go one by one come back.
        let listeners: Vec<_> = (0..nodes)
            .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let nodes = listeners.iter().zip('a'..).map(|(listener, letter)| {
            let address: SocketAddr = listener.local_addr().unwrap();
            let id = region.zone(letter).node(1);
            let voter = true;
            NodeInfo { id, address, voter }
        });
        let nodes: Vec<_> = nodes.collect();
        drop(listeners);
        let ca = CertificateAuthority::create(&region).unwrap();
        let count = nodes.len();
        let mut world = World {
            folder: tempfile::tempdir().unwrap(),
            ca,
            map: RegionMap { region, nodes },
            config,
            faults: (0..count).map(|_| Arc::default()).collect(),
            running: (0..count).map(|_| None).collect(),
        };
        for at in 0..count {
            world.start_host(at).await;
        }
        world
    }

    pub(crate) fn voter(&self, at: usize) -> Voter {
        let node = &self.map.nodes[at];
        Voter {
            node: node.id.clone(),
            address: node.address,
        }
    }

    pub(crate) fn voters(&self, at: impl IntoIterator<Item = usize>) -> Vec<Voter> {
        at.into_iter().map(|at| self.voter(at)).collect()
    }

    pub(crate) fn origin(&self, preferred: usize) -> Origin {
        Origin {
            voters: self.voters(0..3),
            preferred_leader: self.voter(preferred).id(),
        }
    }

    pub(crate) fn host_folder(&self, at: usize) -> PathBuf {
        self.folder.path().join(at.to_string())
    }

    pub(crate) async fn start_host(&mut self, at: usize) {
        let own = self.voter(at);
        let identity = Identity::for_node(&self.ca, &self.map, &own.node).unwrap();
        let caller = Arc::new(Caller::new(&identity).unwrap());
        let config = HostConfig {
            faults: self.faults[at].clone(),
            ..self.config.clone()
        };
        let folder = self.host_folder(at);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let started = runtime.spawn(async move {
            // Tasks of the host before, which are ending, may hold its log a moment longer.
            let host = eventually("the log is free", || async {
                let opened = Host::open(own.clone(), &folder, config.clone(), caller.clone());
                opened.await.ok()
            })
            .await;
            let mut router = Router::default();
            host.route(&mut router);
            let server = eventually("the address is free", || async {
                RpcServer::bind(own.address, &identity).await.ok()
            })
            .await;
            tokio::spawn(server.serve(router));
            host
        });
        let host = started.await.unwrap();
        self.running[at] = Some(Running { host, runtime });
    }

    pub(crate) fn host(&self, at: usize) -> &Arc<Host> {
        &self.running[at].as_ref().unwrap().host
    }

    /// Runs something in a host's own runtime.
    pub(crate) async fn on<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        at: usize,
        work: impl FnOnce(Arc<Host>) -> F,
    ) -> T {
        let running = self.running[at].as_ref().unwrap();
        let work = work(running.host.clone());
        running.runtime.spawn(work).await.unwrap()
    }

    /// Ends a host and removes all that it had on disk.
    pub(crate) async fn wipe(&mut self, at: usize) {
        self.kill(at).await;
        std::fs::remove_dir_all(self.host_folder(at)).unwrap();
    }

    /// Ends a host without flushing its machines.
    pub(crate) async fn kill(&mut self, at: usize) {
        let running = self.running[at].take().unwrap();
        let host = running.host;
        let ended = running.runtime.spawn(async move { host.shutdown().await });
        ended.await.unwrap();
        running.runtime.shutdown_background();
    }

    pub(crate) async fn stop(mut self) {
        for at in 0..self.running.len() {
            if self.running[at].is_some() {
                self.kill(at).await;
            }
        }
    }

    /// Cuts every link between one host and the others.
    pub(crate) fn isolate(&self, at: usize) {
        for other in 0..self.running.len() {
            if other != at {
                self.faults[at].cut(self.voter(other).id());
                self.faults[other].cut(self.voter(at).id());
            }
        }
    }

    pub(crate) fn mend(&self) {
        for faults in &self.faults {
            faults.mend();
        }
    }
}

/// Waits until something is there.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let started = tokio::time::Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within {DEADLINE:?}: {what}");
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || {
        let found = holds().then_some(());
        async move { found }
    })
    .await;
}

/// One group on the first three hosts.
pub(crate) struct Trio {
    pub(crate) id: GroupId,
    pub(crate) machines: Vec<Arc<Map>>,
    pub(crate) groups: Vec<Option<HostedGroup>>,
}

impl Trio {
    pub(crate) async fn start(world: &World, id: u64, preferred: usize) -> Trio {
        let mut trio = Trio {
            id: GroupId(id),
            machines: (0..3).map(|_| Arc::default()).collect(),
            groups: vec![None, None, None],
        };
        for at in 0..3 {
            trio.start_replica(world, at, Some(world.origin(preferred)))
                .await;
        }
        trio
    }

    pub(crate) async fn start_replica(&mut self, world: &World, at: usize, origin: Option<Origin>) {
        while self.machines.len() <= at {
            self.machines.push(Arc::default());
            self.groups.push(None);
        }
        let (id, machine) = (self.id, self.machines[at].clone());
        let started = world
            .on(at, |host| async move {
                host.start_group(id, machine, origin).await
            })
            .await;
        self.groups[at] = Some(started.unwrap());
    }

    /// Ends a host of it the hard way.
    pub(crate) async fn crash(&mut self, world: &mut World, at: usize) {
        self.groups[at] = None;
        world.kill(at).await;
        self.machines[at].crash();
    }

    pub(crate) async fn restart(&mut self, world: &mut World, at: usize) {
        world.start_host(at).await;
        self.start_replica(world, at, Some(world.origin(0))).await;
    }

    pub(crate) fn group(&self, at: usize) -> &HostedGroup {
        self.groups[at].as_ref().unwrap()
    }

    pub(crate) fn leader_now(&self) -> Option<usize> {
        let leads = |group: &Option<HostedGroup>| {
            group.as_ref().is_some_and(|group| group.leadership().own)
        };
        self.groups.iter().position(leads)
    }

    pub(crate) async fn leader(&self) -> usize {
        eventually("a leader", || async { self.leader_now() }).await
    }

    /// Writes at whoever leads, again while nobody does. Commands are idempotent.
    pub(crate) async fn write(&self, command: &str) -> usize {
        let what = format!("{command} in {}", self.id);
        eventually(&what, || async {
            for (at, group) in self.groups.iter().enumerate() {
                let Some(group) = group else { continue };
                if group.propose(command.into(), CALL).await.is_ok() {
                    return Some(at);
                }
            }
            None
        })
        .await
    }

    pub(crate) async fn until_applied(&self, at: usize, key: &str, value: &str) {
        until(&format!("{key}={value} at {at}"), || {
            self.machines[at].get(key).as_deref() == Some(value)
        })
        .await;
    }

    /// Reads at whoever leads.
    pub(crate) async fn read(&self, key: &str) -> Option<String> {
        eventually("a read", || async {
            for (at, group) in self.groups.iter().enumerate() {
                let Some(group) = group else { continue };
                if let Ok(permit) = group.read_permit(CALL).await {
                    let value = self.machines[at].get(key);
                    if permit.still_valid() {
                        return Some(value);
                    }
                }
            }
            None
        })
        .await
    }
}

pub(crate) fn is_not_leader<T>(result: &Result<T, GroupError>) -> bool {
    matches!(result, Err(GroupError::NotLeader(_)))
}
