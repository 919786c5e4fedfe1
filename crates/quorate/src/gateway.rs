//! A gateway: the front door and the relays, over the catalogs of one or several regions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use quorate_base::RegionName;
use quorate_control::{EndpointPorts, Remote};
use quorate_dynamodb::api::{DynamoDbRegion, DynamoDbService, PartitionFigures};
use quorate_dynamodb::routing::{PartitionCalls, Routes};
use quorate_dynamodb::survey::Surveyor;
use quorate_dynamodb::throttle::Limits;
use quorate_elasticache::api::{ElastiCacheRegion, ElastiCacheService};
use quorate_gateway::front_door::{FrontDoor, FrontDoorConfig};
use quorate_gateway::relay::{CancelHandler, Relay, RelayConfig};
use quorate_rds::api::{RdsRegion, RdsService};
use quorate_region::Identity;
use quorate_region::transport::Caller;
use quorate_wire::service::Service;

use crate::access_keys::CatalogKeys;
use crate::cancels::NodeCancels;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::node::voters;

/// `CACertificateIdentifier` of every instance: the region's own authority.
const CA_IDENTIFIER: &str = "quorate-root-g1";

/// One region as a gateway reaches it.
pub(crate) struct GatewayRegion {
    pub(crate) identity: Identity,
    pub(crate) remote: Arc<Remote>,
    pub(crate) caller: Arc<Caller>,
}

impl GatewayRegion {
    /// Starts to follow the region's catalog.
    pub(crate) fn follow(identity: Identity) -> anyhow::Result<GatewayRegion> {
        let caller = Arc::new(Caller::new(&identity)?);
        let remote = Remote::follow(voters(&identity.map), caller.clone());
        Ok(GatewayRegion {
            identity,
            remote,
            caller,
        })
    }

    /// Asks the nodes what their DynamoDB partitions are like.
    pub(crate) fn surveyor(&self) -> Surveyor {
        Surveyor::new(self.remote.catalog(), self.caller.clone())
    }

    pub(crate) fn name(&self) -> &RegionName {
        &self.identity.map.region
    }
}

/// A gateway that listens.
pub(crate) struct Gateway {
    front_door: FrontDoor,
    api: SocketAddr,
}

impl Gateway {
    /// Listens for API calls and follows the endpoints of these regions.
    pub(crate) async fn start(
        config: &Config,
        regions: &[GatewayRegion],
        stop: &CancellationToken,
    ) -> anyhow::Result<Gateway> {
        let cancels = NodeCancels {
            regions: regions
                .iter()
                .map(|r| (r.name().clone(), (r.remote.catalog(), r.caller.clone())))
                .collect(),
        };
        let (port_first, port_last) = config.endpoint_ports;
        let relay_config = RelayConfig {
            address: config.endpoint_address,
            port_first,
            port_last,
            wait_ms: config.endpoint_wait_ms,
            ..RelayConfig::default()
        };
        let cancels: Arc<dyn CancelHandler> = Arc::new(cancels);
        let relay = Relay::start(relay_config, Some(cancels), stop.clone())
            .context("the relays cannot be started")?;
        let ports: Arc<dyn EndpointPorts> = Arc::new(relay.clone());
        let mut views = BTreeMap::new();
        let mut rds = Vec::new();
        let mut caches = Vec::new();
        let mut dynamodb = Vec::new();
        for region in regions {
            let catalog = region.remote.catalog();
            relay.follow(region.name().clone(), catalog.view().clone());
            views.insert(region.name().clone(), catalog.view().clone());
            let routes = Arc::new(Routes::new(catalog.view().clone()));
            let calls = Arc::new(PartitionCalls::new(region.caller.clone(), routes));
            dynamodb.push(DynamoDbRegion {
                name: region.name().clone(),
                catalog: catalog.clone(),
                figures: Arc::new(PartitionFigures::new(calls.clone())),
                limits: Limits::default(),
                calls,
            });
            caches.push(ElastiCacheRegion {
                name: region.name().clone(),
                zones: region.identity.map.zones(),
                catalog: catalog.clone(),
                endpoint_address: config.endpoint_address,
                ports: ports.clone(),
                cluster_mode: true,
            });
            rds.push(RdsRegion {
                name: region.name().clone(),
                zones: region.identity.map.zones(),
                catalog,
                endpoint_address: config.endpoint_address.to_string(),
                ports: ports.clone(),
                ca_identifier: CA_IDENTIFIER.to_owned(),
            });
        }
        let dynamodb = DynamoDbService::new(dynamodb);
        let metrics = Arc::new(Metrics::new(relay, dynamodb.counters()));
        for region in regions {
            let (name, surveyor) = (region.name().clone(), region.surveyor());
            let follows = metrics.clone();
            tokio::spawn(follows.follow(name, region.remote.clone(), surveyor));
        }
        let services: Vec<Arc<dyn Service>> = vec![
            Arc::new(RdsService::new(rds)),
            Arc::new(ElastiCacheService::new(caches)),
            Arc::new(dynamodb),
        ];
        let door = FrontDoorConfig {
            listen: config.api,
            ..FrontDoorConfig::default()
        };
        let front_door = FrontDoor::bind(door, services, Arc::new(CatalogKeys { views }))
            .await
            .with_context(|| format!("the API cannot listen on {}", config.api))?
            .with_metrics(metrics);
        let api = front_door.local_addr()?;
        Ok(Gateway { front_door, api })
    }

    /// Where the API listens.
    pub(crate) fn api(&self) -> SocketAddr {
        self.api
    }

    /// Serves until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        self.front_door.run(stop).await;
    }
}
