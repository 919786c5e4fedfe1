//! Where the segments of a volume lie that shares another one's pages: on the nodes where the other one's lie.

use std::collections::BTreeMap;

use quorate_volume::protocol::{Complete, GroupIndex, MembershipEpoch};

use crate::aurora::model::{Group, OriginGroup, SegmentPlace, Volume, VolumeOrigin};

/// Volumes that share the pages of one, at most.
const CLONES_MAX: usize = 15;

/// A source as it is to be forked.
#[derive(Debug, Clone, Copy)]
pub struct ForkOf<'a> {
    /// Its volume's id.
    pub volume: &'a str,
    /// Its volume's record.
    pub record: &'a Volume,
    /// The view that holds what is forked.
    pub view: u64,
    /// What is complete of each group as of the view; not empty.
    pub complete: &'a BTreeMap<GroupIndex, Complete>,
}

/// The volume with segments that are to be forked, in place of those that it had. They have numbers of their own, so that
/// nothing of an earlier attempt is mistaken for them. None when the source has no group.
#[must_use]
pub fn fork(volume: &Volume, of: ForkOf<'_>) -> Option<Volume> {
    let mut after = volume.clone();
    let mut origins = Vec::new();
    let sources = of.complete.values().zip(&of.record.groups);
    for (index, (complete, source)) in sources.enumerate() {
        let before = after.groups.get(index);
        let mut group = Group {
            epoch: before.map_or(MembershipEpoch(1), |group| group.epoch.next()),
            sets: Vec::new(),
            next_copy: before.map_or(0, |group| group.next_copy),
            made: before.map(|group| group.made.clone()).unwrap_or_default(),
        };
        let mut copies = BTreeMap::new();
        let mut places = Vec::new();
        for place in source.sets.first()? {
            copies.insert(group.next_copy, place.copy);
            places.push(SegmentPlace {
                copy: group.next_copy,
                node: place.node.clone(),
            });
            group.next_copy += 1;
        }
        group.sets.push(places);
        let tail = complete.tail;
        origins.push(OriginGroup { tail, copies });
        match after.groups.get_mut(index) {
            Some(before) => *before = group,
            None => after.groups.push(group),
        }
    }
    let vdl = of.complete.values().next()?.vdl;
    let groups = u32::try_from(after.groups.len()).ok()?;
    after.wanted_groups = after.wanted_groups.max(groups);
    after.origin = Some(VolumeOrigin {
        volume: of.volume.to_owned(),
        vdl,
        view: of.view,
        groups: origins,
    });
    Some(after)
}

/// Whether another volume may share the pages of one that so many share already. As in AWS, one more gets a copy.
#[must_use]
pub fn may_share<'v>(source: &str, volumes: impl Iterator<Item = &'v Volume>) -> bool {
    let origins = volumes.filter_map(|volume| volume.origin.as_ref());
    let sharing = origins.filter(|origin| origin.volume == source);
    sharing.count() < CLONES_MAX
}

/// The volume with empty segments in place of those that were to be forked.
#[must_use]
pub fn unfork(volume: &Volume) -> Volume {
    let mut after = volume.clone();
    for group in &mut after.groups {
        group.sets.truncate(1);
        for place in group.sets.iter_mut().flatten() {
            place.copy = group.next_copy;
            group.next_copy += 1;
        }
        group.epoch = group.epoch.next();
    }
    after.origin = None;
    after
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::Lsn;

    use super::*;
    use crate::aurora::fixture::node;

    fn group(copies: [u32; 6], next_copy: u32) -> Group {
        let places = copies.iter().zip(['a', 'a', 'b', 'b', 'c', 'c']);
        let place = |(copy, zone): (&u32, char)| SegmentPlace {
            copy: *copy,
            node: node(zone),
        };
        Group {
            epoch: MembershipEpoch(4),
            sets: vec![places.map(place).collect()],
            next_copy,
            made: copies.into(),
        }
    }

    fn volume(groups: Vec<Group>) -> Volume {
        Volume {
            page_bytes: 8_192,
            pages_per_group: 64,
            wanted_groups: 1,
            groups,
            origin: None,
        }
    }

    #[test]
    fn each_attempt_has_segments_of_its_own_beside_those_of_the_source() {
        let source = volume(vec![
            group([0, 7, 2, 3, 4, 5], 8),
            group([0, 1, 2, 3, 4, 5], 6),
        ]);
        let complete = |tail| Complete {
            vdl: Lsn(90),
            tail: Lsn(tail),
        };
        let complete =
            BTreeMap::from([(GroupIndex(0), complete(80)), (GroupIndex(1), complete(90))]);
        let of = ForkOf {
            volume: "cluster-S",
            record: &source,
            view: 5,
            complete: &complete,
        };
        let first = fork(&volume(vec![group([0, 1, 2, 3, 4, 5], 6)]), of).unwrap();
        let placed = &first.groups[0];
        assert_eq!(placed.epoch, MembershipEpoch(5));
        assert_eq!((first.wanted_groups, placed.next_copy), (2, 12));
        assert_eq!(placed.sets[0][1].copy, 7);
        assert_eq!(placed.sets[0][1].node, node('a'));
        let origin = first.origin.clone().unwrap();
        assert_eq!((origin.vdl, origin.groups[0].tail), (Lsn(90), Lsn(80)));
        assert_eq!(
            origin.groups[0].copies[&7], 7,
            "of the copy that took another one's place"
        );
        assert_eq!(origin.groups[1].copies[&0], 0);
        // Those of before do not count, and neither do three.
        assert!(!first.is_forked(0));
        let mut made = first.clone();
        made.groups[0].made.extend([6, 7, 8]);
        assert!(!made.is_forked(0));
        made.groups[0].made.insert(11);
        assert!(made.is_forked(0) && !made.is_forked(1) && !made.is_forked(2));
        let second = fork(&made, of).unwrap();
        assert!(!second.is_forked(0));
        assert_eq!(second.groups[0].sets[0][0].copy, 12);
        let copied = unfork(&second);
        assert_eq!(copied.groups[0].sets[0][5].copy, 23);
        assert_eq!(copied.groups[0].epoch, second.groups[0].epoch.next());
        assert_eq!(copied.origin, None);
        let clones = vec![second; 14];
        assert!(may_share("cluster-S", clones.iter()));
        assert!(!may_share("cluster-S", clones.iter().chain([&first])));
        assert!(may_share("cluster-T", clones.iter().chain([&first])));
    }

    #[test]
    fn a_volume_that_was_not_forked_is_not() {
        assert!(!volume(vec![group([0, 1, 2, 3, 4, 5], 6)]).is_forked(0));
    }
}
