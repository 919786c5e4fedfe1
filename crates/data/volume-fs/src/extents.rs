//! In which pages a file's blocks lie. A block has a page's length; blocks without a page read as zeros.

use std::collections::BTreeMap;

use crate::rows::RowId;

/// Blocks in a row that lie in pages in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) page: u64,
    pub(crate) len: u64,
    pub(crate) row: RowId,
}

/// A file's extents by their first block. They do not overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extents {
    map: BTreeMap<u64, Extent>,
    pages: u64,
}

impl Extents {
    /// How many pages the file has.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, Extent)> {
        self.map.iter().map(|(block, extent)| (*block, *extent))
    }

    /// The block's page, and how many blocks from this one on lie in pages in a row.
    pub(crate) fn find(&self, block: u64) -> Option<(u64, u64)> {
        let (first, extent) = self.at_or_before(block)?;
        let inside = block - first;
        (inside < extent.len).then(|| (extent.page + inside, extent.len - inside))
    }

    /// The extent that begins at the block or before it, nearest to it.
    pub(crate) fn at_or_before(&self, block: u64) -> Option<(u64, Extent)> {
        let (first, extent) = self.map.range(..=block).next_back()?;
        Some((*first, *extent))
    }

    /// The first block from this one on that has a page.
    pub(crate) fn next_mapped(&self, block: u64) -> Option<u64> {
        if self.find(block).is_some() {
            return Some(block);
        }
        self.map.range(block..).next().map(|(first, _)| *first)
    }

    /// The first block from this one on that has no page.
    pub(crate) fn next_hole(&self, mut block: u64) -> u64 {
        while let Some((_, left)) = self.find(block) {
            block += left;
        }
        block
    }

    /// How many blocks of `from..to` have a page.
    pub(crate) fn mapped(&self, from: u64, to: u64) -> u64 {
        self.overlapping(from, to)
            .map(|(first, extent)| to.min(first + extent.len) - from.max(first))
            .sum()
    }

    /// The extents that have a block of `from..to`.
    pub(crate) fn overlapping(
        &self,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = (u64, Extent)> {
        let start = match self.at_or_before(from) {
            Some((first, extent)) if first + extent.len > from => first,
            _ => from,
        };
        let end = to.max(start);
        self.map.range(start..end).map(|(block, e)| (*block, *e))
    }

    /// One past the last block that has a page.
    pub(crate) fn end(&self) -> u64 {
        self.map
            .last_key_value()
            .map_or(0, |(block, extent)| block + extent.len)
    }

    /// Adds an extent, or replaces the one that begins at the same block.
    pub(crate) fn set(&mut self, block: u64, extent: Extent) {
        self.pages += extent.len;
        if let Some(old) = self.map.insert(block, extent) {
            self.pages -= old.len;
        }
    }

    /// Removes the extent that begins at the block.
    pub(crate) fn remove(&mut self, block: u64) -> Option<Extent> {
        let old = self.map.remove(&block)?;
        self.pages -= old.len;
        Some(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: RowId = RowId { page: 1, slot: 0 };

    fn extent(page: u64, len: u64) -> Extent {
        Extent {
            page,
            len,
            row: ROW,
        }
    }

    #[test]
    fn blocks_holes_and_overlaps_are_found() {
        let mut extents = Extents::default();
        extents.set(2, extent(100, 3));
        extents.set(5, extent(50, 1));
        extents.set(9, extent(60, 4));
        assert_eq!(extents.pages(), 8);
        assert_eq!(extents.find(3), Some((101, 2)));
        assert_eq!(extents.find(6), None);
        assert_eq!(extents.next_mapped(6), Some(9));
        assert_eq!(extents.next_mapped(4), Some(4));
        assert_eq!(extents.next_mapped(13), None);
        assert_eq!(extents.next_hole(2), 6);
        assert_eq!(extents.mapped(3, 10), 4);
        assert_eq!(extents.overlapping(3, 9).count(), 2);
        assert_eq!(extents.overlapping(6, 9).count(), 0);
        assert_eq!(extents.end(), 13);
    }
}
