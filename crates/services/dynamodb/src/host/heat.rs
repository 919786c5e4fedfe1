//! How much a replica is asked for, and for which positions.
//!
//! Owns the counts, their decay, and where a partition would be cut so that each side has half of its load. A request costs
//! two additions; one in a few leaves its position in a ring of fixed size. Strong reads and writes count where the partition
//! is led, eventual reads where they are answered.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::HashRange;

/// Time over which requests are counted.
const WINDOW: Duration = Duration::from_secs(1);
/// Windows in a row after which a load counts as lasting.
const LASTING_WINDOWS: u32 = 4;
/// Positions that are remembered.
const SAMPLES: usize = 512;
/// Half units from one remembered position to the next.
const SAMPLE_EVERY: u64 = 8;
/// Positions without which nothing is decided.
const SAMPLES_MIN: usize = 48;
/// The least that the cooler side of a cut must have, in parts of a hundred: less relieves the other side of nothing.
const SIDE_PERCENT_MIN: usize = 25;

/// Loads from which a partition is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeatLimits {
    /// Read units a second.
    pub reads: u64,
    /// Write units a second.
    pub writes: u64,
}

impl HeatLimits {
    /// Whether a partition is asked for more than one should serve: shares of both limits add up, as in AWS.
    fn are_passed(self, reads: u64, writes: u64) -> bool {
        let (reads, writes) = (u128::from(reads), u128::from(writes));
        let limits = (
            u128::from(self.reads.max(1)),
            u128::from(self.writes.max(1)),
        );
        reads * limits.1 + writes * limits.0 > limits.0 * limits.1
    }
}

/// Units a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

/// One replica's load.
pub(crate) struct Heat {
    /// Half units: an eventual read of up to 4 KB is one.
    half_reads: AtomicU64,
    writes: AtomicU64,
    /// Half units of both, which say when a position is remembered.
    weight: AtomicU64,
    samples: Box<[AtomicU64; SAMPLES]>,
    sampled: AtomicU64,
    windows: Mutex<Windows>,
}

/// What came of the windows up to here.
struct Windows {
    began: Instant,
    half_reads: u64,
    writes: u64,
    rates: Rates,
    hot: u32,
}

impl Heat {
    pub(crate) fn new(now: Instant) -> Heat {
        Heat {
            half_reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            weight: AtomicU64::new(0),
            samples: Box::new([const { AtomicU64::new(0) }; SAMPLES]),
            sampled: AtomicU64::new(0),
            windows: Mutex::new(Windows {
                began: now,
                half_reads: 0,
                writes: 0,
                rates: Rates::default(),
                hot: 0,
            }),
        }
    }

    /// Notes a read of so many bytes; `position` is asked for now and then.
    pub(crate) fn note_read(
        &self,
        bytes: u64,
        strong: bool,
        position: impl FnOnce() -> Option<u64>,
    ) {
        let units = bytes.div_ceil(4_096).max(1);
        let halves = if strong { 2 * units } else { units };
        self.half_reads.fetch_add(halves, Ordering::Relaxed);
        self.sample(halves, position);
    }

    /// Notes a write of so many bytes.
    pub(crate) fn note_write(&self, bytes: u64, position: impl FnOnce() -> Option<u64>) {
        let units = bytes.div_ceil(1_024).max(1);
        self.writes.fetch_add(units, Ordering::Relaxed);
        // A partition serves three times as many read units.
        self.sample(6 * units, position);
    }

    fn sample(&self, halves: u64, position: impl FnOnce() -> Option<u64>) {
        let before = self.weight.fetch_add(halves, Ordering::Relaxed);
        if before / SAMPLE_EVERY == (before + halves) / SAMPLE_EVERY {
            return;
        }
        let Some(position) = position() else { return };
        let at = self.sampled.fetch_add(1, Ordering::Relaxed);
        let slot = usize::try_from(at % SAMPLES as u64).unwrap_or(0);
        self.samples[slot].store(position, Ordering::Relaxed);
    }

    /// Ends the window when its time is over.
    pub(crate) fn look(&self, now: Instant, limits: HeatLimits) {
        let mut windows = self.windows.lock().expect("no holder panics");
        let elapsed = now.saturating_duration_since(windows.began);
        if elapsed < WINDOW {
            return;
        }
        let half_reads = self.half_reads.load(Ordering::Relaxed);
        let writes = self.writes.load(Ordering::Relaxed);
        let ms = u64::try_from(elapsed.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let per_s = |count: u64| count.saturating_mul(1_000) / ms;
        let reads_now = per_s((half_reads - windows.half_reads).div_ceil(2));
        let writes_now = per_s(writes - windows.writes);
        windows.hot = if limits.are_passed(reads_now, writes_now) {
            windows.hot.saturating_add(1)
        } else {
            0
        };
        // What was before counts half: a load that ends is forgotten in a few seconds.
        windows.rates = Rates {
            reads: (windows.rates.reads + reads_now) / 2,
            writes: (windows.rates.writes + writes_now) / 2,
        };
        (windows.began, windows.half_reads, windows.writes) = (now, half_reads, writes);
    }

    /// The load of the last seconds.
    pub(crate) fn rates(&self) -> Rates {
        self.windows.lock().expect("no holder panics").rates
    }

    /// Whether the load has been above the limits for some seconds.
    pub(crate) fn is_hot(&self) -> bool {
        let windows = self.windows.lock().expect("no holder panics");
        windows.hot >= LASTING_WINDOWS
    }

    /// Forgets the load: what comes after a split is another one.
    pub(crate) fn cool(&self) {
        self.windows.lock().expect("no holder panics").hot = 0;
        self.sampled.store(0, Ordering::Relaxed);
    }

    /// The positions that were asked for last.
    pub(crate) fn positions(&self) -> Vec<u64> {
        let known = usize::try_from(self.sampled.load(Ordering::Relaxed)).unwrap_or(SAMPLES);
        let slots = self.samples.iter().take(known.min(SAMPLES));
        slots.map(|slot| slot.load(Ordering::Relaxed)).collect()
    }
}

/// What the positions that were asked for say about a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Too little is known.
    Unknown,
    /// Nearly all is asked of one position, and an item collection cannot be split.
    Useless,
    /// From this position on, the right half has about half of the load.
    At(u64),
}

