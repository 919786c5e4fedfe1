//! A volume's layout for those who use it, made of the catalog's records.

use std::collections::{BTreeMap, BTreeSet};

use quorate_base::NodeId;
use quorate_control::{CatalogError, NodeRecord, View};
use quorate_volume::protocol::{GroupIndex, Membership, VolumeId};
use quorate_volume::{GroupLayout, Layout, Place};

use crate::aurora::model::{Group, Volume};

/// The layout of a cluster's volume; none while it is not placed, or a node's address is unknown.
pub(super) fn layout_of(view: &View, volume: &VolumeId) -> Result<Option<Layout>, CatalogError> {
    let Some(record) = view.read::<Volume>(&volume.0)? else {
        return Ok(None);
    };
    let mut addresses = BTreeMap::new();
    for node in record.record.nodes() {
        let Some(known) = view.read::<NodeRecord>(node.as_str())? else {
            return Ok(None);
        };
        addresses.insert(node.clone(), known.record.address);
    }
    let place = |node: &NodeId| Place {
        address: addresses[node],
        node: node.clone(),
    };
    let group = |group: &Group| GroupLayout {
        membership: Membership {
            epoch: group.epoch,
            sets: group.sets.iter().map(|set| copies(set)).collect(),
        },
        places: group
            .segments()
            .into_iter()
            .map(|segment| (segment.copy, place(&segment.node)))
            .collect(),
    };
    let groups = (0..)
        .map(GroupIndex)
        .zip(record.record.groups.iter().map(group));
    let layout = Layout {
        volume: volume.clone(),
        page_bytes: record.record.page_bytes,
        pages_per_group: record.record.pages_per_group,
        groups: groups.collect(),
    };
    Ok((!layout.groups.is_empty()).then_some(layout))
}

fn copies(set: &[crate::aurora::model::SegmentPlace]) -> BTreeSet<u32> {
    set.iter().map(|place| place.copy).collect()
}
