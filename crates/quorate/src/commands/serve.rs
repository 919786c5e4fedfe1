//! `up`, `node` and `gateway`: the commands that stay.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use quorate_archive::ArchiveConfig;
use quorate_region::{Identity, PeerRole};

use crate::cli::{GatewayArgs, NodeArgs, UpArgs};
use crate::config::Config;
use crate::gateway::{Gateway, GatewayRegion};
use crate::layout::{Layout, Running};
use crate::region_setup::make_open_folder;
use crate::table::say;
use crate::up::{UpOptions, run_up};
use crate::{node, shutdown};

/// Runs regions on this machine.
pub(crate) async fn up(args: UpArgs) -> anyhow::Result<()> {
    let mut config = Config::load(args.config.as_deref())?;
    config.api = args.api.unwrap_or(config.api);
    let mut regions = args.regions;
    regions.dedup();
    let layout = args.data.layout()?;
    run_up(UpOptions {
        layout,
        regions,
        nodes_per_zone: args.nodes_per_zone,
        config,
        config_path: args.config,
    })
    .await
}

/// Runs one node.
pub(crate) async fn node(args: NodeArgs) -> anyhow::Result<()> {
    let mut config = Config::load(args.config.as_deref())?;
    let archive = args.archive.map(ArchiveConfig::Folder);
    config.archive = config.archive.or(archive);
    let folder = match (args.folder, args.join) {
        (Some(folder), _) => folder,
        (None, Some(token)) => join_node(&args.data.layout()?, &token)?,
        (None, None) => only_node(&args.data.layout()?)?,
    };
    let stop = shutdown::of_node(args.child)?;
    node::run(folder, config, stop).await
}

fn join_node(layout: &Layout, token: &Path) -> anyhow::Result<PathBuf> {
    let identity = read_token(token)?;
    let PeerRole::Node(node) = &identity.role else {
        bail!("this token makes a gateway, not a node")
    };
    let folder = layout.node(node);
    let file = folder.join("identity");
    ensure!(
        !file.exists(),
        "{node} has joined already: start it without --join (its identity is {})",
        file.display()
    );
    make_open_folder(&folder)?;
    identity.save(&file)?;
    Ok(folder)
}

/// The folder of the node that joined here before.
fn only_node(layout: &Layout) -> anyhow::Result<PathBuf> {
    let mut folders = Vec::new();
    for region in layout.regions() {
        let nodes = std::fs::read_dir(layout.region(&region).join("nodes"));
        folders.extend(
            nodes
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path()),
        );
    }
    match folders.as_slice() {
        [folder] => Ok(folder.clone()),
        [] => bail!(
            "no node has joined in {}: pass --join",
            layout.root().display()
        ),
        _ => bail!(
            "several nodes lie in {}: give each a --data folder of its own",
            layout.root().display()
        ),
    }
}

fn read_token(path: &Path) -> anyhow::Result<Identity> {
    Identity::load(path).with_context(|| format!("cannot join with {}", path.display()))
}

/// Runs a gateway.
pub(crate) async fn gateway(args: GatewayArgs) -> anyhow::Result<()> {
    let mut config = Config::load(args.config.as_deref())?;
    config.api = args.api.unwrap_or(config.api);
    let layout = args.data.layout()?;
    for token in &args.join {
        let identity = read_token(token)?;
        ensure!(
            matches!(identity.role, PeerRole::Gateway(_)),
            "this token makes a node, not a gateway"
        );
        let region = identity.map.region.clone();
        make_open_folder(&layout.region(&region))?;
        identity.save(&layout.gateway_identity(&region))?;
    }
    let stop = shutdown::on_signals()?;
    let mut regions = Vec::new();
    for region in layout.regions() {
        regions.push(GatewayRegion::follow(Identity::load(
            &layout.gateway_identity(&region),
        )?)?);
    }
    ensure!(
        !regions.is_empty(),
        "no region was joined in {}: pass --join",
        layout.root().display()
    );
    let gateway = Gateway::start(&config, &regions, &stop).await?;
    let api = gateway.api();
    layout.save_running(&Running {
        pid: std::process::id(),
        api,
        regions: regions.iter().map(|r| r.name().clone()).collect(),
    })?;
    say(&format!("gateway runs. API: http://{api}"));
    gateway.run(stop).await;
    Ok(())
}
