//! The answers to writers and readers.

use std::sync::Arc;

use bytes::Bytes;

use quorate_base::UnixMillis;

use crate::calls::{
    AdoptBy, AppendTo, PagesRead, READ, Reached, ReadFrom, SealAnswer, SealOf, SegmentError,
    SurveyOf,
};
use crate::host::cell::{Cell, disk};
use crate::host::fill::CALL_TIMEOUT;
use crate::host::segment_host::SegmentHost;
use crate::protocol::{Lsn, PageId, SegmentId};
use crate::store::{Position, StoreError};

impl SegmentHost {
    /// Takes records. What is done before the first wait is done in the order in which calls arrive.
    pub(super) fn append(
        self: Arc<Self>,
        to: AppendTo,
    ) -> impl Future<Output = Result<Vec<Reached>, String>> + Send + 'static {
        let segment = |copy: &u32| SegmentId {
            volume: to.volume.clone(),
            group: to.group,
            copy: *copy,
        };
        let segments = to.copies.iter().map(segment);
        let taken: Vec<_> = segments.map(|segment| self.take(&segment, &to)).collect();
        let host = self;
        async move {
            let handed = taken.iter().flatten().map(|(_, handed)| *handed).max();
            if let Some(handed) = handed {
                host.store.synced(handed).await.map_err(|e| e.to_string())?;
            }
            Ok(taken.into_iter().map(|taken| Ok(taken?.0)).collect())
        }
    }

    fn take(&self, segment: &SegmentId, to: &AppendTo) -> Result<(Lsn, Position), SegmentError> {
        let cell = self.cell(segment)?;
        let mut state = cell.lock();
        let mut stored = state.sound()?.append(&to.append)?;
        stored.state |= state.is_whole_again();
        cell.hand_over(&mut state, &self.store, &stored, &to.append.records)?;
        if state.core.lacks_records() {
            self.lacking.notify_one();
        }
        let vdl = state.core.complete().vdl;
        state.times.told(vdl, UnixMillis::now());
        Ok((state.core.scl(), state.handed))
    }

    pub(super) fn seal(
        self: Arc<Self>,
        of: SealOf,
    ) -> impl Future<Output = Result<SealAnswer, String>> + Send + 'static {
        let sealed = self.cell(&of.segment).and_then(|cell| {
            let mut state = cell.lock();
            let (sealed, stored) = state.undamaged()?.seal(of.speaker)?;
            cell.hand_over(&mut state, &self.store, &stored, &[])?;
            Ok((sealed, state.handed))
        });
        let host = self;
        async move {
            Ok(match sealed {
                Ok((sealed, handed)) => {
                    host.store.synced(handed).await.map_err(|e| e.to_string())?;
                    Ok(sealed)
                }
                Err(e) => Err(e),
            })
        }
    }

    /// Tells what a segment has, once that is on disk.
    pub(super) async fn survey(self: Arc<Self>, of: SurveyOf) -> Result<SealAnswer, String> {
        let told = self.cell(&of.segment).and_then(|cell| {
            let mut state = cell.lock();
            let told = state.undamaged()?.survey(of.membership)?;
            Ok((told, state.handed))
        });
        Ok(match told {
            Ok((told, handed)) => {
                self.store.synced(handed).await.map_err(|e| e.to_string())?;
                Ok(told)
            }
            Err(e) => Err(e),
        })
    }

    pub(super) fn adopt(
        self: Arc<Self>,
        by: AdoptBy,
    ) -> impl Future<Output = Result<Reached, String>> + Send + 'static {
        let adopted = self.cell(&by.segment).and_then(|cell| {
            let mut state = cell.lock();
            let stored = state.sound()?.adopt(&by.adopt)?;
            cell.hand_over(&mut state, &self.store, &stored, &[])?;
            if state.core.lacks_records() {
                self.lacking.notify_one();
            }
            Ok((state.core.scl(), state.handed))
        });
        let host = self;
        async move {
            Ok(match adopted {
                Ok((scl, handed)) => {
                    host.store.synced(handed).await.map_err(|e| e.to_string())?;
                    Ok(scl)
                }
                Err(e) => Err(e),
            })
        }
    }

    pub(super) async fn read(self: Arc<Self>, from: ReadFrom) -> Result<PagesRead, String> {
        let cell = match self.cell(&from.segment) {
            Ok(cell) => cell,
            Err(e) => return Ok(Err(e)),
        };
        {
            let mut state = cell.lock();
            let core = match state.sound() {
                Ok(core) => core,
                Err(e) => return Ok(Err(e)),
            };
            if !core.reaches(from.at) {
                return Ok(Err(SegmentError::Behind(core.scl())));
            }
        }
        let mut pages = Vec::with_capacity(from.pages.len());
        let mut rest = &from.pages[..];
        while !rest.is_empty() {
            let (read, why) = self.read_some(&cell, rest.to_vec(), from.at).await;
            rest = &rest[read.len()..];
            pages.extend(read);
            match why {
                None => {}
                Some(StoreError::BadPage { page, version, .. }) => {
                    if let Err(e) = self.mend(&cell, page, version).await {
                        return Ok(Err(e));
                    }
                }
                Some(e) => return Ok(Err(disk(&e))),
            }
        }
        Ok(Ok(pages))
    }

    /// Reads pages until one cannot be read.
    async fn read_some(
        &self,
        cell: &Arc<Cell>,
        pages: Vec<PageId>,
        at: Lsn,
    ) -> (Vec<Bytes>, Option<StoreError>) {
        let (store, segment) = (self.store.clone(), cell.id.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let mut read = Vec::with_capacity(pages.len());
            for page in pages {
                match store.read_page(&segment, page, at) {
                    Ok(bytes) => read.push(without_zeros(bytes)),
                    Err(e) => return (read, Some(e)),
                }
            }
            (read, None)
        });
        reading.await.expect("reading does not panic")
    }

    /// Takes a damaged page from a peer.
    pub(super) async fn mend(
        &self,
        cell: &Arc<Cell>,
        page: PageId,
        version: Lsn,
    ) -> Result<(), SegmentError> {
        tracing::warn!(segment = %cell.id, %page, %version, "a page is damaged and is taken from a peer");
        for (segment, place) in self.peers(&cell.id) {
            let question = ReadFrom {
                segment,
                pages: vec![page],
                at: version,
            };
            let call = self
                .caller
                .call(&place.node, place.address, READ, &question, CALL_TIMEOUT);
            let Ok(PagesRead::Ok(mut read)) = call.await else {
                continue;
            };
            let Some(bytes) = read.pop() else { continue };
            let (store, id) = (self.store.clone(), cell.id.clone());
            let put =
                tokio::task::spawn_blocking(move || store.put_page(&id, page, version, &bytes));
            return put
                .await
                .expect("putting a page does not panic")
                .map_err(|e| disk(&e));
        }
        Err(SegmentError::Disk(format!(
            "page {page} is damaged, and no peer has it as it was at {version}"
        )))
    }
}

/// A page without the zeros at its end: they need not travel.
fn without_zeros(page: Bytes) -> Bytes {
    let end = page
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |i| i + 1);
    page.slice(..end)
}
