//! Seeds for the volume's protocol, and for each rule broken. `SEED=7 cargo test -p quorate-volume-simulator one_seed --
//! --nocapture` tells what happens in one; `SEEDS=n` runs more of them, `FROM=n` others.

use quorate_volume_simulator::{Breach, Counts, Ran, Rules, run_seed};

/// Seeds that each build runs.
const SEEDS_DEFAULT: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) -> Ran {
    run_seed(seed, Rules::default(), false)
}

#[test]
fn one_seed() {
    let seed = number("SEED").unwrap_or(1);
    let ran = run_seed(seed, Rules::default(), true);
    if number("SEED").is_some() {
        eprintln!("{}", ran.story.join("\n"));
    }
    eprintln!("seed {seed}: {:?}, quiet after {} ms", ran.counts, ran.quiet_ms);
    assert_eq!(ran.breaches, [], "seed {seed}");
}

#[test]
fn every_promise_is_kept_in_every_seed() {
    let from = number("FROM").unwrap_or(1);
    let seeds = number("SEEDS").unwrap_or(SEEDS_DEFAULT);
    let mut all = Counts::default();
    let mut failed = Vec::new();
    let mut slowest = 0;
    for seed in from..from + seeds {
        let ran = run(seed);
        if !ran.breaches.is_empty() {
            eprintln!(
                "seed {seed}: {:?}\nreplay: SEED={seed} cargo test -p quorate-volume-simulator one_seed -- --nocapture",
                ran.breaches
            );
            failed.push(seed);
        }
        slowest = ran.quiet_ms.max(slowest);
        all.add(&ran.counts);
    }
    eprintln!("{seeds} seeds, slowest quiet {slowest} ms: {all:?}");
    assert!(failed.is_empty(), "seeds {failed:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 9] {
        let (one, other) = (run(seed), run(seed));
        assert_eq!((one.hash, one.counts), (other.hash, other.counts));
    }
}

/// Within these seeds a breach is seen that `expected` takes.
fn caught(rules: Rules, seeds: u64, expected: impl Fn(&Breach) -> bool) {
    let seen = (1..=seeds).find(|seed| {
        let ran = run_seed(*seed, rules, false);
        ran.breaches.iter().any(&expected)
    });
    assert!(seen.is_some(), "not seen in {seeds} seeds: {rules:?}");
    eprintln!("seen in seed {seen:?}");
}
