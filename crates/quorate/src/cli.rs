//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use quorate_base::{NodeId, RegionName, ZoneName};
use quorate_region::Identity;

use crate::commands;
use crate::gateway::GatewayRegion;
use crate::layout::Layout;

/// AWS's database services on your own machines, with the replication done for real.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Which folder a command works on.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataOption {
    /// Data folder [default: /var/lib/quorate for root, else quorate in the XDG data folder]
    #[arg(long, env = "QUORATE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

impl DataOption {
    pub(crate) fn layout(&self) -> anyhow::Result<Layout> {
        Layout::new(self.data.clone())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run regions of three zones and a gateway on this machine, until Ctrl-C
    Up(UpArgs),
    /// Show zones, nodes and resources: role, zone, lag, epoch
    Status(ShowArgs),
    /// Show where Sentinels listen, and the login of clients that ask them for primaries
    Sentinels(ShowArgs),
    /// Show what the storage of Aurora's clusters does: log, protection groups, segments
    Volume(VolumeArgs),
    /// Print shell exports for the aws command line and SDKs: eval "$(quorate env)"
    Env(EnvArgs),
    /// List, kill, start, pause and resume zones of a running `quorate up`
    Zone(ZoneArgs),
    /// Break a live region under load and give a verdict
    Drill(DrillArgs),
    /// Show the logs of a node, or of the engines of an instance, a cluster or a cache
    Logs(LogsArgs),
    /// Manage access keys of the API
    Keys(KeysArgs),
    /// Print the certificate that clients verify database endpoints with
    Ca(CaArgs),
    /// Lay out a region over several hosts, and make join tokens
    Region(RegionArgs),
    /// Run one node of a region on this host
    Node(NodeArgs),
    /// Run a gateway on this host
    Gateway(GatewayArgs),
}

/// Options of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Region to run; may be given several times
    #[arg(long = "region", value_name = "NAME", default_value = "us-east-1")]
    pub(crate) regions: Vec<RegionName>,
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// Nodes in each zone, when the region is made
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) nodes_per_zone: u32,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the API listens [default: 127.0.0.1:4566]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) api: Option<std::net::SocketAddr>,
}

/// Options of commands that show a region.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// Only this region
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<RegionName>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ShowArgs {
    /// The region that was named, or all of the data folder.
    pub(crate) fn follow_regions(&self) -> anyhow::Result<Vec<GatewayRegion>> {
        let layout = self.data.layout()?;
        layout.pick_region(self.region.clone())?;
        let wanted = layout
            .regions()
            .into_iter()
            .filter(|r| self.region.as_ref().is_none_or(|w| w == r));
        wanted
            .map(|r| GatewayRegion::follow(Identity::load(&layout.gateway_identity(&r))?))
            .collect()
    }
}

/// Options of `volume`.
#[derive(Debug, Args)]
pub(crate) struct VolumeArgs {
    #[command(subcommand)]
    pub(crate) command: VolumeCommand,
}

/// What to show of volumes.
#[derive(Debug, Subcommand)]
pub(crate) enum VolumeCommand {
    /// List the volumes of all clusters: epoch, VDL, segments by health
    List(ShowArgs),
    /// Show a cluster's volume: its log and how fast it grows, and every segment
    Show {
        /// The DB cluster identifier
        cluster: String,
        #[command(flatten)]
        show: ShowArgs,
    },
}

/// Options of `env`.
#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// The region that clients use unless told otherwise [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<RegionName>,
}

/// Options of `zone`.
#[derive(Debug, Args)]
pub(crate) struct ZoneArgs {
    #[command(subcommand)]
    pub(crate) command: ZoneCommand,
}

/// What to do with a zone.
#[derive(Debug, Subcommand)]
pub(crate) enum ZoneCommand {
    /// Show each node: running, paused or down
    List(ZoneListArgs),
    /// SIGKILL to the zone's nodes and all their engines at once
    Kill(ZoneNameArgs),
    /// Start the zone's nodes again
    Start(ZoneNameArgs),
    /// SIGSTOP to the zone's nodes and all their engines
    Pause(ZoneNameArgs),
    /// SIGCONT to the zone's nodes and all their engines
    Resume(ZoneNameArgs),
}

/// Options of `zone list`.
#[derive(Debug, Args)]
pub(crate) struct ZoneListArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A zone, as in us-east-1a.
#[derive(Debug, Args)]
pub(crate) struct ZoneNameArgs {
    /// The zone, as in us-east-1a
    pub(crate) zone: ZoneName,
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `drill`.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    #[command(subcommand)]
    pub(crate) command: DrillCommand,
}

/// Which drill.
#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// Kill the zone of a Multi-AZ primary while clients write
    MultiAz(MultiAzArgs),
    /// Kill the zone that leads a DynamoDB table while clients read and write it
    #[command(name = "dynamodb")]
    DynamoDb(DynamoDbDrillArgs),
}

