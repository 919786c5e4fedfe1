//! Takes a volume over: runs the protocol's `Opening` against its segments.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use quorate_base::NodeId;
use quorate_region::transport::Caller;

use crate::calls::{ADOPT, AdoptBy, Reached, SEAL, SealAnswer, SealOf, SegmentError};
use crate::layout::{Layout, Place};
use crate::protocol::{
    GroupIndex, Lsn, Opening, Refusal, Sealed, SegmentId, VolumeEpoch, VolumeId, Wanted,
};
use crate::reading::Reading;
use crate::writer::volume::Volume;

/// Longest wait for one segment's answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause before a segment is asked again that did not answer.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Pause before a segment is asked again that lacks records.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How a volume is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The node that opens it: segments near it are read first.
    pub own: NodeId,
    /// The volume epoch, handed out by the catalog to nobody else.
    pub epoch: VolumeEpoch,
    /// Bytes of pages that are kept in memory.
    pub cache_bytes: usize,
}

/// Why a volume cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A segment has promised a higher epoch to somebody else.
    #[error("another writer has the volume at epoch {0}")]
    Fenced(VolumeEpoch),
}

enum Answer {
    Sealed(Sealed),
    Adopted(Lsn),
    Refused(Refusal),
    None(String),
}

type Asked = (GroupIndex, u32, bool, Answer);

impl Volume {
    /// Takes the volume over. It waits for as long as a write quorum of some group does not answer; `tell` hears where it stands.
    ///
    /// # Errors
    /// When another writer was given a higher epoch.
    pub async fn open(
        caller: Arc<Caller>,
        layout: Layout,
        options: &OpenOptions,
        mut tell: impl FnMut(String),
    ) -> Result<Volume, OpenError> {
        let memberships = layout.memberships();
        let mut opening = Opening::begin(options.epoch, layout.pages_per_group, memberships);
        let mut under_way: BTreeSet<(GroupIndex, u32, bool)> = BTreeSet::new();
        let mut asked: JoinSet<Asked> = JoinSet::new();
        let writer = loop {
            if let Some(writer) = opening.finished() {
                break writer;
            }
            tell(opening.progress());
            for (group, copy, wanted) in opening.wanted() {
                let adopts = matches!(wanted, Wanted::Adopt(_));
                let Some(place) = layout.place(group, copy) else {
                    continue;
                };
                if under_way.insert((group, copy, adopts)) {
                    let segment = segment(&layout.volume, group, copy);
                    asked.spawn(ask(caller.clone(), segment, place.clone(), wanted));
                }
            }
            let Some(answer) = asked.join_next().await else {
                tokio::time::sleep(ASK_AGAIN).await;
                continue;
            };
            let (group, copy, adopts, answer) = answer.expect("a call neither panics nor is ended");
            under_way.remove(&(group, copy, adopts));
            match answer {
                Answer::Sealed(sealed) => opening.sealed(group, copy, sealed),
                Answer::Adopted(scl) => opening.adopted(group, copy, scl),
                Answer::Refused(Refusal::Epoch(epoch)) => return Err(OpenError::Fenced(epoch)),
                Answer::Refused(e) => tracing::debug!(%group, copy, error = %e, "not opened yet"),
                Answer::None(e) => tracing::debug!(%group, copy, error = e, "not opened yet"),
            }
        };
        let pages = options.cache_bytes / layout.page_bytes as usize;
        let reading = Reading::new(caller.clone(), layout, options.own.clone());
        Ok(Volume::start(writer, caller, reading, pages))
    }
}

fn segment(volume: &VolumeId, group: GroupIndex, copy: u32) -> SegmentId {
    SegmentId {
        volume: volume.clone(),
        group,
        copy,
    }
}

/// Asks a segment once. What did not come to anything is answered after a pause, as it will be asked again.
async fn ask(caller: Arc<Caller>, segment: SegmentId, place: Place, wanted: Wanted) -> Asked {
    let (group, copy) = (segment.group, segment.copy);
    let Place { node, address } = &place;
    match wanted {
        Wanted::Seal(speaker) => {
            let question = SealOf { segment, speaker };
            let answer = caller
                .call(node, *address, SEAL, &question, CALL_TIMEOUT)
                .await;
            let answer = match answer {
                Ok(SealAnswer::Ok(sealed)) => Answer::Sealed(sealed),
                Ok(SealAnswer::Err(e)) => refusal(e),
                Err(e) => Answer::None(e.to_string()),
            };
            if !matches!(answer, Answer::Sealed(_)) {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            (group, copy, false, answer)
        }
        Wanted::Adopt(adopt) => {
            let tail = adopt.tail;
            let question = AdoptBy { segment, adopt };
            let answer = caller
                .call(node, *address, ADOPT, &question, CALL_TIMEOUT)
                .await;
            let answer = match answer {
                Ok(Reached::Ok(scl)) => Answer::Adopted(scl),
                Ok(Reached::Err(e)) => refusal(e),
                Err(e) => Answer::None(e.to_string()),
            };
            match &answer {
                Answer::Adopted(scl) if *scl >= tail => {}
                Answer::Adopted(_) => tokio::time::sleep(LOOK_AGAIN).await,
                _ => tokio::time::sleep(ASK_AGAIN).await,
            }
            (group, copy, true, answer)
        }
    }
}

fn refusal(e: SegmentError) -> Answer {
    match e {
        SegmentError::Refused(refusal) => Answer::Refused(refusal),
        other => Answer::None(other.to_string()),
    }
}
