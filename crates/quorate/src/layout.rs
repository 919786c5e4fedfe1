//! What lies where in a data folder.
//!
//! ```text
//! DATA/
//!   up.lock, up.sock, up.json     the running `quorate up`: lock, control socket, addresses
//!   credentials                   the first access key (secret)
//!   archive/                      snapshots, unless the configuration names another archive
//!   regions/us-east-1/
//!     region.json                 the nodes that the region was laid out with
//!     ca                          the region's certificate authority (secret)
//!     gateway                     the identity of this host's gateway (secret)
//!     nodes/us-east-1a-1/         one node: identity (secret), raft/, members/, node.log
//! ```

use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

use quorate_base::{NodeId, RegionName};
use quorate_region::write_secret;

/// A data folder.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The first access key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// Where the running `quorate up` or `quorate gateway` is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) api: std::net::SocketAddr,
    pub(crate) regions: Vec<RegionName>,
}

impl Layout {
    /// The folder that was named, or the default: for root one that the engine account can reach, for others
    /// the XDG data folder.
    pub(crate) fn new(named: Option<PathBuf>) -> anyhow::Result<Layout> {
        let root = match named {
            Some(root) => root,
            None if Uid::effective().is_root() => PathBuf::from("/var/lib/quorate"),
            None => xdg_data_folder()?.join("quorate"),
        };
        let root = std::path::absolute(&root)
            .with_context(|| format!("cannot use the data folder {}", root.display()))?;
        Ok(Layout { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("up.lock")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("up.sock")
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.root.join("archive")
    }

    pub(crate) fn region(&self, region: &RegionName) -> PathBuf {
        self.root.join("regions").join(region.as_str())
    }

    pub(crate) fn region_map(&self, region: &RegionName) -> PathBuf {
        self.region(region).join("region.json")
    }

    pub(crate) fn ca(&self, region: &RegionName) -> PathBuf {
        self.region(region).join("ca")
    }

    pub(crate) fn gateway_identity(&self, region: &RegionName) -> PathBuf {
        self.region(region).join("gateway")
    }

    pub(crate) fn node(&self, node: &NodeId) -> PathBuf {
        self.region(&node.zone().region())
            .join("nodes")
            .join(node.as_str())
    }

    pub(crate) fn node_log(&self, node: &NodeId) -> PathBuf {
        self.node(node).join("node.log")
    }

    /// The regions that this folder knows.
    pub(crate) fn regions(&self) -> Vec<RegionName> {
        let entries = std::fs::read_dir(self.root.join("regions"))
            .into_iter()
            .flatten()
            .flatten();
        let mut regions: Vec<RegionName> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        regions.sort();
        regions
    }

    /// The only region, or the one that was named.
    pub(crate) fn pick_region(&self, named: Option<RegionName>) -> anyhow::Result<RegionName> {
        if let Some(region) = named {
            return Ok(region);
        }
        self.regions().into_iter().next().with_context(|| {
            format!(
                "there is no region in {}: start one with `quorate up`",
                self.root.display()
            )
        })
    }

    pub(crate) fn credentials(&self) -> anyhow::Result<Credentials> {
        let path = self.root.join("credentials");
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "there are no credentials in {}: start a region with `quorate up`",
                self.root.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    pub(crate) fn save_credentials(&self, credentials: &Credentials) -> anyhow::Result<()> {
        let text = serde_json::to_vec(credentials)?;
        Ok(write_secret(&self.root.join("credentials"), &text)?)
    }

    pub(crate) fn running(&self) -> Option<Running> {
        let text = std::fs::read_to_string(self.root.join("up.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub(crate) fn save_running(&self, running: &Running) -> anyhow::Result<()> {
        let path = self.root.join("up.json");
        std::fs::write(&path, serde_json::to_vec(running)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

fn xdg_data_folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("XDG_DATA_HOME").filter(|f| !f.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let home = std::env::var_os("HOME").context("HOME is not set: name a folder with --data")?;
    Ok(PathBuf::from(home).join(".local/share"))
}
