//! A running region as a drill sees it.

use anyhow::Context;
use rand::Rng;

use quorate_base::UnixMillis;
use quorate_drills::{
    Boxed, DrillEvent, DrillInstance, DrillRegion, InstanceState, PostgresTarget,
};
use quorate_rds::model::{Event, Instance};
use quorate_region::Identity;

use crate::config::Config;
use crate::drill::api::ApiClient;
use crate::gateway::GatewayRegion;
use crate::layout::Layout;

const MASTER: &str = "drill";
const DATABASE: &str = "drill";

/// A region that runs on a data folder, and the instance that a drill makes in it.
pub(crate) struct LiveRegion {
    region: GatewayRegion,
    api: ApiClient,
    id: String,
    password: String,
    endpoint_address: String,
}

impl LiveRegion {
    /// Reaches the first region of a data folder.
    pub(crate) fn open(layout: &Layout, config: &Config) -> anyhow::Result<LiveRegion> {
        let name = layout.pick_region(None)?;
        let running = layout
            .running()
            .context("no region runs here: start one with `quorate up`")?;
        let region = GatewayRegion::follow(Identity::load(&layout.gateway_identity(&name))?)?;
        let api = ApiClient {
            api: running.api,
            region: name,
            credentials: layout.credentials()?,
        };
        let suffix: u32 = rand::rng().random();
        Ok(LiveRegion {
            region,
            api,
            id: format!("drill-{suffix:08x}"),
            password: format!("p{:032x}", rand::rng().random::<u128>()),
            endpoint_address: config.endpoint_address.to_string(),
        })
    }

    async fn create(&self) -> anyhow::Result<DrillInstance> {
        let parameters = [
            ("DBInstanceIdentifier", self.id.as_str()),
            ("Engine", "postgres"),
            ("DBInstanceClass", "db.t3.micro"),
            ("AllocatedStorage", "20"),
            ("MultiAZ", "true"),
            ("MasterUsername", MASTER),
            ("MasterUserPassword", &self.password),
            ("DBName", DATABASE),
        ];
        self.api.call("CreateDBInstance", &parameters).await?;
        let stored = self
            .region
            .remote
            .catalog()
            .read::<Instance>(&self.id)
            .await?;
        let instance = stored.context("the instance is not in the catalog")?.record;
        Ok(DrillInstance {
            id: self.id.clone(),
            target: PostgresTarget {
                host: self.endpoint_address.clone(),
                port: instance.endpoint_port,
                database: DATABASE.to_owned(),
                user: MASTER.to_owned(),
                password: self.password.clone(),
                ca_pem: self.region.identity.root_pem().to_owned(),
            },
        })
    }

    async fn look(&self, id: &str) -> anyhow::Result<InstanceState> {
        let stored = self.region.remote.catalog().read::<Instance>(id).await?;
        let instance = stored.with_context(|| format!("{id} is gone"))?.record;
        let topology = &instance.topology;
        Ok(InstanceState {
            status: instance.status.to_string(),
            primary_zone: topology.primary_zone(),
            standby_zone: topology.standby().map(|(node, _)| node.zone()),
            in_sync: topology.in_sync,
            epoch: topology.epoch.0,
            serving: topology.is_serving(),
        })
    }
}

impl DrillRegion for LiveRegion {
    fn instance(&self) -> Boxed<'_, anyhow::Result<DrillInstance>> {
        Box::pin(self.create())
    }

    fn state<'a>(&'a self, id: &'a str) -> Boxed<'a, anyhow::Result<InstanceState>> {
        Box::pin(self.look(id))
    }

    fn events<'a>(
        &'a self,
        id: &'a str,
        since: UnixMillis,
    ) -> Boxed<'a, anyhow::Result<Vec<DrillEvent>>> {
        Box::pin(async move {
            let events = self.region.remote.catalog().list::<Event>().await?;
            Ok(events
                .into_iter()
                .map(|stored| stored.record)
                .filter(|event| event.source_id == id && event.at >= since)
                .map(|event| DrillEvent {
                    at: event.at,
                    message: event.message,
                })
                .collect())
        })
    }

    fn clean_up<'a>(&'a self, id: &'a str) -> Boxed<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let parameters = [("DBInstanceIdentifier", id), ("SkipFinalSnapshot", "true")];
            self.api.call("DeleteDBInstance", &parameters).await
        })
    }
}
