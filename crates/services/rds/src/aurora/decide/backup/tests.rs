//! Bases, moments and retention by tables.

use super::*;
use crate::aurora::fixture::node;

const NOW: UnixMillis = UnixMillis(1_000 * DAY_MS);

fn run(folder: &str, after: u64, end: u64) -> LogRun {
    LogRun {
        folder: folder.to_owned(),
        after: Lsn(after),
        end: Lsn(end),
        files: 1,
    }
}

/// A chain from `since` to `until`, in hours before now.
fn chain(since: u64, until: u64, runs: &[LogRun], ended: bool) -> LogChain {
    LogChain {
        since: ago(since),
        until: ago(until),
        groups: 2,
        runs: runs.to_vec(),
        ended: ended.then(|| String::from("no room")),
    }
}

fn ago(hours: u64) -> UnixMillis {
    UnixMillis(NOW.0 - hours * 3_600_000)
}

fn base(id: &str, lsn: u64, hours_ago: u64) -> Base {
    Base {
        id: id.to_owned(),
        lsn: Lsn(lsn),
        at: ago(hours_ago),
    }
}

fn backup(chains: Vec<LogChain>) -> ClusterBackup {
    ClusterBackup {
        chains,
        ..ClusterBackup::default()
    }
}

/// Two chains with a gap between 30 and 20 hours ago.
fn with_gap() -> (ClusterBackup, Vec<Base>) {
    let first = chain(90, 30, &[run("a", 0, 100), run("b", 100, 200)], true);
    let second = chain(21, 0, &[run("c", 300, 400), run("d", 400, 500)], false);
    let bases = vec![
        base("b90", 5, 90),
        base("b66", 90, 66),
        base("b42", 150, 42),
        base("b20", 310, 20),
    ];
    (backup(vec![first, second]), bases)
}

fn attempt(letter: char, failure: Option<&str>) -> Attempt {
    Attempt {
        number: 1,
        node: node(letter),
        since: NOW,
        reading_epoch: None,
        filling_epoch: None,
        run: None,
        failure: failure.map(str::to_owned),
        percent: 0,
    }
}

fn archiver(last: Option<&Attempt>, wanted: bool, alive: &str, later_ms: u64) -> ArchiverDecision {
    let nodes = [node('c'), node('a'), node('b')];
    let alive = alive.chars().map(node).collect();
    decide_archiver(last, wanted, &nodes, &alive, UnixMillis(NOW.0 + later_ms))
}

fn begins(number: u32, letter: char) -> ArchiverDecision {
    let node = node(letter);
    ArchiverDecision::Begin { node, number }
}

#[test]
fn one_node_archives_and_another_goes_on_at_once_when_it_is_lost() {
    assert_eq!(archiver(None, true, "abc", 0), begins(1, 'c'));
    assert_eq!(archiver(None, false, "abc", 0), ArchiverDecision::Wait);
    let open = attempt('c', None);
    assert_eq!(
        archiver(Some(&open), true, "abc", 0),
        ArchiverDecision::Wait
    );
    for (wanted, alive) in [(true, "ab"), (false, "abc")] {
        let over = archiver(Some(&open), wanted, alive, 0);
        assert!(matches!(over, ArchiverDecision::Over(_)), "{over:?}");
    }
    let lost = attempt('c', Some("does not answer"));
    assert_eq!(archiver(Some(&lost), true, "ab", 0), begins(2, 'b'));
    assert_eq!(archiver(Some(&lost), true, "", 0), ArchiverDecision::Wait);
}

#[test]
fn an_attempt_that_failed_by_itself_is_followed_after_a_pause() {
    let failed = attempt('c', Some("no room"));
    let early = archiver(Some(&failed), true, "abc", ARCHIVER_PAUSE_MS - 1);
    assert_eq!(early, ArchiverDecision::Wait);
    assert_eq!(
        archiver(Some(&failed), true, "abc", ARCHIVER_PAUSE_MS),
        begins(2, 'a')
    );
    let ninth = Attempt {
        number: 9,
        ..failed
    };
    let later = |ms| archiver(Some(&ninth), true, "abc", ms);
    assert_eq!(later(3 * ARCHIVER_PAUSE_MS - 1), ArchiverDecision::Wait);
    assert_eq!(later(3 * ARCHIVER_PAUSE_MS), begins(10, 'c'));
}

