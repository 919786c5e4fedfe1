//! `quorate volume-mount`: opens a volume and serves its files until standard input ends. Agents start it; people need not.
//!
//! It is a process of its own because an engine that waits for its files in the kernel can only be killed when whoever
//! serves them ends, too.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use quorate_rds::aurora::mount::{MountMode, MountNews, MountOrder, MountSpec};
use quorate_region::Identity;
use quorate_region::transport::Caller;
use quorate_volume::{OpenError, OpenOptions, Pages, PagesError, View, Volume};
use quorate_volume_fs::fuse::{MountOptions, Mounted, mount};
use quorate_volume_fs::{FileSystem, Overlay};

use crate::processes::runs;

/// Time between two words on how the volume stands.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Time between two looks at the node.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What a view waits for that begins without a writer, and how long it does before it begins again.
const SURVEYED: &str = "three segments of each protection group are asked what they have";
const SURVEYED_WITHIN: Duration = Duration::from_secs(20);
/// How long the end of a killed node may take to reach standard input.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Runs the mount that the first line of standard input describes.
pub(crate) fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(e) => {
            tracing::error!(error = %e, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    std::thread::spawn(end_with_node);
    let ended = runtime.block_on(run());
    if let Err(e) = &ended {
        tracing::error!(error = format!("{e:#}"), "the mount has failed");
        let fenced = e.downcast_ref::<OpenError>().is_some();
        tell(&MountNews::Ended {
            why: format!("{e:#}"),
            fenced,
        });
    }
    // Calls that wait for segments, and threads that wait for calls, end with the process.
    std::process::exit(i32::from(ended.is_err()));
}

/// Ends this process once its node was killed. Standard input tells that too late when a thread of the node waits for one of
/// these files: the kernel ends the node after that thread, and the thread waits for this process.
fn end_with_node() {
    let node = nix::unistd::getppid().as_raw();
    while runs(node) {
        std::thread::sleep(LOOK_EVERY);
    }
    std::thread::sleep(END_WITHIN);
    std::process::exit(1);
}

fn tell(news: &MountNews) {
    let line = serde_json::to_string(news).expect("news are plain data");
    // Nobody listens any more only when the node is gone: standard input ends then, too.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// What is mounted.
enum Backing {
    Writer(Arc<Volume>),
    Reader(Arc<View>, Arc<Overlay>),
}

async fn run() -> anyhow::Result<()> {
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let Some(line) = orders.next_line().await? else {
        return Ok(());
    };
    let spec: MountSpec =
        serde_json::from_str(&line).context("unreadable description of a mount")?;
    let identity = Identity::load(&spec.identity)?;
    let caller = Arc::new(Caller::new(&identity)?);
    let opened = tokio::select! {
        opened = open(&spec, caller) => opened?,
        () = ended(&mut orders, |_| ()) => return Ok(()),
    };
    let (backing, pages, at) = opened;
    let described = spec.clone();
    let mounted = tokio::task::spawn_blocking(move || mount_files(&described, pages));
    let mounted = mounted.await.expect("mounting does not panic")?;
    tell(&MountNews::Mounted { at });
    let over = tokio::select! {
        () = ended(&mut orders, |layout| backing.set_layout(layout)) => None,
        why = backing.serve() => Some(why),
    };
    if let Some(why) = &over {
        tell(&MountNews::Ended {
            why: why.to_string(),
            fenced: *why == PagesError::Fenced,
        });
    }
    mounted.detach()?;
    Ok(())
}

/// Opens the volume as it is asked for.
async fn open(
    spec: &MountSpec,
    caller: Arc<Caller>,
) -> anyhow::Result<(Backing, Arc<dyn Pages>, quorate_volume::protocol::Lsn)> {
    let layout = spec.layout.clone();
    match &spec.mode {
        MountMode::Writer {
            epoch, cache_bytes, ..
        } => {
            let options = OpenOptions {
                own: spec.node.clone(),
                epoch: *epoch,
                cache_bytes: *cache_bytes,
            };
            let mut told = String::new();
            let opening = Volume::open(caller, layout, &options, |progress| {
                if told != progress {
                    tell(&MountNews::Opening(progress.clone()));
                    told = progress;
                }
            });
            let volume = Arc::new(opening.await?);
            let at = volume.status().vdl;
            Ok((Backing::Writer(volume.clone()), volume, at))
        }
        MountMode::Reader {
            view,
            overlay,
            cache_bytes,
            alone,
        } => {
            let (own, id) = (spec.node.clone(), *view);
            let view = if *alone {
                tell(&MountNews::Opening(SURVEYED.to_owned()));
                View::open_surviving(caller, layout, own, id, SURVEYED_WITHIN).await?
            } else {
                View::open(caller, layout, own, id).await?
            };
            let view = Arc::new(view.reading_ahead(*cache_bytes));
            let at = view.at();
            let overlay = Arc::new(Overlay::new(view.clone(), overlay)?);
            Ok((Backing::Reader(view, overlay.clone()), overlay, at))
        }
    }
}

fn mount_files(spec: &MountSpec, pages: Arc<dyn Pages>) -> anyhow::Result<Mounted> {
    if let MountMode::Writer { format: true, .. } = spec.mode {
        FileSystem::format(&pages)?;
    }
    let files = Arc::new(FileSystem::open(pages)?);
    let options = MountOptions {
        name: spec.layout.volume.to_string(),
        ..MountOptions::default()
    };
    let mounted = mount(files, &spec.mountpoint, &options)?;
    own(&spec.mountpoint, spec.owner)?;
    Ok(mounted)
}

/// The root belongs to whoever the engine runs as, and to nobody else.
fn own(root: &Path, (uid, gid): (u32, u32)) -> anyhow::Result<()> {
    let found = std::fs::metadata(root)?;
    if (found.uid(), found.gid()) != (uid, gid) {
        std::os::unix::fs::chown(root, Some(uid), Some(gid))?;
    }
    std::fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// Takes orders until there are no more.
async fn ended(orders: &mut Lines<BufReader<Stdin>>, take: impl Fn(quorate_volume::Layout)) {
    loop {
        match orders.next_line().await {
            Ok(Some(line)) => match serde_json::from_str(&line) {
                Ok(MountOrder::Layout(layout)) => take(layout),
                Err(e) => tracing::error!(error = %e, "an unreadable order"),
            },
            Ok(None) => return,
            Err(e) => return tracing::error!(error = %e, "no more orders can be read"),
        }
    }
}

impl Backing {
    fn set_layout(&self, layout: quorate_volume::Layout) {
        match self {
            Backing::Writer(volume) => volume.set_layout(layout),
            Backing::Reader(view, _) => view.set_layout(layout),
        }
    }

    /// Tells how it stands, until it cannot be used any more.
    async fn serve(&self) -> PagesError {
        let telling = async {
            loop {
                match self {
                    Backing::Writer(volume) => tell(&MountNews::Status(volume.status())),
                    Backing::Reader(_, overlay) => tell(&MountNews::Overlay(overlay.bytes_used())),
                }
                tokio::time::sleep(TELL_EVERY).await;
            }
        };
        match self {
            Backing::Writer(volume) => tokio::select! {
                why = volume.ended() => why,
                () = telling => unreachable!("it is told for ever"),
            },
            Backing::Reader(..) => {
                telling.await;
                unreachable!("it is told for ever")
            }
        }
    }
}
