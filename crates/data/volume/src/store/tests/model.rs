//! The store against a model that keeps every version of every page in memory.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::super::{Entry, Following, Keep, Options, StoreError};
use super::fixture::*;
use crate::protocol::{Change, Lsn, PageId, Record, Span};

const COPIES: u32 = 3;
const PAGES: [u64; 4] = [0, 1, 7, (1 << 44) - 1];

#[derive(Debug, Clone)]
enum Step {
    /// The next record; the LSN skips some.
    Write {
        copy: u32,
        skip: u64,
        page: usize,
        change: Change,
    },
    State {
        copy: u32,
        bytes: Vec<u8>,
    },
    /// Voids what lies above a share of what is not coalesced, and begins an epoch.
    Discard {
        copy: u32,
        share: u64,
    },
    Coalesce {
        copy: u32,
        up_to_share: u64,
        keep_share: u64,
        /// What is read below, besides what was read there before.
        point_share: Option<u64>,
        /// Whether those of before are let go.
        lets_go: bool,
    },
    Truncate,
    Reopen,
    /// Continues on a copy of the folder, as after a power cut.
    PowerCut,
    Read {
        copy: u32,
        page: usize,
        share: u64,
    },
    /// Makes a segment anew as a copy of another one that shares its pages.
    Fork {
        from: u32,
        by: u32,
    },
    /// Takes pages out of a layer that nobody else has.
    Fold {
        copy: u32,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = |max| proptest::collection::vec(0..3_u8, 0..max).prop_map(Bytes::from);
    let span = (0..40_u32, bytes(20)).prop_map(|(offset, bytes)| Span { offset, bytes });
    prop_oneof![
        1 => Just(Change::Mark),
        6 => proptest::collection::vec(span, 1..3).prop_map(Change::Spans),
        2 => bytes(PAGE_BYTES as usize).prop_map(Change::Image),
        2 => Just(Change::Discard),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let share = || 0..=4_u64;
    prop_oneof![
        12 => (0..COPIES, 0..3_u64, 0..PAGES.len(), change())
            .prop_map(|(copy, skip, page, change)| Step::Write { copy, skip, page, change }),
        1 => (0..COPIES, proptest::collection::vec(any::<u8>(), 0..30))
            .prop_map(|(copy, bytes)| Step::State { copy, bytes }),
        1 => (0..COPIES, share()).prop_map(|(copy, share)| Step::Discard { copy, share }),
        3 => (0..COPIES, share(), share(), proptest::option::of(share()), any::<bool>())
            .prop_map(|(copy, up_to_share, keep_share, point_share, lets_go)| Step::Coalesce {
                copy, up_to_share, keep_share, point_share, lets_go,
            }),
        1 => Just(Step::Truncate),
        1 => Just(Step::Reopen),
        1 => Just(Step::PowerCut),
        1 => (0..COPIES, 1..COPIES).prop_map(|(from, by)| Step::Fork { from, by }),
        1 => (0..COPIES).prop_map(|copy| Step::Fold { copy }),
        4 => (0..COPIES, 0..PAGES.len(), share())
            .prop_map(|(copy, page, share)| Step::Read { copy, page, share }),
    ]
}

/// What a segment should hold.
#[derive(Clone, Default)]
struct Model {
    records: BTreeMap<u64, Record>,
    state: Option<Vec<u8>>,
    coalesced_to: u64,
    oldest: u64,
    points: BTreeSet<u64>,
    next: u64,
    epoch: u64,
}

impl Model {
    fn last(&self) -> u64 {
        self.records.keys().next_back().copied().unwrap_or(0)
    }

    /// An LSN from `from` to the last one.
    fn share(&self, from: u64, share: u64) -> u64 {
        from + (self.last().max(from) - from) * share / 4
    }

    fn page(&self, page: u64, at: u64) -> Bytes {
        let mut image = BytesMut::zeroed(PAGE_BYTES as usize);
        for record in self.records.range(..=at).map(|(_, record)| record) {
            if record.page.0 == page {
                assert!(record.change.apply(&mut image));
            }
        }
        image.freeze()
    }
}

struct World {
    fixture: Fixture,
    models: Vec<Model>,
    /// Whether segments have shared pages.
    forked: bool,
}

impl World {
    fn new() -> World {
        let fixture = Fixture::with(Options {
            log_file_bytes: 400,
            log_bytes_kept: 1_000,
            record_cache_bytes_max: 700,
            ..Options::default()
        });
        fixture.append((0..COPIES).map(create).collect());
        World {
            fixture,
            models: (0..COPIES).map(|_| Model::default()).collect(),
            forked: false,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Write {
                copy,
                skip,
                page,
                change,
            } => self.write(copy, skip, PAGES[page], change),
            Step::State { copy, bytes } => {
                self.models[copy as usize].state = Some(bytes.clone());
                let bytes = Bytes::from(bytes);
                let segment = segment(copy);
                self.fixture.append(vec![Entry::State { segment, bytes }]);
            }
            Step::Discard { copy, share } => {
                let model = &mut self.models[copy as usize];
                let above = model.share(model.coalesced_to, share);
                model.epoch += 1;
                model.records.split_off(&(above + 1));
                self.fixture.append(vec![discard(copy, above, model.epoch)]);
            }
            Step::Coalesce {
                copy,
                up_to_share,
                keep_share,
                point_share,
                lets_go,
            } => {
                let model = &mut self.models[copy as usize];
                let up_to = model.share(model.coalesced_to, up_to_share);
                let keep_from = model.share(model.oldest, keep_share);
                let reached = model.records.range(..=up_to).next_back();
                model.coalesced_to = reached.map_or(0, |(lsn, _)| *lsn).max(model.coalesced_to);
                if lets_go {
                    model.points.clear();
                }
                let newest = model.share(model.oldest, 4);
                let share = |share| model.oldest + (newest - model.oldest) * share / 4;
                model.points.extend(point_share.map(share));
                model.oldest = model.oldest.max(keep_from.min(model.coalesced_to));
                let oldest = model.oldest;
                let keep = Keep {
                    from: Lsn(keep_from),
                    points: model.points.iter().copied().map(Lsn).collect(),
                };
                model.points.retain(|point| *point < oldest);
                let store = self.fixture.store();
                let reached = store.coalesce(&segment(copy), Lsn(up_to), &keep);
                assert_eq!(reached.unwrap().0, model.coalesced_to);
            }
            Step::Truncate => self.fixture.store().truncate_log().unwrap(),
            Step::Reopen => {
                let found = self.fixture.reopen();
                for (model, found) in self.models.iter_mut().zip(found) {
                    assert_eq!(found.coalesced_to, Lsn(model.coalesced_to));
                    // Where readers begin is stored with the next version that goes.
                    assert!(found.oldest <= Lsn(model.oldest));
                    model.oldest = found.oldest.0;
                    model.points.clear();
                    assert_eq!(found.state.as_deref(), model.state.as_deref());
                    assert_eq!(found.damage, None);
                }
                self.check_all();
            }
            Step::PowerCut => self.cut_power(),
            Step::Read { copy, page, share } => {
                let model = &self.models[copy as usize];
                self.check(copy, PAGES[page], model.share(0, share));
            }
            Step::Fork { from, by } => self.fork(from, (from + by) % COPIES),
            Step::Fold { copy } => {
                let mut next = Some(PageId(0));
                while let Some(from) = next {
                    next = self.fixture.store().fold(&segment(copy), from, 2).unwrap();
                }
            }
        }
    }

    fn fork(&mut self, from: u32, to: u32) {
        let dropped = Entry::Drop {
            segment: segment(to),
        };
        self.fixture.append(vec![dropped, create(to)]);
        let mut model = self.models[from as usize].clone();
        let store = self.fixture.store();
        let base = Lsn(model.coalesced_to);
        store.fork(&segment(from), &segment(to), base).unwrap();
        model.records.split_off(&(model.coalesced_to + 1));
        model.state = None;
        model.points.clear();
        model.next = model.coalesced_to;
        self.models[to as usize] = model;
        self.forked = true;
    }

    fn write(&mut self, copy: u32, skip: u64, page: u64, change: Change) {
        let model = &mut self.models[copy as usize];
        let previous = model.last();
        model.next = model.next.max(previous) + 1 + skip;
        let mut entry = record_of_epoch(copy, model.next, model.epoch, page, change);
        let Entry::Record { record, .. } = &mut entry else {
            unreachable!("it was made as one");
        };
        record.header.previous = Lsn(previous);
        model.records.insert(model.next, record.clone());
        self.fixture.append(vec![entry]);
    }

    /// Pages that were not synced are back where they were; records are not lost.
    fn cut_power(&mut self) {
        let after = tempfile::tempdir().unwrap();
        copy_folder(self.fixture.folder.path(), after.path());
        self.fixture.close();
        self.fixture.folder = after;
        let found = self.fixture.reopen();
        for (model, found) in self.models.iter_mut().zip(found) {
            assert!(found.coalesced_to <= Lsn(model.coalesced_to));
            assert!(found.oldest <= Lsn(model.oldest));
            assert_eq!(found.state.as_deref(), model.state.as_deref());
            assert_eq!(found.damage, None);
            model.coalesced_to = found.coalesced_to.0;
            model.oldest = found.oldest.0;
            model.points.clear();
        }
        self.check_all();
    }

    fn check(&self, copy: u32, page: u64, at: u64) {
        let model = &self.models[copy as usize];
        let read = self
            .fixture
            .store()
            .read_page(&segment(copy), PageId(page), Lsn(at));
        match read {
            Ok(read) => {
                assert!(at >= model.oldest || model.points.contains(&at));
                assert_eq!(read, model.page(page, at), "page {page} at {at}");
            }
            Err(StoreError::TooOld { oldest, .. }) => {
                assert!(at < model.oldest, "{at} is kept, {oldest} is told");
                assert!(!model.points.contains(&at), "{at} is kept");
                assert_eq!(oldest, Lsn(model.oldest));
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn check_all(&self) {
        for (copy, model) in (0..COPIES).zip(&self.models) {
            for page in PAGES {
                for at in 0..=model.last() + 1 {
                    self.check(copy, page, at);
                }
            }
            self.check_records(copy, model);
        }
    }

    fn check_records(&self, copy: u32, model: &Model) {
        let waiting: Vec<u64> = model
            .records
            .range(model.coalesced_to + 1..)
            .map(|(lsn, _)| *lsn)
            .collect();
        assert_eq!(self.fixture.lsns(copy, model.coalesced_to), waiting);
        let after = match self.fixture.records(copy, 0) {
            Following::Records(_) => 0,
            Following::Gone { above } => above.0,
        };
        assert!(after <= model.coalesced_to);
        let Following::Records(records) = self.fixture.records(copy, after) else {
            panic!("records above {after} were said to be there");
        };
        let wanted: Vec<Record> = model
            .records
            .range(after + 1..)
            .map(|(_, record)| record.clone())
            .collect();
        assert_eq!(records, wanted);
        let pages = self
            .fixture
            .store()
            .pages(&segment(copy), PageId(0), usize::MAX)
            .unwrap();
        for (page, _, bytes) in pages.0 {
            assert_eq!(bytes, model.page(page.0, model.coalesced_to));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_holds_what_its_model_holds(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.check_all();
        world.run(Step::Reopen);
        // Whatever happened, each page's room is counted right, but for pages that were shared.
        for copy in 0..COPIES {
            let last = world.models[copy as usize].last();
            world.fixture.coalesce(copy, last, last);
            // A page of zeros that hid what was read below goes one time later.
            world.fixture.coalesce(copy, last, last);
            let usage = world.fixture.store().usage(&segment(copy)).unwrap();
            let stored: usize = PAGES.iter().map(|page| {
                let page = world.models[copy as usize].page(*page, last);
                page.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
            }).sum();
            prop_assert!(world.forked || usage.page_bytes == stored as u64);
            prop_assert_eq!(usage.waiting_bytes, 0);
        }
    }
}
