//! What comes from outside never panics a parser or a codec, and what is read is written back the same.
//!
//! All fuzzers run at the same time, for `QUORATE_FUZZ_SECONDS`; a second is the default, `make unit` gives more.

#![allow(clippy::unwrap_used)]

mod texts;
mod values;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

/// What is fuzzed.
const FUZZERS: [(&str, fn()); 5] = [
    ("the parsers of expressions", texts::expressions),
    ("the parser of statements", texts::statements),
    ("the decoder of JSON", values::json_is_read),
    ("the codec of numbers", values::numbers_are_read),
    ("the codec of keys", values::keys_are_read),
];

/// In one test, for the harness runs no more tests at once than there are cores.
#[test]
fn nothing_from_outside_panics() {
    let run = |(name, fuzzer): (&str, fn())| {
        let thread = std::thread::Builder::new().name(name.to_owned());
        (name.to_owned(), thread.spawn(fuzzer).unwrap())
    };
    let threads = FUZZERS.map(run);
    let ended = threads.map(|(name, thread)| (name, thread.join().is_ok()));
    let failed: Vec<&String> = ended
        .iter()
        .filter_map(|(name, fine)| (!fine).then_some(name))
        .collect();
    assert!(failed.is_empty(), "see above: {failed:?}");
}

/// How long each fuzzer goes on.
fn time() -> Duration {
    let seconds = std::env::var("QUORATE_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(1);
    Duration::from_secs(seconds)
}

/// Tries inputs until the time is over; an input that panics is told.
fn run<S: Strategy>(inputs: S, attempt: impl Fn(&S::Value)) {
    let deadline = Instant::now() + time();
    let mut runner = TestRunner::new(Config::default());
    let mut tried = 0_u64;
    while tried == 0 || Instant::now() < deadline {
        let input = inputs.new_tree(&mut runner).unwrap().current();
        let outcome = catch_unwind(AssertUnwindSafe(|| attempt(&input)));
        assert!(outcome.is_ok(), "panicked on {}", shown(&input));
        tried += 1;
    }
}

fn shown(input: &impl Debug) -> String {
    format!("{input:?}")
}
