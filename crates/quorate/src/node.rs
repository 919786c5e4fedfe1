//! One node: a voter of the catalog (the first of its zone), controllers, agents, and its DynamoDB partitions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use quorate_archive::Archive;
use quorate_base::UnixMillis;
use quorate_consensus::{GroupConfig, Voter};
use quorate_control::{Catalog, Lease, NodeRecord, Remote, Replica, Txn};
use quorate_dynamodb::host::{HeatLimits, HostConfig, PartitionHost};
use quorate_rds::agent::run_agent;
use quorate_rds::aurora::agent::AuroraHost;
use quorate_rds::events::ResourceOwner;
use quorate_region::transport::{Caller, Router, RpcServer};
use quorate_region::{Identity, NodeInfo, PeerRole, RegionMap};
use quorate_volume::SegmentHost;
use quorate_volume::store::Options;

use crate::agents::{aurora_agent, cache_agent, open_archive, rds_agent};
use crate::config::Config;
use crate::region_setup::make_open_folder;
use crate::shutdown::NodeStop;

/// Pause before the catalog is tried again at the start.
const RETRY: Duration = Duration::from_millis(100);

/// The voters of a region.
pub(crate) fn voters(map: &RegionMap) -> Vec<Voter> {
    map.voters()
        .map(|n| Voter {
            node: n.id.clone(),
            address: n.address,
        })
        .collect()
}

/// A node's identity and place.
pub(crate) struct Own {
    pub(crate) identity: Identity,
    pub(crate) info: NodeInfo,
    voters: Vec<Voter>,
    pub(crate) caller: Arc<Caller>,
}

impl Own {
    fn load(folder: &Path) -> anyhow::Result<Own> {
        let identity = Identity::load(&folder.join("identity"))
            .context("a node needs its identity: join with a token from `quorate region token`")?;
        let PeerRole::Node(id) = &identity.role else {
            bail!("the identity in {} is a gateway's", folder.display());
        };
        let info = identity
            .map
            .node(id)
            .context("the identity names a node that is in no map")?
            .clone();
        let caller = Arc::new(Caller::new(&identity)?);
        Ok(Own {
            voters: voters(&identity.map),
            identity,
            info,
            caller,
        })
    }

    /// Opens the items and the log of the DynamoDB partitions on this node.
    async fn open_dynamodb(
        &self,
        folder: &Path,
        config: &Config,
        catalog: &Catalog,
    ) -> anyhow::Result<Arc<PartitionHost>> {
        let folder = folder.join("dynamodb");
        make_open_folder(&folder)?;
        let host = HostConfig {
            own: Voter {
                node: self.info.id.clone(),
                address: self.info.address,
            },
            folder,
            split_bytes: config.dynamodb_split_bytes,
            split_heat: HeatLimits {
                reads: config.dynamodb_split_heat_reads,
                writes: config.dynamodb_split_heat_writes,
            },
        };
        Ok(PartitionHost::open(host, catalog.clone(), self.caller.clone()).await?)
    }

    /// Opens the segments of volumes on this node.
    async fn open_segments(&self, folder: &Path) -> anyhow::Result<Arc<SegmentHost>> {
        let folder = folder.join("segments");
        make_open_folder(&folder)?;
        let (id, caller) = (self.info.id.clone(), self.caller.clone());
        let opening = move || SegmentHost::open(&folder, id, caller, Options::default());
        let opened = tokio::task::spawn_blocking(opening).await;
        Ok(opened.expect("opening segments does not panic")?)
    }

    /// Opens the catalog's replica, if this node votes.
    async fn open_replica(
        &self,
        folder: &Path,
        config: &Config,
    ) -> anyhow::Result<Option<Arc<Replica>>> {
        if !self.info.voter {
            return Ok(None);
        }
        let raft = folder.join("raft");
        make_open_folder(&raft)?;
        let own = Voter {
            node: self.info.id.clone(),
            address: self.info.address,
        };
        let (voters, caller) = (self.voters.clone(), self.caller.clone());
        let timing = GroupConfig::default();
        let replica = Replica::open(&own, voters, &raft, &timing, config.lease(), caller).await?;
        Ok(Some(replica))
    }
}

/// Threads for the members of Aurora's clusters. Their files lie on segments, which this node must go on serving while the
/// members' agent waits for a file.
struct MemberThreads(Option<Runtime>);

impl MemberThreads {
    fn start() -> std::io::Result<MemberThreads> {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        threads
            .worker_threads(4)
            .thread_name("members")
            .enable_all();
        Ok(MemberThreads(Some(threads.build()?)))
    }

    async fn run(&self, host: Arc<AuroraHost>, stop: CancellationToken) {
        let agent = quorate_rds::aurora::agent::run_agent(host, stop);
        if let Some(threads) = &self.0
            && let Err(e) = threads.spawn(agent).await
        {
            tracing::error!(error = %e, "the agent of clusters has ended");
        }
    }
}

