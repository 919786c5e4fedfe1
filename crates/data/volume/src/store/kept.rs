//! Which versions of pages are kept for whoever reads.

use crate::protocol::Lsn;

/// What somebody may still read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// Every LSN from here on.
    pub from: Lsn,
    /// LSNs below it.
    pub points: Vec<Lsn>,
}

/// What a segment can be read at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Every LSN from here on.
    pub(super) oldest: Lsn,
    /// LSNs below it, ascending.
    pub(super) points: Vec<Lsn>,
}

impl Kept {
    /// Whether a page is read at an LSN.
    pub(super) fn is_read(&self, at: Lsn) -> bool {
        at >= self.oldest || self.points.binary_search(&at).is_ok()
    }

    /// Whether somebody sees a version of a page that the next one, `by`, follows.
    pub(super) fn needs(&self, version: Lsn, by: Lsn) -> bool {
        let from = self.points.partition_point(|point| *point < version);
        by > self.oldest || self.points.get(from).is_some_and(|point| *point < by)
    }

    /// The lowest LSN that is read.
    pub(super) fn lowest(&self) -> Lsn {
        self.points.first().copied().unwrap_or(self.oldest)
    }

    /// Reads begin at `from` now, but for those of `points` that were possible before.
    pub(super) fn advance(&mut self, from: Lsn, points: &[Lsn]) {
        let oldest = self.oldest.max(from);
        let below = points.iter().copied().filter(|point| *point < oldest);
        let mut kept: Vec<Lsn> = below.filter(|point| self.is_read(*point)).collect();
        kept.sort_unstable();
        kept.dedup();
        self.oldest = oldest;
        self.points = kept;
    }

    /// Reads begin here and nowhere below.
    pub(super) fn begin_at(&mut self, oldest: Lsn) {
        self.oldest = oldest;
        self.points.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(oldest: u64, points: &[u64]) -> Kept {
        Kept {
            oldest: Lsn(oldest),
            points: points.iter().copied().map(Lsn).collect(),
        }
    }

    #[test]
    fn a_version_is_needed_by_who_reads_between_it_and_the_next_one() {
        let kept = kept(50, &[10, 30]);
        let needs = |version, by| kept.needs(Lsn(version), Lsn(by));
        assert!(needs(10, 11) && needs(9, 11) && needs(30, 40));
        assert!(!needs(8, 10) && !needs(11, 30) && !needs(31, 50));
        assert!(needs(31, 51), "50 sees it");
        assert!(kept.is_read(Lsn(10)) && !kept.is_read(Lsn(11)) && kept.is_read(Lsn(51)));
    }

    #[test]
    fn a_point_that_was_let_go_does_not_come_back() {
        let mut now = kept(0, &[]);
        let points = |points: &[u64]| points.iter().copied().map(Lsn).collect::<Vec<_>>();
        now.advance(Lsn(50), &points(&[30, 10, 10, 60]));
        assert_eq!(now, kept(50, &[10, 30]));
        now.advance(Lsn(70), &points(&[60, 30, 20]));
        assert_eq!(now, kept(70, &[30, 60]), "20 was not kept, 60 was");
        now.advance(Lsn(50), &points(&[30, 60]));
        assert_eq!(now, kept(70, &[30, 60]), "reads never begin earlier");
        assert_eq!(now.lowest(), Lsn(30));
        now.begin_at(Lsn(80));
        assert_eq!(now, kept(80, &[]));
    }
}
