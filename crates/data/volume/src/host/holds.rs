//! At what views of a volume are read: pages are kept as they were there, and for some the records that follow.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::calls::{HoldAt, Keeps};
use crate::protocol::{Lsn, VolumeId};

/// How long a hold lasts that is not renewed.
pub(crate) const HELD_FOR: Duration = Duration::from_secs(60);

/// The holds of one node.
#[derive(Default)]
pub(super) struct Holds(Mutex<BTreeMap<(VolumeId, u64), Held>>);

struct Held {
    at: Lsn,
    keeps: Keeps,
    until: Instant,
}

impl Holds {
    pub(super) fn take(&self, hold: HoldAt) {
        let mut holds = self.0.lock().expect("no holder panics");
        match hold.at {
            Some(at) => {
                let until = Instant::now() + HELD_FOR;
                let held = holds.entry((hold.volume, hold.view)).or_insert(Held {
                    at,
                    keeps: hold.keeps,
                    until,
                });
                // A view whose records are kept is renewed as one whose pages are.
                if hold.keeps == Keeps::Records {
                    held.keeps = Keeps::Records;
                }
                (held.at, held.until) = (at, until);
            }
            None => drop(holds.remove(&(hold.volume, hold.view))),
        }
    }

    /// The LSN above which records have to stay what they are, if any has.
    pub(super) fn records_from(&self, volume: &VolumeId) -> Option<Lsn> {
        let held = self.held(volume);
        let of_records = held.iter().filter(|(_, keeps)| *keeps == Keeps::Records);
        of_records.map(|(at, _)| *at).min()
    }

    /// The LSNs that pages are read at.
    pub(super) fn points(&self, volume: &VolumeId) -> Vec<Lsn> {
        self.held(volume).into_iter().map(|(at, _)| at).collect()
    }

    fn held(&self, volume: &VolumeId) -> Vec<(Lsn, Keeps)> {
        let mut holds = self.0.lock().expect("no holder panics");
        let now = Instant::now();
        holds.retain(|_, held| held.until > now);
        let of_volume = holds.iter().filter(|((of, _), _)| of == volume);
        of_volume.map(|(_, held)| (held.at, held.keeps)).collect()
    }
}
