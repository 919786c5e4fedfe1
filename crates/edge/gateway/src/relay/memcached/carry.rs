//! Carries one client of a configuration endpoint.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::replies::Replies;
use super::requests::{Asked, Requests};
use crate::relay::slot::Slot;

/// Bytes that one read takes at most.
const READ_BYTES: usize = 16 << 10;
/// Questions that may wait for their answer: the client is not read on meanwhile, and ends when it never reads.
const ASKED_MAX: usize = 1_024;

/// Copies both ways until both directions have ended. `counts` are the bytes to the node and to the client.
pub(crate) async fn carry(
    mut client: TcpStream,
    mut node: TcpStream,
    slot: &Slot,
    counts: (&AtomicU64, &AtomicU64),
) -> io::Result<()> {
    let asked = Mutex::default();
    let (from_client, to_client) = client.split();
    let (from_node, to_node) = node.split();
    tokio::try_join!(
        ask(from_client, to_node, &asked, counts.0),
        reply(from_node, to_client, &asked, slot, counts.1),
    )?;
    Ok(())
}

async fn ask(
    mut client: ReadHalf<'_>,
    mut node: WriteHalf<'_>,
    asked: &Mutex<VecDeque<Asked>>,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut requests = Requests::new();
    let mut read = vec![0; READ_BYTES];
    let (mut out, mut new) = (Vec::new(), Vec::new());
    loop {
        let length = client.read(&mut read).await?;
        if length == 0 {
            return node.shutdown().await;
        }
        requests.take(&read[..length], &mut out, &mut new);
        {
            // Before it is sent: the answer may come at once.
            let mut asked = asked.lock().expect("no holder of the lock panics");
            asked.extend(new.drain(..));
            if asked.len() > ASKED_MAX {
                return Err(io::Error::other("too many questions without an answer"));
            }
        }
        node.write_all(&out).await?;
        count.fetch_add(out.len() as u64, Ordering::Relaxed);
        out.clear();
    }
}

async fn reply(
    mut node: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
    asked: &Mutex<VecDeque<Asked>>,
    slot: &Slot,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut replies = Replies::default();
    let mut read = vec![0; READ_BYTES];
    let mut out = Vec::new();
    loop {
        let length = node.read(&mut read).await?;
        if length == 0 {
            return client.shutdown().await;
        }
        let cluster = slot.cluster();
        {
            let mut asked = asked.lock().expect("no holder of the lock panics");
            replies.take(&read[..length], &mut out, &mut asked, cluster.as_ref());
        }
        client.write_all(&out).await?;
        count.fetch_add(out.len() as u64, Ordering::Relaxed);
        out.clear();
    }
}