impl Drop for MemberThreads {
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

/// Runs the node whose identity lies in `folder`, until `stop`.
pub(crate) async fn run(folder: PathBuf, config: Config, stop: NodeStop) -> anyhow::Result<()> {
    let own = Own::load(&folder)?;
    let id = own.info.id.clone();
    let server = RpcServer::bind(own.info.address, &own.identity).await?;
    let mut router = Router::default();
    let replica = own.open_replica(&folder, &config).await?;
    let catalog = match &replica {
        Some(replica) => {
            replica.route(&mut router);
            replica.catalog()
        }
        None => Remote::follow(own.voters.clone(), own.caller.clone()).catalog(),
    };
    let lease = Lease::new(config.lease());
    let owner = ResourceOwner {
        region: id.zone().region(),
        account: config.account_id.clone(),
    };
    let rds = rds_agent(&folder, &config, &own, &owner, &catalog, &lease)?;
    rds.route(&mut router);
    let segments = own.open_segments(&folder).await?;
    segments.route(&mut router);
    let archive = open_archive(&config);
    let aurora = aurora_agent(&folder, &config, &rds, &segments, &own, archive.clone());
    let caches = cache_agent(&folder, &config, &own, &catalog, &lease, archive.clone())?;
    let dynamodb = own.open_dynamodb(&folder, &config, &catalog).await?;
    dynamodb.route(&mut router);
    let members = MemberThreads::start()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(quorate_rds::aurora::agent::run_segments(aurora.clone()));
    tasks.spawn(server.serve(router));
    if let Some(replica) = &replica {
        replica.form().await?;
    }
    tracing::info!(node = %id, address = %own.info.address, voter = own.info.voter, "node runs");
    let view = catalog.view().clone();
    let (voters, caller) = (own.voters.clone(), own.caller.clone());
    let (keeper, keeper_id) = (lease.clone(), id.clone());
    tasks.spawn(async move { keeper.keep(keeper_id, voters, caller, view).await });
    tasks.spawn(dynamodb.clone().run(stop.all.clone()));
    if let Some(replica) = &replica {
        let mut controllers = spawn_controllers(replica, &config, owner, archive);
        let stopping = stop.clone();
        tasks.spawn(async move {
            stopping.region_stops().await;
            // Engines that end now do so everywhere, and nobody is to take over.
            controllers.shutdown().await;
            std::future::pending().await
        });
    }
    tokio::select! {
        () = register(&catalog, &own.info) => {}
        () = stop.engines.cancelled() => {}
    }
    let engines = async {
        tokio::join!(
            run_agent(rds, stop.engines.clone()),
            members.run(aurora.clone(), stop.engines.clone()),
            quorate_elasticache::agent::run_agent(caches, stop.engines.clone()),
        );
        stop.all.cancelled().await;
    };
    tokio::select! {
        () = engines => {}
        why = broken(replica.as_ref()) => {
            // Engines end with this process: their guards see to it.
            bail!("this node's copy of the catalog has stopped and the node ends: {why}");
        }
        why = segments.stopped() => {
            bail!("this node's log of segments has stopped and the node ends: {why}");
        }
        why = dynamodb.stopped() => {
            bail!("this node's log of DynamoDB partitions has stopped and the node ends: {why}");
        }
    }
    tracing::info!(node = %id, "node stops");
    tasks.shutdown().await;
    if let Some(replica) = replica {
        replica.shutdown().await;
    }
    Ok(())
}

/// The controllers of all services: each decides while this node's voter leads the catalog.
fn spawn_controllers(
    replica: &Arc<Replica>,
    config: &Config,
    owner: ResourceOwner,
    archive: Option<Archive>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(quorate_dynamodb::controller::run_controller(
        replica.clone(),
        quorate_dynamodb::controller::ControllerConfig {
            replace_after: Duration::from_millis(config.dynamodb_replace_after_ms),
        },
    ));
    tasks.spawn(quorate_rds::controller::run_controller(
        replica.clone(),
        quorate_rds::controller::ControllerConfig {
            owner: owner.clone(),
            standby_replace_after_ms: config.standby_replace_after_ms,
            aurora: quorate_rds::aurora::AuroraConfig {
                backs_up: config.aurora_backup_every_ms > 0,
                ..quorate_rds::aurora::AuroraConfig::new(
                    config.aurora_replace_after_ms,
                    config.aurora_group_bytes,
                )
            },
        },
    ));
    tasks.spawn(quorate_elasticache::controller::run_controller(
        replica.clone(),
        quorate_elasticache::controller::ControllerConfig {
            replace_after_ms: config.cache_replace_after_ms,
            endpoint_address: config.endpoint_address,
        },
    ));
    tasks.spawn(quorate_rds::aurora::run_snapshot_upkeep(
        replica.clone(),
        archive.clone(),
        owner,
    ));
    tasks.spawn(quorate_elasticache::controller::run_snapshot_upkeep(
        replica.clone(),
        archive,
    ));
    tasks
}

/// Waits until the replica has stopped by itself, as after a failed sync; for ever on a node that has none.
async fn broken(replica: Option<&Arc<Replica>>) -> String {
    match replica {
        Some(replica) => replica.stopped().await,
        None => std::future::pending().await,
    }
}

/// Tells the catalog that this node is there; until it is told.
async fn register(catalog: &Catalog, info: &NodeInfo) {
    let record = NodeRecord {
        address: info.address,
        voter: info.voter,
        started_at: UnixMillis::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    while let Err(e) = catalog
        .commit(Txn::new().put(info.id.as_str(), &record))
        .await
    {
        tracing::debug!(error = %e, "the node is not registered yet");
        tokio::time::sleep(RETRY).await;
    }
}
