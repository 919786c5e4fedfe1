//! Opening a store: the end of the log, what it says, and what the pages say.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use super::codec::{BATCH_HEADER_BYTES, seal_batch};
use super::entry::FoundSegment;
use super::error::StoreError;
use super::layers::Layers;
use super::log::{RunningLog, Tail};
use super::log_files::LogFiles;
use super::options::Options;
use super::page_store::{Meta, PageStore};
use super::replay::{Building, Replayed, Restarts, header_of, replay};
use super::segment::Segment;
use super::segment_store::{Inner, Registry, SegmentStore};
use super::walk::{Part, frames, walk};

impl SegmentStore {
    /// Opens the store in `folder`, which is made when it is not there, and says which segments lie in it. Blocks on disks:
    /// the log is read once.
    ///
    /// # Errors
    /// When the folder cannot be read or written, is open elsewhere, or holds what this build does not read. Damage is no
    /// error, see [`FoundSegment::damage`].
    pub fn open(
        folder: &Path,
        options: Options,
    ) -> Result<(SegmentStore, Vec<FoundSegment>), StoreError> {
        std::fs::create_dir_all(folder)?;
        // The database's lock also keeps others from the log.
        let pages = PageStore::open(&folder.join("pages"), options.page_cache_bytes)?;
        let files = LogFiles::open(&folder.join("log"))?;
        let (tail, replayed, damaged) = read_log(&files)?;
        let joined = join(&pages, replayed, damaged)?;
        let running = RunningLog::start(files, tail, options)?;
        let store = SegmentStore {
            inner: Arc::new(Inner {
                running,
                pages,
                registry: RwLock::new(joined.registry),
                dropped: Mutex::default(),
                layering: Mutex::default(),
                truncating: Mutex::default(),
            }),
        };
        if damaged || !joined.pages_lost.is_empty() {
            store.heal()?;
        }
        // Only when the damage is in the log.
        for segment in store.all_segments() {
            if joined.pages_lost.contains(&segment.number) {
                store.empty_layers(&segment)?;
            }
        }
        store.sweep_layers()?;
        Ok((store, joined.found))
    }
}

/// The end of the log, what it says, and whether anything in it is damaged.
pub(super) fn read_log(files: &LogFiles) -> Result<(Tail, Replayed, bool), StoreError> {
    let mut tail = seal_tail(files)?;
    let mut replayed = replay(files, tail.end, &Restarts::new())?;
    let damaged = replayed.damaged;
    if !replayed.restarts.is_empty() {
        replayed = replay(files, tail.end, &replayed.restarts)?;
    }
    tail.next_number = tail.next_number.max(replayed.next_number);
    Ok((tail, replayed, damaged))
}

/// Begins a new file with what is sound of the last batch, so that nothing counts of the file before that may not have been
/// synced: what a failed sync left in the memory of the operating system is read like what is on disk.
fn seal_tail(files: &LogFiles) -> Result<Tail, StoreError> {
    let Some(newest) = files.starts().last().copied() else {
        let file = files.create(0, 1, &[])?;
        return Ok(Tail {
            file,
            start: 0,
            end: 0,
            next_number: 1,
        });
    };
    let contents = files.contents(newest)?;
    let header = header_of(&contents, newest)?;
    let mut next_number = header.map_or(1, |header| header.next_number);
    let mut start = newest;
    let mut batch = Vec::new();
    for part in walk(&contents, newest, None) {
        let Part::Batch { position, body } = part else {
            continue;
        };
        let mut sound = 0;
        let mut whole = true;
        for (_, frame) in frames(position, body.clone()) {
            if let Some(frame) = &frame {
                next_number = next_number.max(frame.number.saturating_add(1));
            }
            match frame.filter(|frame| whole && frame.payload.is_some()) {
                Some(frame) => sound += frame.len,
                None => whole = false,
            }
        }
        start = position;
        batch.clear();
        if sound > 0 {
            batch.resize(BATCH_HEADER_BYTES, 0);
            batch.extend_from_slice(&body[..sound]);
            seal_batch(&mut batch, position);
        }
        if !whole {
            tracing::info!(
                position,
                sound,
                "a batch of the segment log is damaged or torn"
            );
        }
    }
    if header.is_none() {
        // The file has to stay until the damage is told.
        start = (start + batch.len() as u64).max(newest + 1);
        batch.clear();
    }
    let file = files.create(start, next_number, &batch)?;
    Ok(Tail {
        file,
        start,
        end: start + batch.len() as u64,
        next_number,
    })
}

/// All that is known at the start.
#[derive(Default)]
struct Joined {
    registry: Registry,
    found: Vec<FoundSegment>,
    /// Segments whose pages are of no use, by number.
    pages_lost: Vec<u32>,
}

/// Puts together what the log and the pages say.
fn join(pages: &PageStore, mut replayed: Replayed, damaged: bool) -> Result<Joined, StoreError> {
    let mut joined = Joined::default();
    let mut metas = BTreeMap::new();
    for (number, meta) in pages.metas()? {
        let lost = damaged && meta.is_some();
        if !replayed.segments.contains_key(&number) && !lost {
            // The segment was dropped.
            pages.remove_segment(number)?;
            continue;
        }
        metas.insert(number, meta);
        replayed.segments.entry(number).or_insert_with(|| {
            let mut building = Building::default();
            building.note(true, true);
            building
        });
    }
    for (number, building) in replayed.segments {
        let mut meta = metas.remove(&number);
        let layers = pages.layers_of(number)?;
        if layers.is_none() {
            meta = Some(None);
        }
        if meta == Some(None) {
            joined.pages_lost.push(number);
        }
        let layers = layers.unwrap_or_else(|| Layers::own(number));
        if let Some((segment, tells)) = assemble(number, building, meta, layers) {
            joined.registry.insert(segment.id.clone(), segment);
            joined.found.push(tells);
        } else {
            tracing::error!(number, "the log does not say which segment this is");
        }
    }
    joined
        .found
        .sort_by(|one, other| one.segment.cmp(&other.segment));
    Ok(joined)
}

/// A segment and what is told of it. `meta` is none within when it is damaged.
fn assemble(
    number: u32,
    mut building: Building,
    meta: Option<Option<Meta>>,
    layers: Layers,
) -> Option<(Arc<Segment>, FoundSegment)> {
    if meta == Some(None) {
        // Nobody knows which pages there should be.
        building.index.clear();
        building.note(true, false);
    }
    let meta = meta.flatten();
    let named = meta.as_ref().map(|meta| (meta.id.clone(), meta.page_bytes));
    if building.identity.is_none() {
        building.note(true, building.index.state.is_none());
    }
    let (id, page_bytes) = building.identity.clone().or(named)?;
    let damage = building.damage();
    let mut index = building.index;
    let mut stored_bytes = 0;
    if let Some(meta) = meta {
        index.set_coalesced(meta.coalesced_to);
        index.set_gone_by_chain();
        index.begin_at(meta.oldest);
        stored_bytes = meta.stored_bytes;
    }
    // Healing puts it into the log.
    index.damage = damage.map(|damage| (damage, index.damage.map_or(0, |(_, at)| at)));
    let segment = Segment::new(id, number, page_bytes, index, layers, stored_bytes);
    let tells = segment.tells();
    Some((Arc::new(segment), tells))
}
