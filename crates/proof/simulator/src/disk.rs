//! What lies on a node's disk: a log with its timelines, and the marker of the copy.
//!
//! Timelines are numbered as PostgreSQL numbers them without an archive: the parent's number and one. So two copies
//! that were promoted from the same parent carry the same number, and the tools see no difference between them.

/// A copy's log: the writes in order, and the timelines that they were written on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Data {
    pub(crate) log: Vec<u64>,
    /// Timelines, oldest first: number, and the position at which it begins.
    pub(crate) history: Vec<(u32, usize)>,
}

/// The marker of a copy, as `MemberMarker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) incarnation: u32,
    pub(crate) epoch: u64,
    pub(crate) led: bool,
}

/// A node's folder for the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) data: Option<Data>,
    pub(crate) half_rewound: bool,
    pub(crate) marker: Option<Marker>,
}

impl Disk {
    /// Removes the data; the marker stays, as `MemberPaths::remove_data` leaves it.
    pub(crate) fn remove_data(&mut self) {
        self.data = None;
        self.half_rewound = false;
    }
}

impl Data {
    pub(crate) fn empty() -> Data {
        Data {
            log: Vec::new(),
            history: vec![(1, 0)],
        }
    }

    pub(crate) fn timeline(&self) -> u32 {
        self.history.last().map_or(0, |(number, _)| *number)
    }

    /// Leaves the parent's history.
    pub(crate) fn promote(&mut self) {
        self.history.push((self.timeline() + 1, self.log.len()));
    }

    /// Where a timeline of this copy ends; none when the copy never was on it.
    fn end_of(&self, timeline: u32) -> Option<usize> {
        let at = self
            .history
            .iter()
            .position(|(number, _)| *number == timeline)?;
        Some(
            self.history
                .get(at + 1)
                .map_or(self.log.len(), |(_, start)| *start),
        )
    }

    /// Whether a follower with that copy can stream from this one: its timeline is one of ours, and it is not beyond
    /// the point at which we left it.
    pub(crate) fn can_feed(&self, follower: &Data) -> bool {
        self.end_of(follower.timeline())
            .is_some_and(|end| follower.log.len() <= end)
    }

    /// `pg_rewind` against a source: what changes. By timelines, not by contents, as the tool goes.
    pub(crate) fn needs_rewind(&self, source: &Data) -> bool {
        self.timeline() != source.timeline() && !source.can_feed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(log: &[u64], history: &[(u32, usize)]) -> Data {
        Data {
            log: log.to_vec(),
            history: history.to_vec(),
        }
    }

    #[test]
    fn a_follower_beyond_the_fork_is_refused_and_needs_a_rewind() {
        let source = data(&[1, 2, 9], &[(1, 0), (2, 2)]);
        let behind = data(&[1], &[(1, 0)]);
        let beyond = data(&[1, 2, 3], &[(1, 0)]);
        assert!(source.can_feed(&behind) && !behind.needs_rewind(&source));
        assert!(!source.can_feed(&beyond) && beyond.needs_rewind(&source));
    }

    #[test]
    fn two_children_of_one_parent_look_alike() {
        let one = data(&[1, 2], &[(1, 0), (2, 1)]);
        let other = data(&[1, 3], &[(1, 0), (2, 1)]);
        assert!(!one.needs_rewind(&other));
    }
}
