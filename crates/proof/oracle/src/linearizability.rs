//! The promise to readers and writers of one key: there is one order of all operations, in agreement with the order in
//! which they were seen to happen, in which each answer is right.
//!
//! The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of what was tried,
//! for each key by itself. Every value is written by one operation at most, which makes unknown outcomes easy: a write
//! that nobody answered for took effect before the first one who saw its value was answered; one that nobody saw can as
//! well never have happened, because only another write can have followed it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// Steps of the search for one key. A history of a healthy register takes about one step an operation.
const STEPS_MAX: usize = 20_000_000;

/// What a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Write the value.
    Put(u64),
    /// Write the value if what is there is `expected`; none for nothing.
    CompareAndSet {
        /// What must be there.
        expected: Option<u64>,
        /// What is written.
        value: u64,
    },
    /// Say what is there.
    Read,
}

impl Action {
    fn written(self) -> Option<u64> {
        match self {
            Action::Put(value) | Action::CompareAndSet { value, .. } => Some(value),
            Action::Read => None,
        }
    }
}

/// What the client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was written.
    Done,
    /// What is there: the answer to a read, or to a compare-and-set that was refused because of it.
    Found(Option<u64>),
    /// It was surely not done.
    Failed,
    /// Nobody knows: it may have been done, or be done at any later time.
    Unknown,
}

/// One operation on one key, with times on one monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The key.
    pub key: String,
    /// Who asked.
    pub client: u32,
    /// When it was begun, in microseconds since the history's start.
    pub start_us: u64,
    /// When the answer was there.
    pub end_us: u64,
    /// What was asked for.
    pub action: Action,
    /// What was answered.
    pub answer: Answer,
}

/// What the operations come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinearizabilityVerdict {
    /// Operations that had a part in it.
    pub operations: u64,
    /// For each key without such an order, the operation at which every order that was tried ends.
    pub violations: Vec<Operation>,
    /// Keys for which the search was given up, or in which two operations write one value.
    pub undecided: Vec<String>,
}

impl LinearizabilityVerdict {
    /// Whether the promise was kept, as far as it could be decided: wholly.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }
}

/// Looks for such an order for each key. Every key begins with nothing. Reads that may be old do not belong in here.
#[must_use]
pub fn check_linearizability(history: &[Operation]) -> LinearizabilityVerdict {
    let mut keys: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        keys.entry(&operation.key).or_default().push(operation);
    }
    let mut verdict = LinearizabilityVerdict::default();
    for (key, operations) in keys {
        let Some(steps) = steps(&operations) else {
            verdict.undecided.push(key.to_owned());
            continue;
        };
        verdict.operations += steps.len() as u64;
        match Search::new(&steps).run() {
            Found::Order => {}
            Found::None(at) => verdict.violations.push(operations[steps[at].from].clone()),
            Found::GivenUp => verdict.undecided.push(key.to_owned()),
        }
    }
    verdict
}

/// What an operation does to the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Write(u64),
    Swap(Option<u64>, u64),
    Saw(Option<u64>),
}

/// An operation that has a place in the order.
#[derive(Debug, Clone, Copy)]
struct Step {
    start_us: u64,
    end_us: u64,
    effect: Effect,
    /// Which operation of the key's.
    from: usize,
}

/// The operations that have a place, by their start; none when a value is written twice.
fn steps(operations: &[&Operation]) -> Option<Vec<Step>> {
    let mut written = HashSet::new();
    let mut seen: HashMap<u64, u64> = HashMap::new();
    for operation in operations {
        if let Some(value) = operation.action.written()
            && !written.insert(value)
        {
            return None;
        }
        if let Some(value) = observed(operation) {
            note(&mut seen, value, operation.end_us);
        }
    }
    see_through_unknown(operations, &mut seen);
    let mut steps: Vec<Step> = operations
        .iter()
        .enumerate()
        .filter_map(|(from, operation)| step(operation, from, &seen))
        .collect();
    steps.sort_by_key(|step| (step.start_us, step.end_us));
    Some(steps)
}

/// Notes that a value was there at that time; whether that is the earliest.
fn note(seen: &mut HashMap<u64, u64>, value: u64, at_us: u64) -> bool {
    let first = seen.entry(value).or_insert(u64::MAX);
    let earlier = at_us < *first;
    *first = at_us.min(*first);
    earlier
}

/// A compare-and-set that nobody answered for, and whose value was seen, has itself seen what it expected.
fn see_through_unknown(operations: &[&Operation], seen: &mut HashMap<u64, u64>) {
    let mut changed = true;
    while changed {
        changed = false;
        for operation in operations {
            let Action::CompareAndSet { expected, value } = operation.action else {
                continue;
            };
            if operation.answer == Answer::Unknown
                && let (Some(expected), Some(at_us)) = (expected, seen.get(&value).copied())
            {
                changed |= note(seen, expected, at_us);
            }
        }
    }
}

