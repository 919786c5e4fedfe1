//! Seeds for the rules as they are, and for each rule broken. `SEED=n cargo test -p quorate-simulator one_seed --
//! --nocapture` tells the story of one; `SEEDS=n` runs more of them, `FROM=n` others.

use quorate_simulator::{Breach, Ran, Rules, run_seed};

/// Seeds that each build runs.
const SEEDS_DEFAULT: u64 = 300;
/// Within how many seeds a broken rule must be seen.
const BROKEN_SEEDS_MAX: u64 = 1_500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn report(seed: u64, ran: &Ran) -> String {
    let story = &ran.story[ran.story.len().saturating_sub(120)..];
    format!(
        "seed {seed}: {:?}\n{}\nreplay: SEED={seed} cargo test -p quorate-simulator one_seed -- --nocapture",
        ran.breaches,
        story.join("\n")
    )
}

#[test]
fn every_promise_is_kept_in_every_seed() {
    let from = number("FROM").unwrap_or(0);
    let seeds = number("SEEDS").unwrap_or(SEEDS_DEFAULT);
    let (mut acknowledged, mut promotions, mut slowest) = (0, 0, 0);
    let mut failed = Vec::new();
    for seed in from..from + seeds {
        let ran = run_seed(seed, Rules::default());
        acknowledged += ran.acknowledged;
        promotions += ran.promotions;
        slowest = slowest.max(ran.recovered_ms);
        if !ran.breaches.is_empty() {
            failed.push((seed, ran));
        }
    }
    let seen: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(
        failed.is_empty(),
        "seeds {seen:?}\n{}",
        report(failed[0].0, &failed[0].1)
    );
    assert!(
        acknowledged > seeds * 100,
        "{acknowledged} writes in {seeds} seeds are no test"
    );
    assert!(
        promotions > seeds,
        "{promotions} promotions in {seeds} seeds are no test"
    );
    assert!(slowest < 90_000);
}

#[test]
fn one_seed() {
    let seed = number("SEED").unwrap_or(1);
    let ran = run_seed(seed, Rules::default());
    if std::env::var("SEED").is_ok() {
        eprintln!(
            "{}\n{:?} writes, recovered in {} ms",
            ran.story.join("\n"),
            ran.acknowledged,
            ran.recovered_ms
        );
    }
    assert!(ran.breaches.is_empty(), "{}", report(seed, &ran));
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let (one, other) = (run_seed(7, Rules::default()), run_seed(7, Rules::default()));
    assert_eq!(
        (one.story, one.acknowledged),
        (other.story, other.acknowledged)
    );
}

/// The first breach of the expected kind within the seeds.
fn caught(name: &str, rules: Rules, expected: fn(&Breach) -> bool) {
    let from = number("FROM").unwrap_or(0);
    for seed in from..from + number("SEEDS").unwrap_or(0).max(BROKEN_SEEDS_MAX) {
        let ran = run_seed(seed, rules);
        if ran.breaches.iter().any(expected) {
            eprintln!("{name}: seen in seed {seed}: {:?}", ran.breaches);
            if std::env::var("STORY").is_ok() {
                eprintln!("{}", ran.story.join("\n"));
            }
            return;
        }
    }
    panic!("{name}: not seen in {BROKEN_SEEDS_MAX} seeds");
}

fn loses(breach: &Breach) -> bool {
    matches!(
        breach,
        Breach::Promotion(_) | Breach::Ledger(_) | Breach::Fencing(_)
    )
}

#[test]
fn promoting_a_standby_that_is_not_in_sync_is_caught() {
    caught(
        "promote_unsynced",
        Rules {
            promote_unsynced: true,
            ..Rules::default()
        },
        loses,
    );
}

#[test]
fn going_on_alone_before_the_catalog_says_so_is_caught() {
    caught(
        "stop_before_declaring",
        Rules {
            stop_before_declaring: true,
            ..Rules::default()
        },
        loses,
    );
}

#[test]
fn declaring_a_standby_in_sync_without_the_barrier_is_caught() {
    caught(
        "no_barrier",
        Rules {
            no_barrier: true,
            ..Rules::default()
        },
        loses,
    );
}

#[test]
fn engines_that_outlive_their_lease_are_caught() {
    let beside = |breach: &Breach| matches!(breach, Breach::ServesBeside { .. });
    caught(
        "no_fence",
        Rules {
            no_fence: true,
            ..Rules::default()
        },
        beside,
    );
}

#[test]
fn a_declaration_that_comes_late_is_caught() {
    let rules = Rules {
        forget_unknown_declaration: true,
        ..Rules::default()
    };
    caught("forget_unknown_declaration", rules, loses);
}

#[test]
fn a_leader_that_starts_before_its_earlier_life_is_outdated_is_caught() {
    let rules = Rules {
        start_without_claim: true,
        ..Rules::default()
    };
    caught("start_without_claim", rules, loses);
}

#[test]
fn taking_one_standby_for_another_is_caught() {
    caught(
        "wait_for_any",
        Rules {
            wait_for_any: true,
            ..Rules::default()
        },
        loses,
    );
}

#[test]
fn a_deposed_leader_whose_decisions_are_handed_on_is_caught() {
    let beside = |breach: &Breach| matches!(breach, Breach::ServesBeside { .. });
    caught(
        "forward_decisions",
        Rules {
            forward_decisions: true,
            ..Rules::default()
        },
        beside,
    );
}

#[test]
fn an_address_that_is_not_written_again_is_caught() {
    let stuck = |breach: &Breach| matches!(breach, Breach::Stuck(_));
    caught(
        "write_address_once",
        Rules {
            write_address_once: true,
            ..Rules::default()
        },
        stuck,
    );
}
