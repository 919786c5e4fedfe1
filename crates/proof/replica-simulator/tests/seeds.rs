//! Seeds for hosts as they are, and for each rule broken. `SEED=n cargo test -p quorate-replica-simulator one_seed --
//! --nocapture` runs one; with `STORY=1` it tells what happened, with `TRACE=1` each message, with `RUST_LOG` what the
//! hosts say. `SEEDS=n` runs more of them, `FROM=n` others.
//!
//! Each seed has a process of its own: see `randomness`.

use std::process::{Child, Command, Stdio};

use quorate_replica_simulator::{Rules, run_seed};

/// Seeds that each build runs.
const SEEDS_DEFAULT: u64 = 60;
/// Within how many seeds a broken rule must be seen.
const BROKEN_SEEDS_MAX: u64 = 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn rules(broken: &str) -> Rules {
    let is = |name| broken == name;
    Rules {
        syncs_lie: is("syncs_lie"),
        flushes_lie: is("flushes_lie"),
        clocks_apart: is("clocks_apart"),
        reads_without_permit: is("reads_without_permit"),
        commands_left_out: is("commands_left_out"),
    }
}

/// The run of `SEED`, with the rule `BROKEN` broken: what the processes of the other tests do.
#[test]
fn one_seed() {
    let seed = number("SEED").unwrap_or(1);
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .without_time()
            .with_writer(std::io::stderr)
            .init();
    }
    let broken = std::env::var("BROKEN").unwrap_or_default();
    let ran = run_seed(seed, rules(&broken)).unwrap();
    if std::env::var_os("STORY").is_some() {
        eprintln!("{}", ran.story.join("\n"));
    }
    eprintln!(
        "RAN hash {:016x} acknowledged {} operations {} leaderships {} snapshots {} partitions {} messages {} quiet {}",
        ran.hash,
        ran.acknowledged,
        ran.operations,
        ran.leaderships,
        ran.snapshots,
        ran.partitions,
        ran.messages,
        ran.recovered_ms
    );
    for breach in &ran.breaches {
        eprintln!("BREACH {}", format!("{breach:?}").replace('\n', " "));
    }
    assert!(ran.breaches.is_empty(), "seed {seed}: promises were broken");
}

struct Told {
    seed: u64,
    kept: bool,
    /// What the run came to, in a line.
    ran: String,
    breaches: Vec<String>,
    all: String,
}

