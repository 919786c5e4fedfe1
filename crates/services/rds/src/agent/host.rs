//! What an agent works with: its node, the engines found on its host, its way to the catalog.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use quorate_base::NodeId;
use quorate_control::{Catalog, CatalogError, Lease, Txn};
use quorate_engines::guard::GuardProgram;
use quorate_engines::mariadb::{MariadbHost, MariadbInstall};
use quorate_engines::postgres::PostgresHost;
use quorate_engines::{EngineAccount, EngineError, PostgresInstall, SettingContext, SettingType};
use quorate_region::EngineIssuer;

use crate::agent::member::MemberHandle;
use crate::catalogue::{Program, enum_words, mariadb_parameters};
use crate::events::ResourceOwner;
use crate::model::{EngineParameters, EngineVersion, Host, ParameterContext, ParameterSpec};

/// What a mount is made with.
const FUSE_DEVICE: &str = "/dev/fuse";

/// What an agent goes by.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The node.
    pub node: NodeId,
    /// Whose resources these are, for ARNs in events.
    pub owner: ResourceOwner,
    /// Where engines listen.
    pub engine_ip: IpAddr,
    /// Addresses and names under which gateways offer endpoints: they stand in the engines' certificates.
    pub endpoint_names: Vec<String>,
    /// The folder of this node's copies.
    pub folder: PathBuf,
    /// How long a standby may not answer before the primary goes on alone.
    pub standby_loss: Duration,
}

/// The engines found on a host. Where one has none, the node runs none of it and says so.
#[derive(Debug, Clone, Default)]
pub struct Installs {
    /// PostgreSQL's, newest version first.
    pub postgres: Vec<PostgresInstall>,
    /// MariaDB's, newest version first.
    pub mariadb: Vec<MariadbInstall>,
}

/// The agent's surroundings.
pub struct AgentHost {
    pub(crate) config: AgentConfig,
    pub(crate) catalog: Catalog,
    pub(crate) lease: Lease,
    pub(crate) issuer: EngineIssuer,
    pub(crate) account: EngineAccount,
    pub(crate) guard: GuardProgram,
    pub(crate) installs: Installs,
    /// Running members by resource id, for cancel requests.
    pub(crate) members: Mutex<BTreeMap<String, MemberHandle>>,
}

impl AgentHost {
    /// Puts an agent's surroundings together.
    #[must_use]
    pub fn new(
        config: AgentConfig,
        catalog: Catalog,
        lease: Lease,
        issuer: EngineIssuer,
        account: EngineAccount,
        installs: Installs,
    ) -> AgentHost {
        let guard = GuardProgram::own();
        let members = Mutex::default();
        AgentHost {
            config,
            catalog,
            lease,
            issuer,
            account,
            guard,
            installs,
            members,
        }
    }

    /// PostgreSQL's programs of a version, with whom and what they run under.
    pub(crate) fn postgres(&self, version: &str) -> Option<PostgresHost> {
        let install = self
            .installs
            .postgres
            .iter()
            .find(|i| i.version().to_string() == version)?;
        Some(PostgresHost {
            install: install.clone(),
            account: self.account.clone(),
            guard: self.guard.clone(),
            modules: self.config.folder.with_file_name("modules"),
        })
    }

    /// MariaDB's programs of a version, with whom and what they run under.
    pub(crate) fn mariadb(&self, version: &str) -> Option<MariadbHost> {
        let mut installs = self.installs.mariadb.iter();
        let install = installs.find(|install| install.version.to_string() == version)?;
        Some(MariadbHost {
            install: install.clone(),
            account: self.account.clone(),
            guard: self.guard.clone(),
        })
    }

    /// Tells the catalog which engines this host has, and which parameters they know.
    ///
    /// # Errors
    /// As the catalog.
    pub(crate) async fn register(&self) -> Result<(), CatalogError> {
        let host = Host {
            engines: self.installs.versions(),
            volumes_refused: volumes_refused(),
        };
        let mut txn = Txn::new().put(self.config.node.as_str(), &host);
        for install in &self.installs.mariadb {
            // What may be set is told by this program, and may change with it.
            let id = format!("{}-{}", Program::Mariadb.name(), install.version);
            txn = txn.put(&id, &mariadb_parameters());
        }
        for install in &self.installs.postgres {
            let install = install.clone();
            let id = format!("postgres-{}", install.version());
            if self.catalog.view().read::<EngineParameters>(&id)?.is_some() {
                continue;
            }
            match describe(install).await {
                Ok(parameters) => txn = txn.put(&id, &parameters),
                Err(e) => tracing::warn!(error = %e, "an engine does not tell its parameters"),
            }
        }
        self.catalog.commit(txn).await.map(|_| ())
    }
}

/// Why no file system of ours can be mounted on this host, with the remedy.
fn volumes_refused() -> Option<String> {
    let fuse = std::fs::File::options()
        .read(true)
        .write(true)
        .open(FUSE_DEVICE);
    let error = fuse.err()?;
    Some(format!(
        "{FUSE_DEVICE} cannot be opened ({error}). Load the kernel's module (modprobe fuse), or start the container \
         with --device {FUSE_DEVICE} --cap-add SYS_ADMIN, then start the node again."
    ))
}

impl Installs {
    fn versions(&self) -> Vec<EngineVersion> {
        let of = |program: Program, version: String| EngineVersion {
            engine: program.name().to_owned(),
            version,
        };
        let postgres = self.postgres.iter();
        let postgres = postgres.map(|i| of(Program::Postgres, i.version().to_string()));
        let mariadb = self.mariadb.iter();
        postgres
            .chain(mariadb.map(|i| of(Program::Mariadb, i.version.to_string())))
            .collect()
    }
}

async fn describe(install: PostgresInstall) -> Result<EngineParameters, EngineError> {
    let settings = tokio::task::spawn_blocking(move || install.describe_config())
        .await
        .expect("describing an engine does not panic")?;
    let mut parameters: Vec<ParameterSpec> = settings
        .into_iter()
        .map(|setting| ParameterSpec {
            context: match setting.context {
                SettingContext::Internal => ParameterContext::Internal,
                SettingContext::Postmaster => ParameterContext::Start,
                _ => ParameterContext::Reload,
            },
            data_type: String::from(match setting.vartype {
                SettingType::Bool => "bool",
                SettingType::Enum => "enum",
                SettingType::Integer => "integer",
                SettingType::Real => "real",
                SettingType::String => "string",
            }),
            range: setting.min.zip(setting.max),
            allowed: enum_words(&setting.name)
                .unwrap_or_default()
                .iter()
                .map(|word| String::from(*word))
                .collect(),
            default: String::new(),
            description: setting.description,
            name: setting.name,
        })
        .collect();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(EngineParameters { parameters })
}
