//! Segments that share pages: a copy of a segment takes no room but for what changes afterwards.
//!
//! ```text
//!   before        after a fork                       after the copy is gone, folded
//!   own 1         own 2 ──┐   ┌── own 3              own 2
//!                         ▼   ▼
//!                 layer   1 (never changed again)
//! ```
//!
//! Invariants
//! - A layer that a segment has below its own is never written to. A page lies where the first of its layers has a row.
//! - A layer is removed when no segment has it. One that a single segment has left is folded into that one's own.
//! - Layers are changed with the right to change layers, and with that to write the pages of the segments concerned.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::{Arc, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::protocol::{Lsn, PageId, SegmentId};

use super::error::StoreError;
use super::page_store::{Meta, PageStore, Version};
use super::segment::Segment;
use super::segment_store::SegmentStore;

/// Layers that are not a segment's number begin here.
const FIRST_LAYER: u32 = 1 << 31;

/// Layers that a segment reads through, at most: more of them make each read slow.
const DEPTH_MAX: usize = 16;

/// Where a segment's pages lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layers {
    /// What it writes, and looks at first.
    pub(super) own: u32,
    /// What it shares, or has shared, in the order in which it looks there.
    pub(super) below: Vec<u32>,
}

impl Layers {
    pub(super) fn own(number: u32) -> Layers {
        Layers {
            own: number,
            below: Vec::new(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = u32> {
        std::iter::once(self.own).chain(self.below.iter().copied())
    }
}

/// What is found of a page, and whether that is in the segment's own layer.
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) is_own: bool,
}

impl PageStore {
    /// The newest version of a page at or below `at` in the first layer that has one.
    pub(super) fn newest_in(
        &self,
        layers: &Layers,
        page: PageId,
        at: Lsn,
    ) -> Result<Option<Found>, StoreError> {
        for layer in layers.all() {
            if let Some(version) = self.newest(layer, page, at)? {
                let is_own = layer == layers.own;
                return Ok(Some(Found { version, is_own }));
            }
        }
        Ok(None)
    }

