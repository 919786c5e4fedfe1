//! The metrics page of a gateway: its relays, and what the catalogs' leaders know of nodes and members.

mod aurora;
mod dynamodb;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quorate_base::RegionName;
use quorate_control::Remote;
use quorate_dynamodb::api::Counters;
use quorate_dynamodb::survey::Surveyor;
use quorate_gateway::front_door::MetricsPage;
use quorate_gateway::relay::Relay;

use crate::status::{NodeStatus, RegionStatus, ResourceStatus, region_status};

/// Time between two questions to a region's leader.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// A page that was not read for so long is nobody's.
const READ_WITHIN: Duration = Duration::from_secs(90);

/// What the page is made of.
pub(crate) struct Metrics {
    relay: Relay,
    counters: Arc<Counters>,
    regions: Mutex<BTreeMap<RegionName, RegionStatus>>,
    /// When the page was last read; none before.
    read_at: Mutex<Option<Instant>>,
}

impl Metrics {
    pub(crate) fn new(relay: Relay, counters: Arc<Counters>) -> Metrics {
        Metrics {
            relay,
            counters,
            regions: Mutex::default(),
            read_at: Mutex::default(),
        }
    }

    /// Keeps a region's figures fresh until the future is dropped.
    pub(crate) async fn follow(
        self: Arc<Self>,
        region: RegionName,
        remote: Arc<Remote>,
        surveyor: Surveyor,
    ) {
        loop {
            let surveyor = self.is_read().then_some(&surveyor);
            let status = region_status(&region, &remote, surveyor).await;
            self.take(&region, status.ok());
            tokio::time::sleep(REFRESH_EVERY).await;
        }
    }
}

impl Metrics {
    /// Whether anybody reads the page: nodes are asked about partitions only then.
    fn is_read(&self) -> bool {
        let read_at = self.read_at.lock().expect("no holder of the lock panics");
        read_at.is_some_and(|at| at.elapsed() < READ_WITHIN)
    }

    /// Takes new figures in. Better none than old ones.
    fn take(&self, region: &RegionName, status: Option<RegionStatus>) {
        let mut regions = self.regions.lock().expect("no holder of the lock panics");
        match status {
            Some(status) => regions.insert(region.clone(), status),
            None => regions.remove(region),
        };
    }
}

impl MetricsPage for Metrics {
    fn render(&self) -> String {
        *self.read_at.lock().expect("no holder of the lock panics") = Some(Instant::now());
        let mut page = String::new();
        relay_families(&mut page, &self.relay);
        let regions = self.regions.lock().expect("no holder of the lock panics");
        region_families(&mut page, &regions);
        aurora::families(&mut page, &regions);
        dynamodb::families(&mut page, &regions, &self.counters.counts());
        page
    }
}

fn relay_families(page: &mut String, relay: &Relay) {
    let stats = relay.stats();
    for (name, help, value) in [
        (
            "relay_connections_total",
            "Connections taken by the endpoints.",
            stats.opened,
        ),
        (
            "relay_connections_open",
            "Connections that are open.",
            stats.open,
        ),
        (
            "relay_to_target_bytes_total",
            "Bytes carried to databases.",
            stats.to_target_bytes,
        ),
        (
            "relay_to_client_bytes_total",
            "Bytes carried to clients.",
            stats.to_client_bytes,
        ),
        (
            "relay_cuts_total",
            "Connections cut by a change of primary.",
            stats.cuts,
        ),
        (
            "relay_waits_total",
            "Connections that waited for a database.",
            stats.waits,
        ),
    ] {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        family(page, name, help, kind, [(String::new(), value)]);
    }
}

fn region_families(page: &mut String, regions: &BTreeMap<RegionName, RegionStatus>) {
    let nodes = regions.values().flat_map(|r| {
        let labels = |n: &NodeStatus| format!("{{region=\"{}\",node=\"{}\"}}", r.region, n.node);
        r.nodes.iter().map(move |n| (labels(n), u64::from(n.alive)))
    });
    family(
        page,
        "node_alive",
        "Whether the node renews its session.",
        "gauge",
        nodes,
    );
    for (name, help, pick) in MEMBER_FAMILIES {
        let values = regions.values().flat_map(|r| {
            r.resources.iter().filter_map(|m| {
                let labels = format!(
                    "{{region=\"{}\",id=\"{}\",node=\"{}\",role=\"{}\"}}",
                    r.region,
                    m.id,
                    m.node.as_ref()?,
                    m.role
                );
                Some((labels, pick(m)?))
            })
        });
        family(page, name, help, "gauge", values);
    }
}

/// A figure of a member, where it has it.
type Pick = fn(&ResourceStatus) -> Option<u64>;

const MEMBER_FAMILIES: [(&str, &str, Pick); 3] = [
    (
        "member_lag_bytes",
        "Log that a follower has not applied.",
        |m| m.lag_bytes,
    ),
    (
        "member_lag_milliseconds",
        "Age of a follower's newest commit.",
        |m| m.lag_ms,
    ),
    (
        "member_epoch",
        "The epoch of the member's instance or shard.",
        |m| Some(m.epoch.0),
    ),
];

/// One metric family of Prometheus's text format, version 0.0.4.
fn family(
    page: &mut String,
    name: &str,
    help: &str,
    kind: &str,
    values: impl IntoIterator<Item = (String, u64)>,
) {
    let _ = writeln!(
        page,
        "# HELP quorate_{name} {help}\n# TYPE quorate_{name} {kind}"
    );
    for (labels, value) in values {
        let _ = writeln!(page, "quorate_{name}{labels} {value}");
    }
}
