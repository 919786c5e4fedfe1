//! A gateway's side: what it has drawn and not used.
//!
//! A request is let in while there is something left, and charged when its cost is known; what it cost beyond that is
//! owed, and paid at the next draw. Where the bucket does not answer, requests are let in: a limit is no reason to be down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::messages::{Answer, Op};
use crate::model::{IndexNumber, TableNumber};
use crate::routing::{PartitionCalls, Position};
use crate::throttle::{Draw, Drawn, Limit, Side, UNIT};

/// A draw asks for the units of this part of a second. What an idle gateway holds is lost to the others, so it is small.
const DRAWS_A_SECOND: u64 = 4;
/// Longest wait for the bucket's answer.
const DRAW_TIMEOUT: Duration = Duration::from_millis(300);
/// Limits that are remembered; beyond, those that nobody uses are forgotten.
const ACCOUNTS_MAX: usize = 4_096;

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) table: TableNumber,
    pub(crate) index: IndexNumber,
    pub(crate) side: Side,
}

/// What a gateway has drawn in one region.
#[derive(Default)]
pub struct Limits {
    accounts: Mutex<HashMap<Key, Arc<Account>>>,
}

#[derive(Default)]
struct Account {
    state: Mutex<State>,
    /// Held by who draws: the others wait for what comes of it.
    drawing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Thousandths of units; below zero when requests cost more than was drawn.
    left: i64,
    /// The limit that the last draw was made under, and until when it makes no sense to draw again under it.
    refused: Option<(Limit, Instant)>,
}

impl State {
    /// Whether the request is let in; none when a draw has to say so.
    fn try_take(&mut self, limit: Limit, estimate: u64, now: Instant) -> Option<bool> {
        if self.left > 0 {
            self.left = self.left.saturating_sub_unsigned(estimate);
            return Some(true);
        }
        let (under, until) = self.refused?;
        (under == limit && now < until).then_some(false)
    }

    fn next_draw(&self, limit: Limit, estimate: u64) -> Draw {
        let share = limit.rate.saturating_mul(UNIT) / DRAWS_A_SECOND;
        Draw {
            limit,
            owed: self.left.min(0).unsigned_abs(),
            want: share.max(estimate).max(UNIT),
        }
    }

    fn take_in(&mut self, draw: Draw, drawn: Drawn, now: Instant) {
        self.left = self
            .left
            .saturating_add_unsigned(draw.owed)
            .saturating_add_unsigned(drawn.granted);
        let wait = Duration::from_millis(drawn.wait_ms);
        self.refused = (drawn.granted == 0).then(|| (draw.limit, now + wait));
    }
}

impl Limits {
    /// Whether a request is let in under this limit. `estimate` thousandths of units are taken for it at once, so that
    /// requests that come together do not all find the same units.
    pub(crate) async fn admit(
        &self,
        calls: &PartitionCalls,
        table: &str,
        key: Key,
        limit: Limit,
        estimate: u64,
    ) -> bool {
        let account = self.account(key);
        if let Some(admitted) = account.try_take(limit, estimate) {
            return admitted;
        }
        let _drawing = account.drawing.lock().await;
        if let Some(admitted) = account.try_take(limit, estimate) {
            return admitted;
        }
        let draw = account.lock().next_draw(limit, estimate);
        let drawn = ask(calls, table, key, draw).await;
        account.lock().take_in(draw, drawn, Instant::now());
        account.try_take(limit, estimate).unwrap_or(false)
    }

    /// Charges what a request cost in place of what was taken for it.
    pub(crate) fn settle(&self, key: Key, estimate: u64, cost: u64) {
        let account = self.account(key);
        let mut state = account.lock();
        state.left = state
            .left
            .saturating_add_unsigned(estimate)
            .saturating_sub_unsigned(cost);
    }

    fn account(&self, key: Key) -> Arc<Account> {
        let mut accounts = self.accounts.lock().expect("no holder panics");
        if accounts.len() >= ACCOUNTS_MAX && !accounts.contains_key(&key) {
            accounts.retain(|_, account| Arc::strong_count(account) > 1);
        }
        accounts.entry(key).or_default().clone()
    }
}

impl Account {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn try_take(&self, limit: Limit, estimate: u64) -> Option<bool> {
        self.lock().try_take(limit, estimate, Instant::now())
    }
}

/// Draws; where nobody answers, all that was asked for is granted.
async fn ask(calls: &PartitionCalls, table: &str, key: Key, draw: Draw) -> Drawn {
    // The first partition keeps the position when it splits.
    let to = Position {
        table: table.to_owned(),
        index: IndexNumber::TABLE,
        position: 0,
    };
    let op = Op::Draw {
        index: key.index,
        side: key.side,
        draw,
    };
    let answer = tokio::time::timeout(DRAW_TIMEOUT, calls.repeat(&to.into(), op)).await;
    match answer {
        Ok(Ok(Answer::Drawn(drawn))) => drawn,
        _ => Drawn {
            granted: draw.want,
            wait_ms: 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        rate: 8,
        burst_s: 300,
    };

    #[test]
    fn what_was_drawn_is_used_before_more_is_asked_for() {
        let now = Instant::now();
        let mut state = State::default();
        assert_eq!(state.try_take(LIMIT, UNIT, now), None);
        let draw = state.next_draw(LIMIT, UNIT);
        assert_eq!((draw.owed, draw.want), (0, 2 * UNIT));
        let drawn = Drawn {
            granted: 2 * UNIT,
            wait_ms: 0,
        };
        state.take_in(draw, drawn, now);
        assert_eq!(state.try_take(LIMIT, UNIT, now), Some(true));
        assert_eq!(state.try_take(LIMIT, 3 * UNIT, now), Some(true));
        assert_eq!(state.try_take(LIMIT, UNIT, now), None);
        assert_eq!(state.next_draw(LIMIT, UNIT).owed, 2 * UNIT);
    }

    #[test]
    fn a_refusal_holds_for_its_time_and_its_limit() {
        let now = Instant::now();
        let mut state = State::default();
        let draw = state.next_draw(LIMIT, UNIT);
        let drawn = Drawn {
            granted: 0,
            wait_ms: 100,
        };
        state.take_in(draw, drawn, now);
        assert_eq!(state.try_take(LIMIT, UNIT, now), Some(false));
        let more = Limit { rate: 9, ..LIMIT };
        assert_eq!(state.try_take(more, UNIT, now), None);
        let later = now + Duration::from_millis(100);
        assert_eq!(state.try_take(LIMIT, UNIT, later), None);
    }
}
