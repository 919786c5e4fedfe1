//! What views of a volume are read: pages are kept as they were at the lowest read point.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::calls::HoldAt;
use crate::protocol::{Lsn, VolumeId};

/// How long a hold lasts that is not renewed.
pub(crate) const HELD_FOR: Duration = Duration::from_secs(60);

/// The holds of one node.
#[derive(Default)]
pub(super) struct Holds(Mutex<BTreeMap<(VolumeId, u64), (Lsn, Instant)>>);

impl Holds {
    pub(super) fn take(&self, hold: HoldAt) {
        let mut holds = self.0.lock().expect("no holder panics");
        match hold.at {
            Some(at) => {
                let until = Instant::now() + HELD_FOR;
                holds.insert((hold.volume, hold.view), (at, until));
            }
            None => drop(holds.remove(&(hold.volume, hold.view))),
        }
    }

    /// The lowest LSN that a view of the volume is read at.
    pub(super) fn lowest(&self, volume: &VolumeId) -> Option<Lsn> {
        let mut holds = self.0.lock().expect("no holder panics");
        let now = Instant::now();
        holds.retain(|_, (_, until)| *until > now);
        let of_volume = holds.iter().filter(|((of, _), _)| of == volume);
        of_volume.map(|(_, (at, _))| *at).min()
    }
}