impl Told {
    fn figure(&self, name: &str) -> u64 {
        let mut words = self.ran.split_whitespace();
        let value = words.find(|word| *word == name).and_then(|_| words.next());
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

fn begin(seed: u64, broken: &str) -> (u64, Child) {
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["one_seed", "--exact", "--nocapture"])
        .env("SEED", seed.to_string())
        .env("BROKEN", broken)
        .env_remove("STORY")
        .env_remove("TRACE")
        .env_remove("RUST_LOG")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program starts");
    (seed, child)
}

fn end((seed, child): (u64, Child)) -> Told {
    let output = child.wait_with_output().expect("the process ends");
    let all = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = |head: &str| -> Vec<String> {
        let told = all.lines().filter_map(|line| line.strip_prefix(head));
        told.map(str::to_owned).collect()
    };
    Told {
        seed,
        kept: output.status.success(),
        ran: lines("RAN ").pop().unwrap_or_default(),
        breaches: lines("BREACH "),
        all,
    }
}

/// Runs seeds, a few at a time, until one is enough.
fn run_seeds(
    seeds: impl Iterator<Item = u64>,
    broken: &str,
    mut enough: impl FnMut(&Told) -> bool,
) {
    let at_a_time = std::thread::available_parallelism().map_or(1, usize::from);
    let mut running = std::collections::VecDeque::new();
    let mut seeds = seeds.peekable();
    let mut done = false;
    while (!done && seeds.peek().is_some()) || !running.is_empty() {
        while !done && running.len() < at_a_time && seeds.peek().is_some() {
            running.extend(seeds.next().map(|seed| begin(seed, broken)));
        }
        if let Some(first) = running.pop_front() {
            done |= enough(&end(first));
        }
    }
}

fn check(seeds: impl Iterator<Item = u64>) {
    let (mut runs, mut acknowledged, mut leaderships, mut snapshots) = (0, 0, 0, 0);
    let (mut partitions, mut failed) = (0, Vec::new());
    run_seeds(seeds, "", |told| {
        runs += 1;
        acknowledged += told.figure("acknowledged");
        leaderships += told.figure("leaderships");
        snapshots += told.figure("snapshots");
        partitions += told.figure("partitions");
        if !told.kept {
            let seed = told.seed;
            eprintln!(
                "seed {seed}: {:?}\n{}\nreplay: SEED={seed} STORY=1 cargo test -p quorate-replica-simulator one_seed -- --nocapture",
                told.breaches,
                if told.ran.is_empty() {
                    &told.all
                } else {
                    &told.ran
                }
            );
            failed.push(seed);
        }
        false
    });
    eprintln!(
        "{runs} seeds: {acknowledged} writes, {leaderships} leaderships, {snapshots} snapshots, {partitions} partitions"
    );
    assert!(failed.is_empty(), "seeds {failed:?}");
    if runs >= 20 {
        assert!(acknowledged > runs * 80, "too few writes for a test");
        assert!(leaderships > runs * 4, "too few leaderships for a test");
        assert!(snapshots > runs / 4, "too few snapshots for a test");
        assert!(partitions > runs * 2, "too few splits for a test");
    }
}

#[test]
fn every_promise_is_kept_in_every_seed() {
    let from = number("FROM").unwrap_or(1);
    let seeds = number("SEEDS").unwrap_or(SEEDS_DEFAULT);
    check(from..from + seeds);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 9] {
        let (one, other) = (end(begin(seed, "")), end(begin(seed, "")));
        assert!(one.ran.contains("hash"), "{}", one.all);
        assert_eq!(one.ran, other.ran);
    }
}

/// A replica whose log had lost its note of a snapshot did not start.
#[test]
fn a_replica_starts_after_its_log_lost_the_note_of_a_snapshot() {
    check([60, 78].into_iter());
}

/// A voter with less of the log kept those from being elected that had more.
#[test]
fn a_voter_with_less_of_the_log_makes_way() {
    check([57, 81].into_iter());
}

/// A follower was never told of the last commit; a voter with a higher vote was never heard.
#[test]
fn who_missed_the_last_message_is_told_again() {
    check([47, 87].into_iter());
}

/// A condition was refused because of a write that a split had turned away.
#[test]
fn a_refusal_does_not_rest_on_a_write_that_a_split_turned_away() {
    check([49, 127, 202, 250].into_iter());
}

/// Within the seeds a breach is seen whose name begins with one of these.
fn caught(broken: &str, expected: &[&str]) {
    let mut seen = None;
    run_seeds(1..=BROKEN_SEEDS_MAX, broken, |told| {
        let breach = told
            .breaches
            .iter()
            .find(|breach| expected.iter().any(|name| breach.starts_with(name)));
        if let Some(breach) = breach
            && seen.is_none()
        {
            eprintln!("{broken}: seen in seed {}: {breach}", told.seed);
            seen = Some(told.seed);
        }
        seen.is_some()
    });
    assert!(
        seen.is_some(),
        "{broken}: not seen in {BROKEN_SEEDS_MAX} seeds"
    );
}

#[test]
fn syncs_that_are_acknowledged_before_they_are_durable_are_caught() {
    caught(
        "syncs_lie",
        &["Lost", "NotLinearizable", "Diverged", "Miscounted"],
    );
}

#[test]
fn flushes_that_keep_nothing_are_caught() {
    caught(
        "flushes_lie",
        &["Lost", "NotLinearizable", "Diverged", "Stuck", "NotStarted"],
    );
}

#[test]
fn a_lease_longer_than_its_promises_is_caught() {
    caught("clocks_apart", &["TwoLeases"]);
}

#[test]
fn reads_without_a_permit_are_caught() {
    caught("reads_without_permit", &["NotLinearizable"]);
}

#[test]
fn a_machine_that_leaves_a_command_out_is_caught() {
    caught(
        "commands_left_out",
        &["Unequal", "NotLinearizable", "Miscounted", "Lost"],
    );
}