/// Options of `drill dynamodb`.
#[derive(Debug, Args)]
pub(crate) struct DynamoDbDrillArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// Run it in a region of its own, made for it and removed after it
    #[arg(long)]
    pub(crate) own: bool,
    /// How many clients read and write
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) clients: u32,
    /// What is done to the leader: kill-zone, kill-node, pause-zone, pause-node or none
    #[arg(long, value_name = "FAULT", default_value = "kill-zone")]
    pub(crate) fault: FaultOrNone,
    /// Seconds that clients work before the fault, during it and after it
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// What the clients draw their operations from [default: another each time; it is printed]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Send strong reads as eventual ones: the drill has to find it
    #[arg(long)]
    pub(crate) broken_reads: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A fault, or the word `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FaultOrNone(pub(crate) Option<quorate_drills::Fault>);

impl std::str::FromStr for FaultOrNone {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultOrNone, String> {
        if text == "none" {
            return Ok(FaultOrNone(None));
        }
        match text.parse()? {
            quorate_drills::Fault::KillEngine => {
                Err(String::from("a DynamoDB table has no engine to kill"))
            }
            fault => Ok(FaultOrNone(Some(fault))),
        }
    }
}

/// Options of `drill multi-az`.
#[derive(Debug, Args)]
pub(crate) struct MultiAzArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// Run it in a region of its own, made for it and removed after it
    #[arg(long)]
    pub(crate) own: bool,
    /// How many clients write
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) clients: u32,
    /// What is done to the primary: kill-zone, kill-node, kill-engine, pause-zone or pause-node
    #[arg(long, value_name = "FAULT", default_value_t = quorate_drills::Fault::KillZone)]
    pub(crate) fault: quorate_drills::Fault,
    /// Seconds that clients write undisturbed before the fault and at the end, and that the zone stays away
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Configuration file of the region (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// A node (us-east-1a-1), a DB instance, a DB cluster or a cache; all nodes when absent
    pub(crate) of: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// Lines from the end of each log
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub(crate) lines: usize,
    /// Go on with what is written, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// Options of `keys`.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// What to do with access keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make an access key and print it: its secret is shown this once
    Create(ShowArgs),
    /// List the access keys, without their secrets
    List(ShowArgs),
    /// Delete an access key
    Delete {
        /// The access key id
        id: String,
        #[command(flatten)]
        show: ShowArgs,
    },
}

/// Options of `ca`.
#[derive(Debug, Args)]
pub(crate) struct CaArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// The region whose certificate to print [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<RegionName>,
}

/// Options of `region`.
#[derive(Debug, Args)]
pub(crate) struct RegionArgs {
    #[command(subcommand)]
    pub(crate) command: RegionCommand,
}

/// What to do with a region over several hosts.
#[derive(Debug, Subcommand)]
pub(crate) enum RegionCommand {
    /// Make a region's certificate authority and layout in the data folder
    Create {
        #[command(flatten)]
        data: DataOption,
        /// The region's name
        #[arg(long, value_name = "NAME", default_value = "us-east-1")]
        region: RegionName,
        /// A node and its address, as in us-east-1a-1=10.0.1.1:7401; three zones at least
        #[arg(long = "node", value_name = "NODE=IP:PORT", required = true)]
        nodes: Vec<String>,
    },
    /// Write a join token, a secret, for a node or a gateway
    Token {
        #[command(flatten)]
        data: DataOption,
        /// The region [default: the first]
        #[arg(long, value_name = "NAME")]
        region: Option<RegionName>,
        /// The node that the token makes
        #[arg(
            long,
            value_name = "NODE",
            required_unless_present = "gateway",
            conflicts_with = "gateway"
        )]
        node: Option<NodeId>,
        /// The gateway that the token makes
        #[arg(long, value_name = "NAME")]
        gateway: Option<String>,
        /// File to write, readable by its owner alone
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Options of `node`.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// File with the join token; only the first start needs it
    #[arg(long, value_name = "FILE")]
    pub(crate) join: Option<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The node's own folder, in place of a data folder
    #[arg(long, hide = true)]
    pub(crate) folder: Option<PathBuf>,
    /// Folder for snapshots and backups where the configuration names no archive
    #[arg(long, hide = true)]
    pub(crate) archive: Option<PathBuf>,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    pub(crate) child: bool,
}

/// Options of `gateway`.
#[derive(Debug, Args)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    pub(crate) data: DataOption,
    /// File with a join token; only the first start needs it; one for each region
    #[arg(long, value_name = "FILE")]
    pub(crate) join: Vec<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the API listens [default: 127.0.0.1:4566]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) api: Option<std::net::SocketAddr>,
}

/// Parses the command line and runs the command.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let filter =
        EnvFilter::try_from_env("QUORATE_LOG").unwrap_or_else(|_| default_filter(&cli.command));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            tracing::error!(error = %e, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(dispatch(cli.command)) {
        Ok(code) => code,
        Err(e) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "quorate: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// Servers tell what they do; the other commands only what goes wrong.
fn default_filter(command: &Command) -> EnvFilter {
    EnvFilter::new(match command {
        Command::Node(_) => {
            "info,openraft=off,quorate_region::transport=warn,fjall=warn,lsm_tree=warn"
        }
        Command::Up(_) | Command::Gateway(_) => "warn,openraft=error",
        _ => "error",
    })
}

async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => commands::up(args).await?,
        Command::Sentinels(args) => commands::show_sentinels(args).await?,
        Command::Status(args) => commands::show_status(args).await?,
        Command::Volume(args) => commands::volume(args).await?,
        Command::Env(args) => commands::env(&args)?,
        Command::Zone(args) => commands::zone(args).await?,
        Command::Drill(args) => return commands::drill(args).await,
        Command::Logs(args) => commands::logs(args).await?,
        Command::Keys(args) => commands::keys(args).await?,
        Command::Ca(args) => commands::ca(&args)?,
        Command::Region(args) => commands::region(args)?,
        Command::Node(args) => commands::node(args).await?,
        Command::Gateway(args) => commands::gateway(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
