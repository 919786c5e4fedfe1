//! Making a segment as a copy of another volume's segment on the same node, whose pages it shares.

use crate::calls::{HoldAt, Keeps, SegmentError};
use crate::host::cell::{Cell, disk};
use crate::host::segment_host::{HostError, SegmentHost};
use crate::layout::Layout;
use crate::protocol::{Complete, History, Lsn, Record, Segment, SegmentId, SegmentState};
use crate::store::{Entry, Following, Position, StoreError};

/// Bytes of records that are put into the log at once.
const RECORDS_BYTES_MAX: usize = 4 << 20;

/// What a segment begins as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The segment that it is a copy of. It lies on the same node.
    pub source: SegmentId,
    /// As of when: a VDL of the source's volume, and the last record of the segment's group at or below it.
    pub complete: Complete,
    /// The view that holds this VDL until all segments are made.
    pub view: u64,
    /// Whether it may begin with nothing when it cannot be forked: a write quorum of its group was made. It then takes pages
    /// and records from these.
    pub or_empty: bool,
}

/// The source as it was found: what its pages have, and which records follow there.
struct Source {
    base: Lsn,
    history: History,
}

impl SegmentHost {
    /// Puts a fork on disk. None when it cannot be made yet.
    pub(super) async fn make_fork(
        &self,
        segment: &SegmentId,
        fork: &Fork,
        layout: &Layout,
    ) -> Result<Option<Position>, HostError> {
        if self.is_forked(segment)? {
            return Ok(Some(Position::default()));
        }
        if fork.complete.tail == Lsn(0) {
            return Ok(Some(self.make(segment, layout)?));
        }
        match self.try_fork(segment, fork, layout).await {
            Ok(position) => Ok(Some(position)),
            Err(e) if fork.or_empty => {
                tracing::info!(%segment, source = %fork.source, error = ?e, "a segment is filled from its peers instead of being forked");
                Ok(Some(self.make(segment, layout)?))
            }
            Err(e) => {
                tracing::debug!(%segment, source = %fork.source, error = ?e, "a segment cannot be forked yet");
                Ok(None)
            }
        }
    }

    /// Whether a segment was forked to its end: its state is the last that is put there.
    fn is_forked(&self, segment: &SegmentId) -> Result<bool, HostError> {
        let is_there = self.store.segments().contains(segment);
        Ok(is_there && self.store.found(segment)?.state.is_some())
    }

    async fn try_fork(
        &self,
        segment: &SegmentId,
        fork: &Fork,
        layout: &Layout,
    ) -> Result<Position, SegmentError> {
        let tail = fork.complete.tail;
        self.holds.take(HoldAt {
            volume: fork.source.volume.clone(),
            view: fork.view,
            at: Some(fork.complete.vdl),
            keeps: Keeps::Records,
        });
        // What is in pages is shared, what is not is copied.
        self.coalesce(&self.cell(&fork.source)?).await;
        let source = self.find_source(fork)?;
        self.begin_anew(segment, layout).await?;
        let (store, from, to) = (self.store.clone(), fork.source.clone(), segment.clone());
        let base = source.base;
        let forked = tokio::task::spawn_blocking(move || {
            if base > Lsn(0) {
                store.fork(&from, &to, base)?;
            }
            Ok(())
        });
        let forked: Result<(), StoreError> = forked.await.expect("forking does not panic");
        forked.map_err(|e| disk(&e))?;
        let mut headers = Vec::new();
        let mut after = base;
        while after < tail {
            let records = self.records_of(&fork.source, after, tail).await?;
            after = records.last().map_or(tail, |record| record.header.lsn);
            headers.extend(records.iter().map(|record| record.header));
            let entries = records.into_iter().map(|record| Entry::Record {
                segment: segment.clone(),
                record,
            });
            let position = self.store.append(entries.collect()).map_err(|e| disk(&e))?;
            self.store.synced(position).await.map_err(|e| disk(&e))?;
        }
        let state = SegmentState {
            promised: source.history.epoch(),
            history: source.history,
            complete: fork.complete,
            ..SegmentState::default()
        };
        let core = Segment::found(state, base, headers);
        if core.scl() != tail {
            let why = format!("its records end at {}", core.scl());
            return Err(SegmentError::Disk(why));
        }
        let bytes = Cell::first_state(&core);
        let segment = segment.clone();
        let state = Entry::State { segment, bytes };
        self.store.append(vec![state]).map_err(|e| disk(&e))
    }

    /// Looks whether the source has all that is to be forked, and nothing newer in its pages.
    fn find_source(&self, fork: &Fork) -> Result<Source, SegmentError> {
        let Complete { vdl, tail } = fork.complete;
        let cell = self.cell(&fork.source)?;
        let mut state = cell.lock();
        if state.filling.is_some() {
            let why = "it is being filled from a peer";
            return Err(SegmentError::Disk(String::from(why)));
        }
        let core = state.undamaged()?;
        if !core.reaches(tail) {
            return Err(SegmentError::Behind(core.scl()));
        }
        if core.base() > tail {
            return Err(SegmentError::TooOld);
        }
        Ok(Source {
            base: core.base(),
            history: core.state().history.up_to(vdl),
        })
    }

    /// Makes an empty segment; what an attempt has left that was cut short goes.
    async fn begin_anew(&self, segment: &SegmentId, layout: &Layout) -> Result<(), SegmentError> {
        let left = self.cell(segment).ok();
        if let Some(cell) = left {
            let mut state = cell.lock();
            if state.filling.is_some() || state.pulling {
                let why = "what is left of it is being filled from a peer";
                return Err(SegmentError::Disk(String::from(why)));
            }
            state.trouble = Some(String::from("it is made anew"));
        }
        let mut entries = Vec::new();
        {
            let mut cells = self.cells.write().expect("no holder panics");
            cells.remove(segment);
        }
        if self.store.segments().contains(segment) {
            let segment = segment.clone();
            entries.push(Entry::Drop { segment });
        }
        entries.push(Entry::Create {
            segment: segment.clone(),
            page_bytes: layout.page_bytes,
        });
        let position = self.store.append(entries).map_err(|e| disk(&e))?;
        self.store.synced(position).await.map_err(|e| disk(&e))
    }

    /// The next records of the source up to `tail`.
    async fn records_of(
        &self,
        source: &SegmentId,
        after: Lsn,
        tail: Lsn,
    ) -> Result<Vec<Record>, SegmentError> {
        let (store, source) = (self.store.clone(), source.clone());
        let read =
            tokio::task::spawn_blocking(move || store.records(&source, after, RECORDS_BYTES_MAX));
        let read = read.await.expect("reading records does not panic");
        match read.map_err(|e| disk(&e))? {
            Following::Records(mut records) => {
                records.retain(|record| record.header.lsn <= tail);
                Ok(records)
            }
            Following::Gone { .. } => Err(SegmentError::TooOld),
        }
    }
}