    /// Whether a layer below the own one has something of a page, which a page of zeros has to hide.
    pub(super) fn is_below(&self, layers: &Layers, page: PageId) -> Result<bool, StoreError> {
        for layer in &layers.below {
            if self.newest(*layer, page, Lsn(u64::MAX))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All versions from `from` on, by page, newest first: of each page those of the first layer that has some.
    pub(super) fn versions_in(
        &self,
        layers: &Layers,
        from: PageId,
    ) -> impl Iterator<Item = Result<Version, StoreError>> {
        let of_layer = |layer| self.versions(layer, from);
        Merged::new(layers.all().map(of_layer), |version: &Version| version.page)
    }

    /// The pages from `from` on that have a version, each once for each of them.
    pub(super) fn pages_stored_in(
        &self,
        layers: &Layers,
        from: PageId,
    ) -> impl Iterator<Item = Result<PageId, StoreError>> {
        let of_layer = |layer| self.pages_stored(layer, from);
        Merged::new(layers.all().map(of_layer), |page: &PageId| *page)
    }

    /// The number of a layer that is not there.
    fn free_layer(&self) -> Result<u32, StoreError> {
        let highest = self.layers()?.into_iter().max().unwrap_or(0);
        Ok(highest.saturating_add(1).max(FIRST_LAYER))
    }
}

/// How far a layer is folded.
enum Folded {
    /// The page to go on with.
    To(PageId),
    /// All of it.
    All,
    /// Somebody may read older versions than its newest ones.
    NotYet,
}

/// Layers' rows by page; of a page only those of the first layer that has it.
struct Merged<I: Iterator, F> {
    layers: Vec<Peekable<I>>,
    page_of: F,
    last: Option<(PageId, usize)>,
}

impl<T, I, F> Merged<I, F>
where
    I: Iterator<Item = Result<T, StoreError>>,
    F: Fn(&T) -> PageId,
{
    fn new(layers: impl Iterator<Item = I>, page_of: F) -> Merged<I, F> {
        Merged {
            layers: layers.map(Iterator::peekable).collect(),
            page_of,
            last: None,
        }
    }
}

impl<T, I, F> Iterator for Merged<I, F>
where
    I: Iterator<Item = Result<T, StoreError>>,
    F: Fn(&T) -> PageId,
{
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut lowest: Option<(PageId, usize)> = None;
            for (index, layer) in self.layers.iter_mut().enumerate() {
                let page = match layer.peek() {
                    None => continue,
                    Some(Err(_)) => return layer.next(),
                    Some(Ok(row)) => (self.page_of)(row),
                };
                if lowest.is_none_or(|(other, _)| page < other) {
                    lowest = Some((page, index));
                }
            }
            let (page, index) = lowest?;
            let row = self.layers[index].next();
            if self.last.is_some_and(|(of, by)| of == page && by != index) {
                continue;
            }
            self.last = Some((page, index));
            return row;
        }
    }
}

impl SegmentStore {
    /// Makes `copy`, which was created and holds nothing, a copy of `source` as its pages are, with `coalesced_to` the last
    /// record in them. They share them from then on. All of it is on disk when this returns. Blocks on disks.
    ///
    /// # Errors
    /// When `source` has coalesced less or more, `copy` holds something, `source` reads through too many layers already, one
    /// of them is unknown, or the store has stopped.
    pub fn fork(
        &self,
        source: &SegmentId,
        copy: &SegmentId,
        coalesced_to: Lsn,
    ) -> Result<(), StoreError> {
        let (source, copy) = (self.segment(source)?, self.segment(copy)?);
        let _layering = self.layering();
        let _one = source.pages();
        let _other = copy.pages();
        let oldest = {
            let index = source.index();
            if index.coalesced_to != coalesced_to || index.oldest() > coalesced_to {
                return Err(StoreError::Refused(
                    "a copy as of another record than the pages are",
                ));
            }
            index.oldest()
        };
        let shared = source.layers();
        {
            let index = copy.index();
            if index.coalesced_to != Lsn(0) || *copy.layers() != Layers::own(copy.number) {
                return Err(StoreError::Refused(
                    "a copy into a segment that holds something",
                ));
            }
        }
        if shared.below.len() >= DEPTH_MAX {
            return Err(StoreError::Refused(
                "a copy of pages that lie in too many layers",
            ));
        }
        let free = self.log().progress.sound(self.inner.pages.free_layer())?;
        let below: Vec<u32> = shared.all().collect();
        let layers = |own| Layers {
            own,
            below: below.clone(),
        };
        let (of_source, of_copy) = (layers(free), layers(free.saturating_add(1)));
        let store = &self.inner.pages;
        let mut batch = store.batch();
        store.put_layers(&mut batch, source.number, &of_source);
        store.put_layers(&mut batch, copy.number, &of_copy);
        let meta = Meta {
            id: copy.id.clone(),
            page_bytes: copy.page_bytes,
            coalesced_to,
            oldest,
            stored_bytes: 0,
        };
        store.put_meta(&mut batch, copy.number, &meta);
        if source.index().dropped || copy.index().dropped {
            return Err(StoreError::UnknownSegment(source.id.clone()));
        }
        self.log().progress.sound(batch.commit())?;
        self.log().progress.sound(store.persist())?;
        source.set_layers(of_source);
        copy.set_layers(of_copy);
        let mut index = copy.index();
        index.set_base(coalesced_to, oldest);
        index.set_gone(coalesced_to);
        Ok(())
    }

    /// Takes up to `pages_max` pages from `from` on out of a layer that the segment shares with nobody any more into its own;
    /// where to go on, none when there is nothing to do or it is done. Blocks on disks.
    ///
    /// # Errors
    /// `BadPage` when one is damaged; else when the segment is unknown or the store has stopped.
    pub fn fold(
        &self,
        segment: &SegmentId,
        from: PageId,
        pages_max: usize,
    ) -> Result<Option<PageId>, StoreError> {
        let segment = self.segment(segment)?;
        let _layering = self.layering();
        let layers = segment.layers();
        let Some(layer) = layers.below.first().copied() else {
            return Ok(None);
        };
        if self.layers_in_use().get(&layer) != Some(&1) {
            return Ok(None);
        }
        let _one = segment.pages();
        match self.fold_pages(&segment, &layers, layer, from, pages_max)? {
            Folded::To(next) => return Ok(Some(next)),
            Folded::NotYet => return Ok(None),
            Folded::All => {}
        }
        let after = Layers {
            own: layers.own,
            below: layers.below.iter().skip(1).copied().collect(),
        };
        let store = &self.inner.pages;
        let mut batch = store.batch();
        store.put_layers(&mut batch, segment.number, &after);
        self.log().progress.sound(batch.commit())?;
        self.log().progress.sound(store.persist())?;
        segment.set_layers(after);
        self.sweep_layers()?;
        Ok(None)
    }

