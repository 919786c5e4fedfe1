//! One relay in front of one address, to measure what it costs:
//! `cargo run --release -p quorate-gateway --example relay -- 127.0.0.1:5432 25501`, then pgbench at
//! both ports.

use quorate_base::Epoch;
use quorate_control::{Catalog, Endpoint, EndpointProtocol, Txn};
use quorate_gateway::relay::{Relay, RelayConfig};
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: relay TARGET_ADDRESS PORT [LANES]";
    let target = arguments.next().ok_or(usage)?.parse()?;
    let port = arguments.next().ok_or(usage)?.parse()?;
    let lanes = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let config = RelayConfig {
        lanes,
        ..RelayConfig::default()
    };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let relay = Relay::start(config, None, shutdown)?;
        let catalog = Catalog::in_memory();
        relay.follow("us-east-1".parse()?, catalog.view().clone());
        let endpoint = Endpoint {
            port,
            targets: vec![target],
            epoch: Epoch::FIRST,
            protocol: EndpointProtocol::Postgres,
            cluster: None,
        };
        catalog
            .commit(Txn::new().insert("example:relay", &endpoint))
            .await?;
        std::future::pending().await
    })
}
