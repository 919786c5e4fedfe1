//! The relay as a whole: follows the endpoint records of its regions' catalogs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;

use quorate_base::RegionName;
use quorate_control::{Endpoint, EndpointPorts, EndpointProtocol, Stored, View};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::relay::cancel::CancelHandler;
use crate::relay::config::RelayConfig;
use crate::relay::lanes::Lanes;
use crate::relay::listen::listen;
use crate::relay::ports::Reservations;
use crate::relay::slot::{Slot, Targets};
use crate::relay::stats::{EndpointReport, RelayStats, RelayStatsRead};

/// What all endpoints share.
pub(crate) struct Shared {
    pub(crate) config: RelayConfig,
    pub(crate) stats: RelayStats,
    pub(crate) lanes: Lanes,
    /// The runtime that made the relay.
    pub(crate) control: Handle,
    pub(crate) cancels: Option<Arc<dyn CancelHandler>>,
    reservations: Reservations,
    lines: Mutex<BTreeMap<(RegionName, String), Arc<Line>>>,
    stop: CancellationToken,
}

/// One endpoint that is followed.
pub(crate) struct Line {
    pub(crate) region: RegionName,
    pub(crate) id: String,
    pub(crate) port: u16,
    pub(crate) protocol: EndpointProtocol,
    pub(crate) slot: Slot,
    pub(crate) listening: AtomicBool,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) shared: Arc<Shared>,
}

/// The endpoint relays of a gateway. A handle: cheap to clone; all ends with the token it was started with.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
}

impl Relay {
    /// Starts the copying threads. Nothing listens before `follow` or `reserve`. Without a handler
    /// cancel requests are dropped, as if they had come too late.
    ///
    /// # Errors
    /// `InvalidInput` when the settings contradict each other; what the kernel says to new threads.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        config: RelayConfig,
        cancels: Option<Arc<dyn CancelHandler>>,
        shutdown: CancellationToken,
    ) -> io::Result<Relay> {
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        config.validate().map_err(invalid)?;
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let lanes = Lanes::start(config.lanes_on(cores), &shutdown)?;
        let shared = Shared {
            config,
            stats: RelayStats::default(),
            lanes,
            control: Handle::current(),
            cancels,
            reservations: Reservations::default(),
            lines: Mutex::default(),
            stop: shutdown,
        };
        Ok(Relay {
            shared: Arc::new(shared),
        })
    }

    /// Follows the endpoint records of a region's catalog until the relay stops.
    pub fn follow(&self, region: RegionName, view: View) {
        let shared = Arc::clone(&self.shared);
        self.shared.control.spawn(async move {
            let mut bell = view.subscribe();
            loop {
                bell.borrow_and_update();
                match view.list::<Endpoint>() {
                    Ok(endpoints) => shared.apply(&region, endpoints),
                    Err(error) => {
                        tracing::error!(%region, %error, "endpoints stay as they are");
                    }
                }
                tokio::select! {
                    changed = bell.changed() => if changed.is_err() { return },
                    () = shared.stop.cancelled() => return,
                }
            }
        });
    }

    /// The counters of all endpoints together.
    #[must_use]
    pub fn stats(&self) -> RelayStatsRead {
        self.shared.stats.read()
    }

    /// Each endpoint as it is at the moment, in the order of regions and ids.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointReport> {
        let lines = self.shared.lines();
        let report = |line: &Arc<Line>| {
            let targets = line.slot.targets();
            EndpointReport {
                region: line.region.clone(),
                id: line.id.clone(),
                port: line.port,
                listening: line.listening.load(Ordering::Relaxed),
                targets: targets.addresses,
                epoch: targets.epoch,
                connections: line.slot.len(),
            }
        };
        lines.values().map(report).collect()
    }
}

impl EndpointPorts for Relay {
    fn reserve(&self, wanted: u16) -> Option<u16> {
        let shared = &self.shared;
        let owned: BTreeSet<u16> = shared.lines().values().map(|line| line.port).collect();
        let owns = |port| owned.contains(&port);
        let port = shared.reservations.reserve(wanted, &shared.config, owns)?;
        let expiring = Arc::clone(shared);
        shared.control.spawn(async move {
            tokio::time::sleep(expiring.config.reservation()).await;
            expiring.reservations.expire();
        });
        Some(port)
    }
}

impl Shared {
    fn lines(&self) -> std::sync::MutexGuard<'_, BTreeMap<(RegionName, String), Arc<Line>>> {
        self.lines.lock().expect("no holder of the lock panics")
    }

    /// Brings the endpoints of a region to what its catalog says.
    fn apply(self: &Arc<Shared>, region: &RegionName, endpoints: Vec<Stored<Endpoint>>) {
        let mut lines = self.lines();
        let named: BTreeSet<&str> = endpoints.iter().map(|e| e.id.as_str()).collect();
        lines.retain(|(of, id), line| {
            let stays = of != region || named.contains(id.as_str());
            if !stays {
                self.end(line, "endpoint is gone");
            }
            stays
        });
        for Stored { id, record, .. } in endpoints {
            let targets = Targets {
                addresses: record.targets.clone(),
                epoch: record.epoch,
            };
            let key = (region.clone(), id);
            if let Some(line) = lines.get(&key) {
                if line.port == record.port && line.protocol == record.protocol {
                    self.turn(line, targets);
                    line.slot.set_cluster(record.cluster);
                    continue;
                }
                self.end(line, "endpoint changes its port or protocol");
            }
            let line = self.begin(&key, record, targets);
            lines.insert(key, line);
        }
    }

    fn turn(&self, line: &Line, targets: Targets) {
        let before = line.slot.targets();
        let cut = line.slot.set(targets.clone());
        self.stats.cuts.fetch_add(cut as u64, Ordering::Relaxed);
        if before != targets {
            tracing::info!(
                endpoint = %line.id,
                region = %line.region,
                from = ?before.addresses,
                to = ?targets.addresses,
                epoch = %targets.epoch,
                cut,
                "endpoint turns"
            );
        }
    }

    fn end(&self, line: &Line, why: &str) {
        let cut = line.slot.close();
        self.stats.cuts.fetch_add(cut as u64, Ordering::Relaxed);
        tracing::info!(endpoint = %line.id, region = %line.region, cut, "{why}");
    }

    fn begin(
        self: &Arc<Shared>,
        (region, id): &(RegionName, String),
        record: Endpoint,
        targets: Targets,
    ) -> Arc<Line> {
        let slot = Slot::new(targets, self.stop.child_token());
        slot.set_cluster(record.cluster);
        let line = Arc::new(Line {
            region: region.clone(),
            id: id.clone(),
            port: record.port,
            protocol: record.protocol,
            slot,
            listening: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(self.config.connections_max)),
            shared: Arc::clone(self),
        });
        let reserved = self.reservations.claim(record.port);
        self.control.spawn(listen(Arc::clone(&line), reserved));
        line
    }
}
