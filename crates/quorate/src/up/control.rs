//! The control socket of a running `up`: zone commands, one JSON line each way.

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use quorate_base::{NodeId, ZoneName};

use crate::layout::Layout;
use crate::processes::EngineProcess;
use crate::up::children::Children;

/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What can be done to a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ZoneAction {
    /// Tell the state of all zones.
    List,
    /// SIGKILL to its nodes and engines.
    Kill(ZoneName),
    /// Start its nodes.
    Start(ZoneName),
    /// SIGSTOP to its nodes and engines.
    Pause(ZoneName),
    /// SIGCONT to its nodes and engines.
    Resume(ZoneName),
}

/// A node as `zone list` shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ZoneRow {
    pub(crate) zone: ZoneName,
    pub(crate) node: NodeId,
    /// `running`, `paused` or `down`.
    pub(crate) state: String,
    pub(crate) pid: Option<i32>,
    pub(crate) engines: Vec<EngineProcess>,
    /// The processes that serve the files of clusters' engines.
    pub(crate) mounts: Vec<i32>,
}

/// What became of an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ZoneAnswer {
    /// Done; the nodes of the zone, or of all.
    Done(Vec<ZoneRow>),
    /// Not done; why.
    Failed(String),
}

/// Answers actions until the future is dropped.
pub(crate) async fn serve_control(listener: UnixListener, children: Children) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let children = children.clone();
        tokio::spawn(async move {
            if let Err(e) = answer(stream, &children).await {
                tracing::debug!(error = %e, "a control connection ended");
            }
        });
    }
}

async fn answer(stream: UnixStream, children: &Children) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LINE_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str::<ZoneAction>(&line) {
        Err(e) => ZoneAnswer::Failed(format!("not understood: {e}")),
        Ok(action) => match act(&action, children).await {
            Ok(rows) => ZoneAnswer::Done(rows),
            Err(e) => ZoneAnswer::Failed(e.to_string()),
        },
    };
    write.write_all(&serde_json::to_vec(&answer)?).await?;
    Ok(write.write_all(b"\n").await?)
}

async fn act(action: &ZoneAction, children: &Children) -> anyhow::Result<Vec<ZoneRow>> {
    let zone = match action {
        ZoneAction::List => None,
        ZoneAction::Kill(zone) => {
            children.kill(zone).await?;
            Some(zone)
        }
        ZoneAction::Start(zone) => {
            children.start(zone).await?;
            Some(zone)
        }
        ZoneAction::Pause(zone) => {
            children.signal(zone, Signal::SIGSTOP).await?;
            Some(zone)
        }
        ZoneAction::Resume(zone) => {
            children.signal(zone, Signal::SIGCONT).await?;
            Some(zone)
        }
    };
    tracing::info!(?action, "zone");
    Ok(children.rows(zone).await)
}

/// Has the running `up` of a data folder do something.
pub(crate) async fn ask_control(
    layout: &Layout,
    action: &ZoneAction,
) -> anyhow::Result<Vec<ZoneRow>> {
    let mut stream = UnixStream::connect(layout.socket())
        .await
        .with_context(|| {
            format!(
                "no `quorate up` runs on {}: start one first",
                layout.root().display()
            )
        })?;
    let mut line = serde_json::to_vec(action)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    stream
        .take(LINE_BYTES_MAX)
        .read_to_string(&mut answer)
        .await?;
    match serde_json::from_str(&answer).context("`quorate up` ended before it answered")? {
        ZoneAnswer::Done(rows) => Ok(rows),
        ZoneAnswer::Failed(why) => bail!(why),
    }
}