    fn fold_pages(
        &self,
        segment: &Segment,
        layers: &Layers,
        layer: u32,
        from: PageId,
        pages_max: usize,
    ) -> Result<Folded, StoreError> {
        let (store, progress) = (&self.inner.pages, &self.log().progress);
        let (coalesced_to, kept) = {
            let index = segment.index();
            (index.coalesced_to, index.kept())
        };
        // What is zeros has to hide what lies deeper.
        let hides = layers.below.len() > 1;
        let mut pages = self.page_batch(segment);
        let mut seen = 0;
        let mut last = None;
        let mut folded = Folded::All;
        for version in store.versions(layer, from) {
            let version = progress.sound(version)?;
            if last == Some(version.page) {
                continue;
            }
            if seen == pages_max {
                folded = Folded::To(version.page);
                break;
            }
            if version.lsn > kept.lowest() {
                return Ok(Folded::NotYet);
            }
            seen += 1;
            last = Some(version.page);
            let own = store.versions(layers.own, version.page);
            let own = own.take_while(|own| own.as_ref().is_ok_and(|v| v.page == version.page));
            let own: Vec<Version> = progress.sound(own.collect())?;
            let lowest = own.last().map(|own| own.lsn);
            // Who reads below the own versions still needs it.
            let is_needed = lowest.is_none_or(|lowest| kept.needs(version.lsn, lowest));
            if !is_needed || (version.len == 0 && !hides && own.is_empty()) {
                continue;
            }
            let page = version.page;
            let (lsn, bytes) = version.sound(&segment.id)?;
            store.put(&mut pages.batch, layers.own, page, lsn, &bytes);
            if let Some(by) = lowest {
                let len = bytes.len() as u64;
                store.supersede(&mut pages.batch, layers.own, by, page, lsn, len);
            }
            pages.added += bytes.len() as u64;
        }
        self.commit(pages, coalesced_to, kept.oldest)?;
        Ok(folded)
    }

    /// Removes all that is stored of the segment's pages, and what lay below them if nobody else has it. Called with the rights
    /// to change layers and to write its pages.
    pub(super) fn empty_layers(&self, segment: &Segment) -> Result<(), StoreError> {
        let (store, progress) = (&self.inner.pages, &self.log().progress);
        let number = segment.number;
        let shares = segment.layers().own != number || progress.sound(store.is_layer(number))?;
        if !shares {
            return progress.sound(store.remove_segment(number));
        }
        // Its own number may be somebody's layer.
        let layers = Layers::own(progress.sound(store.free_layer())?);
        let mut batch = store.batch();
        store.put_layers(&mut batch, number, &layers);
        store.remove_meta(&mut batch, number);
        progress.sound(batch.commit())?;
        segment.set_layers(layers);
        self.sweep_layers()
    }

    /// Removes the layers that no segment has. Called with the right to change layers.
    pub(super) fn sweep_layers(&self) -> Result<(), StoreError> {
        let (store, progress) = (&self.inner.pages, &self.log().progress);
        let in_use = self.layers_in_use();
        for layer in progress.sound(store.layers())? {
            if !in_use.contains_key(&layer) {
                progress.sound(store.remove_layer(layer))?;
            }
        }
        Ok(())
    }

    /// By how many segments each layer is looked at.
    fn layers_in_use(&self) -> BTreeMap<u32, usize> {
        let mut in_use = BTreeMap::new();
        for segment in self.all_segments() {
            for layer in segment.layers().all() {
                *in_use.entry(layer).or_default() += 1;
            }
        }
        in_use
    }

    /// The right to change layers. Taken before that to write pages.
    pub(super) fn layering(&self) -> MutexGuard<'_, ()> {
        let layering = self.inner.layering.lock();
        layering.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a segment's pages still lie where they did when it was begun to look for them.
pub(super) fn is_unmoved(segment: &Segment, layers: &Arc<Layers>) -> bool {
    Arc::ptr_eq(layers, &segment.layers())
}