/// Where a partition of this range is cut so that each side has about half of the load.
pub(crate) fn decide_cut(positions: Vec<u64>, range: HashRange) -> Cut {
    let mut positions = positions;
    positions.retain(|position| range.contains(*position));
    positions.sort_unstable();
    if positions.len() < SAMPLES_MIN {
        return Cut::Unknown;
    }
    let edges = (1..positions.len()).filter(|at| positions[at - 1] < positions[*at]);
    let cooler = |at: &usize| (*at).min(positions.len() - at);
    match edges.max_by_key(cooler) {
        Some(at) if cooler(&at) * 100 >= positions.len() * SIDE_PERCENT_MIN => {
            Cut::At(positions[at])
        }
        _ => Cut::Useless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeatLimits = HeatLimits {
        reads: 300,
        writes: 100,
    };

    #[test]
    fn shares_of_both_limits_add_up() {
        let cases = [
            (300, 0, false),
            (301, 0, true),
            (0, 101, true),
            (150, 50, false),
            (151, 50, true),
            (u64::MAX, u64::MAX, true),
        ];
        for (reads, writes, passed) in cases {
            assert_eq!(LIMITS.are_passed(reads, writes), passed, "{reads} {writes}");
        }
    }

    #[test]
    fn a_load_is_hot_when_it_lasts_and_is_forgotten_when_it_ends() {
        let start = Instant::now();
        let heat = Heat::new(start);
        let mut at = 0;
        let mut second = |writes: u64| {
            for n in 0..writes {
                heat.note_write(1, || Some(n));
            }
            at += 1;
            heat.look(start + Duration::from_secs(at), LIMITS);
            heat.is_hot()
        };
        assert!(!second(200) && !second(200) && !second(200) && second(200));
        assert!(second(200));
        assert!(!second(50), "one quiet second");
        assert!(!second(200) && !second(200) && !second(200) && second(200));
        heat.cool();
        assert!(!heat.is_hot() && heat.positions().is_empty());
        for _ in 0..8 {
            second(0);
        }
        assert_eq!(heat.rates(), Rates::default());
    }

    #[test]
    fn reads_count_in_units() {
        let start = Instant::now();
        let heat = Heat::new(start);
        heat.note_read(0, false, || None);
        heat.note_read(4_097, false, || None);
        heat.note_read(100, true, || None);
        heat.note_read(9_000, true, || None);
        heat.look(start + WINDOW, LIMITS);
        // 0.5 + 1 + 1 + 3, and half of it after one second.
        assert_eq!(heat.rates().reads, 3);
    }

    #[test]
    fn a_cut_halves_the_load_and_not_the_range() {
        let even: Vec<u64> = (0..100).map(|n| n * 10).collect();
        let cold_tail = (0..90).map(|n| 1_000 + n).chain((0..10).map(|n| n << 60));
        // Two positions with a third each, the rest below them.
        let two = (0..40).chain([500; 30]).chain([900; 30]);
        let one = (0..20).chain([500; 80]);
        let cases = [
            ("even", even.clone(), HashRange::ALL, Cut::At(500)),
            (
                "a crowd",
                cold_tail.collect(),
                HashRange::ALL,
                Cut::At(1_049),
            ),
            (
                "two heavy ones",
                two.collect(),
                HashRange::ALL,
                Cut::At(500),
            ),
            ("one heavy one", one.collect(), HashRange::ALL, Cut::Useless),
            ("one position", vec![7; 100], HashRange::ALL, Cut::Useless),
            ("few", vec![1, 2, 3], HashRange::ALL, Cut::Unknown),
            (
                "those of before a split",
                even,
                HashRange { first: 0, last: 99 },
                Cut::Unknown,
            ),
        ];
        for (case, positions, range, cut) in cases {
            assert_eq!(decide_cut(positions, range), cut, "{case}");
        }
    }

    #[test]
    fn the_ring_holds_the_newest() {
        let heat = Heat::new(Instant::now());
        for n in 0..10 * SAMPLES as u64 {
            heat.note_write(10_000, || Some(n));
        }
        let positions = heat.positions();
        assert_eq!(positions.len(), SAMPLES);
        assert!(positions.iter().all(|p| *p >= 9 * SAMPLES as u64));
    }
}
