//! Seeds for the volume's protocol, and for each rule broken. `SEED=7 cargo test -p quorate-volume-simulator one_seed --
//! --nocapture` tells what happens in one; `SEEDS=n` runs more of them, `FROM=n` others.

use std::ops::Range;

use quorate_volume_simulator::{Breach, Counts, Ran, Rules, run_seed};

/// Seeds that each build runs.
const SEEDS_DEFAULT: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The rule that `BROKEN` names, broken.
fn broken() -> Rules {
    let name = std::env::var("BROKEN").unwrap_or_default();
    let is = |rule| name == rule;
    Rules {
        acknowledges_at_three: is("acknowledges_at_three"),
        answers_before_sync: is("answers_before_sync"),
        writes_before_adoption: is("writes_before_adoption"),
        keeps_void_records: is("keeps_void_records"),
        forgets_state: is("forgets_state"),
        pages_without_state: is("pages_without_state"),
        settles_unfilled: is("settles_unfilled"),
        reads_above_tail: is("reads_above_tail"),
        uses_groups_of_others: is("uses_groups_of_others"),
        looks_once: is("looks_once"),
        shows_overruled: is("shows_overruled"),
        damages_two: is("damages_two"),
    }
}

fn run(seed: u64) -> Ran {
    run_seed(seed, Rules::default(), false)
}

#[test]
fn one_seed() {
    let seed = number("SEED").unwrap_or(1);
    let ran = run_seed(seed, broken(), true);
    if number("SEED").is_some() {
        eprintln!("{}", ran.story.join("\n"));
    }
    eprintln!(
        "seed {seed}: {:?}, quiet after {} ms",
        ran.counts, ran.quiet_ms
    );
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
fn caught(rules: Rules, seeds: Range<u64>, expected: impl Fn(&Breach) -> bool) {
    let seen = seeds.clone().find(|seed| {
        let ran = run_seed(*seed, rules, false);
        ran.breaches.iter().any(&expected)
    });
    assert!(seen.is_some(), "not seen in seeds {seeds:?}: {rules:?}");
    eprintln!("seen in seed {seen:?}: {rules:?}");
}

fn is_lost(breach: &Breach) -> bool {
    matches!(breach, Breach::Lost { .. } | Breach::Line(_))
}

#[test]
fn a_writer_that_acknowledges_at_three_copies_is_caught() {
    let rules = Rules {
        acknowledges_at_three: true,
        ..Rules::default()
    };
    caught(rules, 1..500, is_lost);
}

#[test]
fn answers_that_do_not_wait_for_the_disk_are_caught() {
    let rules = Rules {
        answers_before_sync: true,
        ..Rules::default()
    };
    caught(rules, 1..500, |breach| {
        is_lost(breach) || matches!(breach, Breach::Copy(_))
    });
}

#[test]
fn a_writer_that_does_not_wait_for_its_history_is_caught() {
    let rules = Rules {
        writes_before_adoption: true,
        ..Rules::default()
    };
    caught(rules, 1..500, is_lost);
}

#[test]
fn void_records_that_stay_are_caught() {
    let rules = Rules {
        keeps_void_records: true,
        ..Rules::default()
    };
    caught(rules, 1..500, |breach| matches!(breach, Breach::Copy(_)));
}

#[test]
fn promises_that_are_not_written_down_are_caught() {
    let rules = Rules {
        forgets_state: true,
        ..Rules::default()
    };
    caught(rules, 1..500, |breach| matches!(breach, Breach::Copy(_)));
}

#[test]
fn pages_without_what_was_complete_are_caught() {
    let rules = Rules {
        pages_without_state: true,
        ..Rules::default()
    };
    caught(rules, 1..500, |breach| matches!(breach, Breach::Copy(_)));
}

#[test]
fn a_page_read_above_its_group_s_tail_is_caught() {
    let rules = Rules {
        reads_above_tail: true,
        ..Rules::default()
    };
    caught(rules, 800..1400, |breach| {
        matches!(breach, Breach::WrongPage(_))
    });
}

#[test]
fn a_copy_that_goes_before_its_successor_is_filled_is_caught() {
    let rules = Rules {
        settles_unfilled: true,
        ..Rules::default()
    };
    caught(rules, 1..500, |breach| {
        is_lost(breach) || matches!(breach, Breach::Stuck(_))
    });
}

/// Where the quorums end: four that sealed meet four that wrote in two.
#[test]
fn two_copies_that_lost_what_they_had_synced_are_too_many() {
    let rules = Rules {
        damages_two: true,
        ..Rules::default()
    };
    caught(rules, 1..500, is_lost);
}

/// A view showed a group without what another group had been told to be complete a moment later: the answers of a view are
/// of different moments, those of a recovery are of copies that no older writer can complete anything with.
#[test]
fn a_view_of_answers_of_different_moments_is_caught() {
    let rules = Rules {
        looks_once: true,
        ..Rules::default()
    };
    for seed in [70_989, 75_589, 92_072] {
        caught(rules, seed..seed + 1, |breach| {
            matches!(breach, Breach::WrongPage(_))
        });
        assert_eq!(run(seed).breaches, []);
    }
}

/// The worlds in which these were found have views that look once.
fn run_as_found(seed: u64) -> Ran {
    let rules = Rules {
        looks_once: true,
        ..Rules::default()
    };
    run_seed(seed, rules, false)
}

/// A copy that came back with more than its writer knew did not count, and VDL stood still.
#[test]
fn a_copy_counts_that_restarts_before_its_answer_has_left() {
    for seed in [190, 313, 637] {
        assert_eq!(run_as_found(seed).breaches, []);
    }
}

/// A copy that took a history from a peer went on asking for records that the history had made void.
#[test]
fn a_copy_does_not_look_for_what_became_void() {
    for seed in [883, 946, 1966] {
        assert_eq!(run_as_found(seed).breaches, []);
    }
}

#[test]
fn a_writer_that_was_replaced_and_uses_later_groups_is_caught() {
    let rules = Rules {
        uses_groups_of_others: true,
        ..Rules::default()
    };
    caught(rules, 300..900, is_lost);
}

#[test]
fn a_view_of_what_was_cut_off_is_caught() {
    let rules = Rules {
        shows_overruled: true,
        ..Rules::default()
    };
    caught(rules, 1..500, |breach| {
        matches!(breach, Breach::WrongPage(_))
    });
}
