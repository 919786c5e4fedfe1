//! Histories that keep the promise, and histories that break it.

use super::*;

use Action::{CompareAndSet, Put, Read};
use Answer::{Done, Failed, Found as Saw, Unknown};

fn operation(start_us: u64, end_us: u64, action: Action, answer: Answer) -> Operation {
    Operation {
        key: String::from("k"),
        client: 0,
        start_us,
        end_us,
        action,
        answer,
    }
}

fn check(history: &[(u64, u64, Action, Answer)]) -> LinearizabilityVerdict {
    let history: Vec<Operation> = history
        .iter()
        .map(|(start, end, action, answer)| operation(*start, *end, *action, *answer))
        .collect();
    check_linearizability(&history)
}

fn swap(expected: Option<u64>, value: u64) -> Action {
    CompareAndSet { expected, value }
}

#[test]
fn one_after_the_other_with_right_answers_is_kept() {
    let verdict = check(&[
        (0, 1, Read, Saw(None)),
        (2, 3, Put(1), Done),
        (4, 5, Read, Saw(Some(1))),
        (6, 7, swap(Some(1), 2), Done),
        (8, 9, swap(Some(1), 3), Saw(Some(2))),
        (10, 11, Read, Saw(Some(2))),
    ]);
    assert!(verdict.is_kept(), "{verdict:?}");
    assert_eq!(verdict.operations, 6);
}

#[test]
fn operations_at_one_time_may_stand_in_any_order() {
    let verdict = check(&[
        (0, 10, Put(1), Done),
        (0, 10, Put(2), Done),
        (1, 3, Read, Saw(Some(2))),
        (4, 6, Read, Saw(Some(1))),
        (11, 12, Read, Saw(Some(1))),
    ]);
    assert!(verdict.is_kept(), "{verdict:?}");
}

#[test]
fn an_old_value_after_an_acknowledged_write_is_found() {
    let verdict = check(&[
        (0, 1, Put(1), Done),
        (2, 3, Put(2), Done),
        (4, 5, Read, Saw(Some(1))),
    ]);
    assert_eq!(verdict.violations.len(), 1);
    assert_eq!(verdict.violations[0].start_us, 4);
}

#[test]
fn a_value_that_goes_back_between_two_readers_is_found() {
    let verdict = check(&[
        (0, 1, Put(1), Done),
        (2, 20, Put(2), Done),
        (3, 4, Read, Saw(Some(2))),
        (5, 6, Read, Saw(Some(1))),
    ]);
    assert!(!verdict.is_kept());
}

#[test]
fn an_acknowledged_write_that_is_not_there_is_found() {
    assert!(!check(&[(0, 1, Put(1), Done), (2, 3, Read, Saw(None))]).is_kept());
}

#[test]
fn two_compare_and_sets_cannot_both_win() {
    let verdict = check(&[
        (0, 1, Put(1), Done),
        (2, 9, swap(Some(1), 2), Done),
        (2, 9, swap(Some(1), 3), Done),
    ]);
    assert!(!verdict.is_kept());
}

#[test]
fn a_compare_and_set_refused_for_what_it_expected_is_found() {
    let verdict = check(&[
        (0, 1, Put(1), Done),
        (2, 3, Put(2), Done),
        (4, 5, swap(Some(2), 3), Saw(Some(1))),
    ]);
    assert!(!verdict.is_kept());
}

#[test]
fn a_write_of_unknown_outcome_may_be_there_late_or_never() {
    let late = check(&[
        (0, 1, Put(1), Done),
        (2, 3, Put(2), Unknown),
        (4, 5, Read, Saw(Some(1))),
        (6, 7, Read, Saw(Some(2))),
        (8, 9, Read, Saw(Some(2))),
    ]);
    assert!(late.is_kept(), "{late:?}");
    let never = check(&[
        (0, 1, Put(1), Done),
        (2, 3, swap(Some(1), 2), Unknown),
        (4, 5, Read, Saw(Some(1))),
    ]);
    assert!(never.is_kept(), "{never:?}");
}

#[test]
fn writes_of_unknown_outcome_may_follow_from_each_other() {
    let verdict = check(&[
        (0, 1, Put(1), Unknown),
        (2, 3, swap(Some(1), 2), Unknown),
        (4, 5, Read, Saw(Some(2))),
    ]);
    assert!(verdict.is_kept(), "{verdict:?}");
}

#[test]
fn a_write_of_unknown_outcome_does_not_come_and_go() {
    let verdict = check(&[
        (0, 1, Put(1), Done),
        (2, 3, Put(2), Unknown),
        (4, 5, Read, Saw(Some(2))),
        (6, 7, Read, Saw(Some(1))),
    ]);
    assert!(!verdict.is_kept());
    let before = check(&[(0, 1, Read, Saw(Some(2))), (2, 3, Put(2), Unknown)]);
    assert!(!before.is_kept(), "seen before it was begun");
}

#[test]
fn a_write_that_failed_for_sure_must_not_be_seen() {
    let verdict = check(&[(0, 1, Put(1), Failed), (2, 3, Read, Saw(Some(1)))]);
    assert!(!verdict.is_kept());
}

#[test]
fn a_value_that_is_written_twice_is_not_decided() {
    let verdict = check(&[(0, 1, Put(1), Done), (2, 3, Put(1), Done)]);
    assert_eq!(verdict.undecided, ["k"]);
}

#[test]
fn keys_are_checked_by_themselves() {
    let mut history = vec![
        operation(0, 1, Put(1), Done),
        operation(2, 3, Read, Saw(Some(1))),
    ];
    history.push(Operation {
        key: String::from("other"),
        ..operation(2, 3, Read, Saw(Some(1)))
    });
    let verdict = check_linearizability(&history);
    assert_eq!(verdict.violations.len(), 1);
    assert_eq!(verdict.violations[0].key, "other");
}

/// A register with eight clients whose operations take effect at a moment within their times: no false alarm, in time.
/// The same history with one read moved back to an older value is caught.
#[test]
fn a_long_history_of_a_real_register_is_kept_until_one_read_is_old() {
    let mut random = 42_u64;
    let mut draw = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut history = Vec::new();
    let mut state = None;
    for n in 0..6_000_u64 {
        // Operation n takes effect at 10 n; it may begin earlier and end later.
        let (start, end) = ((10 * n).saturating_sub(draw(80)), 10 * n + draw(80));
        let (action, answer) = match draw(4) {
            0 => {
                state = Some(n);
                // Some of the answers are lost, and some such writes stay pending for long.
                (Put(n), if draw(20) == 0 { Unknown } else { Done })
            }
            1 if draw(2) == 0 => (swap(Some(u64::MAX), n), Saw(state)),
            1 => {
                let expected = state;
                state = Some(n);
                (swap(expected, n), Done)
            }
            _ => (Read, Saw(state)),
        };
        history.push(operation(start, end, action, answer));
    }
    let verdict = check_linearizability(&history);
    assert!(verdict.is_kept(), "{verdict:?}");

    let old = history
        .iter()
        .position(|o| matches!(o.answer, Saw(Some(_))));
    let old = history[old.unwrap()].answer;
    let read = history.iter_mut().rev().find(|o| o.action == Read).unwrap();
    read.answer = old;
    assert!(!check_linearizability(&history).is_kept());
}

#[test]
fn operations_go_through_json() {
    let history = [operation(0, 1, swap(None, 2), Saw(Some(3)))];
    let text = serde_json::to_string(&history).unwrap();
    let read: Vec<Operation> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, history);
}
