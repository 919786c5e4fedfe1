//! Cancel requests of clients, brought to the node whose engine they are meant for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_base::RegionName;
use quorate_control::{Boxed, Catalog, NodeRecord};
use quorate_gateway::relay::CancelHandler;
use quorate_rds::agent::{CANCEL_METHOD, CancelQuestion};
use quorate_rds::model::Instance;
use quorate_region::transport::Caller;

/// Longest wait for the node's answer: a client gives up sooner.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks nodes to deliver cancel requests.
pub(crate) struct NodeCancels {
    pub(crate) regions: BTreeMap<RegionName, (Catalog, Arc<Caller>)>,
}

impl NodeCancels {
    async fn ask(
        &self,
        endpoint_id: &str,
        region: &RegionName,
        packet: [u8; 16],
    ) -> anyhow::Result<()> {
        let (catalog, caller) = self
            .regions
            .get(region)
            .ok_or_else(|| anyhow::anyhow!("an unknown region"))?;
        let instance = endpoint_id.trim_start_matches("rds:").to_owned();
        let stored = catalog.view().read::<Instance>(&instance)?;
        let node = stored
            .and_then(|stored| stored.record.topology.primary)
            .ok_or_else(|| anyhow::anyhow!("the instance has no primary"))?;
        let address = catalog
            .view()
            .read::<NodeRecord>(node.as_str())?
            .ok_or_else(|| anyhow::anyhow!("{node} is not registered"))?
            .record
            .address;
        let question = CancelQuestion { instance, packet };
        let delivered: bool = caller
            .call(&node, address, CANCEL_METHOD, &question, TIMEOUT)
            .await?;
        tracing::debug!(endpoint_id, delivered, "a cancel request");
        Ok(())
    }
}

impl CancelHandler for NodeCancels {
    fn deliver<'a>(
        &'a self,
        endpoint_id: &'a str,
        region: &'a RegionName,
        _target: SocketAddr,
        packet: [u8; 16],
    ) -> Boxed<'a, ()> {
        Box::pin(async move {
            // A cancel that does not arrive is one that came too late: clients expect no answer.
            if let Err(e) = self.ask(endpoint_id, region, packet).await {
                tracing::info!(endpoint_id, error = %e, "a cancel request was not delivered");
            }
        })
    }
}
