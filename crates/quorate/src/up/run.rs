//! The life of `quorate up`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::fcntl::{Flock, FlockArg};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use quorate_base::{NodeId, RegionName};
use quorate_rds::model::Host;
use quorate_region::Identity;

use crate::access_keys;
use crate::config::Config;
use crate::gateway::{Gateway, GatewayRegion};
use crate::layout::{Layout, Running};
use crate::region_setup::{ensure_credentials, ensure_region, make_open_folder};
use crate::shutdown;
use crate::table::say;
use crate::up::children::Children;
use crate::up::control::serve_control;

/// Pause before a region's catalog is tried again at the start.
const RETRY: Duration = Duration::from_millis(20);

/// Longest wait for the nodes' reports at the start.
const HOSTS_TIMEOUT: Duration = Duration::from_secs(10);

/// What `up` was told.
pub(crate) struct UpOptions {
    pub(crate) layout: Layout,
    pub(crate) regions: Vec<RegionName>,
    pub(crate) nodes_per_zone: u32,
    pub(crate) config: Config,
    pub(crate) config_path: Option<PathBuf>,
}

/// Runs regions and a gateway until a signal.
pub(crate) async fn run_up(options: UpOptions) -> anyhow::Result<()> {
    let began = Instant::now();
    let UpOptions {
        layout,
        regions,
        nodes_per_zone,
        config,
        config_path,
    } = options;
    make_open_folder(layout.root())?;
    let _lock = lock(&layout)?;
    let stop = shutdown::on_signals()?;
    let mut nodes: Vec<NodeId> = Vec::new();
    let mut followed = Vec::new();
    for (ordinal, region) in regions.iter().enumerate() {
        let map = ensure_region(&layout, region, u8::try_from(ordinal)?, nodes_per_zone)?;
        nodes.extend(map.nodes.iter().map(|node| node.id.clone()));
    }
    let credentials = ensure_credentials(&layout)?;
    let config_path = config_path.map(std::path::absolute).transpose()?;
    let children = Children::new(layout.clone(), config_path, nodes);
    children.start_all().await?;
    for region in &regions {
        let identity = Identity::load(&layout.gateway_identity(region))?;
        followed.push(GatewayRegion::follow(identity)?);
    }
    let watching = tokio::spawn(children.clone().watch());
    let result = serve(
        &layout,
        &config,
        &followed,
        &credentials,
        &children,
        &stop,
        began,
    )
    .await;
    watching.abort();
    say("stopping: engines write their last checkpoint");
    children.stop_all().await;
    let _ = std::fs::remove_file(layout.socket());
    result
}

async fn serve(
    layout: &Layout,
    config: &Config,
    regions: &[GatewayRegion],
    credentials: &crate::layout::Credentials,
    children: &Children,
    stop: &CancellationToken,
    began: Instant,
) -> anyhow::Result<()> {
    let control = listen_control(layout)?;
    tokio::spawn(serve_control(control, children.clone()));
    let gateway = Gateway::start(config, regions, stop).await?;
    let api = gateway.api();
    layout.save_running(&Running {
        pid: std::process::id(),
        api,
        regions: regions.iter().map(|r| r.name().clone()).collect(),
    })?;
    let serving = tokio::spawn(gateway.run(stop.clone()));
    for region in regions {
        let catalog = region.remote.catalog();
        while access_keys::store(&catalog, credentials, &config.account_id)
            .await
            .is_err()
        {
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }
    for region in regions {
        tokio::select! {
            () = hosts_known(region) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
    greet(layout, regions, api, began);
    stop.cancelled().await;
    serving.await?;
    Ok(())
}

/// Waits until every node has told which engines its host has, so that the first instance can be placed; bounded,
/// since a zone that was killed before may stay away.
async fn hosts_known(region: &GatewayRegion) {
    let view = region.remote.catalog().view().clone();
    let nodes = region.identity.map.nodes.len();
    let mut bell = view.subscribe();
    let all = async {
        while view.list::<Host>().is_ok_and(|hosts| hosts.len() < nodes) {
            if bell.changed().await.is_err() {
                return;
            }
        }
    };
    if tokio::time::timeout(HOSTS_TIMEOUT, all).await.is_err() {
        tracing::warn!(region = %region.name(), "not every node has reported its engines yet");
    }
}

fn greet(layout: &Layout, regions: &[GatewayRegion], api: std::net::SocketAddr, began: Instant) {
    let names: Vec<&str> = regions.iter().map(|r| r.name().as_str()).collect();
    let data = data_option(layout);
    let zone = regions
        .first()
        .map(|r| r.name().zone('a').to_string())
        .unwrap_or_default();
    say(&format!(
        "Quorate runs {} after {} ms. API: http://{api}\n\n\
         In another terminal:\n  \
         eval \"$(quorate env{data})\"       # credentials and endpoint for the aws command line and SDKs\n\n\
         Then try:\n  \
         aws rds create-db-instance --db-instance-identifier db1 --engine postgres \\\n      \
         --db-instance-class db.t3.micro --allocated-storage 20 --multi-az \\\n      \
         --master-username app --master-user-password secret-123\n  \
         aws dynamodb create-table --table-name orders --billing-mode PAY_PER_REQUEST \\\n      \
         --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH\n  \
         aws elasticache create-replication-group --replication-group-id carts --engine redis \\\n      \
         --replication-group-description carts --cache-node-type cache.t3.micro \\\n      \
         --num-cache-clusters 3 --automatic-failover-enabled\n  \
         quorate status{data}\n  \
         quorate zone kill {zone}{data}\n\n\
         Ctrl-C stops everything; the next `quorate up` brings it back.",
        names.join(", "),
        began.elapsed().as_millis(),
    ));
}

/// The option that other commands need to find this data folder.
fn data_option(layout: &Layout) -> String {
    let default = Layout::new(None).is_ok_and(|default| default.root() == layout.root());
    if default {
        String::new()
    } else {
        format!(" --data {}", layout.root().display())
    }
}

/// Only one `up` works on a folder: the lock ends with the process.
fn lock(layout: &Layout) -> anyhow::Result<Flock<std::fs::File>> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(layout.lock())
        .with_context(|| format!("cannot use {}", layout.root().display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            let who = layout
                .running()
                .map(|r| format!(" (process {}, API http://{})", r.pid, r.api));
            bail!(
                "Quorate already runs on {}{}: nothing was changed",
                layout.root().display(),
                who.unwrap_or_default()
            )
        }
        Err((_, e)) => Err(e).with_context(|| format!("cannot lock {}", layout.root().display())),
    }
}

fn listen_control(layout: &Layout) -> anyhow::Result<UnixListener> {
    let path = layout.socket();
    // What an `up` that was killed left behind; the lock says that none runs.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen on {}: is the path too long?", path.display()))?;
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