/// The value that an operation shows to have been there.
fn observed(operation: &Operation) -> Option<u64> {
    match (operation.action, operation.answer) {
        (_, Answer::Found(found)) => found,
        (Action::CompareAndSet { expected, .. }, Answer::Done) => expected,
        _ => None,
    }
}

fn step(operation: &Operation, from: usize, seen: &HashMap<u64, u64>) -> Option<Step> {
    let effect = match (operation.action, operation.answer) {
        (_, Answer::Failed) | (Action::Read, Answer::Unknown | Answer::Done) => return None,
        (_, Answer::Found(found)) => Effect::Saw(found),
        (Action::Put(value), _) => Effect::Write(value),
        (Action::CompareAndSet { expected, value }, _) => Effect::Swap(expected, value),
    };
    let end_us = match operation.answer {
        Answer::Unknown => operation
            .action
            .written()
            .and_then(|v| seen.get(&v).copied())?,
        _ => operation.end_us,
    };
    Some(Step {
        start_us: operation.start_us,
        // Whoever saw it before it was begun finds no order below.
        end_us: end_us.max(operation.start_us),
        effect,
        from,
    })
}

fn apply(effect: Effect, state: Option<u64>) -> Option<Option<u64>> {
    match effect {
        Effect::Write(value) => Some(Some(value)),
        Effect::Swap(expected, value) => (state == expected).then_some(Some(value)),
        Effect::Saw(found) => (state == found).then_some(state),
    }
}

enum Found {
    Order,
    /// The step that is first in time of those that the longest order leaves out.
    None(usize),
    GivenUp,
}

/// A search through the orders of one key's steps.
struct Search<'a> {
    steps: &'a [Step],
    taken: Vec<bool>,
    order: Vec<(usize, Option<u64>)>,
    state: Option<u64>,
    /// The first step that is not taken.
    low: usize,
    /// Stands for the set of steps that are taken.
    sum: u128,
    tried: HashSet<(u128, Option<u64>)>,
}

impl Search<'_> {
    fn new(steps: &[Step]) -> Search<'_> {
        Search {
            steps,
            taken: vec![false; steps.len()],
            order: Vec::with_capacity(steps.len()),
            state: None,
            low: 0,
            sum: 0,
            tried: HashSet::new(),
        }
    }

    fn run(mut self) -> Found {
        let mut from = 0;
        let (mut longest, mut stuck) = (0, 0);
        for _ in 0..STEPS_MAX {
            if self.order.len() == self.steps.len() {
                return Found::Order;
            }
            if let Some(next) = self.candidate(from) {
                from = if self.take(next) { 0 } else { next + 1 };
                continue;
            }
            if self.order.len() >= longest {
                (longest, stuck) = (self.order.len(), self.low);
            }
            match self.order.pop() {
                Some((at, before)) => from = self.untake(at, before),
                None => return Found::None(stuck),
            }
        }
        Found::GivenUp
    }

    /// The next step from there on that can come next: no other one ended before it began, and the state allows it.
    fn candidate(&self, from: usize) -> Option<usize> {
        let mut first_end = u64::MAX;
        for at in self.low..self.steps.len() {
            let step = &self.steps[at];
            if step.start_us > first_end {
                return None;
            }
            if self.taken[at] {
                continue;
            }
            if at >= from && apply(step.effect, self.state).is_some() {
                return Some(at);
            }
            first_end = first_end.min(step.end_us);
        }
        None
    }

    /// Takes a step, unless this set of steps was left in this state before.
    fn take(&mut self, at: usize) -> bool {
        let Some(after) = apply(self.steps[at].effect, self.state) else {
            return false;
        };
        let sum = self.sum ^ number_of(at);
        if !self.tried.insert((sum, after)) {
            return false;
        }
        self.order.push((at, self.state));
        (self.sum, self.state) = (sum, after);
        self.taken[at] = true;
        while self.taken.get(self.low) == Some(&true) {
            self.low += 1;
        }
        true
    }

    fn untake(&mut self, at: usize, before: Option<u64>) -> usize {
        self.taken[at] = false;
        self.state = before;
        self.sum ^= number_of(at);
        self.low = self.low.min(at);
        at + 1
    }
}

/// A number that looks random: sets are told apart by the sum of their members' numbers.
fn number_of(at: usize) -> u128 {
    let half = |seed: u64| {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        let mut z = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    u128::from(half(0x1234_5678_9ABC_DEF1)) << 64 | u128::from(half(0xFEDC_BA98_7654_3210))
}

#[cfg(test)]
mod tests;