#[test]
fn a_base_is_due_when_a_chain_has_none_and_once_in_each_window() {
    let now = UnixMillis::from_iso8601("2026-11-24T04:10:00Z").unwrap();
    let window = "04:00-04:30";
    let hours = |hours: u64| UnixMillis(now.0 - hours * 3_600_000);
    let log = backup(vec![chain(90, 0, &[run("a", 10, 100)], false)]);
    let base = |lsn| [base("x", lsn, 1)];
    let due = |bases: &[Base], newest, now| is_base_due(&log, bases, newest, window, now);
    assert!(due(&[], None, now));
    assert!(
        due(&base(9), Some((hours(1), false)), now),
        "before the log"
    );
    assert!(
        !due(&base(200), Some((now, false)), now),
        "the log will come there"
    );
    assert!(due(&base(20), Some((hours(1), false)), now));
    let later = UnixMillis(now.0 + 3_600_000);
    assert!(!due(&base(20), Some((hours(1), false)), later));
    assert!(due(&base(20), Some((hours(25), false)), later), "missed");
    assert!(!due(
        &[],
        Some((now, true)),
        UnixMillis(now.0 + BASE_PAUSE_MS - 1)
    ));
    assert!(due(
        &[],
        Some((now, true)),
        UnixMillis(now.0 + BASE_PAUSE_MS)
    ));
    let ended = backup(vec![chain(90, 0, &[run("a", 10, 100)], true)]);
    assert!(!is_base_due(&ended, &[], None, window, now));
}

#[test]
fn a_moment_is_restored_from_the_newest_base_before_it() {
    let (backup, bases) = with_gap();
    let at = |hours, days| decide_restore(&backup, &bases, days, ago(hours), NOW);
    for (hours, wanted, folders) in [
        (90, "b90", "a b"),
        (50, "b66", "a b"),
        (42, "b42", "b"),
        (30, "b42", "b"),
        (20, "b20", "c d"),
        (0, "b20", "c d"),
    ] {
        let plan = at(hours, 35).unwrap();
        let found: Vec<&str> = plan.runs.iter().map(|run| run.folder.as_str()).collect();
        assert_eq!(
            (plan.base.as_str(), found.join(" ").as_str()),
            (wanted, folders)
        );
        assert_eq!(plan.groups, 2);
    }
    assert_eq!(at(91, 35), Err(Unrestorable::TooEarly(ago(90))));
    assert_eq!(at(50, 2), Err(Unrestorable::TooEarly(ago(48))));
    assert_eq!(at(25, 35), Err(Unrestorable::Gap(ago(30), ago(20))));
    let later = UnixMillis(NOW.0 + 1);
    let late = decide_restore(&backup, &bases, 35, later, NOW);
    assert_eq!(late, Err(Unrestorable::TooLate(NOW)));
    let none = decide_restore(&backup, &[], 35, NOW, NOW);
    assert_eq!(none, Err(Unrestorable::Nothing));
}

#[test]
fn a_base_whose_log_is_not_archived_so_far_is_not_counted() {
    let (backup, _) = with_gap();
    let ahead = [base("x", 501, 1)];
    assert_eq!(restorable(&backup, &ahead, 35, NOW), []);
    let between = [base("x", 250, 25)];
    assert_eq!(restorable(&backup, &between, 35, NOW), []);
}

fn expiry(days: u32) -> Option<(String, String, usize)> {
    let (backup, bases) = with_gap();
    let expired = decide_expiry(&backup, &bases, days, NOW)?;
    let folders: Vec<String> = expired.folders.into_iter().collect();
    Some((
        expired.bases.join(" "),
        folders.join(" "),
        expired.chains.len(),
    ))
}

#[test]
fn what_is_too_old_goes_and_what_the_first_moment_needs_stays() {
    assert_eq!(expiry(35), None);
    // 72 hours ago is between the first two bases: the first one is needed.
    assert_eq!(expiry(3), None);
    // 48 hours ago needs the second one, and the first run's end lies above it.
    assert_eq!(expiry(2), Some(("b90".into(), String::new(), 2)));
    // 24 hours ago lies in the gap: nothing of the first chain is of use.
    assert_eq!(expiry(1), Some(("b90 b66 b42".into(), "a b".into(), 1)));
}

#[test]
fn log_before_the_oldest_base_goes_and_a_chain_that_waits_for_its_base_stays() {
    let runs = [run("a", 0, 100), run("b", 100, 200), run("c", 200, 200)];
    let log = backup(vec![chain(90, 0, &runs, false)]);
    assert_eq!(decide_expiry(&log, &[], 35, NOW), None);
    let expired = decide_expiry(&log, &[base("x", 200, 1)], 35, NOW).unwrap();
    assert_eq!(expired.folders.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(expired.chains[0].after(), Lsn(200));
    let ended = backup(vec![chain(90, 80, &runs, true)]);
    let expired = decide_expiry(&ended, &[], 35, NOW).unwrap();
    assert_eq!((expired.folders.len(), expired.chains.len()), (3, 0));
}
