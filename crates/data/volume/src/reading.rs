//! Reads pages from segments: one is asked, another one when it is slow or cannot.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use quorate_base::NodeId;
use quorate_region::transport::Caller;

use crate::calls::{PagesRead, READ, ReadFrom};
use crate::layout::{Layout, Place};
use crate::pages::PagesError;
use crate::protocol::{GroupIndex, Lsn, PageId, SegmentId};

/// How long a segment may take before a second one is asked as well.
const HEDGE_AFTER: Duration = Duration::from_millis(30);
/// Longest wait for one segment's answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before all segments are tried once more.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How long pages may not be had before the reader is told so.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// Pages of one call.
pub(crate) const PAGES_MAX: usize = 256;

/// Where in the log to read a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadPoint {
    /// Pages as they were here.
    pub(crate) at: Lsn,
    /// The group's last record at or below it. A segment that has it can serve, and is asked for pages as of it: one that has
    /// not heard of the last recovery may hold void records between the two.
    pub(crate) need: Lsn,
}

/// The reading side of a volume.
pub(crate) struct Reading {
    pub(crate) caller: Arc<Caller>,
    layout: RwLock<Layout>,
    own: NodeId,
    /// Copies that did not answer, and until when others are asked first.
    avoided: Mutex<BTreeMap<(GroupIndex, u32), Instant>>,
}

impl Reading {
    /// `own` is the node that reads: segments on it, then in its zone, are asked first.
    pub(crate) fn new(caller: Arc<Caller>, layout: Layout, own: NodeId) -> Reading {
        Reading {
            caller,
            layout: RwLock::new(layout),
            own,
            avoided: Mutex::default(),
        }
    }

    pub(crate) fn set_layout(&self, layout: Layout) {
        *self.layout.write().expect("no holder panics") = layout;
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout.read().expect("no holder panics").clone()
    }

    pub(crate) fn page_bytes(&self) -> usize {
        self.layout.read().expect("no holder panics").page_bytes as usize
    }

    pub(crate) fn pages_per_group(&self) -> u64 {
        self.layout
            .read()
            .expect("no holder panics")
            .pages_per_group
    }

    /// Pages of one group, whole. `can` says which copies are known to be of no use; `point` is asked anew for each try.
    pub(crate) async fn pages(
        &self,
        group: GroupIndex,
        pages: &[PageId],
        mut point: impl FnMut() -> Result<ReadPoint, PagesError>,
        can: impl Fn(u32) -> bool,
    ) -> Result<(Vec<Bytes>, Lsn), PagesError> {
        let begun = Instant::now();
        loop {
            let point = point()?;
            let copies = self.in_order(group, &can);
            match self.ask_in_turn(group, &copies, pages, point).await {
                Ok(read) => return Ok((self.whole(read)?, point.at)),
                Err(why) if begun.elapsed() > GIVE_UP_AFTER => {
                    return Err(PagesError::Unavailable(why));
                }
                Err(why) => {
                    tracing::debug!(%group, why, "pages cannot be read yet");
                    tokio::time::sleep(TRY_AGAIN).await;
                }
            }
        }
    }

    fn whole(&self, pages: Vec<Bytes>) -> Result<Vec<Bytes>, PagesError> {
        let size = self.page_bytes();
        let whole = |page: Bytes| {
            if page.len() == size {
                return Ok(page);
            }
            if page.len() > size {
                return Err(PagesError::Unavailable(String::from(
                    "a segment gave a page of another size",
                )));
            }
            let mut bytes = BytesMut::from(&page[..]);
            bytes.resize(size, 0);
            Ok(bytes.freeze())
        };
        pages.into_iter().map(whole).collect()
    }

    /// The copies that may be asked, the nearest first, those that failed lately last.
    pub(crate) fn in_order(
        &self,
        group: GroupIndex,
        can: &impl Fn(u32) -> bool,
    ) -> Vec<(SegmentId, Place)> {
        let layout = self.layout.read().expect("no holder panics");
        let avoided = self.avoided.lock().expect("no holder panics");
        let Some(places) = layout.groups.get(&group).map(|group| &group.places) else {
            return Vec::new();
        };
        let now = Instant::now();
        let mut copies: Vec<_> = places.iter().filter(|(copy, _)| can(**copy)).collect();
        copies.sort_by_key(|(copy, place)| {
            let failed = avoided
                .get(&(group, **copy))
                .is_some_and(|until| *until > now);
            let far = place.node != self.own;
            let other_zone = place.node.zone() != self.own.zone();
            (failed, far, other_zone)
        });
        let segment = |copy: u32| SegmentId {
            volume: layout.volume.clone(),
            group,
            copy,
        };
        copies
            .into_iter()
            .map(|(copy, place)| (segment(*copy), place.clone()))
            .collect()
    }

    async fn ask_in_turn(
        &self,
        group: GroupIndex,
        copies: &[(SegmentId, Place)],
        pages: &[PageId],
        point: ReadPoint,
    ) -> Result<Vec<Bytes>, String> {
        let mut why = String::from("no segment has everything that was written");
        let mut rest = copies.iter();
        let mut asked = tokio::task::JoinSet::new();
        let mut next = rest.next();
        loop {
            if let Some((segment, place)) = next.take() {
                asked.spawn(self.ask(segment, place, pages, point));
            }
            if asked.is_empty() {
                return Err(why);
            }
            let answer = tokio::time::timeout(HEDGE_AFTER, asked.join_next());
            match answer.await {
                Ok(Some(Ok((_, Ok(read))))) => return Ok(read),
                Ok(Some(Ok((copy, Err(e))))) => {
                    self.avoid(group, copy);
                    why = e;
                    next = rest.next();
                }
                Ok(Some(Err(_)) | None) => next = rest.next(),
                Err(_) => next = rest.next(),
            }
        }
    }

    fn ask(
        &self,
        segment: &SegmentId,
        place: &Place,
        pages: &[PageId],
        point: ReadPoint,
    ) -> impl Future<Output = (u32, Result<Vec<Bytes>, String>)> + Send + 'static {
        let (caller, place, copy) = (self.caller.clone(), place.clone(), segment.copy);
        let question = ReadFrom {
            segment: segment.clone(),
            pages: pages.to_vec(),
            at: point.need,
        };
        async move {
            let call = caller.call(&place.node, place.address, READ, &question, CALL_TIMEOUT);
            let answer: Result<Vec<Bytes>, String> = match call.await {
                Ok(PagesRead::Ok(read)) if read.len() == question.pages.len() => Ok(read),
                Ok(PagesRead::Ok(_)) => Err(String::from("a segment gave other pages")),
                Ok(PagesRead::Err(e)) => Err(format!("segment {}: {e}", question.segment)),
                Err(e) => Err(e.to_string()),
            };
            (copy, answer)
        }
    }

    pub(crate) fn avoid(&self, group: GroupIndex, copy: u32) {
        let mut avoided = self.avoided.lock().expect("no holder panics");
        avoided.insert((group, copy), Instant::now() + Duration::from_secs(1));
    }
}
